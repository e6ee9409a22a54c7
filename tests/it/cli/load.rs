//! The real binary under open loads and rules: what was due, what was begun, which rule fired, and the exit code.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::support::binary;
use crate::support::raw_server::{OK, RawServer};
use opsurge::record::schema::Record;
use opsurge::text::units::three_digits;

/// Runs the binary with these arguments, separated by blanks; returns its record and its output.
fn record_of(arguments: &str, code: i32) -> (Record, String) {
    let arguments = format!("--mock --headless {arguments}");
    binary::record_of(&arguments.split(' ').collect::<Vec<_>>(), code)
}

/// What was said, without its line breaks.
fn in_one_line(printed: &str) -> String {
    printed.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn an_open_load_begins_what_is_due_and_its_record_says_so() {
    for (arrivals, least, most) in [("constant", 400, 400), ("poisson", 320, 480)] {
        let load = format!("--get /health --rate 200 -t 2s --arrivals {arrivals} --seed 5");
        let (record, printed) = record_of(&load, 0);
        let open = record.run.load.open.expect("an open load");
        assert_eq!(record.run.load.model, "open");
        assert_eq!(open.arrivals, arrivals);
        assert!((least..=most).contains(&open.due), "{printed}");
        assert_eq!(open.due, open.begun + open.dropped + open.never_begun);
        assert_eq!(record.totals.sent, open.due, "one request for each");
        assert!(printed.contains("ITERATIONS: "), "{printed}");
    }
}

#[test]
fn a_rate_of_stages_goes_through_its_points() {
    let load = "--get /health --rate 100 --stage 100:1s --stage 300:1s";
    let (record, _) = record_of(load, 0);
    // 100 in the first second, then from 100 to 300: 200.
    let open = record.run.load.open.expect("an open load");
    assert_eq!((open.due, open.stages.len()), (300, 2));
    assert_eq!(record.run.run_time_s, Some(2.0));
}

#[test]
fn a_rate_that_the_service_cannot_keep_up_with_is_told_by_verdict_and_times() {
    // 100 a second are possible, 400 are due: three quarters of them still wait in the line at the end.
    let load = "--get /v1/opscore/agent/x/state --rate 400 -t 3s -u 20 --timeout 10s";
    let service = "--mock-workers 1 --mock-service-time 10ms --report full";
    let (record, printed) = record_of(&format!("{load} {service}"), 1);
    let open = record.run.load.open.expect("an open load");
    assert_eq!(open.due, 1_200);
    assert!(open.never_begun > 700 && open.waited > 1_000, "{printed}");
    // The verdict on a debug build names the build first; this reason follows.
    let reasons = record.generator.verdict.reasons.join(" ");
    assert!(reasons.contains("were never begun"), "{reasons}");
    let totals = &record.totals;
    assert_eq!(totals.sent, totals.requests + totals.cut_off);
    assert_eq!(totals.never_begun, open.never_begun);
    assert!(printed.contains("without an answer"), "{printed}");
    assert!(
        printed.contains(">="),
        "their times are lower bounds: {printed}"
    );
}

#[test]
fn a_stop_rule_that_is_broken_ends_the_run_and_is_no_failure_by_itself() {
    let load = "--get /health -u 20 --wait 20ms -t 30s";
    let rules = "--stop-when health.rps>50 --stop-when health.avg>20s --window 2s --settle 1s";
    let (record, printed) = record_of(&format!("{load} {rules}"), 0);
    assert_eq!(record.run.ended_by, "criterion");
    assert!(record.totals.duration_s < 10.0, "{printed}");
    let [fired, kept] = &record.rules[..] else {
        panic!("two rules: {:?}", record.rules);
    };
    assert_eq!(fired.rule, "health.rps>50");
    assert_eq!(fired.kind, "stop-when");
    assert!(fired.broken && !kept.broken);
    assert_eq!((fired.from_s, fired.to_s), (Some(2.0), Some(4.0)));
    assert_eq!(fired.users, Some(20));
    let broken = "BROKEN: --stop-when 'health.rps>50'";
    assert!(printed.contains(broken), "{printed}");
    assert!(record.passed && record.exit_code == 0 && record.reasons.is_empty());
}

#[test]
fn a_run_that_keeps_its_rules_ends_well_and_one_that_does_not_fails_at_its_end() {
    for (rule, code) in [
        ("--fail-if errors>1%", 0),
        ("--fail-if rps>1", 4),
        ("--require errors<1%", 0),
        ("--require max<1us", 4),
    ] {
        let load = "--get /health -u 5 --wait 5ms -t 4s --settle 0s";
        let (record, printed) = record_of(&format!("{load} {rule}"), code);
        assert_eq!(record.run.ended_by, "time");
        let [judged] = &record.rules[..] else {
            panic!("one rule");
        };
        assert_eq!((judged.broken, judged.windows), (code == 4, 1), "{printed}");
        assert_eq!((judged.from_s, judged.to_s), (Some(1.0), Some(4.0)));
        assert_eq!(
            (record.passed, i32::from(record.exit_code)),
            (code == 0, code)
        );
        let flag = rule.replace(' ', " '");
        assert_eq!(
            printed.contains(&format!("BROKEN: {flag}'")),
            code == 4,
            "{printed}"
        );
        let reason = format!("{flag}':");
        assert_eq!(
            record.reasons.iter().any(|why| why.starts_with(&reason)),
            code == 4
        );
    }
}

#[test]
fn the_exit_code_of_failures_swallows_no_rule_and_no_verdict() {
    // Every second request fails; a debug build is never VALID.
    let load = "--get /health -u 5 --wait 5ms -t 2s --fault status-500=50%";
    for (flags, code) in [
        ("", 1),
        ("--exit-code-on-error 0", 0),
        ("--exit-code-on-error 7", 7),
        ("--exit-code-on-error 0 --fail-if errors>1%", 4),
        (
            "--exit-code-on-error 0 --require errors<1% --require-valid",
            4,
        ),
        ("--exit-code-on-error 0 --require-valid", 5),
    ] {
        let (record, printed) = record_of(format!("{load} {flags}").trim(), code);
        assert!(!record.passed, "{printed}");
        assert_eq!(i32::from(record.exit_code), code);
        let failed = format!(
            "{} of {} requests failed",
            report_count(record.totals.failures),
            report_count(record.totals.requests)
        );
        let is_said = record.reasons.iter().any(|why| why.starts_with(&failed));
        assert!(is_said, "{:?}", record.reasons);
    }
}

/// `1,234`
fn report_count(count: u64) -> String {
    opsurge::text::units::grouped(count)
}

#[test]
fn a_rule_that_no_window_could_judge_is_said_and_what_has_to_hold_is_broken() {
    let load = "--get /health -u 1 --wait 500ms -t 3s";
    let (record, printed) = record_of(&format!("{load} --fail-if p99>1s"), 0);
    assert!(
        printed.contains("NOT JUDGED: --fail-if 'p99>1s'"),
        "{printed}"
    );
    assert!(printed.contains("too few to judge"), "{printed}");
    assert!(record.passed && record.reasons[0].starts_with("not judged: --fail-if 'p99>1s'"));
    let (record, printed) = record_of(&format!("{load} --require p99<1s"), 4);
    assert!(printed.contains("so it was not shown to hold"), "{printed}");
    assert!(record.rules[0].broken && record.rules[0].windows == 0);
}

#[test]
fn a_server_that_stops_answering_breaks_rules_on_times_and_on_errors() {
    // The server answers for the first 2 s only.
    let load = "--get /health -u 5 --wait 50ms -t 6s --drain 1s --settle 0s --fault stall=98s/100s";
    let rules =
        "--fail-if p99>1s --fail-if errors>1% --require p50<1s --stop-when avg>2s --window 1s";
    let (record, printed) = record_of(&format!("{load} {rules}"), 4);
    let broken: Vec<bool> = record.rules.iter().map(|rule| rule.broken).collect();
    // More than half of all requests were answered quickly. A silence of 1 s breaks no limit of 2 s; the next window
    // does.
    assert_eq!(broken, [true, true, true, false], "{printed}");
    assert!(
        record.rules[0].says.contains("no answer for 1.00 s"),
        "{printed}"
    );
    assert!(record.rules[1].says.contains("was >= "), "{printed}");
    assert_eq!(record.run.ended_by, "criterion");
    assert_eq!(record.totals.unanswered, 5, "{printed}");
    assert!(record.totals.load_s < 5.5, "{printed}");
}

#[test]
fn a_step_that_fails_from_its_first_request_on_is_named_beside_the_rule_that_it_breaks() {
    let load = "-u 20 --wait 20ms --pause 0 --mock-ready-after 0 -t 3s --mock-published-500";
    let (record, printed) = record_of(&format!("{load} --fail-if errors>5% --fail-if max>9s"), 4);
    let note = "POST …/workflow failed every time from its first request (500): this break says nothing about load";
    assert_eq!(record.rules[0].note.as_deref(), Some(note));
    assert_eq!(record.rules[1].note, None);
    let words = printed.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(note), "{printed}");
}

