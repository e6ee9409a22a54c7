//! What the page knows of the run: a line of figures for each second, the run over time, when each kind of failure was
//! seen, and the last tick. Memory does not grow with the run. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::json;

use crate::metrics::interval::{ArrivalsSoFar, Interval};
use crate::metrics::outcome::Failure;
use crate::metrics::seconds::Status;
use crate::metrics::series::Series;
use crate::metrics::tick::Tick;
use crate::record::schema::Record;
use crate::record::so_far::{Begun, Seen, SoFar};

/// Seconds that readers who come late, or come back, are told of.
const SECONDS_MAX: usize = 3_600;
/// Samples of the run over time: a drawing of them takes milliseconds however long the run is.
const SAMPLES_MAX: usize = 300;
/// Memory for these samples, in bytes.
const SAMPLES_BYTES_MAX: usize = 2 << 20;

/// The run as far as the page has read it.
#[derive(Debug)]
pub struct History {
    seconds: VecDeque<(u64, String)>,
    series: Series,
    seen: Vec<Seen>,
    users_most: u64,
    shards_working_ns: Vec<u64>,
    last: Option<Arc<Tick>>,
}

impl Default for History {
    fn default() -> Self {
        Self {
            seconds: VecDeque::new(),
            series: Series::bounded(SAMPLES_MAX, SAMPLES_BYTES_MAX),
            seen: Vec::new(),
            users_most: 0,
            shards_working_ns: Vec::new(),
            last: None,
        }
    }
}

impl History {
    /// Takes the next tick. Of ticks that were missed, the sums since the start still know.
    pub fn push(&mut self, tick: Arc<Tick>) {
        self.note_failures(&tick);
        self.users_most = self.users_most.max(tick.second.users);
        let working = &tick.second.shards_working_ns;
        self.shards_working_ns.resize(working.len(), 0);
        for (sum, more) in self.shards_working_ns.iter_mut().zip(working) {
            *sum += more;
        }
        match self.last.as_deref() {
            Some(last) if last.number + 1 < tick.number => {
                self.series.push(tick.end_ns, &since(last, &tick));
            }
            _ => self.series.push(tick.end_ns, &tick.second),
        }
        if self.seconds.len() == SECONDS_MAX {
            self.seconds.pop_front();
        }
        self.seconds.push_back((tick.number, line(&tick)));
        self.last = Some(tick);
    }

    fn note_failures(&mut self, tick: &Tick) {
        let end_s = tick.end_ns as f64 / 1e9;
        for (step, second) in tick.second.steps.iter().enumerate() {
            if second.failures == 0 {
                continue;
            }
            for kind in Failure::ALL {
                if second.kinds[kind] == 0 {
                    continue;
                }
                let mut known = self.seen.iter_mut();
                match known.find(|seen| seen.step == step && seen.kind == kind) {
                    Some(seen) => seen.last_s = end_s,
                    None => self.seen.push(Seen {
                        step,
                        kind,
                        first_s: end_s,
                        last_s: end_s,
                    }),
                }
            }
        }
    }

    /// The last tick.
    pub fn last(&self) -> Option<&Arc<Tick>> {
        self.last.as_ref()
    }

    /// The seconds after a number as a JSON array, and the number of the last one; `None` when there are none.
    pub fn seconds_after(&self, number: u64) -> Option<(u64, String)> {
        let newer = self.seconds.iter().rev();
        let newer: Vec<&str> = newer
            .take_while(|(other, _)| *other > number)
            .map(|(_, line)| line.as_str())
            .collect();
        let (last, _) = self.seconds.back().filter(|_| !newer.is_empty())?;
        let lines: Vec<&str> = newer.into_iter().rev().collect();
        Some((*last, format!("[{}]", lines.join(","))))
    }

    /// The record of the run so far.
    pub fn record(&self, begun: &Begun) -> Record {
        let Some(tick) = &self.last else {
            return begun.record(&NOTHING);
        };
        let mut steps = tick.so_far.clone();
        for (sum, second) in steps.iter_mut().zip(&tick.second.steps) {
            sum.open = second.open.clone();
        }
        let run_ns = tick.end_ns.max(1) as f64;
        let busy = self.shards_working_ns.iter();
        let busy: Vec<f64> = busy
            .map(|working_ns| (*working_ns as f64 / run_ns).min(1.0))
            .collect();
        // A kind that only a missed second had is in the sums: the present moment stands for it.
        let mut seen = self.seen.clone();
        for (step, sum) in steps.iter().enumerate() {
            for (kind, _) in sum.kinds.by_count() {
                if !seen.iter().any(|it| it.step == step && it.kind == kind) {
                    let at_s = tick.end_ns as f64 / 1e9;
                    seen.push(Seen {
                        step,
                        kind,
                        first_s: at_s,
                        last_s: at_s,
                    });
                }
            }
        }
        begun.record(&SoFar {
            end_ns: tick.end_ns,
            load_from_ns: tick.load_from_ns,
            in_flight: tick.second.in_flight,
            users_by_kind: &tick.second.users_by_kind,
            users_most: self.users_most,
            arrivals: tick.second.arrivals,
            steps: &steps,
            seen: &seen,
            samples: &self.series.samples(),
            shards_busy: &busy,
            verdict: tick.verdict,
        })
    }
}

