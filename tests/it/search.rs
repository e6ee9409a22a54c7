//! The search for the breaking point: on the virtual clock against a service of known capacity, then the real binary.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use crate::support::background::in_background;
use crate::support::binary::opsurge;
use crate::support::sim_server::{self, Answer, Seen, Server};
use opsurge::analysis::breaking_point::{Growth, Search};
use opsurge::analysis::criteria::{Groups, OPS_CORE_RULES, Purpose, Rule, StepName};
use opsurge::engine::plan::Plan;
use opsurge::engine::shard::Handover;
use opsurge::engine::{Control, Order, Second};
use opsurge::load::Load;
use opsurge::load::closed::Closed;
use opsurge::load::open::{Arrivals, Open};
use opsurge::metrics::interval::Interval;
use opsurge::record::schema::{LevelRecord, Record, SearchRecord};
use opsurge::scenario::builtin::builtin;
use opsurge::scenario::format::compile::Context;
use opsurge::scenario::wait::Wait;
use opsurge::session::steer::{Course, Steer};
use opsurge::sim::Network;
use opsurge_testbed::plans;

const SECOND_NS: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;

const ONE_STEP: &str = "name = \"x\"\n[[task]]\nmethod = \"GET\"\npath = \"/\"\n";

/// So many workers that take `service_ns` for each request, first come first served: workers / service time is all
/// that they can do.
fn workers(count: usize, service_ns: u64) -> impl FnMut(&Seen) -> u64 {
    let mut free_ns: BinaryHeap<Reverse<u64>> = (0..count).map(|_| Reverse(0)).collect();
    move |seen| {
        let Reverse(free) = free_ns.pop().expect("there is one");
        let done_ns = free.max(seen.at_ns) + service_ns;
        free_ns.push(Reverse(done_ns));
        done_ns - seen.at_ns
    }
}

fn plan(text: &str, wait: Option<&str>, users: Closed, arrivals: Option<Open>) -> Plan {
    let zero = Wait::parse("0").expect("a wait");
    let context = Context {
        wait: wait.map(|wait| Wait::parse(wait).expect("a wait")),
        pause: Some(zero),
        api_key: Some("key-for-tests".into()),
        ..Context::plain()
    };
    let scenario = plans::scenario_with(text, &context);
    plans::plan(scenario, Load::new(users, arrivals))
}

fn course(plan: &Plan, search: Search, rules: &[&str]) -> Course {
    let metrics = plan.scenario.metrics.iter();
    let steps: Vec<StepName> = metrics
        .zip(plan.scenario.work_metrics())
        .map(|(step, is_work)| StepName {
            method: step.method.clone(),
            name: step.name.clone(),
            is_work,
            is_poll: step.is_poll,
        })
        .collect();
    let kinds = plan.scenario.kinds.iter().map(|kind| {
        let metrics = kind.metrics.clone().map(usize::from);
        (kind.name.clone(), metrics.collect())
    });
    let groups = Groups {
        kinds: kinds.collect(),
        ..Groups::default()
    };
    let rules = rules
        .iter()
        .map(|text| Rule::parse_among(text, Purpose::Stop, &steps, &groups));
    Course {
        search,
        is_open: plan.load.is_open(),
        rules: rules.map(|rule| rule.expect("a rule")).collect(),
        spawn_rate: 100.0,
        settle_ns: 5 * SECOND_NS,
        window_ns: 10 * SECOND_NS,
    }
}

