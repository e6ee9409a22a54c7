use super::*;
use crate::metrics::outcome::{Failure, Outcome};
use crate::metrics::recorder::{Recorder, Times as Moments};
use crate::metrics::series::Series;
use crate::metrics::summary::Summary;
use crate::record::build;
use crate::record::build::RunTime;
use crate::record::merge::drawn;
use crate::record::schema::{
    Generator, GeneratorHistograms, RuleRecord, RunInfo, Times, VerdictRecord,
};
use crate::scenario::model::{Carries, MetricLabel};
use crate::text::columns::columns;

const ENDPOINTS: [(&str, &str); 3] = [
    ("POST", "/v1/opscore/internal/agent/notify"),
    ("GET", "/v1/opscore/agent/[id]/state"),
    ("POST", "/v1/opscore/agent/[id]/workflow"),
];
const WORKFLOW: usize = 2;

/// A run of `answered` requests to each endpoint. The first `failed` workflow requests got 500, and one was cut off.
fn record(answered: u64, failed: u64) -> Record {
    let mut recorder = Recorder::new(ENDPOINTS.len(), 0, 0);
    for step in 0..ENDPOINTS.len() {
        for index in 0..answered {
            recorder.on_started(step);
            let moments = Moments {
                intended_ns: index * 1_000_000,
                submitted_ns: index * 1_000_000 + 20_000,
                done_ns: index * 1_000_000 + 1_250_000,
            };
            let (failure, status) = (Failure::Status, 500);
            let has_failed = step == WORKFLOW && index < failed;
            let outcome = match has_failed {
                true => Outcome::Failed { failure, status },
                false => Outcome::Success { status: 202 },
            };
            if has_failed {
                recorder.example(step, failure, status, || {
                    "500 {\"detail\":\"Internal Server Error\"}".to_owned()
                });
            }
            recorder.record(step, outcome, moments, 130, 301);
        }
    }
    recorder.on_started(WORKFLOW);
    let moments = Moments {
        intended_ns: 0,
        submitted_ns: 0,
        done_ns: 2_000_000_000,
    };
    recorder.cut_off(WORKFLOW, moments);
    let (counts, interval) = recorder.into_parts();
    let mut series = Series::new(interval.steps.len());
    series.push(1_000_000_000, &interval);
    let labels = ENDPOINTS.map(|(method, name)| MetricLabel {
        method: method.into(),
        name: name.into(),
        target: None,
        is_poll: method == "GET",
        hints: vec![(500, "a broken storage".into())],
        carries: Carries::default(),
    });
    let generator = Generator {
        cpu_user_s: 0.1,
        cpu_system_s: 0.2,
        rss_max_bytes: 1,
        turn_us: Times::default(),
        connect_us: Times::default(),
        screen_cpu_s: None,
        histograms: GeneratorHistograms::default(),
        shards: Vec::new(),
        verdict: VerdictRecord {
            status: "VALID".into(),
            reasons: vec!["a long reason ".repeat(12)],
        },
        calibration: None,
    };
    let summary = Summary { counts, series };
    let time = RunTime {
        load_ns: 1_000_000_000,
        drain_ns: 2_000_000_000,
        open_at_load_end: 1,
    };
    build::record(run_info(), &labels, &[], &summary, time, generator)
}

fn run_info() -> RunInfo {
    let mut run = RunInfo {
        scenario: "workflow".into(),
        host: "http://localhost:8000".into(),
        addresses: vec!["127.0.0.1:8000".into()],
        spawn_rate: Some(5.0),
        run_time_s: Some(1.0),
        backend: "io_uring".into(),
        ..drawn::run_info()
    };
    run.load.iterations = None;
    run.machine.hostname = "a-host".into();
    run
}

