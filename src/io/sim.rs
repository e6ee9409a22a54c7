//! The same trait by dice: a virtual clock, a network that can misbehave, and a service that a test supplies.
//!
//! 1. Everything that will happen stands in one heap, ordered by time, then by the order in which it was decided.
//! 2. `wait` takes from the heap until something concerns the client or the deadline comes, and sets the clock to it.
//! 3. Bytes travel half a round trip each way and never overtake each other on a connection.
//! 4. All misfortune is drawn from one seeded stream, so that a seed is a whole story: the same [`Sim::digest`] again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::token::ConnectionId;
use super::{Driver, DriverConfig, EVENTS_MAX, Event, Io, Received, Turn};

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

/// How the network behaves. Chances are from 0 to 1, each drawn anew at every opportunity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network {
    /// Half a round trip.
    pub one_way_ns: u64,
    /// Up to this much more, evenly drawn.
    pub jitter_ns: u64,
    /// A connect is refused.
    pub refuse: f64,
    /// A reply is cut short by a reset.
    pub reset: f64,
    /// A reply is cut short by the end of the stream.
    pub cut: f64,
    /// A reply's first byte is another.
    pub garble: f64,
    /// A reply arrives in pieces.
    pub split_reads: f64,
    /// A request arrives in pieces, its sending unfinished meanwhile.
    pub split_writes: f64,
    /// A reply is lost for good: only a timeout can tell.
    pub lose: f64,
    /// Events of a closed connection arrive after its slot is in use again.
    pub stale: f64,
    /// A turn takes `block_ns` longer, as when the machine was busy elsewhere.
    pub block: f64,
    /// See `block`.
    pub block_ns: u64,
}

impl Network {
    /// Nothing goes wrong and everything takes the same time.
    pub const fn calm(one_way_ns: u64) -> Self {
        Self {
            one_way_ns,
            jitter_ns: 0,
            refuse: 0.0,
            reset: 0.0,
            cut: 0.0,
            garble: 0.0,
            split_reads: 0.0,
            split_writes: 0.0,
            lose: 0.0,
            stale: 0.0,
            block: 0.0,
            block_ns: 0,
        }
    }
}

/// A driver with neither kernel nor clock.
pub struct Sim<S> {
    /// The other side; open to tests, which ask it what it saw.
    pub service: S,
    network: Network,
    clock_ns: u64,
    dice: Dice,
    connections: Vec<Connection>,
    agenda: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
    request: Vec<u8>,
    buffers: Vec<Vec<u8>>,
    free: Vec<u32>,
    replies: Vec<Reply>,
    digest: u64,
}

#[derive(Clone, Default)]
struct Connection {
    generation: u32,
    open: bool,
    sending: bool,
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
    Refused,
    ToServer { bytes: Vec<u8>, last: bool },
    ToClient(Vec<u8>),
    Closed,
    Reset,
}

impl<S: Service> Sim<S> {
    /// A quiet world at time 0. The same `seed`, service and calls give the same events.
    pub fn new(config: &DriverConfig, service: S, network: Network, seed: u64) -> Self {
        Self {
            service,
            network,
            clock_ns: 0,
            dice: Dice(seed),
            connections: vec![Connection::default(); config.slots],
            agenda: BinaryHeap::new(),
            sequence: 0,
            request: vec![0; config.request_bytes_max],
            buffers: Vec::new(),
            free: Vec::new(),
            replies: Vec::new(),
            digest: 0xcbf2_9ce4_8422_2325,
        }
    }

    /// A fingerprint of every event handed over so far, with its time (FNV-1a).
    pub fn digest(&self) -> u64 {
        self.digest
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
        self.network.one_way_ns + self.dice.below(self.network.jitter_ns + 1)
    }

    /// Something is sent to the client: decides when it arrives, and what of it.
    fn reply(&mut self, connection: ConnectionId, reply: Reply) {
        let delay_ns = match &reply {
            Reply::Bytes(ns, _) | Reply::Close(ns) | Reply::Reset(ns) => *ns,
        };
        let travel_ns = self.travel_ns();
        let state = &mut self.connections[connection.slot as usize];
        let at_ns = (self.clock_ns + delay_ns + travel_ns).max(state.to_client_ns);
        state.to_client_ns = at_ns;
        match reply {
            Reply::Close(_) => self.plan(at_ns, connection, What::Closed),
            Reply::Reset(_) => self.plan(at_ns, connection, What::Reset),
            Reply::Bytes(_, bytes) => self.deliver(at_ns, connection, bytes),
        }
    }

