//! `_stats_history.csv`: a row per second, or per step and second.

use std::collections::VecDeque;

use anyhow::Result;

use super::cells::{PERCENTILES, ms_or_0, per, percentiles, quoted, rate};
use super::moments;
use super::sums::{Steps, Sum, Sums};
use crate::record::distribution::times;
use crate::record::schema::Record;

/// Length of the sliding window of rates and percentiles, in seconds, as Locust has it.
const WINDOW_S: f64 = 10.0;
const HEAD: &str = "Timestamp,User Count,Type,Name,Requests/s,Failures/s";
const TOTALS_HEAD: &str = "Total Request Count,Total Failure Count,Total Median Response Time,Total Average Response Time,Total Min Response Time,Total Max Response Time,Total Average Content Size";

/// The whole file; `is_full`: with a row per step too.
///
/// # Errors
/// When a histogram of the record or its start was damaged.
pub(super) fn table(record: &Record, is_full: bool) -> Result<String> {
    let mut text = format!("{HEAD},{PERCENTILES},{TOTALS_HEAD}\n");
    let start = moments::start(&record.run.started_at)?;
    let steps = if is_full {
        Steps::Each
    } else {
        Steps::Together
    };
    let mut sums = Sums::default();
    let of_load = record.series.iter().filter(|sample| !sample.is_drain);
    let load_to_s = of_load.map(|sample| sample.t_s).fold(0.0, f64::max);
    let load_from_s = record.run.load.from_s();
    // Samples are unpacked once, and kept as long as they are in the window.
    let mut recent: VecDeque<(f64, Sums)> = VecDeque::new();
    for sample in &record.series {
        let unpacked = Sums::of(sample, steps)?;
        // The totals of the settling time are in no figure of the run; as in Locust, they begin anew behind it.
        if !sample.is_settling {
            sums += &unpacked;
        }
        // Rates are those of the load time. It begins with an open load's first arrival, after its users were made
        // ready; the rows of the drain repeat the rates of the load's last seconds.
        if !sample.is_drain && sample.t_s > load_from_s {
            recent.push_back((sample.t_s, unpacked));
        }
        let from_s = sample.t_s.min(load_to_s) - WINDOW_S;
        while recent.front().is_some_and(|(t_s, _)| *t_s <= from_s) {
            recent.pop_front();
        }
        let mut window = Sums::default();
        for (_, sample) in &recent {
            window += sample;
        }
        let moment = moments::after(start, sample.t_s).unwrap_or(start);
        let mut row = |method: &str, name: &str, total: &Sum, recent: &Sum| {
            let all = times(&total.latencies);
            let cells = [
                moment.as_secs().to_string(),
                sample.users.to_string(),
                quoted(method),
                quoted(name),
                rate(recent.requests, recent.length_s),
                rate(recent.failures, recent.length_s),
                percentiles(&times(&recent.latencies)),
                total.requests.to_string(),
                total.failures.to_string(),
                ms_or_0(all.p50),
                ms_or_0(all.mean),
                ms_or_0(all.min),
                ms_or_0(all.max),
                per(total.body_bytes, total.requests),
            ];
            text += &(cells.join(",") + "\n");
        };
        if is_full {
            let sums = sums.steps.iter().zip(&window.steps);
            for (step, (total, recent)) in record.steps.iter().zip(sums) {
                row(&step.method, &step.name, total, recent);
            }
        }
        row("", "Aggregated", &sums.all, &window.all);
    }
    Ok(text)
}
