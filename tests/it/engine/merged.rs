//! One load on one shard, on 64 shards, and in 16 parts whose records are written, read and merged: the same figures.
//!
//! The path is that of a real run: shards' counts and seconds, the record made of them, its JSON, [`align`] and [`merge`].

use std::collections::BTreeMap;

use crate::support::sim_server::{self, Answer, Seen, Server, check_sums};
use opsurge::engine::Control;
use opsurge::engine::plan::Plan;
use opsurge::engine::shard::{Handover, Outcomes};
use opsurge::load::Load;
use opsurge::load::closed::Closed;
use opsurge::load::part::Part;
use opsurge::metrics::interval::Interval;
use opsurge::metrics::recorder::Recorder;
use opsurge::metrics::series::Series;
use opsurge::metrics::summary::Summary;
use opsurge::record::build::{self, RunTime};
use opsurge::record::distribution::times;
use opsurge::record::merge::align::align;
use opsurge::record::merge::merge;
use opsurge::record::merge::together::refusal;
use opsurge::record::schema::{Record, SampleRecord, Totals};
use opsurge::sim::Network;
use opsurge_testbed::plans;
use serde_json::json;

const SECOND_NS: u64 = 1_000_000_000;
/// Neither 16 nor 64 divides it.
const USERS: u64 = 203;
const USERS_PER_SECOND: f64 = 150.0;
const RUN_S: u64 = 4;
/// Shortest answer; the longest takes 70,000 times as long, and fails by the time limit.
const ANSWER_NS_MIN: u64 = 20_000;
const TIMEOUT_NS: u64 = 500_000_000;

const SCENARIO: &str = r#"
    name = "merged"
    wait = "40ms..400ms"
    [variables]
    agent = "{{uuid}}"
    [[start]]
    method = "POST"
    path = "/register/{{sequence}}"
    json = '{"agent": "{{agent}}"}'
    [[task]]
    weight = 3
    method = "GET"
    path = "/state/{{random 1..1000000}}"
    [[task]]
    weight = 1
    [[task.step]]
    name = "work"
    method = "POST"
    path = "/work/{{random 1..1000000}}"
    begins = "job"
    [[task.step]]
    name = "ready"
    method = "GET"
    path = "/ready/{{agent}}"
    expect = { json = { "/ok" = true } }
    retry_every = "30ms"
    give_up_after = "100ms"
    ends = "job"
"#;

/// FNV-1a.
fn hash(text: &str) -> u64 {
    let bytes = text.bytes().map(u64::from);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ byte).wrapping_mul(0x0100_0000_01b3)
    })
}

/// How long the answer to a path takes: 20 us to 1.4 s, as many in each doubling.
fn takes_ns(path: &str) -> u64 {
    let drawn = hash(path);
    let doubled = ANSWER_NS_MIN << (drawn % 16);
    doubled + doubled * (drawn >> 32 & 0xffff) / 0x1_0000
}

/// An answer that depends on the request alone: one in twelve is a failure, and some polls are not ready for ever.
fn answer(seen: &Seen) -> Answer {
    let drawn = hash(&seen.path) >> 16;
    let is_ready = drawn.is_multiple_of(3);
    Answer {
        after_ns: takes_ns(&seen.path),
        ..Answer::new(
            if drawn.is_multiple_of(12) { 503 } else { 200 },
            format!("{{\"ok\":{is_ready}}}"),
        )
    }
}

fn plan(part: Part, shards: usize) -> Plan {
    let load = Load::Closed(Closed::at_rate(USERS, USERS_PER_SECOND));
    Plan {
        shards,
        run_time_ns: Some(RUN_S * SECOND_NS),
        timeout_ns: TIMEOUT_NS,
        // Every request that is open at the end has an outcome.
        drain_ns: Some(2 * TIMEOUT_NS),
        ..plans::plan(plans::scenario(SCENARIO), load.of_part(part))
    }
}

/// What the shards of one process hand over: the seconds, joined as the engine's collector joins them.
#[derive(Default)]
struct Seconds(BTreeMap<(u64, bool), (u64, Interval)>);

impl Seconds {
    fn add(&mut self, key: (u64, bool), end_ns: u64, interval: &Interval) {
        match self.0.get_mut(&key) {
            None => {
                self.0.insert(key, (end_ns, interval.clone()));
            }
            Some((last_ns, sum)) => {
                *last_ns = end_ns.max(*last_ns);
                *sum += interval;
            }
        }
    }

    fn series(self, steps: usize) -> Series {
        let mut series = Series::new(steps);
        for (end_ns, interval) in self.0.into_values() {
            series.push(end_ns.max(series.end_ns()), &interval);
        }
        series
    }
}

