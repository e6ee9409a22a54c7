//! The driver: a virtual clock, and connections to the service.

use std::sync::Arc;

use super::injector::{Faults, Injector};
use super::network::{Fault, Network};
use super::schedule::{Happening, Schedule};
use super::service::{Reply, Service};
use crate::io::{
    ConnectionId, Driver, DriverConfig, EVENTS_MAX, Event, Insert, Io, Received, Turn,
};

/// Errors of a connect other than a refusal: no descriptor, no port, no memory, no route, no answer to the packets.
const CONNECT_ERRNOS: [i32; 6] = [
    libc::EMFILE,
    libc::EADDRNOTAVAIL,
    libc::ENOBUFS,
    libc::ENETUNREACH,
    libc::EHOSTUNREACH,
    libc::ETIMEDOUT,
];
/// Errors of a send. The first two mean that the peer is gone.
const SEND_ERRNOS: [i32; 4] = [
    libc::EPIPE,
    libc::ECONNRESET,
    libc::ENOBUFS,
    libc::ECANCELED,
];

/// A driver without a kernel, on a virtual clock.
pub struct Sim<S> {
    /// The server. Tests read from it what it saw.
    pub service: S,
    pub(super) injector: Injector,
    pub(super) clock_ns: u64,
    pub(super) connections: Vec<Connection>,
    pub(super) schedule: Schedule,
    request: Vec<u8>,
    shared: Vec<Arc<Vec<u8>>>,
    buffers: Vec<Vec<u8>>,
    free: Vec<u32>,
    replies: Vec<Reply>,
    digest: u64,
    overflows: u64,
}

/// What the simulation keeps of a slot's present connection.
#[derive(Clone, Default)]
pub(super) struct Connection {
    generation: u32,
    open: bool,
    connecting: bool,
    sending: bool,
    announces_sent: bool,
    /// The end of the stream was reported to the client.
    ended: bool,
    /// A reply is lost, and so is everything after it.
    pub lost: bool,
    /// Arrival of the last bytes at the server; later bytes arrive no earlier.
    to_server_ns: u64,
    /// Likewise at the client.
    pub to_client_ns: u64,
}

impl<S: Service> Sim<S> {
    /// A simulation at time 0. The same `seed`, service and calls give the same events.
    pub fn new(config: &DriverConfig, service: S, network: Network, seed: u64) -> Self {
        Self {
            service,
            injector: Injector::new(network, seed),
            clock_ns: 0,
            connections: vec![Connection::default(); config.slots],
            schedule: Schedule::default(),
            request: vec![0; config.rendered_bytes_max],
            shared: config.shared.clone(),
            buffers: Vec::new(),
            free: Vec::new(),
            replies: Vec::new(),
            digest: 0xcbf2_9ce4_8422_2325,
            overflows: 0,
        }
    }

    /// A hash of all events returned so far, with their times (FNV-1a).
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// How often each fault has happened so far.
    pub fn faults(&self) -> &Faults {
        &self.injector.fired
    }

    /// Puts the clock forward, as if the client had worked for this long.
    pub fn spend(&mut self, ns: u64) {
        self.clock_ns += ns;
    }

    /// Number of received buffers that are not released.
    pub fn buffers_out(&self) -> usize {
        self.buffers.len() - self.free.len()
    }

    fn happen(&mut self, connection: ConnectionId, happening: Happening, events: &mut Vec<Event>) {
        let state = &mut self.connections[connection.slot as usize];
        let live = state.open && state.generation == connection.generation;
        let is_of_send = matches!(
            happening,
            Happening::ToServer { .. } | Happening::NotSent(_)
        );
        if live && state.ended && !is_of_send {
            return;
        }
        let io = match happening {
            Happening::ToServer { bytes, last } => {
                if !live {
                    return;
                }
                state.sending &= !last;
                let is_awaited = last && std::mem::take(&mut state.announces_sent);
                self.serve(connection, &bytes);
                if !is_awaited {
                    return;
                }
                Io::Sent
            }
            _ if !live && !self.injector.hits(Fault::Stale) => return,
            Happening::Connected => {
                if live {
                    state.connecting = false;
                    self.service.on_connect(connection, self.clock_ns);
                }
                Io::Connected
            }
            Happening::NotConnected(errno) => Io::ConnectFailed(errno),
            Happening::NotSent(errno) => {
                if live {
                    state.sending = false;
                }
                Io::SendFailed(errno)
            }
            Happening::ToClient(bytes) => Io::Received(self.fill_buffer(bytes)),
            Happening::Closed => Io::Closed,
            Happening::Reset(errno) => Io::ReceiveFailed(errno),
        };
        if live {
            let ends = matches!(io, Io::Closed | Io::ReceiveFailed(_));
            self.connections[connection.slot as usize].ended |= ends;
        }
        self.note(connection, io);
        events.push(Event { connection, io });
    }

