use super::*;
use crate::analysis::criteria::StepName;

const S: u64 = SECOND_NS;

fn stretch(from_s: u64, to_s: u64) -> Stretch {
    Stretch {
        from_ns: from_s * S,
        to_ns: to_s.saturating_mul(S),
    }
}

fn rules(purpose: Purpose, texts: &[&str]) -> Vec<Rule> {
    let steps = [StepName {
        method: "GET".to_owned(),
        name: "/".to_owned(),
        is_work: true,
        is_poll: false,
    }];
    let rules = texts.iter().map(|text| Rule::parse(text, purpose, &steps));
    rules.map(|rule| rule.expect("a rule")).collect()
}

/// A second with 20 answers that took `ms` each, `failures` of them failures.
fn second(ms: u64, failures: u64) -> Interval {
    let mut interval = Interval::new(1);
    interval.users = 7;
    interval.steps[0].requests = 20;
    interval.steps[0].answers = 20;
    interval.steps[0].failures = failures;
    for _ in 0..20 {
        interval.steps[0].response.record(ms * 1_000_000);
    }
    interval
}

fn drained(interval: Interval) -> Interval {
    Interval {
        is_drain: true,
        ..interval
    }
}

/// Shows the referee a run of so many seconds; returns the second at whose end a rule ended the run.
fn watch(referee: &mut Referee, seconds: u64, of: impl Fn(u64) -> Interval) -> Option<u64> {
    (1..=seconds).find(|&end| referee.on_second((end - 1) * S, end * S, &of(end)))
}

#[test]
fn a_level_is_judged_from_when_it_has_settled_to_its_end() {
    let max = u64::MAX;
    let check = |levels: &[(u64, u64)], load_s, settle_s: Option<u64>, expected: &[Stretch]| {
        let levels: Vec<(u64, u64)> = levels
            .iter()
            .map(|&(a, b)| (a * S, b.saturating_mul(S)))
            .collect();
        let found = settled(&levels, load_s, settle_s.map(|s| s * S));
        assert_eq!(found, expected);
    };
    check(&[(10, max)], Some(60 * S), None, &[stretch(15, 60)]);
    check(&[(10, max)], Some(22 * S), None, &[stretch(13, 22)]);
    check(
        &[(10, 20), (25, max)],
        None,
        Some(2),
        &[stretch(12, 20), stretch(27, max)],
    );
    // What is too short is left out; a load that never stays is one level.
    check(
        &[(10, 12), (20, max)],
        Some(40 * S),
        Some(2),
        &[stretch(22, 40)],
    );
    check(&[(300, max)], Some(300 * S), None, &[stretch(5, 300)]);
    check(&[(3, max)], Some(4 * S), Some(4), &[]);
    assert_eq!(settled(&[(S / 2, max)], None, Some(0)), [stretch(1, max)]);
}

#[test]
fn a_run_ends_with_the_first_window_that_breaks_a_rule_and_not_before_the_load_has_settled() {
    let referee = || {
        let stop = rules(Purpose::Stop, &["avg>100ms", "errors>5%"]);
        Referee::new(vec![stretch(5, 60)], 10 * S, stop, 1)
    };
    let mut slow_start = referee();
    let slow = |end| second(if end <= 5 { 5_000 } else { 90 }, 0);
    assert_eq!(watch(&mut slow_start, 60, slow), None);
    let [times, errors] = &slow_start.finish()[..] else {
        panic!("two rules");
    };
    assert_eq!((times.windows, errors.windows), (5, 5));
    let last = times.decided.as_ref().expect("judged");
    assert_eq!((last.from_ns, last.to_ns, last.users), (45 * S, 55 * S, 7));

    let mut later = referee();
    // A window from 25 to 35 s holds seven such seconds of ten.
    let slower = |end| second(if end > 28 { 200 } else { 90 }, 0);
    assert_eq!(watch(&mut later, 60, slower), Some(35));
    let cases = later.finish();
    let decided = cases[0].decided.as_ref().expect("judged");
    assert!(decided.finding.broken && !cases[1].decided.as_ref().expect("judged").finding.broken);
    assert_eq!((decided.from_ns, decided.to_ns), (25 * S, 35 * S));
    let mean = decided.finding.value.expect("a value");
    assert!((mean - 167_000.0).abs() < 1.0, "{mean}");
}