/// One shard of the plan, with the search at its side each second, until that is over or `until_ns` has come.
fn found(
    plan: &Plan,
    course: &Course,
    known: Vec<LevelRecord>,
    until_ns: u64,
    answer: impl FnMut(&Seen) -> Answer,
) -> SearchRecord {
    let sim = sim_server::sim(plan, 0, Server::new(answer), Network::calm(0), 1);
    let control = Arc::new(Control::default());
    let steer = Arc::new(Mutex::new(Steer::new(course, plan, &control, known)));
    if steer.lock().expect("one thread").begin() {
        let (of_shard, ending) = (steer.clone(), control.clone());
        let is_open = plan.load.is_open();
        let mut begin_ns = 0;
        let (steps, spans) = (plan.scenario.metrics.len(), plan.scenario.spans.len());
        let on_interval = Box::new(move |handover: Handover, recorder: &mut _| {
            let now_ns = handover.end_ns;
            let recorder: &mut opsurge::metrics::recorder::Recorder = recorder;
            let mut interval = recorder.swap_interval(Interval::reserved(steps, spans));
            let load_from_ns = match is_open {
                true => ending.arrivals_after_ns(),
                false => Some(0),
            };
            let second = Second {
                begin_ns,
                end_ns: now_ns,
                interval: &mut interval,
                load_from_ns,
                now_ns,
                started_at: std::time::SystemTime::UNIX_EPOCH,
            };
            begin_ns = now_ns;
            if of_shard.lock().expect("one thread").on_second(&second) || now_ns >= until_ns {
                ending.give(Order::Drain);
            }
        });
        sim_server::drive(plan, 0, sim, &control, on_interval);
    }
    let steer = steer.lock().expect("one thread");
    steer.found()
}

fn growing(from: f64, to: f64, is_whole: bool) -> Search {
    Search {
        from,
        growth: Growth::Times(1.5),
        to,
        resolution: Some(0.05),
        is_whole,
    }
}

fn check_bracket(found: &SearchRecord, truth: f64) {
    let (good, bad) = (
        found.last_good.expect("found"),
        found.first_bad.expect("found"),
    );
    let printed = &found.ended;
    assert!(
        good < bad && (bad - good) / good <= 0.05 + 1e-9,
        "{printed}"
    );
    assert!(
        good >= truth * 0.95 && bad <= truth * 1.05 * 1.05,
        "{printed}, in truth {truth}"
    );
    assert!(good <= truth * 1.05, "{printed}, in truth {truth}");
}

#[test]
fn a_search_by_rate_finds_the_capacity_within_five_percent() {
    in_background(check_searches_by_rate);
}

fn check_searches_by_rate() {
    for (arrivals, count, service_ns) in [
        (Arrivals::Constant, 4, 10 * MS),
        (Arrivals::Constant, 1, 3 * MS),
        (Arrivals::Poisson, 16, 20 * MS),
    ] {
        let capacity = count as f64 * 1e9 / service_ns as f64;
        let open = Open::steered(100_000.0, arrivals, 50, 2_000);
        let plan = plan(ONE_STEP, None, Closed::at_rate(50, 50.0), Some(open));
        let course = course(&plan, growing(60.0, 100_000.0, false), &OPS_CORE_RULES);
        let mut delay_ns = workers(count, service_ns);
        let answer = |seen: &Seen| Answer {
            after_ns: delay_ns(seen),
            ..Answer::new(200, "")
        };
        let found = found(&plan, &course, Vec::new(), u64::MAX, answer);
        check_bracket(&found, capacity);
        let rps = found.sustainable_rps.expect("a rate");
        assert!((rps / capacity - 1.0).abs() < 0.06, "{rps} of {capacity}");
        // What piled up at a bad level is waited for: measured again, it is not worse than at first.
        let pair = found.levels.windows(2);
        let mut again = pair.filter(|pair| pair[0].level == pair[1].level && !pair[0].good);
        let pair = again.next().expect("a bad level is measured again");
        let median = |level: &LevelRecord| level.p50_us.expect("answers");
        assert!(median(&pair[1]) < 1.5 * median(&pair[0]), "{pair:?}");
        let (low, high) = (found.sustainable_rps_low, found.sustainable_rps_high);
        assert!(low <= Some(rps) && Some(rps) <= high);
    }
}

/// The workflow scenario's own answers: registered at once, ready at once.
fn ops_core(mut delay_ns: impl FnMut(&Seen) -> u64) -> impl FnMut(&Seen) -> Answer {
    move |seen| Answer {
        after_ns: delay_ns(seen),
        ..match seen.path.ends_with("/workflow") {
            true => Answer::new(202, "{}"),
            false => Answer::new(200, "{}"),
        }
    }
}

