//! A part of a run as a record of its own, from the seconds of the series.
//!
//! 1. A slice has the samples that lie in it as a whole; in a long run a sample is several seconds.
//! 2. What a sample knows of each step gives the totals, the steps and their intervals: requests, failures, bytes of
//!    bodies, response times with failures, service times without.
//! 3. What no sample knows is left out, and named: a figure of the whole run among those of a part would mislead. With
//!    `run --settle` it stays, named as well, for then there is no other record that has it.
//! 4. The verdict is that of the slice's seconds, unless the whole run is doubted for something that is not in seconds.

mod rest;

use std::collections::BTreeMap;

use crate::analysis::seconds::judge_seconds;
use crate::metrics::latencies::Latencies;
use crate::metrics::seconds::Status;
use crate::text::units::{counted, grouped, moment};

use super::bounds;
use super::bounds::StepSeconds;
use super::distribution::{add_sample, add_service, packed, times};
use super::joining::judged;
use super::kinds;
use super::schema::{
    ErrorRecord, Histograms, Record, SampleRecord, SliceRecord, StepRecord, StepSampleRecord,
    Times, Totals,
};
use super::warm_up;

/// Times of a record are rounded by less than this, in seconds.
const ROUNDING_S: f64 = 1e-6;

/// Begin of the reasons of a verdict that is not that of the slice's seconds.
const OF_WHOLE: &str = "of the whole run: ";

/// The record of a part of the load, from and to these seconds of load time; without an end, the drain belongs to it.
///
/// # Errors
/// When the record has no such part, or its series is damaged.
pub fn slice(record: &Record, from_s: f64, to_s: Option<f64>) -> Result<Record, String> {
    if record.search.is_some() {
        return Err("a search goes from level to level, and each level has figures of its own: the report lists them".into());
    }
    let load_from_s = record.run.load.from_s();
    let whole_s = load_s_of_whole(record);
    if let Some(to_s) = to_s
        && to_s <= from_s
    {
        return Err(format!(
            "it would end at {} and begin at {}",
            moment(to_s),
            moment(from_s)
        ));
    }
    let is_in = |sample: &SampleRecord| {
        let end_s = sample.t_s - load_from_s;
        let begin_s = end_s - sample.length_s;
        let is_begun = begin_s >= from_s - ROUNDING_S;
        is_begun && to_s.is_none_or(|to_s| !sample.is_drain && end_s <= to_s + ROUNDING_S)
    };
    let series: Vec<SampleRecord> = record
        .series
        .iter()
        .filter(|sample| is_in(sample))
        .cloned()
        .collect();
    if !series.iter().any(|sample| !sample.is_drain) {
        return Err(match from_s >= whole_s {
            true => format!("the load lasted {}", moment(whole_s)),
            false => "no second of the load lies in it as a whole".into(),
        });
    }
    let mut part = record.clone();
    part.series = series;
    part.series
        .iter_mut()
        .for_each(|sample| sample.is_settling = false);
    figures_of_series(&mut part, whole_s, to_s.is_none(), Rest::LeftOut)?;
    Ok(part)
}

/// A record whose figures leave out the beginning of the load, up to this second of load time. The series stays whole.
///
/// # Errors
/// When nothing of the load is left, or the series is damaged.
pub fn settled(record: &Record, from_s: f64) -> Result<Record, String> {
    let load_from_s = record.run.load.from_s();
    let is_before = |sample: &SampleRecord| {
        !sample.is_drain && sample.t_s - sample.length_s < load_from_s + from_s - ROUNDING_S
    };
    let (mut before, after): (Vec<_>, Vec<_>) = record
        .series
        .iter()
        .cloned()
        .partition(|sample| is_before(sample));
    if after.iter().all(|sample| sample.is_drain) {
        return Err(format!(
            "the load lasted {}, and nothing is left after the settling time",
            moment(record.totals.load_s)
        ));
    }
    let mut part = record.clone();
    part.series = after;
    figures_of_series(&mut part, load_s_of_whole(record), true, Rest::OfTheWhole)?;
    before
        .iter_mut()
        .for_each(|sample| sample.is_settling = true);
    part.series.splice(..0, before);
    Ok(part)
}

/// What happens to figures that no sample knows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    LeftOut,
    OfTheWhole,
}