#[test]
fn rules_that_fail_a_run_judge_each_level_with_the_answers_that_came_in_the_drain() {
    let fail = rules(Purpose::Fail, &["errors>5%", "max>3s"]);
    let stretches = vec![stretch(2, 10), stretch(12, 20)];
    let mut referee = Referee::new(stretches, 10 * S, fail, 1);
    // 10 % of the second level fail, which is 4 % of all; seconds between the levels are judged by no rule.
    let of = |end: u64| match end {
        11 | 12 => second(9_000, 20),
        13.. => second(10, 2),
        _ => second(10, 0),
    };
    assert_eq!(watch(&mut referee, 20, of), None);
    referee.on_second(20 * S, 24 * S, &drained(second(4_000, 0)));
    let cases = referee.finish();
    let decided: Vec<&Judged> = cases
        .iter()
        .filter_map(|case| case.decided.as_ref())
        .collect();
    assert!(decided[0].finding.broken && decided[1].finding.broken);
    assert_eq!((decided[0].from_ns, decided[0].to_ns), (12 * S, 20 * S));
    assert_eq!(decided[1].finding.value, Some(4e6));
    assert_eq!(cases[0].windows, 2);
}

#[test]
fn a_run_that_ended_before_its_load_settled_is_judged_as_it_is() {
    let case = |purpose| {
        let rules = rules(purpose, &["avg>1s"]);
        let mut referee = Referee::new(vec![stretch(5, u64::MAX)], 10 * S, rules, 1);
        assert_eq!(watch(&mut referee, 3, |_| second(2_000, 0)), None);
        referee.finish().remove(0)
    };
    assert!(case(Purpose::Fail).is_broken());
    assert!(case(Purpose::Stop).decided.is_none());
}

#[test]
fn windows_are_no_longer_than_their_level() {
    let stop = rules(Purpose::Stop, &["avg>100ms"]);
    let stretches = vec![stretch(1, 4), stretch(5, 8)];
    let mut referee = Referee::new(stretches, 10 * S, stop, 1);
    let of = |end| second(if end > 5 { 200 } else { 50 }, 0);
    assert_eq!(watch(&mut referee, 20, of), Some(8));
}

#[test]
fn a_window_without_an_answer_is_not_a_good_one() {
    // Answers for 4 s of 20 and then never again, with seven requests open.
    let hangs = |end: u64| match end {
        ..=4 => second(1, 0),
        _ => {
            let mut interval = Interval::new(1);
            (0..7).for_each(|_| interval.steps[0].open.record((end - 4) * S));
            interval
        }
    };
    let stretches = || vec![stretch(2, 20)];
    let stop = rules(Purpose::Stop, &["avg>2s"]);
    let mut referee = Referee::new(stretches(), 5 * S, stop, 1);
    // In the first window 3 s of silence are an average of 0.5 s; the second is silent throughout.
    assert_eq!(watch(&mut referee, 20, hangs), Some(12));
    let fail = rules(Purpose::Fail, &["p99>2s", "errors>1%", "p50>2s"]);
    let mut referee = Referee::new(stretches(), 5 * S, fail, 1);
    assert_eq!(watch(&mut referee, 20, hangs), None);
    // They got the whole drain and no answer: failures of the level that had them open.
    let mut unanswered = drained(Interval::new(1));
    (unanswered.steps[0].requests, unanswered.steps[0].failures) = (7, 7);
    (0..7).for_each(|_| unanswered.steps[0].response.record(21 * S));
    referee.on_second(20 * S, 25 * S, &unanswered);
    let cases = referee.finish();
    let broken: Vec<bool> = cases.iter().map(Case::is_broken).collect();
    assert_eq!(broken, [true, true, false]);
    let errors = cases[1].decided.as_ref().expect("judged");
    assert_eq!(errors.finding.value, Some(7.0 / 47.0));
    assert_eq!((errors.from_ns, errors.to_ns), (2 * S, 20 * S));
}

#[test]
fn requests_that_end_after_the_load_are_in_no_rate() {
    let fail = rules(Purpose::Fail, &["rps<20"]);
    let mut referee = Referee::new(vec![stretch(2, 60)], 10 * S, fail, 1);
    for end in 1..=6 {
        referee.on_second((end - 1) * S, end * S, &second(1, 0));
    }
    // The last iteration ended the load in mid-second; nothing came in the 5 s of drain.
    let mut half = second(1, 0);
    half.steps[0].requests = 10;
    referee.on_second(6 * S, 6 * S + S / 2, &half);
    referee.on_second(6 * S + S / 2, 11 * S, &drained(Interval::new(1)));
    let case = referee.finish().remove(0);
    let judged = case.decided.expect("judged");
    assert_eq!(judged.finding.value, Some(20.0));
    assert_eq!(judged.to_ns, 6 * S + S / 2);
}

