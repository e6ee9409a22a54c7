//! One user sends one step, over the engine like any other, with a tap for the bytes: what `opsurge request` shows.
//!
//! The tap is a driver around the engine's driver. It hands every call on, and a connection of its own reads the same bytes.

use std::io;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use socket2::SockAddr;

use crate::engine::connection::{Connection, Happening};
use crate::engine::plan::{Connections, Lifetime, Plan};
use crate::engine::{Control, Setup, driver_config, example, run_on};
use crate::http::buffers::Buffers;
use crate::http::response::{Expecting, Keep};
use crate::io::clock::Clock;
use crate::io::epoll::Epoll;
use crate::io::uring::{Features, Uring};
use crate::io::{
    Backend, ConnectionId, Driver, DriverConfig, Event, Handshake, Insert, Io, Received, Sockets,
    Turn, probe,
};
use crate::load::Load;
use crate::load::closed::Closed;
use crate::metrics::outcome::Failure;
use crate::scenario::model::Scenario;
use crate::scenario::secrets::Secrets;
use crate::wire::{Tls, TlsClient};

/// How long a connection is watched after its answer: bytes or an end in that time make it useless for another request.
const WATCH_NS: u64 = 50_000_000;
/// Bytes of a body that are kept.
const BODY_BYTES: usize = 64 * 1024;
/// Bytes of the stream that are kept, for the interim heads (1xx) in it.
const STREAM_BYTES: usize = 64 * 1024;

/// One request, and how it is sent.
pub struct Request {
    /// Its first step is sent.
    pub scenario: Scenario,
    /// Tried in turn until one accepts a connection.
    pub addresses: Vec<SockAddr>,
    pub sockets: Sockets,
    pub tls: Option<TlsClient>,
    pub backend: Backend,
    pub timeout_ns: u64,
}

/// The result.
#[derive(Default)]
pub struct Exchange {
    /// How it ended. Unless it is a complete answer, the failure and what is known of it.
    pub ended: Option<Ended>,
    /// From the first attempt to connect to the end, in nanoseconds.
    pub elapsed_ns: u64,
    /// Interim answers (1xx).
    pub interim: u32,
    /// The request as it was rendered: its head, and its body but for shared stretches.
    pub sent: Vec<u8>,
    /// The first bytes that came.
    pub stream: Vec<u8>,
    /// The head of the final answer.
    pub head: Vec<u8>,
    /// The beginning of its body.
    pub body: Vec<u8>,
}

/// How an exchange ended.
pub enum Ended {
    /// A complete answer.
    Answered {
        status: u16,
        body_bytes: u64,
        /// The connection can carry another request.
        reusable: bool,
    },
    Failed {
        failure: Failure,
        detail: String,
    },
}

/// Sends the request.
///
/// # Errors
/// When no driver can be built.
pub fn exchange(request: Request) -> Result<(Exchange, Secrets)> {
    let mut plan = Plan {
        scenario: request.scenario,
        load: Load::Closed(Closed::at_rate(1, 1e9).with_iterations(Some(1))),
        run_time_ns: None,
        timeout_ns: request.timeout_ns,
        drain_ns: None,
        spins: false,
        seed: uuid::Uuid::new_v4().as_u64_pair().0,
        connections: Connections::PerUser,
        lifetime: Lifetime::default(),
        shards: 1,
        addresses: request.addresses.clone(),
    };
    let config = driver_config(&plan, &request.sockets, 0);
    let choice = probe::choose(request.backend, &config).map_err(anyhow::Error::msg)?;
    let setup = Setup {
        backend: choice.backend,
        cores: vec![None],
        sockets: request.sockets,
        tls: request.tls,
        named_tls: Vec::new(),
    };
    let mut last = Exchange::default();
    for address in request.addresses {
        plan.addresses = vec![address];
        last = attempt(&plan, &setup)?;
        let is_connected = !last.sent.is_empty();
        if is_connected {
            break;
        }
    }
    Ok((last, plan.scenario.secrets))
}