#[test]
fn a_search_by_users_stops_where_ops_cores_rule_says() {
    // 50 requests a second in all; users who wait 5 s. The average is above 2 s from 50 * (5 + 2) users on.
    let text = builtin("workflow").expect("it is built in").text;
    let plan = plan(text, Some("5s"), Closed::steered(5_000), None);
    let course = course(&plan, growing(100.0, 5_000.0, true), &OPS_CORE_RULES);
    let found = found(
        &plan,
        &course,
        Vec::new(),
        u64::MAX,
        ops_core(workers(1, 20 * MS)),
    );
    check_bracket(&found, 350.0);
    let first_bad = found.levels.iter().find(|level| !level.good).expect("one");
    assert_eq!(first_bad.rule.as_deref(), Some("*.avg>2s"));
    assert!((found.sustainable_rps.expect("a rate") - 50.0).abs() < 2.0);
}

/// Two counted users that wait 1 s, and others of which half wait 2 s and half 4 s: 25 requests a second in all.
const KINDS: &str = r#"
    name = "x"
    [[users]]
    name = "clerk"
    count = 2
    wait = "1s"
    [[users.task]]
    method = "GET"
    path = "/open"
    [[users]]
    name = "browser"
    share = "50%"
    wait = "2s"
    [[users.task]]
    method = "GET"
    path = "/items"
    [[users]]
    name = "buyer"
    share = "50%"
    wait = "4s"
    [[users.task]]
    method = "POST"
    path = "/orders"
    "#;

#[test]
fn a_search_over_kinds_of_users_goes_through_its_levels_with_their_mix() {
    let plan = plan(KINDS, None, Closed::steered(1_000), None);
    let course = course(&plan, growing(10.0, 1_000.0, true), &["kind:buyer.avg>1s"]);
    let mut delay_ns = workers(1, 40 * MS);
    let answer = |seen: &Seen| Answer {
        after_ns: delay_ns(seen),
        ..Answer::new(200, "")
    };
    let found = found(&plan, &course, Vec::new(), u64::MAX, answer);
    // In the mean each answer takes 1 s when 2 / (1 + 1) + (n - 2) / 2 * (1 / (2 + 1) + 1 / (4 + 1)) = 25: 92 users.
    check_bracket(&found, 92.0);
    let first_bad = found.levels.iter().find(|level| !level.good).expect("one");
    assert_eq!(first_bad.rule.as_deref(), Some("kind:buyer.avg>1s"));
    assert!((found.sustainable_rps.expect("a rate") - 25.0).abs() < 2.0);
}

#[test]
fn users_own_stress_test_ends_at_the_first_step_that_fails_too_often() {
    // "start at 300 users, add 50 until errors pass 5 %": from 400 users on, every tenth workflow is refused.
    let text = builtin("workflow").expect("it is built in").text;
    let plan = plan(text, Some("1s"), Closed::steered(5_000), None);
    let search = Search {
        from: 300.0,
        growth: Growth::Add(50.0),
        to: 5_000.0,
        resolution: None,
        is_whole: true,
    };
    let course = course(&plan, search, &OPS_CORE_RULES);
    let (mut agents, mut workflows) = (std::collections::HashSet::new(), 0u64);
    let answer = |seen: &Seen| {
        if !seen.path.ends_with("/workflow") {
            return Answer::new(200, "{}");
        }
        agents.insert(seen.path.clone());
        workflows += 1;
        let is_refused = agents.len() > 350 && workflows.is_multiple_of(10);
        Answer::new(if is_refused { 503 } else { 202 }, "{}")
    };
    let found = found(&plan, &course, Vec::new(), u64::MAX, answer);
    assert_eq!(
        (found.last_good, found.first_bad),
        (Some(350.0), Some(400.0))
    );
    let bad = found.levels.iter().find(|level| !level.good).expect("one");
    assert_eq!(bad.rule.as_deref(), Some("errors>5%"));
    assert!((bad.failure_ratio - 0.1).abs() < 0.02, "{}", bad.says);
    // Users are there when the window begins, and the level before has gone by in its own time.
    let begins: Vec<f64> = found.levels.iter().map(|level| level.from_s).collect();
    assert!(
        begins.windows(2).all(|pair| pair[1] - pair[0] >= 15.0),
        "{begins:?}"
    );
}

