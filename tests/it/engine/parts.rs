//! Parts of a load on several processes: together they send what one process would have sent.

use std::sync::Arc;

use crate::support::sim_server::{self, Answer, Seen, Server, check_sums};
use opsurge::engine::plan::{Connections, Plan};
use opsurge::engine::shard::Outcomes;
use opsurge::load::Load;
use opsurge::load::closed::{Closed, Point};
use opsurge::load::open::{Arrivals, Open, RatePoint};
use opsurge::load::part::Part;
use opsurge::scenario::format::compile::Context;
use opsurge::sim::Network;
use opsurge_testbed::plans;

const SECOND_NS: u64 = 1_000_000_000;

/// Every request says who its user is, which row it has, and what was drawn for it.
const SCENARIO: &str = r#"
    name = "parts"
    wait = "50ms..200ms"
    [csv]
    file = "users.csv"
    [variables]
    agent = "{{uuid}}"
    [[start]]
    method = "POST"
    path = "/register/{{csv.name}}"
    json = '{"agent": "{{agent}}", "serial": {{sequence}}}'
    [[task]]
    weight = 3
    method = "GET"
    path = "/state/{{csv.name}}"
    query = { n = "{{random 1..1000000}}" }
    [[task]]
    weight = 1
    method = "POST"
    path = "/work/{{csv.name}}"
    json = '{"agent": "{{agent}}"}'
"#;

fn plan(load: Load, shards: usize) -> Plan {
    let rows: String = (0..37).map(|row| format!("name{row}\n")).collect();
    let csv = format!("name\n{rows}");
    let context = Context {
        read: &|_| Ok(Arc::new(csv.clone().into_bytes())),
        ..Context::plain()
    };
    Plan {
        shards,
        ..plans::plan(plans::scenario_with(SCENARIO, &context), load)
    }
}

/// A server whose answers depend on the request alone; one in ten is a failure.
fn answer(seen: &Seen) -> Answer {
    let sum: u32 = seen.path.bytes().map(u32::from).sum();
    Answer {
        after_ns: u64::from(sum % 7) * 1_000_000,
        ..Answer::new(if sum.is_multiple_of(10) { 503 } else { 200 }, "{}")
    }
}

/// What all shards of a plan left behind, and every request that they sent, in an order that does not depend on them.
fn carried_out(plan: &Plan) -> (Outcomes, Vec<String>) {
    let mut sum: Option<Outcomes> = None;
    let mut sent = Vec::new();
    for shard in 0..plan.shards {
        let server = Server::with_journal(answer);
        let (outcomes, sim) = sim_server::run(plan, shard, server, Network::calm(0), 1);
        check_sums(&outcomes.recorder.counts.steps, 1);
        let journal = sim.service.journal.unwrap_or_default();
        let requests = journal.into_iter();
        sent.extend(requests.map(|seen| format!("{} {} {}", seen.method, seen.path, seen.body)));
        match &mut sum {
            None => sum = Some(outcomes),
            Some(sum) => *sum += outcomes,
        }
    }
    sent.sort_unstable();
    (sum.expect("a shard"), sent)
}

/// Runs a load on eight shards, and as parts of which each has other numbers of shards; compares requests, counts and
/// histograms.
fn check(load: &Load, connections: Connections, run_time_s: Option<u64>, shards_of: &[usize]) {
    let bounded = |load: Load, shards| Plan {
        connections,
        run_time_ns: run_time_s.map(|s| s * SECOND_NS),
        ..plan(load, shards)
    };
    let (whole, sent_by_whole) = carried_out(&bounded(load.clone(), 8));
    let of = shards_of.len() as u64;
    let mut sent = Vec::new();
    let mut sum: Option<Outcomes> = None;
    for (at, shards) in shards_of.iter().enumerate() {
        let part = Part::new(at as u64 + 1, of).expect("a part");
        let (outcomes, own) = carried_out(&bounded(load.clone().of_part(part), *shards));
        assert!(!own.is_empty(), "part {at} has something to do");
        sent.extend(own);
        match &mut sum {
            None => sum = Some(outcomes),
            Some(sum) => *sum += outcomes,
        }
    }
    sent.sort_unstable();
    let sum = sum.expect("a part");
    assert!(
        sent == sent_by_whole,
        "{} of {}",
        sent.len(),
        sent_by_whole.len()
    );
    assert_eq!(sum.users_came, whole.users_came);
    assert_eq!(
        sum.arrivals.map(|counts| counts.due),
        whole.arrivals.map(|counts| counts.due)
    );
    let steps = sum.recorder.counts.steps.iter();
    for (part, whole) in steps.zip(&whole.recorder.counts.steps) {
        assert_eq!(part.statuses, whole.statuses);
        assert_eq!(
            (part.requests, part.failures, part.body_bytes),
            (whole.requests, whole.failures, whole.body_bytes)
        );
        assert_eq!(part.service.to_v2_deflate(), whole.service.to_v2_deflate());
        assert_eq!(part.service.exact_ns(), whole.service.exact_ns());
        assert_eq!(part.failed.to_v2_deflate(), whole.failed.to_v2_deflate());
    }
}

