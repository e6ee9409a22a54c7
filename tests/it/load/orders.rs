//! Orders of a person during a run, on the virtual clock: the rest of the load's line is replaced, and nothing else.

use crate::support::sim_server::{self, Answer, Seen, Server, check_sums};
use opsurge::engine::Control;
use opsurge::engine::plan::Plan;
use opsurge::engine::shard::{Handover, Outcomes};
use opsurge::load::Load;
use opsurge::load::closed::{Closed, Point};
use opsurge::load::open::{Arrivals, Open};
use opsurge::metrics::interval::Interval;
use opsurge::metrics::recorder::Recorder;
use opsurge::sim::Network;
use opsurge_testbed::plans;

const SECOND_NS: u64 = 1_000_000_000;
const ONE_STEP: &str = "name = \"x\"\nwait = \"100ms\"\n[[task]]\nmethod = \"GET\"\npath = \"/\"\n";

/// An order that is given at the end of a second: the second, begin, ramp, level.
type Given = (u64, u64, u64, f64);

/// Runs the shards of a plan one after the other, with the orders; returns the users and the requests of each second.
fn run(plan: &Plan, orders: &[Given]) -> Vec<(u64, u64)> {
    let mut sums = vec![(0, 0); 60];
    for shard in 0..plan.shards {
        let control = Control::default();
        let mut seconds: Vec<(u64, u64)> = Vec::new();
        let on_interval = Box::new(|handover: Handover, recorder: &mut Recorder| {
            let interval = recorder.swap_interval(Interval::new(1));
            seconds.push((interval.users, interval.steps[0].requests));
            // Every shard sees what the first one was told, as the shards of a run do.
            for &(after_s, begin_ns, ramp_ns, level) in orders {
                if shard == 0 && seconds.len() as u64 == after_s && !handover.is_last {
                    control.replace_rest(&plan.load, begin_ns, ramp_ns, level);
                }
            }
        });
        let server = Server::new(|_: &Seen| Answer::new(200, ""));
        let sim = sim_server::sim(plan, shard, server, Network::calm(0), 1);
        let (outcomes, _): (Outcomes, _) =
            sim_server::drive(plan, shard, sim, &control, on_interval);
        check_sums(&outcomes.recorder.counts.steps, 1);
        for (sum, of_shard) in sums.iter_mut().zip(seconds) {
            *sum = (sum.0 + of_shard.0, sum.1 + of_shard.1);
        }
    }
    sums
}

fn plan(load: Load, run_time_s: u64, shards: usize) -> Plan {
    Plan {
        run_time_ns: Some(run_time_s * SECOND_NS),
        shards,
        ..plans::plan(plans::scenario(ONE_STEP), load)
    }
}

#[test]
fn users_go_where_an_order_says_at_once_or_within_its_ramp_and_come_back() {
    for shards in [1, 3] {
        let stages = [
            Point {
                users: 10,
                after_ns: 0,
            },
            Point {
                users: 10,
                after_ns: 8 * SECOND_NS,
            },
            Point {
                users: 50,
                after_ns: 10 * SECOND_NS,
            },
        ];
        let load = Load::Closed(Closed::through(&stages)).replaceable(60.0);
        assert!(load.takes_orders() && !load.is_steered());
        let plan = plan(load, 20, shards);
        let orders = [
            (3, 3_200_000_000, 2 * SECOND_NS, 31.0),
            (9, 9_200_000_000, SECOND_NS, 1.0),
            (14, 14_200_000_000, SECOND_NS, 1_000.0),
        ];
        let seconds = run(&plan, &orders);
        let users: Vec<u64> = seconds.iter().map(|second| second.0).collect();
        assert_eq!(users[2], 10, "{shards}: {users:?}");
        // The stages after 8 s are void.
        assert_eq!(users[5..9], [31; 4], "{shards}: {users:?}");
        assert_eq!(users[10..14], [1; 4], "{shards}: {users:?}");
        assert_eq!(users[15..20], [60; 5], "{shards}: {users:?}");
        // Ten requests a second and user, and each sends one when it comes.
        assert_eq!(
            (seconds[2].1, seconds[7].1, seconds[12].1, seconds[17].1),
            (100, 310, 10, 600),
            "{shards}"
        );
    }
}

#[test]
fn a_load_that_takes_orders_and_gets_none_is_the_load_without_them() {
    let load = || Load::Closed(Closed::at_rate(20, 5.0));
    let fixed = run(&plan(load(), 10, 2), &[]);
    let changeable = run(&plan(load().replaceable(120.0), 10, 2), &[]);
    assert_eq!(fixed, changeable);
}

#[test]
fn a_load_that_began_with_an_order_may_have_no_user_for_a_while() {
    for shards in [1, 3] {
        let load = Load::Closed(Closed::at_rate(1, 1.0)).replaceable(60.0);
        // Without it the shards that have no user at first would be over.
        load.users().replace_rest(1, SECOND_NS, 1);
        let orders = [
            (2, 2_200_000_000, SECOND_NS, 30.0),
            (5, 5_200_000_000, SECOND_NS, 0.0),
            (8, 8_200_000_000, SECOND_NS, 5.0),
        ];
        let seconds = run(&plan(load, 12, shards), &orders);
        let users: Vec<u64> = seconds.iter().map(|second| second.0).collect();
        assert_eq!(
            users[..12],
            [1, 1, users[2], 30, 30, users[5], 0, 0, users[8], 5, 5, 5],
            "{shards}"
        );
    }
}

#[test]
fn a_rate_goes_where_an_order_says_at_once() {
    let open = Open::new(100.0, &[], Arrivals::Constant, 50, 50);
    let load = Load::new(Closed::at_rate(50, 1e6), Some(open)).replaceable(1_000.0);
    // The first arrival is due a second after the start; times count from then.
    let orders = [(5, 5 * SECOND_NS, 0, 300.0), (9, 9 * SECOND_NS, 0, 0.0)];
    let seconds = run(&plan(load, 12, 1), &orders);
    let requests: Vec<u64> = seconds.iter().map(|second| second.1).collect();
    assert_eq!(requests[2..5], [100; 3], "{requests:?}");
    assert_eq!(requests[7..9], [300; 2], "{requests:?}");
    assert_eq!(requests[11..13], [0; 2], "{requests:?}");
}
