//! What stands before the first packet, for every command that sends load: cores, stand-in, target, plan, limits, driver.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use crate::analysis::seconds::Watched;
use crate::engine;
use crate::engine::plan::Plan;
use crate::engine::{Control, Footprint, Part, Run, Second, Setup};
use crate::io::{Backend, CLOSING_MAX, Sockets, descriptors, probe, socket};
use crate::machine;
use crate::machine::cpu;
use crate::mock;
use crate::mock::Mock;
use crate::record::files;
use crate::record::hdr::IntervalLog;
use crate::scenario::model::Scenario;
use crate::text::units::{bytes, counted, grouped, three_digits};

use super::cores::{cores_within, share_out};
use super::exit::cannot;
use super::output::note;
use super::signals::{Announce, Signals};
use super::target::Target;
use super::watch::SecondJudge;
use crate::cli::args::RunArgs;
use crate::cli::wishes::{TimedLoad, Wishes};

/// Descriptors beside the connections: rings, files, standard streams.
const OTHER_DESCRIPTORS: u64 = 64;
/// Longest batch of requests: there is a buffer for each that may be on its way.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// The scenario, compiled before anything is started, and bound to the target that is known so far.
pub(crate) fn compile_first(wishes: &Wishes<'_>) -> Result<(Scenario, Target)> {
    let somewhere = match &wishes.target {
        Some(target) => target.clone(),
        None => Target::parse("localhost", "--host")?,
    };
    if somewhere.path.contains('?') {
        bail!(
            "--host {}: a host has no query; it belongs to the steps of the scenario",
            somewhere.url
        );
    }
    let scenario = wishes.compile()?;
    let scenario = scenario.bind(&somewhere.authority, somewhere.base_path());
    check_batch(&scenario, wishes.pipeline)?;
    Ok((scenario, somewhere))
}

/// Makes sure that the reports can be written where they are wanted, each to a place of its own. `tables` are the CSV files
/// of the command.
pub(crate) fn check_files(args: &RunArgs, tables: &[PathBuf]) -> Result<()> {
    let json = args.json.iter().map(|path| (path.clone(), "--json"));
    let hdr = args.hdr.iter().map(|path| (path.clone(), "--hdr"));
    let tables = tables.iter().map(|path| (path.clone(), "--csv"));
    let places: Vec<_> = json.chain(hdr).chain(tables).collect();
    for (path, flag) in &places {
        files::check_writable(path, flag)?;
    }
    files::check_apart(&places)
}

/// Everything that a run needs.
pub(crate) struct Prepared {
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
pub(crate) struct Carried {
    pub ran: Run,
    /// What was found second by second.
    pub watched: Watched,
    /// A signal has come.
    pub interrupted: bool,
}

impl Prepared {
    /// Starts the stand-in when there is one, tries the target, checks the limits.
    pub fn new(
        args: &RunArgs,
        wishes: &Wishes<'_>,
        scenario: Scenario,
        somewhere: Target,
        load: TimedLoad,
    ) -> Result<Self> {
        let allowed = cannot(cpu::allowed_cores().context("the allowed cores are not known"))?;
        let users = load.load.users_max();
        let connections = wishes.connections(users);
        let users = usize::try_from(users).unwrap_or(usize::MAX);
        let quota = machine::cpu_quota_cores();
        let mut cores = share_out(&allowed, quota, wishes.shards, args.mock, users);
        let within = cores_within(quota, allowed.len());
        if let Some(quota) = quota.filter(|_| within < allowed.len() && wishes.shards.is_none())
            && !args.quiet
        {
            note(format_args!(
                "note: the CPU quota is {} cores, so {within} of {} cores are used; --shards N sets another number of threads",
                three_digits(quota),
                allowed.len()
            ));
        }
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
            scenario: scenario.bind(&target.authority, target.base_path()),
            run_time_ns: load.run_time_ns,
            load: load.load,
            // On a core that it shares with the target, a generator that spins takes the target's time.
            spins: wishes.spins && !cores.shared,
            timeout_ns: wishes.timeout.as_nanos() as u64,
            drain_ns: wishes.drain.map(|drain| drain.as_nanos() as u64),
            seed: wishes.seed,
            connections,
            shards: cores.shards.len(),
            addresses,
        };
        cannot(check_descriptors(&plan, stand_in.is_some()))?;
        let connections = plan.slots_before_shard(plan.shards) as u64;
        cannot(wishes.connecting.check_ports(connections, &plan.addresses))?;
        let sockets = wishes.connecting.sockets.clone();
        let backend = cannot(choose_backend(args.io.into(), &plan, &sockets, args.quiet))?;
        let of_target = stand_in.as_ref().map_or(0, |_| mock::CONNECTION_BYTES);
        let footprint = Footprint::of(&plan, backend, of_target);
        let program_bytes = cpu::resident_bytes();
        cannot(check_memory(&footprint, machine::free_bytes()))?;
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
        let mut judge = SecondJudge::start(self.plan.load.is_steered());
        let ran = cannot(engine::run(
            &self.plan,
            &self.setup,
            &self.control,
            &mut |second| {
                judge.on_second(second);
                on_second(second);
            },
        ));
        self.signals.on_run_over();
        let ran = ran?;
        Ok(Carried {
            ran,
            watched: judge.into_watched(),
            interrupted: self.signals.interrupted(),
        })
    }
}

/// How many of so many connections this machine's descriptor limit allows, both ends in this process.
pub(crate) fn connections_allowed(wanted: u64) -> Result<u64> {
    let shards = cpu::allowed_cores().map_or(1, |cores| cores.len());
    let closing = (wanted * 3 / 2 + 1).min((shards * CLOSING_MAX) as u64);
    let needed = 2 * (wanted + closing) + OTHER_DESCRIPTORS;
    let limit = cpu::raise_descriptor_limit(needed).context("the descriptor limit is not known")?;
    let room = limit.saturating_sub(OTHER_DESCRIPTORS) / 2;
    Ok(connections_within(room, shards).clamp(1, wanted))
}

