//! The driver that encrypts: plain text above, records below. It is a driver on top of another one, so that a shard, and
//! everything else above, is the same for both.
//!
//! 1. A connection is reported as connected when its handshake is done. The last records of a handshake wait for the
//!    first request, and leave in one packet with it.
//! 2. Received records are decrypted where they lie; their text is collected in one buffer for the whole turn, and the
//!    driver's own buffers go back at once.
//! 3. A batch of requests is encrypted straight into the driver's send buffer. What does not fit it follows when the
//!    kernel has taken the first part.
//! 4. A handshake costs 100 to 200 us of CPU. A turn does a few of them, [`HANDSHAKE_STEPS_MAX`]: others wait for the next
//!    turn, so that the answers of open connections do not.
//! 5. Connections to a target in plain text, beside others that are encrypted, pass through with one copy each way.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::client::TlsClient;
use super::outgoing::{Outgoing, SPARE_BYTES, Text};
use super::session::{
    CarryPool, RECORD_OVERHEAD_MAX, RECORD_TEXT_MAX, Session, Sinks, State, sealed_bytes_max,
};
use crate::io::{
    ConnectionId, Driver, DriverConfig, EVENTS_MAX, Event, Handshake, INSERTS_MAX, Insert, Io,
    Received, TlsFailure, Turn,
};

/// Most steps of handshakes in a turn: about 2 ms of CPU.
const HANDSHAKE_STEPS_MAX: usize = 8;
/// Longest send buffer of the driver below. A longer batch is sent in several parts.
const SEND_BYTES_MAX: usize = 4 * (RECORD_TEXT_MAX + RECORD_OVERHEAD_MAX) + SPARE_BYTES;
/// Shortest: the first flight of a handshake fits, with certificates of the client.
const SEND_BYTES_MIN: usize = 4 * 1024;
/// Room for the text of a turn, in bytes; more is allocated when a turn brings more.
const PLAIN_BYTES: usize = 64 * 1024;
/// Heap memory of an established connection, in bytes: 3 KiB are rustls's (measured with TLS 1.3 and AES-256-GCM).
pub const CONNECTION_BYTES: usize = size_of::<Slot>() + size_of::<Channel>() + 3 * 1024;

/// The driver that encrypts.
pub struct Tls<D> {
    driver: D,
    /// By target; `None` for one in plain text.
    clients: Vec<Option<TlsClient>>,
    slots: Vec<Slot>,
    /// The batch that is rendered.
    rendered: Vec<u8>,
    shared: Vec<Arc<Vec<u8>>>,
    /// The text of this turn. [`Received::buffer`] is an offset in it.
    plain: Vec<u8>,
    /// Pieces of it that are not released.
    lent: usize,
    pool: CarryPool,
    /// The driver's events of this turn.
    below: Vec<Event>,
    /// Connections whose handshake can go a step further, in the order in which they came.
    to_advance: VecDeque<ConnectionId>,
    /// Connections with something to send.
    to_send: Vec<ConnectionId>,
    /// Failures of sends that were submitted.
    failed: Vec<Event>,
}

/// A slot's present connection.
#[derive(Default)]
struct Slot {
    generation: u32,
    channel: Option<Box<Channel>>,
}

/// A connection, encrypted or not.
struct Channel {
    /// The target that it leads to.
    target: usize,
    /// Its bytes pass through as they are.
    is_plain: bool,
    /// `None` before the driver has connected, and for one in plain text.
    session: Option<Session>,
    stage: Stage,
    outgoing: Outgoing,
    began_ns: u64,
    done_ns: u64,
    /// It stands in `to_advance`.
    is_waiting: bool,
    /// It ended while it stood there.
    ended: Option<Io>,
    /// The driver's send is followed by another part.
    continues: bool,
    /// A batch was sent on it: sends before that are the handshake's own.
    has_carried: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    InHandshake,
    Open,
    /// Its end was reported.
    Over,
}

impl Channel {
    fn new(target: usize, is_plain: bool) -> Self {
        Self {
            target,
            is_plain,
            session: None,
            stage: Stage::Connecting,
            outgoing: Outgoing::default(),
            began_ns: 0,
            done_ns: 0,
            is_waiting: false,
            ended: None,
            continues: false,
            has_carried: false,
        }
    }
}

