//! A record with fewer and longer samples: smaller, and with the same totals. Neighbours are joined by adding their
//! histograms, so that percentiles stay those of all their requests.

use crate::analysis::seconds::judge_seconds;
use crate::metrics::latencies::Latencies;

use super::distribution::times;
use super::joining::{StepSum, by_verdict, judged, worst_causes};
use super::schema::{Record, SampleRecord};

/// Samples further apart than this are of two runs, in seconds.
const PAUSE_S_MIN: f64 = 0.5;

/// The record with so many neighbouring samples joined; those of settling time, load and drain, and those of two runs,
/// are never joined. Runs inside become as coarse.
///
/// # Errors
/// When the record was changed by hand and a histogram of its series cannot be read.
pub fn with_longer_samples(record: &Record, neighbours: usize) -> Result<Record, String> {
    let is_next = |one: &SampleRecord, next: &SampleRecord| {
        let pause_s = next.t_s - next.length_s - one.t_s;
        (one.is_drain, one.is_settling) == (next.is_drain, next.is_settling)
            && pause_s < PAUSE_S_MIN
    };
    let same_phase = record.series.chunk_by(is_next);
    let groups = same_phase.flat_map(|phase| phase.chunks(neighbours.max(1)));
    Ok(Record {
        series: groups.map(joined).collect::<Result<_, _>>()?,
        runs: record
            .runs
            .iter()
            .map(|run| with_longer_samples(run, neighbours))
            .collect::<Result<_, _>>()?,
        ..record.clone()
    })
}

fn joined(samples: &[SampleRecord]) -> Result<SampleRecord, String> {
    let (first, last) = match samples {
        [only] => return Ok(only.clone()),
        [first, .., last] => (first, last),
        [] => return Err("no sample to join".into()),
    };
    let length_s: f64 = samples.iter().map(|sample| sample.length_s).sum();
    // The mean over time of what is a rate or a share of each sample.
    let mean = |of: fn(&SampleRecord) -> f64| {
        let sum: f64 = samples
            .iter()
            .map(|sample| of(sample) * sample.length_s)
            .sum();
        sum / length_s.max(f64::MIN_POSITIVE)
    };
    let greatest = |of: fn(&SampleRecord) -> f64| samples.iter().map(of).fold(0.0, f64::max);
    let mut all = Latencies::default();
    let mut steps = Vec::new();
    for at in 0..first.steps.len() {
        let parts = samples.iter().filter_map(|sample| sample.steps.get(at));
        let mut sum = StepSum::default();
        for part in parts {
            sum.add(part)?;
        }
        all += &sum.response;
        steps.push(sum.record());
    }
    let response = times(&all);
    let seconds = judged(samples.iter());
    Ok(SampleRecord {
        length_s,
        rps: mean(|sample| sample.rps),
        failures_per_s: mean(|sample| sample.failures_per_s),
        p50_us: response.p50,
        p95_us: response.p95,
        p99_us: response.p99,
        max_us: response.max,
        busy: mean(|sample| sample.busy),
        core_waited: greatest(|sample| sample.core_waited),
        turn_us_max: greatest(|sample| sample.turn_us_max),
        stopped_us_max: greatest(|sample| sample.stopped_us_max),
        late: sum(samples.iter().map(|sample| sample.late)),
        verdict: judge_seconds(&seconds).name().into(),
        seconds: by_verdict(&seconds),
        causes: worst_causes(samples.iter()),
        steps,
        ..last.clone()
    })
}

/// A record that was changed by hand may hold counts whose sum is too large.
fn sum(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}
