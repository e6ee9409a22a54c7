//! A driver that costs next to nothing: it answers each request at once with the same bytes, without a kernel.
//!
//! A shard over it costs its own work alone. The clock is the real one, read as often in a turn as the ring reads it, or
//! a virtual one, on which two runs are the same to the instruction. The driver never sleeps: with nothing to do before
//! the deadline, it puts its clock forward to it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use opsurge::engine::plan::Plan;
use opsurge::engine::{Control, Order, driver_config};
use opsurge::io::clock::Clock;
use opsurge::io::{
    ConnectionId, Driver, DriverConfig, EVENTS_MAX, Event, Insert, Io, Received, Sockets, Turn,
};
use opsurge::load::closed::Closed;
use opsurge::scenario::builtin::builtin;
use opsurge::scenario::format::compile::{Context, compile};
use opsurge::scenario::model::Scenario;
use opsurge::scenario::wait::Wait;

use crate::plans;

/// Ops-Core's answer to a workflow request.
pub const ACCEPTED: &[u8] =
    b"HTTP/1.1 202 Accepted\r\ndate: Mon, 23 Nov 2026 21:03:44 GMT\r\nserver: uvicorn\r\n\
content-length: 130\r\ncontent-type: application/json\r\nx-process-time: 0.0024747848510742188\r\n\r\n\
{\"sessionId\":\"d96aaa22-a187-4972-a633-b41aa48fa1a6\",\"workflowId\":\"sample_workflow_id\",\"message\":\"Workflow triggered successfully\"}";
/// Ops-Core's answer to a request for an agent's state.
pub const STATE: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-length: 16\r\ncontent-type: application/json\r\n\r\n{\"state\":\"idle\"}";

/// A built-in scenario with this wait between tasks, and without pauses.
pub fn scenario(name: &str, wait: &str) -> Scenario {
    let text = builtin(name).expect("a built-in scenario").text;
    let context = Context {
        wait: Some(Wait::parse(wait).expect("a wait")),
        pause: Some(Wait::default()),
        ..Context::plain()
    };
    let scenario = compile(name, text, &context).expect("it is valid");
    scenario.bind("localhost:8000", "")
}

/// Users that come at once, each with a connection of its own, until the run is ended by an order.
pub fn plan(scenario: Scenario, users: u64, shards: usize) -> Plan {
    Plan {
        shards,
        ..plans::plan(scenario, Closed::at_rate(users, 1e9))
    }
}

/// CPU time of this thread, which other processes hardly affect.
pub fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .expect("Linux has this clock")
        .into()
}

/// The configuration of a shard's driver.
pub fn config(plan: &Plan, shard: usize) -> DriverConfig {
    driver_config(plan, &Sockets::default(), shard)
}

/// Length of a turn on the virtual clock.
const VIRTUAL_TURN_NS: u64 = 10_000;

/// The driver.
pub struct CannedDriver<'c> {
    /// `None` for the virtual clock, which shows `skipped_ns`.
    clock: Option<Clock>,
    skipped_ns: u64,
    request: Vec<u8>,
    /// The two answers, by the number of the buffer.
    answers: [Vec<u8>; 2],
    due: VecDeque<Event>,
    sent: u64,
    /// The number of the next request at which something is measured.
    marked: u64,
    measures: Option<Measures<'c>>,
    since: Option<Duration>,
    /// CPU time of the measured requests or turns.
    pub took: Option<Duration>,
    empty_turns: u64,
    /// A word that is written with each request, to measure the cost of a shared cache line.
    written: Option<&'c AtomicU64>,
}

/// What is measured: after some requests, the CPU time of more requests, or of empty turns.
#[derive(Clone, Copy)]
pub struct Measures<'c> {
    /// Requests before the measurement.
    pub after: u64,
    /// Requests that are measured, without empty turns.
    pub requests: u64,
    /// Empty turns that are measured; 0 to measure requests.
    pub empty_turns: u64,
    /// Ends the run.
    pub control: &'c Control,
}

impl<'c> CannedDriver<'c> {
    pub fn new(config: &DriverConfig, clock: Clock) -> Self {
        Self {
            clock: Some(clock),
            ..Self::on_virtual_clock(config)
        }
    }