/// What the driver below is built from.
pub fn config_below(config: &DriverConfig) -> DriverConfig {
    let shared: usize = config.shared.iter().map(|bytes| bytes.len()).sum();
    let records = (2 * INSERTS_MAX + 1) * RECORD_OVERHEAD_MAX;
    let needed = sealed_bytes_max(config.rendered_bytes_max + shared) + records + SPARE_BYTES;
    DriverConfig {
        rendered_bytes_max: needed.clamp(SEND_BYTES_MIN, SEND_BYTES_MAX),
        shared: Vec::new(),
        ..config.clone()
    }
}

impl<D: Driver> Tls<D> {
    /// Builds the driver below, and this one above it, for one target.
    ///
    /// # Errors
    /// Those of the driver below.
    pub fn over(
        config: &DriverConfig,
        client: &TlsClient,
        build: impl FnOnce(&DriverConfig) -> io::Result<D>,
    ) -> io::Result<Self> {
        Self::over_targets(config, &[Some(client.clone())], build)
    }

    /// The same for several targets, each with its client, or `None` for plain text; at least one. Route numbers go to
    /// them in turn, as with [`Dialer`](crate::io::Dialer).
    ///
    /// # Errors
    /// Those of the driver below.
    pub fn over_targets(
        config: &DriverConfig,
        clients: &[Option<TlsClient>],
        build: impl FnOnce(&DriverConfig) -> io::Result<D>,
    ) -> io::Result<Self> {
        let connections = config.slots / clients.len();
        let of_shard = |client: &TlsClient| client.for_connections(connections);
        let mut slots = Vec::new();
        slots.resize_with(config.slots, Slot::default);
        let mut driver = build(&config_below(config))?;
        // The end of an encrypted stream is announced by a record before the FIN.
        driver.pass_over_late_bytes();
        Ok(Self {
            driver,
            clients: clients
                .iter()
                .map(|client| client.as_ref().map(of_shard))
                .collect(),
            slots,
            rendered: vec![0; config.rendered_bytes_max],
            shared: config.shared.clone(),
            plain: Vec::with_capacity(PLAIN_BYTES),
            lent: 0,
            pool: CarryPool::default(),
            below: Vec::with_capacity(EVENTS_MAX),
            to_advance: VecDeque::with_capacity(config.slots),
            to_send: Vec::with_capacity(config.slots),
            failed: Vec::new(),
        })
    }

    /// The driver below.
    pub fn below(&self) -> &D {
        &self.driver
    }

    /// Forgets an encrypted connection that is about to be closed. Its last record tells the server why: an alert, or
    /// that this is the end (RFC 8446 section 6.1).
    fn say_goodbye(&mut self, connection: ConnectionId) {
        if self.channel_ref(connection).is_none() || self.driver.is_sending(connection) {
            return;
        }
        let Some(mut channel) = self.slots[connection.slot as usize].channel.take() else {
            return;
        };
        let Some(session) = channel.session.as_mut().filter(|_| !channel.continues) else {
            return;
        };
        match session.state() {
            State::Failed(_) => {
                let records = channel.outgoing.unsent_records();
                self.driver.send_last(connection, records);
            }
            State::Open | State::PeerClosed => {
                let mut record = [0; 64];
                let length = session.close(&mut record);
                let last = &record[..length];
                // Records that wait were encrypted before it: without them, the server could not read it.
                match channel.outgoing.unsent_records() {
                    [] => self.driver.send_last(connection, last),
                    waiting => self.driver.send_last(connection, &[waiting, last].concat()),
                }
            }
            State::InHandshake => {}
        }
    }

    fn channel(&mut self, connection: ConnectionId) -> Option<&mut Channel> {
        let slot = &mut self.slots[connection.slot as usize];
        let is_present = slot.generation == connection.generation;
        slot.channel.as_deref_mut().filter(|_| is_present)
    }

    fn channel_ref(&self, connection: ConnectionId) -> Option<&Channel> {
        let slot = &self.slots[connection.slot as usize];
        let is_present = slot.generation == connection.generation;
        slot.channel.as_deref().filter(|_| is_present)
    }

    fn forget(&mut self, connection: ConnectionId) {
        if self.channel_ref(connection).is_some() {
            self.slots[connection.slot as usize].channel = None;
        }
    }

