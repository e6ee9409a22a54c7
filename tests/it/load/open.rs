//! Open loads on the virtual clock: the schedule is kept to the nanosecond, and response times contain what users would
//! have waited.

use std::collections::HashSet;
use std::path::Path;

use crate::support::background::in_background;
use crate::support::sim_server::{self, Answer, Seen, Server, check_sums};
use opsurge::engine::plan::{Connections, Plan};
use opsurge::engine::shard::Outcomes;
use opsurge::load::Load;
use opsurge::load::closed::Closed;
use opsurge::load::open::{Arrivals, Open, RatePoint};
use opsurge::metrics::latencies::Latencies;
use opsurge::sim::Network;
use opsurge_testbed::plans;
use serde_json::Value;

const SECOND_NS: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;

const ONE_STEP: &str = "name = \"x\"\n[[task]]\nmethod = \"GET\"\npath = \"/\"\n";

fn plan(text: &str, open: Open, run_time_s: u64) -> Plan {
    let scenario = plans::scenario(text);
    let ready = Closed::at_rate(open.users_ready, 1e6);
    let load = Load::new(ready, Some(open));
    Plan {
        run_time_ns: Some(run_time_s * SECOND_NS),
        ..plans::plan(scenario, load)
    }
}

fn constant(rate: f64, users: u64) -> Open {
    Open::new(rate, &[], Arrivals::Constant, users, users)
}

/// Runs all shards one after the other; returns their outcomes, and what the server saw.
fn run_on(
    plan: &Plan,
    network: Network,
    mut answer: impl FnMut(&Seen) -> Answer,
) -> (Vec<Outcomes>, Vec<Seen>) {
    let mut all = Vec::new();
    let mut journal = Vec::new();
    for shard in 0..plan.shards {
        // Each shard is alone in its simulation, so that it does not wait for the others to be ready.
        let server = Server::with_journal(&mut answer);
        let (outcomes, sim) = sim_server::run(plan, shard, server, network, 1);
        check_sums(&outcomes.recorder.counts.steps, 1);
        all.push(outcomes);
        journal.extend(sim.service.journal.unwrap_or_default());
    }
    (all, journal)
}

fn run(plan: &Plan, answer: impl FnMut(&Seen) -> Answer) -> (Outcomes, Vec<Seen>) {
    let (mut outcomes, journal) = run_on(plan, Network::calm(0), answer);
    (outcomes.remove(0), journal)
}

/// A server that takes `service_ns` for each request, `parallel` of them at once, and stalls for the first `stall_ns` of
/// every `every_ns`, counted from the first request.
fn stalling(
    service_ns: u64,
    stall_ns: u64,
    every_ns: u64,
    parallel: usize,
) -> impl FnMut(&Seen) -> Answer {
    let mut free_ns = vec![0u64; parallel.min(10_000)];
    let mut zero_ns = None;
    move |seen| {
        let zero_ns = *zero_ns.get_or_insert(seen.at_ns);
        let at_ns = seen.at_ns - zero_ns;
        let worker = (0..free_ns.len()).min_by_key(|&worker| free_ns[worker]);
        let worker = &mut free_ns[worker.expect("there is one")];
        let mut begin_ns = at_ns.max(*worker);
        if begin_ns % every_ns < stall_ns {
            begin_ns = begin_ns / every_ns * every_ns + stall_ns;
        }
        *worker = begin_ns + service_ns;
        Answer {
            after_ns: *worker - at_ns,
            ..Answer::new(200, "")
        }
    }
}

#[test]
fn response_times_under_stalls_are_what_users_would_have_waited() {
    in_background(check_stalls);
}

