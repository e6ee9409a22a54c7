//! A plan is run: one thread for each shard, started together; their seconds are collected, their outcomes added up.

use std::io;
use std::time::{Duration, SystemTime};

use anyhow::{Result, anyhow};

use crate::io::clock::Clock;
use crate::io::epoll::Epoll;
use crate::io::uring::{Features, Uring};
use crate::io::{Backend, Driver, DriverConfig};
use crate::metrics::series::Series;
use crate::metrics::summary::Summary;
use crate::wire::Tls;

use super::arrivals::ArrivalCounts;
use super::collector::{Collector, Observer, OnSecond};
use super::control::Control;
use super::gate::Gate;
use super::kinds::KindUse;
use super::outcomes::{Ended, Outcomes};
use super::plan::Plan;
use super::setup::Setup;
use super::shard_use::ShardUse;
use super::thread::{Finished, ShardThread, StopAll, panic_message};

/// What a run leaves behind.
pub struct Run {
    /// All shards' counts and histograms added up, and the series of seconds.
    pub summary: Summary,
    /// One entry for each shard.
    pub shards: Vec<ShardUse>,
    /// Wall-clock time of the start.
    pub started_at: SystemTime,
    /// When the load began, in nanoseconds after the start: 0, or when the first arrival of an open load was due.
    pub load_from_ns: u64,
    /// The load time: from then until nothing more was started, in nanoseconds. Rates are over this.
    pub load_ns: u64,
    /// How long the requests that were open then were waited for, in nanoseconds.
    pub drain_ns: u64,
    /// Requests that were open when the load was over.
    pub open_at_load_end: u64,
    /// What ended the load.
    pub ended: Ended,
    /// Users that came, without those that took another's seat.
    pub users_came: u64,
    /// Users that left because a step had failed, while the load lasted.
    pub users_left: u64,
    /// Requests that had to wait in line for a connection.
    pub waited_in_line: u64,
    /// Turns that found the completion queue overflowed.
    pub overflows: u64,
    /// What became of an open load's arrivals.
    pub arrivals: Option<ArrivalCounts>,
    /// By kind of user; empty when no shard has figures.
    pub kinds: Vec<KindUse>,
    /// Variables of the first user when the run ended.
    pub first_values: Vec<u8>,
    /// Shards that a panic ended, and with them the run.
    pub deaths: Vec<Death>,
}

/// A shard that a panic ended: a defect of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// Its number, from 0.
    pub shard: usize,
    /// The panic's message.
    pub reason: String,
    /// Its counts until then are in the run's figures, and its open requests are cut off. Otherwise the totals are those
    /// of the other shards, and only the series has what it handed over each second.
    pub has_figures: bool,
}

/// Runs the plan: builds every shard on its own thread, starts them together, collects a sample each second, and adds up
/// their outcomes. `on_second` is called on the calling thread for each second of the run.
///
/// # Errors
/// A shard's thread or driver cannot be created (limits of the machine). Failures of the load are data, not errors.
pub fn run(plan: &Plan, setup: &Setup, control: &Control, on_second: OnSecond<'_>) -> Result<Run> {
    // Decided here, once: a shard of plain HTTP contains nothing of TLS.
    match (setup.backend, &setup.clients()) {
        (Backend::Epoll, None) => run_on(plan, setup, control, on_second, &Epoll::new),
        (Backend::Uring | Backend::Auto, None) => {
            run_on(plan, setup, control, on_second, &new_uring)
        }
        (Backend::Epoll, Some(clients)) => {
            run_on(plan, setup, control, on_second, &|config, clock| {
                Tls::over_targets(config, clients, |config| Epoll::new(config, clock))
            })
        }
        (Backend::Uring | Backend::Auto, Some(clients)) => {
            run_on(plan, setup, control, on_second, &|config, clock| {
                Tls::over_targets(config, clients, |config| new_uring(config, clock))
            })
        }
    }
}

fn new_uring(config: &DriverConfig, clock: Clock) -> io::Result<Uring> {
    Uring::new(config, clock, Features::ALL)
}

/// The same over drivers that the caller builds, one on each shard's thread, whatever backend the setup names: benchmarks
/// measure with it what shards cost each other, without a kernel between them.
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
        let started_at = match gate.wait() {
            Some(start) => SystemTime::UNIX_EPOCH + Duration::from_nanos(start.wall_ns),
            None => SystemTime::now(),
        };
        let load_from_ns = || match plan.load.arrivals() {
            None => Some(0),
            Some(_) => control.arrivals_after_ns(),
        };
        let now_ns = || gate.since_start_ns();
        let mut observer = Observer {
            started_at,
            load_from_ns: &load_from_ns,
            now_ns: &now_ns,
            on_second,
        };
        let series = collector.collect(&mut observer);
        let mut finished = Vec::new();
        let mut refused = None;
        for thread in threads {
            match thread.join() {
                Ok(Ok(Some(shard))) => finished.push(shard),
                // Another shard has the error.
                Ok(Ok(None)) => {}
                Ok(Err(error)) => refused = refused.or(Some(error)),
                Err(panic) => {
                    let message = panic_message(&*panic);
                    refused =
                        refused.or_else(|| Some(anyhow!("a shard's thread panicked: {message}")));
                }
            }
        }
        match refused {
            Some(error) => Err(error),
            None => Ok(add_up(plan, series, finished, started_at)),
        }
    })
}

fn no_thread(index: usize, shards: usize, error: &io::Error) -> anyhow::Error {
    anyhow!(
        "no thread could be started for shard {} of {shards} ({error}); raise the limit on processes and threads \
         (ulimit -u, TasksMax= of a service, --pids-limit of a container), or give fewer --shards",
        index + 1
    )
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
        shards.push(ShardUse::new(
            &outcomes,
            shard.core,
            shard.cpu,
            shard.waited_ns,
        ));
        match &mut sum {
            None => sum = Some(outcomes),
            Some(sum) => *sum += outcomes,
        }
    }
    let scenario = &plan.scenario;
    let none = || Outcomes::none(scenario.metrics.len(), scenario.spans.len());
    let sum = sum.unwrap_or_else(none);
    let (counts, _) = sum.recorder.into_parts();
    Run {
        summary: Summary { counts, series },
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
        kinds: sum.kinds,
        first_values: sum.first_values,
        deaths,
    }
}
