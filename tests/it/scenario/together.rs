//! Steps that are sent at once: what a server sees of them, how they are counted, and what is refused before.

use std::collections::HashSet;

use crate::support::checked_driver::CheckedDriver;
use crate::support::sim_server::{self, Answer, Seen, Server, check_sums};
use opsurge::engine::plan::{Connections, Plan};
use opsurge::engine::shard::Outcomes;
use opsurge::engine::{Control, Order};
use opsurge::load::closed::Closed;
use opsurge::metrics::outcome::Failure;
use opsurge::scenario::format::compile::{Context, compile};
use opsurge::sim::Network;
use opsurge_testbed::plans;

const MS: u64 = 1_000_000;
const SECOND_NS: u64 = 1_000_000_000;

/// A task with a page, its three parts, and a step after them. `keys` are those of its three parts.
fn page(task: &str, keys: [&str; 3]) -> String {
    let [style, script, logo] = keys;
    format!(
        r#"
        name = "page"
        [[task]]
        {task}
        [[task.step]]
        method = "GET"
        path = "/page"
        [[task.step]]
        name = "parts"
        together = [
            {{ method = "GET", path = "/style"{style} }},
            {{ method = "POST", path = "/script?{{{{uuid}}}}", name = "/script"{script} }},
            {{ method = "GET", path = "/logo?{{{{uuid}}}}", name = "/logo"{logo} }},
        ]
        [[task.step]]
        method = "GET"
        path = "/after"
        "#
    )
}

fn plan(text: &str, users: u64, passes: u64) -> Plan {
    let load = Closed::at_rate(users, 1e6).with_iterations(Some(passes));
    plans::plan(plans::scenario_with(text, &Context::plain()), load)
}

fn run(plan: &Plan, answer: impl FnMut(&Seen) -> Answer) -> (Outcomes, Vec<Seen>) {
    let server = Server::with_journal(answer);
    let (outcomes, sim) = sim_server::run(plan, 0, server, Network::calm(0), 1);
    check_sums(&outcomes.recorder.counts.steps, 1);
    (outcomes, sim.service.journal.unwrap_or_default())
}

/// The server's time for each path of [`page`].
fn after_ms(path: &str) -> u64 {
    match path.split('?').next() {
        Some("/style") => 30,
        Some("/script") => 10,
        Some("/logo") => 20,
        _ => 5,
    }
}

fn slow(seen: &Seen) -> Answer {
    Answer {
        after_ns: after_ms(&seen.path) * MS,
        ..Answer::new(200, "{\"id\": 7}")
    }
}

/// Like [`slow`], but this path fails.
fn failing(path: &'static str) -> impl FnMut(&Seen) -> Answer {
    move |seen| Answer {
        status: match seen.path.starts_with(path) {
            true => 500,
            false => 200,
        },
        ..slow(seen)
    }
}

/// Paths without query.
fn paths(seen: &[Seen]) -> Vec<&str> {
    let path = |seen: &'_ Seen| seen.path.find('?').unwrap_or(seen.path.len());
    seen.iter().map(|seen| &seen.path[..path(seen)]).collect()
}

fn failures(outcomes: &Outcomes) -> Vec<(Failure, u64)> {
    let steps = outcomes.recorder.counts.steps.iter();
    let errors = steps.flat_map(|step| &step.errors);
    errors.map(|error| (error.failure, error.count)).collect()
}

fn requests(outcomes: &Outcomes) -> Vec<u64> {
    let steps = outcomes.recorder.counts.steps.iter();
    steps.map(|step| step.requests).collect()
}

