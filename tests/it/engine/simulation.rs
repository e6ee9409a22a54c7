//! Whole runs over the simulated network: exact counts without faults, invariants with many.

use crate::support::background::in_background;
use crate::support::ops_core::OpsCore;
use crate::support::sim_server::{self, Answer, Server, check_sums};
use opsurge::engine::plan::{Connections, Plan};
use opsurge::engine::shard::{Handover, Outcomes};
use opsurge::engine::{Control, Ended};
use opsurge::load::closed::Closed;
use opsurge::metrics::interval::Interval;
use opsurge::metrics::recorder::Recorder;
use opsurge::scenario::builtin::builtin;
use opsurge::scenario::format::compile::Context;
use opsurge::scenario::model::Scenario;
use opsurge::scenario::wait::Wait;
use opsurge::sim::{Network, Sim};
use opsurge_testbed::plans;

const SECOND_NS: u64 = 1_000_000_000;
const WORKFLOW: usize = 2;

fn workflow(wait: &str) -> Scenario {
    let context = Context {
        wait: Some(Wait::parse(wait).expect("a wait")),
        ..Context::plain()
    };
    let text = builtin("workflow").expect("it is built in").text;
    plans::scenario_with(text, &context)
}

fn plan(users: u64, wait: &str, run_time_s: u64) -> Plan {
    Plan {
        run_time_ns: Some(run_time_s * SECOND_NS),
        ..plans::plan(workflow(wait), Closed::at_rate(users, 100.0))
    }
}

fn run(
    plan: &Plan,
    service: OpsCore,
    network: Network,
    seed: u64,
) -> (Outcomes, Sim<Server<OpsCore>>) {
    sim_server::run(plan, 0, Server::new(service), network, seed)
}

#[test]
fn ten_thousand_users_for_eighteen_minutes_do_what_the_plan_implies() {
    in_background(check_ten_thousand_users);
}

fn check_ten_thousand_users() {
    let (users, run_time_s, wait_s) = (10_000, 18 * 60, 45);
    let plan = plan(users, "45s", run_time_s);
    let (outcomes, sim) = run(&plan, OpsCore::new(2, 0), Network::calm(0), 1);
    let steps = &outcomes.recorder.counts.steps;
    check_sums(steps, 1);
    // User n comes at n / 100 s, registers, polls 1, 2 and 3 s later, then works every 45 s until the end.
    let mut expected = [0u64; 3];
    for user in 0..users {
        let came_ns = user * SECOND_NS / 100;
        let left =
            |from_s: u64| (run_time_s * SECOND_NS).checked_sub(came_ns + from_s * SECOND_NS + 1);
        expected[0] += u64::from(left(0).is_some());
        expected[1] += (1..=3).filter(|&at_s| left(at_s).is_some()).count() as u64;
        expected[2] += left(3).map_or(0, |left_ns| 1 + left_ns / (wait_s * SECOND_NS));
    }
    for (step, expected) in steps.iter().zip(expected) {
        assert_eq!(
            (step.requests, step.failures, step.cut_off),
            (expected, 0, 0)
        );
    }
    let server = &sim.service.answers;
    assert_eq!(server.count("notify", 200), steps[0].statuses[200]);
    assert_eq!(server.count("state", 404), steps[1].statuses[404]);
    assert_eq!(server.count("state", 200), steps[1].statuses[200]);
    assert_eq!(server.count("workflow", 202), steps[WORKFLOW].statuses[202]);
    assert_eq!(steps[1].ready.count(), users);
    assert!(server.complaints.is_empty(), "{:?}", server.complaints);
}

#[test]
fn poll_is_retried_until_the_agent_answers_200() {
    let plan = plan(1, "1000s", 60);
    let (outcomes, sim) = run(&plan, OpsCore::new(5, 0), Network::calm(1_000_000), 1);
    let poll = &outcomes.recorder.counts.steps[1];
    assert_eq!(
        (poll.statuses[404], poll.statuses[200], poll.failures),
        (4, 2, 0)
    );
    assert_eq!((poll.ready.count(), poll.gave_up), (1, 0));
    // Five intervals of a second and one round trip.
    assert_eq!(poll.ready.max_us(), 5_002_000.0);
    assert_eq!(sim.service.answers.count("workflow", 202), 1);
}

#[test]
fn a_poll_gives_up_after_exactly_fifteen_seconds_and_the_user_goes_on() {
    let plan = plan(1, "1000s", 60);
    let (outcomes, sim) = run(&plan, OpsCore::new(u32::MAX, 0), Network::calm(0), 1);
    let poll = &outcomes.recorder.counts.steps[1];
    assert_eq!(
        (poll.requests, poll.gave_up, poll.ready.count()),
        (15, 1, 0)
    );
    assert_eq!(sim.service.answers.count("workflow", 202), 1);
    // Registered at 0, polled from 1 s on, gave up at 16 s: the workflow's answer is the last outcome.
    assert_eq!(outcomes.last_done_ns, 16 * SECOND_NS);
}

