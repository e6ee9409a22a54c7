//! Flow of scenarios: what a server sees of conditions, repetitions and retries, and what is refused before.

use crate::support::sim_server::{self, Answer, Seen, Server, check_sums};
use opsurge::engine::plan::Plan;
use opsurge::engine::shard::Outcomes;
use opsurge::load::closed::Closed;
use opsurge::metrics::outcome::Failure;
use opsurge::scenario::format::compile::{Context, compile};
use opsurge::sim::Network;
use opsurge_testbed::plans;

const MS: u64 = 1_000_000;

/// Runs users through a scenario, so many passes in all.
fn run_passes(
    text: &str,
    users: u64,
    passes: u64,
    answer: impl FnMut(&Seen) -> Answer,
) -> (Outcomes, Vec<Seen>) {
    let load = Closed::at_rate(users, users as f64).with_iterations(Some(passes));
    let plan: Plan = plans::plan(plans::scenario_with(text, &Context::plain()), load);
    let server = Server::with_journal(answer);
    let (outcomes, sim) = sim_server::run(&plan, 0, server, Network::calm(0), 1);
    check_sums(&outcomes.recorder.counts.steps, 1);
    (outcomes, sim.service.journal.unwrap_or_default())
}

/// Runs one user through one pass; returns the paths that the server saw, and the failures.
fn paths(
    text: &str,
    answer: impl FnMut(&Seen) -> Answer,
) -> (Vec<String>, Vec<(Failure, u64)>, Outcomes) {
    let (outcomes, seen) = run_passes(text, 1, 1, answer);
    let paths = seen.into_iter().map(|seen| seen.path).collect();
    (paths, failures(&outcomes), outcomes)
}

fn failures(outcomes: &Outcomes) -> Vec<(Failure, u64)> {
    let steps = outcomes.recorder.counts.steps.iter();
    let errors = steps.flat_map(|step| &step.errors);
    errors.map(|error| (error.failure, error.count)).collect()
}

/// A task of these steps, each a GET.
fn task(steps: &[&str]) -> String {
    let mut text = "name = \"x\"\n[[task]]\nname = \"whole\"\n".to_owned();
    for step in steps {
        text += &format!("[[task.step]]\nmethod = \"GET\"\n{step}\n");
    }
    text
}

fn check_error(text: &str, place: (usize, usize), reason: &str) {
    let error = compile("my.toml", text, &Context::plain())
        .map(|_| ())
        .expect_err(text);
    assert!(error.to_string().contains(reason), "{error}");
    assert_eq!((error.line, error.column), place, "{error}");
}

#[test]
fn a_step_is_sent_when_a_variable_is_set_and_its_alternative_otherwise() {
    let text = task(&[
        "path = \"/cart\"\nextract = { order = { json = \"/order\", default = \"\" } }",
        "path = \"/orders/{{order}}\"\nname = \"/orders\"\nwhen = { set = \"order\" }",
        "path = \"/none\"\nwhen = \"else\"",
        "path = \"/gold\"\nwhen = { equals = { order = \"7\" } }",
        "path = \"/last\"\nwhen = { differs = { order = \"7\" } }",
    ]);
    for (body, expected) in [
        ("{\"order\": 7}", &["/cart", "/orders/7", "/gold"][..]),
        ("{\"order\": 8}", &["/cart", "/orders/8", "/last"]),
        ("{\"order\": null}", &["/cart", "/none", "/last"]),
    ] {
        let (paths, failures, outcomes) = paths(&text, |_| Answer {
            after_ns: 10 * MS,
            ..Answer::new(200, body)
        });
        assert_eq!(paths, expected, "{body}");
        assert_eq!(failures, [], "{body}");
        // The task is measured from its first step to its last, whether that was sent or not.
        let whole = &outcomes.recorder.counts.spans[0];
        let took_us = paths.len() as f64 * 10_000.0;
        assert_eq!((whole.begun, whole.times.max_us()), (1, took_us), "{body}");
    }
}

