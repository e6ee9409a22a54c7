//! Runs of scenarios on the virtual clock: the server sees what the file says.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write;

use crate::support::sim_server::{self, Answer, Seen, Server, check_sums};
use opsurge::engine::plan::{Connections, Plan};
use opsurge::engine::shard::Outcomes;
use opsurge::load::Load;
use opsurge::load::closed::Closed;
use opsurge::load::open::{Arrivals, Open};
use opsurge::metrics::outcome::Failure;
use opsurge::metrics::recorder::StepCounts;
use opsurge::scenario::builtin::builtin;
use opsurge::scenario::format::compile::{Context, parse_stage};
use opsurge::scenario::wait::Wait;
use opsurge::sim::Network;
use opsurge_testbed::plans;
use serde_json::Value;

const SECOND_NS: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;

/// A plan of one shard for a scenario's text.
fn plan(text: &str, wait: Option<&str>, load: impl Into<Load>, run_time_s: u64) -> Plan {
    let context = Context {
        wait: wait.map(|wait| Wait::parse(wait).expect("a wait")),
        read: &|_| {
            Ok(b"mail,n\na@x,1\n\"b \"\"q\"\"@x\",2\nc@x,3\n"
                .to_vec()
                .into())
        },
        ..Context::plain()
    };
    Plan {
        run_time_ns: Some(run_time_s * SECOND_NS),
        ..plans::plan(plans::scenario_with(text, &context), load)
    }
}

fn stages(texts: &[&str]) -> Closed {
    let points = texts.iter().map(|text| parse_stage(text).expect(text));
    Closed::through(&points.collect::<Vec<_>>())
}

fn run(plan: &Plan, answer: impl FnMut(&Seen) -> Answer) -> (Outcomes, Vec<Seen>) {
    let server = Server::with_journal(answer);
    let (outcomes, sim) = sim_server::run(plan, 0, server, Network::calm(0), 1);
    check_sums(&outcomes.recorder.counts.steps, 1);
    let journal = sim.service.journal.unwrap_or_default();
    let sent: u64 = outcomes
        .recorder
        .counts
        .steps
        .iter()
        .map(|step| step.sent)
        .sum();
    let count_of = |failure| -> u64 {
        let steps = outcomes.recorder.counts.steps.iter();
        let errors = steps.flat_map(|step| &step.errors);
        let of_kind = errors.filter(|error| error.failure == failure);
        of_kind.map(|error| error.count).sum()
    };
    let never_left = count_of(Failure::WaitTimeout);
    let cut_off: u64 = outcomes
        .recorder
        .counts
        .steps
        .iter()
        .map(|step| step.cut_off)
        .sum();
    // These may have left or not.
    let unknown = cut_off + count_of(Failure::TaskTimeout);
    let left = journal.len() as u64;
    assert!((sent - never_left - unknown..=sent - never_left).contains(&left));
    (outcomes, journal)
}

/// The agent of a request.
fn agent_of(seen: &Seen) -> String {
    match seen.path.strip_prefix("/v1/opscore/agent/") {
        Some(rest) => rest.split('/').next().unwrap_or_default().to_owned(),
        None => {
            let body: Value = serde_json::from_str(&seen.body).expect("JSON");
            let id = body["agent_details"]["agentId"].as_str();
            id.expect("an id").to_owned()
        }
    }
}

/// Runs a built-in scenario against an Ops-Core whose agents are ready after `polls`; returns what each agent did, in
/// order.
fn run_builtin(
    name: &str,
    wait: &str,
    users: u64,
    run_time_s: u64,
    polls: u32,
) -> (Outcomes, BTreeMap<String, Vec<Seen>>) {
    let text = builtin(name).expect(name).text;
    let load = Closed::at_rate(users, users as f64);
    let plan = plan(text, Some(wait), load, run_time_s);
    let mut asked: HashMap<String, u32> = HashMap::new();
    let (outcomes, journal) = run(&plan, |seen| {
        let last = seen.path.rsplit('/').next().unwrap_or_default();
        match (seen.method.as_str(), last) {
            ("POST", "notify") => Answer::new(200, "{\"status\":\"success\"}"),
            ("GET", "state") => {
                let asked = asked.entry(agent_of(seen)).or_default();
                *asked += 1;
                match (*asked).cmp(&polls) {
                    std::cmp::Ordering::Less => Answer::new(404, "{\"detail\":\"none\"}"),
                    std::cmp::Ordering::Equal => Answer::new(200, "null"),
                    std::cmp::Ordering::Greater => Answer::new(200, "{\"state\":\"idle\"}"),
                }
            }
            ("POST", "state" | "workflow") => Answer::new(202, "{}"),
            _ => panic!("{} {}", seen.method, seen.path),
        }
    });
    let mut agents: BTreeMap<String, Vec<Seen>> = BTreeMap::new();
    for seen in journal {
        agents.entry(agent_of(&seen)).or_default().push(seen);
    }
    assert_eq!(agents.len() as u64, users);
    (outcomes, agents)
}

/// Checks what holds in all five: each agent registers first and without a key, and sends everything else with it and about
/// itself.
fn check_agent(id: &str, prefix: &str, seen: &[Seen]) {
    assert!(
        id.starts_with(prefix) && id.len() == prefix.len() + 36,
        "{id}"
    );
    assert_eq!(seen[0].path, "/v1/opscore/internal/agent/notify");
    assert_eq!(seen[0].field("authorization"), None);
    for later in &seen[1..] {
        assert_eq!(later.field("authorization"), Some("Bearer test-api-key"));
        assert_ne!(later.path, seen[0].path, "registered twice");
        if later.method == "POST" {
            let body: Value = serde_json::from_str(&later.body).expect("JSON");
            let about = body.get("agentId").and_then(Value::as_str);
            assert!(about.is_none_or(|about| about == id), "{body}");
            assert_eq!(later.field("content-type"), Some("application/json"));
        }
    }
    let ms: Vec<u64> = seen.iter().map(|seen| seen.at_ns / MS).collect();
    assert!(ms.is_sorted(), "{ms:?}");
}

/// The time from each request to the next, in milliseconds.
fn gaps_ms(seen: &[Seen]) -> Vec<u64> {
    let pairs = seen.windows(2);
    pairs
        .map(|pair| (pair[1].at_ns - pair[0].at_ns) / MS)
        .collect()
}

