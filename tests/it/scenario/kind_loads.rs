//! Kinds of users on parts of a load, at a rate, and in a search for the capacity.

use std::sync::{Arc, Mutex};

use opsurge::engine::plan::Plan;
use opsurge::engine::{Control, KindUse};
use opsurge::load::Load;
use opsurge::load::closed::Closed;
use opsurge::load::open::{Arrivals, Open};
use opsurge::load::part::Part;
use opsurge::metrics::interval::Interval;
use opsurge::metrics::recorder::Recorder;
use opsurge::sim::Network;
use opsurge_testbed::plans;

use crate::support::sim_server::{self, Answer, Seen, Server, check_sums};

const SECOND_NS: u64 = 1_000_000_000;

/// The buyers have a start and a stop step; every request says which user sends it.
fn scenario(clerks: &str) -> String {
    format!(
        r#"
        name = "shop"
        wait = "100ms..300ms"
        [[users]]
        name = "browser"
        share = "70%"
        [[users.task]]
        method = "GET"
        path = "/items/{{{{user}}}}"
        [[users]]
        name = "buyer"
        share = "30%"
        [[users.start]]
        method = "POST"
        path = "/login/{{{{user}}}}"
        [[users.task]]
        method = "POST"
        path = "/orders/{{{{user}}}}"
        [[users.stop]]
        method = "DELETE"
        path = "/login/{{{{user}}}}"
        {clerks}
        "#
    )
}

const CLERKS: &str = "[[users]]\nname = \"clerk\"\ncount = 3\n[[users.task]]\nmethod = \"GET\"\npath = \"/open/{{user}}\"";

fn plan(clerks: &str, load: Load, shards: usize) -> Plan {
    Plan {
        run_time_ns: Some(6 * SECOND_NS),
        shards,
        ..plans::plan(plans::scenario(&scenario(clerks)), load)
    }
}

/// What the kinds did on all shards, the requests in an order that does not depend on them, and the users of each kind
/// that were present at the end of each second.
fn carried_out(plan: &Plan) -> (Vec<KindUse>, Vec<String>, Vec<Vec<u64>>) {
    let mut kinds = vec![KindUse::default(); plan.scenario.kinds.len()];
    let (mut sent, mut present) = (Vec::new(), Vec::new());
    for shard in 0..plan.shards {
        let server = Server::with_journal(|_: &Seen| Answer::new(200, ""));
        let sim = sim_server::sim(plan, shard, server, Network::calm(0), 1);
        let seconds = Arc::new(Mutex::new(Vec::new()));
        let (of_shard, steps) = (seconds.clone(), plan.scenario.metrics.len());
        let on_interval = Box::new(move |_, recorder: &mut Recorder| {
            let interval = recorder.swap_interval(Interval::new(steps));
            assert_eq!(interval.users_by_kind.iter().sum::<u64>(), interval.users);
            of_shard
                .lock()
                .expect("one thread")
                .push(interval.users_by_kind);
        });
        let control = Arc::new(Control::default());
        let (outcomes, sim) = sim_server::drive(plan, shard, sim, &control, on_interval);
        check_sums(&outcomes.recorder.counts.steps, 1);
        for (sum, more) in kinds.iter_mut().zip(outcomes.kinds) {
            *sum += more;
        }
        let journal = sim.service.journal.unwrap_or_default();
        sent.extend(
            journal
                .iter()
                .map(|seen| format!("{} {}", seen.method, seen.path)),
        );
        let seconds = seconds.lock().expect("one thread");
        present.resize(seconds.len().max(present.len()), vec![0; kinds.len()]);
        for (sum, more) in present.iter_mut().zip(seconds.iter()) {
            sum.iter_mut()
                .zip(more)
                .for_each(|(sum, more)| *sum += more);
        }
    }
    sent.sort_unstable();
    (kinds, sent, present)
}

/// Parts with these numbers of shards, added up.
fn of_parts(clerks: &str, load: &Load, shards_of: &[usize]) -> (Vec<KindUse>, Vec<String>) {
    let (mut kinds, mut sent) = (vec![KindUse::default(); 3], Vec::new());
    for (at, shards) in shards_of.iter().enumerate() {
        let part = Part::new(at as u64 + 1, shards_of.len() as u64).expect("a part");
        let (own, requests, _) = carried_out(&plan(clerks, load.clone().of_part(part), *shards));
        for (sum, more) in kinds.iter_mut().zip(own) {
            *sum += more;
        }
        sent.extend(requests);
    }
    sent.sort_unstable();
    (kinds, sent)
}

#[test]
fn parts_of_a_load_have_together_exactly_the_users_of_each_kind_and_their_requests() {
    for users in [7, 23, 40] {
        let load = Load::from(Closed::at_rate(users, users as f64));
        let (whole, sent, _) = carried_out(&plan(CLERKS, load.clone(), 2));
        let came: Vec<u64> = whole.iter().map(|kind| kind.came).collect();
        assert_eq!((came.iter().sum::<u64>(), came[2]), (users, 3));
        for shards_of in [&[1, 1][..], &[2, 1, 3]] {
            let (parts, sent_by_parts) = of_parts(CLERKS, &load, shards_of);
            assert_eq!(parts, whole, "{users} users, {shards_of:?}");
            assert!(
                sent == sent_by_parts,
                "{} of {}",
                sent_by_parts.len(),
                sent.len()
            );
        }
    }
}

#[test]
fn parts_of_a_rate_begin_together_exactly_the_iterations_of_each_kind() {
    for arrivals in [Arrivals::Constant, Arrivals::Poisson] {
        let load = Load::Open {
            ready: Closed::at_rate(12, 120.0),
            arrivals: Open::new(40.0, &[], arrivals, 12, 400),
        };
        let passes = |kinds: &[KindUse]| kinds.iter().map(|kind| kind.passes).collect::<Vec<_>>();
        let (whole, ..) = carried_out(&plan("", load.clone(), 1));
        let all: u64 = whole.iter().map(|kind| kind.passes).sum();
        assert!((180..=280).contains(&all), "{whole:?}");
        assert!(
            (all * 5 / 10..all * 9 / 10).contains(&whole[0].passes),
            "{whole:?}"
        );
        let (parts, _) = of_parts("", &load, &[1, 2]);
        assert_eq!(passes(&parts)[..2], passes(&whole)[..], "{arrivals:?}");
    }
}

#[test]
fn each_second_knows_how_many_users_of_each_kind_are_present() {
    let load = Load::from(Closed::at_rate(23, 10.0));
    let (kinds, _, present) = carried_out(&plan(CLERKS, load, 2));
    // Ten more in each second, the counted ones first; at the end the stop steps of those that have some.
    assert_eq!(present[0][2], 3);
    let sums: Vec<u64> = present.iter().map(|users| users.iter().sum()).collect();
    assert_eq!(sums[..5], [10, 20, 23, 23, 23]);
    assert_eq!(present[4], [14, 6, 3]);
    assert_eq!(
        kinds.iter().map(|kind| kind.present).sum::<u64>(),
        0,
        "all have left"
    );
}
