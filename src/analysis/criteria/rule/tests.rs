//! Rules: what they take, what they refuse, and what they say of windows.

use super::*;
use crate::metrics::interval::Interval;

fn step(method: &str, name: &str) -> StepName {
    StepName {
        method: method.to_owned(),
        name: name.to_owned(),
        is_work: true,
        is_poll: false,
    }
}

fn steps() -> Vec<StepName> {
    vec![
        step("POST", "/v1/opscore/internal/agent/notify"),
        step("POST", "/v1/opscore/agent/[id]/state"),
        step("GET", "/v1/opscore/agent/[id]/state"),
        step("POST", "/v1/opscore/agent/[id]/workflow"),
        step("GET", "/v1.1/health"),
    ]
}

fn rule(text: &str) -> Rule {
    Rule::parse(text, Purpose::Fail, &steps()).unwrap_or_else(|error| panic!("{error}"))
}

fn require(text: &str) -> Rule {
    Rule::parse(text, Purpose::Require, &steps()).unwrap_or_else(|error| panic!("{error}"))
}

/// Ten seconds in which each step had so many requests, so many failures, and this response time.
fn window(figures: [(u64, u64, u64); 5]) -> Window {
    let mut window = Window::new(5);
    for _ in 0..2 {
        let mut interval = Interval::new(5);
        for (step, (requests, failures, ms)) in interval.steps.iter_mut().zip(figures) {
            step.requests = requests / 2;
            step.answers = requests / 2;
            step.failures = failures / 2;
            for _ in 0..requests / 2 {
                step.response.record(ms * 1_000_000);
            }
        }
        window.add(&interval, 5_000_000_000);
    }
    window
}

/// The state steps are fast, the workflow is slow, health was asked too seldom, notify failed at times.
fn busy() -> Window {
    window([
        (100, 8, 40),
        (600, 0, 10),
        (200, 0, 20),
        (100, 0, 2_310),
        (8, 8, 9_000),
    ])
}

fn check(text: &str, broken: bool, step: Option<usize>, near: bool, shown: &str) {
    let rule = rule(text);
    let finding = rule.judge(&busy());
    assert_eq!(rule.show(&finding), shown);
    assert_eq!(
        (finding.broken, finding.step, finding.near),
        (broken, step, near),
        "{text}: {finding:?}"
    );
}

#[test]
fn a_rule_is_broken_when_its_comparison_holds_in_the_window() {
    let workflow = "of POST …/workflow was 2.31 s";
    check(
        "workflow.avg>2s",
        true,
        Some(3),
        false,
        &format!("avg {workflow}, the limit is 2 s"),
    );
    check(
        "workflow.p95 > 2.2 s",
        true,
        Some(3),
        true,
        &format!("p95 {workflow}, the limit is 2.2 s"),
    );
    check(
        "workflow.max>=3000ms",
        false,
        Some(3),
        false,
        &format!("max {workflow}, the limit is 3000 ms"),
    );
    check(
        "p50>11ms",
        false,
        None,
        true,
        "p50 of all requests was 10.0 ms, the limit is 11 ms",
    );
    check(
        "errors>=1.5%",
        true,
        None,
        true,
        "errors of all requests were 1.59 %, the limit is 1.5 %",
    );
    check(
        "notify.errors>0.07",
        true,
        Some(0),
        false,
        "errors of POST …/notify were 8 %, the limit is 7 %",
    );
    check(
        "rps<100/s",
        false,
        None,
        true,
        "rps of all requests was 101/s, the lower limit is 100/s",
    );
    check(
        "errors > 0",
        true,
        None,
        false,
        "errors of all requests were 1.59 %, the limit is 0 %",
    );
}