#[test]
fn a_value_of_an_earlier_pass_does_not_count_and_one_of_another_task_does() {
    let text = r#"
        name = "x"
        [[task]]
        weight = 1
        [[task.step]]
        method = "GET"
        path = "/list"
        when = "50%"
        extract = { item = { json = "/item" } }
        [[task.step]]
        method = "GET"
        path = "/skip"
        when = "else"
        [[task.step]]
        method = "GET"
        path = "/look/{{item}}"
        name = "/look"
        when = { set = "item" }
        [[task]]
        weight = 1
        when = { set = "item" }
        method = "POST"
        path = "/buy/{{item}}"
    "#;
    let mut item = 0;
    let (outcomes, seen) = run_passes(text, 1, 300, |seen| {
        item += u32::from(seen.path == "/list");
        Answer::new(200, format!("{{\"item\": {item}}}"))
    });
    assert_eq!(failures(&outcomes), []);
    let mut last = String::new();
    let (mut bought, mut looked) = (0, 0);
    for pair in seen.windows(2) {
        let (before, after) = (pair[0].path.as_str(), pair[1].path.as_str());
        match after.split_once("k/").or(after.split_once("y/")) {
            Some((_, number)) if after.starts_with("/look") => {
                assert_eq!(before, "/list");
                last = number.to_owned();
                looked += 1;
            }
            Some((_, number)) => {
                assert_eq!(number, last, "the last item that was listed");
                bought += 1;
            }
            None if after == "/skip" => last.clear(),
            None => {}
        }
    }
    assert!(looked > 50 && bought > 30, "{looked} {bought}");
}

#[test]
fn a_share_is_drawn_for_each_pass_and_a_seed_repeats_it() {
    let text = task(&[
        "path = \"/always\"",
        "path = \"/often\"\nwhen = \"30%\"",
        "path = \"/otherwise\"\nwhen = \"else\"",
        "path = \"/rarely\"\nwhen = \"2.5%\"",
    ]);
    let count = |seen: &[Seen], path: &str| seen.iter().filter(|it| it.path == path).count();
    let (outcomes, seen) = run_passes(&text, 20, 4_000, |_| Answer::new(200, ""));
    let counts = ["/always", "/often", "/otherwise", "/rarely"].map(|path| count(&seen, path));
    assert_eq!(counts[0], 4_000);
    assert_eq!(counts[1] + counts[2], 4_000);
    // Four standard deviations of the binomial distribution.
    assert!(counts[1].abs_diff(1_200) < 116, "{counts:?}");
    assert!(counts[3].abs_diff(100) < 40, "{counts:?}");
    let whole = &outcomes.recorder.counts.spans[0];
    assert_eq!((whole.begun, whole.times.count()), (4_000, 4_000));
    let (_, again) = run_passes(&text, 20, 4_000, |_| Answer::new(200, ""));
    assert_eq!(
        ["/always", "/often", "/otherwise", "/rarely"].map(|path| count(&again, path)),
        counts
    );
}

#[test]
fn start_and_stop_steps_are_passed_over_too() {
    let text = r#"
        name = "x"
        [variables]
        kind = "a"
        [[start]]
        method = "GET"
        path = "/a"
        when = { differs = { kind = "a" } }
        [[start]]
        method = "GET"
        path = "/b"
        when = "else"
        [[task]]
        method = "GET"
        path = "/task"
        [[stop]]
        method = "GET"
        path = "/bye"
        when = { equals = { kind = "b" } }
    "#;
    let (paths, failures, _) = paths(text, |_| Answer::new(200, ""));
    assert_eq!(
        (&paths[..], &failures[..]),
        (&["/b".to_owned(), "/task".to_owned()][..], &[][..])
    );
}

/// Pages that lead from one to the next, until there is no next one.
const PAGES: &str = r#"
    name = "x"
    [[task]]
    name = "all pages"
    [[task.step]]
    method = "GET"
    path = "/items"
    extract = { next = { json = "/next", default = "" } }
    [[task.step]]
    method = "GET"
    path = "{{next}}"
    name = "/items, next page"
    when = { set = "next" }
    repeat = { until = { unset = "next" }, max = 50, wait = "100ms" }
    extract = { next = { json = "/next", default = "" } }
    pause = "1s"
    [[task.step]]
    method = "GET"
    path = "/end"
"#;

/// Answers that many pages, each after 10 ms.
fn pages(last: u32) -> impl FnMut(&Seen) -> Answer {
    move |seen| {
        let page = seen.path.split_once("page=").map_or("1", |(_, page)| page);
        let page: u32 = page.parse().expect("a number");
        let next = match page < last {
            true => format!("\"http://sim/items?page={}\"", page + 1),
            false => "null".to_owned(),
        };
        Answer {
            after_ns: 10 * MS,
            ..Answer::new(200, format!("{{\"next\": {next}}}"))
        }
    }
}

