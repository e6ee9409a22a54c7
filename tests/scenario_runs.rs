//! Scenarios as they are carried out, on the virtual clock: what the server saw is what the file says.

mod server;

use std::collections::{BTreeMap, HashMap, HashSet};

use opsurge::engine::shard::Outcomes;
use opsurge::io::sim::Network;
use opsurge::plan::compile::{Context, compile, parse_stage};
use opsurge::plan::load::Closed;
use opsurge::plan::wait::Wait;
use opsurge::plan::{Connections, Plan, builtin};
use serde_json::Value;
use server::{Answer, Seen, Server, check_sums};

const SECOND_NS: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;

/// A plan of one shard for a scenario's text.
fn plan(text: &str, wait: Option<&str>, load: Closed, run_time_s: u64) -> Plan {
    let context = Context {
        wait: wait.map(|wait| Wait::parse(wait).expect("a wait")),
        read: &|_| Ok(b"mail,n\na@x,1\n\"b \"\"q\"\"@x\",2\nc@x,3\n".to_vec()),
        ..Context::plain("sim")
    };
    Plan {
        scenario: compile("test.toml", text, &context).unwrap_or_else(|error| panic!("{error}")),
        load,
        open: None,
        spins: false,
        run_time_ns: Some(run_time_s * SECOND_NS),
        timeout_ns: 30 * SECOND_NS,
        drain_ns: None,
        seed: 7,
        connections: Connections::PerUser,
        shards: 1,
        addresses: vec![std::net::SocketAddr::from(([127, 0, 0, 1], 1)).into()],
    }
}

fn stages(texts: &[&str]) -> Closed {
    let points = texts.iter().map(|text| parse_stage(text).expect(text));
    Closed::through(&points.collect::<Vec<_>>())
}

fn run(plan: &Plan, answer: impl FnMut(&Seen) -> Answer) -> (Outcomes, Vec<Seen>) {
    let server = Server::with_journal(answer);
    let (outcomes, sim) = server::run(plan, 0, server, Network::calm(0), 1);
    check_sums(&outcomes.recorder.counts.steps, 1);
    let journal = sim.service.journal.unwrap_or_default();
    let sent: u64 = outcomes
        .recorder
        .counts
        .steps
        .iter()
        .map(|step| step.sent)
        .sum();
    let errors = outcomes
        .recorder
        .counts
        .steps
        .iter()
        .flat_map(|step| &step.errors);
    let never_left: u64 = errors
        .filter(|error| error.failure.name() == "wait-timeout")
        .map(|error| error.count)
        .sum();
    let cut_off: u64 = outcomes
        .recorder
        .counts
        .steps
        .iter()
        .map(|step| step.cut_off)
        .sum();
    let left = journal.len() as u64;
    assert!((sent - never_left - cut_off..=sent - never_left).contains(&left));
    (outcomes, journal)
}

/// The agent that a request is about.
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

/// Runs a built-in scenario against an Ops-Core whose agents are ready after `polls`; what each agent did, in order.
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