#[test]
fn the_worst_step_decides_a_rule_on_any_single_step() {
    check(
        "*.avg>2s",
        true,
        Some(3),
        false,
        "avg of POST …/workflow was 2.31 s, the limit is 2 s",
    );
    check(
        "*.rps<20",
        true,
        Some(4),
        false,
        "rps of GET …/health was 0.800/s, the lower limit is 20/s",
    );
    check(
        "*.errors>5%",
        true,
        Some(0),
        false,
        "errors of POST …/notify were 8 %, the limit is 5 %",
    );
}

#[test]
fn fewer_than_ten_requests_break_only_a_rule_on_the_rate() {
    let few = "avg of GET …/health: fewer than 10 requests, too few to judge; the limit is 1 s";
    check("health.avg>1s", false, Some(4), false, few);
    check(
        "health.rps<1",
        true,
        Some(4),
        false,
        "rps of GET …/health was 0.800/s, the lower limit is 1/s",
    );
    let nothing = rule("*.avg>1s").judge(&Window::new(5));
    let expected = Finding {
        broken: false,
        value: None,
        basis: Basis::Ended,
        step: None,
        near: false,
    };
    assert_eq!(nothing, expected);
    assert_eq!(
        rule("*.avg>1s").show(&nothing),
        "avg of any single step: fewer than 10 requests, too few to judge; the limit is 1 s"
    );
    let silence = Window {
        length_ns: 1_000_000_000,
        ..Window::new(5)
    };
    assert!(rule("rps<1").judge(&silence).broken);
    assert!(
        !rule("rps<1").judge(&Window::new(5)).broken,
        "no time, no rate"
    );
}

/// Ten seconds in which so many requests for state were answered in 400 ms, with requests of these ages open at the end.
fn with_open(answered: u64, ages_s: &[u64]) -> Window {
    let mut window = Window::new(5);
    let mut interval = Interval::new(5);
    // What is open in the middle of the window is not open beside what is open at its end.
    interval.steps[1].open.record(3_000_000_000);
    window.add(&interval, 6_000_000_000);
    interval.clear();
    interval.steps[1].requests = answered;
    interval.steps[1].answers = answered;
    for _ in 0..answered {
        interval.steps[1].response.record(400_000_000);
    }
    for age_s in ages_s {
        interval.steps[1].open.record(age_s * 1_000_000_000);
    }
    window.add(&interval, 4_000_000_000);
    window
}

#[test]
fn requests_that_are_open_count_at_their_age_as_a_lower_bound() {
    let value = |text: &str, answered, ages: &[u64]| {
        let finding = rule(text).judge(&with_open(answered, ages));
        (finding.value.map(f64::round), finding.broken, finding.basis)
    };
    for text in [
        "avg>2s",
        "*.avg>2s",
        "POST /v1/opscore/agent/[id]/state.avg>2s",
    ] {
        let four = value(text, 4, &[10; 8]);
        assert_eq!(four, (Some(6_800_000.0), true, Basis::Open), "{text}");
        // Open ones never lower a value ...
        let young = value(text, 12, &[0; 30]);
        assert_eq!(young, (Some(400_000.0), false, Basis::Ended), "{text}");
        // ... and a bound below the limit does not show that few answers are enough.
        let few = value(text, 4, &[1; 8]);
        assert_eq!(few, (None, false, Basis::Ended), "{text}");
        assert_eq!(value(text, 2, &[10; 7]).0, None, "{text}");
        assert_eq!(value(text, 0, &[]).0, None, "{text}");
    }
    assert!(!value("p50>2s", 100, &[10; 8]).1);
    assert_eq!(
        value("p95>2s", 100, &[10; 8]),
        (Some(1e7), true, Basis::Open)
    );
    assert_eq!(value("errors>1%", 4, &[10; 8]).0, None);
    assert_eq!(
        rule("rps<1").judge(&with_open(4, &[10; 8])).value,
        Some(0.4)
    );
    let bound = rule("avg>2s").judge(&with_open(4, &[10; 8]));
    assert_eq!(
        rule("avg>2s").show(&bound),
        "avg of all requests was >= 6.80 s with what had no answer, the limit is 2 s"
    );
}