fn check_stalls() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/co_ground_truth.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("SKIPPED: {} is not there", path.display());
        return;
    };
    let truth: Value = serde_json::from_str(&text).expect("JSON");
    for name in ["E1", "E2", "E3", "E4", "E5"] {
        let case = &truth[name];
        let number = |key: &str| case["params"][key].as_f64().expect(key);
        let ns = |key: &str| (number(key) * 1e9) as u64;
        let (rate, users) = (number("R"), number("C") as u64);
        let answers = case["intended"]["n"].as_f64().expect("n");
        let plan = plan(ONE_STEP, constant(rate, users), (answers / rate) as u64);
        // A few thousand parallel workers are as good as unlimited: one per request that can be under way.
        let parallel = (number("server_parallel") as usize).min(users as usize);
        let server = stalling(ns("s"), ns("T"), ns("P"), parallel);
        let (outcomes, _) = run(&plan, server);
        let step = &outcomes.recorder.counts.steps[0];
        assert_eq!(
            (step.requests as f64, step.failures),
            (answers, 0),
            "{name}"
        );
        let tolerance_us = |expected: f64| (2.0 * number("s") * 1e6).max(0.01 * expected);
        let check = |what: &str, found: f64, expected_ms: f64| {
            let expected = expected_ms * 1e3;
            let far = (found - expected).abs();
            assert!(
                far <= tolerance_us(expected),
                "{name} {what}: {found} us, not {expected}"
            );
        };
        for (percent, key) in [
            (95.0, "p95"),
            (99.0, "p99"),
            (99.9, "p99.9"),
            (100.0, "p100"),
        ] {
            let of = |which: &str| case[which][key].as_f64().expect(key);
            check(
                &format!("response {key}"),
                step.response.percentile_us(percent),
                of("intended"),
            );
        }
        check(
            "mean",
            step.response.mean_us(),
            case["intended"]["mean"].as_f64().expect("mean"),
        );
        // With few connections a stall hardly shows in the service time: only requests under way see it.
        if name != "E2" {
            let uncorrected = case["formula_uncorrected"]["p95"].as_f64().expect("p95");
            if name != "E3" {
                check("service p95", step.service.percentile_us(95.0), uncorrected);
            }
            assert!(step.service.percentile_us(95.0) < step.response.percentile_us(95.0) / 2.0);
        }
    }
}

#[test]
fn a_stall_of_one_second_in_five_reads_as_the_arithmetic_says() {
    // Connections enough: R has P(R > x) = (T - x) / P (measurement.md).
    let plan = plan(ONE_STEP, constant(1_000.0, 2_000), 25);
    let (outcomes, _) = run(&plan, stalling(0, SECOND_NS, 5 * SECOND_NS, 2_000));
    let response = &outcomes.recorder.counts.steps[0].response;
    assert!(response.percentile_us(50.0) <= 300.0);
    for (percent, ms, tolerance_ms) in [(90.0, 500.0, 5.0), (99.0, 950.0, 5.0), (99.9, 995.0, 5.0)]
    {
        let found_ms = response.percentile_us(percent) / 1e3;
        assert!(
            (found_ms - ms).abs() <= tolerance_ms,
            "p{percent}: {found_ms} ms"
        );
    }
}

#[test]
fn requests_leave_at_their_times_and_blocked_turns_move_none() {
    for arrivals in [Arrivals::Constant, Arrivals::Poisson] {
        let blocked = Network {
            block: 0.01,
            block_ns: 150 * MS,
            ..Network::calm(0)
        };
        let mut due_ns = Vec::new();
        for network in [Network::calm(0), blocked] {
            let open = Open::new(1_000.0, &[], arrivals, 2_000, 2_000);
            let plan = plan(ONE_STEP, open, 10);
            let (outcomes, journal) = run_on(&plan, network, |_| Answer::new(200, ""));
            let counts = outcomes[0].arrivals.expect("an open load");
            let from_ns = outcomes[0].load_from_ns;
            assert_eq!(
                (counts.due, counts.dropped, counts.never_begun),
                (counts.started, 0, 0)
            );
            let step = &outcomes[0].recorder.counts.steps[0];
            if network.block == 0.0 {
                assert_eq!(step.response.max_us(), 0.0);
                due_ns = journal.iter().map(|seen| seen.at_ns - from_ns).collect();
            } else {
                // As many requests as before, each as late as its blocked turn: response times contain that.
                assert_eq!(counts.due as usize, due_ns.len());
                assert!(
                    step.response.max_us() >= 140_000.0,
                    "{}",
                    step.response.max_us()
                );
                let client = step.client.percentile_us(50.0);
                assert!(client > 1_000.0, "{client}");
            }
        }
        if arrivals == Arrivals::Constant {
            assert!(
                due_ns
                    .iter()
                    .copied()
                    .eq((0..10_000).map(|index| index * MS))
            );
        }
    }
}

