//! The response streams of other projects' test suites (`../shared/http_cases`) through TLS, in the simulation: the same
//! outcome as in plain text, except where the end of the connection is the end of the body and was not announced.

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use opsurge::engine::shard::Outcomes;
use opsurge::engine::{Control, driver_config};
use opsurge::io::{ConnectionId, Driver, Sockets};
use opsurge::load::closed::Closed;
use opsurge::metrics::outcome::Failure;
use opsurge::scenario::format::compile::Context;
use opsurge::sim::{Network, Reply, Service, Sim};
use opsurge::wire::{Tls, TlsClient, Version};
use opsurge_testbed::plans;
use rustls::ServerConfig;
use serde_json::Value;

use crate::support::background::in_background;
use crate::support::sim_server::drive;
use crate::support::tls_service::{TlsService, both};

const SECOND_NS: u64 = 1_000_000_000;

/// Answers every request with the same bytes.
struct Replay<'c> {
    bytes: &'c [u8],
    /// The connection ends with them.
    closes: bool,
}

impl Service for Replay<'_> {
    fn on_connect(&mut self, _: ConnectionId, _: u64) {}

    fn on_bytes(&mut self, _: ConnectionId, _: &[u8], _: u64, replies: &mut Vec<Reply>) {
        if !self.bytes.is_empty() {
            replies.push(Reply::Bytes(0, self.bytes.to_vec()));
        }
        if self.closes {
            replies.push(Reply::Close(0));
        }
    }

    fn on_close(&mut self, _: ConnectionId) {}
}

/// What a run made of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    /// Statuses of the answers that counted as answers, with their numbers.
    statuses: Vec<(usize, u64)>,
    body_bytes: u64,
    failures: Vec<(Failure, u64)>,
    /// Whether the second request found the connection of the first.
    connections: u64,
}

impl Outcome {
    fn of(outcomes: &Outcomes) -> Self {
        let step = &outcomes.recorder.counts.steps[0];
        let statuses = step.statuses.iter().copied().enumerate();
        let failures = step.errors.iter().map(|it| (it.failure, it.count));
        Self {
            statuses: statuses.filter(|(_, count)| *count > 0).collect(),
            body_bytes: step.body_bytes,
            failures: failures.collect(),
            connections: outcomes.recorder.counts.connects.count(),
        }
    }

    /// The only request failed because the connection ended too early.
    fn is_cut(&self) -> bool {
        let ends = [
            Failure::ClosedBeforeHead,
            Failure::ClosedInHead,
            Failure::Incomplete,
        ];
        matches!(self.failures[..], [(failure, 1)] if ends.contains(&failure))
    }

    /// It ended by its time limit: without the end of the connection it is not whole.
    fn needs_the_end(&self) -> bool {
        self.failures.iter().any(|it| it.0 == Failure::Timeout)
    }
}

/// A case: its bytes, and the method that they answer.
struct Case {
    name: String,
    method: String,
    bytes: Vec<u8>,
}

fn cases() -> Option<Vec<Case>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/http_cases/cases.jsonl");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("SKIPPED: there is no {}", path.display());
        return None;
    };
    let cases = text.lines().map(|line| {
        let json: Value = serde_json::from_str(line).expect("each line is a case in JSON");
        let text = |name: &str| json[name].as_str().expect("a text").to_owned();
        Case {
            name: text("name"),
            method: text("request_method"),
            bytes: STANDARD.decode(text("raw_b64")).expect("it is base64"),
        }
    });
    Some(cases.collect())
}

/// How the connection ends that a case comes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// By a FIN, announced where it is encrypted.
    Announced,
    /// By a FIN alone.
    Truncated,
    /// It stays open, and a second request follows.
    None,
}

