//! What stands before the first packet, for every command that sends load: cores, stand-in, target, plan, limits, driver.

use std::sync::Arc;

use anyhow::{Context, Result, bail};

use crate::engine::{self, Control, Footprint, Run, Second, Setup};
use crate::io::{Backend, Sockets, cpu, probe, socket};
use crate::mock::Mock;
use crate::plan::Plan;
use crate::plan::scenario::Scenario;
use crate::report::hdr::IntervalLog;
use crate::report::units::{bytes, counted, grouped};
use crate::report::{csv, files};
use crate::watch;

use super::args::RunArgs;
use super::cores::share_out;
use super::signals::{Announce, Signals};
use super::target::Target;
use super::wishes::{Load, Wishes};
use super::{cannot, note};

/// Descriptors beside the connections: rings, files, standard streams.
const OTHER_DESCRIPTORS: u64 = 64;
/// Longest batch of requests: there is a buffer for each that may be on its way.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// The scenario with the target that is known so far: compiled once for its errors, before anything is started.
pub(super) fn compile_first(wishes: &Wishes<'_>) -> Result<(Scenario, Target)> {
    let somewhere = match &wishes.target {
        Some(target) => target.clone(),
        None => Target::parse("localhost", "--host")?,
    };
    let scenario = wishes.compile(&somewhere)?;
    check_batch(&scenario, wishes.pipeline)?;
    Ok((scenario, somewhere))
}

/// Makes sure that the reports can be written where they are wanted.
pub(super) fn check_files(args: &RunArgs) -> Result<()> {
    if let Some(path) = &args.json {
        files::check_writable(path, "--json")?;
    }
    if let Some(path) = &args.hdr {
        files::check_writable(path, "--hdr")?;
    }
    for path in args.csv.iter().flat_map(|prefix| csv::paths(prefix)) {
        files::check_writable(&path, "--csv")?;
    }
    Ok(())
}

/// Everything that a run needs.
pub(super) struct Prepared {
    pub plan: Plan,
    pub setup: Setup,
    pub target: Target,
    pub stand_in: Option<Mock>,
    /// What the shards are told.
    pub control: Arc<Control>,
    /// Listened for from before the first announcement on.
    signals: Signals,
    /// What the plan takes of memory.
    pub footprint: Footprint,
    /// What the program has taken before.
    pub program_bytes: u64,
    /// Target and generator, or several shards, are on the same core.
    pub cores_shared: bool,
    /// Cores that this process may use.
    pub cores_allowed: usize,
}

/// What a run left behind.
pub(super) struct Carried {
    pub ran: Run,
    /// A signal has come.
    pub interrupted: bool,
}

impl Prepared {
    /// Starts the stand-in when there is one, tries the target, checks the limits.
    pub fn new(args: &RunArgs, wishes: &Wishes<'_>, somewhere: Target, load: Load) -> Result<Self> {
        let allowed = cannot(cpu::allowed_cores().context("the allowed cores are not known"))?;
        let users = match &load.open {
            Some(open) => open.users_max,
            None => load.closed.users_at_once(),
        };
        let connections = wishes.connections(users);
        let users = usize::try_from(users).unwrap_or(usize::MAX);
        let mut cores = share_out(&allowed, wishes.shards, args.mock, users);
        // A shard without a user or a connection could do nothing.
        let shards_max = connections.shared().unwrap_or(users).min(users).max(1);
        if wishes.shards > Some(shards_max) && !args.quiet {
            note(format_args!(
                "note: {}, since there are no more users or connections to share out",
                counted(shards_max as u64, "shard")
            ));
        }
        cores.shards.truncate(shards_max);
        let stand_in = wishes.start_stand_in(args, &cores)?;
        let target = match &stand_in {
            Some(stand_in) if wishes.connecting.unix_address()?.is_none() => {
                Target::parse(&stand_in.address().to_string(), "--mock")?
            }
            _ => somewhere,
        };
        let addresses = wishes.connecting.reach(&target)?;
        let plan = Plan {
            scenario: wishes.compile(&target)?,
            run_time_ns: load.run_time_ns,
            load: load.closed,
            open: load.open,
            // On a core that it shares with the target, a generator that spins takes the target's time.
            spins: wishes.spins && !cores.shared,
            timeout_ns: wishes.timeout.as_nanos() as u64,
            drain_ns: wishes.drain.map(|drain| drain.as_nanos() as u64),
            seed: wishes.seed,
            connections,
            shards: cores.shards.len(),
            addresses,
        };
        cannot(check_descriptors(&plan))?;
        let connections = plan.slots_before_shard(plan.shards) as u64;
        cannot(wishes.connecting.check_ports(connections, &plan.addresses))?;
        let sockets = wishes.connecting.sockets.clone();
        let backend = cannot(choose_backend(args.io.into(), &plan, &sockets, args.quiet))?;
        let footprint = Footprint::of(&plan, backend);
        let program_bytes = cpu::resident_bytes();
        cannot(check_memory(&footprint, watch::free_bytes()))?;
        let control = Arc::new(Control::default());
        let signals = cannot(
            Signals::listen(control.clone(), Announce::Orders)
                .context("signals cannot be listened for"),
        )?;
        Ok(Self {
            plan,
            setup: Setup {
                backend,
                cores: cores.shards.iter().copied().map(Some).collect(),
                sockets,
            },
            target,
            stand_in,
            control,
            signals,
            footprint,
            program_bytes,
            cores_shared: cores.shared,
            cores_allowed: allowed.len(),
        })
    }

