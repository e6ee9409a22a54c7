//! A server for the simulated network: reads requests from the stream, gets each answer from its `answers`, and can
//! keep a journal.

use std::collections::{HashMap, HashSet};

use opsurge::engine::plan::Plan;
use opsurge::engine::shard::{OnInterval, Outcomes, Shard, Start};
use opsurge::engine::{Control, driver_config};
use opsurge::io::{ConnectionId, Driver, Sockets};
use opsurge::metrics::recorder::StepCounts;
use opsurge::sim::{Network, Reply, Service, Sim};

/// A received request.
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

/// The answer to a request.
pub struct Answer {
    pub status: u16,
    pub fields: String,
    pub body: Vec<u8>,
    /// Delay of the answer.
    pub after_ns: u64,
    pub framing: Framing,
    /// Number of interim answers (103) before it.
    pub interim: usize,
    /// Delay after the answer in nanoseconds, and bytes that are sent then, before the connection is closed.
    pub afterthought: Option<(u64, Vec<u8>)>,
}

/// How an answer marks the end of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    Length,
    /// Chunks of this many bytes.
    Chunked(usize),
    UntilClose,
    /// A length with `Connection: close`, then the end of the connection.
    LengthAndClose,
}

impl Answer {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            fields: String::new(),
            body: body.into(),
            after_ns: 0,
            framing: Framing::Length,
            interim: 0,
            afterthought: None,
        }
    }

    fn into_replies(self, replies: &mut Vec<Reply>) {
        let Self {
            status,
            mut fields,
            body,
            after_ns,
            ..
        } = self;
        let mut coded = body.clone();
        match self.framing {
            Framing::Length => fields += &format!("content-length: {}\r\n", body.len()),
            Framing::LengthAndClose => {
                fields += &format!("connection: close\r\ncontent-length: {}\r\n", body.len());
            }
            Framing::UntilClose => {}
            Framing::Chunked(bytes) => {
                fields += "transfer-encoding: chunked\r\n";
                coded.clear();
                for chunk in body.chunks(bytes) {
                    coded.extend(format!("{:x};a=b\r\n", chunk.len()).into_bytes());
                    coded.extend([chunk, b"\r\n"].concat());
                }
                coded.extend(b"0\r\nx-sum: 1\r\n\r\n");
            }
        }
        let interim = "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n".repeat(self.interim);
        let head = format!("{interim}HTTP/1.1 {status} X\r\n{fields}\r\n");
        replies.push(Reply::Bytes(after_ns, [head.as_bytes(), &coded].concat()));
        if matches!(self.framing, Framing::UntilClose | Framing::LengthAndClose) {
            replies.push(Reply::Close(after_ns));
        } else if let Some((later_ns, bytes)) = self.afterthought {
            replies.push(Reply::Bytes(after_ns + later_ns, bytes));
            replies.push(Reply::Close(after_ns + later_ns));
        }
    }
}

pub trait Answers {
    fn answer(&mut self, seen: &Seen) -> Answer;

    /// The answer to a request that is not whole yet, when the server refuses it without reading the rest.
    fn refuse_early(&mut self) -> Option<Answer> {
        None
    }
}

impl<F: FnMut(&Seen) -> Answer> Answers for F {
    fn answer(&mut self, seen: &Seen) -> Answer {
        self(seen)
    }
}

pub struct Server<A> {
    pub answers: A,
    /// All requests; `None` to keep none.
    pub journal: Option<Vec<Seen>>,
    pub closed: usize,
    /// Connections whose requests are no longer read.
    refused: HashSet<ConnectionId>,
    /// Bytes of each connection that are not a whole request yet.
    pending: HashMap<ConnectionId, Vec<u8>>,
}

impl<A> Server<A> {
    pub fn new(answers: A) -> Self {
        Self {
            answers,
            journal: None,
            closed: 0,
            refused: HashSet::new(),
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
        if self.refused.contains(&connection) {
            return;
        }
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
            answer.into_replies(replies);
        }
        let unread = !stream.is_empty();
        if let Some(answer) = unread.then(|| self.answers.refuse_early()).flatten() {
            self.refused.insert(connection);
            answer.into_replies(replies);
        }
        self.pending.insert(connection, stream);
    }

    fn on_close(&mut self, connection: ConnectionId) {
        self.closed += 1;
        self.refused.remove(&connection);
        self.pending.remove(&connection);
    }
}

/// The simulation of one shard of a plan.
pub fn sim<A: Answers>(
    plan: &Plan,
    shard: usize,
    server: Server<A>,
    network: Network,
    seed: u64,
) -> Sim<Server<A>> {
    let config = driver_config(plan, &Sockets::default(), shard);
    Sim::new(&config, server, network, seed)
}

/// Runs one shard of a plan to its end. Only this shard exists: the others of an open load are reported as ready.
pub fn drive<D: Driver>(
    plan: &Plan,
    shard: usize,
    driver: D,
    control: &Control,
    on_interval: OnInterval<'_>,
) -> (Outcomes, D) {
    for _ in 1..plan.shards {
        control.on_ready(plan.shards, 0, 0);
    }
    Shard::new(plan, shard, driver).run(Start::default(), control, on_interval)
}

/// Runs one shard of a plan over a simulated server and network.
pub fn run<A: Answers>(
    plan: &Plan,
    shard: usize,
    server: Server<A>,
    network: Network,
    seed: u64,
) -> (Outcomes, Sim<Server<A>>) {
    let sim = sim(plan, shard, server, network, seed);
    let ignore_intervals = Box::new(|_, _: &mut _| {});
    let (outcomes, sim) = drive(plan, shard, sim, &Control::default(), ignore_intervals);
    assert_eq!(
        sim.buffers_out(),
        0,
        "seed {seed}: a received buffer was not released"
    );
    (outcomes, sim)
}

/// Checks that every request is counted exactly once.
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
            step.failures + step.cut_off + step.never_begun,
            "seed {seed}"
        );
    }
}
