//! Whole runs over TLS in the simulation: the same counts as in plain text, and the invariants with every fault.

use crate::support::background::in_background;
use crate::support::checked_driver::CheckedDriver;
use crate::support::ops_core::OpsCore;
use crate::support::sim_server::{Answer, Answers, Framing, Seen, Server, check_sums, drive, run};
use crate::support::tls_service::{TlsService, both};
use opsurge::engine::plan::{Connections, Plan};
use opsurge::engine::shard::Outcomes;
use opsurge::engine::{Control, driver_config};
use opsurge::io::{ConnectionId, Sockets};
use opsurge::load::closed::Closed;
use opsurge::metrics::outcome::Failure;
use opsurge::scenario::builtin::builtin;
use opsurge::scenario::format::compile::Context;
use opsurge::scenario::wait::Wait;
use opsurge::sim::{Network, Reply, Service, Sim};
use opsurge::wire::{Tls, TlsClient, Version};
use opsurge_testbed::plans;

const SECOND_NS: u64 = 1_000_000_000;

/// Runs a plan over TLS, with the driver's contract checked in every turn.
fn run_encrypted<A: Answers>(
    plan: &Plan,
    client: &TlsClient,
    service: TlsService<Server<A>>,
    network: Network,
    seed: u64,
) -> (Outcomes, Tls<Sim<TlsService<Server<A>>>>) {
    let config = driver_config(plan, &Sockets::default(), 0);
    let build = |below: &_| Ok(Sim::new(below, service, network, seed));
    let driver = Tls::over(&config, client, build).expect("a simulation is always there");
    let control = Control::default();
    let driver = CheckedDriver::new(driver, config.slots, &control, Vec::new());
    let ignore_intervals = Box::new(|_, _: &mut _| {});
    let (outcomes, driver) = drive(plan, 0, driver, &control, ignore_intervals);
    let driver = driver.inner;
    assert_eq!(
        driver.below().buffers_out(),
        0,
        "seed {seed}: a buffer was not released"
    );
    (outcomes, driver)
}

fn workflow(users: u64, run_time_s: u64) -> Plan {
    let context = Context {
        wait: Some(Wait::parse("1s").expect("a wait")),
        ..Context::plain()
    };
    let text = builtin("workflow").expect("it is built in").text;
    Plan {
        run_time_ns: Some(run_time_s * SECOND_NS),
        ..plans::plan(
            plans::scenario_with(text, &context),
            Closed::at_rate(users, 100.0),
        )
    }
}

fn one_step(step: &str, users: u64) -> Plan {
    let text = format!("name = \"x\"\nwait = \"0\"\n[[task]]\n{step}\nname = \"one\"");
    Plan {
        timeout_ns: 2 * SECOND_NS,
        ..plans::plan(
            plans::scenario(&text),
            Closed::at_rate(users, 1e9).with_iterations(Some(100)),
        )
    }
}

fn counts(outcomes: &Outcomes) -> Vec<(u64, u64, u64)> {
    let steps = outcomes.recorder.counts.steps.iter();
    steps
        .map(|step| (step.sent, step.requests, step.failures))
        .collect()
}

fn failures(outcomes: &Outcomes) -> Vec<Failure> {
    let steps = outcomes.recorder.counts.steps.iter();
    steps
        .flat_map(|step| &step.errors)
        .map(|error| error.failure)
        .collect()
}

#[test]
fn a_run_over_tls_has_the_counts_of_one_in_plain_text() {
    for version in [Version::Tls12, Version::Tls13] {
        for connections in [
            Connections::PerUser,
            Connections::Shared { count: 5, depth: 1 },
            Connections::Shared { count: 5, depth: 4 },
        ] {
            let mut plan = workflow(50, 20);
            plan.connections = connections;
            let service = || Server::new(OpsCore::new(2, 1_000_000));
            let network = Network::calm(0);
            let (plain, _) = run(&plan, 0, service(), network, 1);
            let (server, client) = both(version, true);
            let service = TlsService::new(service(), server);
            let (encrypted, driver) = run_encrypted(&plan, &client, service, network, 1);
            assert_eq!(
                counts(&encrypted),
                counts(&plain),
                "{version:?} {connections:?}"
            );
            assert_eq!(failures(&encrypted), []);
            let complaints = &driver.below().service.service.answers.complaints;
            assert!(complaints.is_empty(), "{complaints:?}");
        }
    }
}

#[test]
fn keys_may_change_with_every_answer() {
    let plan = workflow(5, 10);
    let (server, client) = both(Version::Tls13, true);
    let mut service = TlsService::new(Server::new(OpsCore::new(0, 0)), server);
    service.changes_keys = true;
    let pieces = Network {
        split_reads: 0.9,
        split_writes: 0.5,
        jitter_ns: 1_000_000,
        ..Network::calm(1_000_000)
    };
    let (outcomes, _) = run_encrypted(&plan, &client, service, pieces, 3);
    assert_eq!(failures(&outcomes), []);
    assert!(counts(&outcomes)[2].1 > 20, "{:?}", counts(&outcomes));
}