/// Sends it to the plan's address.
fn attempt(plan: &Plan, setup: &Setup) -> Result<Exchange> {
    let seen = Mutex::new(Exchange::default());
    let control = Control::default();
    let ran = run_on(plan, setup, &control, &mut |_| {}, &|config, clock| {
        Ok(Tap::new(driver(setup, config, clock)?, plan, config, &seen))
    });
    let ran = ran.context("the request could not be sent")?;
    let mut exchange = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
    if exchange.ended.is_none() {
        // The engine ended it: its time was over.
        let counts = &ran.summary.counts.steps[0];
        let error = counts.errors.iter().find(|error| error.count > 0);
        exchange.ended = error.map(|error| Ended::Failed {
            failure: error.failure,
            detail: error.example.text.clone(),
        });
        exchange.elapsed_ns = (counts.failed.max_us() * 1e3) as u64;
    }
    Ok(exchange)
}

/// The driver of a setup: chosen while the program runs, since one request does not count nanoseconds.
fn driver(setup: &Setup, config: &DriverConfig, clock: Clock) -> io::Result<Box<dyn Driver>> {
    Ok(match (setup.backend, &setup.tls) {
        (Backend::Epoll, None) => Box::new(Epoll::new(config, clock)?),
        (Backend::Epoll, Some(client)) => Box::new(Tls::over(config, client, |config| {
            Epoll::new(config, clock)
        })?),
        (Backend::Uring | Backend::Auto, None) => {
            Box::new(Uring::new(config, clock, Features::ALL)?)
        }
        (Backend::Uring | Backend::Auto, Some(client)) => {
            let build = |config: &_| Uring::new(config, clock, Features::ALL);
            Box::new(Tls::over(config, client, build)?)
        }
    })
}

/// A driver that hands everything on and keeps the bytes of one exchange.
struct Tap<'t> {
    driver: Box<dyn Driver>,
    expecting: Expecting,
    /// The request says that it is the last one on its connection.
    closes: bool,
    /// Lengths of the shared stretches.
    shared_bytes: Vec<usize>,
    secrets: &'t Secrets,
    seen: &'t Mutex<Exchange>,
    connection: Connection,
    id: Option<ConnectionId>,
    buffers: Buffers,
    began_ns: u64,
    is_over: bool,
}

impl<'t> Tap<'t> {
    fn new(
        driver: Box<dyn Driver>,
        plan: &'t Plan,
        config: &DriverConfig,
        seen: &'t Mutex<Exchange>,
    ) -> Self {
        let step = &plan.scenario.steps[0];
        Self {
            began_ns: driver.now_ns(),
            driver,
            expecting: step.expecting,
            closes: step.closes,
            shared_bytes: config.shared.iter().map(|shared| shared.len()).collect(),
            secrets: &plan.scenario.secrets,
            seen,
            connection: Connection::default(),
            id: None,
            buffers: Buffers::default(),
            is_over: false,
        }
    }

    /// A request goes out.
    fn on_send(&mut self, connection: ConnectionId, rendered: usize, bytes: usize) {
        let sent = self.driver.send_buffer()[..rendered].to_vec();
        self.with_seen(|seen| seen.sent = sent);
        self.id = Some(connection);
        self.connection.on_submitted(1, bytes);
        let keep = Keep {
            head: true,
            body_bytes: BODY_BYTES,
        };
        self.connection.await_answer(self.expecting, keep);
    }