/// A step's samples added up.
#[derive(Default)]
struct Sum {
    requests: u64,
    failures: u64,
    body_bytes: u64,
    /// Requests and failures within the load.
    in_load: (u64, u64),
    response: Latencies,
    service: Latencies,
    /// The service times are known by second.
    has_service: bool,
    /// The times of each sample.
    seconds: Vec<Latencies>,
    service_seconds: Vec<Latencies>,
    /// Begin of the first sample and end of the last one with a failure, in seconds since the start.
    failing_s: Option<(f64, f64)>,
}

/// Makes the figures of a record anew, from its series alone. `whole_s`: load time of the whole run; `has_end`: the drain is
/// a part of it.
fn figures_of_series(
    record: &mut Record,
    whole_s: f64,
    has_end: bool,
    rest: Rest,
) -> Result<(), String> {
    let load_from_s = record.run.load.from_s();
    let of_load = || record.series.iter().filter(|sample| !sample.is_drain);
    let load_s: f64 = of_load().map(|sample| sample.length_s).sum();
    let first = of_load()
        .next()
        .map_or(0.0, |sample| sample.t_s - sample.length_s);
    let last = of_load().next_back().map_or(0.0, |sample| sample.t_s);
    let sums = sums(record)?;
    let mut not_sliced = Vec::new();
    for (step, sum) in record.steps.iter_mut().zip(&sums) {
        put_step(step, sum, load_s, has_end, rest);
    }
    errors(record, &sums, rest, &mut not_sliced);
    put_totals(&mut record.totals, &record.steps, &sums, load_s, rest);
    if !has_end {
        (record.totals.drain_s, record.totals.open_at_load_end) = (0.0, 0);
    }
    let has_service = sums.iter().all(|sum| sum.has_service);
    name_the_rest(record, has_service, rest, &mut not_sliced);
    verdict(record);
    let seconds = sums.into_iter().map(|sum| StepSeconds {
        response: sum.seconds,
        service: sum.service_seconds,
    });
    let seconds: Vec<StepSeconds> = seconds.collect();
    bounds::put_into(record, &seconds);
    record.slice = Some(SliceRecord {
        from_s: (first - load_from_s).max(0.0),
        to_s: (last - load_from_s).max(0.0),
        of_s: whole_s,
        settled: rest == Rest::OfTheWhole,
        not_sliced,
    });
    kinds::refresh(record);
    record.warm_up = warm_up::of(record);
    Ok(())
}

fn sums(record: &Record) -> Result<Vec<Sum>, String> {
    let mut sums: Vec<Sum> = record.steps.iter().map(|_| Sum::default()).collect();
    for sample in &record.series {
        if sample.steps.len() != sums.len() {
            return Err("a sample of its series has not as many steps as the record".into());
        }
        for (sum, step) in sums.iter_mut().zip(&sample.steps) {
            sum.add(sample, step)
                .map_err(|reason| format!("its series: {reason}"))?;
        }
    }
    Ok(sums)
}

impl Sum {
    fn add(&mut self, sample: &SampleRecord, step: &StepSampleRecord) -> Result<(), String> {
        self.requests = self.requests.saturating_add(step.requests);
        self.failures = self.failures.saturating_add(step.failures);
        self.body_bytes = self.body_bytes.saturating_add(step.body_bytes);
        if !sample.is_drain {
            self.in_load.0 = self.in_load.0.saturating_add(step.requests);
            self.in_load.1 = self.in_load.1.saturating_add(step.failures);
        }
        if step.failures > 0 {
            let from_s = self
                .failing_s
                .map_or(sample.t_s - sample.length_s, |(from_s, _)| from_s);
            self.failing_s = Some((from_s, sample.t_s));
        }
        let mut times = Latencies::default();
        add_sample(&mut times, step)?;
        self.response += &times;
        self.seconds.push(times);
        let mut service = Latencies::default();
        add_service(&mut service, step)?;
        self.service += &service;
        self.service_seconds.push(service);
        self.has_service |= !step.service.is_empty();
        Ok(())
    }

    /// Nothing failed and nothing was cut off: the times are those of successes.
    fn is_clean(&self) -> bool {
        self.failures == 0 && self.response.count() == self.requests
    }
}

