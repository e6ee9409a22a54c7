//! The merged record as a whole.

use crate::metrics::latencies::Latencies;
use crate::record::bounds::{self, StepSeconds};
use crate::record::distribution::{packed, times};
use crate::record::kinds;
use crate::record::once::joined;
use crate::record::schema::{
    GoalRecord, Histograms, Record, RuleRecord, SCHEMA, SliceRecord, StandIn, StepRecord, Totals,
    WarmUpRecord,
};
use crate::record::warm_up;
use crate::text::units::counted;

use super::error::MergeError;
use super::figures::{Parts, Sums, errors, polls, spans, step_sums};
use super::generator::generator;
use super::run::{load_s, run_info};
use super::series::series;
use super::tls::tls;
use super::together::began_together;
use super::watched::watched;

/// Merges records into one. Each comes with its name, which findings repeat; `offsets_s` are their starts on the common
/// time axis, in seconds; the earliest becomes the merged record's start.
///
/// Steps are matched by method and name, in the first record's order; steps that only later records have follow. The load
/// time is the length of the union of the parts' load times; rates are the requests within the parts' load times, divided
/// by it. Rules are kept as each part judged them.
///
/// # Errors
/// A record of a search, a histogram that cannot be read, no record at all.
pub fn merge(parts: &[(String, Record)], offsets_s: &[f64]) -> Result<Record, MergeError> {
    check(parts, offsets_s)?;
    let parts = Parts::new(parts, offsets_s);
    let sums = step_sums(&parts)?;
    let run = run_info(&parts);
    let load_s = load_s(&run.parts);
    let steps = sums.iter().map(|sum| sum.record(load_s));
    let mut record = Record {
        schema: SCHEMA.into(),
        run,
        passed: parts.records().all(|record| record.passed),
        exit_code: exit_code(parts.records().map(|record| record.exit_code)),
        reasons: parts.said(|record| &record.reasons),
        totals: Totals::default(),
        steps: steps.collect(),
        polls: polls(&parts)?,
        spans: spans(&parts)?,
        errors: errors(&parts),
        generator: generator(&parts)?,
        tls: tls(&parts)?,
        kinds: kinds::joined(parts.records().flat_map(|record| &record.kinds)),
        setup: joined(parts.records().filter_map(|record| record.setup.as_ref())),
        teardown: joined(
            parts
                .records()
                .filter_map(|record| record.teardown.as_ref()),
        ),
        rules: rules(&parts),
        until: until(&parts),
        search: None,
        stand_in: stand_in(&parts),
        series: series(&parts)?,
        watched: watched(&parts),
        runs: Vec::new(),
        spread: None,
        slice: settled(&parts).cloned(),
        warm_up: None,
    };
    record.totals = totals(&parts, &record.steps, &sums, load_s, end_s(&record));
    let seconds = StepSeconds::of_series(&record).map_err(MergeError)?;
    if record.slice.is_some() {
        put_times_of_seconds(&mut record, &seconds);
    }
    bounds::put_into(&mut record, &seconds);
    kinds::refresh(&mut record);
    record.warm_up = warm_up_of(&parts, &record);
    Ok(record)
}

fn check(parts: &[(String, Record)], offsets_s: &[f64]) -> Result<(), MergeError> {
    if parts.is_empty() || parts.len() != offsets_s.len() {
        return Err(MergeError("there is no record to merge".into()));
    }
    if let Some((name, _)) = parts.iter().find(|(_, record)| record.search.is_some()) {
        return Err(MergeError(format!(
            "{name} is the record of a search: each search chose its own levels, and levels of different machines cannot \
             be added; merge records of `run`"
        )));
    }
    if let Some((name, record)) = parts.iter().find(|(_, record)| !record.runs.is_empty()) {
        return Err(MergeError(format!(
            "{name} holds {} (--repeat), which are merged run by run",
            counted(record.runs.len() as u64, "run")
        )));
    }
    let is_cut = |record: &Record| record.slice.as_ref().is_some_and(|slice| !slice.settled);
    if let Some((name, _)) = parts.iter().find(|(_, record)| is_cut(record)) {
        return Err(MergeError(format!(
            "{name} is a part of a run, made by `report --from --to`: merge whole runs, and take the part of the result"
        )));
    }
    let settled = |(_, record): &&(String, Record)| record.slice.is_some();
    match (
        parts.iter().find(settled),
        parts.iter().find(|part| !settled(part)),
    ) {
        (Some((settled, _)), Some((whole, _))) => Err(MergeError(format!(
            "{settled} leaves out its settling time, and {whole} does not: merge runs that were made with the same --settle"
        ))),
        _ => Ok(()),
    }
}

/// Parts that began together warmed up together, and a slice of their seconds leaves that out. Where they did not, each
/// had a beginning of its own: the worst of them is said, with its part.
fn warm_up_of(parts: &Parts<'_>, record: &Record) -> Option<WarmUpRecord> {
    if began_together(&record.run.parts) {
        return warm_up::of(record);
    }
    let found = parts.iter().filter_map(|part| {
        let found = part.record.warm_up.clone()?;
        let name = match &found.part {
            Some(inner) => format!("{inner} of {}", part.name),
            None => part.name.to_owned(),
        };
        Some(WarmUpRecord {
            part: Some(name),
            ..found
        })
    });
    let badness = |found: &WarmUpRecord| found.settled_from_s.unwrap_or(f64::INFINITY);
    found.max_by(|one, other| badness(one).total_cmp(&badness(other)))
}