#[test]
fn scenario_0_registers_and_reports() {
    let (_, agents) = run_builtin("0", "1s..2s", 5, 60, 0);
    for (id, seen) in &agents {
        check_agent(id, "loadtest-agent-", seen);
        let gaps = gaps_ms(&seen[1..]);
        assert!(
            gaps.iter().all(|gap| (1_000..=2_000).contains(gap)),
            "{gaps:?}"
        );
        assert!(gaps.len() > 30 && gaps.iter().min() != gaps.iter().max());
        for update in &seen[1..] {
            assert!(update.method == "POST" && update.path.ends_with("/state"));
            let body: Value = serde_json::from_str(&update.body).expect("JSON");
            let state = body["state"].as_str().expect("a state");
            assert!(["idle", "active", "error", "finished"].contains(&state));
            let at_s = update.at_ns / SECOND_NS;
            let expected = format!("1970-01-01T00:{:02}:{:02}", at_s / 60, at_s % 60);
            let timestamp = body["timestamp"].as_str().expect("a time");
            assert!(timestamp.starts_with(&expected), "{timestamp} at {at_s} s");
            assert_eq!(body["details"]["user"], format!("user-{id}"));
        }
    }
}

#[test]
fn scenarios_1_and_2_poll_at_their_own_times_and_then_work() {
    for (number, prefix, every_ms, work) in [
        ("1", "loadtest-agent-", 500, "state"),
        ("2", "workflow-agent-", 1_000, "workflow"),
    ] {
        let (outcomes, agents) = run_builtin(number, "2s", 10, 60, 3);
        for (id, seen) in &agents {
            check_agent(id, prefix, seen);
            let polls = seen.iter().filter(|seen| seen.method == "GET").count();
            assert_eq!(polls, 4);
            let gaps = gaps_ms(seen);
            // The first poll comes one second after the registration, and the work right after the last poll.
            assert_eq!(gaps[..5], [1_000, every_ms, every_ms, every_ms, 0], "{id}");
            assert!(gaps[5..].iter().all(|&gap| gap == 2_000), "{gaps:?}");
            assert!(
                seen[5..]
                    .iter()
                    .all(|seen| seen.path.ends_with(work) && seen.method == "POST")
            );
        }
        let poll = &outcomes.recorder.counts.steps[1];
        assert_eq!(
            (poll.ready.count(), poll.gave_up, poll.failures),
            (10, 0, 0)
        );
        assert_eq!(poll.ready.max_us(), 3.0 * every_ms as f64 * 1e3);
    }
}

#[test]
fn scenario_1_polls_for_ten_seconds() {
    let (outcomes, agents) = run_builtin("1", "1000s", 1, 30, u32::MAX);
    let poll = &outcomes.recorder.counts.steps[1];
    assert_eq!((poll.requests, poll.gave_up), (20, 1));
    let seen = agents.values().next().expect("one agent");
    assert_eq!(seen.last().map(|seen| seen.at_ns), Some(11 * SECOND_NS));
}

#[test]
fn scenarios_3_and_4_mix_their_tasks_by_weight() {
    for number in ["3", "4"] {
        let (_, agents) = run_builtin(number, "1s..5s", 100, 300, 0);
        let mut counts = [0.0f64; 3];
        for (id, seen) in &agents {
            check_agent(id, "loadtest-agent-", seen);
            for task in &seen[1..] {
                let last = task.path.rsplit('/').next();
                counts[match (task.method.as_str(), last) {
                    ("POST", Some("state")) => 0,
                    ("GET", Some("state")) => 1,
                    ("POST", Some("workflow")) => 2,
                    _ => panic!("{} {}", task.method, task.path),
                }] += 1.0;
            }
        }
        let all: f64 = counts.iter().sum();
        assert!(all > 9_000.0);
        // Pearson's chi-square with two degrees of freedom exceeds 13.8 once in 1,000 times.
        let expected = [0.80, 0.15, 0.05].map(|share| share * all);
        let parts = counts.iter().zip(expected);
        let chi: f64 = parts.map(|(n, e)| (n - e).powi(2) / e).sum();
        assert!(chi < 13.8, "{counts:?}: {chi}");
    }
}

/// A login that gives a token, work that needs it, a logout; each user has its row of the CSV file.
const SHOP: &str = r#"
    name = "shop"
    wait = "1s"
    [csv]
    file = "users.csv"
    [variables]
    who = "{{csv.mail}}"
    [[start]]
    method = "POST"
    path = "/login"
    json = '{"mail": "{{who}}", "n": {{csv.n}}, "serial": {{sequence}}}'
    begins = "login to first order"
    [start.extract]
    token = { json = "/session/token" }
    cart = { header = "X-Cart" }
    [[task]]
    name = "order"
    [[task.step]]
    method = "PUT"
    path = "/cart/{{cart}}"
    query = { q = "{{who}}", n = "{{random 1..6}}" }
    headers = { Authorization = "Bearer {{token}}" }
    pause = "200ms"
    extract = { item = { json = "/item" } }
    [[task.step]]
    method = "POST"
    path = "/order"
    json = '{"item": {{item}}, "token": "{{token}}"}'
    ends = "login to first order"
    [[stop]]
    method = "DELETE"
    path = "/session/{{token}}"
"#;

/// A shop that answers after 10 ms; every third login fails when `refuses` is set.
fn shop(refuses: bool) -> impl FnMut(&Seen) -> Answer {
    let mut logins = 0;
    let mut items = 0;
    let mut item_of: HashMap<String, String> = HashMap::new();
    move |seen| {
        let mut answer = match (seen.method.as_str(), seen.path.as_str()) {
            ("POST", "/login") => {
                let body: Value = serde_json::from_str(&seen.body).expect("JSON");
                assert!(body["n"].is_u64() && body["serial"].is_u64(), "{body}");
                logins += 1;
                match refuses && logins % 3 == 0 {
                    true => Answer::new(503, "no"),
                    false => Answer {
                        fields: format!("X-Cart: cart/{logins}\r\n"),
                        ..Answer::new(
                            200,
                            format!("{{\"session\":{{\"token\":\"t\\\"{logins}\"}}}}"),
                        )
                    },
                }
            }
            ("PUT", path) => {
                let authorization = seen.field("authorization").expect("a token");
                let number = authorization
                    .strip_prefix("Bearer t\"")
                    .expect(authorization);
                assert!(
                    path.starts_with(&format!("/cart/cart%2F{number}?q=")),
                    "{path}"
                );
                let q = path.split("q=").nth(1).and_then(|q| q.split('&').next());
                let rows = ["a%40x", "b%20%22q%22%40x", "c%40x"];
                assert!(rows.contains(&q.expect("q")), "{path}");
                items += 1;
                item_of.insert(format!("t\"{number}"), items.to_string());
                Answer::new(200, format!("{{\"item\":{items}}}"))
            }
            ("POST", "/order") => {
                let body: Value = serde_json::from_str(&seen.body).expect("JSON");
                let token = body["token"].as_str().expect("a token");
                assert_eq!(
                    body["item"].to_string(),
                    item_of[token],
                    "another user's item"
                );
                Answer::new(201, "")
            }
            ("DELETE", path) => {
                assert!(path.starts_with("/session/t%22"), "{path}");
                Answer::new(204, "")
            }
            _ => panic!("{} {}", seen.method, seen.path),
        };
        answer.after_ns = 10 * MS;
        answer
    }
}