/// Everything that can go wrong at once, in long words.
fn disaster() -> Record {
    let mut record = record(20_000, 50);
    record.generator.verdict = VerdictRecord {
        status: "MACHINE-DISTURBED".into(),
        reasons: vec!["in 11 of 12 seconds, other programs had a shard's core for up to 82 % of the time that it wanted to run; stop them, or give the generator cores of its own (taskset)".into(); 4],
    };
    record.run.error = Some("shard 2 of 2 panicked, which is a defect of opsurge (index out of bounds); its figures until then are in this report, and its open requests are cut off. The run was stopped; please report it".into());
    record.run.users_came = 3;
    let first = record.errors[0].clone();
    for kind in [
        "reset-before-head",
        "timeout",
        "unanswered",
        "expectation",
        "incomplete",
    ] {
        let mut error = first.clone();
        error.kind = kind.into();
        error.status = None;
        error.hint = (kind != "incomplete").then(|| "a hint of many words ".repeat(9));
        record.errors.push(error);
    }
    let rule = |broken| {
        RuleRecord {
        kind: "fail-if".into(),
        rule: "errors>1%".into(),
        broken,
        windows: 1,
        from_s: Some(5.0),
        to_s: Some(12.0),
        users: Some(39),
        value: Some(0.0457),
        says: "errors of all requests were 4.57 %, the limit is 1 %".into(),
        note: broken.then(|| "POST …/workflow failed every time from its first request (500): this break says nothing about load".into()),
        part: None,
    }
    };
    record.rules = vec![rule(false), rule(true), rule(false), rule(false)];
    record
}

fn short(record: &Record) -> String {
    Console::default().text(record)
}

fn full(record: &Record) -> String {
    let form = Form::Full;
    Console {
        form,
        ..Console::default()
    }
    .text(record)
}

fn wide(record: &Record, form: Form, width: usize) -> String {
    Console {
        form,
        width,
        ..Console::default()
    }
    .text(record)
}

/// The texts' words, wherever lines break.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_healthy_run_is_a_line_and_a_table() {
    let mut record = record(2_000, 0);
    record.totals.rps = 6_000.0;
    for step in &mut record.steps {
        step.rps = 2_000.0;
    }
    record.totals.cut_off = 0;
    record.run.users_came = 4;
    let files = vec!["Record: run.json".to_owned()];
    let text = Console {
        files,
        ..Console::default()
    }
    .text(&record);
    assert_eq!(
        text,
        "\
6,000 requests, 6,000/s, 0 failed, p50 ~1.25 ms, p99 ~1.25 ms, max >= 2.00 s
workflow on http://localhost:8000: 4 of 5 users came, 5.00 per second, wait 0s;
1.00 s of load, 2.00 s of waiting for 1 open request

endpoint        requests failed status req/s p50 ms p95 ms p99 ms  max ms
POST …/notify      2,000      0 202    2,000  ~1.25  ~1.25  ~1.25    1.25
GET …/state        2,000      0 202    2,000  ~1.25  ~1.25  ~1.25    1.25
POST …/workflow    2,000      0 202    2,000  ~1.25  ~1.25  ~1.25 >=2,000
Times: due to answered, failures included; ~: run too short to bound it; >=: a
lower bound (no answer)

POLLS: /v1/opscore/agent/[id]/state: 0 users ready, 0 gave up, 2,000 requests
Record: run.json
"
    );
}

#[test]
fn a_failed_expectation_says_what_was_expected_and_its_reason_is_never_cut() {
    let mut record = record(9, 3);
    let reason = format!(
        "expected \"{}\" at /state, found \"busy\"",
        "idle".repeat(10)
    );
    let body = "x".repeat(300);
    let error = &mut record.errors[0];
    error.kind = Failure::Expectation.name().into();
    error.status = Some(200);
    error.hint = None;
    error.detail = format!("200 {reason}: {body}");
    error.reason = Some(reason.clone());
    let name = ENDPOINTS[WORKFLOW].1;
    let expected = format!("FAILED: 3 of 9 POST {name}: {reason} (33.3 %)");
    for text in [short(&record), full(&record)] {
        assert!(words(&text).contains(&expected), "{text}");
        assert!(words(&text).contains("for example: 200 expected"), "{text}");
        assert!(!text.contains(&"x".repeat(81)), "{text}");
    }
    let text = words(&full(&record));
    assert!(
        text.contains(&format!("for example: 200 {reason}: xxx")),
        "{text}"
    );
}

#[test]
fn a_500_stands_first_with_its_share_and_its_cause() {
    for text in [short(&record(200, 50)), full(&record(200, 50))] {
        let lines: Vec<&str> = text.lines().collect();
        let failed = lines
            .iter()
            .position(|line| line.starts_with("FAILED: 50 of 200 POST"));
        let failed = failed.expect("a failure");
        assert!(words(&text).contains("answered 500 (25 %)"), "{text}");
        assert_eq!(lines[failed + 1].trim(), "a broken storage");
    }
    let text = full(&record(200, 50));
    let example = "for example: 500 {\"detail\":\"Internal Server Error\"}";
    assert!(text.contains(example), "{text}");
}