#[test]
fn a_service_that_stops_answering_is_not_taken_for_a_good_one() {
    // From the 31st user on, nobody gets an answer any more.
    let plan = plan(ONE_STEP, Some("100ms"), Closed::steered(1_000), None);
    let search = growing(20.0, 1_000.0, true);
    let course = course(&plan, search, &OPS_CORE_RULES);
    let mut connections = std::collections::HashSet::new();
    let answer = |seen: &Seen| {
        connections.insert(seen.connection);
        Answer {
            after_ns: if connections.len() > 30 {
                3_600 * SECOND_NS
            } else {
                MS
            },
            ..Answer::new(200, "")
        }
    };
    let found = found(&plan, &course, Vec::new(), u64::MAX, answer);
    // It stays silent at levels that it held before, and the search says so instead of sinking to nothing.
    assert_eq!(found.last_good, Some(30.0), "{}", found.ended);
    assert!(found.first_bad.is_some_and(|bad| bad <= 45.0));
    assert!(found.ended.contains("does not recover"), "{}", found.ended);
    assert!(found.ended.contains("the server stopped answering"));
    let silent = found.levels.iter().find(|level| level.level == 45.0);
    let silent = silent.expect("it was measured");
    assert_eq!(
        (silent.rule.as_deref(), silent.judged),
        (Some("no answer"), true)
    );
    assert_eq!(found.sustainable_rps_high, None, "a lower bound");
}

#[test]
fn a_level_whose_latency_grows_within_its_window_does_not_hold() {
    // From 45 users on a request takes 1 ms more for each second since then, whatever the limits of the rules are.
    let plan = plan(ONE_STEP, Some("100ms"), Closed::steered(1_000), None);
    let course = course(&plan, growing(20.0, 1_000.0, true), &OPS_CORE_RULES);
    let mut connections = std::collections::HashSet::new();
    let mut since_ns = None;
    let answer = |seen: &Seen| {
        connections.insert(seen.connection);
        if connections.len() >= 45 {
            since_ns.get_or_insert(seen.at_ns);
        }
        let slower_ns = since_ns.map_or(0, |since| (seen.at_ns - since) / 1_000);
        Answer {
            after_ns: MS + slower_ns,
            ..Answer::new(200, "")
        }
    };
    let found = found(&plan, &course, Vec::new(), 60 * SECOND_NS, answer);
    let bad = found.levels.iter().find(|level| !level.good).expect("one");
    assert_eq!(
        (bad.level, bad.rule.as_deref()),
        (45.0, Some("latency grows"))
    );
    assert!(bad.says.contains("grew within the window"), "{}", bad.says);
    let mut lower = found.levels.iter().filter(|level| level.level < 45.0);
    assert!(lower.all(|level| level.good));
}

#[test]
fn an_interrupted_search_goes_on_where_it_was() {
    let text = builtin("workflow").expect("it is built in").text;
    let begin = || plan(text, Some("5s"), Closed::steered(5_000), None);
    let whole_plan = begin();
    let whole_course = course(&whole_plan, growing(100.0, 5_000.0, true), &OPS_CORE_RULES);
    let service = || ops_core(workers(1, 20 * MS));
    let first = found(
        &whole_plan,
        &whole_course,
        Vec::new(),
        60 * SECOND_NS,
        service(),
    );
    assert_eq!(
        (first.levels.len(), first.first_bad),
        (3, None),
        "{}",
        first.ended
    );
    let rest_plan = begin();
    let second = found(
        &rest_plan,
        &whole_course,
        first.levels.clone(),
        u64::MAX,
        service(),
    );
    check_bracket(&second, 350.0);
    assert_eq!(second.levels[..3], first.levels[..]);
    // The fourth was the first to be measured by the second run.
    assert!(second.levels[3].from_s < first.levels[1].from_s);
    // A search that is over measures nothing more.
    let over_plan = begin();
    let third = found(
        &over_plan,
        &whole_course,
        second.levels.clone(),
        u64::MAX,
        |seen: &Seen| panic!("{seen:?} was measured anew"),
    );
    assert_eq!(third, second);
}