/// Runs all shards of a plan; their outcomes and seconds, added up, and the path of every request that the server saw.
fn carried_out(plan: &Plan) -> (Outcomes, Series, Vec<String>) {
    let steps = plan.scenario.metrics.len();
    let spans = plan.scenario.spans.len();
    let mut seconds = Seconds::default();
    let mut sum: Option<Outcomes> = None;
    let mut paths = Vec::new();
    for shard in 0..plan.shards {
        let server = Server::with_journal(answer);
        let sim = sim_server::sim(plan, shard, server, Network::calm(0), 1);
        let mut handed_over = Vec::new();
        let on_interval = Box::new(|handover: Handover, recorder: &mut Recorder| {
            handed_over.push((
                handover,
                recorder.swap_interval(Interval::reserved(steps, spans)),
            ));
        });
        let (outcomes, sim) = sim_server::drive(plan, shard, sim, &Control::default(), on_interval);
        check_sums(&outcomes.recorder.counts.steps, 1);
        for (handover, interval) in &handed_over {
            seconds.add(
                (handover.second, handover.is_drain),
                handover.end_ns,
                interval,
            );
        }
        let journal = sim.service.journal.unwrap_or_default();
        paths.extend(journal.into_iter().map(|seen| seen.path));
        match &mut sum {
            None => sum = Some(outcomes),
            Some(sum) => *sum += outcomes,
        }
    }
    (sum.expect("a shard"), seconds.series(steps), paths)
}

/// The record of a part, as its process writes it and `opsurge merge` reads it; and the paths of its requests.
fn record(part: Part, shards: usize) -> ((String, Record), Vec<String>) {
    let plan = plan(part, shards);
    let (outcomes, series, paths) = carried_out(&plan);
    let time = RunTime {
        load_ns: outcomes.load_to_ns - outcomes.load_from_ns,
        drain_ns: outcomes.lasted_ns - outcomes.load_to_ns,
        open_at_load_end: outcomes.open_at_load_end as u64,
    };
    let (counts, _) = outcomes.recorder.into_parts();
    let figures = [&counts.turns, &counts.connects].map(times);
    let summary = Summary { counts, series };
    let run = json!({
        "version": "0", "scenario": "merged", "host": "http://sim", "addresses": [], "source_addresses": [], "tcp": [],
        "users": plan.load.users_max(), "users_came": outcomes.users_came, "spawn_rate": null, "run_time_s": RUN_S,
        "load": { "model": "closed", "stages": [], "open": null, "wait": "40ms..400ms", "iterations": null },
        "seed": plan.seed, "shards": shards, "backend": "sim", "connections": "per-user", "pipeline": 1,
        "timeout_s": 0.5, "started_at": "2026-11-26T00:00:00.000000Z", "ended_by": "time", "error": null,
        "machine": { "cores": shards, "cpu": "sim", "kernel": "sim", "hostname": format!("m{}", part.number()) },
        "part": (!part.is_whole()).then(|| json!({ "index": part.number(), "of": part.of() })),
    });
    let generator = json!({
        "cpu_user_s": 0.0, "cpu_system_s": 0.0, "rss_max_bytes": 0, "screen_cpu_s": null, "shards": [],
        "turn_us": figures[0], "connect_us": figures[1], "calibration": null,
        "verdict": { "status": "VALID", "reasons": [] },
    });
    let made = build::record(
        serde_json::from_value(run).expect("a run"),
        &plan.scenario.metrics,
        &plan.scenario.spans,
        &summary,
        time,
        serde_json::from_value(generator).expect("a generator"),
    );
    let read = Record::parse(&made.to_json()).expect("what was written can be read");
    assert_eq!(read, made, "JSON loses nothing");
    (
        (format!("part {}/{}", part.number(), part.of()), read),
        paths,
    )
}

/// The records of all parts, merged, and the paths of their requests.
fn merged(shards_of: &[usize]) -> (Record, Vec<String>) {
    let of = shards_of.len() as u64;
    let made = shards_of
        .iter()
        .zip(1..)
        .map(|(shards, number)| record(Part::new(number, of).expect("a part"), *shards));
    let (parts, paths): (Vec<_>, Vec<_>) = made.unzip();
    assert_eq!(refusal(&parts), None, "they are parts of one run");
    let alignment = align(&parts, None).expect("they started together");
    assert!(alignment.offsets_s.iter().all(|offset_s| *offset_s == 0.0));
    let merged = merge(&parts, &alignment.offsets_s).expect("they can be merged");
    (merged, paths.concat())
}

