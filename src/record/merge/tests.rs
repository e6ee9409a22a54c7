//! Merging is exact: parts of drawn runs, merged, are the run.

use std::collections::BTreeMap;

use super::align::{Align, align};
use super::drawn::{Draws, Request, built, coarse, named, requests, shifted};
use super::together::{judge, refusal};
use super::*;
use crate::record::schema::{ClockRecord, ClockStateRecord, PartRecord, Record, StartAtRecord};

/// Everything that adds up, in a form that can be compared.
fn sums(record: &Record) -> BTreeMap<String, String> {
    let mut sums = BTreeMap::new();
    for step in &record.steps {
        let mut counted = step.clone();
        counted.confidence.clear();
        sums.insert(
            format!("{} {}", step.method, step.name),
            format!("{counted:?}"),
        );
    }
    let mut totals = record.totals.clone();
    (totals.rps_low, totals.rps_high) = (None, None);
    totals.confidence.clear();
    sums.insert("totals".into(), format!("{totals:?}"));
    for error in &record.errors {
        let counted = (error.count, error.first_s, error.last_s);
        let key = format!(
            "{} {:?} {:?}",
            error.kind,
            error.status,
            (&error.name, &error.reason)
        );
        sums.insert(key, format!("{counted:?}"));
    }
    for poll in &record.polls {
        sums.insert(format!("poll {}", poll.name), format!("{poll:?}"));
    }
    for span in &record.spans {
        sums.insert(format!("span {}", span.name), format!("{span:?}"));
    }
    sums
}

/// The requests dealt to so many parts, in turn.
fn dealt(all: &[Request], parts: usize) -> Vec<(String, Record)> {
    let parts = (0..parts).map(|part| {
        let own = all.iter().skip(part).step_by(parts);
        let record = built(&own.copied().collect::<Vec<_>>());
        (format!("part {}/{parts}", part + 1), record)
    });
    parts.collect()
}

fn merged(parts: &[(String, Record)]) -> Record {
    merge(parts, &vec![0.0; parts.len()]).expect("they can be merged")
}

#[test]
fn parts_of_a_run_merged_are_the_run_with_the_same_percentiles_and_intervals() {
    for seed in 1..=8 {
        let all = requests(seed, 24);
        let whole = built(&all);
        for count in [1, 2, 3, 8] {
            let found = merged(&dealt(&all, count));
            assert_eq!(found.totals, whole.totals, "seed {seed}, {count} parts");
            assert_eq!(found.steps, whole.steps, "seed {seed}, {count} parts");
            assert_eq!(sums(&found), sums(&whole), "seed {seed}, {count} parts");
            let series = |record: &Record| {
                let samples = record.series.iter().cloned();
                // Users, and what shards did, are each part's own.
                samples
                    .map(|mut sample| {
                        sample.users = 0;
                        sample.late = 0;
                        sample
                    })
                    .collect::<Vec<_>>()
            };
            assert_eq!(series(&found), series(&whole), "seed {seed}, {count} parts");
        }
    }
}

#[test]
fn the_order_and_the_grouping_of_parts_change_nothing_that_is_counted() {
    for seed in 1..=8 {
        let parts = dealt(&requests(seed, 9), 4);
        let mut draws = Draws::new(seed);
        let offsets: Vec<f64> = (0..4).map(|_| draws.below(40) as f64).collect();
        let all = merge(&parts, &offsets).expect("merged");
        let order = [2, 0, 3, 1];
        let reordered = merge(
            &order.map(|at| parts[at].clone()),
            &order.map(|at| offsets[at]),
        );
        assert_eq!(
            sums(&reordered.expect("merged")),
            sums(&all),
            "seed {seed}: the order"
        );
        let pair = |one: usize, other: usize| {
            let both = [parts[one].clone(), parts[other].clone()];
            let merged = merge(&both, &[offsets[one], offsets[other]]).expect("merged");
            ("two".to_owned(), merged)
        };
        let halves = [pair(0, 2), pair(3, 1)];
        let starts = [offsets[0].min(offsets[2]), offsets[3].min(offsets[1])];
        let grouped = merge(&halves, &starts).expect("merged");
        assert_eq!(sums(&grouped), sums(&all), "seed {seed}: the grouping");
        assert_eq!(grouped.series, all.series, "seed {seed}: the series");
        assert_eq!(grouped.run.parts.len(), 4);
        assert_eq!(grouped.run.all_running, all.run.all_running);
    }
}

