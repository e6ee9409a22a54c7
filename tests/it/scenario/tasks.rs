//! Tasks as a whole on the virtual clock: repeated, and counted as completed or failed.

use crate::support::sim_server::{self, Answer, Seen, Server, check_sums};
use opsurge::engine::plan::Plan;
use opsurge::engine::shard::Outcomes;
use opsurge::load::closed::Closed;
use opsurge::metrics::recorder::SpanCounts;
use opsurge::scenario::format::compile::{Context, compile};
use opsurge::sim::Network;
use opsurge_testbed::plans;

const MS: u64 = 1_000_000;

/// One user does so many passes of a scenario whose every step is a GET. Returns when the server saw which path, in ms.
fn run(text: &str, passes: u64, answer: impl FnMut(&Seen) -> Answer) -> (Outcomes, Vec<String>) {
    let text = text.replace("path =", "method = \"GET\"\npath =");
    let load = Closed::at_rate(1, 1.0).with_iterations(Some(passes));
    let plan: Plan = plans::plan(plans::scenario(&text), load);
    let server = Server::with_journal(answer);
    let (outcomes, sim) = sim_server::run(&plan, 0, server, Network::calm(0), 1);
    check_sums(&outcomes.recorder.counts.steps, 1);
    let seen = sim.service.journal.unwrap_or_default();
    let begun_ns = seen.first().map_or(0, |seen| seen.at_ns);
    let shown = |seen: &Seen| format!("{} {}", (seen.at_ns - begun_ns) / MS, seen.path);
    let lines = seen.iter().map(shown).collect();
    (outcomes, lines)
}

fn in_10_ms(status: u16, body: &str) -> Answer {
    Answer {
        after_ns: 10 * MS,
        ..Answer::new(status, body.to_owned())
    }
}

/// Begun, completed, failed.
fn sums(span: &SpanCounts) -> (u64, u64, u64) {
    (span.begun, span.times.count(), span.failed)
}

#[test]
fn a_task_is_done_a_fixed_number_of_times_in_a_pass_and_each_time_is_measured() {
    let text = r#"
        name = "x"
        wait = "1s"
        [[task]]
        name = "two"
        repeat = { times = 3, wait = "100ms" }
        [[task.step]]
        path = "/a"
        [[task.step]]
        path = "/b"
        pause = "5ms"
    "#;
    let (outcomes, seen) = run(text, 2, |_| in_10_ms(200, ""));
    let pass = [
        "0 /a", "10 /b", "125 /a", "135 /b", "250 /a", "260 /b", "1275 /a", "1285 /b",
    ];
    assert_eq!((&seen[..8], seen.len()), (&pass.map(String::from)[..], 12));
    let whole = &outcomes.recorder.counts.spans[0];
    assert_eq!(sums(whole), (6, 6, 0));
    assert_eq!(whole.times.max_us(), 20_000.0, "neither waits nor pauses");
    assert_eq!(outcomes.kinds[0].passes, 2);
}

#[test]
fn a_task_is_repeated_until_a_variable_says_so_and_up_to_its_bound() {
    let text = |max: u32| {
        format!(
            r#"
            name = "x"
            [[task]]
            name = "page"
            repeat = {{ until = {{ unset = "next" }}, max = {max} }}
            [[task.step]]
            path = "/first"
            when = {{ unset = "next" }}
            [[task.step]]
            path = "/page"
            extract = {{ next = {{ json = "/next", default = "" }} }}
            [[task.step]]
            path = "/last"
            when = {{ unset = "next" }}
            "#
        )
    };
    // Two of three pages have a next one, and the next pass begins without.
    let mut page = 0;
    let mut pages = |seen: &Seen| {
        page += u32::from(seen.path == "/page");
        let next = if page % 3 == 0 { "null" } else { "\"n\"" };
        in_10_ms(200, &format!("{{\"next\": {next}}}"))
    };
    let (outcomes, seen) = run(&text(50), 2, &mut pages);
    let paths = |seen: &[String]| {
        let paths = seen.iter().filter_map(|line| line.split(' ').nth(1));
        paths.collect::<Vec<_>>().join(" ")
    };
    let pass = "/first /page /page /page /last";
    assert_eq!(paths(&seen), format!("{pass} {pass}"));
    // Steps that are passed over begin and end it too, at both ends of a round.
    assert_eq!(sums(&outcomes.recorder.counts.spans[0]), (6, 6, 0));
    let (_, seen) = run(&text(2), 1, |_| in_10_ms(200, "{\"next\": \"n\"}"));
    assert_eq!(paths(&seen), "/first /page /page");
}

