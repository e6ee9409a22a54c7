//! The same trait by dice: a virtual clock, a network that can misbehave, and a service that a test supplies.
//!
//! 1. Everything that will happen stands in one heap, ordered by time, then by the order in which it was decided.
//! 2. `wait` takes from the heap until something concerns the client or the deadline comes, and sets the clock to it.
//! 3. Bytes travel half a round trip each way and never overtake each other on a connection; after its end none come.
//! 4. All misfortune is drawn from one seeded stream, so that a seed is a whole story: the same [`Sim::digest`] again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

mod faults;

pub use faults::{Dice, Fault, Faults, Network};

use crate::io::token::ConnectionId;
use crate::io::{Driver, DriverConfig, EVENTS_MAX, Event, Insert, Io, Received, Turn};
use faults::Misfortune;

/// The server of a simulation: bytes in, bytes out, at a virtual time.
pub trait Service {
    /// A connection was opened.
    fn on_connect(&mut self, connection: ConnectionId, now_ns: u64);
    /// Bytes arrived; what is to be done about them is appended to `replies`, in order.
    fn on_bytes(
        &mut self,
        connection: ConnectionId,
        bytes: &[u8],
        now_ns: u64,
        replies: &mut Vec<Reply>,
    );
    /// The client has closed.
    fn on_close(&mut self, connection: ConnectionId);
}

/// What a service does after a delay in nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Sends bytes.
    Bytes(u64, Vec<u8>),
    /// Ends its side of the connection (FIN).
    Close(u64),
    /// Resets the connection.
    Reset(u64),
}

/// A driver with neither kernel nor clock.
pub struct Sim<S> {
    /// The other side; open to tests, which ask it what it saw.
    pub service: S,
    misfortune: Misfortune,
    clock_ns: u64,
    connections: Vec<Connection>,
    agenda: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
    request: Vec<u8>,
    shared: Vec<Arc<Vec<u8>>>,
    buffers: Vec<Vec<u8>>,
    free: Vec<u32>,
    replies: Vec<Reply>,
    digest: u64,
    overflows: u64,
}

#[derive(Clone, Default)]
struct Connection {
    generation: u32,
    open: bool,
    connecting: bool,
    sending: bool,
    /// The client has been told that nothing more will come.
    ended: bool,
    /// A part of what goes to the client is lost, and with it all that is behind it.
    lost: bool,
    /// Arrival of the last bytes in each direction: later ones do not overtake them.
    to_server_ns: u64,
    to_client_ns: u64,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at_ns: u64,
    sequence: u64,
    connection: (u32, u32),
    what: What,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Connected,
    NotConnected(i32),
    ToServer { bytes: Vec<u8>, last: bool },
    NotSent(i32),
    ToClient(Vec<u8>),
    Closed,
    Reset(i32),
}

/// Why a connect fails, other than by a refusal: no descriptor, no port, no memory, no way, no answer to the packets.
const CONNECT_ERRNOS: [i32; 6] = [
    libc::EMFILE,
    libc::EADDRNOTAVAIL,
    libc::ENOBUFS,
    libc::ENETUNREACH,
    libc::EHOSTUNREACH,
    libc::ETIMEDOUT,
];
/// Why a request cannot be sent. The first two mean that the peer is gone.
const SEND_ERRNOS: [i32; 4] = [
    libc::EPIPE,
    libc::ECONNRESET,
    libc::ENOBUFS,
    libc::ECANCELED,
];
/// Why reading ends before the stream does.
const RESET_ERRNOS: [i32; 4] = [
    libc::ECONNRESET,
    libc::ECONNRESET,
    libc::ETIMEDOUT,
    libc::ECANCELED,
];
/// What a connection can bring that nobody asked for: none of it is the beginning of an answer.
const SURPLUS: [&[u8]; 4] = [b"\r\n", b"garbage", b"\0", b"HTTP/2 200\r\n\r\n"];
/// How long after a reply a connection may end.
const IDLE_NS_MAX: u64 = 1_000_000_000;

impl<S: Service> Sim<S> {
    /// A quiet world at time 0. The same `seed`, service and calls give the same events.
    pub fn new(config: &DriverConfig, service: S, network: Network, seed: u64) -> Self {
        Self {
            service,
            misfortune: Misfortune::new(network, seed),
            clock_ns: 0,
            connections: vec![Connection::default(); config.slots],
            agenda: BinaryHeap::new(),
            sequence: 0,
            request: vec![0; config.rendered_bytes_max],
            shared: config.shared.clone(),
            buffers: Vec::new(),
            free: Vec::new(),
            replies: Vec::new(),
            digest: 0xcbf2_9ce4_8422_2325,
            overflows: 0,
        }
    }