/// What holds in all five: registered first and without a key, everything else with it, and about itself.
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
            // One second after the registration the first poll, and the work right after the last.
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
fn scenario_1_is_patient_for_ten_seconds() {
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

/// Login that gives a token, work that needs it, logout; each user has its row of the CSV file.
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

#[test]
fn values_out_of_answers_stay_with_their_user_and_reach_path_head_and_body() {
    let plan = plan(SHOP, None, Closed::at_rate(6, 1.0), 20);
    let (outcomes, journal) = run(&plan, shop(false));
    let counts = &outcomes.recorder.counts;
    assert!(counts.steps.iter().all(|step| step.failures == 0));
    assert_eq!((count(&journal, "DELETE"), outcomes.users_at_end), (6, 0));
    // Due to answered: login 10 ms, cart 10 ms, pause 200 ms, order 10 ms.
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
fn the_readmes_scenario_works_as_it_stands_there() {
    let readme = include_str!("../README.md");
    let text = readme
        .split("```toml")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("a scenario");
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
    plan.load = Closed::through(&load.points());
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
            (_, path) => {
                assert!(token.is_some_and(|token| token.starts_with("Bearer t")));
                Answer::new(if path == "/orders" { 201 } else { 200 }, "")
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
fn who_cannot_log_in_leaves_and_the_others_stay() {
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
fn an_answer_without_the_value_is_a_failure_that_says_so() {
    let plan = plan(SHOP, None, Closed::at_rate(1, 1.0), 5);
    let (outcomes, journal) = run(&plan, |_| Answer::new(200, "{\"session\":{}}"));
    assert_eq!(journal.len(), 1);
    let [error] = &outcomes.recorder.counts.steps[0].errors[..] else {
        panic!("one error");
    };
    assert_eq!(error.failure.name(), "expectation");
    assert_eq!(
        error.example,
        "200 without {{token}}: the value at /session/token is not there: {\"session\":{}}"
    );
}

/// Users that have to become ready; then a task whose second step needs the first to be as it should be.
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
fn who_does_not_become_ready_leaves_and_a_failed_step_ends_its_task_when_the_scenario_says_so() {
    let plan = plan(CHECKED, None, Closed::at_rate(4, 4.0), 60);
    let good = r#"{"ok":true,"n":2.0,"id":null}"#;
    let mut firsts = 0;
    let mut fine = 0;
    let mut polls: HashMap<String, u64> = HashMap::new();
    let (outcomes, journal) = run(&plan, |seen| match seen.path.as_str() {
        // Users 1 and 3 are never ready; the others when they are asked the third time.
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
            let (status, id, body) = match firsts % 6 {
                1 => (500, "X-Id: 1\r\n", good),
                2 => (200, "", good),
                3 => (200, "X-Id: 1\r\n", r#"{"ok":1,"n":2,"id":1}"#),
                4 => (200, "X-Id: 1\r\n", r#"{"ok":true,"n":2}"#),
                5 => (200, "X-Id: 1\r\n", r#"{"ok":true,"n":2,"id":1"#),
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
    // Asked at 0, 0.5, ... 2.5 s: the attempt at 3 s would be due when the patience is over.
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
    assert!(by_status >= fine && by_rule >= 4 * fine, "{kinds:?}");
    let left: HashSet<&str> = journal
        .iter()
        .filter(|seen| seen.method == "DELETE")
        .map(|seen| seen.path.as_str())
        .collect();
    assert_eq!(left, HashSet::from(["/user/0", "/user/2"]));
    assert_eq!(leave.requests, 2);
}

#[test]
fn a_task_polls_for_what_it_has_begun_itself() {
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
fn users_come_and_go_with_the_line_and_only_between_passes() {
    let load = stages(&["20:0s", "20:10s", "5:10s", "5:10s", "10:5s", "10:5s"]);
    let plan = plan(SHOP, None, load, 40);
    let (outcomes, journal) = run(&plan, shop(false));
    // Twenty, fifteen of them left, five new ones came; at the end everybody leaves properly.
    let logins = journal.iter().filter(|seen| seen.path == "/login");
    assert_eq!(logins.clone().count(), 25);
    assert_eq!(count(&journal, "DELETE"), 25);
    let serials: HashSet<&str> = logins.map(|seen| seen.body.as_str()).collect();
    assert_eq!(serials.len(), 25, "each was somebody new");
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
    // Evenly: one every two thirds of a second, give or take the pass that is under way.
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
        // In the line it is looked after every 10 ms.
        assert!(
            (1e6..=1.02e6).contains(&shortest) && longest <= 1.02e6,
            "{shortest} {longest}"
        );
    }
}

#[test]
fn pacing_keeps_its_beat_whatever_the_answers_take() {
    let text = "name = \"x\"\nwait = \"pacing 500ms\"\n[[task]]\nmethod = \"GET\"\npath = \"/\"\n";
    let plan = plan(text, None, Closed::at_rate(1, 1.0), 10);
    let mut asked = 0;
    let (_, journal) = run(&plan, |_| {
        asked += 1;
        // Every fifth one is slower than the beat: the next goes out at once, and counts from there.
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
        text = "{{sequence}}"
    "#;
    let everything = |shards: usize| {
        let mut plan = plan(text, None, Closed::at_rate(9, 9.0), 20);
        plan.shards = shards;
        let mut all = Vec::new();
        for shard in 0..shards {
            let server = Server::with_journal(|_: &Seen| Answer::new(200, ""));
            let (_, sim) = server::run(&plan, shard, server, Network::calm(0), 1);
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
    assert_eq!(alone, everything(4));
}

#[test]
fn whatever_the_network_does_users_keep_to_themselves_and_nothing_is_lost() {
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
        let (outcomes, _) = server::run(&plan, 0, server, network, seed);
        check_sums(&outcomes.recorder.counts.steps, seed);
        assert!(
            outcomes.lasted_ns <= 17 * SECOND_NS,
            "seed {seed}: {}",
            outcomes.lasted_ns
        );
    }
}
