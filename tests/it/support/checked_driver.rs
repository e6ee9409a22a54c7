//! A driver around a driver: checks in every turn that the shard keeps the contract of the `Driver` trait, and logs all
//! calls and events.

use std::fmt::Write;

use opsurge::engine::{Control, Order};
use opsurge::io::{ConnectionId, Driver, EVENTS_MAX, Event, Handshake, Insert, Io, Received, Turn};

/// Longest time until the shard sees an order from outside.
pub const SLEEP_NS_MAX: u64 = 100_000_000;
/// A run that lasts longer has no end.
const RUN_NS_MAX: u64 = 3_600_000_000_000;
/// Most consecutive turns without an event, a call or the passing of time.
const IDLE_TURNS_MAX: u32 = 100;

pub struct CheckedDriver<'c, D> {
    pub inner: D,
    control: &'c Control,
    /// Orders from outside, each with its time, the first one last.
    orders: Vec<(u64, Order)>,
    /// Every call and event, a line each; `None` to keep no log.
    pub log: Option<String>,
    slots: Vec<Slot>,
    /// Received buffers of the current turn that are not released yet, with their connections.
    out: Vec<(Received, ConnectionId)>,
    submitted: bool,
    idle_turns: u32,
    /// Requests submitted, counted singly within batches.
    pub requests: u64,
    /// Events of older generations.
    pub stale: u64,
    /// Turns without an event, before which nothing was submitted.
    pub empty_turns: u64,
    /// Operations submitted and events received.
    pub happenings: u64,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    generation: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Connecting,
    Open,
}

impl<'c, D: Driver> CheckedDriver<'c, D> {
    pub fn new(inner: D, slots: usize, control: &'c Control, orders: Vec<(u64, Order)>) -> Self {
        Self {
            inner,
            control,
            orders,
            log: None,
            slots: vec![Slot::default(); slots],
            out: Vec::new(),
            submitted: false,
            idle_turns: 0,
            requests: 0,
            stale: 0,
            empty_turns: 0,
            happenings: 0,
        }
    }

    fn note(&mut self, what: std::fmt::Arguments<'_>) {
        let now_ns = self.inner.now_ns();
        if let Some(log) = &mut self.log {
            writeln!(log, "{now_ns} {what}").expect("text takes text");
        }
    }

    /// The shard may name only the current connection of a slot.
    fn assert_is_current(&self, connection: ConnectionId, what: &str) {
        let current = self.slots[connection.slot as usize].generation;
        assert_eq!(
            connection.generation, current,
            "{what} of a closed connection, in slot {}",
            connection.slot
        );
    }

    fn on_submitted(&mut self) {
        self.submitted = true;
        self.happenings += 1;
    }

    fn on_send(&mut self, connection: ConnectionId, bytes: usize, inserts: &[Insert]) {
        self.assert_is_current(connection, "a send");
        let state = self.slots[connection.slot as usize].state;
        assert_eq!(
            state,
            State::Open,
            "a send on a connection that is not open"
        );
        assert!(!self.inner.is_sending(connection), "a send during another");
        let sum = fnv(&self.inner.send_buffer()[..bytes]);
        self.note(format_args!(
            "send {connection:?} {bytes} bytes {sum:x} {inserts:?}"
        ));
        // Counts requests: in rendered text this occurs only at the end of a request line.
        let text = &self.inner.send_buffer()[..bytes];
        let heads = text.windows(11).filter(|end| end == b" HTTP/1.1\r\n");
        self.requests += heads.count() as u64;
        self.on_submitted();
    }

    fn on_event(&mut self, event: Event) {
        let Event { connection, io } = event;
        self.note(format_args!("{connection:?} {io:?}"));
        self.happenings += 1;
        if let Io::Received(received) = io {
            self.out.push((received, connection));
        }
        let slot = &mut self.slots[connection.slot as usize];
        if slot.generation != connection.generation {
            self.stale += 1;
        } else if slot.state == State::Connecting && io == Io::Connected {
            slot.state = State::Open;
        }
    }
}