    /// A fingerprint of every event handed over so far, with its time (FNV-1a).
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// How often each fault has happened so far.
    pub fn faults(&self) -> &Faults {
        &self.misfortune.fired
    }

    /// The client works for so long.
    pub fn spend(&mut self, ns: u64) {
        self.clock_ns += ns;
    }

    /// Buffers handed over and not yet released.
    pub fn buffers_out(&self) -> usize {
        self.buffers.len() - self.free.len()
    }

    fn plan(&mut self, at_ns: u64, connection: ConnectionId, what: What) {
        self.sequence += 1;
        self.agenda.push(Reverse(Entry {
            at_ns,
            sequence: self.sequence,
            connection: (connection.slot, connection.generation),
            what,
        }));
    }

    fn travel_ns(&mut self) -> u64 {
        self.misfortune.network.one_way_ns + self.misfortune.jitter_ns()
    }

    /// Something is sent to the client: decides when it arrives, and what of it.
    fn reply(&mut self, connection: ConnectionId, reply: Reply) {
        let delay_ns = match &reply {
            Reply::Bytes(ns, _) | Reply::Close(ns) | Reply::Reset(ns) => *ns,
        };
        let travel_ns = self.travel_ns();
        let state = &mut self.connections[connection.slot as usize];
        if state.lost {
            return;
        }
        let at_ns = (self.clock_ns + delay_ns + travel_ns).max(state.to_client_ns);
        state.to_client_ns = at_ns;
        match reply {
            Reply::Close(_) => self.plan(at_ns, connection, What::Closed),
            Reply::Reset(_) => self.plan(at_ns, connection, What::Reset(libc::ECONNRESET)),
            Reply::Bytes(_, bytes) => self.deliver(at_ns, connection, bytes),
        }
    }

    fn deliver(&mut self, at_ns: u64, connection: ConnectionId, mut bytes: Vec<u8>) {
        if self.misfortune.hits(Fault::Lose) {
            self.connections[connection.slot as usize].lost = true;
            return;
        }
        if self.misfortune.hits(Fault::Garble) {
            bytes[0] = self.misfortune.dice.below(256) as u8;
        }
        let reset = self.misfortune.hits(Fault::Reset);
        let cut = self.misfortune.hits(Fault::Cut);
        if reset || cut {
            self.shorten(&mut bytes);
        }
        let mut at_ns = at_ns;
        loop {
            if self.misfortune.hits(Fault::Stall) {
                at_ns += self.misfortune.dice.below(self.misfortune.network.stall_ns);
            }
            if bytes.len() < 2 || !self.misfortune.hits(Fault::SplitReads) {
                break;
            }
            let rest = self.split_off(&mut bytes);
            self.plan(at_ns, connection, What::ToClient(bytes));
            at_ns += self.misfortune.jitter_ns();
            bytes = rest;
        }
        if !bytes.is_empty() {
            self.plan(at_ns, connection, What::ToClient(bytes));
        }
        self.connections[connection.slot as usize].to_client_ns = at_ns;
        if reset || cut {
            let end = self.end(reset);
            self.plan(at_ns, connection, end);
        } else {
            self.after_reply(at_ns, connection);
        }
    }

    /// Leaves nothing of a reply, or any part of it: before the head, in the head, in the body.
    fn shorten(&mut self, bytes: &mut Vec<u8>) {
        let length = bytes.len() as u64;
        let kept = match self.misfortune.dice.below(3) {
            0 => 0,
            _ => self.misfortune.dice.below(length + 1),
        };
        bytes.truncate(kept as usize);
    }

    /// Cuts bytes in two, neither of them empty.
    fn split_off(&mut self, bytes: &mut Vec<u8>) -> Vec<u8> {
        let at = 1 + self.misfortune.dice.below(bytes.len() as u64 - 1);
        bytes.split_off(at as usize)
    }

    fn end(&mut self, reset: bool) -> What {
        match reset {
            true => What::Reset(self.misfortune.dice.pick(&RESET_ERRNOS)),
            false => What::Closed,
        }
    }