impl Case {
    fn run<D: Driver>(
        &self,
        end: End,
        driver: impl FnOnce(&opsurge::io::DriverConfig) -> D,
    ) -> Outcome {
        let text = format!(
            "name = \"x\"\nwait = \"0\"\n[[task]]\nname = \"one\"\nmethod = \"{}\"\npath = \"/\"",
            self.method
        );
        let context = Context {
            any_method: true,
            ..Context::plain()
        };
        let requests = if end == End::None { 2 } else { 1 };
        let load = Closed::at_rate(1, 1e9).with_iterations(Some(requests));
        let mut plan = plans::plan(plans::scenario_with(&text, &context), load);
        plan.timeout_ns = 2 * SECOND_NS;
        let driver = driver(&driver_config(&plan, &Sockets::default(), 0));
        let ignore_intervals = Box::new(|_, _: &mut _| {});
        let (outcomes, _) = drive(&plan, 0, driver, &Control::default(), ignore_intervals);
        Outcome::of(&outcomes)
    }

    fn service(&self, end: End) -> Replay<'_> {
        Replay {
            bytes: &self.bytes,
            closes: end != End::None,
        }
    }

    fn plain(&self, end: End) -> Outcome {
        self.run(end, |config| {
            Sim::new(config, self.service(end), Network::calm(1_000), 1)
        })
    }

    /// Through TLS, in pieces that the seed draws.
    fn encrypted(
        &self,
        end: End,
        server: &Arc<ServerConfig>,
        client: &TlsClient,
        seed: u64,
    ) -> Outcome {
        let mut service = TlsService::new(self.service(end), server.clone());
        service.announces_end = end == End::Announced;
        let network = Network {
            split_reads: 0.7,
            jitter_ns: 10_000,
            ..Network::calm(1_000)
        };
        self.run(end, |config| {
            let build = |below: &_| Ok(Sim::new(below, service, network, seed));
            Tls::over(config, client, build).expect("a simulation is always there")
        })
    }
}

/// What is not as in plain text. Handshakes take most of the time: every end is tried only where it may matter, and with
/// every fourth case.
fn complaints(
    case: &Case,
    server: &Arc<ServerConfig>,
    client: &TlsClient,
    seed: u64,
) -> Vec<String> {
    let encrypted = |end| case.encrypted(end, server, client, seed);
    let (plain, open) = (case.plain(End::Announced), case.plain(End::None));
    let announced = encrypted(End::Announced);
    let mut complaints = Vec::new();
    let mut demand = |holds: bool, text: String| {
        if !holds {
            complaints.push(format!("{}: {text}", case.name));
        }
    };
    demand(
        announced == plain,
        format!("{announced:?}, plain {plain:?}"),
    );
    if seed % 4 == 1 {
        let kept = encrypted(End::None);
        demand(kept == open, format!("left open: {kept:?}, plain {open:?}"));
    }
    if open.needs_the_end() {
        let truncated = encrypted(End::Truncated);
        demand(truncated.is_cut(), format!("truncated: {truncated:?}"));
    } else if seed % 4 == 2 {
        let truncated = encrypted(End::Truncated);
        demand(
            truncated == plain,
            format!("truncated: {truncated:?}, plain {plain:?}"),
        );
    }
    complaints
}

#[test]
fn cases_of_other_projects_have_the_same_outcome_through_tls() {
    in_background(|| {
        let Some(cases) = cases() else {
            return;
        };
        let (whole, client) = both(Version::Tls13, false);
        let mut small = ServerConfig::clone(&whole);
        small.max_fragment_size = Some(64);
        let servers = [whole, Arc::new(small)];
        let mut found = Vec::new();
        let mut cut = 0;
        for (seed, case) in cases.iter().enumerate() {
            found.extend(complaints(case, &servers[seed % 2], &client, seed as u64));
            cut += usize::from(case.plain(End::None).needs_the_end());
        }
        assert!(
            found.is_empty(),
            "{} complaints:\n{}",
            found.len(),
            found.join("\n")
        );
        assert!(
            cut > 20,
            "{cut} of {} cases need the end of the connection",
            cases.len()
        );
    });
}