#[test]
fn pages_are_followed_until_there_is_no_next_one() {
    for (last, expected) in [
        (1, &["/items", "/end"][..]),
        (2, &["/items", "/items?page=2", "/end"]),
        (
            4,
            &[
                "/items",
                "/items?page=2",
                "/items?page=3",
                "/items?page=4",
                "/end",
            ],
        ),
    ] {
        let text = PAGES.replace("method", "headers = { Host = \"sim\" }\nmethod");
        let (outcomes, seen) = run_passes(&text, 1, 1, pages(last));
        assert_eq!(failures(&outcomes), []);
        let paths: Vec<&str> = seen.iter().map(|seen| seen.path.as_str()).collect();
        assert_eq!(paths, expected);
        let at_ms: Vec<u64> = seen.iter().map(|seen| seen.at_ns / MS).collect();
        let gaps: Vec<u64> = at_ms.windows(2).map(|pair| pair[1] - pair[0]).collect();
        // 10 ms to answer; then the wait between two times, and the pause after the last.
        match last {
            1 => assert_eq!(gaps, [10]),
            2 => assert_eq!(gaps, [10, 1_010]),
            _ => assert_eq!(gaps, [10, 110, 110, 1_010]),
        }
        let step = &outcomes.recorder.counts.steps[1];
        assert_eq!(step.requests, u64::from(last) - 1);
        if last > 1 {
            assert_eq!(
                step.response.max_us(),
                10_000.0,
                "the wait is no part of it"
            );
        }
        let whole = &outcomes.recorder.counts.spans[0];
        assert_eq!((whole.begun, whole.times.count()), (1, 1));
    }
}

#[test]
fn a_repetition_has_a_bound_and_may_be_a_fixed_number_or_end_by_the_answer() {
    let text = PAGES
        .replace("max = 50", "max = 3")
        .replace("method", "headers = { Host = \"sim\" }\nmethod");
    let (outcomes, seen) = run_passes(&text, 1, 2, pages(90));
    assert_eq!((failures(&outcomes), seen.len()), (vec![], 2 * 5));
    let fixed = task(&["path = \"/a\"\nrepeat = 3", "path = \"/b\""]);
    let (paths_of, _, outcomes) = paths(&fixed, |_| Answer::new(200, ""));
    assert_eq!(paths_of, ["/a", "/a", "/a", "/b"]);
    assert_eq!(outcomes.recorder.counts.spans[0].begun, 1);
    for (until, bodies) in [
        ("{ json = { \"/state\" = \"done\" } }", 3),
        ("{ status = [201] }", 2),
        ("{ equals = { state = \"done\" } }", 3),
        ("{ status = [201], equals = { state = \"done\" } }", 4),
    ] {
        let text = task(&[
            &format!(
                "path = \"/a\"\nrepeat = {{ until = {until}, max = 10 }}\nextract = {{ state = {{ json = \"/state\" }} }}"
            ),
            "path = \"/b\"",
        ]);
        let mut nth = 0;
        let (paths, failures, _) = paths(&text, |seen| {
            nth += u32::from(seen.path == "/a");
            let (status, state) = match nth {
                1 => (200, "new"),
                2 => (201, "busy"),
                3 => (200, "done"),
                _ => (201, "done"),
            };
            Answer::new(status, format!("{{\"state\": \"{state}\"}}"))
        });
        assert_eq!((paths.len(), failures), (bodies + 1, vec![]), "{until}");
    }
}

#[test]
fn a_failed_repetition_is_one_of_them_and_what_follows_is_on_failure() {
    for (on_failure, expected) in [("go-on", 4), ("end-task", 2), ("stop", 2)] {
        let text = task(&[
            &format!("path = \"/a\"\nrepeat = 3\non_failure = \"{on_failure}\""),
            "path = \"/b\"",
        ]);
        let mut nth = 0;
        let (paths, failures, _) = paths(&text, |_| {
            nth += 1;
            Answer::new(if nth == 2 { 500 } else { 200 }, "")
        });
        assert_eq!(paths.len(), expected, "{on_failure}");
        assert_eq!(failures, [(Failure::Status, 1)]);
    }
}

