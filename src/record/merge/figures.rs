//! Steps, polls, spans and failures, added up over the parts.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::metrics::latencies::Latencies;
use crate::metrics::seconds::Status;
use crate::record::distribution::{add_packed, packed, times};
use crate::record::schema::{
    ErrorRecord, Histograms, PollRecord, Record, SpanRecord, StepRecord, Times,
};

use super::error::MergeError;

/// One record of those that are merged.
#[derive(Clone, Copy)]
pub(super) struct Part<'r> {
    pub name: &'r str,
    pub record: &'r Record,
    /// Its start, in seconds since the start of the earliest.
    pub offset_s: f64,
}

/// The records that are merged.
pub(super) struct Parts<'r>(Vec<Part<'r>>);

impl<'r> Parts<'r> {
    /// The offsets are moved so that the least of them is 0.
    pub fn new(parts: &'r [(String, Record)], offsets_s: &[f64]) -> Self {
        let earliest_s = offsets_s.iter().copied().fold(f64::INFINITY, f64::min);
        let parts = parts.iter().zip(offsets_s);
        let parts = parts.map(|((name, record), offset_s)| Part {
            name,
            record,
            offset_s: offset_s - earliest_s,
        });
        Self(parts.collect())
    }

    pub fn iter(&self) -> impl Iterator<Item = &Part<'r>> {
        self.0.iter()
    }

    pub fn records(&self) -> impl Iterator<Item = &'r Record> {
        self.0.iter().map(|part| part.record)
    }

    /// The part that starts first; of several, the first one given.
    pub fn first(&self) -> Part<'r> {
        let earliest = self.0.iter().find(|part| part.offset_s == 0.0);
        *earliest.unwrap_or(&self.0[0])
    }

    /// Sentences of all parts, each with the names of the parts that say it before it, those of the gravest verdict
    /// first. Sentences of a record that was merged itself have their names already.
    pub fn said(&self, sentences: impl Fn(&'r Record) -> &'r [String]) -> Vec<String> {
        let mut parts: Vec<&Part<'r>> = self.0.iter().collect();
        parts.sort_by_key(|part| gravity(&part.record.generator.verdict.status));
        let mut said: Vec<(Vec<&str>, &str)> = Vec::new();
        for part in parts {
            let is_merged = !part.record.run.parts.is_empty();
            for sentence in sentences(part.record) {
                let known = said
                    .iter_mut()
                    .find(|(names, known)| !is_merged && !names.is_empty() && known == sentence);
                match known {
                    Some((names, _)) => names.push(part.name),
                    None if is_merged => said.push((Vec::new(), sentence)),
                    None => said.push((vec![part.name], sentence)),
                }
            }
        }
        let said = said.into_iter().map(|(names, sentence)| match &names[..] {
            [] => sentence.to_owned(),
            names => format!("{}: {sentence}", names.join(", ")),
        });
        said.collect()
    }
}

/// The place of a status among all, the gravest first. One that this version does not know is graver than all others.
pub(super) fn gravity(status: &str) -> usize {
    let place = Status::ALL.iter().position(|known| known.name() == status);
    place.map_or(0, |place| place + 1)
}

/// One step, added up.
#[derive(Default)]
pub(super) struct Sums {
    counts: StepRecord,
    in_load: (u64, u64),
    pub service: Latencies,
    pub response: Latencies,
    pub client: Latencies,
    pub failed: Latencies,
}

impl Sums {
    /// All its times, failures included.
    pub fn all(&self) -> Latencies {
        let mut all = self.response.clone();
        all += &self.failed;
        all
    }

    pub fn add(&mut self, other: &Self) {
        self.add_counts(&other.counts);
        self.in_load.0 += other.in_load.0;
        self.in_load.1 += other.in_load.1;
        self.service += &other.service;
        self.response += &other.response;
        self.client += &other.client;
        self.failed += &other.failed;
    }

    fn add_record(&mut self, part: &Part<'_>, step: &StepRecord) -> Result<(), MergeError> {
        self.add_counts(step);
        // A rate is a whole number of requests, divided by the load time.
        let in_load = |rate: f64| (rate * part.record.totals.load_s).round() as u64;
        self.in_load.0 += in_load(step.rps);
        self.in_load.1 += in_load(step.failures_per_s);
        let place = |which: &str| format!("`{which}` of {} {}", step.method, step.name);
        let add = |sum: &mut Latencies, packed: &str, times: &Times, which: &str| {
            add_packed(sum, packed, times)
                .map_err(|reason| MergeError::unreadable(part.name, &place(which), &reason))
        };
        let histograms = &step.histograms;
        add(
            &mut self.service,
            &histograms.service,
            &step.service_us,
            "service",
        )?;
        add(
            &mut self.response,
            &histograms.response,
            &step.response_us,
            "response",
        )?;
        add(
            &mut self.client,
            &histograms.client,
            &step.client_us,
            "client",
        )?;
        add(
            &mut self.failed,
            &histograms.failures,
            &step.failures_us,
            "failures",
        )
    }

    fn add_counts(&mut self, step: &StepRecord) {
        let counts = &mut self.counts;
        counts.target = counts.target.take().or_else(|| step.target.clone());
        counts.sent += step.sent;
        counts.requests += step.requests;
        counts.failures += step.failures;
        counts.unanswered += step.unanswered;
        counts.cut_off += step.cut_off;
        counts.never_begun += step.never_begun;
        counts.retries += step.retries;
        counts.body_bytes += step.body_bytes;
        counts.bound_from_us = least(counts.bound_from_us, step.bound_from_us);
        for (status, count) in &step.statuses {
            *counts.statuses.entry(status.clone()).or_default() += count;
        }
    }