    /// The kernel could not take all of a request. When the peer is gone, reading ends too.
    fn fail_send(&mut self, at_ns: u64, connection: ConnectionId) {
        let errno = self.injector.dice.pick(&SEND_ERRNOS);
        self.schedule
            .add(at_ns, connection, Happening::NotSent(errno));
        if matches!(errno, libc::EPIPE | libc::ECONNRESET) {
            let end = self.any_end();
            let after_ns = self.injector.jitter_ns();
            self.schedule.add(at_ns + after_ns, connection, end);
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
            Io::Sent => 6,
            Io::Truncated | Io::TlsFailed(_) => 7,
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
        let at_ns = self.clock_ns + 2 * self.injector.travel_ns();
        if self.injector.hits(Fault::BlackHole) {
            return;
        }
        let happening = if self.injector.hits(Fault::Refuse) {
            Happening::NotConnected(libc::ECONNREFUSED)
        } else if self.injector.hits(Fault::ConnectFails) {
            Happening::NotConnected(self.injector.dice.pick(&CONNECT_ERRNOS))
        } else {
            Happening::Connected
        };
        self.schedule.add(at_ns, connection, happening);
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
        let travel_ns = self.injector.travel_ns();
        let fails = self.injector.hits(Fault::SendFails);
        if fails {
            self.injector.shorten(&mut rest);
        }
        let state = &mut self.connections[connection.slot as usize];
        state.sending = true;
        let mut at_ns = (self.clock_ns + travel_ns).max(state.to_server_ns);
        while rest.len() > 1 && self.injector.hits(Fault::SplitWrites) {
            let later = self.injector.split_off(&mut rest);
            let happening = Happening::ToServer {
                bytes: rest,
                last: false,
            };
            self.schedule.add(at_ns, connection, happening);
            at_ns += self.injector.jitter_ns();
            rest = later;
        }
        self.connections[connection.slot as usize].to_server_ns = at_ns;
        let happening = Happening::ToServer {
            bytes: rest,
            last: !fails,
        };
        self.schedule.add(at_ns, connection, happening);
        if fails {
            self.fail_send(at_ns, connection);
        }
    }

    fn announce_sent(&mut self, connection: ConnectionId) {
        let state = &mut self.connections[connection.slot as usize];
        state.announces_sent = state.generation == connection.generation && state.sending;
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
        // A ring reports the end of every operation under way, though the connection is closed.
        let at_ns = self.clock_ns + self.injector.jitter_ns();
        if connecting {
            self.schedule
                .add(at_ns, connection, Happening::NotConnected(libc::ECANCELED));
        } else {
            let cancelled = self.injector.dice.hits(0.5);
            let end = match cancelled {
                true => Happening::Reset(libc::ECANCELED),
                false => Happening::Closed,
            };
            self.schedule.add(at_ns, connection, end);
        }
        if sending {
            self.schedule
                .add(at_ns, connection, Happening::NotSent(libc::ECANCELED));
        }
    }

    fn wait(&mut self, deadline_ns: u64, events: &mut Vec<Event>) -> Turn {
        let submitted_ns = self.clock_ns;
        self.clock_ns += self.injector.network.turn_ns;
        if self.injector.hits(Fault::Block) {
            self.clock_ns += self.injector.network.block_ns;
        }
        let idle_from_ns = self.clock_ns;
        if self.injector.hits(Fault::Jump) {
            self.clock_ns += self.injector.network.jump_ns;
        }
        let before = events.len();
        let full = self.injector.hits(Fault::Full);
        let enough = before + if full { 1 } else { EVENTS_MAX };
        self.overflows += u64::from(full);
        while events.len() < enough {
            match self.schedule.next_ns() {
                Some(next_ns) if next_ns <= self.clock_ns => {
                    let Some((connection, happening)) = self.schedule.take() else {
                        break;
                    };
                    self.happen(connection, happening, events);
                }
                // Everything due now is one batch; the next time ends the sleep.
                _ if events.len() > before => break,
                Some(next_ns) if next_ns <= deadline_ns => self.clock_ns = next_ns,
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

    fn received_mut(&mut self, received: Received) -> &mut [u8] {
        &mut self.buffers[received.buffer as usize]
    }

    fn release(&mut self, received: Received) {
        debug_assert!(
            !self.free.contains(&received.buffer),
            "a buffer is released once"
        );
        self.free.push(received.buffer);
    }

    fn overflows(&self) -> u64 {
        self.overflows
    }
}
