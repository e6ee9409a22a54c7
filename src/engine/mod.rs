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
mod gate;
mod handover;
mod line;
mod outcomes;
pub mod plan;
pub mod pool;
mod requests;
pub mod shard;
mod thread;
pub mod timers;
pub mod user;

use std::io;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::SystemTime;

use anyhow::{Result, anyhow};

use crate::engine::plan::Plan;
use crate::io::clock::Clock;
use crate::io::epoll::Epoll;
use crate::io::uring::{Features, Uring};
use crate::io::{Backend, Driver, DriverConfig, Sockets};
use crate::machine::cpu::CpuTime;
use crate::metrics::series::Series;
use crate::metrics::summary::Summary;

pub use arrivals::ArrivalCounts;
use collector::{Collector, Watch};
pub use collector::{OnSecond, Second};
pub use footprint::{Footprint, Part};
use gate::Gate;
pub use outcomes::Ended;
use outcomes::Outcomes;
use thread::{Finished, ShardThread, StopAll, words_of};

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
    /// The slowest answer of all shards, as far as they have said.
    slowest_ns: AtomicU64,
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

    /// The slowest answer of all shards, one of which is told here.
    pub fn slowest_ns(&self, of_shard_ns: u64) -> u64 {
        let known_ns = self.slowest_ns.fetch_max(of_shard_ns, Ordering::Relaxed);
        known_ns.max(of_shard_ns)
    }

    /// One of so many shards is ready, once. The last one says when the arrivals begin: when a second of the run does,
    /// so that the seconds that are reported are the arrivals' own.
    pub fn on_ready(&self, shards: usize, start_ns: u64, now_ns: u64) {
        if self.ready.fetch_add(1, Ordering::Relaxed) + 1 == shards {
            let after_ns = (now_ns + ARRIVALS_AFTER_NS).saturating_sub(start_ns);
            let from_ns = start_ns + after_ns.next_multiple_of(handover::INTERVAL_NS);
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
    /// Users that came, those that took the seat of another not counted.
    pub users_came: u64,
    /// Users that left because a step had failed, while the load lasted.
    pub users_left: u64,
    /// Requests that had to wait in line for a connection.
    pub waited_in_line: u64,
    /// Turns that found the completion queue overflowed.
    pub overflows: u64,
    /// Of an open load: what became of the arrivals.
    pub arrivals: Option<ArrivalCounts>,
    /// Shards that a panic ended, and with them the run.
    pub deaths: Vec<Death>,
}

/// A shard that a panic ended: a defect of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// Its number, from 0.
    pub shard: usize,
    /// What the panic said.
    pub reason: String,
    /// What it had counted until then is in the run's figures; its requests under way are cut off. Without this the
    /// totals are those of the other shards, and only the series has what it handed over each second.
    pub has_figures: bool,
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
pub fn run(plan: &Plan, setup: &Setup, control: &Control, on_second: OnSecond<'_>) -> Result<Run> {
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
    on_second: OnSecond<'_>,
    build: &(impl Fn(&DriverConfig, Clock) -> io::Result<D> + Sync),
) -> Result<Run> {
    let gate = Gate::new(plan.shards);
    let mut collector = Collector::new(plan);
    std::thread::scope(|scope| {
        let _stop = StopAll::when_panicking(&gate, control);
        let mut threads = Vec::new();
        for index in 0..plan.shards {
            let thread = ShardThread {
                plan,
                setup,
                index,
                gate: &gate,
                control,
            };
            let port = collector.open_port(index);
            let spawned = std::thread::Builder::new()
                .name(format!("shard-{index}"))
                .spawn_scoped(scope, move || thread.run(port, build));
            match spawned {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    gate.cancel();
                    return Err(no_thread(index, plan.shards, &error));
                }
            }
        }
        let started_at = SystemTime::now();
        let load_from_ns = || match plan.load.arrivals() {
            None => Some(0),
            Some(_) => control.arrivals_after_ns(),
        };
        let now_ns = || gate.since_start_ns();
        let mut watch = Watch {
            started_at,
            load_from_ns: &load_from_ns,
            now_ns: &now_ns,
            on_second,
        };
        let series = collector.collect(&mut watch);
        let mut finished = Vec::new();
        let mut refused = None;
        for thread in threads {
            match thread.join() {
                Ok(Ok(Some(shard))) => finished.push(shard),
                // Another shard says why.
                Ok(Ok(None)) => {}
                Ok(Err(error)) => refused = refused.or(Some(error)),
                Err(panic) => {
                    let said = words_of(&*panic);
                    refused =
                        refused.or_else(|| Some(anyhow!("a shard's thread panicked: {said}")));
                }
            }
        }
        match refused {
            Some(error) => Err(error),
            None => Ok(add_up(plan, series, finished, started_at)),
        }
    })
}

/// The cause and the cure when a shard cannot have a thread.
fn no_thread(index: usize, shards: usize, error: &io::Error) -> anyhow::Error {
    anyhow!(
        "no thread could be started for shard {} of {shards} ({error}); raise the limit on processes and threads \
         (ulimit -u, TasksMax= of a service, --pids-limit of a container), or give fewer --shards",
        index + 1
    )
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

fn add_up(plan: &Plan, series: Series, finished: Vec<Finished>, started_at: SystemTime) -> Run {
    let mut shards = Vec::new();
    let mut deaths = Vec::new();
    let mut sum: Option<Outcomes> = None;
    for (index, shard) in finished.into_iter().enumerate() {
        deaths.extend(shard.panic.map(|reason| Death {
            shard: index,
            reason,
            has_figures: shard.outcomes.is_some(),
        }));
        let Some(outcomes) = shard.outcomes else {
            continue;
        };
        shards.push(ShardUse {
            core: shard.core,
            busy: busy(&outcomes, shard.cpu),
            cpu: shard.cpu,
            waited: shard
                .waited_ns
                .map(|ns| ns as f64 / outcomes.lasted_ns.max(1) as f64),
        });
        match &mut sum {
            None => sum = Some(outcomes),
            Some(sum) => *sum += outcomes,
        }
    }
    let scenario = &plan.scenario;
    let none = || Outcomes::none(scenario.metrics.len(), scenario.spans.len());
    let sum = sum.unwrap_or_else(none);
    Run {
        summary: Summary {
            counts: sum.recorder.into_parts().0,
            series,
        },
        shards,
        started_at,
        load_from_ns: sum.load_from_ns,
        load_ns: sum.load_to_ns.saturating_sub(sum.load_from_ns),
        drain_ns: sum.lasted_ns.saturating_sub(sum.load_to_ns),
        open_at_load_end: sum.open_at_load_end as u64,
        ended: sum.ended,
        users_came: sum.users_came as u64,
        users_left: sum.users_left,
        waited_in_line: sum.waited_in_line,
        overflows: sum.overflows,
        arrivals: sum.arrivals,
        deaths,
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
