//! Several runs as one record: when they began, what they are judged by, how they are shown.

use opsurge::record::repeat::pooled;
use opsurge::record::schema::{OpenRecord, Record, RuleRecord};
use opsurge::report::console::{Console, Form};
use opsurge_testbed::fuzz_bodies::RECORD;

use crate::support::binary::{check_sums, record_schema::check_record};

/// A run of 3 s that began so many seconds after the first.
fn run_at(second: u32) -> Record {
    let mut run = Record::parse(RECORD).expect("it is a record");
    run.run.started_at = format!("2026-11-26T15:44:{:02}.317Z", second + 10);
    run.generator.verdict.status = "VALID".into();
    run.generator.verdict.reasons = vec!["enough to see failures".into()];
    run
}

fn pool(runs: Vec<Record>) -> Record {
    let record = pooled(runs).expect("their histograms can be read");
    check_record(&record.to_json());
    check_sums(&record);
    record
}

#[test]
fn runs_lie_one_after_the_other_whatever_the_clock_did() {
    // The clock was set back before the third run.
    let runs = vec![run_at(0), run_at(8), run_at(2)];
    let load_s: f64 = runs.iter().map(|run| run.totals.load_s).sum();
    let of_one = runs[0].totals.requests;
    let record = pool(runs);
    assert_eq!(record.totals.requests, 3 * of_one);
    assert!(
        (record.totals.load_s - load_s).abs() < 1e-6,
        "{}",
        record.totals.load_s
    );
    let load = record.series.iter().filter(|sample| !sample.is_drain);
    let ends: Vec<f64> = load.map(|sample| sample.t_s).collect();
    assert_eq!(ends, [1.0, 2.0, 3.0, 9.0, 10.0, 11.0, 13.0, 14.0, 15.0]);
    let lengths = record.series.iter().filter(|sample| !sample.is_drain);
    assert!(
        lengths
            .map(|sample| sample.length_s)
            .all(|length_s| (length_s - 1.0).abs() < 1e-9)
    );
    let drain_s: f64 = record.runs.iter().map(|run| run.totals.drain_s).sum();
    assert_eq!(record.totals.drain_s, drain_s);
}

#[test]
fn equal_runs_have_the_figures_of_one_and_no_spread() {
    let one = run_at(0);
    let record = pool(vec![one.clone(), run_at(8), run_at(16), run_at(24)]);
    let (found, expected) = (&record.totals.all_us, &one.totals.all_us);
    assert_eq!(
        (found.p50, found.p99, found.max),
        (expected.p50, expected.p99, expected.max)
    );
    let spread = record.spread.expect("four runs");
    assert_eq!(spread.p99_us.mean, one.totals.all_us.p99);
    assert_eq!(spread.p99_us.deviation, Some(0.0));
    assert!((record.totals.rps - one.totals.rps).abs() < 1e-9);
    assert_eq!(
        pool(vec![one]).spread.expect("one run").p50_us.deviation,
        None
    );
}

#[test]
fn the_gravest_verdict_is_that_of_all_and_its_findings_name_their_runs() {
    let mut runs = vec![run_at(0), run_at(8), run_at(16)];
    let verdict_of = |runs: &[Record]| pool(runs.to_vec()).generator.verdict;
    let valid = verdict_of(&runs);
    assert_eq!(valid.status, "VALID");
    assert_eq!(valid.reasons, ["every run: enough to see failures"]);
    runs[2].generator.verdict.status = "GENERATOR-LIMITED".into();
    runs[2].generator.verdict.reasons = vec!["too slow".into(), "too late".into()];
    runs[0].generator.verdict.status = "MACHINE-DISTURBED".into();
    runs[0].generator.verdict.reasons = vec!["steal".into(), "too late".into()];
    let verdict = verdict_of(&runs);
    assert_eq!(verdict.status, "GENERATOR-LIMITED");
    assert_eq!(
        verdict.reasons,
        ["run 3: too slow", "runs 1, 3: too late", "run 1: steal"]
    );
}

#[test]
fn a_rule_stands_once_with_the_run_that_decided_it() {
    let rule = |broken, windows, says: &str| RuleRecord {
        broken,
        windows,
        says: says.into(),
        ..run_at(0).rules[0].clone()
    };
    let decided = |rules: [RuleRecord; 3]| {
        let runs = rules.into_iter().zip([0, 8, 16]).map(|(rule, second)| {
            let mut run = run_at(second);
            run.rules = vec![rule];
            run
        });
        let mut record = pool(runs.collect());
        assert_eq!(record.rules.len(), 1);
        record.rules.remove(0)
    };
    let held = decided([
        rule(false, 2, "a"),
        rule(false, 2, "b"),
        rule(false, 0, "none"),
    ]);
    assert_eq!(
        (held.broken, held.windows, held.says.as_str()),
        (false, 4, "run 2: b")
    );
    // Its window lies on the axis of all runs.
    assert_eq!((held.from_s, held.to_s), (Some(10.0), Some(11.0)));
    let broken = decided([rule(false, 2, "a"), rule(true, 1, "b"), rule(true, 1, "c")]);
    assert_eq!(
        (broken.broken, broken.windows, broken.says.as_str()),
        (true, 4, "run 2: b")
    );
}

#[test]
fn what_became_of_an_open_load_is_added_up_and_an_error_of_any_run_is_said() {
    let open = |due, begun| OpenRecord {
        rate: 100.0,
        stages: Vec::new(),
        arrivals: "constant".into(),
        users_ready: 3,
        from_s: 0.0,
        due,
        begun,
        waited: 1,
        dropped: due - begun,
        never_begun: 0,
        rate_begun: begun as f64 / 3.0,
    };
    let mut runs = vec![run_at(0), run_at(8)];
    runs[0].run.load.open = Some(open(300, 300));
    runs[1].run.load.open = Some(open(300, 240));
    runs[1].run.ended_by = "error".into();
    runs[1].run.error = Some("shard 1 panicked".into());
    runs[1].run.users_came = 2;
    let run = pool(runs).run;
    let sum = run.load.open.expect("an open load");
    assert_eq!(
        (sum.rate, sum.due, sum.begun, sum.waited, sum.dropped),
        (100.0, 600, 540, 2, 60)
    );
    assert!((sum.rate_begun - 90.0).abs() < 1e-9, "{}", sum.rate_begun);
    assert_eq!((run.ended_by.as_str(), run.users_came), ("error", 2));
    assert_eq!(run.error.as_deref(), Some("shard 1 panicked"));
}

#[test]
fn the_table_of_runs_fits_every_page_and_keeps_rate_and_p99() {
    let record = pool((0..12).map(|number| run_at(4 * number)).collect());
    for form in [Form::Short, Form::Full] {
        for width in [40, 60, 80, 120] {
            let console = Console {
                form,
                width,
                ..Console::default()
            };
            let text = console.text(&record);
            let widest = text.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(width), "{width}: {text}");
            let mut lines = text
                .lines()
                .skip_while(|line| !line.contains("pooled above"));
            let head = lines.find(|line| line.starts_with(' ') && line.contains("req/s"));
            let head = head.expect("a head");
            assert!(head.contains("p99"), "{width}: {head}");
            assert!(
                lines.clone().any(|line| line.starts_with("run 12 ")),
                "{text}"
            );
            assert!(lines.any(|line| line.starts_with("std dev ")), "{text}");
        }
    }
}