#[test]
fn the_rate_is_kept_below_seven_tenths_of_the_capacity() {
    for (rate, shards) in [(700.0, 1), (999.0, 3), (5_000.0, 2)] {
        let mut plan = plan(ONE_STEP, constant(rate, 60), 20);
        plan.shards = shards;
        // Each shard has a share of the rate, and here a server of its own.
        let workers = 10;
        let capacity = rate / 0.7 / shards as f64;
        let service_ns = (workers as f64 / capacity * 1e9) as u64;
        let mut requests = 0;
        for shard in 0..shards {
            let server = Server::new(stalling(service_ns, 0, SECOND_NS, workers));
            let (outcomes, _) = sim_server::run(&plan, shard, server, Network::calm(0), 1);
            requests += outcomes.recorder.counts.steps[0].requests;
        }
        let achieved = requests as f64 / 20.0;
        assert!(
            (achieved / rate - 1.0).abs() < 0.001,
            "{achieved} of {rate}"
        );
    }
}

const AGENT: &str = r#"
    name = "agent"
    [variables]
    id = "{{uuid}}"
    [[start]]
    method = "POST"
    path = "/register"
    pause = "1s"
    [[task]]
    method = "GET"
    path = "/{{id}}/first"
    [[task]]
    name = "two"
    [[task.step]]
    method = "GET"
    path = "/{{id}}/a"
    [[task.step]]
    method = "GET"
    path = "/{{id}}/b"
    [[stop]]
    method = "DELETE"
    path = "/{{id}}"
"#;

#[test]
fn users_are_registered_before_the_first_arrival_and_take_turns() {
    let open = Open::new(100.0, &[], Arrivals::Constant, 10, 10);
    let plan = plan(AGENT, open, 10);
    let (outcomes, journal) = run(&plan, |_| Answer {
        after_ns: 5 * MS,
        ..Answer::new(200, "")
    });
    let counts = outcomes.arrivals.expect("an open load");
    let from_ns = outcomes.load_from_ns;
    assert_eq!(
        (counts.due, counts.started, counts.waited),
        (1_000, 1_000, 0)
    );
    assert!(from_ns > SECOND_NS, "they registered and paused first");
    let registered = journal.iter().filter(|seen| seen.path == "/register");
    assert!(registered.clone().all(|seen| seen.at_ns < from_ns));
    assert_eq!(registered.count(), 10);
    let mut by_user = std::collections::HashMap::new();
    for seen in journal
        .iter()
        .filter(|seen| seen.path.ends_with("/first") || seen.path.ends_with("/a"))
    {
        *by_user.entry(seen.path.split('/').nth(1)).or_insert(0u64) += 1;
    }
    assert_eq!(by_user.len(), 10);
    assert!(by_user.values().all(|&passes| passes == 100), "{by_user:?}");
    assert_eq!(
        journal
            .iter()
            .filter(|seen| seen.method == "DELETE")
            .count(),
        10
    );
    // The second step of an iteration is due when the first is over.
    let second = &outcomes.recorder.counts.steps[3];
    assert_eq!(
        (second.client.max_us(), second.response.max_us()),
        (0.0, 5_000.0)
    );
}