/// What the first of the parts left out, when they were made with `--settle`.
fn settled<'r>(parts: &Parts<'r>) -> Option<&'r SliceRecord> {
    parts.first().record.slice.as_ref()
}

/// The times of all requests without those of the settling time. The histograms of steps with failures are of the whole
/// run then.
fn put_times_of_seconds(record: &mut Record, seconds: &[StepSeconds]) {
    let mut all = Latencies::default();
    for (step, seconds) in record.steps.iter_mut().zip(seconds) {
        let mut sum = Latencies::default();
        seconds.response.iter().for_each(|second| sum += second);
        step.all_us = times(&sum);
        all += &sum;
    }
    record.totals.all_us = times(&all);
}

/// The sums over all steps.
fn totals(
    parts: &Parts<'_>,
    steps: &[StepRecord],
    sums: &[Sums],
    load_s: f64,
    drain_s: f64,
) -> Totals {
    let mut all = Sums::default();
    sums.iter().for_each(|sum| all.add(sum));
    let step = all.record(load_s);
    let sum = |of: fn(&Totals) -> u64| parts.records().map(|record| of(&record.totals)).sum();
    Totals {
        sent: steps.iter().map(|step| step.sent).sum(),
        requests: step.requests,
        failures: step.failures,
        unanswered: step.unanswered,
        cut_off: step.cut_off,
        never_begun: step.never_begun,
        retried: sum(|totals| totals.retried),
        connections_opened: sum(|totals| totals.connections_opened),
        failure_ratio: match step.requests {
            0 => 0.0,
            requests => step.failures as f64 / requests as f64,
        },
        rps: step.rps,
        rps_low: None,
        rps_high: None,
        failures_per_s: step.failures_per_s,
        load_s,
        drain_s,
        open_at_load_end: sum(|totals| totals.open_at_load_end),
        duration_s: load_s,
        bytes_sent: sum(|totals| totals.bytes_sent),
        bytes_received: sum(|totals| totals.bytes_received),
        bound_from_us: step.bound_from_us,
        service_us: times(&all.service),
        response_us: times(&all.response),
        client_us: times(&all.client),
        failures_us: times(&all.failed),
        all_us: times(&all.all()),
        confidence: Vec::new(),
        histograms: Histograms {
            service: packed(&all.service),
            response: packed(&all.response),
            client: packed(&all.client),
            failures: packed(&all.failed),
        },
    }
}

/// From the end of the last part's load to the end of the last part's drain, in seconds.
fn end_s(record: &Record) -> f64 {
    let last = |ends: &mut dyn Iterator<Item = f64>| ends.fold(0.0, f64::max);
    let load_to_s = last(&mut record.run.parts.iter().map(|part| part.to_s));
    let to_s = last(&mut record.series.iter().map(|sample| sample.t_s));
    (to_s - load_to_s).max(0.0)
}

/// The exit code that goes before the others: 130, 3, 4, 5, any other, 0.
pub(in crate::record) fn exit_code(codes: impl Iterator<Item = u8>) -> u8 {
    const FIRST: [u8; 4] = [130, 3, 4, 5];
    let rank = |code: &u8| match FIRST.iter().position(|first| first == code) {
        Some(at) => at,
        None if *code != 0 => FIRST.len(),
        None => FIRST.len() + 1,
    };
    codes.min_by_key(rank).unwrap_or(0)
}

/// The rules of all parts, each with the name of its part. Their moments are on the merged record's axis.
fn rules(parts: &Parts<'_>) -> Vec<RuleRecord> {
    let rules = parts.iter().flat_map(|part| {
        part.record.rules.iter().map(move |rule| RuleRecord {
            from_s: rule.from_s.map(|s| s + part.offset_s),
            to_s: rule.to_s.map(|s| s + part.offset_s),
            part: Some(rule.part.clone().unwrap_or_else(|| part.name.to_owned())),
            ..rule.clone()
        })
    });
    rules.collect()
}

/// Each part's goals: what one part knew is known of that part alone.
fn until(parts: &Parts<'_>) -> Vec<GoalRecord> {
    let goals = parts.iter().flat_map(|part| {
        part.record.until.iter().map(move |goal| GoalRecord {
            part: Some(goal.part.clone().unwrap_or_else(|| part.name.to_owned())),
            ..goal.clone()
        })
    });
    goals.collect()
}

/// The counts of the stand-ins, when every part had one.
fn stand_in(parts: &Parts<'_>) -> Option<StandIn> {
    let mut sum = StandIn {
        agrees: true,
        ..StandIn::default()
    };
    for record in parts.records() {
        let stand_in = record.stand_in.as_ref()?;
        sum.agrees &= stand_in.agrees;
        for (answer, count) in &stand_in.answers {
            *sum.answers.entry(answer.clone()).or_default() += count;
        }
        for (fault, count) in &stand_in.faults {
            *sum.faults.entry(fault.clone()).or_default() += count;
        }
    }
    Some(sum)
}
