//! What a slice does to what stands beside the series.

use super::tests::{SECONDS, record};
use super::*;
use crate::record::merge::drawn::{built, requests};
use crate::record::repeat::pooled;
use crate::record::schema::{
    OpeningRecord, RuleRecord, TlsRecord, WatchedRecord, WatchedSampleRecord,
};

fn not_sliced(record: &Record) -> &[String] {
    &record.slice.as_ref().expect("a slice").not_sliced
}

fn names(record: &Record, what: &str) -> bool {
    not_sliced(record).iter().any(|name| name == what)
}

/// Uses 1 core for 12 s, then 3 of its 3 cores; a process of two ends in second 21.
fn watched() -> WatchedRecord {
    let sample = |second: u64| WatchedSampleRecord {
        // Sampling began 0.2 s before the run.
        t_s: second as f64 - 0.2,
        length_s: 1.0,
        processes: if second > 20 { 1 } else { 2 },
        cpu_cores: Some(if second <= 12 { 1.0 } else { 3.0 }),
        rss_bytes: Some(second * 100),
        ..WatchedSampleRecord::default()
    };
    WatchedRecord {
        name: "service".into(),
        cores: Some(3.0),
        came: 2,
        gone: 1,
        first_gone_s: Some(20.8),
        samples: (1..=SECONDS).map(sample).collect(),
        ..WatchedRecord::default()
    }
}

fn rule(name: &str, broken: bool, window: Option<(f64, f64)>) -> RuleRecord {
    RuleRecord {
        kind: "fail-if".into(),
        rule: name.into(),
        broken,
        windows: u64::from(window.is_some()),
        from_s: window.map(|(from_s, _)| from_s),
        to_s: window.map(|(_, to_s)| to_s),
        users: Some(5),
        value: Some(1.0),
        says: "it was so".into(),
        note: None,
        part: None,
    }
}

#[test]
fn what_was_watched_is_cut_and_its_figures_are_made_again() {
    let mut whole = record();
    whole.watched = vec![watched()];
    let cut = |from_s, to_s| {
        let part = slice(&whole, from_s, Some(to_s)).expect("a part");
        let found = part.watched[0].clone();
        (part, found)
    };
    let (_, found) = cut(2.0, 10.0);
    let ends: Vec<f64> = found.samples.iter().map(|sample| sample.t_s).collect();
    assert_eq!(ends, [2.8, 3.8, 4.8, 5.8, 6.8, 7.8, 8.8, 9.8]);
    assert_eq!((found.cpu_mean, found.cpu_max), (Some(1.0), Some(1.0)));
    assert_eq!((found.rss_max_bytes, found.processes_max), (Some(1000), 2));
    assert_eq!(
        (found.full_s, found.gone, found.first_gone_s),
        (0.0, 0, None)
    );
    let (part, found) = cut(20.0, 30.0);
    assert_eq!((found.cpu_mean, found.cpu_max), (Some(3.0), Some(3.0)));
    assert!((found.full_s - 9.8).abs() < 1e-9, "{}", found.full_s);
    assert_eq!((found.gone, found.first_gone_s), (1, Some(20.8)));
    assert!(names(
        &part,
        "watched processes that came or ended within a second"
    ));
    // After a settling time the rest is that of the whole run, and is named.
    let settled = settled(&whole, 12.0).expect("the rest");
    assert_eq!(settled.watched, whole.watched);
    assert!(names(&settled, "what was watched"));
}

#[test]
fn a_rule_stays_with_its_window_or_when_it_was_broken() {
    let mut whole = record();
    whole.rules = vec![
        rule("inside", false, Some((20.0, 30.0))),
        rule("outside", false, Some((10.0, 20.0))),
        rule("never judged", false, None),
        rule("broken outside", true, Some((0.0, 10.0))),
    ];
    let part = slice(&whole, 15.0, Some(35.0)).expect("a part");
    let kept: Vec<&str> = part.rules.iter().map(|rule| rule.rule.as_str()).collect();
    assert_eq!(kept, ["inside", "broken outside"]);
    assert_eq!(part.rules[1].from_s, Some(0.0), "its place stays true");
    assert!(names(&part, "2 rules judged by windows outside"));
    assert_eq!(settled(&whole, 12.0).expect("the rest").rules, whole.rules);
}

#[test]
fn a_slice_of_several_runs_leaves_out_runs_and_spread_and_counts_the_pauses() {
    let run = |at: u64| {
        let mut record = built(&requests(at, 3));
        record.run.started_at = format!("2026-11-24T12:0{at}:00.000Z");
        record.generator.verdict.status = "MACHINE-DISTURBED".into();
        record.generator.verdict.reasons = vec!["in 1 of 3 seconds, others had the core".into()];
        record
    };
    let whole = pooled((0..3).map(run).collect()).expect("pooled");
    let second = slice(&whole, 60.0, Some(63.0)).expect("the second run");
    assert!(second.runs.is_empty() && second.spread.is_none());
    assert!(names(&second, "the runs and their spread"));
    assert_eq!(second.slice.as_ref().expect("a slice").of_s, 123.0);
    let requests = whole.runs[1]
        .series
        .iter()
        .filter(|sample| !sample.is_drain);
    let requests = requests.flat_map(|sample| sample.steps.iter().map(|step| step.requests));
    assert_eq!(second.totals.requests, requests.sum::<u64>());
    // Findings of runs are about seconds, and these seconds are not doubted.
    assert_eq!(second.generator.verdict.status, "VALID");
    let error = slice(&whole, 130.0, None).expect_err("after its end");
    assert!(error.contains("the load lasted 123"), "{error}");
}

#[test]
fn handshakes_are_not_known_by_second() {
    let mut whole = record();
    let full_us = Times {
        count: 7,
        ..Times::default()
    };
    whole.tls = Some(TlsRecord {
        version: "TLS 1.3".into(),
        full_us,
        opening: Some(OpeningRecord::default()),
        ..TlsRecord::default()
    });
    let part = slice(&whole, 15.0, None).expect("a part");
    let tls = part.tls.clone().expect("it was encrypted");
    assert_eq!(
        (tls.version.as_str(), tls.full_us, tls.opening),
        ("TLS 1.3", Times::default(), None)
    );
    assert!(names(&part, "handshakes"));
    assert_eq!(settled(&whole, 12.0).expect("the rest").tls, whole.tls);
}
