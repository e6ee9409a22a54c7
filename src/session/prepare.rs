//! Traffic -> Prepared: everything that stands before the first packet. Cores, stand-in, target, plan, limits, driver, signals.

use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::engine;
use crate::engine::plan::{Plan, deal};
use crate::engine::{Control, Footprint, Setup};
use crate::io::{Backend, Sockets, WallClock, probe, socket, wall_clock};
use crate::machine;
use crate::machine::cpu;
use crate::mock;
use crate::mock::{Mock, MockConfig};
use crate::text::units::{counted, three_digits};
use crate::wire::TlsClient;
use crate::wire::session::Agreed;

use super::calibration;
use super::cores::{Cores, cores_within, share_out};
use super::diagnosis;
use super::exit::cannot;
use super::handshakes::Expected;
use super::job::{GivenLoad, JobTarget, Traffic};
use super::limits::{check_descriptors, check_memory};
use super::named;
use super::named::Reached;
use super::signals::{Announce, Signals};
use super::source::ScenarioText;
use super::target::Target;
use super::tls;
use super::watched::found::Found;

/// Everything that a run needs.
pub struct Prepared {
    pub plan: Plan,
    pub setup: Setup,
    pub target: Target,
    /// The targets that the scenario names.
    pub named: Vec<Reached>,
    pub stand_in: Option<Mock>,
    /// The way in for orders.
    pub control: Arc<Control>,
    /// Listened for from before the first announcement on.
    pub(super) signals: Signals,
    /// Memory that the plan takes.
    pub footprint: Footprint,
    /// Memory that the program had taken before, in bytes.
    pub program_bytes: u64,
    /// Target and generator share a core, or several shards do.
    pub cores_shared: bool,
    /// Cores that this process may use.
    pub cores_allowed: usize,
    /// What is watched beside the run.
    pub watched: Found,
    /// The load as the command line gives it.
    pub given: GivenLoad,
    /// The wall-clock moment at which the run starts, when one was given.
    pub start_at: Option<SystemTime>,
    /// How exact the wall clock is; `None` where the kernel does not tell.
    pub(super) clock: Option<WallClock>,
    /// The environment variable of the API key, as a message may repeat it.
    pub api_key_env: String,
    /// The text of the scenario, where it is compiled again with the values of its setup.
    pub(super) text: Option<ScenarioText>,
    /// The scenario's teardown, as soon as it is known.
    pub(super) teardown: Option<Plan>,
    /// Checksum of the scenario, by which its calibration is found.
    pub checksum: u64,
    /// What a first handshake led to; `None` for plain HTTP.
    pub agreed: Option<Agreed>,
    /// What the first handshakes of all connections are expected to take; `None` where they are few, and in plain text.
    pub handshakes: Option<Expected>,
    /// Facts that a user may not expect, found while preparing.
    pub notes: Vec<String>,
}