/// A second with the counts of those that were missed before it; their times are lost to the charts.
fn since(last: &Tick, tick: &Tick) -> Interval {
    let mut sum = tick.second.clone();
    let steps = sum.steps.iter_mut().zip(&last.so_far).zip(&tick.so_far);
    for ((step, before), now) in steps {
        step.requests = now.requests - before.requests;
        step.failures = now.failures - before.failures;
        step.answers = now.answers - before.answers;
        step.body_bytes = now.body_bytes - before.body_bytes;
    }
    sum
}

/// A run without a second.
const NOTHING: SoFar<'_> = SoFar {
    end_ns: 0,
    load_from_ns: None,
    in_flight: 0,
    users_by_kind: &[],
    users_most: 0,
    arrivals: ArrivalsSoFar {
        due: 0,
        begun: 0,
        dropped: 0,
        waiting: 0,
        under_way: 0,
    },
    steps: &[],
    seen: &[],
    samples: &[],
    shards_busy: &[],
    verdict: Status::Valid,
};

/// A second in figures: times in seconds and microseconds, rates per second.
fn line(tick: &Tick) -> String {
    let all = tick.second.all();
    let length_s = ((tick.end_ns - tick.begin_ns) as f64 / 1e9).max(1e-9);
    let percentile_us = |percent| match all.response.is_empty() {
        true => None,
        false => Some(all.response.percentile_us(percent)),
    };
    let max_us = (!all.response.is_empty()).then(|| all.response.max_us());
    json!({
        "number": tick.number,
        "t_s": tick.end_ns as f64 / 1e9,
        "is_drain": tick.second.is_drain,
        "users": tick.second.users,
        "in_flight": tick.second.in_flight,
        "rps": all.requests as f64 / length_s,
        "failures_per_s": all.failures as f64 / length_s,
        "p50_us": percentile_us(50.0),
        "p95_us": percentile_us(95.0),
        "p99_us": percentile_us(99.0),
        "max_us": max_us,
        "verdict": tick.verdict.name(),
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::outcome::Failures;

    fn tick(number: u64) -> Arc<Tick> {
        Arc::new(Tick {
            number,
            begin_ns: (number - 1) * 1_000_000_000,
            end_ns: number * 1_000_000_000,
            load_from_ns: Some(0),
            second: Interval::new(1),
            so_far: Interval::new(1).steps,
            failures: Failures::default(),
            level: None,
            verdict: Status::Valid,
        })
    }

    #[test]
    fn a_reader_that_comes_back_is_told_the_seconds_that_it_missed() {
        let mut history = History::default();
        assert_eq!(history.seconds_after(0), None);
        (1..=5).for_each(|number| history.push(tick(number)));
        let numbers = |after| {
            let (last, text) = history.seconds_after(after).expect("newer ones");
            let lines: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
            let numbers = lines.iter().map(|line| line["number"].as_u64());
            (last, numbers.map(Option::unwrap).collect::<Vec<_>>())
        };
        assert_eq!(numbers(0), (5, vec![1, 2, 3, 4, 5]));
        assert_eq!(numbers(3), (5, vec![4, 5]));
        assert_eq!(history.seconds_after(5), None);
    }

    #[test]
    fn memory_does_not_grow_with_the_run() {
        let mut history = History::default();
        (1..=SECONDS_MAX as u64 + 50).for_each(|number| history.push(tick(number)));
        assert_eq!(history.seconds.len(), SECONDS_MAX);
        assert!(history.series.samples().len() <= SAMPLES_MAX);
        let (last, text) = history.seconds_after(0).expect("seconds");
        assert_eq!(last, SECONDS_MAX as u64 + 50);
        assert!(text.starts_with(r#"[{"number":51,"#), "{}", &text[..40]);
    }
}