    fn deliver(&mut self, at_ns: u64, connection: ConnectionId, mut bytes: Vec<u8>) {
        if self.dice.hits(self.network.lose) {
            return;
        }
        if self.dice.hits(self.network.garble) {
            bytes[0] = self.dice.below(256) as u8;
        }
        let reset = self.dice.hits(self.network.reset);
        let cut = self.dice.hits(self.network.cut);
        if reset || cut {
            bytes.truncate(self.dice.below(bytes.len() as u64 + 1) as usize);
        }
        let mut at_ns = at_ns;
        while self.dice.hits(self.network.split_reads) && bytes.len() > 1 {
            let rest = bytes.split_off(1 + self.dice.below(bytes.len() as u64 - 1) as usize);
            self.plan(at_ns, connection, What::ToClient(bytes));
            at_ns += self.dice.below(self.network.jitter_ns + 1);
            bytes = rest;
        }
        if !bytes.is_empty() {
            self.plan(at_ns, connection, What::ToClient(bytes));
        }
        if reset {
            self.plan(at_ns, connection, What::Reset);
        } else if cut {
            self.plan(at_ns, connection, What::Closed);
        }
        self.connections[connection.slot as usize].to_client_ns = at_ns;
    }

    fn happen(&mut self, entry: Entry, events: &mut Vec<Event>) {
        let connection = ConnectionId {
            slot: entry.connection.0,
            generation: entry.connection.1,
        };
        let state = &mut self.connections[connection.slot as usize];
        let live = state.open && state.generation == connection.generation;
        if !live && !self.dice.hits(self.network.stale) {
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
            What::Connected => {
                if live {
                    self.service.on_connect(connection, self.clock_ns);
                }
                Io::Connected
            }
            What::Refused => Io::ConnectFailed(libc::ECONNREFUSED),
            What::ToClient(bytes) => Io::Received(self.fill_buffer(bytes)),
            What::Closed => Io::Closed,
            What::Reset => Io::ReceiveFailed(libc::ECONNRESET),
        };
        self.note(connection, io);
        events.push(Event { connection, io });
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

    fn submit_connect(&mut self, connection: ConnectionId, _address_index: usize) {
        self.connections[connection.slot as usize] = Connection {
            generation: connection.generation,
            open: true,
            ..Connection::default()
        };
        let at_ns = self.clock_ns + 2 * self.travel_ns();
        let what = if self.dice.hits(self.network.refuse) {
            What::Refused
        } else {
            What::Connected
        };
        self.plan(at_ns, connection, what);
    }

    fn send_buffer(&mut self) -> &mut [u8] {
        &mut self.request
    }

    fn submit_send(&mut self, connection: ConnectionId, bytes: usize) {
        let mut rest = self.request[..bytes].to_vec();
        let travel_ns = self.travel_ns();
        let state = &mut self.connections[connection.slot as usize];
        state.sending = true;
        let mut at_ns = (self.clock_ns + travel_ns).max(state.to_server_ns);
        while self.dice.hits(self.network.split_writes) && rest.len() > 1 {
            let later = rest.split_off(1 + self.dice.below(rest.len() as u64 - 1) as usize);
            let what = What::ToServer {
                bytes: rest,
                last: false,
            };
            self.plan(at_ns, connection, what);
            at_ns += self.dice.below(self.network.jitter_ns + 1);
            rest = later;
        }
        self.connections[connection.slot as usize].to_server_ns = at_ns;
        let what = What::ToServer {
            bytes: rest,
            last: true,
        };
        self.plan(at_ns, connection, what);
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
        self.service.on_close(connection);
        // A ring reports the end of the receive that was armed: a completion that nobody waits for any more.
        let at_ns = self.clock_ns + self.dice.below(self.network.jitter_ns + 1);
        self.plan(at_ns, connection, What::Closed);
    }

    fn wait(&mut self, deadline_ns: u64, events: &mut Vec<Event>) -> Turn {
        let submitted_ns = self.clock_ns;
        if self.dice.hits(self.network.block) {
            self.clock_ns += self.network.block_ns;
        }
        let idle_from_ns = self.clock_ns;
        let enough = events.len() + EVENTS_MAX;
        while events.len() < enough {
            match self.agenda.peek() {
                Some(Reverse(next)) if next.at_ns <= self.clock_ns => {
                    let Some(Reverse(entry)) = self.agenda.pop() else {
                        break;
                    };
                    self.happen(entry, events);
                }
                // What is due now comes in one batch; what is due later ends the sleep.
                _ if enough - events.len() < EVENTS_MAX => break,
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
        0
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the simulation's own, so that its dice never move with the users'.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly from 0 to below `bound`; 0 for a bound of 0.
    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    fn hits(&mut self, chance: f64) -> bool {
        chance > 0.0 && (self.next() >> 11) as f64 / (1u64 << 53) as f64 <= chance
    }
}
