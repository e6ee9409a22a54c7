//! What the screen knows of the run: the seconds of the last minute, the whole run in stretches that grow with it, the
//! whole ticks of the last ten seconds, and when each kind of failure was seen. Memory does not grow with the run. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::analysis::seconds::judge_seconds;
use crate::metrics::interval::StepInterval;
use crate::metrics::outcome::{Failure, Failures};
use crate::metrics::seconds::{Seconds, Status};
use crate::metrics::tick::Tick;

/// Seconds of the short charts, which show each of them.
pub const SHORT_S: usize = 60;
/// Stretches that the charts of the whole run have at most. With more, each two become one.
const STRETCHES_MAX: usize = 600;
/// Ticks that "the last 10 s" covers.
pub const WINDOW_TICKS: usize = 10;

/// One second, or several that were joined, as the charts need it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// Its end, in seconds since the start.
    pub end_s: f64,
    /// Its length in seconds, without those that the screen missed.
    pub length_s: f64,
    /// Requests with an outcome, per second.
    pub per_s: f64,
    /// Failures per second.
    pub failures_per_s: f64,
    /// p50, p95 and p99 of the response times in microseconds, each the highest of its seconds; `None` without an
    /// answer.
    pub percentiles_us: Option<[f64; 3]>,
}

impl Moment {
    /// Joins the moment that follows: rates are those of both together, percentiles the higher ones, so that a slow
    /// second stays visible in an hour.
    fn join(&mut self, next: &Self) {
        let length_s = self.length_s + next.length_s;
        let mean = |a: f64, b: f64| (a * self.length_s + b * next.length_s) / length_s.max(1e-9);
        let percentiles_us = match (self.percentiles_us, next.percentiles_us) {
            (Some(a), Some(b)) => Some(std::array::from_fn(|nth| a[nth].max(b[nth]))),
            (a, b) => a.or(b),
        };
        *self = Self {
            end_s: next.end_s,
            length_s,
            per_s: mean(self.per_s, next.per_s),
            failures_per_s: mean(self.failures_per_s, next.failures_per_s),
            percentiles_us,
        };
    }
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
#[derive(Clone, Debug)]
pub struct History {
    /// The last minute.
    recent: VecDeque<Moment>,
    /// The run from its start.
    whole: Vec<Moment>,
    /// Seconds of a stretch of `whole`; the last one may not be complete yet.
    stretch_s: f64,
    window: VecDeque<Arc<Tick>>,
    seen: [Option<SeenAt>; Failure::ALL.len()],
    before: Failures,
}

impl Default for History {
    fn default() -> Self {
        Self {
            recent: VecDeque::new(),
            whole: Vec::new(),
            stretch_s: 1.0,
            window: VecDeque::new(),
            seen: Default::default(),
            before: Failures::default(),
        }
    }
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
        let moment = moment(&tick);
        if self.recent.len() == SHORT_S {
            self.recent.pop_front();
        }
        self.recent.push_back(moment);
        self.join_or_push(moment);
        if self.window.len() == WINDOW_TICKS {
            self.window.pop_front();
        }
        self.window.push_back(tick);
    }

    /// The last tick.
    pub fn last(&self) -> Option<&Tick> {
        self.window.back().map(|tick| &**tick)
    }

    /// Takes a second into the stretches of the whole run.
    fn join_or_push(&mut self, moment: Moment) {
        // Where the stretch ends in which a time lies. A second that ends at its end belongs to it.
        let stretch = |end_s: f64, stretch_s: f64| ((end_s - 1e-6) / stretch_s).floor();
        let is_in = |last: &Moment, s: f64| stretch(last.end_s, s) == stretch(moment.end_s, s);
        match self.whole.last_mut() {
            Some(last) if self.stretch_s > 1.0 && is_in(last, self.stretch_s) => last.join(&moment),
            _ => self.whole.push(moment),
        }
        if self.whole.len() <= STRETCHES_MAX {
            return;
        }
        self.stretch_s *= 2.0;
        let mut joined: Vec<Moment> = Vec::with_capacity(STRETCHES_MAX + 1);
        for next in self.whole.drain(..) {
            let stretch_of = |end_s| stretch(end_s, self.stretch_s);
            match joined.last_mut() {
                Some(last) if stretch_of(last.end_s) == stretch_of(next.end_s) => last.join(&next),
                _ => joined.push(next),
            }
        }
        self.whole = joined;
    }

    /// The last second.
    pub fn last_second(&self) -> Option<&Moment> {
        self.recent.back()
    }

    /// The seconds of the last minute, in order.
    pub fn recent(&self) -> impl Iterator<Item = &Moment> {
        self.recent.iter()
    }

    /// The whole run, in order: seconds, or stretches of several.
    pub fn whole(&self) -> impl Iterator<Item = &Moment> {
        self.whole.iter()
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
        length_s,
        per_s: all.requests as f64 / length_s,
        failures_per_s: all.failures as f64 / length_s,
        percentiles_us,
    }
}