#[test]
fn a_value_that_rests_on_ages_of_requests_without_an_answer_is_a_lower_bound() {
    let mut window = with_open(100, &[]);
    let mut drained = Interval::new(5);
    drained.steps[1].requests = 5;
    drained.steps[1].bound_min_ns = Some(9_000_000_000);
    (0..5).for_each(|_| drained.steps[1].response.record(9_000_000_000));
    window.add(&drained, 0);
    for (text, basis) in [
        ("avg>2s", Basis::Open),
        ("max>2s", Basis::Open),
        ("p99>2s", Basis::Open),
        ("p50>2s", Basis::Ended),
        ("errors>2%", Basis::Ended),
    ] {
        assert_eq!(rule(text).judge(&window).basis, basis, "{text}");
    }
}

#[test]
fn a_window_throughout_which_requests_were_open_and_nothing_came_breaks_rules_on_times() {
    let length_ns = 10_000_000_000;
    for text in [
        "avg>2s",
        "*.p50>2s",
        "max>2s",
        "POST /v1/opscore/agent/[id]/state.p99>2s",
    ] {
        let finding = rule(text).judge(&with_open(0, &[11, 10]));
        assert!(finding.broken, "{text}");
        assert_eq!(finding.basis, Basis::Silence { length_ns }, "{text}");
        // A request that came during the window says nothing about the time before it.
        assert!(!rule(text).judge(&with_open(0, &[9])).broken, "{text}");
    }
    let one = rule("p95>2s").judge(&with_open(0, &[10]));
    assert_eq!(
        rule("p95>2s").show(&one),
        "p95 of all requests was >= 10.0 s: no answer for 10.0 s, the limit is 2 s"
    );
    // In an open load half of what is open may be younger than the silence.
    let arrivals: Vec<u64> = (0..=10).collect();
    assert_eq!(
        rule("p50>8s").judge(&with_open(0, &arrivals)).value,
        Some(1e7)
    );
    // A limit beyond the window's length is not reached yet.
    assert_eq!(rule("avg>15s").judge(&with_open(0, &[11])).value, None);
    assert!(rule("avg>15s").judge(&with_open(0, &[21])).broken);
    // What has to hold was not shown to.
    let quick = require("avg<2s").judge(&with_open(0, &[11]));
    assert!(quick.broken && quick.value == Some(1.1e7));
}

#[test]
fn a_rule_without_a_step_judges_the_work_loop_alone() {
    let mut steps = steps();
    // Notify and health are start and stop steps, and slow.
    steps[0].is_work = false;
    steps[4].is_work = false;
    let window = window([
        (100, 100, 9_000),
        (600, 6, 10),
        (200, 0, 20),
        (100, 0, 30),
        (100, 100, 9_000),
    ]);
    let judge = |text: &str| {
        let rule = Rule::parse(text, Purpose::Fail, &steps).expect("a rule");
        rule.judge(&window)
    };
    assert_eq!(judge("max>1s").value.map(f64::round), Some(30_000.0));
    assert_eq!(judge("errors>1%").value, Some(6.0 / 900.0));
    assert_eq!(judge("rps<1").value, Some(90.0));
    assert_eq!(judge("*.max>1s").step, Some(3));
    assert_eq!(judge("*.errors>50%").step, Some(1));
    for (text, step) in [("notify.max>1s", 0), ("health.errors>1%", 4)] {
        let finding = judge(text);
        assert!(finding.broken && finding.step == Some(step), "{text}");
    }
}