    /// A whole reply arrives at `at_ns`: what comes unasked behind it.
    fn after_reply(&mut self, at_ns: u64, connection: ConnectionId) {
        if self.misfortune.hits(Fault::Surplus) {
            let bytes = self.misfortune.dice.pick(&SURPLUS).to_vec();
            let after_ns = self.misfortune.jitter_ns();
            self.plan(at_ns + after_ns, connection, What::ToClient(bytes));
        }
        if self.misfortune.hits(Fault::IdleEnd) {
            let after_ns = self.misfortune.dice.below(IDLE_NS_MAX);
            let reset = self.misfortune.dice.hits(0.5);
            let end = self.end(reset);
            self.plan(at_ns + after_ns, connection, end);
        }
    }

    fn happen(&mut self, entry: Entry, events: &mut Vec<Event>) {
        let connection = ConnectionId {
            slot: entry.connection.0,
            generation: entry.connection.1,
        };
        let state = &mut self.connections[connection.slot as usize];
        let live = state.open && state.generation == connection.generation;
        if live && state.ended && !matches!(entry.what, What::ToServer { .. } | What::NotSent(_)) {
            return;
        }
        let io = match entry.what {
            What::ToServer { bytes, last } => {
                if live {
                    state.sending &= !last;
                    self.serve(connection, &bytes);
                }
                return;
            }
            _ if !live && !self.misfortune.hits(Fault::Stale) => return,
            What::Connected => {
                if live {
                    state.connecting = false;
                    self.service.on_connect(connection, self.clock_ns);
                }
                Io::Connected
            }
            What::NotConnected(errno) => Io::ConnectFailed(errno),
            What::NotSent(errno) => {
                if live {
                    state.sending = false;
                }
                Io::SendFailed(errno)
            }
            What::ToClient(bytes) => Io::Received(self.fill_buffer(bytes)),
            What::Closed => Io::Closed,
            What::Reset(errno) => Io::ReceiveFailed(errno),
        };
        if live {
            let ends = matches!(io, Io::Closed | Io::ReceiveFailed(_));
            self.connections[connection.slot as usize].ended |= ends;
        }
        self.note(connection, io);
        events.push(Event { connection, io });
    }

    /// The kernel could not take all of a request. When the peer is gone, the reading side hears of it too.
    fn fail_send(&mut self, at_ns: u64, connection: ConnectionId) {
        let errno = self.misfortune.dice.pick(&SEND_ERRNOS);
        self.plan(at_ns, connection, What::NotSent(errno));
        if matches!(errno, libc::EPIPE | libc::ECONNRESET) {
            let reset = self.misfortune.dice.hits(0.5);
            let end = self.end(reset);
            let after_ns = self.misfortune.jitter_ns();
            self.plan(at_ns + after_ns, connection, end);
        }
    }

    fn serve(&mut self, connection: ConnectionId, bytes: &[u8]) {
        let mut replies = std::mem::take(&mut self.replies);
        self.service
            .on_bytes(connection, bytes, self.clock_ns, &mut replies);
        for reply in replies.drain(..) {
            self.reply(connection, reply);
        }
        self.replies = replies;
    }

    fn fill_buffer(&mut self, bytes: Vec<u8>) -> Received {
        let received_bytes = bytes.len() as u32;
        let buffer = self.free.pop().unwrap_or_else(|| {
            self.buffers.push(Vec::new());
            self.buffers.len() as u32 - 1
        });
        self.buffers[buffer as usize] = bytes;
        Received {
            buffer,
            bytes: received_bytes,
        }
    }

    fn note(&mut self, connection: ConnectionId, io: Io) {
        let kind = match io {
            Io::Connected => 1,
            Io::ConnectFailed(_) => 2,
            Io::Received(received) => 16 + u64::from(received.bytes),
            Io::Closed => 3,
            Io::ReceiveFailed(_) => 4,
            Io::SendFailed(_) => 5,
        };
        let place = u64::from(connection.slot) << 32 | u64::from(connection.generation);
        for word in [self.clock_ns, place, kind] {
            for byte in word.to_le_bytes() {
                self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
            }
        }
    }
}

impl<S: Service> Driver for Sim<S> {
    fn now_ns(&self) -> u64 {
        self.clock_ns
    }

    fn submit_connect(&mut self, connection: ConnectionId, _route: usize) {
        self.connections[connection.slot as usize] = Connection {
            generation: connection.generation,
            open: true,
            connecting: true,
            ..Connection::default()
        };
        let at_ns = self.clock_ns + 2 * self.travel_ns();
        if self.misfortune.hits(Fault::BlackHole) {
            return;
        }
        let what = if self.misfortune.hits(Fault::Refuse) {
            What::NotConnected(libc::ECONNREFUSED)
        } else if self.misfortune.hits(Fault::ConnectFails) {
            What::NotConnected(self.misfortune.dice.pick(&CONNECT_ERRNOS))
        } else {
            What::Connected
        };
        self.plan(at_ns, connection, what);
    }