fn put_step(step: &mut StepRecord, sum: &Sum, load_s: f64, has_end: bool, rest: Rest) {
    // All answers of the run had one status, and those of the slice too.
    let only_status = step
        .statuses
        .iter()
        .next()
        .filter(|(_, count)| step.statuses.len() == 1 && **count == step.requests);
    let only_status = only_status.map(|(status, _)| status.clone());
    step.requests = sum.requests;
    step.failures = sum.failures;
    step.body_bytes = sum.body_bytes;
    step.rps = per(sum.in_load.0, load_s);
    step.failures_per_s = per(sum.in_load.1, load_s);
    step.all_us = times(&sum.response);
    if let Some(status) = only_status {
        step.statuses = BTreeMap::from([(status, sum.requests)]);
        step.statuses.retain(|_, count| *count > 0);
    } else if rest == Rest::LeftOut {
        step.statuses.clear();
    }
    if rest == Rest::LeftOut {
        (step.service_us, step.client_us, step.failures_us) = <(Times, Times, Times)>::default();
        step.response_us = Times::default();
        step.histograms = no_histograms();
        step.never_begun = 0;
        step.retries = 0;
    }
    if sum.has_service {
        step.service_us = times(&sum.service);
        step.histograms.service = packed(&sum.service);
    }
    if sum.is_clean() {
        step.response_us = step.all_us;
        step.histograms.response = packed(&sum.response);
    }
    if !has_end {
        (step.unanswered, step.cut_off) = (0, 0);
    }
    // When a request of the slice was begun is not known, only that it ended in it.
    step.sent = step.requests + step.cut_off;
}

fn no_histograms() -> Histograms {
    let nothing = packed(&Latencies::default());
    Histograms {
        service: nothing.clone(),
        response: nothing.clone(),
        client: nothing.clone(),
        failures: nothing,
    }
}

fn put_totals(totals: &mut Totals, steps: &[StepRecord], sums: &[Sum], load_s: f64, rest: Rest) {
    let sum_of = |of: fn(&StepRecord) -> u64| steps.iter().map(of).sum::<u64>();
    let mut all = Latencies::default();
    sums.iter().for_each(|sum| all += &sum.response);
    totals.sent = sum_of(|step| step.sent);
    totals.requests = sum_of(|step| step.requests);
    totals.failures = sum_of(|step| step.failures);
    totals.unanswered = sum_of(|step| step.unanswered);
    totals.cut_off = sum_of(|step| step.cut_off);
    totals.never_begun = sum_of(|step| step.never_begun);
    totals.failure_ratio = per(totals.failures, totals.requests as f64);
    totals.rps = per(sums.iter().map(|sum| sum.in_load.0).sum(), load_s);
    totals.failures_per_s = per(sums.iter().map(|sum| sum.in_load.1).sum(), load_s);
    (totals.rps_low, totals.rps_high) = (None, None);
    (totals.load_s, totals.duration_s) = (load_s, load_s);
    totals.all_us = times(&all);
    if rest == Rest::LeftOut {
        (totals.service_us, totals.client_us, totals.failures_us) =
            <(Times, Times, Times)>::default();
        totals.response_us = Times::default();
        totals.histograms = no_histograms();
        (totals.retried, totals.connections_opened) = (0, 0);
        (totals.bytes_sent, totals.bytes_received) = (0, 0);
    }
    if sums.iter().all(|sum| sum.has_service) {
        let mut service = Latencies::default();
        sums.iter().for_each(|sum| service += &sum.service);
        totals.service_us = times(&service);
        totals.histograms.service = packed(&service);
    }
    if sums.iter().all(Sum::is_clean) {
        totals.response_us = totals.all_us;
        totals.histograms.response = packed(&all);
    }
}

/// Keeps the failures whose number in the slice is known: those that came in it alone, and the only kind of a step.
fn errors(record: &mut Record, sums: &[Sum], rest: Rest, not_sliced: &mut Vec<String>) {
    let (from_s, to_s) = match (record.series.first(), record.series.last()) {
        (Some(first), Some(last)) => (first.t_s - first.length_s, last.t_s),
        _ => return,
    };
    let mut straddling = 0;
    let of_whole = std::mem::take(&mut record.errors);
    let kinds = |error: &ErrorRecord| {
        let same = |other: &&ErrorRecord| other.method == error.method && other.name == error.name;
        of_whole.iter().filter(same).count()
    };
    let mut kept = Vec::new();
    for error in &of_whole {
        let at = record
            .steps
            .iter()
            .position(|step| step.method == error.method && step.name == error.name);
        let sum = at.map(|at| &sums[at]);
        let is_inside = error.first_s >= from_s && error.last_s <= to_s;
        match sum.and_then(|sum| Some((sum, sum.failing_s?))) {
            _ if is_inside => kept.push(error.clone()),
            _ if error.last_s < from_s || error.first_s > to_s => {}
            None => {}
            Some((sum, (first_s, last_s))) if kinds(error) == 1 => kept.push(ErrorRecord {
                count: sum.failures,
                first_s: error.first_s.max(first_s),
                last_s: error.last_s.min(last_s),
                ..error.clone()
            }),
            Some(_) => straddling += 1,
        }
    }
    if rest == Rest::OfTheWhole && kept != of_whole {
        not_sliced.push("failures by kind".into());
        record.errors = of_whole;
        return;
    }
    record.errors = kept;
    if straddling > 0 {
        let kinds = counted(straddling, "kind");
        not_sliced.push(format!("{kinds} of failures"));
    }
}

