//! The real binary under open loads and rules: what was due, what was begun, which rule fired, and the exit code.

mod binary;

use opsurge::report::record::Record;

/// Runs the binary with these arguments, separated by blanks; its record and what it said.
fn record_of(arguments: &str, code: i32) -> (Record, String) {
    let arguments = format!("--mock --headless {arguments}");
    binary::record_of(&arguments.split(' ').collect::<Vec<_>>(), code)
}

#[test]
fn an_open_load_begins_what_is_due_and_its_record_says_so() {
    for (arrivals, least, most) in [("constant", 400, 400), ("poisson", 320, 480)] {
        let load = format!("--get /health --rate 200 -t 2s --arrivals {arrivals} --seed 5");
        let (record, said) = record_of(&load, 0);
        let open = record.run.load.open.expect("an open load");
        assert_eq!(record.run.load.model, "open");
        assert_eq!(open.arrivals, arrivals);
        assert!((least..=most).contains(&open.due), "{said}");
        assert_eq!(open.due, open.begun + open.dropped + open.never_begun);
        assert_eq!(record.totals.sent, open.due, "one request for each");
        assert!(said.contains("ITERATIONS: "), "{said}");
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
    // 100 a second are possible, 400 are due: three quarters of them still stand in the line at the end.
    let load = "--get /v1/opscore/agent/x/state --rate 400 -t 3s -u 20 --timeout 10s";
    let service = "--mock-workers 1 --mock-service-time 10ms";
    let (record, said) = record_of(&format!("{load} {service}"), 1);
    let open = record.run.load.open.expect("an open load");
    assert_eq!(open.due, 1_200);
    assert!(open.never_begun > 700 && open.waited > 1_000, "{said}");
    // A debug build is doubted for that first; the reason is there all the same.
    let reasons = record.generator.verdict.reasons.join(" ");
    assert!(reasons.contains("were never begun"), "{reasons}");
    let totals = &record.totals;
    assert_eq!(totals.sent, totals.requests + totals.cut_off);
    assert_eq!(totals.never_begun, open.never_begun);
    assert!(said.contains("without an answer"), "{said}");
    assert!(said.contains(">="), "their times are lower bounds: {said}");
}

#[test]
fn a_rule_that_is_broken_stops_the_run_and_is_in_report_record_and_exit_code() {
    let load = "-u 20 --wait 20ms --pause 0 --mock-ready-after 0 -t 30s --mock-published-500";
    let rules =
        "--stop-when workflow.errors>50% --stop-when notify.avg>20s --window 2s --settle 1s";
    let (record, said) = record_of(&format!("{load} {rules}"), 1);
    assert_eq!(record.run.ended_by, "criterion");
    assert!(record.totals.duration_s < 10.0, "{said}");
    let [fired, kept] = &record.rules[..] else {
        panic!("two rules: {:?}", record.rules);
    };
    assert_eq!(fired.rule, "workflow.errors>50%");
    assert_eq!(fired.kind, "stop-when");
    assert!(fired.broken && !kept.broken);
    assert_eq!((fired.from_s, fired.to_s), (Some(2.0), Some(4.0)));
    assert_eq!((fired.value, fired.users), (Some(1.0), Some(20)));
    let broken = "BROKEN: --stop-when 'workflow.errors>50%'";
    assert!(said.contains(broken), "{said}");
}

#[test]
fn a_run_that_keeps_its_rules_ends_well_and_one_that_does_not_fails_at_its_end() {
    for (rule, code) in [("errors>1%", 0), ("rps>1", 1)] {
        let load = "--get /health -u 5 --wait 5ms -t 4s --settle 0s";
        let (record, said) = record_of(&format!("{load} --fail-if {rule}"), code);
        assert_eq!(record.run.ended_by, "time");
        let [rule] = &record.rules[..] else {
            panic!("one rule");
        };
        assert_eq!((rule.broken, rule.windows), (code == 1, 1), "{said}");
        assert_eq!((rule.from_s, rule.to_s), (Some(1.0), Some(4.0)));
    }
    let load = "--get /health -u 5 --wait 5ms -t 2s --fail-if rps>1 --exit-code-on-error 7";
    let (_, said) = record_of(load, 7);
    assert!(said.contains("BROKEN: --fail-if 'rps>1'"), "{said}");
}

#[test]
fn what_was_done_by_number_is_judged_as_a_whole() {
    let (record, _) = record_of("--get /health -u 5 --iterations 500 --fail-if rps>1", 1);
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
    let (record, _) = record_of(&format!("{file} -u 2 --wait 5ms -t 2s"), 1);
    assert!(record.rules[0].broken && record.rules[0].rule == "health.rps>1");
    let flag = "--fail-if health.rps<1";
    let (record, _) = record_of(&format!("{file} -u 2 --wait 5ms -t 2s {flag}"), 0);
    assert_eq!(record.rules.len(), 1);
    write("stop_when = [\"helth.rps>1\"]").expect("written");
    let output = binary::run(&["run", "--mock", file, "-u", "2"]);
    let said = binary::text(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let place = format!("{file}:2:14: rule \"helth.rps>1\": there is no step \"helth\"");
    assert!(said.contains(&place), "{said}");
}
