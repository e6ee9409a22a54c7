//! Ticks -> the rows of a report. A tick has the sums since the start of its session, so a tick that was missed loses
//! nothing but the second that its requests are shown in.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::metrics::interval::StepInterval;
use crate::metrics::latencies::Latencies;
use crate::metrics::tick::Tick;

use super::message::{ErrorRow, Report, Row};

/// What one session has measured, and what of it was reported.
#[derive(Default)]
pub struct Figures {
    /// Method and name by metric.
    names: Vec<(String, String)>,
    latest: Option<Arc<Tick>>,
    /// The sums of the last report.
    reported: Vec<StepInterval>,
    /// By metric: requests and failures by second of the Unix epoch, since the last report.
    by_second: Vec<BTreeMap<u64, (u64, u64)>>,
    /// The session's start in seconds of the Unix epoch, by the first tick.
    started_s: Option<f64>,
    /// End of the last second that was reported.
    from_s: Option<f64>,
}

impl Figures {
    /// Nothing measured yet, under these methods and names.
    pub fn new(names: Vec<(String, String)>) -> Self {
        Self {
            by_second: vec![BTreeMap::new(); names.len()],
            reported: vec![StepInterval::default(); names.len()],
            names,
            ..Self::default()
        }
    }

    /// Takes a tick that was read at a moment, in seconds of the Unix epoch.
    pub fn on_tick(&mut self, tick: &Arc<Tick>, now_s: f64) {
        let started_s = *self
            .started_s
            .get_or_insert(now_s - tick.end_ns as f64 / 1e9);
        let second = (started_s + tick.begin_ns as f64 / 1e9) as u64;
        let before = self.latest.as_ref().map(|tick| tick.so_far.as_slice());
        for (index, seconds) in self.by_second.iter_mut().enumerate() {
            let sum = |steps: &[StepInterval]| {
                let step = steps.get(index);
                step.map_or((0, 0), |step| (step.requests, step.failures))
            };
            let (requests, failures) = sum(&tick.so_far);
            let (requests_before, failures_before) = before.map_or((0, 0), sum);
            if requests > requests_before {
                let counts = seconds.entry(second).or_default();
                counts.0 += requests - requests_before;
                counts.1 += failures.saturating_sub(failures_before);
            }
        }
        self.latest = Some(tick.clone());
    }

    /// Users present at the end of the last second.
    pub fn users(&self) -> u64 {
        self.latest.as_ref().map_or(0, |tick| tick.second.users)
    }

    /// How much of the last second the busiest thread worked, in %.
    pub fn cpu_percent(&self) -> f64 {
        self.latest.as_ref().map_or(0.0, |tick| {
            let length_ns = tick.end_ns.saturating_sub(tick.begin_ns).max(1);
            100.0 * tick.second.working_ns as f64 / length_ns as f64
        })
    }

    /// Puts everything since the last report into this one.
    pub fn report_into(&mut self, report: &mut Report) {
        let (Some(tick), Some(started_s)) = (self.latest.clone(), self.started_s) else {
            return;
        };
        let from_s = self.from_s.unwrap_or(started_s);
        let until_s = started_s + tick.end_ns as f64 / 1e9;
        for (index, (method, name)) in self.names.iter().enumerate() {
            let (now, before) = (&tick.so_far[index], &self.reported[index]);
            if now.requests == before.requests {
                continue;
            }
            let mut row = row(now, before);
            row.method.clone_from(method);
            row.name.clone_from(name);
            row.start_s = from_s;
            row.last_s = Some(until_s);
            let seconds = std::mem::take(&mut self.by_second[index]);
            for (second, (requests, failures)) in seconds {
                row.by_second.push((second, requests));
                if failures > 0 {
                    row.failures_by_second.push((second, failures));
                }
            }
            report.total.add(&row);
            report.rows.push(row);
            for (kind, count) in now.failures_by_kind.by_count() {
                let occurrences = count - before.failures_by_kind[kind];
                if occurrences > 0 {
                    report.errors.push(ErrorRow {
                        name: name.clone(),
                        method: method.clone(),
                        error: kind.name().to_owned(),
                        occurrences,
                    });
                }
            }
        }
        self.from_s = Some(until_s);
        self.reported.clone_from(&tick.so_far);
    }
}

