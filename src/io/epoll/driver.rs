//! The epoll driver of one shard: its connections, what they write and what they read.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};

use mio::Token;
use socket2::Socket;

use super::poller::{Poller, TIMER};
use crate::io::clock::{Clock, OVERRUN_NS};
use crate::io::config::DriverConfig;
use crate::io::dial::{Blocking, Dialer, RECONNECT_PAUSE_NS, connect_unix};
use crate::io::driver::{Driver, EVENTS_MAX, Event, Insert, Io, Received, Turn};
use crate::io::lingering::Lingering;
use crate::io::send_buffers::SendBuffers;
use crate::io::token::{ConnectionId, INDEX_END};

const RECEIVE_BUFFER_BYTES: usize = 4096;
/// Marks the token of a connection that waits for its FIN: a bit that no slot has ([`INDEX_END`]). The generation is in
/// the bits above it.
const LINGERING: usize = 1 << 31;

const _: () = assert!(INDEX_END <= LINGERING && usize::BITS == 64);

/// The epoll driver of one shard.
pub struct Epoll {
    poller: Poller,
    clock: Clock,
    dialer: Dialer,
    connections: Vec<Connection>,
    lingering: Lingering,
    sends: SendBuffers,
    /// Indices of the sends to be written with the next batch.
    to_write: Vec<u32>,
    /// Connections that may have more to read than the last turn took.
    to_read: VecDeque<ConnectionId>,
    /// Connects to a Unix socket whose backlog was full, with their routes.
    to_connect: VecDeque<(ConnectionId, usize)>,
    /// Connects that failed at once.
    failed: Vec<Event>,
    receive_buffers: Vec<Box<[u8]>>,
    /// Indices of the receive buffers that are not reported.
    free: Vec<u32>,
}

/// What the driver keeps of a slot's present connection.
#[derive(Default)]
struct Connection {
    socket: Option<Socket>,
    generation: u32,
    state: State,
    /// Index of the send that is not complete.
    send: Option<u32>,
    /// The end of that send is to be reported.
    announces_sent: bool,
    /// Whether it is on the list `to_read`.
    queued: bool,
    /// The end of the peer's stream, or an error, is behind the readable bytes.
    ending: bool,
    /// The end of the stream, or the error, has been read.
    ended: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Connecting,
    Open,
}

/// A readiness event of a connection.
struct Ready {
    slot: usize,
    readable: bool,
    writable: bool,
    ending: bool,
}

impl Ready {
    fn of(event: &mio::event::Event) -> Self {
        let ending = event.is_read_closed() || event.is_error();
        Self {
            slot: event.token().0,
            readable: event.is_readable() || ending,
            writable: event.is_writable() || event.is_error(),
            ending,
        }
    }
}

impl Epoll {
    /// A poller, and receive buffers for one turn.
    ///
    /// # Errors
    /// The error of `epoll_create1`, `timerfd_create` or `epoll_ctl`, for example when no descriptor is free.
    pub fn new(config: &DriverConfig, clock: Clock) -> io::Result<Self> {
        let mut connections = Vec::new();
        connections.resize_with(config.slots, Connection::default);
        Ok(Self {
            poller: Poller::new()?,
            clock,
            dialer: Dialer::new(&config.addresses, &config.sockets),
            connections,
            lingering: Lingering::new(config.slots),
            sends: SendBuffers::new(
                config.slots.min(EVENTS_MAX),
                config.rendered_bytes_max,
                config.shared.clone(),
            ),
            to_write: Vec::with_capacity(EVENTS_MAX),
            to_read: VecDeque::with_capacity(config.slots),
            to_connect: VecDeque::new(),
            failed: Vec::new(),
            receive_buffers: (0..EVENTS_MAX)
                .map(|_| vec![0; RECEIVE_BUFFER_BYTES].into_boxed_slice())
                .collect(),
            free: (0..EVENTS_MAX as u32).collect(),
        })
    }

    /// Memory that the buffers of a driver take when all of them are in use, in bytes.
    pub fn buffer_bytes(config: &DriverConfig) -> usize {
        EVENTS_MAX * RECEIVE_BUFFER_BYTES
            + SendBuffers::bytes(config.slots.min(EVENTS_MAX), config.rendered_bytes_max)
    }