#[test]
fn a_shared_pool_makes_users_wait_and_counts_them() {
    let mut plan = plan(50, "0", 10);
    plan.connections = Connections::Shared { count: 5, depth: 1 };
    let (outcomes, _) = run(&plan, OpsCore::new(0, 1_000_000), Network::calm(0), 1);
    let work = &outcomes.recorder.counts.steps[WORKFLOW];
    check_sums(&outcomes.recorder.counts.steps, 1);
    // Five connections, each busy a millisecond per request: 5,000 a second, and each user waits its turn of ten.
    assert!(work.requests > 35_000, "{}", work.requests);
    assert!((9_000.0..=10_100.0).contains(&work.response.percentile_us(50.0)));
    assert!((950.0..=1_050.0).contains(&work.service.percentile_us(50.0)));
    assert!(outcomes.waited_in_line > 30_000);
    assert_eq!(outcomes.recorder.counts.connects.count(), 5);
}

#[test]
fn the_time_limit_covers_the_waiting_line_too() {
    let mut plan = plan(4, "0", 30);
    plan.connections = Connections::Shared { count: 1, depth: 1 };
    plan.timeout_ns = 2 * SECOND_NS;
    // One connection, 1.5 s a request: a user that waited for it has half a second left.
    let (outcomes, _) = run(
        &plan,
        OpsCore::new(0, 3 * SECOND_NS / 2),
        Network::calm(0),
        1,
    );
    let steps = &outcomes.recorder.counts.steps;
    check_sums(steps, 1);
    for step in steps {
        assert!(
            step.response.max_us() <= 2_000_000.0,
            "{}",
            step.response.max_us()
        );
        assert!(
            step.failed.max_us() <= 2_000_000.0,
            "{}",
            step.failed.max_us()
        );
    }
    let kinds: Vec<&str> = steps
        .iter()
        .flat_map(|s| &s.errors)
        .map(|e| e.failure.name())
        .collect();
    assert!(kinds.contains(&"timeout"), "{kinds:?}");
}

#[test]
fn iterations_bound_a_run_and_share_out_evenly() {
    let mut plan = plan(50, "0", 3_600);
    plan.load = plan.load.users().clone().with_iterations(Some(120)).into();
    let (outcomes, sim) = run(&plan, OpsCore::new(0, 0), Network::calm(1_000), 1);
    assert_eq!(outcomes.ended, Ended::AllUsersLeft);
    assert_eq!(sim.service.answers.count("workflow", 202), 120);
    assert_eq!(sim.service.answers.agents.len(), 50);
}

#[test]
fn requests_without_an_answer_end_at_their_time_limit() {
    let mut plan = plan(10, "0", 20);
    plan.timeout_ns = 2 * SECOND_NS;
    let lossy = Network {
        lose: 1.0,
        ..Network::calm(1_000)
    };
    let (outcomes, _) = run(&plan, OpsCore::new(0, 0), lossy, 1);
    let steps = &outcomes.recorder.counts.steps;
    check_sums(steps, 1);
    assert!(steps.iter().all(|step| step.requests == step.failures));
    for error in steps.iter().flat_map(|step| &step.errors) {
        assert_eq!(error.failure.name(), "timeout");
    }
    assert!(steps[0].failed.min_us() >= 2_000_000.0);
    // Each of them, not only a connection's first: ten users, one every two to three seconds for twenty.
    let requests: u64 = steps.iter().map(|step| step.requests).sum();
    assert!((70..=100).contains(&requests), "{requests}");
    assert!(outcomes.lasted_ns <= 22 * SECOND_NS);
}

#[test]
fn a_late_answer_is_never_matched_to_the_next_request() {
    let mut plan = plan(5, "0", 30);
    plan.timeout_ns = 2 * SECOND_NS;
    // Every answer comes half a second after its request was given up, when its slot carries the next one.
    let late = Network {
        stale: 1.0,
        ..Network::calm(1_000)
    };
    let (outcomes, sim) = run(&plan, OpsCore::new(0, 5 * SECOND_NS / 2), late, 1);
    let steps = &outcomes.recorder.counts.steps;
    check_sums(steps, 1);
    assert!(
        sim.service.answers.count("workflow", 202) > 10,
        "the server did answer"
    );
    for step in steps {
        assert_eq!(
            step.requests, step.failures,
            "an answer was matched to another request"
        );
    }
}

#[test]
fn refused_connections_are_counted_and_opened_again_with_pauses() {
    let plan = plan(20, "0", 30);
    let refusing = Network {
        refuse: 1.0,
        ..Network::calm(1_000)
    };
    let (outcomes, _) = run(&plan, OpsCore::new(0, 0), refusing, 1);
    let steps = &outcomes.recorder.counts.steps;
    check_sums(steps, 1);
    let refused: u64 = steps
        .iter()
        .flat_map(|step| &step.errors)
        .map(|error| error.count)
        .sum();
    // At most about four attempts a second and user, and some.
    assert!((20 * 30..20 * 30 * 6).contains(&refused), "{refused}");
    assert!(
        outcomes.turns < 100_000,
        "{} turns: a busy loop",
        outcomes.turns
    );
}