#[test]
fn parts_of_a_closed_load_send_exactly_what_one_process_sends() {
    for users in [16, 43, 100] {
        let load = Closed::at_rate(users, 50.0);
        let load = Load::Closed(load.with_iterations(Some(10 * users + 7)));
        check(&load, Connections::PerUser, None, &[2; 4]);
        check(&load, Connections::PerUser, None, &[1, 3, 2]);
    }
}

#[test]
fn parts_go_through_the_stages_together() {
    let points = [(20, 0), (60, 2), (16, 2), (40, 1)];
    let points = points.map(|(users, after_s)| Point {
        users,
        after_ns: after_s * SECOND_NS,
    });
    let load = Load::Closed(Closed::through(&points));
    check(&load, Connections::PerUser, Some(6), &[2; 4]);
    check(&load, Connections::PerUser, Some(6), &[1, 4]);
}

#[test]
fn connections_that_users_share_are_shared_out_over_the_parts() {
    // Enough of them, so that no request waits for one, which would move the draws of later ones in time.
    let load = Closed::at_rate(30, 100.0).with_iterations(Some(300));
    let shared = Connections::Shared {
        count: 30,
        depth: 1,
    };
    check(&Load::Closed(load), shared, None, &[2; 4]);
}

/// The requests of an open load: which user carries out an arrival depends on who is free, so only counts are compared.
fn due(load: &Load, shards_of: &[usize]) -> Vec<u64> {
    let of = shards_of.len() as u64;
    let shards = shards_of.iter().enumerate();
    let due = shards.map(|(at, shards)| {
        let part = Part::new(at as u64 + 1, of).expect("a part");
        let plan = Plan {
            run_time_ns: Some(7 * SECOND_NS),
            ..plan(load.clone().of_part(part), *shards)
        };
        let (outcomes, _) = carried_out(&plan);
        let counts = outcomes.arrivals.expect("an open load");
        assert_eq!(
            counts.due,
            counts.started + counts.dropped + counts.never_begun
        );
        counts.due
    });
    due.collect()
}

#[test]
fn every_arrival_of_an_open_load_is_due_on_exactly_one_part() {
    let stages = [RatePoint {
        rate: 300.0,
        after_ns: 4 * SECOND_NS,
    }];
    for arrivals in [Arrivals::Constant, Arrivals::Poisson] {
        let open = Open::new(100.0, &stages, arrivals, 24, 24);
        let load = Load::new(Closed::at_rate(24, 1e6), Some(open));
        let whole: u64 = due(&load, &[8]).iter().sum();
        assert!(whole > 1_000, "{whole}");
        for shards_of in [&[2; 4][..], &[1, 3, 2], &[1; 24]] {
            let parts = due(&load, shards_of);
            assert_eq!(
                parts.iter().sum::<u64>(),
                whole,
                "{arrivals:?} {shards_of:?}"
            );
            let (least, most) = (parts.iter().min(), parts.iter().max());
            if arrivals == Arrivals::Constant && shards_of.len() == 4 {
                // 24 users divide evenly by four.
                assert!(
                    most.zip(least)
                        .is_some_and(|(most, least)| most - least <= 6),
                    "{parts:?}"
                );
            }
        }
    }
}