#[test]
fn load_times_are_united_and_rates_are_over_the_union() {
    let parts = dealt(&requests(3, 10), 2);
    let check = |offset_s: f64, load_s: f64, running: Option<(f64, f64)>| {
        let found = merge(&parts, &[0.0, offset_s]).expect("merged");
        assert_eq!(found.totals.load_s, load_s, "at {offset_s} s");
        let in_load: f64 = parts
            .iter()
            .map(|(_, part)| part.totals.rps * part.totals.load_s)
            .sum();
        let rate = in_load.round() / load_s;
        assert_eq!(found.totals.rps, rate, "at {offset_s} s");
        let all = found.run.all_running.map(|all| (all.from_s, all.to_s));
        assert_eq!(all, running, "at {offset_s} s");
        let counted: u64 = found
            .series
            .iter()
            .flat_map(|sample| &sample.steps)
            .map(|step| step.requests)
            .sum();
        assert_eq!(counted, found.totals.requests, "at {offset_s} s");
        // The samples follow each other without an overlap.
        for pair in found.series.windows(2) {
            assert!(
                pair[0].t_s <= pair[1].t_s - pair[1].length_s + 1e-9,
                "{pair:?}"
            );
        }
    };
    check(0.0, 10.0, Some((0.0, 10.0)));
    check(4.0, 14.0, Some((4.0, 10.0)));
    check(25.0, 20.0, None);
    check(0.25, 10.25, Some((0.25, 10.0)));
}

#[test]
fn a_sample_is_put_into_the_second_nearest_to_its_end() {
    let parts = dealt(&requests(5, 6), 2);
    let whole = merged(&parts);
    let near = merge(&parts, &[0.0, 0.04]).expect("merged");
    let counts = |record: &Record| {
        let samples = record.series.iter().filter(|sample| !sample.is_drain);
        samples
            .map(|sample| sample.steps.iter().map(|step| step.requests).sum::<u64>())
            .collect::<Vec<_>>()
    };
    assert_eq!(counts(&near), counts(&whole));
    let ends: Vec<f64> = near.series.iter().map(|sample| sample.t_s).collect();
    assert_eq!(ends[..5], [1.0, 2.0, 3.0, 4.0, 5.0]);
    assert!((ends[5] - 6.04).abs() < 1e-9, "{ends:?}");
}

#[test]
fn a_part_with_long_samples_makes_those_of_the_whole_as_long() {
    let all = requests(6, 8);
    let mut parts = dealt(&all, 2);
    let odd: Vec<Request> = all.iter().skip(1).step_by(2).copied().collect();
    parts[1].1 = coarse(&odd, 4);
    let found = merged(&parts);
    let load = found.series.iter().filter(|sample| !sample.is_drain);
    let ends: Vec<(f64, f64)> = load.map(|sample| (sample.t_s, sample.length_s)).collect();
    assert_eq!(ends, [(4.0, 4.0), (8.0, 4.0)]);
    let alone = merged(&parts[1..]);
    assert_eq!(alone.series.len(), parts[1].1.series.len());
    assert_eq!(alone.totals.requests, parts[1].1.totals.requests);
}

#[test]
fn a_second_of_several_parts_has_the_gravest_of_their_verdicts() {
    let mut parts = dealt(&requests(7, 3), 3);
    parts[1].1.series[1].seconds = [("MACHINE-DISTURBED".to_owned(), 1)].into();
    parts[2].1.series[1].seconds = [("GENERATOR-LIMITED".to_owned(), 1)].into();
    let found = merged(&parts);
    assert_eq!(found.series[0].verdict, "VALID");
    assert_eq!(found.series[1].verdict, "GENERATOR-LIMITED");
    assert_eq!(
        found.series[1].seconds,
        [("GENERATOR-LIMITED".to_owned(), 1)].into()
    );
}

#[test]
fn findings_rules_and_reasons_name_their_part_and_the_gravest_decides() {
    let mut parts = dealt(&requests(8, 3), 2);
    parts[1].1.generator.verdict.status = "MACHINE-DISTURBED".into();
    parts[1].1.generator.verdict.reasons = vec!["a noisy neighbour".into()];
    parts[0].1.exit_code = 1;
    parts[1].1.exit_code = 4;
    parts[1].1.passed = false;
    parts[1].1.reasons = vec!["a rule was broken".into()];
    let found = merged(&parts);
    assert_eq!(found.generator.verdict.status, "MACHINE-DISTURBED");
    assert!(
        found
            .generator
            .verdict
            .reasons
            .contains(&"part 2/2: a noisy neighbour".to_owned())
    );
    assert_eq!(found.reasons, ["part 2/2: a rule was broken"]);
    assert_eq!((found.passed, found.exit_code), (false, 4));
}

#[test]
fn what_cannot_be_merged_is_refused_with_the_part() {
    assert!(merge(&[], &[]).is_err());
    let mut parts = dealt(&requests(9, 3), 2);
    parts[1].1.steps[0].histograms.service = "not a histogram".into();
    let error = merge(&parts, &[0.0, 0.0]).expect_err("refused").to_string();
    assert!(
        error.starts_with("part 2/2: the histogram `service` of"),
        "{error}"
    );
    let mut parts = dealt(&requests(9, 3), 2);
    parts[0].1.steps[0].response_us.count += 1;
    let error = merge(&parts, &[0.0, 0.0]).expect_err("refused").to_string();
    assert!(error.contains("its figures say"), "{error}");
}