/// The lines that say what to think of the run, by their first word, in order.
fn order(text: &str) -> Vec<&str> {
    let words = text.lines().filter_map(|line| line.split_once([':', ' ']));
    let known = ["FAILED", "VERDICT", "600"];
    let words = words.map(|(word, _)| word);
    words.filter(|word| known.contains(word)).collect()
}

#[test]
fn a_doubt_opens_the_report_unless_a_failure_names_its_cause() {
    let with_cause = record(200, 50);
    let mut without_cause = with_cause.clone();
    without_cause.errors[0].hint = None;
    let mut timed_out = with_cause.clone();
    timed_out.errors[0].kind = Failure::Timeout.name().into();
    let calm = record(200, 0);
    let check = |record: &Record, status: &str, in_short: &[&str], in_full: &[&str]| {
        let mut record = record.clone();
        record.generator.verdict.status = status.into();
        assert_eq!(order(&short(&record)), in_short);
        assert_eq!(order(&full(&record)), in_full);
    };
    let cause_first = ["FAILED", "VERDICT", "600"];
    let doubt_first = ["VERDICT", "FAILED", "600"];
    check(&with_cause, "VALID", &["FAILED", "600"], &cause_first);
    check(&without_cause, "VALID", &["FAILED", "600"], &cause_first);
    check(&calm, "VALID", &["600"], &["VERDICT", "600"]);
    check(&with_cause, "GENERATOR-LIMITED", &cause_first, &cause_first);
    check(
        &without_cause,
        "GENERATOR-LIMITED",
        &doubt_first,
        &doubt_first,
    );
    check(&timed_out, "GENERATOR-LIMITED", &doubt_first, &doubt_first);
    check(
        &calm,
        "GENERATOR-LIMITED",
        &["VERDICT", "600"],
        &["VERDICT", "600"],
    );
}

#[test]
fn a_request_without_an_answer_is_a_lower_bound() {
    let record = record(200, 0);
    let text = full(&record);
    assert!(
        words(&text).contains("1 without an answer at the end, the oldest for >= 2.00 s"),
        "{text}"
    );
    assert!(text.contains("max >= 2.00 s"), "{text}");
    // Everything in that row rests on it; of all requests together, the mean and the greatest.
    let rows: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("  no answer"))
        .collect();
    assert_eq!(rows.concat().matches(">=2,000").count(), 11, "{text}");
    let text = short(&record);
    let row = text
        .lines()
        .find(|line| line.starts_with("POST …/workflow"));
    assert_eq!(row.expect("a row").matches(">=2,000").count(), 1, "{text}");
    assert!(words(&text).contains(">=: a lower bound"), "{text}");
}

#[test]
fn nothing_is_wider_than_the_page_and_no_number_is_torn() {
    let mut record = disaster();
    record.steps[0].name = format!("/{}", "注文-".repeat(60));
    for form in [Form::Short, Form::Full] {
        for width in (20..130).chain([200]) {
            let text = wide(&record, form, width);
            for line in text.lines() {
                assert!(columns(line) <= width, "{width}: {line}\n{text}");
            }
            for (line, next) in text.lines().zip(text.lines().skip(1)) {
                let is_unit = |word: &str| ["%", "us", "ms", "s"].contains(&word);
                let unit = next.split_whitespace().next().filter(|word| is_unit(word));
                let is_torn = unit.is_some() && line.ends_with(|c: char| c.is_ascii_digit());
                assert!(!is_torn, "{width}: {line} {next}");
            }
        }
    }
}

#[test]
fn the_worst_run_of_three_endpoints_takes_thirty_lines() {
    let text = short(&disaster());
    assert!(text.lines().count() <= 30, "{text}");
    for part in [
        "ERROR: shard 2 of 2 panicked",
        "FAILED: 50 of 20,000 POST",
        "of 5 other kinds",
        "VERDICT: MACHINE-DISTURBED",
        "3 of 5 users came",
        "1 cut off at the end",
        "BROKEN: --fail-if",
        "this break says nothing about load",
    ] {
        assert!(words(&text).contains(part), "no {part}: {text}");
    }
}

