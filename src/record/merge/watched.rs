//! What was watched beside the parts: one entry where the parts ran one after the other, one for each part where they ran
//! at once.

use std::collections::BTreeSet;

use crate::record::schema::{WatchedRecord, WatchedSampleRecord};

use super::figures::{Part, Parts};

/// The entries of all parts on the common time axis.
pub(super) fn watched(parts: &Parts<'_>) -> Vec<WatchedRecord> {
    let mut merged: Vec<Entry> = Vec::new();
    for part in parts.iter() {
        for found in &part.record.watched {
            let entry = Entry::of(part, found);
            match merged.iter_mut().find(|known| known.is_before(&entry)) {
                Some(known) => known.continue_with(entry),
                None => merged.push(entry),
            }
        }
    }
    name_apart(&mut merged);
    merged.into_iter().map(|entry| entry.found).collect()
}

/// Something watched, with the part that watched it first.
struct Entry {
    found: WatchedRecord,
    part: String,
    /// Load that `cpu_mean` is the mean over, in seconds.
    load_s: f64,
}

impl Entry {
    fn of(part: &Part<'_>, found: &WatchedRecord) -> Self {
        let samples = found.samples.iter().map(|sample| WatchedSampleRecord {
            t_s: sample.t_s + part.offset_s,
            ..sample.clone()
        });
        Self {
            found: WatchedRecord {
                samples: samples.collect(),
                first_gone_s: found.first_gone_s.map(|s| s + part.offset_s),
                ..found.clone()
            },
            part: part.name.to_owned(),
            load_s: part.record.totals.load_s,
        }
    }

    /// `next` watched the same after this one had ended.
    fn is_before(&self, next: &Self) -> bool {
        let end_s = self.found.samples.last().map(|sample| sample.t_s);
        let begin_s = next.found.samples.first();
        let begin_s = begin_s.map(|sample| sample.t_s - sample.length_s);
        let is_same = (&self.found.name, &self.found.what) == (&next.found.name, &next.found.what);
        is_same
            && end_s
                .zip(begin_s)
                .is_some_and(|(end_s, begin_s)| end_s <= begin_s)
    }

    fn continue_with(&mut self, next: Self) {
        let load_s = self.load_s + next.load_s;
        let (found, more) = (&mut self.found, next.found);
        found.cpu_mean = match (found.cpu_mean, more.cpu_mean) {
            (Some(one), Some(other)) if load_s > 0.0 => {
                Some((one * self.load_s + other * next.load_s) / load_s)
            }
            (one, other) => one.or(other),
        };
        self.load_s = load_s;
        let pids: BTreeSet<u32> = found.pids.iter().chain(&more.pids).copied().collect();
        found.pids = pids.into_iter().collect();
        found.processes_max = found.processes_max.max(more.processes_max);
        found.came += more.came;
        found.gone += more.gone;
        found.first_gone_s = found.first_gone_s.or(more.first_gone_s);
        found.missed += more.missed;
        found.error = more.error.or(found.error.take());
        found.cores = more.cores.or(found.cores);
        found.full_s += more.full_s;
        found.cpu_max = greater(found.cpu_max, more.cpu_max, f64::max);
        found.rss_max_bytes = greater(found.rss_max_bytes, more.rss_max_bytes, u64::max);
        found.threads_max = greater(found.threads_max, more.threads_max, u64::max);
        found.descriptors_max = greater(found.descriptors_max, more.descriptors_max, u64::max);
        found.samples.extend(more.samples);
    }
}

fn greater<T>(one: Option<T>, other: Option<T>, max: fn(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(max(one, other)),
        (one, other) => one.or(other),
    }
}

/// Names that several parts have get the name of their part.
fn name_apart(entries: &mut [Entry]) {
    let names: Vec<String> = entries
        .iter()
        .map(|entry| entry.found.name.clone())
        .collect();
    for (entry, name) in entries.iter_mut().zip(&names) {
        if names.iter().filter(|other| *other == name).count() > 1 {
            entry.found.name = format!("{}: {name}", entry.part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::merge::drawn::{built, requests};
    use crate::record::schema::Record;

    /// A run of 4 s of load with a generator that used so many cores.
    fn run(cores: f64) -> Record {
        let mut record = built(&requests(1, 4));
        let sample = |t_s| WatchedSampleRecord {
            t_s,
            length_s: 1.0,
            cpu_cores: Some(cores),
            ..WatchedSampleRecord::default()
        };
        record.watched = vec![WatchedRecord {
            name: "generator".into(),
            what: "generator".into(),
            pids: vec![7],
            cpu_mean: Some(cores),
            cpu_max: Some(cores),
            samples: (1..=4).map(|second| sample(f64::from(second))).collect(),
            ..WatchedRecord::default()
        }];
        record
    }

    fn merged(offsets_s: [f64; 2]) -> Vec<WatchedRecord> {
        let parts = [("a".to_owned(), run(0.5)), ("b".to_owned(), run(1.5))];
        watched(&Parts::new(&parts, &offsets_s))
    }

    #[test]
    fn what_was_watched_in_runs_one_after_the_other_is_one_entry() {
        let found = merged([0.0, 10.0]);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].cpu_mean, found[0].cpu_max),
            (Some(1.0), Some(1.5))
        );
        assert_eq!(found[0].pids, [7]);
        let ends: Vec<f64> = found[0].samples.iter().map(|sample| sample.t_s).collect();
        assert_eq!(ends, [1.0, 2.0, 3.0, 4.0, 11.0, 12.0, 13.0, 14.0]);
    }

    #[test]
    fn what_was_watched_by_parts_at_the_same_time_stays_apart_by_their_names() {
        let found = merged([0.0, 1.0]);
        let names: Vec<&str> = found.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["a: generator", "b: generator"]);
        assert_eq!(found[1].samples[0].t_s, 2.0);
    }
}