#[test]
fn steps_are_sent_at_once_over_connections_of_their_own_and_the_next_one_when_all_have_ended() {
    let plan = plan(&page("name = \"whole\"", [""; 3]), 1, 1);
    let (outcomes, seen) = run(&plan, slow);
    assert_eq!(
        paths(&seen),
        ["/page", "/style", "/script", "/logo", "/after"]
    );
    let parts = &seen[1..4];
    let connections: HashSet<u32> = parts.iter().map(|it| it.connection.slot).collect();
    assert_eq!(connections.len(), 3, "a connection for each");
    assert!(parts.iter().all(|it| it.at_ns - parts[0].at_ns < MS));
    let waited_ns = seen[4].at_ns - parts[0].at_ns;
    assert!((29 * MS..35 * MS).contains(&waited_ns), "{waited_ns}");
    let uuids: HashSet<&str> = parts[1..].iter().map(|it| it.path.as_str()).collect();
    assert_eq!(uuids.len(), 2);
    assert!(uuids.iter().all(|path| path.len() > 36));
    assert_eq!(requests(&outcomes), [1; 5]);
    let counts = &outcomes.recorder.counts;
    for (step, ms) in counts.steps.iter().zip([5, 30, 10, 20, 5]) {
        let mean_us = step.service.mean_us();
        assert!((mean_us / 1e3 - ms as f64).abs() < 3.0, "{mean_us} {ms}");
    }
    // The spans are those of the task and of the parts: 5 + 30 + 5 ms, and 30 ms.
    let spans = counts.spans.iter().map(|span| span.times.mean_us() / 1e3);
    let spans: Vec<f64> = spans.collect();
    let of = |name: &str| {
        let names = &plan.scenario.spans;
        spans[names.iter().position(|it| it == name).expect(name)]
    };
    assert!((of("parts") - 30.0).abs() < 3.0, "{spans:?}");
    assert!((of("whole") - 40.0).abs() < 6.0, "{spans:?}");
}

#[test]
fn the_strictest_failure_decides_when_all_have_ended() {
    let all = ["/page", "/style", "/script", "/logo"];
    for (keys, fails, goes_on) in [
        (["", "", ""], "/script", true),
        (["", ", on_failure = \"end-task\"", ""], "/script", false),
        (["", ", on_failure = \"end-task\"", ""], "/style", true),
        (
            [", on_failure = \"stop\"", ", on_failure = \"end-task\"", ""],
            "/s",
            false,
        ),
        (
            ["", "", ", end_task_if = { json = { \"/id\" = 7 } }"],
            "/x",
            false,
        ),
    ] {
        let (outcomes, seen) = run(&plan(&page("", keys), 1, 1), failing(fails));
        let expected = [&all[..], if goes_on { &["/after"] } else { &[] }].concat();
        assert_eq!(paths(&seen), expected, "{keys:?}");
        // No request was given up for the failure of another.
        let ended = &requests(&outcomes)[..4];
        assert_eq!(ended, [1; 4], "{keys:?}");
        let spans = &outcomes.recorder.counts.spans;
        assert_eq!(spans[0].times.count(), u64::from(fails == "/x"), "{keys:?}");
    }
}

#[test]
fn a_user_that_stops_by_the_failure_of_a_part_begins_no_other_pass() {
    let keys = [", on_failure = \"end-task\"", ", on_failure = \"stop\"", ""];
    let (_, seen) = run(&plan(&page("", keys), 1, 3), failing("/s"));
    assert_eq!(seen.len(), 4);
    let (_, seen) = run(&plan(&page("", keys), 1, 3), failing("/style"));
    assert_eq!(seen.len(), 3 * 4);
}

#[test]
fn a_part_that_takes_too_long_fails_alone() {
    let keys = ["", ", timeout = \"15ms\"", ""];
    let mut plan = plan(&page("", keys), 1, 2);
    plan.timeout_ns = SECOND_NS;
    let (outcomes, seen) = run(&plan, |seen| Answer {
        after_ns: match seen.path.starts_with("/script") {
            true => 500 * MS,
            false => 20 * MS,
        },
        ..Answer::new(200, "")
    });
    assert_eq!((seen.len(), paths(&seen)[9]), (10, "/after"));
    assert_eq!(failures(&outcomes), [(Failure::Timeout, 2)]);
}

#[test]
fn the_time_limit_of_the_task_ends_all_of_them_and_the_pass() {
    let plan = plan(&page("within = \"50ms\"", [""; 3]), 1, 2);
    let (outcomes, seen) = run(&plan, |seen| Answer {
        after_ns: match seen.path.as_str() {
            "/page" => 10 * MS,
            "/style" => 20 * MS,
            _ => 500 * MS,
        },
        ..Answer::new(200, "")
    });
    assert_eq!(seen.len(), 2 * 4);
    let of_parts = [(Failure::TaskTimeout, 2), (Failure::TaskTimeout, 2)];
    assert_eq!(failures(&outcomes), of_parts);
}