    /// Sends a batch: at once if it fits a send buffer and no send is under way.
    fn send(&mut self, connection: ConnectionId, bytes: usize, inserts: &[Insert]) {
        let slot = &mut self.slots[connection.slot as usize];
        let present = slot.channel.as_deref_mut();
        let Some(channel) = present.filter(|_| slot.generation == connection.generation) else {
            return;
        };
        channel.has_carried = true;
        let text = Text {
            rendered: &self.rendered[..bytes],
            inserts,
            shared: &self.shared,
        };
        if channel.is_plain {
            channel.outgoing.keep_as_it_is(text);
            return self.transmit(connection);
        }
        let Some(session) = &mut channel.session else {
            return;
        };
        if !self.driver.is_sending(connection) {
            let out = self.driver.send_buffer();
            match channel.outgoing.seal_at_once(session, text, out) {
                Ok(Some(sealed)) => return self.driver.submit_send(connection, sealed),
                Ok(None) => {}
                Err(failure) => {
                    let io = Io::TlsFailed(failure);
                    self.failed.push(Event { connection, io });
                    return;
                }
            }
        }
        channel.outgoing.keep(text);
        self.transmit(connection);
    }

    /// Sends what waits on a connection, as much as fits a send buffer, unless a send is under way.
    fn transmit(&mut self, connection: ConnectionId) {
        let slot = &mut self.slots[connection.slot as usize];
        let present = slot.channel.as_deref_mut();
        let Some(channel) = present.filter(|_| slot.generation == connection.generation) else {
            return;
        };
        if channel.outgoing.is_empty() || channel.session.is_none() && !channel.is_plain {
            return;
        }
        if !self.driver.is_sending(connection) {
            let out = self.driver.send_buffer();
            let filled = match &mut channel.session {
                Some(session) => channel.outgoing.fill(session, &self.shared, out),
                None => Ok(channel.outgoing.take_records(out)),
            };
            match filled {
                Ok(0) => {}
                Ok(sealed) => self.driver.submit_send(connection, sealed),
                Err(failure) => {
                    let io = Io::TlsFailed(failure);
                    self.failed.push(Event { connection, io });
                    return;
                }
            }
        }
        channel.continues = !channel.outgoing.is_empty();
        if channel.continues {
            self.driver.announce_sent(connection);
        }
    }

    /// An event of the driver below; what it means above goes to `events`.
    fn on_event(&mut self, event: Event, reaped_ns: u64, events: &mut Vec<Event>) {
        let Event { connection, io } = event;
        if let Io::Received(received) = io {
            self.on_received(connection, received, events);
            self.driver.release(received);
            return;
        }
        let Some(channel) = self.channel(connection) else {
            return;
        };
        let is_end = !matches!(
            io,
            Io::Sent | Io::SendFailed(libc::EPIPE | libc::ECONNRESET)
        );
        if channel.is_waiting && is_end {
            // The first of several ends says why.
            channel.ended.get_or_insert(io);
            return;
        }
        match (io, channel.stage) {
            (_, Stage::Over) => {}
            (Io::Connected, _) if channel.is_plain => {
                channel.stage = Stage::Open;
                events.push(event);
            }
            (Io::Connected, _) => {
                channel.stage = Stage::InHandshake;
                channel.began_ns = reaped_ns;
                self.wait_to_advance(connection);
            }
            (Io::Sent, _) => self.transmit(connection),
            (io, Stage::InHandshake) => self.on_end_in_handshake(connection, io, events),
            (io, _) => self.on_end(connection, io, events),
        }
    }

    /// An open connection ended, or one that is being opened failed to.
    fn on_end(&mut self, connection: ConnectionId, io: Io, events: &mut Vec<Event>) {
        let Some(channel) = self.channel(connection) else {
            return;
        };
        let io = match io {
            // An announced end was reported when it was announced.
            Io::Closed if !channel.is_plain => Io::Truncated,
            io => io,
        };
        // A peer that reads no more may have answered before.
        if !matches!(io, Io::SendFailed(_)) {
            channel.stage = Stage::Over;
        }
        events.push(Event { connection, io });
    }