impl Prepared {
    /// Starts the stand-in when there is one, tries the target, checks the limits. `signals`: the listener of a run
    /// before this one.
    ///
    /// # Errors
    /// A limit of the machine or a refusal of the target, with the cure. No request was sent then.
    pub fn new(mut traffic: Traffic, signals: Option<Signals>) -> Result<Self> {
        let mut notes = Vec::new();
        let allowed = cannot(cpu::allowed_cores().context("the allowed cores are not known"))?;
        let own = traffic.limits.cores.as_ref().unwrap_or(&allowed);
        let cores = cores(&traffic, own, &mut notes);
        let limits = traffic.limits;
        let (stand_in, target) = match traffic.target {
            JobTarget::Service(target) => (None, target),
            JobTarget::StandIn(config) => {
                let stand_in = start_stand_in(*config, &cores)?;
                let address = match traffic.connecting.unix_address()? {
                    Some(_) => "localhost".to_owned(),
                    None => stand_in.address().to_string(),
                };
                let address = match stand_in.certificate() {
                    None => address,
                    Some(certificate) => {
                        let roots = &mut traffic.connecting.tls.roots;
                        roots.get_or_insert_with(|| vec![certificate.der.clone()]);
                        format!("https://{address}")
                    }
                };
                (Some(stand_in), Target::parse(&address, "--mock")?)
            }
        };
        let addresses = traffic.connecting.reach(&target)?;
        let named = &traffic.scenario.targets;
        let named_addresses = named::reach(named, &traffic.connecting)?;
        let options = std::mem::take(&mut traffic.connecting.tls);
        let (tls, named_tls) = named::clients(&target, named, options)?;
        let agreed = tls.as_ref().map(|client| {
            tls::try_handshake(&target, client, &addresses, &traffic.connecting.sockets)
        });
        let agreed = agreed.transpose()?;
        let sockets = &traffic.connecting.sockets;
        let named = named::shake(named, &named_addresses, &named_tls, sockets)?;
        let scenario = traffic.scenario.bind("", "");
        let checksum = calibration::checksum(&scenario);
        let plan = Plan {
            scenario: scenario
                .bind(&target.authority, target.base_path())
                .over_tls(tls.is_some()),
            load: traffic.load.load,
            run_time_ns: traffic.load.run_time_ns,
            // On a core that it shares with the target, a generator that spins takes the target's time.
            spins: limits.spins && !cores.shared,
            timeout_ns: limits.timeout_ns,
            drain_ns: limits.drain_ns,
            seed: limits.seed,
            connections: limits.connections,
            lifetime: limits.lifetime,
            shards: cores.shards.len(),
            addresses,
        };
        plan.check_kinds().map_err(anyhow::Error::msg)?;
        plan.check_rows().map_err(anyhow::Error::msg)?;
        cannot(check_descriptors(&plan, stand_in.is_some()))?;
        let connections = (plan.slots_before_shard(plan.shards) / plan.targets()) as u64;
        for addresses in std::iter::once(&plan.addresses).chain(&named_addresses) {
            cannot(traffic.connecting.check_ports(connections, addresses))?;
        }
        let sockets = traffic.connecting.sockets;
        let backend = cannot(choose_backend(limits.backend, &plan, &sockets, &mut notes))?;
        let of_stand_in = stand_in.as_ref().map_or(0, |_| mock::CONNECTION_BYTES);
        let footprint = Footprint::of(&plan, backend, of_stand_in);
        let clients = || named_tls.iter().chain([&tls]).flatten();
        let footprint = match clients().next() {
            None => footprint,
            Some(_) => footprint.encrypted(&plan, backend),
        };
        let program_bytes = cpu::resident_bytes();
        cannot(check_memory(&footprint, machine::free_bytes()))?;
        let found = diagnosis::notes(&plan, &sockets, backend, stand_in.is_some());
        notes.extend(cannot(found)?);
        if clients().any(TlsClient::is_insecure) {
            notes.push(
                "--insecure: no certificate is verified, so what answers may be another server than the one meant".into(),
            );
        }
        let handshakes = tls
            .as_ref()
            .and_then(|client| Expected::try_out(&plan, client, &sockets, cores.shared));
        let targets = plan.addresses.iter().filter_map(|to| to.as_socket());
        let watched = cannot(Found::find(traffic.watch, &targets.collect::<Vec<_>>()))?;
        let control = Arc::new(Control::default());
        if let Some(moment) = traffic.load.start_at {
            control.start_at(moment);
        }
        let signals = match signals {
            Some(signals) => {
                signals.turn_to(control.clone());
                signals
            }
            None => cannot(
                Signals::listen(control.clone(), Announce::Orders)
                    .context("signals cannot be listened for"),
            )?,
        };
        Ok(Self {
            plan,
            setup: Setup {
                backend,
                cores: cores.shards,
                sockets: Sockets {
                    named: named_addresses,
                    ..sockets
                },
                tls,
                named_tls,
            },
            named,
            agreed,
            handshakes,
            target,
            stand_in,
            control,
            signals,
            footprint,
            program_bytes,
            cores_shared: cores.shared,
            cores_allowed: allowed.len(),
            watched,
            given: traffic.load.given,
            start_at: traffic.load.start_at,
            clock: wall_clock(),
            api_key_env: traffic.api_key_env,
            text: traffic.text,
            teardown: None,
            checksum,
            notes,
        })
    }

    /// The listener for signals, which outlives the run.
    pub fn signals(&self) -> Signals {
        self.signals.clone()
    }

    /// The target, and the Unix socket that it is reached by.
    pub fn target_shown(&self) -> String {
        let by_unix_socket = self.plan.addresses.iter().find(|to| to.is_unix());
        let at = by_unix_socket.map(|to| format!(" at {}", socket::shown(to)));
        format!("{}{}", self.target.url, at.unwrap_or_default())
    }
}

/// A core for each shard and each thread of the stand-in.
fn cores(traffic: &Traffic, allowed: &[usize], notes: &mut Vec<String>) -> Cores {
    let (wanted, connections) = (traffic.limits.shards, traffic.limits.connections);
    let deal = deal(&traffic.load.load, connections, 1);
    let planned = deal.share_of(traffic.load.load.users_planned());
    let users = usize::try_from(planned).unwrap_or(usize::MAX);
    let quota = machine::cpu_quota_cores();
    let has_stand_in = matches!(traffic.target, JobTarget::StandIn(_));
    // A shard without a user or a connection could do nothing.
    let shards_max = deal.connections_of(0).max(1);
    let within = cores_within(quota, allowed.len());
    if let Some(quota) = quota.filter(|_| within < allowed.len() && wanted.is_none()) {
        notes.push(format!(
            "the CPU quota is {} cores, so {within} of {} cores are used; --shards N sets another number of threads",
            three_digits(quota),
            allowed.len()
        ));
    }
    if wanted > Some(shards_max) {
        notes.push(format!(
            "{}, since there are no more users or connections to share out",
            counted(shards_max as u64, "shard")
        ));
    }
    let shards_max = match wanted {
        Some(_) => shards_max,
        None => shards_max.min(users),
    };
    share_out(allowed, quota, wanted, has_stand_in, shards_max)
}

fn start_stand_in(mut config: MockConfig, cores: &Cores) -> Result<Mock> {
    config.cores.clone_from(&cores.stand_in);
    cannot(Mock::start(&config).context("the stand-in cannot be started"))
}

fn choose_backend(
    wanted: Backend,
    plan: &Plan,
    sockets: &Sockets,
    notes: &mut Vec<String>,
) -> Result<Backend> {
    let config = engine::driver_config(plan, sockets, 0);
    let choice = probe::choose(wanted, &config).map_err(anyhow::Error::msg)?;
    notes.extend(
        choice
            .refusal
            .map(|reason| format!("using epoll: {reason}")),
    );
    Ok(choice.backend)
}