#[test]
fn without_a_free_user_more_users_are_prepared_up_to_the_bound_and_waiting_counts() {
    // 100 a second that take 100 ms each need ten users; two are ready, five are allowed.
    let open = Open::new(100.0, &[], Arrivals::Constant, 2, 5);
    let plan = plan(ONE_STEP, open, 10);
    let (outcomes, _) = run(&plan, |_| Answer {
        after_ns: 100 * MS,
        ..Answer::new(200, "")
    });
    let step = &outcomes.recorder.counts.steps[0];
    let counts = outcomes.arrivals.expect("an open load");
    let from_ns = outcomes.load_from_ns;
    assert_eq!(counts.due, 1_000);
    assert_eq!(counts.due, counts.started + counts.never_begun);
    assert!((495..=505).contains(&step.requests), "{}", step.requests);
    assert!((490..=505).contains(&step.never_begun), "{step:?}");
    assert_eq!(
        step.sent, step.requests,
        "what was never begun was not sent"
    );
    assert_eq!(
        step.service.percentile_us(99.0).round(),
        step.service.percentile_us(1.0).round()
    );
    // Half of the due iterations are done: the wait grows by half a second each second.
    assert!(
        (4_700_000.0..5_200_000.0).contains(&step.response.max_us()),
        "{}",
        step.response.max_us()
    );
    assert!(outcomes.lasted_ns < from_ns + 11 * SECOND_NS);
}

#[test]
fn arrivals_that_the_line_cannot_hold_are_dropped_and_counted() {
    let open = Open::new(10_000.0, &[], Arrivals::Constant, 1, 1);
    let mut plan = plan(ONE_STEP, open, 40);
    plan.timeout_ns = SECOND_NS;
    let (outcomes, _) = run(&plan, |_| Answer {
        after_ns: 500 * MS,
        ..Answer::new(200, "")
    });
    let counts = outcomes.arrivals.expect("an open load");
    assert_eq!(counts.due, 400_000);
    assert_eq!(
        counts.due,
        counts.started + counts.never_begun + counts.dropped
    );
    // The arrivals of thirty seconds wait, the rest is dropped.
    assert!((299_999..=300_000).contains(&counts.never_begun));
}

#[test]
fn a_rate_of_stages_is_followed() {
    let points = [(100.0, 5), (300.0, 5), (300.0, 5)].map(|(rate, after_s)| RatePoint {
        rate,
        after_ns: after_s * SECOND_NS,
    });
    let open = Open::new(100.0, &points, Arrivals::Constant, 10, 10);
    let plan = plan(ONE_STEP, open, 15);
    let (outcomes, journal) = run(&plan, |_| Answer::new(200, ""));
    let from_ns = outcomes.load_from_ns;
    let within = |from_s: u64, to_s: u64| {
        let range = from_ns + from_s * SECOND_NS..from_ns + to_s * SECOND_NS;
        journal
            .iter()
            .filter(|seen| range.contains(&seen.at_ns))
            .count()
    };
    assert_eq!(
        (within(0, 5), within(5, 10), within(10, 15)),
        (500, 1_000, 1_500)
    );
}

#[test]
fn every_arrival_is_accounted_for_under_any_network_fault() {
    for seed in 0..40u64 {
        let arrivals = [Arrivals::Constant, Arrivals::Poisson][seed as usize % 2];
        let open = Open::new(200.0, &[], arrivals, 5, 20);
        let mut plan = plan(AGENT, open, 10);
        plan.seed = seed;
        plan.timeout_ns = SECOND_NS;
        if seed % 4 > 1 {
            plan.connections = Connections::Shared {
                count: 1 + seed as usize % 5,
                depth: 1,
            };
        }
        let network = Network {
            jitter_ns: 3 * MS,
            refuse: if seed % 3 == 0 { 0.1 } else { 0.0 },
            reset: if seed % 5 == 0 { 0.05 } else { 0.0 },
            lose: if seed % 7 == 0 { 0.02 } else { 0.0 },
            block: if seed % 6 == 0 { 0.01 } else { 0.0 },
            block_ns: 150 * MS,
            split_reads: 0.2,
            stale: 0.5,
            ..Network::calm(20_000)
        };
        println!("seed {seed}");
        let (outcomes, _) = run_on(&plan, network, |_| Answer::new(200, ""));
        let counts = outcomes[0].arrivals.expect("an open load");
        assert_eq!(
            counts.due,
            counts.started + counts.never_begun + counts.dropped,
            "seed {seed}"
        );
        assert!(
            (1_850..=2_150).contains(&counts.due),
            "seed {seed}: {counts:?}"
        );
        assert!(
            outcomes[0].lasted_ns <= 16 * SECOND_NS,
            "seed {seed}: {}",
            outcomes[0].lasted_ns
        );
    }
}