#[test]
fn a_redirected_step_is_repeated_from_its_own_path() {
    let text = task(&["path = \"/a\"\nfollow = 2\nrepeat = 2", "path = \"/b\""]);
    let (paths, failures, _) = paths(&text, |seen| match seen.path.as_str() {
        "/a" => Answer {
            fields: "location: /hop\r\n".into(),
            ..Answer::new(302, "")
        },
        _ => Answer::new(200, ""),
    });
    assert_eq!(paths, ["/a", "/hop", "/a", "/hop", "/b"]);
    assert_eq!(failures, []);
}

#[test]
fn a_task_ends_early_when_its_answer_says_so() {
    let text = task(&[
        "path = \"/stock\"\nend_task_if = { json = { \"/left\" = 0 } }",
        "path = \"/order\"",
    ]);
    for (left, expected) in [(0, &["/stock"][..]), (1, &["/stock", "/order"])] {
        let (paths, failures, outcomes) =
            paths(&text, |_| Answer::new(200, format!("{{\"left\": {left}}}")));
        assert_eq!(paths, expected);
        assert_eq!(failures, []);
        let whole = &outcomes.recorder.counts.spans[0];
        assert_eq!(
            (whole.begun, whole.times.count()),
            (1, expected.len() as u64 - 1)
        );
    }
}

/// The times between requests in ms, and the requests that were retries.
fn retried(
    text: &str,
    answer: impl FnMut(&Seen) -> Answer,
) -> (Vec<u64>, u64, Vec<(Failure, u64)>) {
    let (outcomes, seen) = run_passes(text, 1, 1, answer);
    let at: Vec<u64> = seen.iter().map(|seen| seen.at_ns).collect();
    let gaps = at.windows(2).map(|pair| (pair[1] - pair[0]) / MS);
    let retries = outcomes.recorder.counts.steps.iter().map(|it| it.retries);
    (gaps.collect(), retries.sum(), failures(&outcomes))
}

#[test]
fn a_named_failure_is_sent_again_with_a_growing_wait_and_each_attempt_counts() {
    let text = task(&[
        "path = \"/a\"\nretry = { times = 3, on = [429, 503], backoff = \"100ms..250ms\" }",
        "path = \"/b\"",
    ]);
    let story = |good_after: u32, bad: u16| {
        let mut nth = 0;
        retried(&text, |seen| {
            nth += u32::from(seen.path == "/a");
            Answer::new(if nth > good_after { 200 } else { bad }, "")
        })
    };
    let (gaps, retries, failed) = story(2, 503);
    assert_eq!((gaps.len(), retries), (3, 2));
    assert_eq!(failed, [(Failure::Status, 2)]);
    assert!(
        (50..=100).contains(&gaps[0]) && (100..=200).contains(&gaps[1]),
        "{gaps:?}"
    );
    assert_eq!(gaps[2], 0, "a success is followed by the next step at once");
    // All attempts are used up: the step has failed, and the user goes on.
    let (gaps, retries, failed) = story(9, 429);
    assert_eq!(
        (gaps.len(), retries, &failed[..]),
        (4, 3, &[(Failure::Status, 4), (Failure::Status, 1)][..])
    );
    assert!((125..=250).contains(&gaps[2]), "{gaps:?}");
    // A failure that is not named is not sent again.
    let (gaps, retries, failed) = story(1, 500);
    assert_eq!(
        (gaps.len(), retries, &failed[..]),
        (1, 0, &[(Failure::Status, 1), (Failure::Status, 1)][..])
    );
}

#[test]
fn retry_after_is_kept_as_seconds_and_as_a_date() {
    let text = task(&["path = \"/a\"\nretry = { times = 1, on = [\"5xx\"], backoff = \"10ms\" }"]);
    let gap = |value: &str| {
        let mut nth = 0;
        let (gaps, ..) = retried(&text, |_| {
            nth += 1;
            Answer {
                fields: format!("Retry-After: {value}\r\n"),
                ..Answer::new(if nth > 1 { 200 } else { 503 }, "")
            }
        });
        gaps
    };
    assert_eq!(gap("3"), [3_000]);
    // The virtual clock begins in 1970.
    assert_eq!(gap("Thu, 01 Jan 1970 00:00:05 GMT"), [5_000]);
    assert_eq!(gap("601"), [0u64; 0], "a longer one is not waited for");
    assert!((5..=10).contains(&gap("soon")[0]));
}

