//! A run that lasts -> a record of what is known of it, for those who watch it. What only the end tells is absent: its
//! distribution is empty, its text is empty, its count is 0.

use crate::metrics::interval::{ArrivalsSoFar, StepInterval};
use crate::metrics::latencies::Latencies;
use crate::metrics::outcome::Failure;
use crate::metrics::seconds::Status;
use crate::metrics::summary::Sample;
use crate::scenario::model::MetricLabel;

use super::bounds;
use super::bounds::StepSeconds;
use super::build::sample_record;
use super::distribution::{packed, times};
use super::schema::{
    ErrorRecord, Generator, GeneratorHistograms, Histograms, KindRecord, PollRecord, Record,
    RunInfo, SCHEMA, ShardRecord, StepRecord, Times, Totals, VerdictRecord,
};

/// Name of the end of a load that has not ended.
pub const RUNNING: &str = "running";

const NOT_ENDED: &str = "the run has not ended: these are its figures so far";

/// What is known of a run before its first request.
#[derive(Clone, Debug)]
pub struct Begun {
    /// What is done, on what. It is ended by [`RUNNING`].
    pub run: RunInfo,
    /// By metric.
    pub labels: Vec<MetricLabel>,
    /// The kinds of users, with nothing counted; empty where there is only one.
    pub kinds: Vec<KindRecord>,
    /// The core of each shard; `None` when it is not pinned.
    pub cores: Vec<Option<usize>>,
}

/// When a kind of failure of a step was seen, in seconds since the start, to the second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// Index of the metric.
    pub step: usize,
    /// The kind.
    pub kind: Failure,
    /// End of the first second with it.
    pub first_s: f64,
    /// End of the last second with it.
    pub last_s: f64,
}

/// What was measured until now.
#[derive(Clone, Copy, Debug)]
pub struct SoFar<'s> {
    /// The present moment, in nanoseconds since the start.
    pub end_ns: u64,
    /// When the load began, in nanoseconds since the start; `None` before that is known.
    pub load_from_ns: Option<u64>,
    /// Requests under way.
    pub in_flight: u64,
    /// Users present, by kind; empty where there is only one.
    pub users_by_kind: &'s [u64],
    /// Most users that were present at the end of a second.
    pub users_most: u64,
    /// Arrivals of an open load.
    pub arrivals: ArrivalsSoFar,
    /// Sums since the start, by metric; the ages of open requests are the present ones.
    pub steps: &'s [StepInterval],
    /// Kinds of failure that have occurred.
    pub seen: &'s [Seen],
    /// The run over time.
    pub samples: &'s [Sample],
    /// Share of the time in which each shard worked, 0 to 1.
    pub shards_busy: &'s [f64],
    /// The verdict.
    pub verdict: Status,
}

impl Begun {
    /// What the users of each kind have done: the sums of their steps.
    fn kinds_record(&self, so_far: &SoFar<'_>, load_s: f64) -> Vec<KindRecord> {
        let kinds = self.kinds.iter().zip(so_far.users_by_kind);
        let record = |(kind, present): (&KindRecord, &u64)| {
            let is_own = |at: &usize| {
                let label = &self.labels[*at];
                kind.steps
                    .contains(&format!("{} {}", label.method, label.name))
            };
            let own: Vec<usize> = (0..self.labels.len()).filter(is_own).collect();
            let mut sum = StepInterval::default();
            let steps = own.iter().filter_map(|at| so_far.steps.get(*at));
            steps.for_each(|step| sum += step);
            let (rps, _) = in_load(so_far, load_s, |sample| {
                let of = |at: &usize| (sample.steps[*at].requests, sample.steps[*at].failures);
                own.iter()
                    .map(of)
                    .fold((0, 0), |sum, more| (sum.0 + more.0, sum.1 + more.1))
            });
            KindRecord {
                present: Some(*present),
                requests: sum.requests,
                failures: sum.failures,
                rps,
                bound_from_us: bound_us(&sum),
                response_us: response_us(&sum),
                all_us: times(&sum.response),
                ..kind.clone()
            }
        };
        kinds.map(record).collect()
    }