#[test]
fn a_required_rule_is_broken_unless_some_window_could_judge_it() {
    let require = |of: &dyn Fn(u64) -> Interval| {
        let rules = rules(Purpose::Require, &["avg<1s"]);
        let stretches = vec![stretch(1, 10), stretch(11, 20)];
        let mut referee = Referee::new(stretches, 10 * S, rules, 1);
        assert_eq!(watch(&mut referee, 20, of), None);
        referee.finish().remove(0)
    };
    let held = require(&|_| second(500, 0));
    assert_eq!((held.is_broken(), held.windows), (false, 2));
    let broken = require(&|end| second(if end > 10 { 1_500 } else { 500 }, 0));
    assert_eq!(
        broken.decided.as_ref().map(|judged| judged.from_ns),
        Some(11 * S)
    );
    assert!(broken.is_broken());
    // A level with too few requests is passed over, unless there is no other.
    let one_level = require(&|end| match end {
        ..=10 => second(500, 0),
        _ => Interval::new(1),
    });
    assert_eq!((one_level.is_broken(), one_level.windows), (false, 1));
    let nothing = require(&|_| Interval::new(1));
    assert_eq!((nothing.is_broken(), nothing.windows), (true, 0));
}

#[test]
fn windows_with_too_little_to_judge_are_not_counted_as_judged() {
    let fail = rules(Purpose::Fail, &["avg>1s", "rps<0.5"]);
    let mut referee = Referee::new(vec![stretch(1, 10)], 10 * S, fail, 1);
    let mut one = Interval::new(1);
    one.steps[0].requests = 1;
    one.steps[0].response.record(5 * S);
    assert_eq!(watch(&mut referee, 9, |_| one.clone()), None);
    let cases = referee.finish();
    assert_eq!((cases[0].windows, cases[1].windows), (0, 1));
    assert!(!cases[0].is_broken() && cases[0].decided.is_some());
}

#[test]
fn a_step_that_failed_from_its_first_request_on_is_named_with_what_it_broke() {
    let step = |name: &str| StepName {
        method: "GET".to_owned(),
        name: name.to_owned(),
        is_work: true,
        is_poll: false,
    };
    let steps = [step("/good"), step("/broken")];
    let judged = |failures: u64, recovers: bool| {
        let fail = Rule::parse("errors>5%", Purpose::Fail, &steps).expect("a rule");
        let mut referee = Referee::new(vec![stretch(1, 10)], 10 * S, vec![fail], 2);
        let of = |_: u64| {
            let mut interval = Interval::new(2);
            (interval.steps[0].requests, interval.steps[0].failures) = (36, failures);
            (interval.steps[1].requests, interval.steps[1].failures) = (4, 4);
            interval
        };
        assert_eq!(watch(&mut referee, 10, of), None);
        if recovers {
            let mut well = Interval::new(2);
            well.steps[1].requests = 1;
            referee.on_second(10 * S, 11 * S, &drained(well));
        }
        referee.finish().remove(0).decided.expect("judged")
    };
    let alone = judged(0, false);
    assert_eq!((alone.always_failed, alone.without_them), (vec![1], false));
    let both = judged(9, false);
    assert_eq!((both.always_failed, both.without_them), (vec![1], true));
    assert!(judged(0, true).always_failed.is_empty());
}

#[test]
fn a_load_that_goes_on_after_its_last_level_is_not_judged_there() {
    let fail = rules(Purpose::Fail, &["rps>21", "errors>1%"]);
    let mut referee = Referee::new(vec![stretch(2, 10)], 10 * S, fail, 1);
    // A ramp down to nothing in which all fail, and a drain in which the rest of it does.
    let of = |end| second(1, if end > 10 { 20 } else { 0 });
    assert_eq!(watch(&mut referee, 20, of), None);
    referee.on_second(20 * S, 22 * S, &drained(second(1, 20)));
    let cases = referee.finish();
    assert!(!cases[0].is_broken() && !cases[1].is_broken());
    assert_eq!((cases[0].windows, cases[1].windows), (1, 1));
}