#[test]
fn records_that_are_not_parts_of_one_run_are_told_apart() {
    let parts = || {
        let mut parts = dealt(&requests(10, 3), 2);
        for (at, (_, record)) in parts.iter_mut().enumerate() {
            record.run.part = Some(PartRecord {
                index: at as u64 + 1,
                of: 2,
            });
        }
        parts
    };
    assert_eq!(refusal(&parts()), None);
    let check = |change: fn(&mut Record), expected: &str| {
        let mut parts = parts();
        change(&mut parts[1].1);
        let found = refusal(&parts).unwrap_or_default();
        assert!(found.contains(expected), "{found}");
    };
    check(
        |record| record.run.scenario = "other".into(),
        "their scenarios are",
    );
    check(
        |record| record.run.load.model = "open".into(),
        "a load that is closed",
    );
    check(
        |record| drop(record.steps.pop()),
        "only one of them has the step",
    );
    check(|record| record.run.seed += 1, "their seeds are");
    let first = PartRecord { index: 1, of: 2 };
    check(
        |record| record.run.part = Some(PartRecord { index: 1, of: 2 }),
        "are the same run",
    );
    check(
        |record| record.run.part = Some(PartRecord { index: 2, of: 3 }),
        "parts of different runs: one is of 2, the other of 3",
    );
    let mut parts = parts();
    parts[1].1.run.part = Some(first);
    parts[1].1.run.started_at = shifted(&parts[1].1.run.started_at, 60);
    let found = refusal(&parts).unwrap_or_default();
    assert!(
        found.contains("are both part 1/2, from different runs"),
        "{found}"
    );
}

#[test]
fn a_late_part_and_a_missing_part_are_findings() {
    let mut parts = named(dealt(&requests(11, 10), 3));
    parts.remove(1);
    let mut found = merge(&parts, &[0.0, 2.5]).expect("merged");
    judge(&mut found);
    let reasons = &found.generator.verdict.reasons;
    assert_eq!(found.generator.verdict.status, "RATE-NOT-MET");
    assert!(
        reasons[0].starts_with("part 2 of 3 is missing"),
        "{reasons:?}"
    );
    assert!(
        reasons[1].starts_with("part 1/3 ended 2.50 s before the last part"),
        "{reasons:?}"
    );
    assert!(
        reasons[2].starts_with("part 3/3 began 2.50 s after the first part"),
        "{reasons:?}"
    );
}

#[test]
fn clocks_decide_how_records_are_aligned() {
    let parts = |errors_us: [u64; 2], is_synchronised: bool| {
        let mut parts = dealt(&requests(12, 3), 2);
        for (at, (_, record)) in parts.iter_mut().enumerate() {
            let state = ClockStateRecord {
                is_synchronised,
                error_us_max: errors_us[at],
            };
            record.run.machine.boot_id = format!("boot {at}");
            record.run.machine.clock = Some(ClockRecord {
                start: state,
                end: state,
            });
            record.run.start_at = Some(StartAtRecord {
                at: record.run.started_at.clone(),
                late_s: 0.25 * at as f64,
            });
        }
        parts[1].1.run.started_at = shifted(&parts[1].1.run.started_at, 7);
        parts
    };
    let check = |parts: &[(String, Record)], asked, by, offset_s: f64, note: Option<&str>| {
        let found = align(parts, asked).expect("aligned");
        assert_eq!((found.by, &found.offsets_s[..]), (by, &[0.0, offset_s][..]));
        match note {
            None => assert_eq!(found.note, None),
            Some(note) => assert!(
                found.note.clone().unwrap_or_default().contains(note),
                "{found:?}"
            ),
        }
    };
    use Align::{Clock, Start};
    check(&parts([50_000; 2], true), None, Clock, 7.0, None);
    check(
        &parts([0, 60_000], true),
        None,
        Clock,
        7.0,
        Some("part 2/2's machine may have been wrong by 60.0 ms"),
    );
    check(
        &parts([0, 600_000], true),
        None,
        Start,
        0.25,
        Some("the common start instead"),
    );
    check(
        &parts([0; 2], false),
        None,
        Start,
        0.25,
        Some("not synchronised"),
    );
    check(
        &parts([0; 2], false),
        Some(Clock),
        Clock,
        7.0,
        Some("not synchronised"),
    );
    check(&parts([0; 2], false), Some(Start), Start, 0.25, None);
    let mut same = parts([0; 2], false);
    same[1].1.run.machine.boot_id = "boot 0".into();
    check(&same, None, Clock, 7.0, None);
}