#[test]
fn a_failure_that_ends_the_task_ends_its_repetition_and_fails_it() {
    let text = |on_failure: &str, more: &str| {
        format!(
            r#"
            name = "x"
            [[task]]
            name = "two"
            repeat = 3
            {more}
            [[task.step]]
            path = "/a"
            on_failure = "{on_failure}"
            [[task.step]]
            path = "/b"
            on_failure = "{on_failure}"
            "#
        )
    };
    let failing = |which: &'static str| {
        let mut left = 1;
        move |seen: &Seen| {
            let fails = seen.path == which && left > 0;
            left -= u32::from(fails);
            in_10_ms(if fails { 500 } else { 200 }, "")
        }
    };
    let check = |text: String, which, expected: (u64, u64, u64), requests: usize| {
        let (outcomes, seen) = run(&text, 1, failing(which));
        let span = &outcomes.recorder.counts.spans[0];
        assert_eq!((sums(span), seen.len()), (expected, requests), "{text}");
    };
    check(text("end-task", ""), "/b", (1, 0, 1), 2);
    check(text("end-task", ""), "/a", (1, 0, 1), 1);
    // The user goes on: only a round whose last step failed has failed.
    check(text("go-on", ""), "/a", (3, 3, 0), 6);
    check(text("go-on", ""), "/b", (3, 2, 1), 6);
    check(text("stop", ""), "/b", (1, 0, 1), 2);
    // The limit is that of all rounds together.
    check(text("go-on", "within = \"35ms\""), "/none", (2, 1, 1), 4);
}

#[test]
fn a_failed_task_has_failed_once_in_each_pass() {
    let text = r#"
        name = "x"
        [[task]]
        name = "order"
        [[task.step]]
        path = "/a"
        [[task.step]]
        path = "/b"
        retry_every = "10ms"
        give_up_after = "35ms"
        on_give_up = ["fail", "end-task"]
        [[task.step]]
        path = "/c"
    "#;
    let mut pass = 0;
    let answer = |seen: &Seen| {
        pass += u32::from(seen.path == "/a");
        let fails = pass % 2 == 0 && seen.path == "/b";
        in_10_ms(if fails { 503 } else { 200 }, "")
    };
    let (outcomes, _) = run(text, 10, answer);
    assert_eq!(sums(&outcomes.recorder.counts.spans[0]), (10, 5, 5));
}

#[test]
fn a_step_of_several_that_are_sent_at_once_fails_its_task_too() {
    let text = |on_failure: &str, last: &str| {
        format!(
            r#"
            name = "x"
            [[task]]
            name = "page"
            repeat = 2
            [[task.step]]
            together = [{{ method = "GET", path= "/a", on_failure = "{on_failure}" }}, {{ method = "GET", path= "/b", on_failure = "{on_failure}" }}]
            {last}
            "#
        )
    };
    let check = |text: String, expected: (u64, u64, u64), requests: usize| {
        let mut left = 1;
        let answer = |seen: &Seen| {
            let fails = seen.path == "/b" && left > 0;
            left -= u32::from(fails);
            in_10_ms(if fails { 500 } else { 200 }, "")
        };
        let (outcomes, seen) = run(&text, 1, answer);
        let span = &outcomes.recorder.counts.spans[0];
        assert_eq!((sums(span), seen.len()), (expected, requests), "{text}");
    };
    let last = "[[task.step]]\npath = \"/c\"";
    check(text("end-task", ""), (1, 0, 1), 2);
    check(text("end-task", last), (1, 0, 1), 2);
    check(text("go-on", ""), (2, 1, 1), 4);
    check(text("go-on", last), (2, 2, 0), 6);
    let whole = r#"
        name = "x"
        [[task]]
        name = "page"
        together = [{ method = "GET", path= "/a" }, { method = "GET", path= "/b", on_failure = "end-task" }]
    "#;
    check(whole.to_owned(), (1, 0, 1), 2);
}

#[test]
fn a_repetition_of_a_task_that_cannot_work_is_refused_with_the_cure() {
    let check = |repeat: &str, reason: &str| {
        let text = format!(
            "name = \"x\"\n[[task]]\nname = \"two\"\nrepeat = {repeat}\n[[task.step]]\nmethod = \"GET\"\npath = \"/a\"\nextract = {{ next = {{ json = \"/next\", default = \"\" }} }}\n"
        );
        let error = compile("my.toml", &text, &Context::plain()).map(|_| ());
        let error = error.expect_err(repeat);
        assert!(error.to_string().contains(reason), "{error}");
        assert_eq!(error.line, 4, "{error}");
    };
    check("1", "from 2");
    check(
        "{ until = { unset = \"next\" } }",
        "it needs max beside until, the most times that the task is done",
    );
    check(
        "{ until = { unset = \"nxt\" }, max = 3 }",
        "did you mean \"next\"?",
    );
    check(
        "{ until = { json = { \"/a\" = 1 } }, max = 3 }",
        "take the value with extract in a step",
    );
    check("{ until = {}, max = 3 }", "it says nothing");
    check(
        "{ times = 3, until = { unset = \"next\" } }",
        "with until, the bound is max",
    );
}