#[test]
fn rules_without_a_step_do_not_judge_start_and_stop_steps() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("own.toml");
    let file = path.to_str().expect("UTF-8");
    // The login fails every time, for a reason other than the load.
    let step =
        |list: &str, path: &str| format!("[[{list}]]\nmethod = \"GET\"\npath = \"{path}\"\n");
    let text = [
        "name = \"own\"\n".into(),
        step("start", "/login"),
        step("task", "/health"),
        step("stop", "/logout"),
    ];
    std::fs::write(&path, text.concat()).expect("written");
    let load = format!("{file} -u 20 --wait 5ms -t 3s --settle 0s");
    for (rule, broken) in [
        ("errors>0", false),
        ("login.errors>0", true),
        ("logout.errors>0", true),
        ("*.errors>0", false),
    ] {
        let (record, printed) = record_of(
            &format!("{load} --fail-if {rule}"),
            if broken { 4 } else { 1 },
        );
        assert_eq!(record.rules[0].broken, broken, "{printed}");
        assert!(record.totals.failures >= 20, "{printed}");
    }
}

#[test]
fn what_was_done_by_number_is_judged_as_a_whole() {
    let (record, _) = record_of("--get /health -u 5 --iterations 500 --fail-if rps>1", 4);
    assert!(record.rules[0].broken, "{:?}", record.rules);
    assert_eq!(record.totals.requests, 500);
}

