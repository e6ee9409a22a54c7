//! What stands beside the series of a record: cut where it has a place in time, left out and named where it has none.

use super::super::distribution::packed;
use super::super::schema::{
    FULL_SHARE, Record, RuleRecord, Times, TlsHistograms, WatchedRecord, WatchedSampleRecord,
};
use crate::metrics::latencies::Latencies;
use crate::text::units::counted;

/// The slice on the time axis of the record, in seconds since the start.
#[derive(Clone, Copy)]
struct Span {
    from_s: f64,
    /// End of its last second of load.
    load_to_s: f64,
    /// Its end, with the drain where that belongs to it.
    to_s: f64,
}

/// Cuts what has a place in time to the seconds that the series has now, and empties what has none.
pub(super) fn cut(record: &mut Record, not_sliced: &mut Vec<String>) {
    let Some(span) = Span::of(record) else {
        return;
    };
    if !record.runs.is_empty() {
        not_sliced.push("the runs and their spread".into());
        record.runs.clear();
        record.spread = None;
    }
    if !record.until.is_empty() {
        not_sliced.push("goals".into());
        record.until.clear();
    }
    if let Some(tls) = &mut record.tls {
        not_sliced.push("handshakes".into());
        (tls.full_us, tls.resumed_us) = <(Times, Times)>::default();
        tls.opening = None;
        let nothing = packed(&Latencies::default());
        tls.histograms = TlsHistograms {
            full: nothing.clone(),
            resumed: nothing,
        };
    }
    cut_rules(record, span, not_sliced);
    let has_changed = |found: &WatchedRecord| found.came + found.gone > 0;
    if record.watched.iter().any(has_changed) {
        not_sliced.push("watched processes that came or ended within a second".into());
    }
    record
        .watched
        .iter_mut()
        .for_each(|found| cut_watched(found, span));
}

/// Names what stays that of the whole run.
pub(super) fn name(record: &Record, not_sliced: &mut Vec<String>) {
    if record.tls.is_some() {
        not_sliced.push("handshakes".into());
    }
    if !record.watched.is_empty() {
        not_sliced.push("what was watched".into());
    }
}

impl Span {
    fn of(record: &Record) -> Option<Self> {
        let (first, last) = (record.series.first()?, record.series.last()?);
        let mut of_load = record.series.iter().filter(|sample| !sample.is_drain);
        Some(Self {
            from_s: first.t_s - first.length_s,
            load_to_s: of_load.next_back()?.t_s,
            to_s: last.t_s,
        })
    }

    fn holds(&self, moment_s: f64) -> bool {
        (self.from_s..=self.to_s).contains(&moment_s)
    }

    /// Time of a sample in the load of the slice, in seconds.
    fn in_load_s(&self, sample: &WatchedSampleRecord) -> f64 {
        let begin_s = sample.t_s - sample.length_s;
        (sample.t_s.min(self.load_to_s) - begin_s.max(self.from_s)).max(0.0)
    }
}

/// A rule that held is left out when the window that decided lies outside: it says nothing of the slice. One that was
/// broken stays, with the place of its window: a run that went wrong must not look well.
fn cut_rules(record: &mut Record, span: Span, not_sliced: &mut Vec<String>) {
    let is_inside = |rule: &RuleRecord| {
        let window = rule.from_s.zip(rule.to_s);
        window.is_some_and(|(from_s, to_s)| from_s >= span.from_s && to_s <= span.to_s)
    };
    let before = record.rules.len();
    record.rules.retain(|rule| rule.broken || is_inside(rule));
    let left_out = before - record.rules.len();
    if left_out > 0 {
        let rules = counted(left_out as u64, "rule");
        not_sliced.push(format!("{rules} judged by windows outside"));
    }
}

/// Cuts the samples to the slice, and makes the figures again from those that are left. Sampling has seconds of its own:
/// one belongs to the slice when its middle does.
fn cut_watched(found: &mut WatchedRecord, span: Span) {
    let all = std::mem::take(&mut found.samples);
    let middle_s = |sample: &WatchedSampleRecord| sample.t_s - sample.length_s / 2.0;
    let before = all.iter().rfind(|sample| middle_s(sample) < span.from_s);
    let before = before.map(|sample| sample.processes);
    found.samples = all
        .iter()
        .filter(|sample| span.holds(middle_s(sample)))
        .cloned()
        .collect();
    let is_full = |cpu: f64| found.cores.is_some_and(|cores| cpu >= FULL_SHARE * cores);
    let (mut cpu_s, mut known_s, mut full_s) = (0.0, 0.0, 0.0);
    for sample in &found.samples {
        let (in_load_s, cpu) = (span.in_load_s(sample), sample.cpu_cores);
        cpu_s += cpu.unwrap_or(0.0) * in_load_s;
        known_s += cpu.map_or(0.0, |_| in_load_s);
        full_s += cpu.filter(|cpu| is_full(*cpu)).map_or(0.0, |_| in_load_s);
    }
    found.full_s = full_s;
    found.cpu_mean = (known_s > 0.0).then(|| cpu_s / known_s);
    let samples = || found.samples.iter();
    found.cpu_max = samples()
        .filter_map(|sample| sample.cpu_cores)
        .reduce(f64::max);
    found.rss_max_bytes = samples().filter_map(|sample| sample.rss_bytes).max();
    found.threads_max = samples().filter_map(|sample| sample.threads).max();
    found.descriptors_max = samples().filter_map(|sample| sample.descriptors).max();
    let processes: Vec<u64> = before
        .into_iter()
        .chain(samples().map(|sample| sample.processes))
        .collect();
    let steps = || processes.windows(2).map(|pair| (pair[0], pair[1]));
    let (came, gone) = (
        steps().map(|(one, next)| next.saturating_sub(one)).sum(),
        steps().map(|(one, next)| one.saturating_sub(next)).sum(),
    );
    let covered_s: f64 = samples().map(|sample| sample.length_s).sum();
    found.processes_max = samples().map(|sample| sample.processes).max().unwrap_or(0);
    found.came = found.came.min(came);
    found.gone = found.gone.min(gone);
    found.first_gone_s = found
        .first_gone_s
        .filter(|first_s| found.gone > 0 && span.holds(*first_s));
    // Seconds without an answer have no sample.
    let missed = (span.to_s - span.from_s - covered_s).round().max(0.0);
    found.missed = found.missed.min(missed as u64);
    found.error = found.error.take().filter(|_| found.missed > 0);
}
