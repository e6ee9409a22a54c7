//! CSV files on the virtual clock: which rows the server sees, by how many users and shards.

use std::collections::BTreeMap;

use opsurge::engine::plan::Plan;
use opsurge::load::closed::Closed;
use opsurge::metrics::outcome::Failure;
use opsurge::scenario::format::compile::{Context, compile};
use opsurge::sim::Network;
use opsurge_testbed::plans;

use crate::support::sim_server::{self, Answer, Seen, Server, check_sums};

const SECOND_NS: u64 = 1_000_000_000;

/// `users.csv` has three rows, `items.csv` ten, delimited by tabs.
fn context() -> Context<'static> {
    Context {
        read: &|name| match name {
            "users.csv" => Ok(b"mail\nann\nbob\ncyn\n".to_vec().into()),
            "items.csv" => {
                let rows: String = (0..10).map(|row| format!("{row}\tname {row}\n")).collect();
                Ok(format!("id\tname\n{rows}").into_bytes().into())
            }
            other => Err(format!("there is no {other}")),
        },
        ..Context::plain()
    }
}

fn plan(keys: &str, users: u64, shards: usize, run_time_s: u64) -> Plan {
    let text = format!(
        r#"
        name = "x"
        wait = "1s"
        [csv]
        file = "users.csv"
        [csv.items]
        file = "items.csv"
        delimiter = "tab"
        {keys}
        [[start]]
        method = "POST"
        path = "/login/{{{{csv.mail}}}}"
        [[task]]
        method = "GET"
        path = "/items/{{{{csv.items.id}}}}?by={{{{csv.mail}}}}"
        [[stop]]
        method = "POST"
        path = "/logout/{{{{csv.mail}}}}"
    "#
    );
    Plan {
        run_time_ns: Some(run_time_s * SECOND_NS),
        shards,
        ..plans::plan(
            plans::scenario_with(&text, &context()),
            Closed::at_rate(users, users as f64 * 10.0),
        )
    }
}

/// What the server saw of each path, and the failures for want of a row.
fn run(plan: &Plan) -> (BTreeMap<String, usize>, u64) {
    let mut seen = BTreeMap::new();
    let mut failures = 0;
    for shard in 0..plan.shards {
        let server = Server::with_journal(|_: &Seen| Answer::new(200, ""));
        let (outcomes, sim) = sim_server::run(plan, shard, server, Network::calm(0), 1);
        let steps = &outcomes.recorder.counts.steps;
        check_sums(steps, 1);
        let errors = steps.iter().flat_map(|step| &step.errors);
        let no_row = errors.filter(|error| error.failure == Failure::NoRow);
        failures += no_row.map(|error| error.count).sum::<u64>();
        for request in sim.service.journal.unwrap_or_default() {
            *seen.entry(request.path).or_default() += 1;
        }
    }
    (seen, failures)
}

/// How often each item was asked for.
fn items(seen: &BTreeMap<String, usize>) -> Vec<usize> {
    let of = |id: usize| {
        let prefix = format!("/items/{id}?");
        let asked = seen.iter().filter(|(path, _)| path.starts_with(&prefix));
        asked.map(|(_, times)| *times).sum()
    };
    (0..10).map(of).collect()
}

#[test]
fn each_iteration_has_the_next_row_whatever_the_number_of_shards() {
    let alone = run(&plan("per = \"iteration\"", 3, 1, 20)).0;
    let asked = items(&alone);
    let all: usize = asked.iter().sum();
    assert!((55..=60).contains(&all), "{asked:?}");
    assert!(
        asked.iter().all(|&times| times.abs_diff(all / 10) <= 2),
        "{asked:?}"
    );
    // Every user comes by every item, and its name stays.
    assert!(alone.contains_key("/items/0?by=bob") && alone.contains_key("/items/1?by=ann"));
    assert_eq!(alone, run(&plan("per = \"iteration\"", 3, 2, 20)).0);
}

#[test]
fn a_row_can_be_drawn_for_each_iteration() {
    let keys = "per = \"iteration\"\norder = \"random\"";
    let (seen, _) = run(&plan(keys, 3, 1, 100));
    let asked = items(&seen);
    assert!(
        asked.iter().all(|times| (15..=45).contains(times)),
        "{asked:?}"
    );
    assert_eq!(seen, run(&plan(keys, 3, 3, 100)).0);
}

