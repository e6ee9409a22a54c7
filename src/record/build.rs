//! Makes the record from what was measured.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::analysis::seconds::judge_seconds;
use crate::metrics::latencies::Latencies;
use crate::metrics::recorder::{Counts, InLoad, StepCounts};
use crate::metrics::seconds::Cause;
use crate::metrics::summary::{Sample, Summary};
use crate::scenario::model::MetricLabel;

use super::bounds;
use super::bounds::StepSeconds;
use super::distribution::{packed, times};
use super::hints::hint;
use super::joining::by_verdict;
use super::schema::{
    ErrorRecord, Generator, Histograms, PollRecord, Record, RunInfo, SCHEMA, SampleRecord,
    SpanRecord, StandIn, StepRecord, StepSampleRecord, Totals,
};
use super::warm_up;

/// How long a run lasted, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct RunTime {
    /// The load time: rates are counts within it, divided by it.
    pub load_ns: u64,
    /// The drain: how long requests that were open at the load's end were waited for.
    pub drain_ns: u64,
    /// Requests that were open at the load's end.
    pub open_at_load_end: u64,
}

/// Makes the record of a run.
pub fn record(
    run: RunInfo,
    labels: &[MetricLabel],
    spans: &[String],
    summary: &Summary,
    time: RunTime,
    generator: Generator,
) -> Record {
    let load_s = time.load_ns as f64 / 1e9;
    let steps: Vec<(&MetricLabel, &StepCounts)> =
        labels.iter().zip(&summary.counts.steps).collect();
    let mut errors: Vec<ErrorRecord> = steps.iter().flat_map(|step| errors_of(*step)).collect();
    errors.sort_by_key(|error| std::cmp::Reverse(error.count));
    let samples = summary.series.samples();
    let mut record = Record {
        schema: SCHEMA.into(),
        run,
        passed: true,
        exit_code: 0,
        reasons: Vec::new(),
        slice: None,
        warm_up: None,
        totals: Totals {
            drain_s: time.drain_ns as f64 / 1e9,
            open_at_load_end: time.open_at_load_end,
            ..totals(&summary.counts, load_s)
        },
        steps: steps
            .iter()
            .map(|step| step_record(*step, load_s))
            .collect(),
        polls: steps
            .iter()
            .filter(|(label, _)| label.is_poll)
            .map(|(label, counts)| PollRecord {
                name: label.name.clone(),
                ready: counts.ready.count(),
                gave_up: counts.gave_up,
                attempts: counts.requests,
                ready_after_us: times(&counts.ready),
                histogram: packed(&counts.ready),
            })
            .collect(),
        spans: spans
            .iter()
            .zip(&summary.counts.spans)
            .map(|(name, counts)| SpanRecord {
                name: name.clone(),
                begun: counts.begun,
                completed: counts.times.count(),
                failed: counts.failed,
                took_us: times(&counts.times),
                histogram: packed(&counts.times),
            })
            .collect(),
        errors,
        generator,
        tls: None,
        kinds: Vec::new(),
        setup: None,
        teardown: None,
        rules: Vec::new(),
        until: Vec::new(),
        search: None,
        stand_in: None,
        watched: Vec::new(),
        series: samples.iter().map(sample_record).collect(),
        runs: Vec::new(),
        spread: None,
    };
    let of_step = |at: usize| {
        let steps = samples.iter().map(|sample| sample.steps[at].unpack());
        let (response, service) = steps.map(|step| (step.response, step.service)).unzip();
        StepSeconds { response, service }
    };
    let seconds: Vec<StepSeconds> = (0..record.steps.len()).map(of_step).collect();
    bounds::put_into(&mut record, &seconds);
    record.warm_up = warm_up::of(&record);
    record
}