impl<D: Driver> Driver for CheckedDriver<'_, D> {
    fn now_ns(&self) -> u64 {
        self.inner.now_ns()
    }

    fn submit_connect(&mut self, connection: ConnectionId, address_index: usize) {
        self.note(format_args!("connect {connection:?} to {address_index}"));
        let slot = &mut self.slots[connection.slot as usize];
        assert!(
            connection.generation > slot.generation,
            "a generation was used twice"
        );
        assert_eq!(
            slot.state,
            State::Closed,
            "a slot was connected while in use"
        );
        *slot = Slot {
            generation: connection.generation,
            state: State::Connecting,
        };
        self.on_submitted();
        self.inner.submit_connect(connection, address_index);
    }

    fn send_buffer(&mut self) -> &mut [u8] {
        self.inner.send_buffer()
    }

    fn submit_send(&mut self, connection: ConnectionId, bytes: usize) {
        self.on_send(connection, bytes, &[]);
        self.inner.submit_send(connection, bytes);
    }

    fn submit_send_around(&mut self, connection: ConnectionId, bytes: usize, inserts: &[Insert]) {
        self.on_send(connection, bytes, inserts);
        self.inner.submit_send_around(connection, bytes, inserts);
    }

    fn announce_sent(&mut self, connection: ConnectionId) {
        self.inner.announce_sent(connection);
    }

    fn is_sending(&self, connection: ConnectionId) -> bool {
        self.assert_is_current(connection, "an event");
        self.inner.is_sending(connection)
    }

    fn send_last(&mut self, connection: ConnectionId, bytes: &[u8]) {
        self.inner.send_last(connection, bytes);
    }

    fn pass_over_late_bytes(&mut self) {
        self.inner.pass_over_late_bytes();
    }

    fn close(&mut self, connection: ConnectionId) {
        self.assert_is_current(connection, "a close");
        self.note(format_args!("close {connection:?}"));
        self.slots[connection.slot as usize].state = State::Closed;
        self.on_submitted();
        self.inner.close(connection);
    }

    fn wait(&mut self, deadline_ns: u64, events: &mut Vec<Event>) -> Turn {
        let before_ns = self.inner.now_ns();
        assert!(
            self.out.is_empty(),
            "buffers were not released: {:?}",
            self.out
        );
        assert!(events.is_empty(), "events of the previous turn were left");
        assert!(
            deadline_ns <= before_ns + SLEEP_NS_MAX,
            "an order would wait too long"
        );
        assert!(before_ns < RUN_NS_MAX, "the run has no end");
        let turn = self.inner.wait(deadline_ns, events);
        self.note(format_args!(
            "wait until {deadline_ns}: {} events",
            events.len()
        ));
        assert!(events.len() <= EVENTS_MAX);
        assert!(before_ns <= turn.submitted_ns && turn.submitted_ns <= turn.idle_from_ns);
        assert!(turn.idle_from_ns <= turn.reaped_ns);
        let nothing = events.is_empty() && !std::mem::take(&mut self.submitted);
        self.empty_turns += u64::from(nothing);
        self.idle_turns = match nothing && turn.reaped_ns == before_ns {
            true => self.idle_turns + 1,
            false => 0,
        };
        assert!(self.idle_turns <= IDLE_TURNS_MAX, "a busy loop");
        for &event in events.iter() {
            self.on_event(event);
        }
        while let Some((_, order)) = self.orders.pop_if(|&mut (at, _)| at <= turn.reaped_ns) {
            self.note(format_args!("{order:?}"));
            self.control.give(order);
        }
        turn
    }

    fn received(&self, received: Received) -> &[u8] {
        let out = self.out.iter().find(|(out, _)| *out == received);
        let (_, connection) = out.expect("only an unreleased buffer is read");
        self.assert_is_current(*connection, "bytes");
        self.inner.received(received)
    }

    fn received_mut(&mut self, received: Received) -> &mut [u8] {
        self.inner.received_mut(received)
    }

    fn handshake(&self, connection: ConnectionId) -> Option<Handshake> {
        self.inner.handshake(connection)
    }

    fn is_in_handshake(&self, connection: ConnectionId) -> bool {
        self.inner.is_in_handshake(connection)
    }

    fn release(&mut self, received: Received) {
        let at = self.out.iter().position(|(out, _)| *out == received);
        self.out.swap_remove(at.expect("a buffer is released once"));
        self.inner.release(received);
    }

    fn finish(&mut self) {
        self.inner.finish();
    }

    fn overflows(&self) -> u64 {
        self.inner.overflows()
    }
}

/// FNV-1a.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, &byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}