#[test]
fn timeouts_and_broken_answers_are_sent_again_where_they_are_named() {
    let text = |on: &str| {
        task(&[&format!(
            "path = \"/a\"\ntimeout = \"200ms\"\nexpect = {{ json = {{ \"/ok\" = true }} }}\nretry = {{ times = 2, on = [\"{on}\"], backoff = \"10ms\" }}"
        )])
    };
    for (on, expected) in [
        ("timeout", &[(Failure::Timeout, 1)][..]),
        ("expectation", &[(Failure::Timeout, 1)]),
    ] {
        let mut nth = 0;
        let (gaps, retries, failed) = retried(&text(on), |_| {
            nth += 1;
            Answer {
                after_ns: if nth == 1 { 500 * MS } else { 0 },
                ..Answer::new(200, "{\"ok\": true}")
            }
        });
        assert_eq!(failed, expected);
        assert_eq!(gaps.len() as u64, retries);
        match on {
            "timeout" => assert!((205..=210).contains(&gaps[0]), "{gaps:?}"),
            _ => assert_eq!(retries, 0),
        }
    }
    let mut nth = 0;
    let (gaps, retries, _) = retried(&text("expectation"), |_| {
        nth += 1;
        Answer::new(200, format!("{{\"ok\": {}}}", nth > 1))
    });
    assert_eq!((gaps.len(), retries), (1, 1));
}

#[test]
fn the_time_limit_of_a_task_ends_its_retries() {
    let text = task(&[
        "path = \"/a\"\nretry = { times = 9, on = [503], backoff = \"4s\" }",
        "path = \"/b\"",
    ])
    .replace("name = \"whole\"", "name = \"whole\"\nwithin = \"5s\"");
    let (paths, failures, _) = paths(&text, |_| Answer::new(503, ""));
    assert!(
        paths.iter().all(|path| path == "/a") && (2..=3).contains(&paths.len()),
        "{paths:?}"
    );
    let timeouts = failures
        .iter()
        .filter(|(failure, _)| *failure == Failure::TaskTimeout);
    assert_eq!(timeouts.map(|(_, count)| count).sum::<u64>(), 1);
}

#[test]
fn each_repetition_has_all_its_retries() {
    let text =
        task(&["path = \"/a\"\nrepeat = 3\nretry = { times = 1, on = [503], backoff = \"1ms\" }"]);
    let mut nth = 0;
    let (gaps, retries, failed) = retried(&text, |_| {
        nth += 1;
        Answer::new(if nth % 2 == 1 { 503 } else { 200 }, "")
    });
    assert_eq!((gaps.len(), retries), (5, 3));
    assert_eq!(failed, [(Failure::Status, 3)]);
}

/// Runs an example of the documentation as it is, with rows for its users.
fn run_example(
    text: &str,
    passes: u64,
    answer: impl FnMut(&Seen) -> Answer,
) -> (Outcomes, Vec<Seen>) {
    let context = Context {
        read: &|_| {
            let rows = include_bytes!("../../../docs/examples/users.csv");
            Ok(rows.to_vec().into())
        },
        ..Context::plain()
    };
    let load = Closed::at_rate(1, 1.0).with_iterations(Some(passes));
    let plan = plans::plan(plans::scenario_with(text, &context), load);
    let server = Server::with_journal(answer);
    let (outcomes, sim) = sim_server::run(&plan, 0, server, Network::calm(0), 1);
    check_sums(&outcomes.recorder.counts.steps, 1);
    (outcomes, sim.service.journal.unwrap_or_default())
}