/// The 99th percentile of the response times of all shards, in ms.
fn p99_ms(all: &[Outcomes]) -> f64 {
    let mut response = Latencies::default();
    for outcomes in all {
        response += &outcomes.recorder.counts.steps[0].response;
    }
    response.percentile_us(99.0) / 1e3
}

#[test]
fn users_connections_and_arrivals_that_do_not_divide_by_the_shards_starve_no_shard() {
    // (rate, users, connections): two shards have to carry what one shard carries easily.
    for (rate, users, connections) in [
        (110.0, 3, Connections::PerUser),
        (110.0, 30, Connections::Shared { count: 3, depth: 1 }),
        (200.0, 5, Connections::PerUser),
    ] {
        let mut plan = plan(ONE_STEP, constant(rate, users), 20);
        plan.connections = connections;
        let answer = |_: &Seen| Answer {
            after_ns: 20 * MS,
            ..Answer::new(200, "")
        };
        let one = p99_ms(&run_on(&plan, Network::calm(0), answer).0);
        for shards in [2, 3] {
            plan.shards = shards;
            let (all, journal) = run_on(&plan, Network::calm(0), answer);
            assert_eq!(
                journal.len(),
                20 * rate as usize,
                "every arrival was served"
            );
            let many = p99_ms(&all);
            assert!(many <= one + 21.0, "{plan:?}: {one} ms, {many} ms");
        }
    }
}

#[test]
fn users_that_leave_on_failure_are_replaced_and_the_rate_holds() {
    let text = "name = \"x\"\n[variables]\nid = \"{{uuid}}\"\n[[start]]\nmethod = \"POST\"\npath = \"/in\"\non_failure = \"stop\"\n\
        [[task]]\nmethod = \"GET\"\npath = \"/{{id}}\"\non_failure = \"stop\"\n";
    let plan = plan(text, constant(100.0, 10), 20);
    let mut served = 0;
    let (outcomes, journal) = run(&plan, |seen| {
        served += u64::from(seen.method == "GET");
        let fails = seen.method == "GET" && served % 10 == 0;
        Answer::new(if fails { 500 } else { 200 }, "")
    });
    let counts = outcomes.arrivals.expect("an open load");
    assert_eq!((counts.due, counts.started), (2_000, 2_000));
    let [start, task] = &outcomes.recorder.counts.steps[..] else {
        panic!("two steps");
    };
    assert_eq!((task.requests, task.failures), (2_000, 200));
    assert_eq!(outcomes.users_left, 200);
    assert!((200..=210).contains(&start.requests), "{}", start.requests);
    let paths: HashSet<&str> = journal.iter().map(|seen| seen.path.as_str()).collect();
    assert!(paths.len() > 200, "those who come are other users");
}

#[test]
fn users_that_fail_before_they_are_ready_come_again_after_a_second_and_not_at_once() {
    let text = "name = \"x\"\n[[start]]\nmethod = \"POST\"\npath = \"/in\"\non_failure = \"stop\"\n\
        [[task]]\nmethod = \"GET\"\npath = \"/\"\n";
    let plan = plan(text, constant(100.0, 10), 20);
    let (outcomes, journal) = run(&plan, |_| Answer::new(500, ""));
    let counts = outcomes.arrivals.expect("an open load");
    assert_eq!((counts.started, counts.never_begun), (0, counts.due));
    // Ten users, once a second each, from the start to the end.
    assert!((180..=240).contains(&journal.len()), "{}", journal.len());
}
