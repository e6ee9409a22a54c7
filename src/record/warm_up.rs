//! Whether the beginning of a run was slower, or faster, than the rest of it, from the seconds of its series. The rule
//! stands in [`warm_up`].

use crate::analysis::warm_up;
use crate::metrics::latencies::Latencies;

use super::distribution::add_sample;
use super::schema::{Record, SampleRecord, WarmUpRecord};

/// A smaller difference between the beginning and the rest is not worth a warning, as a share.
const DIFFERENCE_MIN: f64 = 0.1;
/// A longer stretch without a sample is a pause between runs, in seconds.
const PAUSE_S_MIN: f64 = 0.5;
/// Times of a record are rounded by less than this, in seconds.
const ROUNDING_S: f64 = 1e-6;

/// Looks for a slow beginning. A load whose level changes differs from second to second by intention, and so does a
/// search: `None` for both, for a run too short to tell, and for several runs one after the other, each with its beginning.
pub fn of(record: &Record) -> Option<WarmUpRecord> {
    let load = &record.run.load;
    let has_stages = load
        .open
        .as_ref()
        .map_or(!load.stages.is_empty(), |open| !open.stages.is_empty());
    if record.search.is_some() || has_stages || has_pause(record) {
        return None;
    }
    let load_from_s = load.from_s();
    let is_load = |sample: &&SampleRecord| {
        let begin_s = sample.t_s - sample.length_s;
        !sample.is_drain && !sample.is_settling && begin_s >= load_from_s - ROUNDING_S
    };
    // The users of a closed load come one after the other; the fewer there are, the less they wait for each other.
    let is_full = |sample: &&SampleRecord| load.open.is_some() || sample.users >= record.run.users;
    let samples: Vec<&SampleRecord> = record.series.iter().filter(is_load).collect();
    let full = samples
        .iter()
        .copied()
        .skip_while(|sample| !is_full(sample));
    let with_times: Vec<(&SampleRecord, Latencies)> = full
        .map(|sample| (sample, times(sample)))
        .filter(|(_, times)| !times.is_empty())
        .collect();
    let means: Vec<f64> = with_times
        .iter()
        .map(|(_, times)| times.mean_us())
        .collect();
    let drift = warm_up::drift(&means);
    let Some(cut) = warm_up::unsettled(&means) else {
        return Some(WarmUpRecord {
            settled_from_s: None,
            mean_before_us: None,
            mean_after_us: None,
            p99_after_us: None,
            drift,
            part: None,
        });
    };
    let sum_of = |part: &[(&SampleRecord, Latencies)]| {
        let mut sum = Latencies::default();
        part.iter().for_each(|(_, times)| sum += times);
        sum
    };
    let (before, after) = (sum_of(&with_times[..cut]), sum_of(&with_times[cut..]));
    let change = (before.mean_us() / after.mean_us() - 1.0).abs();
    let is_other = cut > 0 && change >= DIFFERENCE_MIN;
    if !is_other && drift.is_none() {
        return None;
    }
    let settled = match is_other {
        true => with_times[cut].0.t_s - with_times[cut].0.length_s - load_from_s,
        false => 0.0,
    };
    Some(WarmUpRecord {
        settled_from_s: Some(settled.max(0.0)),
        mean_before_us: is_other.then(|| before.mean_us()),
        mean_after_us: is_other.then(|| after.mean_us()),
        p99_after_us: is_other.then(|| after.percentile_us(99.0)),
        drift,
        part: None,
    })
}

/// The series has a pause, or load after a drain: it is that of several runs.
fn has_pause(record: &Record) -> bool {
    record.series.windows(2).any(|pair| {
        let pause_s = pair[1].t_s - pair[1].length_s - pair[0].t_s;
        pause_s > PAUSE_S_MIN || (pair[0].is_drain && !pair[1].is_drain)
    })
}

/// The response times of a sample, failures included; none where the record was damaged.
fn times(sample: &SampleRecord) -> Latencies {
    let mut all = Latencies::default();
    for step in &sample.steps {
        let mut times = Latencies::default();
        if add_sample(&mut times, step).is_ok() {
            all += &times;
        }
    }
    all
}
