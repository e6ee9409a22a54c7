//! A server for the simulated network: takes requests out of the stream, asks its `answers`, keeps a journal.

#![allow(dead_code, reason = "each test file uses its part of it")]

use std::collections::HashMap;

use opsurge::engine::Control;
use opsurge::engine::shard::{Outcomes, Shard, Start};
use opsurge::io::sim::{Network, Reply, Service, Sim};
use opsurge::io::{ConnectionId, DriverConfig};
use opsurge::metrics::recorder::StepCounts;
use opsurge::plan::Plan;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub at_ns: u64,
    pub connection: ConnectionId,
    pub method: String,
    pub path: String,
    /// Request line and fields, each with its line end.
    pub head: String,
    pub body: String,
}

/// What a server says to a request.
pub struct Answer {
    pub status: u16,
    pub fields: String,
    pub body: String,
    pub after_ns: u64,
}

impl Answer {
    pub fn new(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            fields: String::new(),
            body: body.into(),
            after_ns: 0,
        }
    }
}

pub trait Answers {
    fn answer(&mut self, seen: &Seen) -> Answer;
}

impl<F: FnMut(&Seen) -> Answer> Answers for F {
    fn answer(&mut self, seen: &Seen) -> Answer {
        self(seen)
    }
}

pub struct Server<A> {
    pub answers: A,
    /// All requests, when they are kept.
    pub journal: Option<Vec<Seen>>,
    pub closed: usize,
    /// Bytes of each connection that are no whole request yet.
    pending: HashMap<ConnectionId, Vec<u8>>,
}

impl<A> Server<A> {
    pub fn new(answers: A) -> Self {
        Self {
            answers,
            journal: None,
            closed: 0,
            pending: HashMap::new(),
        }
    }

    pub fn with_journal(answers: A) -> Self {
        Self {
            journal: Some(Vec::new()),
            ..Self::new(answers)
        }
    }
}

impl Seen {
    /// The value of a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (field, value) = line.split_once(": ")?;
            field.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

impl<A: Answers> Service for Server<A> {
    fn on_connect(&mut self, connection: ConnectionId, _now_ns: u64) {
        self.pending.insert(connection, Vec::new());
    }

    fn on_bytes(
        &mut self,
        connection: ConnectionId,
        bytes: &[u8],
        now_ns: u64,
        replies: &mut Vec<Reply>,
    ) {
        let mut stream = self.pending.remove(&connection).unwrap_or_default();
        stream.extend_from_slice(bytes);
        loop {
            let text = String::from_utf8_lossy(&stream).into_owned();
            let Some((head, rest)) = text.split_once("\r\n\r\n") else {
                break;
            };
            let length: usize = head
                .lines()
                .find_map(|line| line.strip_prefix("Content-Length: "))
                .map_or(0, |length| length.parse().expect("a number"));
            if rest.len() < length {
                break;
            }
            let mut words = head.split(' ').map(str::to_owned);
            let seen = Seen {
                at_ns: now_ns,
                connection,
                method: words.next().unwrap_or_default(),
                path: words.next().unwrap_or_default(),
                head: format!("{head}\r\n"),
                body: rest[..length].to_owned(),
            };
            let used = text.len() - rest.len() + length;
            stream.drain(..used);
            let answer = self.answers.answer(&seen);
            if let Some(journal) = &mut self.journal {
                journal.push(seen);
            }
            let bytes = format!(
                "HTTP/1.1 {} X\r\n{}content-length: {}\r\n\r\n{}",
                answer.status,
                answer.fields,
                answer.body.len(),
                answer.body
            );
            replies.push(Reply::Bytes(answer.after_ns, bytes.into_bytes()));
        }
        self.pending.insert(connection, stream);
    }

    fn on_close(&mut self, connection: ConnectionId) {
        self.closed += 1;
        self.pending.remove(&connection);
    }
}

/// Runs one shard of a plan.
pub fn run<A: Answers>(
    plan: &Plan,
    shard: usize,
    server: Server<A>,
    network: Network,
    seed: u64,
) -> (Outcomes, Sim<Server<A>>) {
    let config = DriverConfig {
        addresses: plan.addresses.clone(),
        slots: plan.slots_of_shard(shard),
        request_bytes_max: plan.scenario.request_bytes_max(),
    };
    let sim = Sim::new(&config, server, network, seed);
    let start = Start::default();
    let nobody_watches = Box::new(|_, _: &mut _| {});
    let control = Control::default();
    // The shard is alone in its world: the others of an open load are ready before it.
    for _ in 1..plan.shards {
        control.on_ready(plan.shards, 0, 0);
    }
    let (outcomes, sim) = Shard::new(plan, shard, sim).run(start, &control, nobody_watches);
    assert_eq!(
        sim.buffers_out(),
        0,
        "seed {seed}: a received buffer was not given back"
    );
    (outcomes, sim)
}

/// Every request is counted exactly once.
pub fn check_sums(steps: &[StepCounts], seed: u64) {
    for step in steps {
        assert_eq!(
            step.sent,
            step.requests + step.cut_off,
            "seed {seed}: {step:?}"
        );
        let by_kind: u64 = step.errors.iter().map(|error| error.count).sum();
        assert_eq!(step.failures, by_kind, "seed {seed}");
        assert_eq!(
            step.response.count(),
            step.requests - step.failures,
            "seed {seed}"
        );
        assert_eq!(
            step.failed.count(),
            step.failures + step.cut_off,
            "seed {seed}"
        );
    }
}