/// All users come at once to one connection whose server never answers; their steps have time limits of 1, 2 and 5 s.
#[test]
fn eighty_thousand_users_in_the_line_each_leave_it_at_their_own_time_limit() {
    let limits_s = [1, 5, 2];
    let task = |limit_s| {
        format!("[[task]]\nmethod = \"GET\"\npath = \"/{limit_s}\"\ntimeout = \"{limit_s}s\"\n")
    };
    let text = format!("name = \"line\"\n{}", limits_s.map(task).concat());
    let context = Context {
        wait: Some(Wait::parse("1000s").expect("a wait")),
        ..Context::plain()
    };
    let users = 80_000;
    let plan = Plan {
        scenario: plans::scenario_with(&text, &context),
        load: Closed::at_rate(users, 1e15).into(),
        connections: Connections::Shared { count: 1, depth: 1 },
        ..plan(users, "0", 8)
    };
    let never = OpsCore::new(0, 1_000 * SECOND_NS);
    let (outcomes, _) = run(&plan, never, Network::calm(0), 1);
    let steps = &outcomes.recorder.counts.steps;
    check_sums(steps, 1);
    let mut waited = 0;
    for (step, limit_s) in steps.iter().zip(limits_s) {
        assert!(step.requests > users / 4 && step.failures == step.requests);
        let limit_us = f64::from(limit_s) * 1e6;
        assert_eq!(step.failed.min_us(), limit_us);
        assert!(
            step.failed.max_us() <= limit_us + 10_000.0,
            "{} us, not {limit_us}",
            step.failed.max_us()
        );
        let in_line = step.errors.iter();
        let in_line = in_line.filter(|error| error.failure.name() == "wait-timeout");
        waited += in_line.map(|error| error.count).sum::<u64>();
    }
    // Every user except those that had the connection at their time limit.
    assert!(users - waited <= 3, "{waited}");
    assert_eq!(outcomes.waited_in_line, users - 1);
}

/// Two requests that hang do not change the rate of the others.
#[test]
fn requests_that_hang_change_no_rate_and_are_waited_for_as_long_as_documented() {
    let text = "name = \"x\"\nwait = \"100ms\"\n[[task]]\nmethod = \"GET\"\npath = \"/\"\n";
    // The slowest answer, the drain that is given, and the actual drain.
    for (slowest_s, given_s, drain_s) in
        [(0, None, 5), (2, None, 6), (0, Some(1), 1), (12, None, 36)]
    {
        let mut plan = plan(10, "0", 20);
        plan.scenario = plans::scenario(text);
        plan.drain_ns = given_s.map(|s| s * SECOND_NS);
        plan.timeout_ns = 60 * SECOND_NS;
        let mut answered = 0;
        let server = Server::new(|seen: &sim_server::Seen| {
            answered += 1;
            Answer {
                after_ns: match answered {
                    1 => slowest_s * SECOND_NS,
                    // Some of the last second's requests hang.
                    _ if seen.at_ns > 19 * SECOND_NS && answered % 40 == 0 => 1_000 * SECOND_NS,
                    _ => 0,
                },
                ..Answer::new(200, "")
            }
        });
        let (outcomes, _) = sim_server::run(&plan, 0, server, Network::calm(0), 1);
        let step = &outcomes.recorder.counts.steps[0];
        check_sums(std::slice::from_ref(step), 1);
        let hung = step.unanswered();
        assert!((1..=4).contains(&hung), "{hung}");
        assert_eq!((step.failures, step.cut_off), (hung, 0));
        assert_eq!(
            step.in_load.requests,
            step.requests - hung,
            "none of the drain's"
        );
        assert_eq!(outcomes.load_to_ns, 20 * SECOND_NS);
        assert_eq!(outcomes.lasted_ns, (20 + drain_s) * SECOND_NS);
        assert_eq!(outcomes.open_at_load_end as u64, hung);
        assert_eq!(step.bound_min_ns, step.failed.exact_ns().1);
    }
}

/// A request without an answer has ended: in the last interval it is a failure, and not open as well.
#[test]
fn an_unanswered_request_is_not_open_as_well() {
    let plan = plan(10, "0", 5);
    let lossy = Network {
        lose: 1.0,
        ..Network::calm(1_000)
    };
    let server = Server::new(OpsCore::new(0, 0));
    let sim = sim_server::sim(&plan, 0, server, lossy, 1);
    let mut last = None;
    let on_interval = Box::new(|handover: Handover, recorder: &mut Recorder| {
        let interval = recorder.swap_interval(Interval::new(3));
        if handover.is_last {
            last = Some(interval);
        }
    });
    sim_server::drive(&plan, 0, sim, &Control::default(), on_interval);
    let last = last.expect("a last interval");
    assert_eq!((last.steps[0].failures, last.in_flight), (10, 0));
    assert!(last.steps.iter().all(|step| step.open.is_empty()));
}