    /// Its record. Intervals come later, from the series.
    pub fn record(&self, load_s: f64) -> StepRecord {
        let per_second = |count: u64| match load_s > 0.0 {
            true => count as f64 / load_s,
            false => 0.0,
        };
        StepRecord {
            rps: per_second(self.in_load.0),
            failures_per_s: per_second(self.in_load.1),
            service_us: times(&self.service),
            response_us: times(&self.response),
            client_us: times(&self.client),
            failures_us: times(&self.failed),
            all_us: times(&self.all()),
            histograms: Histograms {
                service: packed(&self.service),
                response: packed(&self.response),
                client: packed(&self.client),
                failures: packed(&self.failed),
            },
            ..self.counts.clone()
        }
    }
}

fn least(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Method and name of each step of the merged record, in its order.
pub(super) fn step_places<'r>(parts: &Parts<'r>) -> HashMap<(&'r str, &'r str), usize> {
    let mut places = HashMap::new();
    for record in parts.records() {
        for step in &record.steps {
            let next = places.len();
            places
                .entry((step.method.as_str(), step.name.as_str()))
                .or_insert(next);
        }
    }
    places
}

/// The steps of all parts, added up.
///
/// # Errors
/// When a histogram cannot be read.
pub(super) fn step_sums(parts: &Parts<'_>) -> Result<Vec<Sums>, MergeError> {
    let places = step_places(parts);
    let mut sums: Vec<Sums> = places.iter().map(|_| Sums::default()).collect();
    for part in parts.iter() {
        for step in &part.record.steps {
            let sum = &mut sums[places[&(step.method.as_str(), step.name.as_str())]];
            sum.counts.method.clone_from(&step.method);
            sum.counts.name.clone_from(&step.name);
            sum.add_record(part, step)?;
        }
    }
    Ok(sums)
}

/// The polls of all parts, by name.
///
/// # Errors
/// When a histogram cannot be read.
pub(super) fn polls(parts: &Parts<'_>) -> Result<Vec<PollRecord>, MergeError> {
    let mut polls: Vec<(PollRecord, Latencies)> = Vec::new();
    for part in parts.iter() {
        for poll in &part.record.polls {
            let at = polls.iter().position(|(known, _)| known.name == poll.name);
            let at = at.unwrap_or_else(|| {
                let none = PollRecord {
                    name: poll.name.clone(),
                    ..PollRecord::default()
                };
                polls.push((none, Latencies::default()));
                polls.len() - 1
            });
            let (sum, ready_after) = &mut polls[at];
            sum.ready += poll.ready;
            sum.gave_up += poll.gave_up;
            sum.attempts += poll.attempts;
            add_packed(ready_after, &poll.histogram, &poll.ready_after_us)
                .map_err(|reason| MergeError::unreadable(part.name, &poll.name, &reason))?;
        }
    }
    let polls = polls.into_iter().map(|(poll, ready_after)| PollRecord {
        ready_after_us: times(&ready_after),
        histogram: packed(&ready_after),
        ..poll
    });
    Ok(polls.collect())
}

/// The spans of all parts, by name.
///
/// # Errors
/// When a histogram cannot be read.
pub(super) fn spans(parts: &Parts<'_>) -> Result<Vec<SpanRecord>, MergeError> {
    let mut spans: Vec<(SpanRecord, Latencies)> = Vec::new();
    for part in parts.iter() {
        for span in &part.record.spans {
            let at = spans.iter().position(|(known, _)| known.name == span.name);
            let at = at.unwrap_or_else(|| {
                let none = SpanRecord {
                    name: span.name.clone(),
                    ..SpanRecord::default()
                };
                spans.push((none, Latencies::default()));
                spans.len() - 1
            });
            let (sum, took) = &mut spans[at];
            sum.begun += span.begun;
            sum.completed += span.completed;
            sum.failed += span.failed;
            add_packed(took, &span.histogram, &span.took_us)
                .map_err(|reason| MergeError::unreadable(part.name, &span.name, &reason))?;
        }
    }
    let spans = spans.into_iter().map(|(span, took)| SpanRecord {
        took_us: times(&took),
        histogram: packed(&took),
        ..span
    });
    Ok(spans.collect())
}

/// The failures of all parts, by step, kind, status and reason; most frequent first. The example is that of the earliest.
pub(super) fn errors(parts: &Parts<'_>) -> Vec<ErrorRecord> {
    let mut errors: Vec<ErrorRecord> = Vec::new();
    for part in parts.iter() {
        for error in &part.record.errors {
            let shifted = ErrorRecord {
                first_s: error.first_s + part.offset_s,
                last_s: error.last_s + part.offset_s,
                ..error.clone()
            };
            match errors.iter_mut().find(|known| is_same(known, error)) {
                Some(known) => join(known, shifted),
                None => errors.push(shifted),
            }
        }
    }
    errors.sort_by_key(|error| Reverse(error.count));
    errors
}

fn is_same(one: &ErrorRecord, other: &ErrorRecord) -> bool {
    let key = |error: &ErrorRecord| (error.status, error.kind.clone(), error.reason.clone());
    one.method == other.method && one.name == other.name && key(one) == key(other)
}

fn join(known: &mut ErrorRecord, other: ErrorRecord) {
    let count = known.count + other.count;
    let last_s = known.last_s.max(other.last_s);
    if other.first_s < known.first_s {
        *known = other;
    }
    known.count = count;
    known.last_s = last_s;
}