    /// The record of the run so far.
    pub fn record(&self, so_far: &SoFar<'_>) -> Record {
        let (load_s, drain_s) = lengths_s(so_far);
        let labelled = self.labels.iter().zip(so_far.steps).enumerate();
        let steps: Vec<StepRecord> = labelled
            .clone()
            .map(|(at, (label, step))| {
                let in_load = in_load(so_far, load_s, |sample| {
                    let step = &sample.steps[at];
                    (step.requests, step.failures)
                });
                step_record(label, step, in_load)
            })
            .collect();
        let polls = labelled.filter(|(_, (label, _))| label.is_poll);
        let mut record = Record {
            schema: SCHEMA.into(),
            run: self.run_info(so_far),
            // Whether it passes is known at its end.
            passed: false,
            exit_code: 0,
            reasons: vec![NOT_ENDED.into()],
            slice: None,
            warm_up: None,
            totals: Totals {
                load_s,
                duration_s: load_s,
                drain_s,
                ..totals(so_far, load_s)
            },
            steps,
            polls: polls
                .map(|(_, (label, step))| PollRecord {
                    name: label.name.clone(),
                    ready: step.polls_ready,
                    gave_up: step.polls_gave_up,
                    attempts: step.requests,
                    ..PollRecord::default()
                })
                .collect(),
            spans: Vec::new(),
            errors: self.errors(so_far),
            generator: self.generator(so_far),
            tls: None,
            kinds: self.kinds_record(so_far, load_s),
            setup: None,
            teardown: None,
            rules: Vec::new(),
            until: Vec::new(),
            search: None,
            stand_in: None,
            watched: Vec::new(),
            series: so_far.samples.iter().map(sample_record).collect(),
            runs: Vec::new(),
            spread: None,
        };
        let of_step = |at: usize| {
            let steps = so_far
                .samples
                .iter()
                .map(|sample| sample.steps[at].unpack());
            let (response, service) = steps.map(|step| (step.response, step.service)).unzip();
            StepSeconds { response, service }
        };
        let seconds: Vec<StepSeconds> = (0..record.steps.len()).map(of_step).collect();
        bounds::put_into(&mut record, &seconds);
        record
    }

    fn run_info(&self, so_far: &SoFar<'_>) -> RunInfo {
        let mut run = self.run.clone();
        run.users_came = so_far.users_most;
        run.ended_by = RUNNING.into();
        if let Some(open) = &mut run.load.open {
            open.from_s = so_far.load_from_ns.map_or(0.0, seconds);
            open.due = so_far.arrivals.due;
            open.begun = so_far.arrivals.begun;
            open.dropped = so_far.arrivals.dropped;
        }
        run
    }

    fn errors(&self, so_far: &SoFar<'_>) -> Vec<ErrorRecord> {
        let errors = so_far.seen.iter().map(|seen| {
            let label = &self.labels[seen.step];
            ErrorRecord {
                method: label.method.clone(),
                name: label.name.clone(),
                kind: seen.kind.name().into(),
                status: None,
                reason: None,
                detail: String::new(),
                hint: None,
                count: so_far.steps[seen.step].kinds[seen.kind],
                first_s: seen.first_s,
                last_s: seen.last_s,
            }
        });
        let mut errors: Vec<ErrorRecord> = errors.collect();
        errors.sort_by_key(|error| std::cmp::Reverse(error.count));
        errors
    }

    fn generator(&self, so_far: &SoFar<'_>) -> Generator {
        let busy = so_far.shards_busy.iter().copied();
        let shards = self.cores.iter().zip(busy.chain(std::iter::repeat(0.0)));
        Generator {
            cpu_user_s: 0.0,
            cpu_system_s: 0.0,
            rss_max_bytes: 0,
            turn_us: Times::default(),
            connect_us: Times::default(),
            screen_cpu_s: None,
            histograms: GeneratorHistograms::default(),
            shards: shards
                .map(|(core, busy)| ShardRecord {
                    core: *core,
                    busy,
                    waited: None,
                })
                .collect(),
            verdict: VerdictRecord {
                status: so_far.verdict.name().into(),
                reasons: Vec::new(),
            },
            calibration: None,
        }
    }
}