/// Adds the stand-in's own counts to a record, and whether they equal the record's. `answers` are by method, name and
/// status; a route that the record does not know makes them differ. `faults` are by name.
pub fn with_stand_in(
    mut record: Record,
    answers: &BTreeMap<(&str, &str, u16), u64>,
    faults: &BTreeMap<&str, u64>,
) -> Record {
    let key = |method: &str, name: &str, status: &str| format!("{method} {name} {status}");
    let counted: BTreeMap<String, u64> = answers
        .iter()
        .map(|((method, name, status), count)| (key(method, name, &status.to_string()), *count))
        .collect();
    let mut recorded = BTreeMap::new();
    let once = record.setup.iter().chain(&record.teardown);
    let once = once.flat_map(|once| &once.steps);
    let once = once.map(|step| (&step.method, &step.name, &step.statuses));
    let steps = record.steps.iter();
    let steps = steps.map(|step| (&step.method, &step.name, &step.statuses));
    for (method, name, statuses) in steps.chain(once) {
        for (status, count) in statuses {
            *recorded.entry(key(method, name, status)).or_insert(0) += count;
        }
    }
    record.stand_in = Some(StandIn {
        agrees: counted == recorded,
        answers: counted,
        faults: faults
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect(),
    });
    record
}

fn totals(counts: &Counts, load_s: f64) -> Totals {
    let mut totals = Totals {
        load_s,
        duration_s: load_s,
        connections_opened: counts.connects.count(),
        ..Totals::default()
    };
    for step in &counts.steps {
        totals.sent += step.sent;
        totals.requests += step.requests;
        totals.failures += step.failures;
        totals.unanswered += step.unanswered();
        totals.cut_off += step.cut_off;
        totals.never_begun += step.never_begun;
        totals.retried += step.retried;
        totals.bytes_sent += step.bytes_sent;
        totals.bytes_received += step.bytes_received;
    }
    let sum = |of: fn(&StepCounts) -> &Latencies| {
        let mut sum = Latencies::default();
        counts.steps.iter().for_each(|step| sum += of(step));
        sum
    };
    let service = sum(|step| &step.service);
    let response = sum(|step| &step.response);
    let client = sum(|step| &step.client);
    let failures = sum(|step| &step.failed);
    let mut all = response.clone();
    all += &failures;
    totals.service_us = times(&service);
    totals.response_us = times(&response);
    totals.client_us = times(&client);
    totals.failures_us = times(&failures);
    totals.all_us = times(&all);
    totals.histograms = Histograms {
        service: packed(&service),
        response: packed(&response),
        client: packed(&client),
        failures: packed(&failures),
    };
    let bounds = counts.steps.iter().map(|step| step.bound_min_ns);
    totals.bound_from_us = bound_us(bounds.min().unwrap_or(u64::MAX));
    totals.failure_ratio = ratio(totals.failures as f64, totals.requests as f64);
    let in_load = |of: fn(&InLoad) -> u64| {
        let steps = counts.steps.iter();
        ratio(
            steps.map(|step| of(&step.in_load)).sum::<u64>() as f64,
            load_s,
        )
    };
    totals.rps = in_load(|in_load| in_load.requests);
    totals.failures_per_s = in_load(|in_load| in_load.failures);
    totals
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// `u64::MAX` says that no time is a lower bound.
fn bound_us(min_ns: u64) -> Option<f64> {
    (min_ns < u64::MAX).then_some(min_ns as f64 / 1e3)
}

fn step_record((label, counts): (&MetricLabel, &StepCounts), load_s: f64) -> StepRecord {
    StepRecord {
        method: label.method.clone(),
        name: label.name.clone(),
        target: label.target.clone(),
        sent: counts.sent,
        requests: counts.requests,
        failures: counts.failures,
        unanswered: counts.unanswered(),
        cut_off: counts.cut_off,
        never_begun: counts.never_begun,
        retries: counts.retries,
        bound_from_us: bound_us(counts.bound_min_ns),
        rps: ratio(counts.in_load.requests as f64, load_s),
        failures_per_s: ratio(counts.in_load.failures as f64, load_s),
        statuses: statuses_of(counts),
        body_bytes: counts.body_bytes,
        service_us: times(&counts.service),
        response_us: times(&counts.response),
        client_us: times(&counts.client),
        failures_us: times(&counts.failed),
        all_us: times(&counts.response_with_failures()),
        confidence: Vec::new(),
        histograms: Histograms {
            service: packed(&counts.service),
            response: packed(&counts.response),
            client: packed(&counts.client),
            failures: packed(&counts.failed),
        },
    }
}

/// Answers by status.
pub(super) fn statuses_of(counts: &StepCounts) -> BTreeMap<String, u64> {
    let statuses = counts.statuses.iter().enumerate();
    statuses
        .filter(|(_, count)| **count > 0)
        .map(|(status, count)| (status.to_string(), *count))
        .collect()
}

pub(super) fn errors_of((label, counts): (&MetricLabel, &StepCounts)) -> Vec<ErrorRecord> {
    let errors = counts.errors.iter().filter(|error| error.count > 0);
    errors
        .map(|error| ErrorRecord {
            method: label.method.clone(),
            name: label.name.clone(),
            kind: error.failure.name().into(),
            status: (error.status > 0).then_some(error.status),
            reason: error.example.reason.clone(),
            detail: error.example.text.clone(),
            hint: hint(label, error.failure, error.status),
            count: error.count,
            first_s: error.first_ns as f64 / 1e9,
            last_s: error.last_ns as f64 / 1e9,
        })
        .collect()
}

pub(super) fn sample_record(sample: &Sample) -> SampleRecord {
    let all = sample.all();
    let length_s = sample.length_ns as f64 / 1e9;
    let response = times(&all.response);
    let busy = ratio(sample.working_ns as f64, sample.length_ns as f64).min(1.0);
    SampleRecord {
        t_s: sample.end_ns as f64 / 1e9,
        length_s,
        is_drain: sample.is_drain,
        is_settling: false,
        users: sample.users,
        in_flight: Some(sample.in_flight),
        rps: ratio(all.requests as f64, length_s),
        failures_per_s: ratio(all.failures as f64, length_s),
        p50_us: response.p50,
        p95_us: response.p95,
        p99_us: response.p99,
        max_us: response.max,
        busy,
        core_waited: sample.effort.core.share(),
        turn_us_max: sample.effort.turn_ns_max as f64 / 1e3,
        stopped_us_max: sample.effort.stopped_ns_max as f64 / 1e3,
        late: sample.effort.late,
        verdict: judge_seconds(&sample.judged).name().into(),
        seconds: by_verdict(&sample.judged),
        causes: sample.causes.found().map(cause_record).collect(),
        steps: sample
            .steps
            .iter()
            .map(|step| {
                let (sum_ns, min_ns, max_ns) = step.exact_ns;
                let (service_sum_ns, service_min_ns, service_max_ns) = step.service_exact_ns;
                StepSampleRecord {
                    requests: step.requests,
                    failures: step.failures,
                    body_bytes: step.body_bytes,
                    sum_us: sum_ns as f64 / 1e3,
                    // Without a request it is `u64::MAX`, and `max_ns` 0.
                    min_us: min_ns.min(max_ns) as f64 / 1e3,
                    max_us: max_ns as f64 / 1e3,
                    response: STANDARD.encode(&step.response_v2),
                    service_sum_us: service_sum_ns as f64 / 1e3,
                    service_min_us: service_min_ns.min(service_max_ns) as f64 / 1e3,
                    service_max_us: service_max_ns as f64 / 1e3,
                    service: STANDARD.encode(&step.service_v2),
                }
            })
            .collect(),
    }
}

fn cause_record((cause, figure): (Cause, f64)) -> (String, f64) {
    let figure = if cause.is_time() {
        figure / 1e3
    } else {
        figure
    };
    (cause.name().to_owned(), figure)
}
