//! A plan becomes samples: one thread per core, nothing shared, everything added up at the end.
//!
//! Reading order: [`run`] here, [`shard`] (the loop), then the pure parts that meet only there: [`user`],
//! `requests`, [`connection`], [`batch`], [`pool`], [`timers`]; [`example`] is off the hot path, and
//! [`Footprint`] before it.

mod arrivals;
pub mod batch;
mod collector;
pub mod connection;
pub mod example;
mod footprint;
pub mod pool;
mod requests;
pub mod shard;
pub mod timers;
pub mod user;

use std::io;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow};

use crate::analysis::seconds::Watched;
use crate::io::clock::Clock;
use crate::io::cpu::{self, CoreClock, CpuTime};
use crate::io::epoll::Epoll;
use crate::io::uring::{Features, Uring};
use crate::io::{Backend, Driver, DriverConfig, Sockets};
use crate::metrics::recorder::Counts;
use crate::metrics::series::Series;
use crate::metrics::summary::Summary;
use crate::plan::Plan;
use crate::watch::Hindrances;

pub use arrivals::ArrivalCounts;
pub use collector::Second;
use collector::{Collector, Port, Watch};
pub use footprint::Footprint;
use shard::{Outcomes, Shard, Start};

/// What the shards are told from outside and tell each other, looked at once per turn.
///
/// It has two cache lines for itself: whatever lies beside it in its owner's memory may be written often, and each
/// such write would take the line away from every shard. Two, because x86 fetches lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Control {
    order: AtomicU8,
    /// Shards whose users are ready for the first arrival of an open load.
    ready: AtomicUsize,
    /// When its first arrival is due, on the drivers' clock; 0 until all are ready.
    arrivals_from_ns: AtomicU64,
    /// When the run began, on the same clock.
    start_ns: AtomicU64,
}

/// From the moment that the last shard is ready to the first arrival: all others have looked by then.
const ARRIVALS_AFTER_NS: u64 = 2 * shard::SLEEP_NS_MAX;

/// An order to all shards. Later ones outrank earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// Carry out the plan.
    Run,
    /// Start nothing more; wait for what is under way, within bounds.
    Drain,
    /// End now; what is under way is cut off.
    StopNow,
}

impl Control {
    /// Gives an order. It never falls back to an earlier one.
    pub fn give(&self, order: Order) {
        self.order.fetch_max(order as u8, Ordering::Relaxed);
    }

    /// The order in force.
    pub fn order(&self) -> Order {
        match self.order.load(Ordering::Relaxed) {
            0 => Order::Run,
            1 => Order::Drain,
            _ => Order::StopNow,
        }
    }

    /// One of so many shards is ready, once. The last one says when the arrivals begin: when a second of the run does,
    /// so that the seconds that are reported are the arrivals' own.
    pub fn on_ready(&self, shards: usize, start_ns: u64, now_ns: u64) {
        if self.ready.fetch_add(1, Ordering::Relaxed) + 1 == shards {
            let after_ns = (now_ns + ARRIVALS_AFTER_NS).saturating_sub(start_ns);
            let from_ns = start_ns + after_ns.next_multiple_of(shard::INTERVAL_NS);
            self.start_ns.store(start_ns, Ordering::Relaxed);
            self.arrivals_from_ns.store(from_ns, Ordering::Release);
        }
    }

    /// When the first arrival of an open load is due, after the start, once that is known.
    pub fn arrivals_after_ns(&self) -> Option<u64> {
        match self.arrivals_from_ns.load(Ordering::Acquire) {
            0 => None,
            from_ns => Some(from_ns - self.start_ns.load(Ordering::Relaxed)),
        }
    }

    /// When the first arrival of an open load is due, once that is known.
    pub fn arrivals_from_ns(&self) -> Option<u64> {
        match self.arrivals_from_ns.load(Ordering::Relaxed) {
            0 => None,
            from_ns => Some(from_ns),
        }
    }
}