#[test]
fn a_scenario_brings_rules_of_its_own_and_flags_come_before_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("own.toml");
    let file = path.to_str().expect("UTF-8");
    let task = "[[task]]\nmethod = \"GET\"\npath = \"/health\"\n";
    let write = |rules: &str| std::fs::write(&path, format!("name = \"own\"\n{rules}\n{task}"));
    write("fail_if = [\"health.rps>1\"]").expect("written");
    let (record, _) = record_of(&format!("{file} -u 2 --wait 5ms -t 2s"), 4);
    assert!(record.rules[0].broken && record.rules[0].rule == "health.rps>1");
    let flag = "--fail-if health.rps<1";
    let (record, _) = record_of(&format!("{file} -u 2 --wait 5ms -t 2s {flag}"), 0);
    assert_eq!(record.rules.len(), 1);
    write("require = [\"health.errors<1%\"]").expect("written");
    let (record, _) = record_of(&format!("{file} -u 2 --wait 5ms -t 2s"), 0);
    assert_eq!(
        (record.rules[0].kind.as_str(), record.rules[0].windows),
        ("require", 1)
    );
    write("stop_when = [\"helth.rps>1\"]").expect("written");
    let output = binary::run(&["run", "--mock", file, "-u", "2"]);
    let printed = binary::text(&output);
    assert_eq!(output.status.code(), Some(2), "{printed}");
    let place = format!("{file}:2:14: rule \"helth.rps>1\": there is no step \"helth\"");
    assert!(printed.contains(&place), "{printed}");
}

#[test]
fn rates_are_what_came_over_the_load_time() {
    for rate in [1u64, 2, 10] {
        let load = format!("--get /health --rate {rate} -t 3s --settle 1s --fail-if rps<{rate}");
        let (record, printed) = record_of(&load, 0);
        let totals = &record.totals;
        // The figures are those after the settling time.
        assert_eq!((totals.load_s, totals.duration_s), (2.0, 2.0), "{printed}");
        assert_eq!((totals.requests, totals.rps), (2 * rate, rate as f64));
        assert_eq!(record.steps[0].rps, rate as f64);
        let open = record.run.load.open.expect("an open load");
        assert_eq!(open.rate_begun, rate as f64, "{printed}");
        assert_eq!(
            (record.run.ended_by.as_str(), totals.open_at_load_end),
            ("time", 0)
        );
        assert!(
            printed.contains(&format!("({rate}.00/s)")) || rate == 10,
            "{printed}"
        );
    }
}

/// A server that answers this many requests, and then reads requests without answering.
fn hangs_after(answers: u64) -> RawServer {
    let answered = AtomicU64::new(0);
    RawServer::start(move |peer| {
        while peer.request().is_some() {
            let hangs = answered.fetch_add(1, Ordering::Relaxed) >= answers;
            if !hangs && !peer.answer(OK) {
                return;
            }
        }
    })
}

fn record_on(server: &RawServer, arguments: &str, code: i32) -> (Record, String) {
    let url = server.url();
    let arguments = format!("--headless {arguments} --get {url}");
    binary::record_of(&arguments.split(' ').collect::<Vec<_>>(), code)
}

