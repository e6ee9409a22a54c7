//! `_stats.csv`: a row per step, and the aggregate.

use anyhow::Result;

use super::cells::{PERCENTILES, ms_or_0, per, percentiles, quoted, six_decimals};
use super::sums::{Steps, Sums};
use crate::record::distribution::times;
use crate::record::schema::Record;

const HEAD: &str = "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s";

/// The whole file.
///
/// # Errors
/// When a histogram of the record was damaged.
pub(super) fn table(record: &Record) -> Result<String> {
    let mut text = format!("{HEAD},{PERCENTILES}\n");
    let mut sums = Sums::default();
    for sample in record.series.iter().filter(|sample| !sample.is_settling) {
        sums += &Sums::of(sample, Steps::Together)?;
    }
    let mut requests = 0;
    let mut body_bytes = 0;
    for step in &record.steps {
        requests += step.requests;
        body_bytes += step.body_bytes;
        let row = [
            quoted(&step.method),
            quoted(&step.name),
            step.requests.to_string(),
            step.failures.to_string(),
            ms_or_0(step.all_us.p50),
            ms_or_0(step.all_us.mean),
            ms_or_0(step.all_us.min),
            ms_or_0(step.all_us.max),
            per(step.body_bytes, step.requests),
            six_decimals(step.rps),
            six_decimals(step.failures_per_s),
            percentiles(&step.all_us),
        ];
        text += &(row.join(",") + "\n");
    }
    let all = times(&sums.all.latencies);
    let row = [
        String::new(),
        "Aggregated".into(),
        requests.to_string(),
        record.totals.failures.to_string(),
        ms_or_0(all.p50),
        ms_or_0(all.mean),
        ms_or_0(all.min),
        ms_or_0(all.max),
        per(body_bytes, requests),
        six_decimals(record.totals.rps),
        six_decimals(record.totals.failures_per_s),
        percentiles(&all),
    ];
    Ok(text + &row.join(",") + "\n")
}