#[test]
fn the_shop_of_the_examples_pages_to_the_end_and_orders_what_it_lists() {
    let mut listed = 0;
    let mut items = 0;
    let (outcomes, seen) = run_example(
        include_str!("../../../docs/examples/shop.toml"),
        100,
        |seen| {
            let is_list = seen.path.starts_with("/items?");
            listed += u32::from(is_list);
            let page = seen
                .path
                .split_once("page=")
                .map_or(1, |(_, page)| page.parse().expect("a number"));
            match (seen.method.as_str(), seen.path.as_str()) {
                ("POST", "/login") => Answer::new(200, "{\"token\": \"abcdef\"}"),
                ("GET", _) if is_list => {
                    items = if page == 1 { listed } else { items };
                    let next = match page {
                        4 => "null".to_owned(),
                        page => format!("\"/items?page={}\"", page + 1),
                    };
                    Answer {
                        fields: format!("set-cookie: cart=c{listed}; path=/cart\r\n"),
                        ..Answer::new(
                            200,
                            format!(
                                "{{\"items\": [{{\"id\": {listed}, \"left\": {}}}], \"next\": {next}}}",
                                listed % 3
                            ),
                        )
                    }
                }
                ("GET", path) => {
                    assert_eq!(path, format!("/items/{items}"), "an item of the first page");
                    Answer::new(200, "")
                }
                ("PUT", "/cart") => {
                    assert!(
                        seen.body.contains(&format!("\"item\": {items},")),
                        "{}",
                        seen.body
                    );
                    assert_eq!(seen.field("cookie"), Some(&*format!("cart=c{listed}")));
                    Answer::new(200, "{\"id\": 17}")
                }
                ("POST", "/orders") => Answer {
                    fields: "location: /orders/1\r\n".into(),
                    ..Answer::new(201, "")
                },
                _ => Answer::new(200, ""),
            }
        },
    );
    assert_eq!(failures(&outcomes), []);
    let count = |start: &str| seen.iter().filter(|it| it.path.starts_with(start)).count();
    let firsts = count("/items?sort");
    assert_eq!(firsts, 100, "one for each pass");
    let orders = count("/orders");
    assert_eq!(
        (count("/cart"), count("/items?page=2") % 3),
        (orders, count("/items?page=4") % 3)
    );
    assert_eq!(
        count("/items?page=2"),
        count("/items?page=4"),
        "always to the last page"
    );
    assert!(orders > 0 && count("/items?page=4") > 70 && count("/items/") > 10);
    let whole = &outcomes.recorder.counts.spans[1];
    assert_eq!(whole.times.count(), orders as u64);
    assert!(
        whole.begun > whole.times.count(),
        "sold out: the task ended early"
    );
}

#[test]
fn the_jobs_of_the_examples_wait_for_the_queue_and_see_failed_jobs() {
    let (mut posted, mut polls) = (0, 0);
    let mut refused_at = None;
    let mut waits_ms = Vec::new();
    let (outcomes, seen) = run_example(
        include_str!("../../../docs/examples/jobs.toml"),
        6,
        |seen| {
            match (seen.method.as_str(), seen.path.as_str()) {
                ("POST", "/jobs") => {
                    posted += 1;
                    waits_ms.extend(refused_at.take().map(|at_ns| (seen.at_ns - at_ns) / MS));
                    match posted % 3 {
                        // The queue is full.
                        2 => {
                            refused_at = Some(seen.at_ns);
                            Answer {
                                fields: "retry-after: 2\r\n".into(),
                                ..Answer::new(503, "")
                            }
                        }
                        _ => Answer {
                            fields: format!("location: /jobs/{posted}\r\n"),
                            ..Answer::new(202, "")
                        },
                    }
                }
                ("GET", path) if path.ends_with("/result") => Answer::new(200, "{\"result\": 4}"),
                ("GET", path) => {
                    assert_eq!(path, format!("/jobs/{posted}"));
                    polls += 1;
                    match (posted, polls % 2) {
                        // This one fails, and this one never ends.
                        (4, _) => Answer::new(200, "{\"state\": \"failed\"}"),
                        (6, _) => Answer::new(200, "{\"state\": \"running\"}"),
                        (_, 1) => Answer::new(404, ""),
                        _ => Answer::new(
                            200,
                            format!(
                                "{{\"state\": \"done\", \"result\": \"http://sim{path}/result\"}}"
                            ),
                        ),
                    }
                }
                (method, path) => panic!("{method} {path}"),
            }
        },
    );
    let retries = outcomes.recorder.counts.steps.iter().map(|it| it.retries);
    let refused = seen.iter().filter(|it| it.method == "POST").count() as u64 - 6;
    assert!(refused > 0);
    assert_eq!(retries.sum::<u64>(), refused);
    assert!(waits_ms.iter().all(|wait| *wait == 2_000), "{waits_ms:?}");
    assert_eq!(
        failures(&outcomes),
        [
            (Failure::Status, refused),
            (Failure::Expectation, 1),
            (Failure::GaveUp, 1)
        ]
    );
    let job = &outcomes.recorder.counts.spans[0];
    assert_eq!((job.begun, job.times.count()), (6, 4));
}