    /// Memory that is kept for each connection, with its place on the list `to_read`, in bytes.
    pub(crate) const CONNECTION_BYTES: usize = size_of::<Connection>() + size_of::<ConnectionId>();

    fn open(&mut self, connection: ConnectionId, route: usize) -> io::Result<()> {
        let address = self.dialer.address(route);
        let socket = self.dialer.open(route, Blocking::No)?;
        match socket.connect(address) {
            Ok(()) => self.poller.watch(&socket, connection.slot as usize)?,
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {
                self.poller.watch(&socket, connection.slot as usize)?;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock && address.is_unix() => {
                self.to_connect.push_back((connection, route));
            }
            Err(error) => return Err(error),
        }
        self.connections[connection.slot as usize] = Connection {
            socket: Some(socket),
            generation: connection.generation,
            state: State::Connecting,
            ..Connection::default()
        };
        Ok(())
    }

    /// Retries the connects that found the backlog of a Unix socket full, in their order.
    fn reconnect(&mut self, events: &mut Vec<Event>) {
        while let Some(&(connection, route)) = self.to_connect.front() {
            let address = self.dialer.address(route).clone();
            if let Some(socket) = self.live(connection).and_then(|state| state.socket.take()) {
                let connected = connect_unix(&socket, &address);
                let is_full = matches!(&connected, Err(e) if e.kind() == ErrorKind::WouldBlock);
                let watched =
                    connected.and_then(|()| self.poller.watch(&socket, connection.slot as usize));
                self.connections[connection.slot as usize].socket = Some(socket);
                if is_full {
                    return;
                }
                if let Err(error) = watched {
                    let io = Io::ConnectFailed(errno_of(&error));
                    events.push(Event { connection, io });
                }
            }
            self.to_connect.pop_front();
        }
    }

    /// The state of a connection that is open and still the present one of its slot.
    fn live(&mut self, connection: ConnectionId) -> Option<&mut Connection> {
        let state = &mut self.connections[connection.slot as usize];
        let live = state.generation == connection.generation && state.state != State::Closed;
        live.then_some(state)
    }

    /// Writes a send until it is complete or the socket is full.
    fn write(&mut self, index: u32, events: &mut Vec<Event>) {
        let connection = self.sends.send(index).connection;
        let state = &mut self.connections[connection.slot as usize];
        let live = state.generation == connection.generation;
        let Some(socket) = state.socket.as_mut().filter(|_| live) else {
            self.sends.release(index);
            return;
        };
        // A peer that is gone is EPIPE here, never a signal: the standard library ignores SIGPIPE at start-up.
        loop {
            let written = match self.sends.send(index).inserts {
                0 => socket.write(self.sends.rest(index)),
                _ => socket.write_vectored(self.sends.pieces(index).as_slice()),
            };
            match written {
                Ok(bytes) => {
                    if self.sends.advance(index, bytes as u32) {
                        state.send = None;
                        if std::mem::take(&mut state.announces_sent) {
                            let io = Io::Sent;
                            events.push(Event { connection, io });
                        }
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => {
                    let io = Io::SendFailed(errno_of(&error));
                    events.push(Event { connection, io });
                    state.send = None;
                    break;
                }
            }
        }
        self.sends.release(index);
    }

    /// Reads until the socket is empty, the turn is full, or the stream has ended.
    fn read(&mut self, connection: ConnectionId, events: &mut Vec<Event>) {
        loop {
            let buffer = match self.free.last() {
                Some(&buffer) if events.len() < EVENTS_MAX => buffer,
                _ => return self.read_later(connection),
            };
            let state = &mut self.connections[connection.slot as usize];
            let Some(socket) = &mut state.socket else {
                return;
            };
            let (io, bytes) = match socket.read(&mut self.receive_buffers[buffer as usize]) {
                Ok(0) => (Io::Closed, 0),
                Ok(bytes) => {
                    self.free.pop();
                    let received = Received {
                        buffer,
                        bytes: bytes as u32,
                    };
                    (Io::Received(received), bytes)
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => (Io::ReceiveFailed(errno_of(&error)), 0),
            };
            events.push(Event { connection, io });
            state.ended |= bytes == 0;
            // A short read has emptied the socket; bytes that arrive later are a new edge (epoll(7)). The end of the
            // stream is none: it may have arrived with the same edge, so it must be read for.
            let emptied = bytes < RECEIVE_BUFFER_BYTES && !state.ending;
            if bytes == 0 || emptied {
                return;
            }
        }
    }

    /// Puts the connection on the list of those to be read.
    fn read_later(&mut self, connection: ConnectionId) {
        let state = &mut self.connections[connection.slot as usize];
        if !state.queued {
            state.queued = true;
            self.to_read.push_back(connection);
        }
    }

    fn on_ready(&mut self, ready: Ready, events: &mut Vec<Event>) {
        let Ready {
            slot,
            readable,
            writable,
            ending,
        } = ready;
        let state = &mut self.connections[slot];
        let connection = ConnectionId {
            slot: slot as u32,
            generation: state.generation,
        };
        let Some(socket) = &state.socket else {
            return;
        };
        state.ending |= ending;
        if state.state == State::Connecting {
            let failure = match socket.take_error() {
                Ok(None) if writable => None,
                Ok(None) => return,
                Ok(Some(error)) | Err(error) => Some(errno_of(&error)),
            };
            if let Some(errno) = failure {
                let io = Io::ConnectFailed(errno);
                events.push(Event { connection, io });
                return;
            }
            state.state = State::Open;
            let io = Io::Connected;
            events.push(Event { connection, io });
        } else if let Some(index) = state.send.filter(|_| writable) {
            self.write(index, events);
        }
        if readable {
            self.read_later(connection);
        }
    }

    /// A connection that waits for its FIN is readable: the FIN has arrived, or something else that ends the wait.
    fn on_lingering(&mut self, token: usize) {
        let connection = ConnectionId {
            slot: (token & (INDEX_END - 1)) as u32,
            generation: (token >> 32) as u32,
        };
        let Some(mut socket) = self.lingering.get(connection) else {
            return;
        };
        // Readiness is reported once for all bytes that are there.
        let mut passed_over = [0; 1024];
        let read = loop {
            match socket.read(&mut passed_over) {
                Ok(1..) if self.lingering.passes_over_bytes => {}
                read => break read,
            }
        };
        let is_empty = matches!(read, Err(error) if error.kind() == ErrorKind::WouldBlock);
        if !is_empty {
            // Dropping the socket closes the connection.
            self.lingering.take(connection);
        }
    }

    /// Handles the events that the poller has fetched.
    fn handle_ready(&mut self, events: &mut Vec<Event>) {
        let ready = self.poller.take();
        for event in &ready {
            match event.token() {
                TIMER => {}
                Token(token) if token & LINGERING != 0 => self.on_lingering(token),
                _ => self.on_ready(Ready::of(event), events),
            }
        }
        self.poller.put_back(ready);
    }

    fn submit_taken(&mut self, connection: ConnectionId, index: u32) {
        self.connections[connection.slot as usize].send = Some(index);
        self.to_write.push(index);
    }
}

impl Driver for Epoll {
    fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    fn submit_connect(&mut self, connection: ConnectionId, route: usize) {
        if let Err(error) = self.open(connection, route) {
            let state = &mut self.connections[connection.slot as usize];
            *state = Connection {
                generation: connection.generation,
                ..Connection::default()
            };
            let io = Io::ConnectFailed(errno_of(&error));
            self.failed.push(Event { connection, io });
        }
    }

    fn send_buffer(&mut self) -> &mut [u8] {
        self.sends.next()
    }

    fn submit_send(&mut self, connection: ConnectionId, bytes: usize) {
        let index = self.sends.take(connection, bytes);
        self.submit_taken(connection, index);
    }

    fn submit_send_around(&mut self, connection: ConnectionId, bytes: usize, inserts: &[Insert]) {
        let index = self.sends.take_around(connection, bytes, inserts);
        self.submit_taken(connection, index);
    }

    fn announce_sent(&mut self, connection: ConnectionId) {
        let state = &mut self.connections[connection.slot as usize];
        state.announces_sent = state.generation == connection.generation && state.send.is_some();
    }

    fn is_sending(&self, connection: ConnectionId) -> bool {
        let state = &self.connections[connection.slot as usize];
        state.generation == connection.generation && state.send.is_some()
    }

    fn send_last(&mut self, connection: ConnectionId, bytes: &[u8]) {
        if let Some(state) = self.live(connection)
            && let (Some(socket), None) = (&state.socket, state.send)
        {
            // What the socket does not take is lost with the connection, as is an error.
            let _ = socket.send_with_flags(bytes, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL);
        }
    }

    fn pass_over_late_bytes(&mut self) {
        self.lingering.passes_over_bytes = true;
    }

    fn close(&mut self, connection: ConnectionId) {
        let Some(state) = self.live(connection) else {
            return;
        };
        state.state = State::Closed;
        let send = state.send.take();
        if let Some(socket) = state.socket.take() {
            self.poller.unwatch(&socket);
        }
        if let Some(index) = send
            && !self.to_write.contains(&index)
        {
            self.sends.release(index);
        }
    }

    fn close_after_fin(&mut self, connection: ConnectionId) {
        let has_time_wait = self.dialer.has_time_wait();
        let Some(state) = self.live(connection) else {
            return;
        };
        if state.ended || state.send.is_some() || !has_time_wait {
            return self.close(connection);
        }
        state.state = State::Closed;
        let Some(socket) = state.socket.take() else {
            return;
        };
        let token = (connection.generation as usize) << 32 | LINGERING | connection.slot as usize;
        if self.poller.watch_reads_only(&socket, token).is_ok() {
            let now_ns = self.clock.now_ns();
            // When there are too many, dropping the oldest socket closes its connection.
            drop(self.lingering.add(connection, socket, now_ns));
        }
    }

    fn wait(&mut self, deadline_ns: u64, events: &mut Vec<Event>) -> Turn {
        let submitted_ns = self.clock.now_ns();
        while self.lingering.take_due(submitted_ns).is_some() {}
        let deadline_ns = deadline_ns.min(self.lingering.next_ns().unwrap_or(u64::MAX));
        events.append(&mut self.failed);
        self.reconnect(events);
        let deadline_ns = match self.to_connect.is_empty() {
            true => deadline_ns,
            false => deadline_ns.min(submitted_ns + RECONNECT_PAUSE_NS),
        };
        let mut to_write = std::mem::take(&mut self.to_write);
        for index in to_write.drain(..) {
            self.write(index, events);
        }
        self.to_write = to_write;
        let idle_from_ns = self.clock.now_ns();
        let is_idle = events.is_empty() && self.to_read.is_empty();
        match is_idle && deadline_ns > idle_from_ns {
            true => self.poller.sleep(deadline_ns - idle_from_ns),
            false => self.poller.fetch(),
        }
        let mut reaped_ns = self.clock.now_ns();
        self.handle_ready(events);
        // The process was stopped for a while. Bytes that arrived meanwhile must be read before time limits are
        // applied, or the limits would be applied to requests that were answered in time.
        if reaped_ns > deadline_ns.max(idle_from_ns) + OVERRUN_NS {
            self.poller.fetch();
            reaped_ns = self.clock.now_ns();
            self.handle_ready(events);
        }
        for _ in 0..self.to_read.len() {
            let Some(connection) = self.to_read.pop_front() else {
                break;
            };
            if let Some(state) = self.live(connection) {
                state.queued = false;
                self.read(connection, events);
            }
        }
        Turn {
            submitted_ns,
            idle_from_ns,
            reaped_ns,
        }
    }

    fn received(&self, received: Received) -> &[u8] {
        &self.receive_buffers[received.buffer as usize][..received.bytes as usize]
    }

    fn received_mut(&mut self, received: Received) -> &mut [u8] {
        &mut self.receive_buffers[received.buffer as usize][..received.bytes as usize]
    }

    fn release(&mut self, received: Received) {
        self.free.push(received.buffer);
    }

    fn overflows(&self) -> u64 {
        0
    }
}

fn errno_of(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}