/// The load's and the drain's length until now, in seconds.
fn lengths_s(so_far: &SoFar<'_>) -> (f64, f64) {
    let load = so_far.samples.iter().filter(|sample| !sample.is_drain);
    let load_end_ns = load.map(|sample| sample.end_ns).max().unwrap_or(0);
    let from_ns = so_far.load_from_ns.unwrap_or(load_end_ns);
    let drain_ns = so_far.end_ns.saturating_sub(load_end_ns);
    (
        seconds(load_end_ns.saturating_sub(from_ns)),
        seconds(drain_ns),
    )
}

/// Requests and failures per second of the load.
fn in_load(so_far: &SoFar<'_>, load_s: f64, counts: impl Fn(&Sample) -> (u64, u64)) -> (f64, f64) {
    let from_ns = so_far.load_from_ns.unwrap_or(u64::MAX);
    let load = so_far.samples.iter();
    let load = load.filter(|sample| !sample.is_drain && sample.end_ns > from_ns);
    let (requests, failures) = load
        .map(counts)
        .fold((0, 0), |sum, more| (sum.0 + more.0, sum.1 + more.1));
    match load_s > 0.0 {
        true => (requests as f64 / load_s, failures as f64 / load_s),
        false => (0.0, 0.0),
    }
}

fn totals(so_far: &SoFar<'_>, load_s: f64) -> Totals {
    let mut all = StepInterval::default();
    so_far.steps.iter().for_each(|step| all += step);
    let (rps, failures_per_s) = in_load(so_far, load_s, |sample| {
        sample.steps.iter().fold((0, 0), |sum, step| {
            (sum.0 + step.requests, sum.1 + step.failures)
        })
    });
    Totals {
        sent: all.requests + so_far.in_flight,
        requests: all.requests,
        failures: all.failures,
        failure_ratio: match all.requests {
            0 => 0.0,
            requests => all.failures as f64 / requests as f64,
        },
        unanswered: all.kinds[Failure::Unanswered],
        rps,
        failures_per_s,
        bound_from_us: bound_us(&all),
        service_us: times(&all.service),
        response_us: response_us(&all),
        all_us: times(&all.response),
        histograms: histograms(&all),
        ..Totals::default()
    }
}

fn step_record(
    label: &MetricLabel,
    step: &StepInterval,
    (rps, failures_per_s): (f64, f64),
) -> StepRecord {
    StepRecord {
        method: label.method.clone(),
        name: label.name.clone(),
        target: label.target.clone(),
        sent: step.requests + step.open.count(),
        requests: step.requests,
        failures: step.failures,
        unanswered: step.kinds[Failure::Unanswered],
        bound_from_us: bound_us(step),
        rps,
        failures_per_s,
        body_bytes: step.body_bytes,
        service_us: times(&step.service),
        response_us: response_us(step),
        all_us: times(&step.response),
        histograms: histograms(step),
        ..StepRecord::default()
    }
}

/// Response times of requests that did not fail: the seconds have them together with those of failures, so that they are
/// known while nothing fails.
fn response(step: &StepInterval) -> Latencies {
    match step.failures == 0 && step.bound_min_ns.is_none() {
        true => step.response.clone(),
        false => Latencies::default(),
    }
}

fn response_us(step: &StepInterval) -> Times {
    times(&response(step))
}

fn histograms(step: &StepInterval) -> Histograms {
    Histograms {
        service: packed(&step.service),
        response: packed(&response(step)),
        client: packed(&Latencies::default()),
        failures: packed(&Latencies::default()),
    }
}

fn bound_us(step: &StepInterval) -> Option<f64> {
    step.bound_min_ns.map(|ns| ns as f64 / 1e3)
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