/// How a plan is put on this machine.
#[derive(Clone, Debug)]
pub struct Setup {
    /// [`Backend::Uring`] or [`Backend::Epoll`], as the probe chose.
    pub backend: Backend,
    /// The core of each shard; `None` leaves it to the kernel.
    pub cores: Vec<Option<usize>>,
    /// What each connection's socket is given.
    pub sockets: Sockets,
}

/// What a run leaves behind.
pub struct Run {
    /// All shards' counts and histograms added up, and the series of seconds.
    pub summary: Summary,
    /// One entry per shard.
    pub shards: Vec<ShardUse>,
    /// Wall-clock time of the start.
    pub started_at: SystemTime,
    /// When the load began, after the start: at once, or when the first arrival of an open load was due.
    pub load_from_ns: u64,
    /// The load time: from then until nothing more was begun, in nanoseconds. Rates are over this.
    pub load_ns: u64,
    /// How long the requests that were open then were waited for.
    pub drain_ns: u64,
    /// How many those were.
    pub open_at_load_end: u64,
    /// What ended the load.
    pub ended: Ended,
    /// Most users that were there at once.
    pub users_peak: u64,
    /// Users that left because a step had failed, while the load lasted.
    pub users_left: u64,
    /// What was found second by second.
    pub watched: Watched,
    /// Requests that had to wait in line for a connection.
    pub waited_in_line: u64,
    /// Turns that found the completion queue overflowed.
    pub overflows: u64,
    /// Of an open load: what became of the arrivals.
    pub arrivals: Option<ArrivalCounts>,
}

/// What ends a load. Of several shards the first of these counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ended {
    /// An order from outside.
    Order,
    /// The run time was over.
    Time,
    /// Every user had left.
    NobodyLeft,
}

/// What one shard took of its core.
#[derive(Clone, Copy, Debug)]
pub struct ShardUse {
    /// The core it was pinned to.
    pub core: Option<usize>,
    /// Share of the time in which it was not asleep, 0 to 1.
    pub busy: f64,
    /// CPU time of its thread.
    pub cpu: CpuTime,
    /// Share of the time in which it was ready to run and others had its core, 0 to 1, if known.
    pub waited: Option<f64>,
}

/// Runs the plan: builds every shard on its own thread, starts them together, collects a sample each second, and
/// adds up what they hand back. `on_second` is called on the calling thread for each second of the run.
///
/// # Errors
/// When a shard's driver cannot be built (limits of the machine). Failures of the load are data, not errors.
pub fn run(
    plan: &Plan,
    setup: &Setup,
    control: &Control,
    on_second: &mut dyn FnMut(&Second<'_>),
) -> Result<Run> {
    match setup.backend {
        Backend::Epoll => run_on(plan, setup, control, on_second, &Epoll::new),
        Backend::Uring | Backend::Auto => {
            run_on(plan, setup, control, on_second, &|config, clock| {
                Uring::new(config, clock, Features::ALL)
            })
        }
    }
}

/// The same over drivers that the caller builds, one on each shard's thread, whatever backend the setup names: so that
/// benchmarks measure what the shards cost each other, without a kernel between.
///
/// # Errors
/// As [`run`].
pub fn run_on<D: Driver>(
    plan: &Plan,
    setup: &Setup,
    control: &Control,
    on_second: &mut dyn FnMut(&Second<'_>),
    build: &(impl Fn(&DriverConfig, Clock) -> io::Result<D> + Sync),
) -> Result<Run> {
    let gate = Gate::new(plan.shards);
    let mut collector = Collector::new(plan);
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for index in 0..plan.shards {
            let port = collector.open_port(index);
            let gate = &gate;
            let body = move || run_shard(plan, setup, index, gate, control, port, build);
            let thread = std::thread::Builder::new()
                .name(format!("shard-{index}"))
                .spawn_scoped(scope, body)
                .context("no thread could be started for a shard")?;
            threads.push(thread);
        }
        let started_at = SystemTime::now();
        let load_from_ns = || match plan.open {
            None => Some(0),
            Some(_) => control.arrivals_after_ns(),
        };
        let now_ns = || gate.since_start_ns();
        let mut watch = Watch {
            watched: Watched::default(),
            hindrances: Hindrances::start(),
            is_search: plan.is_steered(),
            started_at,
            load_from_ns: &load_from_ns,
            now_ns: &now_ns,
            on_second,
        };
        let series = collector.collect(&mut watch);
        let mut finished = Vec::new();
        for thread in threads {
            let outcome = thread
                .join()
                .map_err(|_| anyhow!("a shard has panicked; this is a defect of opsurge"))?;
            finished.push(outcome?);
        }
        Ok(add_up(plan, series, watch.watched, finished, started_at))
    })
}