    /// The target, and the Unix socket that it is reached by.
    pub fn target_shown(&self) -> String {
        let by_unix_socket = self.plan.addresses.iter().find(|to| to.is_unix());
        let at = by_unix_socket.map(|to| format!(" at {}", socket::shown(to)));
        format!("{}{}", self.target.url, at.unwrap_or_default())
    }

    /// The interval log, when one is wanted.
    pub fn open_log(&self, args: &RunArgs) -> Result<Option<IntervalLog>> {
        let scenario = &self.plan.scenario;
        let open = |path| IntervalLog::create(path, &scenario.name, &scenario.metrics);
        cannot(args.hdr.as_deref().map(open).transpose())
    }

    /// Runs the plan to its end, or to that of its `control`, or of a signal.
    pub fn carry_out(&self, on_second: &mut dyn FnMut(&Second<'_>)) -> Result<Carried> {
        let ran = cannot(engine::run(
            &self.plan,
            &self.setup,
            &self.control,
            on_second,
        ))?;
        Ok(Carried {
            ran,
            interrupted: self.signals.interrupted(),
        })
    }
}

/// How many of so many connections this machine's descriptor limit allows, both ends in this process.
pub(super) fn connections_allowed(wanted: u64) -> Result<u64> {
    let needed = 2 * wanted + OTHER_DESCRIPTORS;
    let limit = cpu::raise_descriptor_limit(needed).context("the descriptor limit is not known")?;
    Ok((limit.saturating_sub(OTHER_DESCRIPTORS) / 2).clamp(1, wanted))
}

/// A batch of requests leaves in one piece, whose buffers are made before the run.
fn check_batch(scenario: &Scenario, depth: usize) -> Result<()> {
    let request_bytes = scenario.rendered_bytes_max();
    if depth > 1 && depth * request_bytes > BATCH_BYTES_MAX {
        bail!(
            "--pipeline {depth}: {depth} requests of up to {} bytes are more than the {} bytes that are sent in one piece; {}",
            grouped(request_bytes as u64),
            grouped(BATCH_BYTES_MAX as u64),
            match BATCH_BYTES_MAX / request_bytes {
                0 | 1 => "leave --pipeline out".into(),
                fewer => format!("give --pipeline {fewer}"),
            }
        );
    }
    Ok(())
}

/// Raises the descriptor limit to what the plan needs.
fn check_descriptors(plan: &Plan) -> Result<()> {
    let slots = plan.slots_before_shard(plan.shards);
    // Each connection has two ends in this process when the stand-in runs in it; a few more do no harm.
    let needed = 2 * slots as u64 + OTHER_DESCRIPTORS;
    let limit = cpu::raise_descriptor_limit(needed).context("the descriptor limit is not known")?;
    if limit < slots as u64 + OTHER_DESCRIPTORS {
        let fewer = match limit.saturating_sub(OTHER_DESCRIPTORS) {
            0 => String::new(),
            count => format!(", or give --connections {count}"),
        };
        bail!(
            "{} connections need {} open descriptors, and {limit} are allowed; raise the limit (ulimit -n {needed}){fewer}",
            grouped(slots as u64),
            slots as u64 + OTHER_DESCRIPTORS,
        );
    }
    Ok(())
}

/// Refuses what would be ended half-way by a machine without memory.
fn check_memory(footprint: &Footprint, free_bytes: Option<u64>) -> Result<()> {
    let needed = footprint.bytes() as u64;
    match free_bytes {
        Some(free) if needed > free => bail!(
            "about {} of memory are needed, most of it for {} users at {} B, and {} are free; give fewer --users, a \
             scenario with shorter variables, or this process more (docker run --memory, systemd's MemoryMax)",
            bytes(needed),
            grouped(footprint.users as u64),
            footprint.of_user + footprint.of_variables,
            bytes(free),
        ),
        _ => Ok(()),
    }
}

fn choose_backend(wanted: Backend, plan: &Plan, sockets: &Sockets, quiet: bool) -> Result<Backend> {
    let config = engine::driver_config(plan, sockets, 0);
    let choice = probe::choose(wanted, &config).map_err(anyhow::Error::msg)?;
    if let Some(reason) = choice.note.filter(|_| !quiet) {
        note(format_args!("note: using epoll: {reason}"));
    }
    Ok(choice.backend)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_memory_than_there_is_is_refused_with_what_takes_most_of_it() {
        let footprint = Footprint {
            users: 1_000_000,
            of_user: 44,
            of_variables: 56,
            connections: 0,
            of_connections: 0,
            figures: 0,
            buffers: 0,
        };
        assert!(check_memory(&footprint, Some(100_000_000)).is_ok());
        assert!(check_memory(&footprint, None).is_ok());
        let refused = check_memory(&footprint, Some(99_000_000)).expect_err("too much");
        let said = refused.to_string();
        assert!(said.starts_with("about 100 MB of memory are needed, most of it for 1,000,000 users at 100 B, and 99.0 MB"));
        assert!(said.contains("fewer --users"), "{said}");
    }
}