#[test]
fn a_required_rule_is_broken_when_it_does_not_hold_or_could_not_be_judged() {
    let check = |text: &str, broken: bool, shown: &str| {
        let rule = require(text);
        let finding = rule.judge(&busy());
        assert_eq!(rule.show(&finding), shown);
        assert_eq!(finding.broken, broken, "{text}");
    };
    let workflow = "of POST …/workflow was 2.31 s, the limit is";
    check("workflow.p95<2s", true, &format!("p95 {workflow} 2 s"));
    check("workflow.p95<=3s", false, &format!("p95 {workflow} 3 s"));
    check("*.avg<2s", true, &format!("avg {workflow} 2 s"));
    check(
        "errors<1%",
        true,
        "errors of all requests were 1.59 %, the limit is 1 %",
    );
    check(
        "rps>=100",
        false,
        "rps of all requests was 101/s, the lower limit is 100/s",
    );
    check(
        "*.rps>=5",
        true,
        "rps of GET …/health was 0.800/s, the lower limit is 5/s",
    );
    // A window with too few requests breaks nothing; whether any window showed it is the referee's to say.
    check(
        "health.p95<1s",
        false,
        "p95 of GET …/health: fewer than 10 requests, too few to judge, so it was not shown to hold; the limit is 1 s",
    );
}

#[test]
fn the_share_of_polls_that_gave_up_is_judged_where_there_are_polls() {
    let mut steps = steps();
    steps[2].is_poll = true;
    let mut window = Window::new(5);
    let mut interval = Interval::new(5);
    (
        interval.steps[2].polls_ready,
        interval.steps[2].polls_gave_up,
    ) = (45, 5);
    window.add(&interval, 1_000_000_000);
    let parse = |text: &str, steps: &[StepName]| Rule::parse(text, Purpose::Fail, steps);
    for text in [
        "gave-up>9%",
        "*.gave-up>0.09",
        "GET /v1/opscore/agent/[id]/state.gave-up>9%",
    ] {
        let rule = parse(text, &steps).expect("a rule");
        let finding = rule.judge(&window);
        assert!(finding.broken && finding.value == Some(0.1), "{text}");
        assert!(rule.show(&finding).ends_with("was 10 %, the limit is 9 %"));
        assert!(
            !parse("gave-up>10%", &steps)
                .expect("a rule")
                .judge(&window)
                .broken
        );
        let none = rule.judge(&Window::new(5));
        assert_eq!(none.value, None);
        assert!(rule.show(&none).contains("fewer than 10 polls ended"));
    }
    let refused = |text: &str, steps: &[StepName], part: &str| {
        let error = parse(text, steps).expect_err(text);
        assert!(error.contains(part), "{error}");
    };
    refused(
        "workflow.gave-up>1%",
        &steps,
        "POST …/workflow is not a poll; write \"GET …/state.gave-up\"",
    );
    refused("gave-up>1s", &steps, "wrong unit");
    steps[2].is_work = false;
    refused(
        "gave-up>1%",
        &steps,
        "the work loop has no poll; write \"GET …/state.gave-up\"",
    );
    steps[2].is_poll = false;
    refused("gave-up>1%", &steps, "the scenario has none");
}

#[test]
fn a_step_is_named_by_any_part_of_it_that_no_other_shares() {
    let judged = |text: &str| rule(text).steps().to_vec();
    assert_eq!(judged("flow.avg>1s"), [3]);
    assert_eq!(judged("GET /v1/.avg>1s"), [2]);
    assert_eq!(judged("internal.avg>1s"), [0]);
    // A whole name or segment comes before a part of another one.
    let twins = [step("GET", "/a/order"), step("GET", "/a/orders")];
    let twin = Rule::parse("order.avg>1s", Purpose::Fail, &twins).expect("a rule");
    assert_eq!(twin.steps(), [0]);
    let error = Rule::parse("orde.avg>1s", Purpose::Fail, &twins).expect_err("either");
    assert!(error.contains("could be any of"), "{error}");
}