impl Row {
    /// An empty total, which counts since a moment in seconds of the Unix epoch.
    pub fn total(start_s: f64) -> Self {
        Self {
            name: "Aggregated".into(),
            start_s,
            ..Self::default()
        }
    }

    /// Adds another row's requests to this total.
    fn add(&mut self, row: &Self) {
        self.requests += row.requests;
        self.failures += row.failures;
        self.total_ms += row.total_ms;
        self.max_ms = self.max_ms.max(row.max_ms);
        let least = [self.min_ms, row.min_ms].into_iter().flatten();
        self.min_ms = least.reduce(f64::min);
        self.body_bytes += row.body_bytes;
        self.start_s = self.start_s.min(row.start_s);
        let last = [self.last_s, row.last_s].into_iter().flatten();
        self.last_s = last.reduce(f64::max);
        add_by_key(&mut self.times, &row.times);
        add_by_key(&mut self.by_second, &row.by_second);
        add_by_key(&mut self.failures_by_second, &row.failures_by_second);
    }
}

/// Adds counts to others; both are in ascending order of their keys.
fn add_by_key<K: Copy + PartialOrd>(sum: &mut Vec<(K, u64)>, more: &[(K, u64)]) {
    for &(key, count) in more {
        let at = sum.partition_point(|(known, _)| *known < key);
        match sum.get_mut(at) {
            Some((known, all)) if *known == key => *all += count,
            _ => sum.insert(at, (key, count)),
        }
    }
}

/// What has come since an earlier sum, without its names and times of day.
fn row(now: &StepInterval, before: &StepInterval) -> Row {
    let (sum_ns, min_ns, max_ns) = now.response.exact_ns();
    let (sum_before_ns, ..) = before.response.exact_ns();
    Row {
        requests: now.requests - before.requests,
        failures: now.failures - before.failures,
        total_ms: (sum_ns - sum_before_ns) as f64 / 1e6,
        // Those since the session's start: the master keeps the greatest and the least that it is told.
        max_ms: max_ns as f64 / 1e6,
        min_ms: (min_ns != u64::MAX).then_some(min_ns as f64 / 1e6),
        body_bytes: now.body_bytes - before.body_bytes,
        times: times(&now.response, &before.response),
        ..Row::default()
    }
}

/// The times that one histogram has beyond an earlier one, rounded for the master.
fn times(now: &Latencies, before: &Latencies) -> Vec<(f64, u64)> {
    let mut earlier = before.counts_us().peekable();
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    for (us, count) in now.counts_us() {
        while earlier.next_if(|(at, _)| *at < us).is_some() {}
        let known = earlier.next_if(|(at, _)| *at == us);
        let count = count - known.map_or(0, |(_, count)| count);
        if count > 0 {
            *counts.entry(rounded_us(us)).or_default() += count;
        }
    }
    let counts = counts.into_iter();
    counts.map(|(us, count)| (us as f64 / 1e3, count)).collect()
}

/// A time as the master is told it: within 1 %, so that its tables have at most 175 keys for each power of ten, and
/// copy and sort them each second at little cost. Locust's own workers round a time below 100 ms to whole milliseconds. The
/// record of the worker has three digits.
fn rounded_us(us: u64) -> u64 {
    let magnitude = 10_u64.pow(us.max(1).ilog10().saturating_sub(2));
    let step = magnitude
        * match us / magnitude {
            0..100 => 1,
            100..200 => 2,
            200..500 => 4,
            _ => 10,
        };
    (us + step / 2) / step * step
}

#[cfg(test)]
mod tests;
