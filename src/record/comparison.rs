//! Records beside each other: the figures of two runs, or of two sets of runs, and what differs between them. The
//! statistics stand in [`crate::analysis::compare`].

use crate::analysis::compare::{Change, Figure, Kind, RUNS_MIN};
use crate::analysis::confidence::Share;

use super::load_rate;
use super::schema::{PERCENTS, Record, RunInfo, SampleRecord, StepRecord, Times};

/// Histograms keep three digits: both ends of a time's interval are known to so much of their value.
const RESOLUTION: f64 = 0.001;
/// No step has more requests in a sample; in a record that was changed by hand, larger counts are cut to this, so that
/// their sums do not overflow.
const COUNT_MAX: u64 = 1 << 40;
/// Samples in which requests ended, at least, for an interval of their times: what happens within a second is no
/// independent evidence, and start steps happen in the first seconds alone.
const SAMPLES_MIN: usize = 10;

/// What is compared of a step, or of all steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Requests with an outcome per second of the load time.
    Rate,
    /// Share of them that failed, 0 to 1.
    Failures,
    /// Mean of `all_us`, in microseconds.
    Mean,
    /// Median of `all_us`, in microseconds.
    P50,
    /// p95 of `all_us`, in microseconds.
    P95,
    /// p99 of `all_us`, in microseconds.
    P99,
}

impl Measure {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 6] = [
        Self::Rate,
        Self::Failures,
        Self::Mean,
        Self::P50,
        Self::P95,
        Self::P99,
    ];

    /// What kind of figure it is.
    pub fn kind(self) -> Kind {
        match self {
            Self::Rate => Kind::Rate,
            Self::Failures => Kind::Failures,
            Self::Mean | Self::P50 | Self::P95 | Self::P99 => Kind::Time,
        }
    }
}

/// The changes of a step, or of all steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Method and name of the step; `None` for all steps together.
    pub step: Option<(String, String)>,
    /// By measure.
    pub changes: Vec<(Measure, Change)>,
}

/// Two sets of records beside each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// How many runs each side has: base, new.
    pub runs: (usize, usize),
    /// All steps together, then each step that both sides have, in the order of the first record.
    pub groups: Vec<Group>,
    /// Method and name of the steps that only the base has.
    pub only_base: Vec<(String, String)>,
    /// Method and name of the steps that only new has.
    pub only_new: Vec<(String, String)>,
    /// Conditions that are not the same on both sides, as sentences.
    pub differing: Vec<String>,
}

impl Comparison {
    /// Compares one run with one by their intervals, three or more with three or more by their spread. With other numbers
    /// of runs nothing can be said.
    pub fn new(base: &[Record], new: &[Record]) -> Self {
        let (base_steps, new_steps) = (steps(base), steps(new));
        let not_in = |steps: &[(String, String)], others: &[(String, String)]| {
            let only = steps.iter().filter(|step| !others.contains(step));
            only.cloned().collect()
        };
        let shared = base_steps.iter().filter(|step| new_steps.contains(step));
        let groups = [None].into_iter().chain(shared.cloned().map(Some));
        Self {
            runs: (base.len(), new.len()),
            groups: groups.map(|step| group(step, base, new)).collect(),
            only_base: not_in(&base_steps, &new_steps),
            only_new: not_in(&new_steps, &base_steps),
            differing: differing(base, new),
        }
    }

    /// The figures that became worse, certainly and by more than the tolerance (0.05 is 5 %).
    pub fn regressions(&self, tolerance: f64) -> Vec<(&Group, Measure, Change)> {
        let all = self.groups.iter().flat_map(|group| {
            let changes = group.changes.iter();
            changes.map(move |(measure, change)| (group, *measure, *change))
        });
        all.filter(|(.., change)| change.is_regression(tolerance))
            .collect()
    }
}