#[test]
fn users_pay_for_repetitions_alone_and_four_bytes() {
    let stride = |steps: &[&str]| {
        let scenario = compile("my.toml", &task(steps), &Context::plain()).expect("valid");
        scenario.variables.stride()
    };
    assert_eq!(
        stride(&["path = \"/\"", "path = \"/a\"\nwhen = \"10%\""]),
        0
    );
    assert_eq!(
        stride(&["path = \"/\"\nrepeat = 2", "path = \"/a\"\nrepeat = 3"]),
        4
    );
}

#[test]
fn a_flow_that_cannot_work_is_refused_at_its_place() {
    let step = |lines: &str| task(&["path = \"/a\"", &format!("path = \"/b\"\n{lines}")]);
    check_error(
        &step("when = \"sometimes\""),
        (10, 8),
        "a condition is a share",
    );
    check_error(&step("when = \"100%\""), (10, 8), "below 100%");
    check_error(
        &step("when = \"else\""),
        (10, 8),
        "right after one with when",
    );
    check_error(
        &step("when = { set = \"tokn\" }"),
        (10, 16),
        "no variable \"tokn\"",
    );
    check_error(
        &step("when = { equals = { \"csv.a\" = \"b\" } }"),
        (10, 21),
        "give it a name: [variables]",
    );
    check_error(&step("repeat = 1"), (10, 10), "from 2");
    check_error(
        &step("repeat = { until = { status = [200] } }"),
        (10, 10),
        "needs max",
    );
    check_error(
        &step("repeat = { until = { status = [404] }, max = 3 }"),
        (10, 31),
        "status 404 is a failure",
    );
    check_error(
        &step("repeat = { times = 3, until = { status = [200] } }"),
        (10, 20),
        "the bound is max",
    );
    check_error(
        &step("repeat = 2\nretry_every = \"1s\"\ngive_up_after = \"5s\""),
        (10, 10),
        "a poll is repeated",
    );
    check_error(&step("retry = 3"), (10, 9), "after which failures");
    check_error(
        &step("retry = { times = 3 }"),
        (10, 9),
        "it needs the failures",
    );
    check_error(
        &step("retry = { times = 3, on = [200] }"),
        (10, 28),
        "status 200 is a success",
    );
    check_error(
        &step("retry = { times = 3, on = [\"503\"] }"),
        (10, 28),
        "without quotes; write 503",
    );
    check_error(
        &step("retry = { times = 3, on = [\"timeot\"] }"),
        (10, 28),
        "did you mean \"timeout\"?",
    );
    check_error(
        &step("retry = { times = 3, on = [\"gave-up\"] }"),
        (10, 28),
        "no failure \"gave-up\"",
    );
    check_error(
        &step("retry = { times = 3, on = [503], backoff = 0 }"),
        (10, 44),
        "only adds load",
    );
    check_error(&step("end_task_if = { }"), (10, 15), "it says nothing");
    check_error(
        &task(&["path = \"/a\"\nwhen = \"10%\""]),
        (2, 1),
        "may send nothing",
    );
    let single = |lines: &str| {
        format!(
            "name = \"x\"\n[variables]\na = \"\"\n[[task]]\nmethod = \"GET\"\npath = \"/\"\n{lines}\n"
        )
    };
    check_error(&single("when = \"10%\""), (7, 8), "is its weight");
    check_error(
        &single("when = { set = \"a\" }"),
        (4, 1),
        "every task has when",
    );
    let start = "name = \"x\"\n[[start]]\nmethod = \"GET\"\npath = \"/\"\nend_task_if = { status = [200] }\n";
    check_error(start, (5, 15), "for steps of a [[task]]");
    let unguarded = PAGES.replace("    when = { set = \"next\" }\n", "");
    check_error(
        &unguarded,
        (8, 52),
        "give that step when = { set = \"next\" }",
    );
    let loose = PAGES.replace("until = { unset = \"next\" }, max = 50", "times = 5");
    check_error(&loose, (8, 52), "the default of {{next}} is empty");
}