/// A body that fits no send buffer goes out in parts, to a server that gets them in pieces.
#[test]
fn a_large_body_arrives_unchanged() {
    let letters = (0..300_000u32).map(|n| char::from(b'a' + (n % 23) as u8));
    let body: String = letters.collect();
    let step = format!("method = \"POST\"\npath = \"/\"\ntext = \"{body}{{{{uuid}}}}\"");
    for (split_writes, depth) in [(0.0, 1), (0.9, 1), (0.9, 3)] {
        let plan = Plan {
            connections: Connections::Shared { count: 1, depth },
            ..one_step(&step, 3)
        };
        let expected = body.clone();
        let answers = move |seen: &Seen| {
            assert!(seen.body.starts_with(&expected) && seen.body.len() == expected.len() + 36);
            Answer::new(200, "taken")
        };
        let network = Network {
            split_writes,
            jitter_ns: 100_000,
            ..Network::calm(10_000)
        };
        let (server, client) = both(Version::Tls13, true);
        let service = TlsService::new(Server::new(answers), server);
        let (outcomes, _) = run_encrypted(&plan, &client, service, network, 5);
        assert_eq!(counts(&outcomes), [(100, 100, 0)]);
    }
}

/// The answer to a change of keys goes between the parts of a request, and the rest is encrypted with the new ones.
#[test]
fn keys_may_change_while_a_request_is_being_sent() {
    let body = "k".repeat(300_000);
    let step = format!("method = \"POST\"\npath = \"/\"\ntext = \"{body}{{{{uuid}}}}\"");
    for (seed, split_writes) in [(1, 0.0), (2, 0.9), (3, 0.9)] {
        let mut plan = one_step(&step, 1);
        plan.load = Closed::at_rate(1, 1e9).with_iterations(Some(4)).into();
        let answers = |seen: &Seen| {
            assert_eq!(seen.body.len(), 300_036);
            assert!(seen.body[..300_000].bytes().all(|byte| byte == b'k'));
            Answer::new(200, "taken")
        };
        let network = Network {
            split_writes,
            split_reads: 0.5,
            jitter_ns: 100_000,
            ..Network::calm(10_000)
        };
        let (server, client) = both(Version::Tls13, true);
        let mut service = TlsService::new(Server::new(answers), server);
        service.changes_within_requests = 24;
        let (outcomes, driver) = run_encrypted(&plan, &client, service, network, seed);
        assert_eq!(counts(&outcomes), [(4, 4, 0)]);
        let left = driver.below().service.changes_within_requests;
        assert!(left < 20, "{left} of 24 changes did not happen");
    }
}

#[test]
fn a_body_until_close_is_whole_only_if_its_end_is_announced() {
    for (announces, kinds) in [(true, vec![]), (false, vec![Failure::Incomplete])] {
        let plan = one_step("method = \"GET\"\npath = \"/\"", 2);
        let (server, client) = both(Version::Tls13, true);
        let answers = |_: &Seen| Answer {
            framing: Framing::UntilClose,
            ..Answer::new(200, "a body without a length")
        };
        let mut service = TlsService::new(Server::new(answers), server);
        service.announces_end = announces;
        let (outcomes, _) = run_encrypted(&plan, &client, service, Network::calm(1_000), 1);
        assert_eq!(failures(&outcomes), kinds);
        assert_eq!(counts(&outcomes)[0].1, 100);
    }
}

/// A server that answers whatever comes with the same bytes, or not at all.
struct Parrot(&'static [u8]);

impl Service for Parrot {
    fn on_connect(&mut self, _: ConnectionId, _: u64) {}

    fn on_bytes(&mut self, _: ConnectionId, _: &[u8], _: u64, replies: &mut Vec<Reply>) {
        if !self.0.is_empty() {
            replies.push(Reply::Bytes(0, self.0.to_vec()));
        }
    }

    fn on_close(&mut self, _: ConnectionId) {}
}

#[test]
fn a_server_that_does_no_handshake_fails_by_what_it_does_instead() {
    for (bytes, expected) in [
        (&b""[..], Failure::TlsTimeout),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Failure::TlsProtocol),
        // A fatal alert: internal_error.
        (b"\x15\x03\x03\0\x02\x02\x50", Failure::TlsAlert),
    ] {
        let plan = Plan {
            run_time_ns: Some(5 * SECOND_NS),
            ..one_step("method = \"GET\"\npath = \"/\"", 2)
        };
        let (_, client) = both(Version::Tls13, true);
        let config = driver_config(&plan, &Sockets::default(), 0);
        let network = Network::calm(1_000);
        let build = |below: &_| Ok(Sim::new(below, Parrot(bytes), network, 1));
        let driver = Tls::over(&config, &client, build).expect("a simulation is always there");
        let ignore_intervals = Box::new(|_, _: &mut _| {});
        let (outcomes, _) = drive(&plan, 0, driver, &Control::default(), ignore_intervals);
        assert_eq!(failures(&outcomes), [expected]);
    }
}

#[test]
fn no_fault_of_the_network_loses_a_request_or_a_buffer() {
    in_background(|| {
        for seed in 0..24 {
            let mut plan = workflow(12, 30);
            plan.timeout_ns = 2 * SECOND_NS;
            plan.connections = match seed % 3 {
                0 => Connections::PerUser,
                1 => Connections::Shared { count: 3, depth: 1 },
                _ => Connections::Shared { count: 3, depth: 4 },
            };
            let version = if seed % 2 == 0 {
                Version::Tls13
            } else {
                Version::Tls12
            };
            let (server, client) = both(version, seed % 5 != 0);
            let mut service = TlsService::new(Server::new(OpsCore::new(1, 0)), server);
            service.changes_keys = seed % 7 == 0;
            let network = Network::troubled(seed);
            let (outcomes, _) = run_encrypted(&plan, &client, service, network, seed);
            check_sums(&outcomes.recorder.counts.steps, seed);
        }
    });
}