#[test]
fn what_is_open_at_the_end_is_waited_for_and_then_a_failure_that_changes_no_rate() {
    let server = hangs_after(200);
    let (record, printed) = record_on(&server, "-u 5 --wait 10ms -t 2s --drain 1s", 1);
    let totals = &record.totals;
    assert_eq!((totals.unanswered, totals.cut_off), (5, 0), "{printed}");
    assert_eq!((totals.requests, totals.failures), (205, 5));
    assert_eq!(totals.open_at_load_end, 5);
    assert_eq!((totals.load_s, totals.rps), (2.0, 100.0), "{printed}");
    assert!((1.0..1.5).contains(&totals.drain_s), "{printed}");
    let [error] = &record.errors[..] else {
        panic!("one kind: {:?}", record.errors);
    };
    assert_eq!((error.kind.as_str(), error.count), ("unanswered", 5));
    assert!(
        error.detail.contains("it had been sent"),
        "{}",
        error.detail
    );
    let drain_s = three_digits(totals.drain_s);
    let waited = format!("2.00 s of load, {drain_s} s of waiting for 5 open requests");
    assert!(in_one_line(&printed).contains(&waited), "{printed}");
    assert!(
        printed.contains("FAILED: 5 of 205 GET / got no answer"),
        "{printed}"
    );
    // In the drain, users with an open request still count.
    let drain: Vec<u64> = record
        .series
        .iter()
        .filter(|sample| sample.is_drain)
        .map(|sample| sample.users)
        .collect();
    assert!(
        !drain.is_empty() && drain.iter().all(|&users| users == 5),
        "{drain:?}"
    );
}

#[test]
fn a_run_that_every_user_has_left_did_not_end_by_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("leaves.toml");
    let text = "name = \"leaves\"\nload = { users = 4 }\n[[start]]\nmethod = \"GET\"\npath = \"/health\"\n\
        [[task]]\nmethod = \"GET\"\npath = \"/nothing\"\non_failure = \"stop\"\n";
    std::fs::write(&file, text).expect("written");
    let (record, printed) = record_of(&format!("{} -t 20s", file.display()), 1);
    assert_eq!(record.run.ended_by, "all-users-left");
    assert!(record.totals.load_s < 5.0, "{printed}");
    let ended = "ended by the last user's leaving";
    assert!(in_one_line(&printed).contains(ended), "{printed}");
    assert!(record.series.iter().all(|sample| !sample.is_drain));
}

#[test]
fn users_that_did_not_come_are_said_before_and_after() {
    let (record, printed) = record_of("--get /health -u 10 -r 2 -t 900ms --wait 10ms", 0);
    assert_eq!((record.run.users, record.run.users_came), (10, 2));
    let before = "the run ends before the ramp, which takes 5s: 2 of 10 users will be there";
    assert!(printed.contains(before), "{printed}");
    assert!(printed.contains(": 2 of 10 users came"), "{printed}");
    let (_, printed) = record_of("stress -t 1s --wait 100ms", 0);
    assert!(printed.contains("with 300 to 5,000 users"), "{printed}");
}

#[test]
fn there_are_never_more_shards_than_users_or_connections() {
    for (load, shards) in [
        ("--rate 100 -u 2 -t 2s --shards 4", 2),
        ("-u 9 --connections 3 --iterations 90 --shards 4", 3),
    ] {
        let (record, printed) = record_of(&format!("--get /health {load}"), 0);
        assert_eq!(record.run.shards, shards, "{printed}");
        assert!(
            printed.contains("no more users or connections"),
            "{printed}"
        );
        if let Some(open) = record.run.load.open {
            assert_eq!((open.due, open.begun), (200, 200), "{printed}");
        }
    }
}

#[test]
fn a_server_that_stops_answering_is_no_progress_with_the_rates_until_then() {
    let server = hangs_after(60);
    let (record, printed) = record_on(&server, "-u 2 --wait 100ms -t 10s --timeout 4s", 1);
    let verdict = &record.generator.verdict;
    assert_eq!(verdict.status, "NO-PROGRESS", "{printed}");
    let reason = &verdict.reasons[0];
    assert!(reason.starts_with("no answer from "), "{reason}");
    assert!(reason.contains(" on, with 2 requests open"), "{reason}");
    assert!(reason.contains("/s, p99 "), "{reason}");
    assert!(printed.contains("VERDICT: NO-PROGRESS"), "{printed}");
    let silent = record.series.iter().filter(|s| s.verdict == "NO-PROGRESS");
    assert!(silent.count() >= 1, "{printed}");
    assert!(record.totals.failures > 0, "{printed}");
}