#[test]
fn a_rule_in_the_wrong_direction_for_its_flag_is_refused() {
    let check = |text: &str, purpose, cure: &str| {
        let error = Rule::parse(text, purpose, &steps()).expect_err(text);
        assert!(error.contains(cure), "{error}");
    };
    for text in ["p95<200ms", "p95 <= 200ms"] {
        check(
            text,
            Purpose::Fail,
            "--fail-if 'p95>200ms', or --require 'p95<200ms'",
        );
        check(
            text,
            Purpose::Stop,
            "--stop-when 'p95>200ms', or --require 'p95<200ms'",
        );
    }
    for text in ["workflow.errors>1%", "workflow.errors>=1%"] {
        let cure = "--fail-if 'workflow.errors>1%', or --require 'workflow.errors<1%'";
        check(text, Purpose::Require, cure);
    }
    for purpose in [Purpose::Stop, Purpose::Fail, Purpose::Require] {
        for text in ["rps<5", "rps>5", "health.rps<=5"] {
            Rule::parse(text, purpose, &steps()).expect("a rate may be too low or too high");
        }
    }
}

#[test]
fn a_step_can_be_left_out_of_a_judgement() {
    let errors = rule("errors>1%");
    assert!(errors.judge(&busy()).broken);
    assert_eq!(errors.judge_without(&busy(), &[0, 4]).value, Some(0.0));
    let workflow = rule("workflow.avg>2s");
    assert_eq!(workflow.judge_without(&busy(), &[3]).value, None);
    assert_eq!(rule("*.avg>2s").judge_without(&busy(), &[3]).step, Some(0));
}

#[test]
fn windows_add_up_steps_and_time() {
    let window = busy();
    assert_eq!(
        (window.length_ns, window.all().requests),
        (10_000_000_000, 1_008)
    );
    assert_eq!(window.all().response.count(), 1_008);
}

#[test]
fn steps_are_split_from_measures_at_the_right_point() {
    let parts = |text| {
        let rule = rule(text);
        (rule.scope, rule.measure, rule.comparison, rule.limit)
    };
    let all = Scope::All(vec![0, 1, 2, 3, 4]);
    let p99_9 = Measure::Percentile(99.9);
    let (above, workflow) = (Comparison::Above, Scope::Step(3));
    assert_eq!(
        parts("workflow.p99.9>1s"),
        (workflow.clone(), p99_9, above, 1e6)
    );
    assert_eq!(
        parts(" workflow . p99.9 > = 1.5 s "),
        (workflow.clone(), p99_9, Comparison::AtLeast, 1.5e6)
    );
    assert_eq!(parts("p99.9>800us"), (all, p99_9, above, 800.0));
    assert_eq!(
        parts("POST /v1/opscore/agent/[id]/workflow.avg>2m"),
        (workflow, Measure::Average, above, 120e6)
    );
    assert_eq!(
        parts("/v1.1/health.max>=1ms"),
        (Scope::Step(4), Measure::Max, Comparison::AtLeast, 1e3)
    );
    assert_eq!(
        parts("GET /v1/opscore/agent/[id]/state.rps<5"),
        (Scope::Step(2), Measure::PerSecond, Comparison::Below, 5.0)
    );
    assert_eq!(parts("p100>1s").1, Measure::Percentile(100.0));
    assert_eq!(parts("errors>100%").3, 1.0);
    assert_eq!(rule(" avg>2s ").text, "avg>2s");
    for text in OPS_CORE_RULES {
        rule(text);
    }
}