#[test]
fn rules_on_start_and_stop_steps_judge_the_whole_run() {
    let step = |name: &str, is_work| StepName {
        method: "GET".to_owned(),
        name: name.to_owned(),
        is_work,
        is_poll: false,
    };
    let steps = [step("/login", false), step("/work", true)];
    let fail = |text| Rule::parse(text, Purpose::Fail, &steps).expect("a rule");
    let rules = vec![fail("login.errors>5%"), fail("errors>5%")];
    let mut referee = Referee::new(vec![stretch(5, 20)], 10 * S, rules, 2);
    let logins = |count| {
        let mut interval = Interval::new(2);
        (interval.steps[0].requests, interval.steps[0].failures) = (count, 1);
        interval.steps[1].requests = 20;
        interval
    };
    // Before the load, in the ramp, and in the drain: one of five each.
    referee.on_preparation(&logins(5));
    let ramp = |end| {
        if end == 1 {
            logins(5)
        } else {
            second_of_work()
        }
    };
    assert_eq!(watch(&mut referee, 20, ramp), None);
    referee.on_second(20 * S, 21 * S, &drained(logins(5)));
    let cases = referee.finish();
    assert!(cases[0].is_broken() && !cases[1].is_broken());
    let login = cases[0].decided.as_ref().expect("judged");
    assert_eq!(login.finding.value, Some(0.2));
    assert_eq!((login.from_ns, login.to_ns), (0, 20 * S));
}

fn second_of_work() -> Interval {
    let mut interval = Interval::new(2);
    interval.steps[1].requests = 20;
    interval
}

#[test]
fn an_order_begins_a_level_that_is_judged_by_itself_once_it_has_settled() {
    let load = |stretches: Vec<Stretch>, rules| {
        Referee::new(stretches, 10 * S, rules, 1).with_load(Some(60 * S), Some(3 * S))
    };
    let order = |referee: &mut Referee, from_s: u64, to_s: u64, at_ns: u64, ms: u64| {
        assert_eq!(watch_from(referee, from_s, to_s, |_| second(50, 0)), None);
        referee.on_order(at_ns, 2 * S);
        watch_from(referee, to_s, 60, |_| second(ms, 0))
    };
    // From 17.2 s on the load changes until 19.2 s, and has settled at 23 s: the first window ends at 33 s.
    let stop = || rules(Purpose::Stop, &["avg>100ms"]);
    let mut referee = load(vec![stretch(5, 60)], stop());
    let at_ns = 17 * S + S / 5;
    assert_eq!(order(&mut referee, 0, 17, at_ns, 200), Some(33));
    // The same within a stage and before another one, which does not come.
    let stages = vec![stretch(5, 20), stretch(24, 60)];
    let mut referee = load(stages, stop());
    assert_eq!(order(&mut referee, 0, 17, at_ns, 200), Some(33));
    // Twice within a second: the first level was never one.
    let mut referee = load(vec![stretch(5, 60)], stop());
    referee.on_order(at_ns, 2 * S);
    assert_eq!(order(&mut referee, 0, 18, at_ns + S, 200), Some(34));
    // As a whole each level is judged by itself, and what lies between them by neither.
    let fail = rules(Purpose::Fail, &["avg>100ms", "max>1s"]);
    let mut referee = load(vec![stretch(5, 60)], fail);
    assert_eq!(watch_from(&mut referee, 0, 17, |_| second(50, 0)), None);
    referee.on_order(at_ns, 2 * S);
    let ms = |end: u64| if end <= 23 { 5_000 } else { 200 };
    watch_from(&mut referee, 17, 60, |end| second(ms(end), 0));
    let cases = referee.finish();
    let decided = cases[0].decided.as_ref().expect("judged");
    assert_eq!((decided.from_ns, decided.to_ns), (23 * S, 60 * S));
    assert_eq!((cases[0].windows, cases[1].windows), (2, 2));
    let broken: Vec<bool> = cases.iter().map(Case::is_broken).collect();
    assert_eq!(broken, [true, false]);
    // A level that the run is too short for is judged by nothing; those before it are.
    let fail = rules(Purpose::Fail, &["avg>100ms"]);
    let mut referee = load(vec![stretch(5, 60)], fail);
    assert_eq!(order(&mut referee, 0, 55, 55 * S + S / 5, 5_000), None);
    let cases = referee.finish();
    assert_eq!((cases[0].windows, cases[0].is_broken()), (1, false));
}

/// As [`watch`], from the second after `from_s` on.
fn watch_from(
    referee: &mut Referee,
    from_s: u64,
    to_s: u64,
    of: impl Fn(u64) -> Interval,
) -> Option<u64> {
    (from_s + 1..=to_s).find(|&end| referee.on_second((end - 1) * S, end * S, &of(end)))
}