#[test]
fn with_one_connection_they_wait_in_line_for_it() {
    let mut plan = plan(&page("", [""; 3]), 1, 2);
    plan.connections = Connections::Shared { count: 1, depth: 1 };
    let (outcomes, seen) = run(&plan, slow);
    assert_eq!(requests(&outcomes), [2; 5]);
    assert_eq!(outcomes.waited_in_line, 4);
    assert!(seen[2].at_ns - seen[1].at_ns >= 30 * MS);
    plan.connections = Connections::Shared { count: 1, depth: 3 };
    let (outcomes, seen) = run(&plan, slow);
    assert_eq!(requests(&outcomes), [2; 5]);
    assert_eq!(outcomes.waited_in_line, 0);
    assert!(seen[2].at_ns - seen[1].at_ns < MS);
}

#[test]
fn requests_that_are_open_when_the_load_ends_are_waited_for_and_the_user_leaves_after_them() {
    let stop = "[[stop]]\nmethod = \"DELETE\"\npath = \"/session\"";
    for (stop, last) in [("", "/logo"), (stop, "/session")] {
        let text = format!("{}{stop}", page("", [""; 3]));
        let mut plan = plan(&text, 1, 1_000);
        plan.run_time_ns = Some(120 * MS);
        let (outcomes, seen) = run(&plan, |seen| Answer {
            // All of them are open at the end, and the first of the three ends before the others.
            after_ns: match seen.path.as_str() {
                "/page" => 100 * MS,
                "/style" => 50 * MS,
                _ => 300 * MS,
            },
            ..Answer::new(200, "")
        });
        assert_eq!(outcomes.open_at_load_end, 3);
        assert_eq!(failures(&outcomes), []);
        let paths = paths(&seen);
        assert_eq!(paths[..4], ["/page", "/style", "/script", "/logo"]);
        assert_eq!(paths.last(), Some(&last));
        assert_eq!(paths.len(), 4 + usize::from(last == "/session"));
    }
}

#[test]
fn requests_without_an_answer_by_the_end_of_the_drain_or_at_a_stop_count_each() {
    let mut plan = plan(&page("", [""; 3]), 2, 1_000);
    plan.run_time_ns = Some(200 * MS);
    plan.drain_ns = Some(100 * MS);
    let never = |seen: &Seen| Answer {
        after_ns: match seen.path.as_str() {
            "/page" => 0,
            "/style" => 10 * MS,
            _ => 100 * SECOND_NS,
        },
        ..Answer::new(200, "")
    };
    let (outcomes, _) = run(&plan, never);
    let open = [(Failure::Unanswered, 2), (Failure::Unanswered, 2)];
    assert_eq!(failures(&outcomes), open);

    let control = Control::default();
    let sim = sim_server::sim(&plan, 0, Server::new(never), Network::calm(0), 1);
    let orders = vec![(150 * MS, Order::StopNow)];
    let checked = CheckedDriver::new(sim, plan.slots_of_shard(0), &control, orders);
    let drop = Box::new(|_, _: &mut _| {});
    let (outcomes, _) = sim_server::drive(&plan, 0, checked, &control, drop);
    check_sums(&outcomes.recorder.counts.steps, 1);
    let steps = outcomes.recorder.counts.steps.iter();
    assert_eq!(steps.map(|step| step.cut_off).sum::<u64>(), 4);
}

#[test]
fn values_of_their_answers_are_there_for_the_steps_after_them() {
    let text = r#"
        name = "x"
        [[start]]
        together = [
            { method = "GET", path = "/a", extract = { a = { json = "/id" } } },
            { method = "GET", path = "/b", extract = { b = { json = "/id" } } },
        ]
        [[task]]
        method = "GET"
        path = "/{{a}}/{{b}}"
    "#;
    let (_, seen) = run(&plan(text, 3, 3), |seen| {
        Answer::new(200, format!("{{\"id\": \"{}1\"}}", &seen.path[1..]))
    });
    let paths = paths(&seen);
    assert_eq!(paths.iter().filter(|path| **path == "/a1/b1").count(), 3);
    assert_eq!(paths.len(), 9);
}