#[test]
fn rows_for_iterations_that_are_used_once_end_the_run_with_each_row_used() {
    for shards in [1, 2] {
        for (end, failures) in [("stop", 0), ("fail", 3)] {
            let keys = format!("per = \"iteration\"\nat_end = \"{end}\"");
            let (seen, failed) = run(&plan(&keys, 3, shards, 3_600));
            assert_eq!(items(&seen), [1; 10]);
            assert_eq!(failed, failures, "{end}");
            // Users leave by way of their stop steps.
            for mail in ["ann", "bob", "cyn"] {
                assert_eq!(seen.get(&format!("/logout/{mail}")), Some(&1));
            }
        }
    }
}

#[test]
fn a_user_without_a_row_of_its_own_does_not_come() {
    let text = |end: &str| {
        format!(
            r#"
            name = "x"
            [csv]
            file = "users.csv"
            at_end = "{end}"
            [[start]]
            method = "POST"
            path = "/login/{{{{csv.mail}}}}"
            [[task]]
            method = "GET"
            path = "/items"
            "#
        )
    };
    for (end, logins, failures) in [("again", 5, 0), ("stop", 3, 0), ("fail", 3, 2)] {
        let scenario = plans::scenario_with(&text(end), &context());
        let load = Closed::at_rate(5, 50.0).with_iterations(Some(20));
        let (seen, failed) = run(&plans::plan(scenario, load));
        let logged_in = seen.iter().filter(|(path, _)| path.starts_with("/login"));
        assert_eq!(logged_in.map(|(_, times)| times).sum::<usize>(), logins);
        // Four iterations each.
        assert_eq!((seen["/items"], failed), (4 * logins, failures), "{end}");
    }
}

#[test]
fn a_table_of_rows_that_cannot_work_is_refused() {
    let check = |table: &str, path: &str, reason: &str| {
        let text =
            format!("name = \"x\"\n{table}\n[[start]]\nmethod = \"GET\"\npath = \"{path}\"\n");
        let error = compile("x.toml", &text, &context()).expect_err(table);
        assert!(error.reason.starts_with(reason), "{error}");
    };
    let users = "[csv]\nfile = \"users.csv\"\n";
    check(
        &format!("{users}per = \"iteration\""),
        "/{{csv.mail}}",
        "{{csv.mail}} is a row for each iteration",
    );
    check(
        &format!("{users}order = \"random\"\nat_end = \"stop\""),
        "/",
        "rows that are drawn have no end",
    );
    check(
        &format!("{users}at_end = \"wrap\""),
        "/",
        "unknown at_end \"wrap\" (again, stop, fail)",
    );
    check(
        &format!("{users}each = \"iteration\""),
        "/",
        "unknown key \"each\"",
    );
    check(
        &format!("{users}[csv.more]\nfile = \"users.csv\""),
        "/{{csv.more.email}}",
        "the CSV file has no column \"more.email\"; did you mean \"more.mail\"? (columns: mail, more.mail)",
    );
    check(
        "[csv.items]\nfile = \"items.csv\"",
        "/",
        "items.csv: line 1: with its delimiter it is one column",
    );
    check("[csv]\norder = \"random\"", "/", "\"file\" is missing");
}

#[test]
fn rows_that_are_used_once_need_a_number_of_users() {
    use opsurge::load::Load;
    use opsurge::load::open::{Arrivals, Open};
    let keys = "per = \"iteration\"\nat_end = \"stop\"";
    let mut plan = plan(keys, 3, 1, 1);
    assert_eq!(plan.check_rows(), Ok(()));
    plan.load = Load::Closed(Closed::steered(100));
    let refused = plan.check_rows().expect_err("a search");
    assert!(refused.contains("a search does not know"), "{refused}");
    plan.load = Load::Open {
        ready: Closed::at_rate(3, 3.0),
        arrivals: Open::new(5.0, &[], Arrivals::Constant, 3, 3),
    };
    let refused = plan.check_rows().expect_err("a rate");
    assert!(refused.contains("at a rate"), "{refused}");
}