/// Runs the real binary; its record and what it printed.
fn search(args: &[&str], code: i32) -> (Record, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let json = folder.path().join("r.json");
    let prefix = folder.path().join("out");
    let output = opsurge(&["search", "--mock", "--headless"])
        .args(args)
        .arg("--json")
        .arg(&json)
        .arg("--csv")
        .arg(&prefix)
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{printed}{why}");
    let text = std::fs::read_to_string(&json).expect("the record was written");
    let levels = std::fs::read_to_string(folder.path().join("out_search.csv")).expect("levels");
    let record = Record::parse(&text).expect("it is a record");
    let found = record.search.as_ref().expect("a search");
    assert_eq!(levels.lines().count(), found.levels.len() + 1);
    (record, printed)
}

const REGISTRATION: &str = r#"{"event_type": "REGISTER", "agent_details": {"agentId": "x", "agentName": "x",
    "version": "1", "capabilities": [], "contactEndpoint": "http://x"}}"#;

#[test]
fn the_real_binary_finds_a_known_capacity_and_says_by_which_rule() {
    let (record, printed) = search(
        &[
            "--url",
            "/v1/opscore/internal/agent/notify",
            "--body",
            REGISTRATION,
            "--rate",
            "--from",
            "100",
            "--step",
            "140",
            "--to",
            "500",
            "--every",
            "2s",
            "--settle",
            "1s",
            "--mock-workers",
            "2",
            "--mock-service-time",
            "10ms",
            "--stop-when",
            "avg>2s",
            "--header",
            "Authorization: Bearer test-api-key",
        ],
        0,
    );
    let found = record.search.expect("a search");
    // 200 a second are possible: 100 hold, 240 do not.
    assert_eq!(
        (found.last_good, found.first_bad),
        (Some(100.0), Some(240.0))
    );
    assert_eq!(found.level_is, "rate");
    assert!(
        printed.contains("BREAKING POINT: 100 iterations/s hold, 240 do not"),
        "{printed}"
    );
    assert!(printed.contains("piled up"), "{printed}");
    assert_eq!(record.run.ended_by, "criterion");
    assert_eq!(
        record.totals.sent,
        record.totals.requests + record.totals.cut_off
    );
}

#[test]
fn a_search_that_ends_too_early_has_not_gone_well() {
    let arguments = [
        "--get", "/health", "--from", "5", "--every", "2s", "-t", "3s",
    ];
    let (record, printed) = search(&arguments, 1);
    assert_eq!(record.run.ended_by, "time");
    assert!(
        printed.contains("was ended before it found it"),
        "{printed}"
    );
}

#[test]
fn a_level_with_too_few_requests_to_judge_is_not_one_that_holds() {
    let load = [
        "--get", "/health", "--wait", "10s", "--from", "1", "--to", "2",
    ];
    let windows = ["--grow", "2x", "--every", "2s", "--settle", "1s"];
    let (record, printed) = search(&[&load[..], &windows].concat(), 1);
    let found = record.search.expect("a search");
    assert_eq!((found.last_good, found.sustainable_rps), (None, None));
    assert!(found.ended.contains("give a longer --every"), "{printed}");
    assert!(found.levels.iter().all(|level| !level.judged));
}

#[test]
fn a_rate_that_never_broke_is_a_lower_bound() {
    let load = [
        "--get", "/health", "--wait", "20ms", "--from", "2", "--to", "4",
    ];
    let windows = ["--grow", "2x", "--every", "2s", "--settle", "1s"];
    let (record, printed) = search(&[&load[..], &windows].concat(), 0);
    let found = record.search.expect("a search");
    assert_eq!((found.last_good, found.first_bad), (Some(4.0), None));
    assert!(found.sustainable_rps_low.is_some() && found.sustainable_rps_high.is_none());
    assert!(printed.contains("SUSTAINABLE: >= "), "{printed}");
    assert!(record.passed && record.exit_code == 0);
}