#[test]
fn a_wider_terminal_shows_more_columns() {
    let head = |width| {
        let text = wide(&record(2_000, 3), Form::Short, width);
        let line = text.lines().find(|line| line.contains("endpoint"));
        words(line.expect("a table"))
    };
    assert_eq!(head(50), "endpoint requests failed p50 ms p99 ms");
    assert_eq!(
        head(80),
        "endpoint requests failed status req/s p50 ms p95 ms p99 ms max ms"
    );
    assert_eq!(
        head(200),
        "endpoint requests failed status req/s min ms avg ms p50 ms p90 ms p95 ms p99 ms p99.9 ms max ms service p50 ms service p99 ms"
    );
    let whole = wide(&record(2_000, 3), Form::Short, 200);
    assert!(
        whole.contains("GET /v1/opscore/agent/[id]/state"),
        "{whole}"
    );
    assert!(whole.contains("202:1,997 500:3"), "{whole}");
}

#[test]
fn percentiles_that_the_run_does_not_bound_are_marked() {
    let mut record = record(2_000, 0);
    let row = |record: &Record| {
        let text = short(record);
        let line = text.lines().find(|line| line.starts_with("GET …/state"));
        line.expect("a row").to_owned()
    };
    assert_eq!(
        row(&record).matches('~').count(),
        3,
        "one second bounds nothing"
    );
    let bounds = &mut record.steps[1].all_us.bounds;
    (bounds.p50_high, bounds.p95_high) = (Some(1_300.0), Some(1_300.0));
    assert_eq!(row(&record).matches('~').count(), 1, "{}", row(&record));
    let totals = &mut record.totals.all_us;
    (totals.bounds.p99_low, totals.bounds.p99_high) = (Some(1_180.0), Some(1_310.0));
    let text = short(&record);
    assert!(text.contains("p99 1.25 ms (1.18 to 1.31)"), "{text}");
    record.totals.all_us.bounds.p99_high = None;
    let text = short(&record);
    assert!(text.contains("p99 1.25 ms (at least 1.18)"), "{text}");
}

#[test]
fn text_of_servers_and_scenarios_reaches_no_terminal_raw() {
    let mut record = disaster();
    let wild = "\x1b[2J\u{9b}31m\r\n\t\u{202e}";
    record.run.scenario += wild;
    record.run.host += wild;
    record.steps[1].name += wild;
    record.polls[0].name += wild;
    for error in &mut record.errors {
        error.detail += wild;
        error.name += wild;
    }
    record.rules[0].says += wild;
    record.generator.verdict.reasons[0] += wild;
    for form in [Form::Short, Form::Full] {
        let text = wide(&record, form, 100);
        let is_obeyed = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.contains(is_obeyed), "{text:?}");
    }
}

#[test]
fn colours_add_nothing_but_colours() {
    let record = disaster();
    for form in [Form::Short, Form::Full] {
        let plain = Console {
            form,
            ..Console::default()
        };
        let coloured = Console {
            colour: true,
            ..plain.clone()
        }
        .text(&record);
        let mut text = String::new();
        for part in coloured.split("\x1b[") {
            let code = part
                .find('m')
                .filter(|_| !text.is_empty() || coloured.starts_with('\x1b'));
            text += match code {
                Some(end) if part[..end].chars().all(|c| c.is_ascii_digit() || c == ';') => {
                    &part[end + 1..]
                }
                _ => part,
            };
        }
        assert_eq!(text, plain.text(&record));
    }
}

#[test]
fn a_quiet_report_has_failures_verdict_and_rules_alone() {
    for form in [Form::Short, Form::Full] {
        let quiet = Console {
            form,
            quiet: true,
            ..Console::default()
        };
        let text = quiet.text(&record(200, 50));
        assert!(
            text.contains("FAILED: 50 of 200") && text.contains("VERDICT: VALID"),
            "{text}"
        );
        assert!(
            !text.contains("endpoint") && !text.contains("p95"),
            "{text}"
        );
    }
}

#[test]
fn a_record_comes_back_from_its_text() {
    let record = record(30, 3);
    assert_eq!(Record::parse(&record.to_json()), Ok(record.clone()));
    let other = record
        .to_json()
        .replace("opsurge.record/1", "opsurge.record/9");
    let refused = Record::parse(&other).expect_err("unknown");
    assert!(refused.contains("opsurge.record/9"), "{refused}");
}