/// Where the shards meet before the start: all of them have built what they need, or none begins.
struct Gate {
    clock: Clock,
    built: Barrier,
    failed: AtomicU64,
    started: Barrier,
    start_ns: AtomicU64,
    wall_ns: AtomicU64,
}

impl Gate {
    fn new(shards: usize) -> Self {
        Self {
            clock: Clock::start(),
            built: Barrier::new(shards),
            failed: AtomicU64::new(0),
            started: Barrier::new(shards),
            start_ns: AtomicU64::new(0),
            wall_ns: AtomicU64::new(0),
        }
    }

    fn since_start_ns(&self) -> u64 {
        let start_ns = self.start_ns.load(Ordering::Relaxed);
        self.clock.now_ns().saturating_sub(start_ns)
    }

    /// Waits for the others; the common start, or `None` when one of them could not be built.
    fn pass(&self, was_built: bool) -> Option<Start> {
        if !was_built {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        if self.built.wait().is_leader() {
            let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let wall_ns = wall.unwrap_or_default().as_nanos() as u64;
            self.start_ns.store(self.clock.now_ns(), Ordering::Relaxed);
            self.wall_ns.store(wall_ns, Ordering::Relaxed);
        }
        self.started.wait();
        (self.failed.load(Ordering::Relaxed) == 0).then(|| Start {
            at_ns: self.start_ns.load(Ordering::Relaxed),
            wall_ns: self.wall_ns.load(Ordering::Relaxed),
        })
    }
}

/// A shard's thread, from its first breath to its report.
fn run_shard<D: Driver>(
    plan: &Plan,
    setup: &Setup,
    index: usize,
    gate: &Gate,
    control: &Control,
    port: Port,
    build: impl Fn(&DriverConfig, Clock) -> io::Result<D>,
) -> Result<Finished> {
    let core = setup.cores.get(index).copied().flatten();
    if let Some(core) = core {
        // An unpinned shard measures as truly, if less steadily.
        if let Err(error) = cpu::pin(core) {
            tracing::warn!("shard {index} could not be pinned to core {core}: {error}");
        }
    }
    let config = driver_config(plan, &setup.sockets, index);
    let driver = build(&config, gate.clock);
    let outcomes = drive(driver, plan, index, gate, control, port).with_context(|| {
        format!("shard {index} could not be set up; fewer --shards or --connections need less")
    })?;
    let (outcomes, cpu, waited_ns) = outcomes;
    Ok(Finished {
        core,
        cpu,
        waited_ns,
        outcomes,
    })
}

/// What the driver of one of the plan's shards is built from.
pub fn driver_config(plan: &Plan, sockets: &Sockets, index: usize) -> DriverConfig {
    DriverConfig {
        addresses: plan.addresses.clone(),
        sockets: sockets.clone(),
        slots: plan.slots_of_shard(index),
        rendered_bytes_max: plan.batch_bytes_max(),
        shared: plan.scenario.shared(),
    }
}

fn drive<D: Driver>(
    driver: io::Result<D>,
    plan: &Plan,
    index: usize,
    gate: &Gate,
    control: &Control,
    mut port: Port,
) -> Result<(Outcomes, CpuTime, Option<u64>)> {
    let shard = driver.map(|driver| Shard::new(plan, index, driver));
    port.fill();
    let start = gate.pass(shard.is_ok());
    let shard = shard?;
    let start = start.ok_or_else(|| anyhow!("another shard could not be set up"))?;
    let (before, clock) = (CpuTime::of_this_thread(), CoreClock::of_this_thread());
    let (outcomes, driver) = shard.run(start, control, port.into_on_interval(&clock));
    let after = CpuTime::of_this_thread();
    drop(driver);
    let used = CpuTime {
        user_ns: after.user_ns - before.user_ns,
        system_ns: after.system_ns - before.system_ns,
    };
    let waited_ns = clock.elapsed().map(|time| time.waited_ns);
    Ok((outcomes, used, waited_ns))
}

struct Finished {
    core: Option<usize>,
    cpu: CpuTime,
    waited_ns: Option<u64>,
    outcomes: Outcomes,
}

fn add_up(
    plan: &Plan,
    series: Series,
    watched: Watched,
    finished: Vec<Finished>,
    started_at: SystemTime,
) -> Run {
    let steps = plan.scenario.metrics.len();
    let mut counts = Counts::new(steps, plan.scenario.spans.len());
    let mut shards = Vec::new();
    let (mut lasted_ns, mut load_to_ns) = (0, 0);
    let (mut waited_in_line, mut overflows) = (0, 0);
    let (mut users_peak, mut users_left, mut open_at_load_end) = (0, 0, 0);
    let mut ended = Ended::NobodyLeft;
    let mut load_from_ns = u64::MAX;
    let mut arrivals: Option<ArrivalCounts> = None;
    for shard in finished {
        let outcomes = shard.outcomes;
        shards.push(ShardUse {
            core: shard.core,
            busy: busy(&outcomes, shard.cpu),
            cpu: shard.cpu,
            waited: shard
                .waited_ns
                .map(|ns| ns as f64 / outcomes.lasted_ns.max(1) as f64),
        });
        lasted_ns = lasted_ns.max(outcomes.lasted_ns);
        load_from_ns = load_from_ns.min(outcomes.load_from_ns);
        load_to_ns = load_to_ns.max(outcomes.load_to_ns);
        ended = ended.min(outcomes.ended);
        users_peak += outcomes.users_peak as u64;
        users_left += outcomes.users_left;
        open_at_load_end += outcomes.open_at_load_end as u64;
        waited_in_line += outcomes.waited_in_line;
        overflows += outcomes.overflows;
        if let Some(counts) = outcomes.arrivals {
            *arrivals.get_or_insert_default() += counts;
        }
        let (of_shard, _) = outcomes.recorder.into_parts();
        counts += &of_shard;
    }
    Run {
        summary: Summary { counts, series },
        shards,
        started_at,
        load_from_ns,
        load_ns: load_to_ns.saturating_sub(load_from_ns),
        drain_ns: lasted_ns.saturating_sub(load_to_ns),
        open_at_load_end,
        ended,
        users_peak,
        users_left,
        watched,
        waited_in_line,
        overflows,
        arrivals,
    }
}

/// Two views of the same: by the wall clock, turn by turn (it sees when others had the core), and by the CPU clock (it
/// sees work that the kernel did for us while we slept). The larger one is nearer to the truth.
fn busy(outcomes: &Outcomes, cpu: CpuTime) -> f64 {
    let lasted_ns = outcomes.lasted_ns.max(1) as f64;
    // Waiting for a moment by looking at the clock is no work.
    let worked_ns = (cpu.user_ns + cpu.system_ns).saturating_sub(outcomes.spun_ns);
    let by_cpu = worked_ns as f64 / lasted_ns;
    let by_turns = outcomes.working_ns as f64 / lasted_ns;
    by_cpu.max(by_turns).min(1.0)
}