/// The seconds without what belongs to a process: how its shards worked.
fn seconds(record: &Record) -> Vec<SampleRecord> {
    // A length is a difference of two moments: a merged record's, and its rates, are rounded once more.
    let rounded = |value: f64| (value * 1e6).round() / 1e6;
    let samples = record.series.iter().cloned();
    samples
        .map(|sample| SampleRecord {
            length_s: rounded(sample.length_s),
            rps: rounded(sample.rps),
            failures_per_s: rounded(sample.failures_per_s),
            busy: 0.0,
            core_waited: 0.0,
            turn_us_max: 0.0,
            stopped_us_max: 0.0,
            late: 0,
            verdict: String::new(),
            ..sample
        })
        .collect()
}

fn check_same(found: &Record, expected: &Record, what: &str) {
    for (found, expected) in found.steps.iter().zip(&expected.steps) {
        assert_eq!(
            found, expected,
            "{what}: a step, with its percentiles and histograms"
        );
    }
    assert_eq!(found.steps.len(), expected.steps.len(), "{what}");
    // The drain is a difference of two moments: a merged record's is rounded once more.
    assert!((found.totals.drain_s - expected.totals.drain_s).abs() < 1e-9);
    let totals = Totals {
        drain_s: expected.totals.drain_s,
        ..found.totals.clone()
    };
    assert_eq!(totals, expected.totals, "{what}: the totals");
    assert_eq!(found.polls, expected.polls, "{what}: the polls");
    assert_eq!(found.spans, expected.spans, "{what}: the spans");
    assert_eq!(found.run.users_came, expected.run.users_came, "{what}");
    let (ours, theirs) = (seconds(found), seconds(expected));
    assert_eq!(ours.len(), theirs.len(), "{what}: as many seconds");
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs, "{what}: second {}", theirs.t_s);
    }
    let errors = |record: &Record| {
        let errors = record.errors.iter();
        let counts = errors.map(|error| (error.kind.clone(), error.name.clone(), error.count));
        let mut counts: Vec<_> = counts.collect();
        counts.sort();
        counts
    };
    assert_eq!(errors(found), errors(expected), "{what}: the failures");
}

/// Percentiles by sorting the times that the server took, which shares nothing with histograms and merging.
fn check_percentiles(record: &Record, paths: &[String]) {
    let mut times_us: Vec<f64> = paths
        .iter()
        .map(|path| takes_ns(path).min(TIMEOUT_NS) as f64 / 1e3)
        .collect();
    times_us.sort_by(f64::total_cmp);
    let all = &record.totals.all_us;
    assert_eq!(all.count as usize, times_us.len());
    let percentiles = [
        (50.0, all.p50),
        (66.0, all.p66),
        (75.0, all.p75),
        (80.0, all.p80),
        (90.0, all.p90),
        (95.0, all.p95),
        (98.0, all.p98),
        (99.0, all.p99),
    ];
    for (percent, found) in percentiles {
        // The nearest rank; a histogram of three digits is within a thousandth.
        let rank = (percent / 100.0 * times_us.len() as f64).ceil() as usize;
        let expected = times_us[rank - 1];
        let found = found.expect("a percentile");
        let off = (found - expected).abs();
        assert!(
            off <= 1.0 + expected / 1_000.0,
            "p{percent}: {found}, not {expected}"
        );
    }
    assert_eq!(all.min, times_us.first().copied());
    assert_eq!(all.max, times_us.last().copied());
}

#[test]
fn sixty_four_shards_and_sixteen_merged_parts_have_the_figures_of_one_shard() {
    let ((_, one), mut sent) = record(Part::WHOLE, 1);
    sent.sort_unstable();
    assert!(one.totals.requests > 2_000, "{}", one.totals.requests);
    assert!(one.totals.failures > 200 && one.totals.unanswered == 0);
    check_percentiles(&one, &sent);
    let ((_, many), mut sent_by_many) = record(Part::WHOLE, 64);
    sent_by_many.sort_unstable();
    assert!(sent_by_many == sent, "64 shards send other requests");
    check_same(&many, &one, "64 shards");
    // Parts on machines of different sizes, 64 shards in all.
    let shards_of = [1, 7, 4, 2, 8, 3, 4, 4, 1, 9, 2, 4, 6, 1, 5, 3];
    assert_eq!((shards_of.len(), shards_of.iter().sum::<usize>()), (16, 64));
    let (merged, mut sent_by_parts) = merged(&shards_of);
    sent_by_parts.sort_unstable();
    assert!(sent_by_parts == sent, "16 parts send other requests");
    check_same(&merged, &one, "16 parts");
    assert_eq!(merged.run.parts.len(), 16);
    assert_eq!(merged.run.shards, 64);
    // What is written of a merged record is what was merged.
    let read = Record::parse(&merged.to_json()).expect("a record");
    assert_eq!(read, merged);
}