    fn on_end_in_handshake(&mut self, connection: ConnectionId, io: Io, events: &mut Vec<Event>) {
        let failure = match io {
            Io::Closed => TlsFailure::CutInHandshake(0),
            Io::ReceiveFailed(errno) => TlsFailure::CutInHandshake(errno),
            // The receiving side is about to report how the connection ended.
            Io::SendFailed(libc::EPIPE | libc::ECONNRESET) => return,
            Io::SendFailed(errno) => {
                let io = Io::ConnectFailed(errno);
                return self.end(connection, io, events);
            }
            _ => return,
        };
        self.end(connection, Io::TlsFailed(failure), events);
    }

    /// Reports the end of a connection.
    fn end(&mut self, connection: ConnectionId, io: Io, events: &mut Vec<Event>) {
        if let Some(channel) = self.channel(connection) {
            channel.stage = Stage::Over;
            events.push(Event { connection, io });
        }
    }

    /// The handshake can go a step further, in this turn or the next.
    fn wait_to_advance(&mut self, connection: ConnectionId) {
        if let Some(channel) = self.channel(connection)
            && !channel.is_waiting
        {
            channel.is_waiting = true;
            self.to_advance.push_back(connection);
        }
    }

    fn on_received(
        &mut self,
        connection: ConnectionId,
        received: Received,
        events: &mut Vec<Event>,
    ) {
        let slot = &mut self.slots[connection.slot as usize];
        let present = slot.channel.as_deref_mut();
        let Some(channel) = present.filter(|_| slot.generation == connection.generation) else {
            return;
        };
        if channel.is_plain {
            let from = self.plain.len();
            let bytes = self.driver.received(received);
            self.plain.extend_from_slice(bytes);
            return self.report(connection, from, events);
        }
        let Some(session) = &mut channel.session else {
            return;
        };
        match channel.stage {
            Stage::Open => {}
            Stage::InHandshake => {
                let bytes = self.driver.received(received);
                session.carry(bytes, &mut self.pool);
                return self.wait_to_advance(connection);
            }
            Stage::Connecting | Stage::Over => return,
        }
        let bytes = self.driver.received_mut(received);
        let from = self.plain.len();
        let mut sinks = Sinks {
            plain: &mut self.plain,
            records: &mut channel.outgoing.records,
        };
        session.on_received(bytes, &mut self.pool, &mut sinks);
        self.report(connection, from, events);
    }

    /// Reports the text of a connection from `from` on, and what has become of its session.
    fn report(&mut self, connection: ConnectionId, from: usize, events: &mut Vec<Event>) {
        let bytes = self.plain.len() - from;
        if bytes > 0 {
            let io = Io::Received(Received {
                buffer: from as u32,
                bytes: bytes as u32,
            });
            self.lent += 1;
            events.push(Event { connection, io });
        }
        let Some(channel) = self.channel(connection) else {
            return;
        };
        let state = channel.session.as_ref().map(Session::state);
        let has_records = !channel.outgoing.records.is_empty();
        match state {
            Some(State::PeerClosed) => self.end(connection, Io::Closed, events),
            Some(State::Failed(failure)) => {
                self.end(connection, Io::TlsFailed(failure), events);
            }
            Some(_) if has_records => self.to_send.push(connection),
            _ => {}
        }
    }

    /// The handshakes that wait go a step further each, up to a bound.
    fn advance_waiting(&mut self, events: &mut Vec<Event>) {
        for _ in 0..HANDSHAKE_STEPS_MAX {
            let Some(connection) = self.to_advance.pop_front() else {
                return;
            };
            self.advance(connection, events);
        }
    }

    fn advance(&mut self, connection: ConnectionId, events: &mut Vec<Event>) {
        let slot = &mut self.slots[connection.slot as usize];
        let present = slot.channel.as_deref_mut();
        let Some(channel) = present.filter(|_| slot.generation == connection.generation) else {
            return;
        };
        channel.is_waiting = false;
        if channel.session.is_none() {
            let Some(client) = &self.clients[channel.target] else {
                return;
            };
            match Session::new(client) {
                Ok(session) => channel.session = Some(session),
                Err(failure) => return self.end(connection, Io::TlsFailed(failure), events),
            }
        }
        let Some(session) = &mut channel.session else {
            return;
        };
        let from = self.plain.len();
        let mut sinks = Sinks {
            plain: &mut self.plain,
            records: &mut channel.outgoing.records,
        };
        session.take_carried(&mut self.pool, &mut sinks);
        let is_done = matches!(session.state(), State::Open | State::PeerClosed);
        if is_done && channel.stage == Stage::InHandshake {
            channel.stage = Stage::Open;
            channel.done_ns = self.driver.now_ns();
            let io = Io::Connected;
            events.push(Event { connection, io });
        }
        let ended = channel.ended.take();
        self.report(connection, from, events);
        if let Some(io) = ended {
            self.on_event(Event { connection, io }, 0, events);
        }
    }
}

