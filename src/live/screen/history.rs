//! What the screen knows of the run: the seconds of the last ten minutes, the whole ticks of the last ten seconds, and
//! when each kind of failure was seen. Memory does not grow with the run. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::analysis::seconds::judge_seconds;
use crate::metrics::interval::StepInterval;
use crate::metrics::outcome::{Failure, Failures};
use crate::metrics::seconds::{Seconds, Status};
use crate::metrics::tick::Tick;

/// Seconds that the charts can show.
pub const SECONDS_MAX: usize = 600;
/// Ticks that "the last 10 s" covers.
pub const WINDOW_TICKS: usize = 10;

/// One second, as the charts need it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// Its end, in seconds since the start.
    pub end_s: f64,
    /// Requests with an outcome, per second.
    pub per_s: f64,
    /// Failures per second.
    pub failures_per_s: f64,
    /// p50, p95 and p99 of the response times in microseconds; `None` without an answer.
    pub percentiles_us: Option<[f64; 3]>,
}

/// When a kind of failure was seen, in seconds since the start, to the second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SeenAt {
    /// End of the first second with it.
    pub first_s: f64,
    /// End of the last second with it.
    pub last_s: f64,
}

/// The run as far as the screen has read it.
#[derive(Clone, Debug, Default)]
pub struct History {
    moments: VecDeque<Moment>,
    window: VecDeque<Arc<Tick>>,
    seen: [Option<SeenAt>; Failure::ALL.len()],
    before: Failures,
}

impl History {
    /// Takes the next tick. Ticks that were missed are missing in the charts; the totals of a tick contain them.
    pub fn push(&mut self, tick: Arc<Tick>) {
        for kind in Failure::ALL {
            if tick.failures[kind] > self.before[kind] {
                let last_s = end_s(&tick);
                let seen = &mut self.seen[kind as usize];
                let first_s = seen.map_or(last_s, |seen| seen.first_s);
                *seen = Some(SeenAt { first_s, last_s });
            }
        }
        self.before = tick.failures;
        if self.moments.len() == SECONDS_MAX {
            self.moments.pop_front();
        }
        self.moments.push_back(moment(&tick));
        if self.window.len() == WINDOW_TICKS {
            self.window.pop_front();
        }
        self.window.push_back(tick);
    }

    /// The last tick.
    pub fn last(&self) -> Option<&Tick> {
        self.window.back().map(|tick| &**tick)
    }

    /// The seconds known, in order.
    pub fn moments(&self) -> impl Iterator<Item = &Moment> {
        self.moments.iter()
    }

    /// When a kind of failure was seen.
    pub fn seen(&self, kind: Failure) -> Option<SeenAt> {
        self.seen[kind as usize]
    }

    /// The steps of the last ten seconds, by metric, and how many seconds they cover.
    pub fn window(&self) -> (Vec<StepInterval>, f64) {
        let steps = self.last().map_or(0, |tick| tick.so_far.len());
        let mut sums = vec![StepInterval::default(); steps];
        let mut length_s = 0.0;
        for tick in &self.window {
            length_s += (tick.end_ns - tick.begin_ns) as f64 / 1e9;
            for (sum, step) in sums.iter_mut().zip(&tick.second.steps) {
                *sum += step;
            }
        }
        (sums, length_s)
    }

    /// The steps since the start, by metric, and how many seconds of load they cover.
    pub fn so_far(&self) -> (Vec<StepInterval>, f64) {
        let Some(tick) = self.last() else {
            return (Vec::new(), 0.0);
        };
        let length_ns = tick.end_ns.saturating_sub(tick.load_from_ns.unwrap_or(0));
        (tick.so_far.clone(), length_ns as f64 / 1e9)
    }

    /// Failures of the last ten seconds, by kind.
    pub fn failures_in_window(&self) -> Failures {
        let mut sum = Failures::default();
        self.window
            .iter()
            .for_each(|tick| sum += &tick.second.failures);
        sum
    }

    /// The verdict on the last ten seconds.
    pub fn window_verdict(&self) -> Status {
        let mut judged = Seconds::default();
        self.window
            .iter()
            .for_each(|tick| judged += &tick.second.judged);
        judge_seconds(&judged)
    }

    /// Iterations that came due per second of an open load, in the last two seconds that were seen.
    pub fn due_per_s(&self) -> Option<f64> {
        let mut newest = self.window.iter().rev();
        let (last, before) = (newest.next()?, newest.next()?);
        let due = last.second.arrivals.due;
        let more = due.checked_sub(before.second.arrivals.due)?;
        let length_s = last.end_ns.saturating_sub(before.end_ns) as f64 / 1e9;
        (due > 0 && length_s > 0.0).then(|| more as f64 / length_s)
    }
}

fn end_s(tick: &Tick) -> f64 {
    tick.end_ns as f64 / 1e9
}

fn moment(tick: &Tick) -> Moment {
    let all = tick.second.all();
    let length_s = ((tick.end_ns - tick.begin_ns) as f64 / 1e9).max(1e-9);
    let percentiles_us = (!all.response.is_empty())
        .then(|| [50.0, 95.0, 99.0].map(|p| all.response.percentile_us(p)));
    Moment {
        end_s: end_s(tick),
        per_s: all.requests as f64 / length_s,
        failures_per_s: all.failures as f64 / length_s,
        percentiles_us,
    }
}