/// How many connections so many descriptors are enough for, as [`descriptors`] counts them.
fn connections_within(room: u64, shards: usize) -> u64 {
    let closing = (shards * CLOSING_MAX) as u64;
    // Each slot takes two and a half of them at most (`descriptors`).
    (room * 2 / 5).max(room.saturating_sub(closing))
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
fn check_descriptors(plan: &Plan, has_stand_in: bool) -> Result<()> {
    let slots = plan.slots_before_shard(plan.shards);
    let of_shards = (0..plan.shards).map(|shard| descriptors(plan.slots_of_shard(shard)));
    // Each connection has two ends in this process when the stand-in runs in it.
    let ends = if has_stand_in { 2 } else { 1 };
    let needed = ends * of_shards.sum::<usize>() as u64 + OTHER_DESCRIPTORS;
    let limit = cpu::raise_descriptor_limit(needed).context("the descriptor limit is not known")?;
    if limit < needed {
        let room = limit.saturating_sub(OTHER_DESCRIPTORS) / ends;
        let fewer = match connections_within(room, plan.shards) {
            0 => String::new(),
            count => format!(", or give --connections {count}"),
        };
        bail!(
            "{} connections need {} open descriptors, and {} are allowed; raise the limit (ulimit -n {needed}){fewer}",
            grouped(slots as u64),
            grouped(needed),
            grouped(limit),
        );
    }
    Ok(())
}

/// Refuses what would be ended half-way by a machine without memory.
fn check_memory(footprint: &Footprint, free_bytes: Option<u64>) -> Result<()> {
    let needed = footprint.bytes() as u64;
    let Some(free) = free_bytes.filter(|free| needed > *free) else {
        return Ok(());
    };
    let (part, of_part) = footprint.largest();
    let users = counted(footprint.users as u64, "user");
    let (what, cure) = match part {
        Part::Users => (
            format!("{users} at {} B", footprint.of_user),
            "give fewer --users",
        ),
        Part::Variables => (
            format!("the variables of {users} at {} B", footprint.of_variables),
            "give fewer --users or a scenario with shorter variables",
        ),
        Part::Connections => (
            counted(footprint.connections as u64, "connection"),
            "give fewer --connections",
        ),
        Part::Figures => (
            format!(
                "the figures of {}",
                counted(footprint.steps as u64, "named step")
            ),
            "give fewer --shards, or steps whose figures need not be told apart the same name",
        ),
        Part::Buffers => (
            "buffers to send from and receive into".into(),
            "give fewer --shards or a shorter --pipeline",
        ),
        Part::StandIn => (
            format!(
                "the stand-in's ends of {}",
                counted(footprint.connections as u64, "connection")
            ),
            "give fewer --connections or the --host of a stand-in of its own (opsurge mock)",
        ),
    };
    bail!(
        "about {} of memory are needed, most of it ({}) for {what}, and {} are free; {cure}, or this process more \
         memory (docker run --memory, systemd's MemoryMax)",
        bytes(needed),
        bytes(of_part as u64),
        bytes(free),
    )
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

    const SMALL: Footprint = Footprint {
        users: 20,
        of_user: 60,
        of_variables: 10,
        connections: 20,
        of_connections: 10_000,
        of_answers_max: 1_000_000_000,
        steps: 3,
        figures: 1_000_000,
        figures_max: 9_000_000,
        buffers: 2_000_000,
        stand_in: 0,
    };

    /// What a refusal blames, and what it advises.
    fn check_refused(footprint: &Footprint, blame: &str, cure: &str) {
        let needed = footprint.bytes() as u64;
        assert!(check_memory(footprint, Some(needed)).is_ok());
        assert!(check_memory(footprint, None).is_ok());
        let refused = check_memory(footprint, Some(needed - 1)).expect_err("too much");
        let said = refused.to_string();
        let begins = format!(
            "about {} of memory are needed, most of it ({blame}, and {} are free; give {cure}",
            bytes(needed),
            bytes(needed - 1)
        );
        assert!(said.starts_with(&begins), "{said}");
    }

    #[test]
    fn more_memory_than_there_is_is_refused_with_what_takes_most_of_it() {
        let many_users = Footprint {
            users: 1_000_000,
            ..SMALL
        };
        let blame = "60.0 MB) for 1,000,000 users at 60 B";
        check_refused(&many_users, blame, "fewer --users, or");
        let long_variables = Footprint {
            of_variables: 100,
            ..many_users
        };
        let blame = "100 MB) for the variables of 1,000,000 users at 100 B";
        check_refused(&long_variables, blame, "fewer --users or a scenario with");
        let many_connections = Footprint {
            connections: 16_000,
            of_connections: 16_000_000,
            ..SMALL
        };
        let blame = "16.0 MB) for 16,000 connections";
        check_refused(&many_connections, blame, "fewer --connections");
        let many_steps = Footprint {
            steps: 1_000,
            figures: 400_000_000,
            ..SMALL
        };
        let blame = "400 MB) for the figures of 1,000 named steps";
        check_refused(&many_steps, blame, "fewer --shards, or steps");
        let stand_in = Footprint {
            stand_in: 20_000_000,
            ..SMALL
        };
        let blame = "20.0 MB) for the stand-in's ends of 20 connections";
        check_refused(&stand_in, blame, "fewer --connections or the --host");
        let blame = "2.00 MB) for buffers";
        check_refused(
            &SMALL,
            &format!("{blame} to send from and receive into"),
            "fewer --shards",
        );
    }
}