impl<D: Driver> Driver for Tls<D> {
    fn now_ns(&self) -> u64 {
        self.driver.now_ns()
    }

    fn submit_connect(&mut self, connection: ConnectionId, route: usize) {
        let target = route % self.clients.len();
        let is_plain = self.clients[target].is_none();
        self.slots[connection.slot as usize] = Slot {
            generation: connection.generation,
            channel: Some(Box::new(Channel::new(target, is_plain))),
        };
        self.driver.submit_connect(connection, route);
    }

    fn send_buffer(&mut self) -> &mut [u8] {
        &mut self.rendered
    }

    fn submit_send(&mut self, connection: ConnectionId, bytes: usize) {
        self.send(connection, bytes, &[]);
    }

    fn submit_send_around(&mut self, connection: ConnectionId, bytes: usize, inserts: &[Insert]) {
        self.send(connection, bytes, inserts);
    }

    /// No driver stands above that would ask for it: nothing is announced.
    fn announce_sent(&mut self, _connection: ConnectionId) {}

    fn is_sending(&self, connection: ConnectionId) -> bool {
        self.channel_ref(connection).is_some_and(|channel| {
            channel.has_carried && (channel.continues || self.driver.is_sending(connection))
        })
    }

    fn flushed_ns(&mut self) -> Option<u64> {
        self.driver.flushed_ns()
    }

    fn finish(&mut self) {
        for slot in 0..self.slots.len() {
            let generation = self.slots[slot].generation;
            self.say_goodbye(ConnectionId {
                slot: slot as u32,
                generation,
            });
        }
        self.driver.finish();
    }

    fn close(&mut self, connection: ConnectionId) {
        self.say_goodbye(connection);
        self.forget(connection);
        self.driver.close(connection);
    }

    fn close_after_fin(&mut self, connection: ConnectionId) {
        self.say_goodbye(connection);
        self.forget(connection);
        self.driver.close_after_fin(connection);
    }

    fn wait(&mut self, deadline_ns: u64, events: &mut Vec<Event>) -> Turn {
        while let Some(connection) = self.to_send.pop() {
            self.transmit(connection);
        }
        if self.lent == 0 {
            self.plain.clear();
        }
        let has_work = !self.to_advance.is_empty() || !self.failed.is_empty();
        let deadline_ns = if has_work { 0 } else { deadline_ns };
        let mut below = std::mem::take(&mut self.below);
        let turn = self.driver.wait(deadline_ns, &mut below);
        events.append(&mut self.failed);
        for event in below.drain(..) {
            self.on_event(event, turn.reaped_ns, events);
        }
        self.below = below;
        self.advance_waiting(events);
        turn
    }

    fn received(&self, received: Received) -> &[u8] {
        &self.plain[received.buffer as usize..][..received.bytes as usize]
    }

    fn received_mut(&mut self, received: Received) -> &mut [u8] {
        &mut self.plain[received.buffer as usize..][..received.bytes as usize]
    }

    fn handshake(&self, connection: ConnectionId) -> Option<Handshake> {
        let channel = self.channel_ref(connection)?;
        Some(Handshake {
            began_ns: channel.began_ns,
            done_ns: channel.done_ns,
            is_resumed: channel.session.as_ref()?.is_resumed()?,
        })
    }

    fn is_in_handshake(&self, connection: ConnectionId) -> bool {
        let channel = self.channel_ref(connection);
        channel.is_some_and(|it| it.stage == Stage::InHandshake)
    }

    fn release(&mut self, _received: Received) {
        self.lent -= 1;
    }

    fn overflows(&self) -> u64 {
        self.driver.overflows()
    }
}