/// Names the figures that no sample knows, and empties them.
fn name_the_rest(record: &mut Record, has_service: bool, rest: Rest, not_sliced: &mut Vec<String>) {
    if record
        .steps
        .iter()
        .any(|step| step.statuses.values().sum::<u64>() != step.requests)
    {
        not_sliced.push("statuses".into());
    }
    if record.totals.response_us.count != record.totals.all_us.count {
        not_sliced.push("times of failures apart from the others".into());
    }
    not_sliced.push(match has_service {
        true => "client times".into(),
        false => "service and client times".into(),
    });
    for (is_there, name) in [
        (!record.polls.is_empty(), "polls"),
        (!record.spans.is_empty(), "spans"),
        (record.run.load.open.is_some(), "iterations"),
        (
            !record.kinds.is_empty(),
            "users and iterations of each kind",
        ),
        (record.stand_in.is_some(), "the stand-in's counts"),
    ] {
        if is_there {
            not_sliced.push(name.into());
        }
    }
    not_sliced.push("bytes sent and received".into());
    not_sliced.push("connections opened".into());
    if rest == Rest::OfTheWhole {
        rest::name(record, not_sliced);
        return;
    }
    record.polls.clear();
    record.spans.clear();
    kinds::leave_out_whole(&mut record.kinds);
    record.stand_in = None;
    rest::cut(record, not_sliced);
}

/// The verdict of the slice's seconds. A reason that is not about seconds holds for every part of the run.
fn verdict(record: &mut Record) {
    let verdict = &mut record.generator.verdict;
    // Those of several runs or parts begin with their names: `run 2: in 3 of 60 seconds ...`.
    let is_by_seconds = |reason: &String| {
        let named = reason.split_once(": ").map(|(_, rest)| rest);
        reason.starts_with("in ") || named.is_some_and(|rest| rest.starts_with("in "))
    };
    let is_valid = verdict.status == Status::Valid.name();
    if !is_valid && !verdict.reasons.iter().all(is_by_seconds) {
        if let Some(first) = verdict.reasons.first_mut()
            && !first.starts_with(OF_WHOLE)
        {
            *first = format!("{OF_WHOLE}{first}");
        }
        return;
    }
    let seconds = judged(record.series.iter().filter(|sample| !sample.is_drain));
    let status = judge_seconds(&seconds);
    let doubted = seconds.count() - seconds[Status::Valid];
    verdict.status = status.name().into();
    verdict.reasons = vec![match doubted {
        0 => format!(
            "none of the {} of this part is doubted",
            counted(seconds.count(), "second")
        ),
        doubted => format!(
            "{} of the {} of this part are doubted; opsurge report of the whole run says why",
            grouped(doubted),
            counted(seconds.count(), "second")
        ),
    }];
}

/// Load time of the run that a record is of, in seconds; the record may be settled already. Several runs or parts count
/// from the begin of the first load to the end of the last one, with the pauses between them: slices are cut on that axis.
fn load_s_of_whole(record: &Record) -> f64 {
    if let Some(slice) = &record.slice {
        return slice.of_s;
    }
    let is_one = record.runs.is_empty() && record.run.parts.is_empty();
    let mut of_load = record.series.iter().filter(|sample| !sample.is_drain);
    match of_load.next_back() {
        Some(last) if !is_one => last.t_s - record.run.load.from_s(),
        _ => record.totals.load_s,
    }
}

fn per(count: u64, of: f64) -> f64 {
    if of > 0.0 { count as f64 / of } else { 0.0 }
}

#[cfg(test)]
mod rest_tests;
#[cfg(test)]
mod tests;
