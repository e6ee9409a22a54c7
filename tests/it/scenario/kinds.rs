//! Kinds of users on the virtual clock: each does its own steps, in its share, counted apart.

use std::collections::BTreeMap;

use opsurge::engine::KindUse;
use opsurge::engine::plan::Plan;
use opsurge::load::Load;
use opsurge::load::closed::Closed;
use opsurge::load::open::{Arrivals, Open};
use opsurge::scenario::format::compile::{Context, compile};
use opsurge::sim::Network;
use opsurge_testbed::plans;

use crate::support::sim_server::{self, Answer, Seen, Server, check_sums};

const SECOND_NS: u64 = 1_000_000_000;

/// Two kinds, and a third that is counted where `amounts` say so.
fn scenario(amounts: [&str; 3]) -> String {
    let [browser, buyer, admin] = amounts;
    format!(
        r#"
        name = "shop"
        wait = "1s"

        [[users]]
        name = "browser"
        {browser}
        [[users.task]]
        method = "GET"
        path = "/items"

        [[users]]
        name = "buyer"
        {buyer}
        wait = "2s"
        [[users.start]]
        method = "POST"
        path = "/login"
        extract = {{ token = {{ json = "/token" }} }}
        [[users.task]]
        method = "GET"
        path = "/items"
        [[users.task]]
        method = "POST"
        path = "/orders/{{{{token}}}}"
        [[users.stop]]
        method = "DELETE"
        path = "/login"

        [[users]]
        name = "admin"
        {admin}
        [[users.task]]
        method = "PUT"
        path = "/prices"
        "#
    )
}

const MIXED: [&str; 3] = ["share = \"70%\"", "share = \"30%\"", "count = 2"];
const SHARES: [&str; 3] = ["share = \"60%\"", "share = \"30%\"", "share = \"10%\""];

fn plan(amounts: [&str; 3], load: impl Into<Load>, shards: usize, run_time_s: u64) -> Plan {
    Plan {
        run_time_ns: Some(run_time_s * SECOND_NS),
        shards,
        ..plans::plan(plans::scenario(&scenario(amounts)), load)
    }
}

/// What each path was asked for, and what the kinds did, over all shards.
fn run(plan: &Plan) -> (BTreeMap<String, usize>, Vec<KindUse>) {
    let mut seen = BTreeMap::new();
    let mut kinds = vec![KindUse::default(); 3];
    for shard in 0..plan.shards {
        let server = Server::with_journal(|_: &Seen| Answer::new(200, "{\"token\":\"t\"}"));
        let (outcomes, sim) = sim_server::run(plan, shard, server, Network::calm(0), 1);
        check_sums(&outcomes.recorder.counts.steps, 1);
        for (sum, more) in kinds.iter_mut().zip(outcomes.kinds) {
            *sum += more;
        }
        for request in sim.service.journal.unwrap_or_default() {
            let line = format!("{} {}", request.method, request.path);
            *seen.entry(line).or_default() += 1;
        }
    }
    (seen, kinds)
}

#[test]
fn users_are_divided_by_count_and_share_whatever_the_number_of_shards() {
    for shards in [1, 3] {
        let load = Closed::at_rate(22, 220.0);
        let (seen, kinds) = run(&plan(MIXED, load, shards, 20));
        let came: Vec<u64> = kinds.iter().map(|kind| kind.came).collect();
        assert_eq!(came, [14, 6, 2], "{shards} shards");
        // Only buyers log in and out.
        assert_eq!((seen["POST /login"], seen["DELETE /login"]), (6, 6));
        // Each kind has its own wait: one second, or two.
        assert!((14 * 19..=14 * 20).contains(&kinds[0].passes), "{kinds:?}");
        assert!((6 * 9..=6 * 10).contains(&kinds[1].passes), "{kinds:?}");
        assert_eq!(kinds[2].passes, seen["PUT /prices"] as u64);
        let of_buyers = seen["GET /items"] as u64 - kinds[0].passes + seen["POST /orders/t"] as u64;
        assert_eq!(of_buyers, kinds[1].passes);
    }
}

#[test]
fn what_a_user_does_depends_on_its_number_alone() {
    let requests = |shards| run(&plan(MIXED, Closed::at_rate(9, 9.0), shards, 15));
    assert_eq!(requests(1), requests(4));
}