/// Method and name of each step of these records, once.
fn steps(records: &[Record]) -> Vec<(String, String)> {
    let mut names = Vec::new();
    for step in records.iter().flat_map(|record| &record.steps) {
        let name = (step.method.clone(), step.name.clone());
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn group(step: Option<(String, String)>, base: &[Record], new: &[Record]) -> Group {
    let part = |record| Part::of(record, step.as_ref());
    let base: Vec<Part<'_>> = base.iter().filter_map(part).collect();
    let new: Vec<Part<'_>> = new.iter().filter_map(part).collect();
    let changes = Measure::ALL.map(|measure| {
        let change = match (&base[..], &new[..]) {
            ([base], [new]) => {
                Change::of_single_runs(measure.kind(), base.figure(measure), new.figure(measure))
            }
            _ => {
                let values = |parts: &[Part<'_>]| -> Vec<f64> {
                    let figures = parts.iter().filter_map(|part| part.figure(measure));
                    figures.map(|figure| figure.value).collect()
                };
                Change::of_repeated_runs(measure.kind(), &values(&base), &values(&new))
            }
        };
        (measure, change)
    });
    Group {
        step,
        changes: changes.into(),
    }
}

/// A step of a record, or all its steps together.
struct Part<'r> {
    requests: u64,
    failures: u64,
    rps: f64,
    load_s: f64,
    /// Begin of the load, in seconds since the start.
    load_from_s: f64,
    times: &'r Times,
    bound_from_us: Option<f64>,
    series: &'r [SampleRecord],
    /// Place of the step in the record; `None` for all.
    step: Option<usize>,
}

impl<'r> Part<'r> {
    /// `None` when the record has no such step.
    fn of(record: &'r Record, step: Option<&(String, String)>) -> Option<Self> {
        let totals = &record.totals;
        let series = &record.series;
        let load_from_s = record.run.load.from_s();
        let Some((method, name)) = step else {
            return Some(Self {
                requests: totals.requests,
                failures: totals.failures,
                rps: totals.rps,
                load_s: totals.load_s,
                load_from_s,
                times: &totals.all_us,
                bound_from_us: totals.bound_from_us,
                series,
                step: None,
            });
        };
        let is_it = |step: &StepRecord| step.method == *method && step.name == *name;
        let at = record.steps.iter().position(is_it)?;
        let step = &record.steps[at];
        Some(Self {
            requests: step.requests,
            failures: step.failures,
            rps: step.rps,
            load_s: totals.load_s,
            load_from_s,
            times: &step.all_us,
            bound_from_us: step.bound_from_us,
            series,
            step: Some(at),
        })
    }

    /// The figure with its interval; `None` when there is none.
    fn figure(&self, measure: Measure) -> Option<Figure> {
        match measure {
            Measure::Rate => self.rate(),
            Measure::Failures => self.failure_ratio(),
            Measure::Mean => {
                let bounds = &self.times.bounds;
                // Requests without an answer would have taken longer: the mean has no upper end.
                let high = bounds.mean_high.filter(|_| self.bound_from_us.is_none());
                Some(self.time(self.times.mean?, bounds.mean_low, high))
            }
            Measure::P50 => self.percentile(50.0),
            Measure::P95 => self.percentile(95.0),
            Measure::P99 => self.percentile(99.0),
        }
    }

    fn percentile(&self, percent: f64) -> Option<Figure> {
        let at = PERCENTS.iter().position(|known| *known == percent)?;
        let (low, high) = self.times.bounds.percentiles()[at];
        // Times from this value on are lower bounds.
        let bound_from_us = self.bound_from_us.unwrap_or(f64::INFINITY);
        let high = high.filter(|high| *high < bound_from_us);
        Some(self.time(self.times.percentiles()[at]?, low, high))
    }

    /// A time with its interval, widened by what the histograms do not resolve.
    fn time(&self, value: f64, low: Option<f64>, high: Option<f64>) -> Figure {
        let is_known = self.has_enough_samples();
        let (low, high) = (low.filter(|_| is_known), high.filter(|_| is_known));
        Figure {
            value,
            low: low.map(|low| low * (1.0 - RESOLUTION)),
            high: high.map(|high| high * (1.0 + RESOLUTION)),
        }
    }

    fn has_enough_samples(&self) -> bool {
        let samples = self.series.iter();
        let with_requests = samples.filter(|sample| self.counts(sample).0 > 0);
        with_requests.count() >= SAMPLES_MIN
    }

    /// The rate over the load time; its interval comes from the load's whole seconds, and a request more or less at
    /// each end of the load is no difference.
    fn rate(&self) -> Option<Figure> {
        if self.rps <= 0.0 {
            return None;
        }
        let mean = load_rate::of_load(self.series, self.load_from_s, |sample| {
            self.counts(sample).0
        });
        let one = 1.0 / self.load_s;
        Some(Figure {
            value: self.rps,
            low: mean.map(|mean| mean.low.min(self.rps) - one),
            high: mean.map(|mean| mean.high.max(self.rps) + one),
        })
    }

    fn failure_ratio(&self) -> Option<Figure> {
        if self.requests == 0 {
            return None;
        }
        let seconds: Vec<(u64, u64)> = self
            .series
            .iter()
            .map(|sample| self.counts(sample))
            .collect();
        let value = self.failures as f64 / self.requests as f64;
        let none_or_all = Share::of_none_or_all(self.failures, self.requests);
        let ends = none_or_all.or_else(|| {
            let share = Share::of(&seconds).filter(|_| self.has_enough_samples())?;
            Some((share.low, share.high))
        });
        Some(Figure {
            value,
            low: ends.map(|(low, _)| low.min(value)),
            high: ends.map(|(_, high)| high.max(value)),
        })
    }

    /// Requests and failures of a sample; none in the settling time.
    fn counts(&self, sample: &SampleRecord) -> (u64, u64) {
        if sample.is_settling {
            return (0, 0);
        }
        let steps = sample.steps.iter().enumerate();
        let steps = steps.filter(|(at, _)| self.step.is_none_or(|step| step == *at));
        steps.fold((0, 0), |(requests, failures), (_, step)| {
            let requests_here = step.requests.min(COUNT_MAX);
            let failures_here = step.failures.min(requests_here);
            (requests + requests_here, failures + failures_here)
        })
    }
}

/// What differs besides the program under test.
fn differing(base: &[Record], new: &[Record]) -> Vec<String> {
    type Condition = (&'static str, fn(&RunInfo) -> String);
    fn optional(value: Option<f64>) -> String {
        value.map_or("none".to_owned(), |value| value.to_string())
    }
    let conditions: [Condition; 14] = [
        ("scenario", |run| run.scenario.clone()),
        ("users", |run| run.users.to_string()),
        ("load", |run| run.load.model.clone()),
        ("iterations per second", |run| {
            optional(run.load.open.as_ref().map(|open| open.rate))
        }),
        ("arrivals", |run| {
            let open = run.load.open.as_ref();
            open.map_or(String::new(), |open| open.arrivals.clone())
        }),
        ("stages", |run| {
            let open = run.load.open.as_ref().map(|open| &open.stages);
            format!("{:?} {open:?}", run.load.stages)
        }),
        ("wait", |run| run.load.wait.clone()),
        ("users per second", |run| optional(run.spawn_rate)),
        ("run time in seconds", |run| optional(run.run_time_s)),
        ("connections", |run| run.connections.clone()),
        ("lifetime of connections", |run| {
            run.connection_lifetime.clone().unwrap_or_default()
        }),
        ("requests on a connection", |run| run.pipeline.to_string()),
        ("time limit in seconds", |run| run.timeout_s.to_string()),
        ("generator", |run| {
            let machine = &run.machine;
            format!(
                "{} shards, {}, {} cores, {}",
                run.shards, run.backend, machine.cores, machine.cpu
            )
        }),
    ];
    let values = |records: &[Record], value: fn(&RunInfo) -> String| {
        let mut values: Vec<String> = records.iter().map(|record| value(&record.run)).collect();
        values.sort();
        values.dedup();
        values
    };
    let mut found = Vec::new();
    for (name, value) in conditions {
        let (base, new) = (values(base, value), values(new, value));
        if base == new && base.len() <= 1 {
            continue;
        }
        found.push(match name {
            "stages" => "the stages of the load".to_owned(),
            _ => format!("{name}: {}, then {}", base.join(" or "), new.join(" or ")),
        });
    }
    found
}

/// Whether two sets of so many runs can be compared: one each, or [`RUNS_MIN`] or more each.
pub fn is_comparable(base: usize, new: usize) -> bool {
    (base, new) == (1, 1) || base.min(new) >= RUNS_MIN
}