#[test]
fn their_condition_is_one_for_all_and_they_may_be_the_whole_task() {
    let text = r#"
        name = "x"
        [[task]]
        [[task.step]]
        method = "GET"
        path = "/first"
        extract = { kind = { json = "/kind", default = "" } }
        [[task.step]]
        name = "parts"
        when = { equals = { kind = "page" } }
        together = [{ method = "GET", path = "/a" }, { method = "GET", path = "/b" }]
        [[task.step]]
        when = "else"
        method = "GET"
        path = "/else"
    "#;
    for (kind, expected) in [
        ("page", &["/first", "/a", "/b"][..]),
        ("text", &["/first", "/else"]),
    ] {
        let (outcomes, seen) = run(&plan(text, 1, 1), |_| {
            Answer::new(200, format!("{{\"kind\": \"{kind}\"}}"))
        });
        assert_eq!(paths(&seen), expected);
        assert_eq!(outcomes.recorder.counts.spans[0].times.count(), 1);
    }
    let whole = "name = \"x\"\n[[task]]\nname = \"whole\"\nweight = 2\nwithin = \"1s\"\ntogether = [{ method = \"GET\", path = \"/a\" }, { method = \"GET\", path = \"/b\" }]";
    let (outcomes, seen) = run(&plan(whole, 1, 2), slow);
    assert_eq!(paths(&seen), ["/a", "/b", "/a", "/b"]);
    assert_eq!(outcomes.recorder.counts.spans[0].times.count(), 2);
}

#[test]
fn a_user_has_a_connection_for_each_request_that_it_sends_at_once() {
    let mut plan = plan(&page("", [""; 3]), 5, 5);
    assert_eq!(plan.slots_of_shard(0), 15);
    plan.connections = Connections::Shared { count: 7, depth: 1 };
    assert_eq!(plan.slots_of_shard(0), 7);
}

fn check_error(text: &str, reason: &str) {
    let error = compile("my.toml", text, &Context::plain())
        .map(|_| ())
        .expect_err(text);
    assert!(error.to_string().contains(reason), "{error}");
}

#[test]
fn what_would_depend_on_the_order_of_answers_is_refused() {
    let extract = ", extract = { id = { json = \"/id\" } }";
    check_error(
        &page("", [extract, "", extract]),
        "two steps of this together extract id",
    );
    let text = page("", [extract, "", ", headers = { X-Id = \"{{id}}\" }"]);
    check_error(
        &text,
        "{{id}} is taken out of an answer by a step that may not have run",
    );
    // It is known from before, and may be another one by the time the request is sent.
    let text = text.replace(
        "path = \"/page\"",
        "path = \"/page\"\n        extract = { id = { json = \"/id\" } }",
    );
    check_error(&text, "another step of this together extracts id");
}

#[test]
fn up_to_sixteen_steps_are_sent_at_once() {
    let text = |count: usize| {
        let parts = "{ method = \"GET\", path = \"/a\" },".repeat(count);
        format!("name = \"x\"\n[[task]]\ntogether = [{parts}]")
    };
    let (outcomes, seen) = run(&plan(&text(16), 2, 4), slow);
    assert_eq!((seen.len(), requests(&outcomes)), (64, vec![64]));
    check_error(&text(17), "a user sends at most 16");
    check_error(&text(1), "together is for two steps or more");
}

#[test]
fn a_pass_lasts_as_long_as_the_slowest_of_them_and_each_is_sent_as_often_as_all() {
    let scenario = plans::scenario_with(&page("", [""; 3]), &Context::plain());
    assert_eq!(scenario.pass_ns(10 * MS), 3 * 10 * MS);
    let text = page("", [""; 3]).replace("name = \"parts\"", "when = \"10%\"\npause = \"1s\"");
    let scenario = plans::scenario_with(&text, &Context::plain());
    let times: Vec<f64> = scenario
        .steps
        .iter()
        .map(|step| step.mean_times())
        .collect();
    assert_eq!(times, [1.0, 0.1, 0.1, 0.1, 1.0]);
    assert_eq!(scenario.pass_ns(10 * MS), 20 * MS + 101 * MS);
}

#[test]
fn they_may_stand_in_the_setup_and_their_values_are_known_to_the_load() {
    let text = r#"
        name = "x"
        [[setup]]
        together = [
            { method = "POST", path = "/a", extract = { a = { json = "/id" } } },
            { method = "POST", path = "/b", extract = { b = { json = "/id" } } },
        ]
        [[task]]
        method = "GET"
        path = "/{{setup.a}}/{{setup.b}}"
    "#;
    let scenario = plans::scenario_with(text, &Context::plain());
    let setup = scenario.setup.expect("a setup");
    assert_eq!((setup.steps.len(), setup.parts_max()), (2, 2));
    // Only the setup sends steps at once.
    assert_eq!((scenario.steps.len(), scenario.steps[0].hops_left), (1, 0));
}