#[test]
fn a_load_that_grows_has_the_mix_at_each_number_of_users() {
    let scenario = plans::scenario(&scenario(MIXED));
    for users in [12, 22, 102] {
        let load = Closed::at_rate(users, users as f64);
        let plan = plans::plan(plans::scenario(&self::scenario(MIXED)), load);
        let kinds = plan.kinds_of_shard(0);
        assert_eq!(kinds[..2], [2, 2]);
        let of = |kind| kinds.iter().filter(|it| **it == kind).count() as u64;
        assert_eq!(of(2), 2);
        assert_eq!((of(0), of(1)), ((users - 2) * 7 / 10, (users - 2) * 3 / 10));
    }
    assert!(scenario.has_kinds() && scenario.has_stop_steps());
}

#[test]
fn arrivals_are_drawn_by_share_and_begun_by_a_user_of_the_kind() {
    for shards in [1, 2] {
        let load = Load::Open {
            ready: Closed::at_rate(20, 200.0),
            arrivals: Open::new(50.0, &[], Arrivals::Constant, 20, 200),
        };
        let (seen, kinds) = run(&plan(SHARES, load, shards, 60));
        let passes: Vec<u64> = kinds.iter().map(|kind| kind.passes).collect();
        let all: u64 = passes.iter().sum();
        assert!((2_900..=3_000).contains(&all), "{passes:?}");
        for (passes, share) in passes.iter().zip([0.6, 0.3, 0.1]) {
            let wanted = all as f64 * share;
            assert!((*passes as f64 - wanted).abs() < 110.0, "{kinds:?}");
        }
        assert_eq!(passes[2], seen["PUT /prices"] as u64);
        assert_eq!(kinds[1].came, seen["POST /login"] as u64);
    }
}

#[test]
fn names_that_two_kinds_have_get_the_kind_before_them() {
    let scenario = plans::scenario(&scenario(MIXED));
    let names: Vec<String> = scenario
        .metrics
        .iter()
        .map(|metric| format!("{} {}", metric.method, metric.name))
        .collect();
    assert_eq!(
        names,
        [
            "GET browser/items",
            "POST /login",
            "GET buyer/items",
            "POST /orders/{{token}}",
            "DELETE /login",
            "PUT /prices",
        ]
    );
}

#[test]
fn kinds_that_cannot_work_are_refused() {
    let check = |amounts: [&str; 3], reason: &str| {
        let text = scenario(amounts);
        let error = compile("x.toml", &text, &Context::plain()).expect_err(reason);
        assert!(error.reason.starts_with(reason), "{error}");
    };
    let [browser, buyer, admin] = MIXED;
    check([browser, "", admin], "how many users are of this kind?");
    check(
        [browser, browser, admin],
        "the shares of all kinds are 140% together",
    );
    check(["share = 70", buyer, admin], "a share is a percentage");
    check(
        [browser, buyer, "count = 2\nshare = \"1%\""],
        "a kind has a share of the users or a count",
    );
    // A value of one kind is none of another's.
    let other = "count = 2\n[[users.task]]\nmethod = \"GET\"\npath = \"/{{token}}\"";
    check(
        [browser, buyer, other],
        "{{token}} is taken out of an answer",
    );
    let outside = format!(
        "{}\n[[task]]\nmethod = \"GET\"\npath = \"/\"",
        scenario(MIXED)
    );
    let error = compile("x.toml", &outside, &Context::plain()).expect_err("a task outside");
    assert!(
        error
            .reason
            .starts_with("with [[users]], every step belongs"),
        "{error}"
    );
}

#[test]
fn a_load_that_does_not_fit_the_kinds_is_refused() {
    let check = |amounts, load: Load, reason: &str| {
        let refused = plan(amounts, load, 1, 1).check_kinds().expect_err(reason);
        assert!(refused.contains(reason), "{refused}");
    };
    let counts = ["count = 1", "count = 1", "count = 2"];
    let users = |users: u64| Load::Closed(Closed::at_rate(users, users as f64));
    check(MIXED, users(1), "are 2 users together, and the load has 1");
    check(counts, users(9), "are 4 users together, and the load has 9");
    let rate = Load::Open {
        ready: Closed::at_rate(3, 3.0),
        arrivals: Open::new(5.0, &[], Arrivals::Constant, 3, 3),
    };
    check(MIXED, rate, "arrivals are drawn by share");
    assert_eq!(plan(counts, users(4), 1, 1).check_kinds(), Ok(()));
    let counted = plans::scenario(&scenario(counts));
    assert_eq!(counted.load.users, Some(4));
}