#[test]
fn a_step_that_never_works_ends_a_search_at_its_first_level() {
    // Half of all requests are workflows, which the published server answers 500: no level says anything of load.
    let load = [
        "workflow",
        "--mock-published-500",
        "--mock-ready-after",
        "0",
    ];
    let rest = [
        "--wait", "20ms", "--pause", "0", "--from", "5", "--to", "40",
    ];
    let rules = [
        "--every",
        "2s",
        "--settle",
        "1s",
        "--stop-when",
        "errors>90%",
    ];
    let (record, printed) = search(&[&load[..], &rest, &rules].concat(), 1);
    let found = record.search.as_ref().expect("a search");
    let sentence = "POST …/workflow failed every time from its first request (500)";
    assert!(found.ended.contains(sentence), "{}", found.ended);
    assert_eq!((found.levels.len(), found.last_good), (1, None));
    assert_eq!(found.sustainable_rps, None);
    assert!(!printed.contains("SUSTAINABLE"), "{printed}");
    assert!(!record.passed && record.reasons[0].contains(sentence));
}

#[test]
fn levels_of_another_search_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("first.json");
    let file = path.to_str().expect("UTF-8");
    let same = [
        "search",
        "--headless",
        "--get",
        "/health",
        "--wait",
        "20ms",
        "--every",
        "2s",
        "--settle",
        "1s",
    ];
    let begin = [
        "--mock", "--from", "2", "--to", "40", "-t", "5s", "--json", file,
    ];
    let output = opsurge(&[&same[..], &begin].concat())
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(1), "it was ended early");
    for (flags, part) in [
        (
            &["--host", "http://127.0.0.1:9"][..],
            "same host: the embedded stand-in in the record, http://127.0.0.1:9 now",
        ),
        (
            &["--mock", "--every", "3s"],
            "same window: 2s in the record, 3s now",
        ),
        (
            &["--mock", "--settle", "2s"],
            "same settling time: 1s in the record, 2s now",
        ),
        (
            &["--mock", "--wait", "30ms"],
            "same wait: 20ms in the record, 30ms now",
        ),
        (
            &["--mock", "--timeout", "5s"],
            "same timeout: 30s in the record, 5s now",
        ),
        (
            &["--mock", "--connections", "4"],
            "same connections: per-user in the record, 4 now",
        ),
        (&["--mock", "--stop-when", "avg>1s"], "same rules: "),
        (
            &["--mock", "--rate"],
            "same kind of level: users in the record, rate now",
        ),
    ] {
        // A flag that is given twice counts as given last.
        let kept = same.chunks(2).filter(|pair| !flags.contains(&pair[0]));
        let kept: Vec<&str> = kept.flatten().copied().collect();
        let output = opsurge(&[&kept[..], flags, &["--from", "2", "--resume", file]].concat())
            .output()
            .expect("it starts");
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {why}");
        assert!(
            why.contains(part) && why.contains("as it was"),
            "{flags:?}: {why}"
        );
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_search_that_cannot_be_is_refused_before_anything_is_sent() {
    for (args, part) in [
        (&["--stage", "5:5s"][..], "makes its own levels"),
        (&["--iterations", "5"], "makes its own levels"),
        (&["--require", "avg<1s"], "give --stop-when instead"),
        (&["--from", "10", "--to", "5"], "above the highest level"),
        (&["--from", "1.5"], "whole numbers of users"),
        (&["--grow", "0.5x"], "a factor above 1"),
        (&["--resolution", "5"], "a share"),
        (&["--every", "1s"], "at least 2s"),
        (&["--stop-when", "avg>2"], "write 250ms or 2s"),
        (&["--resume", "/nowhere.json"], "/nowhere.json"),
        (&["--from", "many"], "users per second"),
    ] {
        let output = opsurge(&["search", "--mock"])
            .args(args)
            .output()
            .expect("the binary starts");
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {why}");
        assert!(why.contains(part), "{args:?}: {why}");
        assert!(output.stdout.is_empty());
    }
}