#[test]
fn a_wrong_rule_is_refused_with_reason_and_cure() {
    let refused = |text: &str, parts: &[&str]| {
        let error = Rule::parse(text, Purpose::Fail, &steps()).expect_err(text);
        for part in parts {
            assert!(error.contains(part), "{error}");
        }
        assert!(error.starts_with(&format!("rule \"{text}\": ")), "{error}");
    };
    refused("p95", &["comparison is missing", "avg>2s"]);
    refused("p95=1s", &["comparison is missing"]);
    refused("workflow.p95>1", &["\"1\"", "no unit", "write 250ms or 2s"]);
    refused("avg>", &["missing", "write 250ms or 2s"]);
    refused("avg>-1s", &["negative"]);
    refused("avg>1.2.3s", &["not a number"]);
    refused("avg>1sec", &["unknown unit"]);
    refused("avg>5%", &["unknown unit"]);
    refused("errors>5", &["not a share below 1", "write 1% or 0.01"]);
    refused("errors>101%", &["more than all of them"]);
    refused("errors>1s", &["wrong unit"]);
    refused("rps<1s", &["wrong unit", "500/s"]);
    refused("p0>1s", &["from above 0 to 100"]);
    refused("workflow.p100.1>1s", &["\"p100.1\"", "p99.9"]);
    refused(
        "workflow.agv>1s",
        &["\"agv\" is not a measure", "did you mean \"avg\""],
    );
    refused("pNaN>1s", &["not a measure"]);
    refused(">1s", &["measure is missing"]);
    refused(".avg>1s", &["step is missing", "*.avg"]);
    refused(
        "Workflow.avg>1s",
        &["no step \"Workflow\"", "did you mean \"workflow\""],
    );
    refused("WORKFLWO.avg>1s", &["did you mean \"workflow\""]);
    refused(
        "zzzzzz.avg>1s",
        &["there are \"POST /v1/opscore/internal/agent/notify\", \""],
    );
    for text in ["state.avg>1s", "/v1/opscore/agent/[id]/state.avg>1s"] {
        let post = "\"POST /v1/opscore/agent/[id]/state\"";
        refused(
            text,
            &[
                "could be any of",
                post,
                "\"GET /v1/opscore/agent/[id]/state\"",
            ],
        );
    }
}

#[test]
fn labels_that_would_be_alike_are_shown_in_full() {
    let steps = [("GET", "/a/b/state"), ("GET", "/c/state"), ("GET", "/x")]
        .map(|(method, name)| step(method, name));
    assert_eq!(labels(&steps), ["GET /a/b/state", "GET /c/state", "GET /x"]);
}

#[test]
fn no_cut_of_a_rule_makes_the_parser_panic() {
    let text = "POST /v1/opscore/agent/[id]/wörkflow . p99.9 > = 1.5 µs%";
    let cuts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    for &start in &cuts {
        for &end in cuts.iter().filter(|&&end| end >= start) {
            let _ = Rule::parse(&text[start..end], Purpose::Require, &steps());
        }
    }
}

/// Eight seconds in which nothing came, and a drain in which so many requests went unanswered.
fn hung(unanswered: u64) -> Window {
    let mut window = Window::new(5);
    window.add(&Interval::new(5), 8_000_000_000);
    let mut drain = Interval::new(5);
    drain.is_drain = true;
    (drain.steps[1].requests, drain.steps[1].failures) = (unanswered, unanswered);
    for _ in 0..unanswered {
        drain.steps[1].response.record(13_000_000_000);
    }
    window.add(&drain, 0);
    window
}

#[test]
fn a_server_that_hung_breaks_rules_on_times_errors_and_rates_however_few_were_waiting() {
    for unanswered in [1, 4, 20] {
        let window = hung(unanswered);
        for text in ["p99>1s", "avg>1s", "errors>1%", "*.errors>1%", "rps<1"] {
            let finding = rule(text).judge(&window);
            assert!(finding.broken, "{text} {unanswered}: {finding:?}");
        }
        // What went unanswered after the load is no throughput of it.
        assert_eq!(rule("rps>1").judge(&window).value, Some(0.0));
        assert_eq!(rule("errors>1%").judge(&window).value, Some(1.0));
    }
    // One that failed at once is no silence: too few to judge.
    let mut window = hung(0);
    let mut interval = Interval::new(5);
    (interval.steps[1].requests, interval.steps[1].failures) = (1, 1);
    interval.steps[1].response.record(1_000_000);
    window.add(&interval, 1_000_000_000);
    assert_eq!(rule("errors>1%").judge(&window).value, None);
}