    /// Reads an event like the engine's own connection does; how the exchange ended with it, if it did.
    fn on_event(&mut self, event: Event) -> Option<Happening> {
        let sending = self.driver.is_sending(event.connection);
        let bytes = match event.io {
            Io::Received(received) => self.driver.received(received),
            _ => &[],
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let room = STREAM_BYTES.saturating_sub(seen.stream.len());
        seen.stream
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
        match self
            .connection
            .on(event.io, bytes, sending, &mut self.buffers)
        {
            Happening::StillReading | Happening::Opened | Happening::Dropped => None,
            ended => Some(ended),
        }
    }

    /// The exchange is over: nothing may come on its connection for a while, if that is to be used again.
    fn on_end(&mut self, end: Happening, reaped_ns: u64, followed: bool, events: &mut Vec<Event>) {
        self.is_over = true;
        let ended = match end {
            Happening::Answered {
                status,
                body_bytes,
                reusable,
                ..
            } => Ended::Answered {
                status,
                body_bytes,
                reusable: reusable
                    && !self.closes
                    && !followed
                    && self.stays_quiet(reaped_ns, events),
            },
            Happening::Failed(failure, detail) => Ended::Failed {
                failure,
                detail: example::of_detail(failure, detail, self.secrets),
            },
            Happening::StillReading | Happening::Opened | Happening::Dropped => {
                unreachable!("the exchange goes on after these")
            }
        };
        let elapsed_ns = reaped_ns.saturating_sub(self.began_ns);
        let decoder = &self.connection.decoder;
        let (interim, head, body) = (
            decoder.interim(),
            decoder.head().to_vec(),
            decoder.body().to_vec(),
        );
        self.with_seen(|seen| {
            *seen = Exchange {
                ended: Some(ended),
                elapsed_ns,
                interim,
                head,
                body,
                ..std::mem::take(seen)
            }
        });
    }

    /// Whether neither bytes nor an end come on the connection; what comes is handed on.
    fn stays_quiet(&mut self, since_ns: u64, events: &mut Vec<Event>) -> bool {
        let known = events.len();
        let mut now_ns = since_ns;
        while events.len() == known && now_ns < since_ns + WATCH_NS {
            now_ns = self.driver.wait(since_ns + WATCH_NS, events).reaped_ns;
        }
        events.len() == known
    }

    fn with_seen(&self, change: impl FnOnce(&mut Exchange)) {
        change(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Driver for Tap<'_> {
    fn now_ns(&self) -> u64 {
        self.driver.now_ns()
    }

    fn submit_connect(&mut self, connection: ConnectionId, route: usize) {
        if !self.is_over {
            self.id = Some(connection);
            self.connection.on_opening(self.began_ns);
        }
        self.driver.submit_connect(connection, route);
    }

    fn send_buffer(&mut self) -> &mut [u8] {
        self.driver.send_buffer()
    }

    fn submit_send(&mut self, connection: ConnectionId, bytes: usize) {
        self.on_send(connection, bytes, bytes);
        self.driver.submit_send(connection, bytes);
    }

    fn submit_send_around(&mut self, connection: ConnectionId, bytes: usize, inserts: &[Insert]) {
        let shared = inserts
            .iter()
            .map(|insert| self.shared_bytes[insert.shared]);
        let all = bytes + shared.sum::<usize>();
        self.on_send(connection, bytes, all);
        self.driver.submit_send_around(connection, bytes, inserts);
    }

    fn announce_sent(&mut self, connection: ConnectionId) {
        self.driver.announce_sent(connection);
    }

    fn is_sending(&self, connection: ConnectionId) -> bool {
        self.driver.is_sending(connection)
    }

    fn flushed_ns(&mut self) -> Option<u64> {
        self.driver.flushed_ns()
    }

    fn send_last(&mut self, connection: ConnectionId, bytes: &[u8]) {
        self.driver.send_last(connection, bytes);
    }

    fn pass_over_late_bytes(&mut self) {
        self.driver.pass_over_late_bytes();
    }

    fn close(&mut self, connection: ConnectionId) {
        self.driver.close(connection);
    }

    fn close_after_fin(&mut self, connection: ConnectionId) {
        self.driver.close_after_fin(connection);
    }

    fn wait(&mut self, deadline_ns: u64, events: &mut Vec<Event>) -> Turn {
        let before = events.len();
        let turn = self.driver.wait(deadline_ns, events);
        for at in before..events.len() {
            if self.is_over || Some(events[at].connection) != self.id {
                continue;
            }
            if let Some(end) = self.on_event(events[at]) {
                let id = self.id;
                let followed = events[at + 1..]
                    .iter()
                    .any(|event| Some(event.connection) == id);
                self.on_end(end, turn.reaped_ns, followed, events);
            }
        }
        turn
    }

    fn received(&self, received: Received) -> &[u8] {
        self.driver.received(received)
    }

    fn received_mut(&mut self, received: Received) -> &mut [u8] {
        self.driver.received_mut(received)
    }

    fn handshake(&self, connection: ConnectionId) -> Option<Handshake> {
        self.driver.handshake(connection)
    }

    fn is_in_handshake(&self, connection: ConnectionId) -> bool {
        self.driver.is_in_handshake(connection)
    }

    fn release(&mut self, received: Received) {
        self.driver.release(received);
    }

    fn finish(&mut self) {
        self.driver.finish();
    }

    fn overflows(&self) -> u64 {
        self.driver.overflows()
    }
}