    pub fn on_virtual_clock(config: &DriverConfig) -> Self {
        Self {
            clock: None,
            skipped_ns: 0,
            request: vec![0; config.rendered_bytes_max],
            answers: [ACCEPTED, STATE].map(<[u8]>::to_vec),
            due: VecDeque::with_capacity(2 * config.slots),
            sent: 0,
            marked: u64::MAX,
            measures: None,
            since: None,
            took: None,
            empty_turns: 0,
            written: None,
        }
    }

    pub fn measuring(mut self, measures: Measures<'c>) -> Self {
        self.marked = measures.after;
        self.measures = Some(measures);
        self
    }

    pub fn writing(mut self, word: Option<&'c AtomicU64>) -> Self {
        self.written = word;
        self
    }

    #[cold]
    fn on_mark(&mut self) {
        let Some(measures) = self.measures else {
            return;
        };
        match self.since {
            None if measures.empty_turns > 0 => {
                self.empty_turns = measures.empty_turns;
                self.marked = u64::MAX;
            }
            None => self.marked += measures.requests,
            Some(_) => self.end(measures.control),
        }
        self.since.get_or_insert_with(cpu_time);
    }

    fn end(&mut self, control: &Control) {
        self.took = self.since.map(|since| cpu_time() - since);
        control.give(Order::StopNow);
    }

    /// A turn without events; the last one to be measured ends the run.
    #[cold]
    fn empty_turn(&mut self) {
        self.empty_turns -= 1;
        if let (0, Some(measures)) = (self.empty_turns, self.measures) {
            self.end(measures.control);
        }
    }
}

impl Driver for CannedDriver<'_> {
    #[inline]
    fn now_ns(&self) -> u64 {
        let real_ns = self.clock.as_ref().map_or(0, Clock::now_ns);
        real_ns + self.skipped_ns
    }

    fn submit_connect(&mut self, connection: ConnectionId, _address_index: usize) {
        let io = Io::Connected;
        self.due.push_back(Event { connection, io });
    }

    #[inline]
    fn send_buffer(&mut self) -> &mut [u8] {
        &mut self.request
    }

    #[inline]
    fn submit_send(&mut self, connection: ConnectionId, _bytes: usize) {
        // The buffer's number says which of the two answers it is.
        let buffer = u32::from(self.request[0] == b'G');
        let bytes = [ACCEPTED, STATE][buffer as usize].len() as u32;
        let io = Io::Received(Received { buffer, bytes });
        self.due.push_back(Event { connection, io });
        if let Some(word) = self.written {
            word.fetch_add(1, Ordering::Relaxed);
        }
        self.sent += 1;
        if self.sent == self.marked {
            self.on_mark();
        }
    }

    fn submit_send_around(&mut self, connection: ConnectionId, bytes: usize, _: &[Insert]) {
        self.submit_send(connection, bytes);
    }

    fn announce_sent(&mut self, _connection: ConnectionId) {}

    #[inline]
    fn is_sending(&self, _connection: ConnectionId) -> bool {
        false
    }

    fn close(&mut self, _connection: ConnectionId) {}

    fn wait(&mut self, deadline_ns: u64, events: &mut Vec<Event>) -> Turn {
        let submitted_ns = self.now_ns();
        let idle_from_ns = self.now_ns();
        if self.empty_turns > 0 {
            self.empty_turn();
        } else if self.due.is_empty() {
            self.skipped_ns += deadline_ns.saturating_sub(idle_from_ns);
        } else {
            let count = self.due.len().min(EVENTS_MAX);
            events.extend(self.due.drain(..count));
        }
        if self.clock.is_none() {
            self.skipped_ns += VIRTUAL_TURN_NS;
        }
        Turn {
            submitted_ns,
            idle_from_ns,
            reaped_ns: self.now_ns(),
        }
    }

    #[inline]
    fn received(&self, received: Received) -> &[u8] {
        &self.answers[received.buffer as usize]
    }

    fn received_mut(&mut self, received: Received) -> &mut [u8] {
        &mut self.answers[received.buffer as usize]
    }

    #[inline]
    fn release(&mut self, _received: Received) {}

    fn overflows(&self) -> u64 {
        0
    }
}