    fn send_buffer(&mut self) -> &mut [u8] {
        &mut self.request
    }

    fn submit_send(&mut self, connection: ConnectionId, bytes: usize) {
        self.submit_send_around(connection, bytes, &[]);
    }

    fn submit_send_around(&mut self, connection: ConnectionId, bytes: usize, inserts: &[Insert]) {
        let mut rest = Vec::new();
        let mut at = 0;
        for insert in inserts {
            rest.extend_from_slice(&self.request[at..insert.at]);
            rest.extend_from_slice(&self.shared[insert.shared]);
            at = insert.at;
        }
        rest.extend_from_slice(&self.request[at..bytes]);
        let travel_ns = self.travel_ns();
        let fails = self.misfortune.hits(Fault::SendFails);
        if fails {
            self.shorten(&mut rest);
        }
        let state = &mut self.connections[connection.slot as usize];
        state.sending = true;
        let mut at_ns = (self.clock_ns + travel_ns).max(state.to_server_ns);
        while rest.len() > 1 && self.misfortune.hits(Fault::SplitWrites) {
            let later = self.split_off(&mut rest);
            let what = What::ToServer {
                bytes: rest,
                last: false,
            };
            self.plan(at_ns, connection, what);
            at_ns += self.misfortune.jitter_ns();
            rest = later;
        }
        self.connections[connection.slot as usize].to_server_ns = at_ns;
        let what = What::ToServer {
            bytes: rest,
            last: !fails,
        };
        self.plan(at_ns, connection, what);
        if fails {
            self.fail_send(at_ns, connection);
        }
    }

    fn is_sending(&self, connection: ConnectionId) -> bool {
        let state = &self.connections[connection.slot as usize];
        state.generation == connection.generation && state.sending
    }

    fn close(&mut self, connection: ConnectionId) {
        let state = &mut self.connections[connection.slot as usize];
        if state.generation != connection.generation || !state.open {
            return;
        }
        state.open = false;
        let (connecting, sending) = (state.connecting, state.sending);
        self.service.on_close(connection);
        // A ring reports the end of every operation that was armed: completions that nobody waits for any more.
        let at_ns = self.clock_ns + self.misfortune.jitter_ns();
        if connecting {
            self.plan(at_ns, connection, What::NotConnected(libc::ECANCELED));
        } else {
            let cancelled = self.misfortune.dice.hits(0.5);
            let end = match cancelled {
                true => What::Reset(libc::ECANCELED),
                false => What::Closed,
            };
            self.plan(at_ns, connection, end);
        }
        if sending {
            self.plan(at_ns, connection, What::NotSent(libc::ECANCELED));
        }
    }

    fn wait(&mut self, deadline_ns: u64, events: &mut Vec<Event>) -> Turn {
        let submitted_ns = self.clock_ns;
        self.clock_ns += self.misfortune.network.turn_ns;
        if self.misfortune.hits(Fault::Block) {
            self.clock_ns += self.misfortune.network.block_ns;
        }
        let idle_from_ns = self.clock_ns;
        if self.misfortune.hits(Fault::Jump) {
            self.clock_ns += self.misfortune.network.jump_ns;
        }
        let before = events.len();
        let full = self.misfortune.hits(Fault::Full);
        let enough = before + if full { 1 } else { EVENTS_MAX };
        self.overflows += u64::from(full);
        while events.len() < enough {
            match self.agenda.peek() {
                Some(Reverse(next)) if next.at_ns <= self.clock_ns => {
                    let Some(Reverse(entry)) = self.agenda.pop() else {
                        break;
                    };
                    self.happen(entry, events);
                }
                // What is due now comes in one batch; what is due later ends the sleep.
                _ if events.len() > before => break,
                Some(Reverse(next)) if next.at_ns <= deadline_ns => self.clock_ns = next.at_ns,
                _ => {
                    self.clock_ns = self.clock_ns.max(deadline_ns);
                    break;
                }
            }
        }
        Turn {
            submitted_ns,
            idle_from_ns,
            reaped_ns: self.clock_ns,
        }
    }

    fn received(&self, received: Received) -> &[u8] {
        &self.buffers[received.buffer as usize]
    }

    fn release(&mut self, received: Received) {
        debug_assert!(!self.free.contains(&received.buffer), "released twice");
        self.free.push(received.buffer);
    }

    fn overflows(&self) -> u64 {
        self.overflows
    }
}
