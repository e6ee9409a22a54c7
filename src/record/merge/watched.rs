//! What was watched by several parts.
//!
//! Runs one after the other on one machine watch the same thing again: its samples follow each other. Parts at the same
//! time are on different machines: what each of them watched stays by itself, with the name of the part.

use super::figures::Parts;
use crate::record::schema::WatchedRecord;

/// Most ids of processes that are kept, as in the record of one run.
const PIDS_MAX: usize = 64;
/// Samples of parts that follow each other may overlap by this, in seconds: they end with their second, not with the part.
const NEAR_S: f64 = 0.5;

/// What is watched in the merged record.
pub(super) fn watched(parts: &Parts<'_>) -> Vec<WatchedRecord> {
    let mut all: Vec<(WatchedRecord, f64)> = Vec::new();
    for part in parts.iter() {
        let load_s = part.record.totals.load_s;
        for watched in &part.record.watched {
            let mut later = shifted(watched, part.offset_s);
            let is_before = |(known, _): &&mut (WatchedRecord, f64)| {
                (&known.name, &known.what) == (&later.name, &later.what) && follows(known, &later)
            };
            match all.iter_mut().find(is_before) {
                Some((known, known_s)) => {
                    join(known, *known_s, &later, load_s);
                    *known_s += load_s;
                }
                None => {
                    if all.iter().any(|(known, _)| known.name == later.name) {
                        later.name = format!("{} ({})", later.name, part.name);
                    }
                    all.push((later, load_s));
                }
            }
        }
    }
    all.into_iter().map(|(watched, _)| watched).collect()
}

fn shifted(watched: &WatchedRecord, offset_s: f64) -> WatchedRecord {
    let mut watched = watched.clone();
    for sample in &mut watched.samples {
        sample.t_s += offset_s;
    }
    watched.first_gone_s = watched.first_gone_s.map(|s| s + offset_s);
    watched
}

/// All samples of the later one begin after those of the other.
fn follows(known: &WatchedRecord, later: &WatchedRecord) -> bool {
    let begin_s = later
        .samples
        .first()
        .map(|first| first.t_s - first.length_s);
    let end_s = known.samples.last().map(|last| last.t_s);
    begin_s
        .zip(end_s)
        .is_none_or(|(begin_s, end_s)| begin_s + NEAR_S >= end_s)
}

/// The mean over both loads; maxima and sums of the rest.
fn join(known: &mut WatchedRecord, known_s: f64, later: &WatchedRecord, later_s: f64) {
    known.cpu_mean = match (known.cpu_mean, later.cpu_mean) {
        (Some(a), Some(b)) => Some((a * known_s + b * later_s) / (known_s + later_s).max(1e-9)),
        (mean, None) | (None, mean) => mean,
    };
    let greater = |a: Option<f64>, b: Option<f64>| a.into_iter().chain(b).reduce(f64::max);
    known.cpu_max = greater(known.cpu_max, later.cpu_max);
    known.cores = greater(known.cores, later.cores);
    known.rss_max_bytes = known.rss_max_bytes.max(later.rss_max_bytes);
    known.threads_max = known.threads_max.max(later.threads_max);
    known.descriptors_max = known.descriptors_max.max(later.descriptors_max);
    known.processes_max = known.processes_max.max(later.processes_max);
    known.full_s += later.full_s;
    known.came += later.came;
    known.gone += later.gone;
    known.missed += later.missed;
    known.first_gone_s = known.first_gone_s.or(later.first_gone_s);
    known.error = later.error.clone().or(known.error.take());
    let new: Vec<u32> = later
        .pids
        .iter()
        .filter(|pid| !known.pids.contains(pid))
        .copied()
        .collect();
    known.pids.extend(new);
    known.pids.truncate(PIDS_MAX);
    known.samples.extend(later.samples.iter().cloned());
}