fn count(journal: &[Seen], method: &str) -> usize {
    journal.iter().filter(|seen| seen.method == method).count()
}

/// A user that has finished its start steps runs the stop steps, whenever the last start step was answered.
#[test]
fn users_whose_last_start_step_is_answered_in_the_drain_do_their_stop_steps() {
    let text = r#"
        name = "x"
        [[start]]
        method = "POST"
        path = "/login"
        [[task]]
        method = "GET"
        path = "/"
        [[stop]]
        method = "DELETE"
        path = "/logout"
    "#;
    for (fails, logouts) in [(false, 6), (true, 6)] {
        let plan = plan(text, None, Closed::at_rate(6, 6.0), 1);
        let (outcomes, journal) = run(&plan, |seen: &Seen| match seen.method.as_str() {
            // The run time is over before the first of these answers.
            "POST" => Answer {
                after_ns: 1_500 * MS,
                ..Answer::new(if fails { 503 } else { 200 }, "")
            },
            _ => Answer::new(204, ""),
        });
        let counts = (count(&journal, "POST"), count(&journal, "DELETE"));
        assert_eq!((counts, outcomes.users_at_end), ((6, logouts), 0));
    }
}

#[test]
fn extracted_values_stay_with_their_user_and_reach_path_head_and_body() {
    let plan = plan(SHOP, None, Closed::at_rate(6, 1.0), 20);
    let (outcomes, journal) = run(&plan, shop(false));
    let counts = &outcomes.recorder.counts;
    assert!(counts.steps.iter().all(|step| step.failures == 0));
    assert_eq!((count(&journal, "DELETE"), outcomes.users_at_end), (6, 0));
    // From due to answered: login 10 ms, cart 10 ms, pause 200 ms, order 10 ms.
    let [first_order, order] = &counts.spans[..] else {
        panic!("two spans");
    };
    assert_eq!(plan.scenario.spans, ["login to first order", "order"]);
    assert_eq!((first_order.begun, first_order.times.count()), (6, 6));
    assert_eq!(first_order.times.max_us(), 230_000.0);
    assert_eq!(
        (order.times.min_us(), order.times.max_us()),
        (220_000.0, 220_000.0)
    );
    let orders = journal.iter().filter(|seen| seen.path == "/order");
    assert_eq!(order.times.count(), orders.count() as u64);
    let serials: HashSet<String> = journal
        .iter()
        .filter(|seen| seen.path == "/login")
        .map(|seen| {
            seen.body
                .split("serial")
                .nth(1)
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
    assert_eq!(serials.len(), 6);
}

#[test]
fn the_shop_of_the_examples_works_unchanged() {
    let text = include_str!("../../../docs/examples/shop.toml");
    let mut plan = plan(
        &text.replace("csv.password", "csv.n"),
        None,
        stages(&["1:0s"]),
        300,
    );
    let load = plan.scenario.load.clone();
    assert_eq!(
        (load.users, load.run_time_ns),
        (Some(50), Some(300 * SECOND_NS))
    );
    plan.load = Closed::through(&load.points()).into();
    let mut tokens = 0;
    let (outcomes, journal) = run(&plan, |seen| {
        let token = seen.field("authorization");
        match (seen.method.as_str(), seen.path.as_str()) {
            ("POST", "/login") => {
                let body: Value = serde_json::from_str(&seen.body).expect("JSON");
                assert!(
                    body["mail"]
                        .as_str()
                        .is_some_and(|mail| mail.ends_with("@x"))
                );
                assert_eq!(token, None);
                tokens += 1;
                Answer::new(200, format!("{{\"token\":\"t{tokens}\"}}"))
            }
            (method, path) => {
                assert!(token.is_some_and(|token| token.starts_with("Bearer t")));
                match (method, path) {
                    ("GET", path) if path.starts_with("/items?") => {
                        let next = match path.contains("page") {
                            true => "null",
                            false => "\"/items?page=2\"",
                        };
                        let body = format!("{{\"items\":[{{\"id\":4}}],\"next\":{next}}}");
                        Answer::new(200, body)
                    }
                    ("PUT", "/cart") => Answer::new(200, "{\"id\":17}"),
                    (_, "/orders") => Answer {
                        fields: "Location: /orders/1\r\n".into(),
                        ..Answer::new(201, "")
                    },
                    _ => Answer::new(200, ""),
                }
            }
        }
    });
    let steps = &outcomes.recorder.counts.steps;
    assert!(
        steps
            .iter()
            .all(|step| step.failures == 0 && step.requests > 40)
    );
    let logouts = journal.iter().filter(|seen| seen.path == "/logout");
    assert_eq!((logouts.count(), tokens), (50, 50));
}

#[test]
fn a_user_that_cannot_log_in_leaves_and_the_others_stay() {
    let plan = plan(SHOP, None, Closed::at_rate(9, 9.0), 20);
    let (outcomes, journal) = run(&plan, shop(true));
    let login = &outcomes.recorder.counts.steps[0];
    assert_eq!((login.requests, login.failures), (9, 3));
    assert_eq!(
        count(&journal, "DELETE"),
        6,
        "only who was logged in logs out"
    );
    let first_order = &outcomes.recorder.counts.spans[0];
    assert_eq!((first_order.begun, first_order.times.count()), (9, 6));
}

#[test]
fn an_answer_without_the_value_is_a_failure_with_that_reason() {
    let plan = plan(SHOP, None, Closed::at_rate(1, 1.0), 5);
    let (outcomes, journal) = run(&plan, |_| Answer::new(200, "{\"session\":{}}"));
    assert_eq!(journal.len(), 1);
    let [error] = &outcomes.recorder.counts.steps[0].errors[..] else {
        panic!("one error");
    };
    assert_eq!(error.failure.name(), "expectation");
    assert_eq!(
        error.example.text,
        "200 without {{token}}: the value at /session/token is not there: {\"session\":{}}"
    );
}

/// Users that have to become ready; then a task whose second step needs the first to succeed.
const CHECKED: &str = r#"
    name = "checked"
    wait = "1s"
    [variables]
    id = "{{user}}"
    [[start]]
    method = "GET"
    path = "/ready/{{id}}"
    expect = { json = { "/ready" = true } }
    not_yet = [404]
    retry_every = "500ms"
    give_up_after = "3s"
    on_give_up = "stop"
    [[task]]
    [[task.step]]
    method = "GET"
    path = "/first"
    expect = { status = [200], json = { "/ok" = true, "/n" = 2 }, exists = ["/id"], headers = ["X-Id"] }
    on_failure = "end-task"
    [[task.step]]
    method = "POST"
    path = "/second"
    [[stop]]
    method = "DELETE"
    path = "/user/{{id}}"
"#;

#[test]
fn a_user_that_does_not_become_ready_leaves_and_a_failed_step_ends_its_task_when_the_scenario_says_so()
 {
    let plan = plan(CHECKED, None, Closed::at_rate(4, 4.0), 60);
    let good = r#"{"ok":true,"n":2.0,"id":0}"#;
    let mut firsts = 0;
    let mut fine = 0;
    let mut polls: HashMap<String, u64> = HashMap::new();
    let (outcomes, journal) = run(&plan, |seen| match seen.path.as_str() {
        // Users 1 and 3 are never ready; the others are at the third poll.
        path if path.starts_with("/ready/") => {
            let asked = polls.entry(path.to_owned()).or_default();
            *asked += 1;
            match (path, *asked) {
                ("/ready/0" | "/ready/2", 3) => Answer::new(200, "{\"ready\":true}"),
                (_, 1) => Answer::new(404, "not here"),
                _ => Answer::new(200, "{\"ready\":false}"),
            }
        }
        "/first" => {
            firsts += 1;
            let (status, id, body) = match firsts % 7 {
                1 => (500, "X-Id: 1\r\n", good),
                2 => (200, "", good),
                3 => (200, "X-Id: 1\r\n", r#"{"ok":1,"n":2,"id":1}"#),
                4 => (200, "X-Id: 1\r\n", r#"{"ok":true,"n":2}"#),
                5 => (200, "X-Id: 1\r\n", r#"{"ok":true,"n":2,"id":1"#),
                6 => (200, "X-Id: 1\r\n", r#"{"ok":true,"n":2,"id":null}"#),
                _ => {
                    fine += 1;
                    (200, "X-Id: 1\r\n", good)
                }
            };
            Answer {
                fields: id.to_owned(),
                ..Answer::new(status, body)
            }
        }
        _ => Answer::new(200, ""),
    });
    let [ready, first, second, leave] = &outcomes.recorder.counts.steps[..] else {
        panic!("four steps");
    };
    assert_eq!(
        (ready.ready.count(), ready.gave_up, ready.failures),
        (2, 2, 0)
    );
    // Polled at 0, 0.5, ... 2.5 s: the attempt at 3 s would be due when give_up_after is over.
    assert_eq!((polls["/ready/1"], polls["/ready/3"]), (6, 6));
    assert!(fine > 10 && second.requests == fine, "{fine}");
    assert_eq!(first.requests - first.failures, fine);
    let kinds: BTreeMap<(&str, u16), u64> = first
        .errors
        .iter()
        .map(|error| ((error.failure.name(), error.status), error.count))
        .collect();
    let by_status = kinds.get(&("status", 500)).copied().unwrap_or(0);
    let by_rule: u64 = kinds
        .iter()
        .filter(|((kind, _), _)| *kind == "expectation")
        .map(|(_, count)| count)
        .sum();
    assert_eq!(by_status + by_rule, first.failures, "{kinds:?}");
    assert!(by_status >= fine && by_rule >= 5 * fine, "{kinds:?}");
    let left: HashSet<&str> = journal
        .iter()
        .filter(|seen| seen.method == "DELETE")
        .map(|seen| seen.path.as_str())
        .collect();
    assert_eq!(left, HashSet::from(["/user/0", "/user/2"]));
    assert_eq!(leave.requests, 2);
}

#[test]
fn a_task_polls_for_the_work_that_it_began() {
    let text = r#"
        name = "jobs"
        wait = "1s"
        [[task]]
        name = "job"
        [[task.step]]
        method = "POST"
        path = "/jobs"
        extract = { job = { json = "/id" } }
        [[task.step]]
        method = "GET"
        path = "/jobs/{{job}}"
        name = "/jobs/[id]"
        expect = { json = { "/state" = "done" } }
        retry_every = "200ms"
        give_up_after = "5s"
        extract = { result = { json = "/result" } }
        [[task.step]]
        method = "GET"
        path = "/results/{{result}}"
        name = "/results/[id]"
    "#;
    let plan = plan(text, None, Closed::at_rate(3, 3.0), 30);
    let mut jobs: Vec<u32> = Vec::new();
    let (outcomes, journal) = run(&plan, |seen| match seen.path.split('/').nth(2) {
        None => {
            jobs.push(0);
            Answer::new(200, format!("{{\"id\":{}}}", jobs.len() - 1))
        }
        Some(id) if seen.path.starts_with("/jobs/") => {
            let asked = &mut jobs[id.parse::<usize>().expect("a number")];
            *asked += 1;
            match *asked {
                3 => Answer::new(200, format!("{{\"state\":\"done\",\"result\":\"r {id}\"}}")),
                _ => Answer::new(200, "{\"state\":\"busy\"}"),
            }
        }
        Some(_) => Answer::new(200, ""),
    });
    let counts = &outcomes.recorder.counts;
    assert!(counts.steps.iter().all(|step| step.failures == 0));
    let results: Vec<&str> = journal
        .iter()
        .filter_map(|seen| seen.path.strip_prefix("/results/r%20"))
        .collect();
    let distinct: HashSet<&str> = results.iter().copied().collect();
    assert!(results.len() > 50 && distinct.len() == results.len());
    // Two repetitions, 200 ms apart.
    let job = &counts.spans[0].times;
    assert_eq!((job.min_us(), job.max_us()), (400_000.0, 400_000.0));
}

#[test]
fn users_come_and_leave_with_the_line_and_only_between_iterations() {
    let load = stages(&["20:0s", "20:10s", "5:10s", "5:10s", "10:5s", "10:5s"]);
    let plan = plan(SHOP, None, load, 40);
    let (outcomes, journal) = run(&plan, shop(false));
    // Twenty users, fifteen of them leave, five new ones come; at the end all run their stop steps.
    let logins = journal.iter().filter(|seen| seen.path == "/login");
    assert_eq!(logins.clone().count(), 25);
    assert_eq!(count(&journal, "DELETE"), 25);
    let serials: HashSet<&str> = logins.map(|seen| seen.body.as_str()).collect();
    assert_eq!(serials.len(), 25, "each was a new user");
    let until = |path: &str, ms: u64| {
        let within = |seen: &&Seen| seen.path.starts_with(path) && seen.at_ns < ms * MS;
        journal.iter().filter(within).count()
    };
    assert_eq!(
        until("/cart", 39_780),
        until("/order", 40_000),
        "no pass was left half done"
    );
    let leaving = |from_s, to_s| {
        let within = |seen: &&Seen| {
            seen.method == "DELETE" && (from_s * SECOND_NS..to_s * SECOND_NS).contains(&seen.at_ns)
        };
        journal.iter().filter(within).count()
    };
    assert_eq!(
        (
            leaving(0, 10),
            leaving(10, 21),
            leaving(21, 40),
            leaving(40, 50)
        ),
        (0, 15, 0, 10)
    );
    // Evenly: one every two thirds of a second, give or take the iteration under way.
    assert!((6..=9).contains(&leaving(10, 15)), "{}", leaving(10, 15));
    assert_eq!(
        outcomes
            .recorder
            .counts
            .steps
            .iter()
            .map(|step| step.cut_off)
            .sum::<u64>(),
        0
    );
    assert!(outcomes.lasted_ns < 41 * SECOND_NS);
}

#[test]
fn a_steps_own_time_limit_holds_on_its_connection_and_in_the_line() {
    let text = r#"
        name = "x"
        [[task]]
        method = "GET"
        path = "/hasty"
        timeout = "1s"
        [[task]]
        method = "GET"
        path = "/slow"
    "#;
    for connections in [
        Connections::PerUser,
        Connections::Shared { count: 2, depth: 1 },
    ] {
        let mut plan = plan(text, None, Closed::at_rate(4, 4.0), 60);
        plan.connections = connections;
        let (outcomes, _) = run(&plan, |_| Answer {
            after_ns: 2 * SECOND_NS,
            ..Answer::new(200, "")
        });
        let counts = &outcomes.recorder.counts.steps;
        let (hasty, slow) = (&counts[0], &counts[1]);
        assert!(slow.requests > 10 && hasty.requests > 10);
        assert_eq!((slow.failures, hasty.failures), (0, hasty.requests));
        let (shortest, longest) = (hasty.failed.min_us(), hasty.failed.max_us());
        // Time limits in the line are checked every 10 ms.
        assert!(
            (1e6..=1.02e6).contains(&shortest) && longest <= 1.02e6,
            "{shortest} {longest}"
        );
    }
}

#[test]
fn pacing_does_not_depend_on_response_times() {
    let text = "name = \"x\"\nwait = \"pacing 500ms\"\n[[task]]\nmethod = \"GET\"\npath = \"/\"\n";
    let plan = plan(text, None, Closed::at_rate(1, 1.0), 10);
    let mut asked = 0;
    let (_, journal) = run(&plan, |_| {
        asked += 1;
        // Every fifth answer is slower than the pacing: the next iteration begins at once, and counts from there.
        Answer {
            after_ns: if asked % 5 == 0 { 700 * MS } else { 100 * MS },
            ..Answer::new(200, "")
        }
    });
    let gaps = gaps_ms(&journal);
    assert_eq!(
        gaps[..8],
        [500, 500, 500, 500, 700, 500, 500, 500],
        "{gaps:?}"
    );
}

#[test]
fn sequence_numbers_and_identities_are_unique_over_shards_and_the_same_for_any_number_of_them() {
    let text = r#"
        name = "x"
        wait = "1s"
        [variables]
        id = "{{uuid}}"
        [[task]]
        method = "POST"
        path = "/{{id}}"
        text = "{{sequence 40}}"
    "#;
    let everything = |shards: usize| {
        let mut plan = plan(text, None, Closed::at_rate(9, 9.0), 20);
        plan.shards = shards;
        let mut all = Vec::new();
        for shard in 0..shards {
            let server = Server::with_journal(|_: &Seen| Answer::new(200, ""));
            let (_, sim) = sim_server::run(&plan, shard, server, Network::calm(0), 1);
            let journal = sim.service.journal.unwrap_or_default();
            all.extend(journal.into_iter().map(|seen| (seen.body, seen.path)));
        }
        let distinct: HashSet<&str> = all.iter().map(|(number, _)| number.as_str()).collect();
        assert_eq!(distinct.len(), all.len());
        all.sort();
        all
    };
    let alone = everything(1);
    assert!(alone.len() > 150);
    let mut numbers: Vec<u64> = alone.iter().filter_map(|(it, _)| it.parse().ok()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers[..90], (40..130).collect::<Vec<_>>());
    assert_eq!(alone, everything(4));
}

#[test]
fn no_network_fault_mixes_users_up_or_loses_a_request() {
    for seed in 0..60 {
        let load = stages(&["10:0s", "10:5s", "2:5s", "8:5s"]);
        let mut plan = plan(SHOP, None, load, 15);
        plan.timeout_ns = SECOND_NS;
        plan.seed = seed;
        if seed % 2 == 1 {
            plan.connections = Connections::Shared {
                count: 1 + seed as usize % 4,
                depth: 1,
            };
        }
        let network = Network {
            jitter_ns: 3 * MS,
            refuse: if seed % 3 == 0 { 0.1 } else { 0.0 },
            reset: if seed % 4 == 0 { 0.05 } else { 0.0 },
            cut: if seed % 5 == 0 { 0.05 } else { 0.0 },
            split_reads: 0.25,
            lose: if seed % 7 == 0 { 0.03 } else { 0.0 },
            stale: 0.5,
            block: if seed % 6 == 0 { 0.01 } else { 0.0 },
            block_ns: 150 * MS,
            ..Network::calm(20_000)
        };
        println!("seed {seed}");
        let server = Server::new(shop(false));
        let (outcomes, _) = sim_server::run(&plan, 0, server, network, seed);
        check_sums(&outcomes.recorder.counts.steps, seed);
        assert!(
            outcomes.lasted_ns <= 17 * SECOND_NS,
            "seed {seed}: {}",
            outcomes.lasted_ns
        );
    }
}

/// By kind and status: the number of failures and the text of one of them.
fn errors_of(step: &StepCounts) -> BTreeMap<(&'static str, u16), (u64, &str)> {
    let errors = step.errors.iter();
    errors
        .map(|error| {
            let kind = (error.failure.name(), error.status);
            (kind, (error.count, error.example.text.as_str()))
        })
        .collect()
}

/// A poll of one second with an attempt every 300 ms, then work once a second; `keys` say how the poll ends.
fn polled(keys: &str) -> String {
    format!(
        r#"
        name = "polled"
        wait = "1s"
        [[start]]
        method = "GET"
        path = "/state"
        expect = {{ json = {{ "/state" = "ready" }} }}
        not_yet = [404]
        retry_every = "300ms"
        give_up_after = "1s"
        {keys}
        [[task]]
        method = "GET"
        path = "/work"
        [[stop]]
        method = "GET"
        path = "/bye"
        "#
    )
}

/// Runs one user that polls such a state; returns the times of its polls and of the first request after them, in ms.
fn poll(keys: &str, state: (u16, &str)) -> (Outcomes, Vec<u64>, Option<(String, u64)>) {
    let plan = plan(&polled(keys), None, Closed::at_rate(1, 1.0), 5);
    let (outcomes, journal) = run(&plan, |seen| match seen.path.as_str() {
        "/state" => Answer::new(state.0, state.1),
        _ => Answer::new(200, ""),
    });
    let mut asked = Vec::new();
    let mut then = None;
    for seen in journal {
        match seen.path.as_str() {
            "/state" => asked.push(seen.at_ns / MS),
            path if then.is_none() => then = Some((path.to_owned(), seen.at_ns / MS)),
            _ => {}
        }
    }
    (outcomes, asked, then)
}

#[test]
fn a_poll_that_gives_up_fails_once_where_the_scenario_says_so() {
    let next = |path: &str| Some((path.to_owned(), 1_000));
    for (keys, failures, then) in [
        ("", 0, next("/work")),
        ("on_give_up = \"go-on\"", 0, next("/work")),
        ("on_give_up = \"fail\"", 1, next("/work")),
        ("on_give_up = [\"fail\", \"stop\"]", 1, None),
        ("on_give_up = \"stop\"", 0, None),
    ] {
        for (state, shown) in [
            ((404, "none"), "404 expected status 2xx: none"),
            (
                (200, "{\"state\":\"busy\"}"),
                "200 expected \"ready\" at /state, found \"busy\": {\"state\":\"busy\"}",
            ),
        ] {
            let (outcomes, asked, after) = poll(keys, state);
            let step = &outcomes.recorder.counts.steps[0];
            assert_eq!(asked, [0, 300, 600, 900], "{keys}");
            assert_eq!(after, then, "{keys}");
            // The last attempt is the failure: it was sent and answered, and counts once.
            assert_eq!(
                (step.requests, step.gave_up, step.failures),
                (4, 1, failures)
            );
            assert_eq!(step.statuses[usize::from(state.0)], 4);
            let expected = match failures {
                0 => BTreeMap::new(),
                _ => BTreeMap::from([(("gave-up", state.0), (1, shown))]),
            };
            assert_eq!(errors_of(step), expected, "{keys}");
        }
    }
}

#[test]
fn an_attempt_that_fails_by_itself_keeps_its_kind_and_counts_once() {
    let (outcomes, asked, _) = poll("on_give_up = \"fail\"", (500, "broken"));
    let step = &outcomes.recorder.counts.steps[0];
    assert_eq!((asked.len(), step.gave_up), (4, 1));
    let expected = BTreeMap::from([(("status", 500), (4, "500 expected status 2xx: broken"))]);
    assert_eq!(errors_of(step), expected);
}

#[test]
fn a_poll_ends_at_once_with_an_answer_of_failed() {
    let failed = "failed = { status = [410], json = { \"/state\" = \"failed\" } }";
    let stops = format!("{failed}\non_give_up = \"stop\"");
    for (state, error) in [
        (
            (410, "gone"),
            (
                ("status", 410),
                "410 this status ends the poll (failed): gone",
            ),
        ),
        (
            (200, "{\"state\":\"failed\"}"),
            (
                ("expectation", 200),
                "200 \"failed\" at /state ends the poll (failed): {\"state\":\"failed\"}",
            ),
        ),
    ] {
        for (keys, then) in [(failed, Some(("/work".to_owned(), 0))), (&stops, None)] {
            let (outcomes, asked, after) = poll(keys, state);
            let step = &outcomes.recorder.counts.steps[0];
            assert_eq!((&asked[..], &after), (&[0][..], &then), "{keys}");
            assert_eq!((step.gave_up, step.ready.count()), (0, 0));
            let expected = BTreeMap::from([(error.0, (1, error.1))]);
            assert_eq!(errors_of(step), expected);
        }
    }
    // An answer that is neither still means "not yet".
    let (outcomes, asked, _) = poll(failed, (200, "{\"state\":\"busy\"}"));
    let step = &outcomes.recorder.counts.steps[0];
    assert_eq!((asked.len(), step.gave_up, step.failures), (4, 1, 0));
}

/// A task of three steps with one second for all of it, begun every two seconds.
const TIMED: &str = r#"
    name = "timed"
    wait = "pacing 2s"
    [[task]]
    name = "all three"
    within = "1s"
    [[task.step]]
    method = "GET"
    path = "/first"
    pause = "200ms"
    [[task.step]]
    method = "GET"
    path = "/poll"
    expect = { status = [200] }
    not_yet = [404]
    retry_every = "300ms"
    give_up_after = "10s"
    [[task.step]]
    method = "GET"
    path = "/last"
"#;

/// Runs one user with the task, whose answers take so many ms; `polls` is the poll that succeeds.
fn timed(first: u64, polls: u64, last: u64) -> (Outcomes, Vec<(String, u64)>) {
    let plan = plan(TIMED, None, Closed::at_rate(1, 1.0), 6);
    let mut asked = 0;
    let (outcomes, journal) = run(&plan, |seen| {
        let (status, after_ms) = match seen.path.as_str() {
            "/first" => {
                asked = 0;
                (200, first)
            }
            "/poll" => {
                asked += 1;
                (if asked < polls { 404 } else { 200 }, 10)
            }
            _ => (200, last),
        };
        Answer {
            after_ns: after_ms * MS,
            ..Answer::new(status, "")
        }
    });
    let journal = journal.into_iter();
    (
        outcomes,
        journal.map(|seen| (seen.path, seen.at_ns / MS)).collect(),
    )
}

#[test]
fn a_task_that_is_not_done_within_its_time_fails_once_and_the_user_goes_on() {
    let times = |journal: &[(String, u64)], path: &str| -> Vec<u64> {
        let of_path = journal.iter().filter(|(seen, _)| seen == path);
        of_path.map(|(_, at_ms)| *at_ms).collect()
    };
    let failures = |outcomes: &Outcomes| -> Vec<(u64, f64)> {
        let steps = outcomes.recorder.counts.steps.iter();
        let kinds = steps.clone().flat_map(|step| &step.errors);
        assert!(
            kinds
                .map(|error| error.failure)
                .all(|kind| kind == Failure::TaskTimeout)
        );
        steps
            .map(|step| (step.failures, step.failed.max_us() / 1e3))
            .collect()
    };
    // In time: three iterations at 0, 2 and 4 s.
    let (outcomes, journal) = timed(100, 2, 200);
    assert_eq!(failures(&outcomes), [(0, 0.0), (0, 0.0), (0, 0.0)]);
    assert_eq!(times(&journal, "/last"), [610, 2_610, 4_610]);
    // The last step is under way at one second: it ends at its age of 390 ms, with its connection.
    let (outcomes, journal) = timed(100, 2, 5_000);
    assert_eq!(times(&journal, "/first"), [0, 2_000, 4_000]);
    assert_eq!(times(&journal, "/last"), [610, 2_610, 4_610]);
    let expected_ms = 390.0;
    let [.., (count, age_ms)] = failures(&outcomes)[..] else {
        panic!("three steps");
    };
    assert_eq!(count, 3);
    assert!((age_ms - expected_ms).abs() < 1.0, "{age_ms}");
    // The first step takes longer: its own time limit of 30 s does not matter.
    let (outcomes, journal) = timed(5_000, 1, 0);
    assert_eq!(times(&journal, "/first"), [0, 2_000, 4_000]);
    assert_eq!(
        (times(&journal, "/poll").len(), failures(&outcomes)[0].0),
        (0, 3)
    );
    // The time is over in the pause after the first step: the next step fails then, unsent.
    let (outcomes, journal) = timed(900, 1, 0);
    assert_eq!(times(&journal, "/first"), [0, 2_000, 4_000]);
    assert!(times(&journal, "/poll").is_empty());
    assert_eq!(failures(&outcomes)[1].0, 3);
    let poll = &outcomes.recorder.counts.steps[1];
    assert_eq!((poll.sent, poll.requests, poll.bytes_sent), (3, 3, 0));
    // The time is over while a poll waits: attempts at 300, 600 and 900 ms, and the one at 1,200 ms is not made.
    let (outcomes, journal) = timed(100, 99, 0);
    assert_eq!(times(&journal, "/first"), [0, 2_000, 4_000]);
    assert_eq!(times(&journal, "/poll")[..4], [300, 600, 900, 2_300]);
    let poll = &outcomes.recorder.counts.steps[1];
    assert_eq!((poll.requests, poll.failures, poll.gave_up), (12, 3, 0));
    // The span has its beginnings, and no end.
    let span = &outcomes.recorder.counts.spans[0];
    assert_eq!((span.begun, span.times.count()), (3, 0));
}

#[test]
fn a_tasks_time_counts_from_when_its_user_begins_it() {
    // One user, ten arrivals a second, each of which takes it 400 ms (it is late, and skips the pause): the line grows.
    let arrivals = Open::new(10.0, &[], Arrivals::Constant, 1, 1);
    let load = Load::new(Closed::at_rate(1, 1.0), Some(arrivals));
    let plan = plan(TIMED, None, load, 6);
    let (outcomes, journal) = run(&plan, |seen| Answer {
        after_ns: if seen.path == "/first" { 400 * MS } else { 0 },
        ..Answer::new(200, "")
    });
    let steps = &outcomes.recorder.counts.steps;
    assert!(steps.iter().all(|step| step.failures == 0));
    let lasts = journal.iter().filter(|seen| seen.path == "/last").count();
    assert!((14..=15).contains(&lasts), "{lasts}");
    // When the task is not done in time, the next arrival is begun all the same.
    let (outcomes, journal) = run(&plan, |_| Answer {
        after_ns: 10 * SECOND_NS,
        ..Answer::new(200, "")
    });
    assert!((5..=7).contains(&journal.len()), "{}", journal.len());
    assert!(outcomes.recorder.counts.steps[0].failures >= 5);
}

#[test]
fn tasks_of_many_users_are_over_in_time_while_they_wait_for_connections() {
    let text = TIMED.replace("pacing 2s", "0s");
    let mut plan = plan(&text, None, Closed::at_rate(40, 40.0), 20);
    for (count, depth) in [(3, 1), (2, 4)] {
        plan.connections = Connections::Shared { count, depth };
        let (outcomes, _) = run(&plan, |_| Answer {
            after_ns: 150 * MS,
            ..Answer::new(200, "")
        });
        let steps = &outcomes.recorder.counts.steps;
        let errors = || steps.iter().flat_map(|step| &step.errors);
        // A user behind a request whose task is over loses the connection with it.
        let is_right = |failure| match failure {
            Failure::PipelineBroken => depth > 1,
            failure => failure == Failure::TaskTimeout,
        };
        assert!(errors().all(|error| is_right(error.failure)));
        let count: u64 = errors().map(|error| error.count).sum();
        assert!(count > 500, "{count}");
        // No request is older than its task can be.
        assert!(steps.iter().all(|step| step.failed.max_us() < 1_020_000.0));
    }
}

#[test]
fn a_value_that_may_be_missing_has_a_default() {
    let text = r#"
        name = "defaults"
        [[start]]
        method = "GET"
        path = "/login"
        extract = { cart = { json = "/cart", default = "none" }, n = { header = "X-N", default = 0 } }
        [[start]]
        method = "POST"
        path = "/cart/{{cart}}"
        json = '{"n": {{n}}}'
        "#;
    let plan = plan(text, None, Closed::at_rate(4, 4.0), 5);
    let mut logins = 0;
    let (outcomes, journal) = run(&plan, |seen| {
        logins += usize::from(seen.path == "/login");
        let body = ["{\"cart\":null}", "{}", "{\"cart\":7}", "<html>"][(logins - 1) % 4];
        Answer {
            fields: (if logins == 3 { "X-N: 5\r\n" } else { "" }).to_owned(),
            ..Answer::new(200, body)
        }
    });
    let sent: Vec<(&str, &str)> = journal
        .iter()
        .filter(|seen| seen.method == "POST")
        .map(|seen| (seen.path.as_str(), seen.body.as_str()))
        .collect();
    let none = ("/cart/none", "{\"n\": 0}");
    assert_eq!(sent, [none, none, ("/cart/7", "{\"n\": 5}")]);
    // A body that is not JSON is a failure, default or not.
    let expected = BTreeMap::from([(
        ("expectation", 200),
        (
            1,
            "200 without {{cart}}: the body is not JSON: it begins with <html>: <html>",
        ),
    )]);
    assert_eq!(errors_of(&outcomes.recorder.counts.steps[0]), expected);
}

const PICKS: &str = r#"
    name = "picks"
    [[task]]
    name = "order"
    [[task.step]]
    method = "GET"
    path = "/items"
    expect = { status = ["2xx"], contains = "items", matches = '"id": "i[0-9]"', count = { "/items" = ">= 3" }, within = "500ms" }
    extract.id = { json = "/items/*/id", pick = "random" }
    extract.price = { json = "/items/*/price", pick = "random" }
    extract.many = { json = "/items", pick = "count" }
    extract.word = { regex = '"word": "(\w+)"' }
    extract.key = { between = ["key=", ";"] }
    [[task.step]]
    method = "POST"
    path = "/orders/{{id}}"
    text = "{{price}} {{many}} {{word}} {{key}}"
"#;

#[test]
fn several_values_of_one_random_element_reach_the_next_request_the_same_in_each_run() {
    let run_once = || {
        let plan = plan(PICKS, Some("1s"), Closed::at_rate(4, 4.0), 30);
        let (outcomes, journal) = run(&plan, |seen| match seen.method.as_str() {
            "GET" => {
                let items = (0..5).map(|n| format!(r#"{{"id": "i{n}", "price": {n}.5}}"#));
                let items = items.collect::<Vec<_>>().join(", ");
                Answer::new(
                    200,
                    format!(r#"{{"items": [{items}], "word": "blue", "x": "key=k7;"}}"#),
                )
            }
            _ => Answer::new(201, ""),
        });
        assert_eq!(outcomes.recorder.counts.steps[0].failures, 0);
        let orders = journal.into_iter().filter(|seen| seen.method == "POST");
        orders
            .map(|seen| (seen.path, seen.body))
            .collect::<Vec<_>>()
    };
    let orders = run_once();
    let mut ids = HashSet::new();
    for (path, body) in &orders {
        let id = path.strip_prefix("/orders/i").expect("an id").to_owned();
        assert_eq!(*body, format!("{id}.5 5 blue k7"));
        ids.insert(id);
    }
    assert!(
        orders.len() > 50 && ids.len() == 5,
        "{} orders, {ids:?}",
        orders.len()
    );
    assert_eq!(orders, run_once());
}

#[test]
fn an_answer_that_comes_later_than_expected_is_a_failure() {
    let text = PICKS.replace("500ms", "50ms");
    let plan = plan(&text, Some("1s"), Closed::at_rate(1, 1.0), 5);
    let (outcomes, _) = run(&plan, |seen| Answer {
        after_ns: 60 * MS,
        ..Answer::new(
            200,
            format!(
                r#"{{"items": [1, 2, 3], "at": "{}", "x": {{"id": "i1"}}}}"#,
                seen.path
            ),
        )
    });
    let step = &outcomes.recorder.counts.steps[0];
    assert!(step.failures == step.requests && step.requests > 3);
    assert!(
        step.errors
            .iter()
            .all(|error| error.failure == Failure::Expectation)
    );
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn compressed_answers_are_decoded_where_a_step_looks_at_them_and_nowhere_else() {
    let text = r#"
        name = "codings"
        accept_encoding = ["gzip", "deflate"]
        [[start]]
        method = "GET"
        path = "/token"
        extract = { token = { json = "/token" } }
        [[start]]
        method = "GET"
        path = "/use/{{token}}"
        accept_encoding = []
        [[start]]
        method = "GET"
        path = "/broken"
        expect = { contains = "a" }
        [[start]]
        method = "GET"
        path = "/bomb"
        expect = { contains = "a" }
        [[start]]
        method = "GET"
        path = "/none"
        expect = { status = [200], contains = "a" }
        "#;
    let plan = plan(text, None, Closed::at_rate(1, 1.0), 5);
    let (outcomes, journal) = run(&plan, |seen| {
        let (status, body) = match seen.path.as_str() {
            "/token" => (200, gzip("{\"token\": \"t7\"}")),
            "/bomb" => (200, gzip(&"a".repeat(2 << 20))),
            "/none" => (503, b"busy".to_vec()),
            _ => (200, b"not gzip, whatever the field says".to_vec()),
        };
        Answer {
            fields: "content-encoding: gzip\r\n".to_owned(),
            ..Answer::new(status, body)
        }
    });
    let paths: Vec<&str> = journal.iter().map(|seen| seen.path.as_str()).collect();
    assert_eq!(paths, ["/token", "/use/t7", "/broken", "/bomb", "/none"]);
    let steps = &outcomes.recorder.counts.steps;
    let token_bytes = gzip("{\"token\": \"t7\"}").len() as u64;
    assert_eq!((steps[0].failures, steps[0].body_bytes), (0, token_bytes));
    assert_eq!(steps[1].failures, 0);
    for (step, kind, status, text) in [
        (
            2,
            "undecodable",
            200,
            "the body is not the gzip that Content-Encoding says",
        ),
        (
            3,
            "body-too-large",
            200,
            "the body is longer than 1 MiB when it is decoded",
        ),
        (4, "status", 503, "expected status 200"),
    ] {
        let errors = errors_of(&steps[step]);
        let (at, (count, shown)) = errors.first_key_value().expect("it failed");
        assert_eq!((*at, *count), ((kind, status), 1));
        assert!(shown.contains(text), "{shown}");
    }
}
