//! The same trait by readiness (mio), for machines and containers that forbid io_uring.
//!
//! Completion-shaped from outside: a send is queued and written at the next `wait`, with the batch; what is readable
//! is read into pooled buffers before it is reported. Inside it is the classic edge-triggered loop: a socket is read
//! until it is short of a full buffer, and what did not fit a turn stays on a list for the next.
//! `epoll_wait` counts in milliseconds, so that a sleep is ended by a timer descriptor, which counts in nanoseconds.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use socket2::Socket;

use super::clock::Clock;
use super::dial::{AGAIN_NS, Blocking, Dialer, connect_unix};
use super::lingering::Lingering;
use super::send_buffers::SendBuffers;
use super::token::{ConnectionId, INDEX_END};
use super::{Driver, DriverConfig, EVENTS_MAX, Event, Insert, Io, Received, Turn};

const RECEIVE_BUFFER_BYTES: usize = 4096;
/// A wait that was longer than asked for by more than this was not the timer's doing.
const LATE_NS: u64 = 1_000_000;
const TIMER: Token = Token(usize::MAX);
/// In the token of a connection that waits for its FIN: a bit that no slot has ([`INDEX_END`]), under its generation.
const LINGERING: usize = 1 << 31;

const _: () = assert!(INDEX_END <= LINGERING && usize::BITS == 64);

/// The epoll driver of one shard.
pub struct Epoll {
    poll: Poll,
    ready: Events,
    timer: TimerFd,
    clock: Clock,
    dialer: Dialer,
    connections: Vec<Connection>,
    lingering: Lingering,
    sends: SendBuffers,
    /// Sends to be written with the next batch.
    to_write: Vec<u32>,
    /// Connections that may have more to read than the last turn took.
    to_read: VecDeque<ConnectionId>,
    /// Connections to a Unix socket that had no room for them, and their routes.
    to_connect: VecDeque<(ConnectionId, usize)>,
    failed: Vec<Event>,
    buffers: Vec<Box<[u8]>>,
    free: Vec<u32>,
}

#[derive(Default)]
struct Connection {
    socket: Option<Socket>,
    generation: u32,
    state: State,
    /// The send that waits for room in the socket.
    send: Option<u32>,
    /// On the list `to_read`.
    queued: bool,
    /// The peer's end of stream, or an error, is behind the bytes.
    ending: bool,
    /// That has been read.
    ended: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Connecting,
    Open,
}

/// What one readiness event says.
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
    /// An epoll descriptor, its timer, and buffers for one turn.
    ///
    /// # Errors
    /// What `epoll_create1`, `timerfd_create` or `epoll_ctl` say, as when no descriptor is left.
    pub fn new(config: &DriverConfig, clock: Clock) -> io::Result<Self> {
        let poll = Poll::new()?;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)?;
        let timer_fd = timer.as_fd().as_raw_fd();
        poll.registry()
            .register(&mut SourceFd(&timer_fd), TIMER, Interest::READABLE)?;
        let mut connections = Vec::new();
        connections.resize_with(config.slots, Connection::default);
        Ok(Self {
            poll,
            ready: Events::with_capacity(EVENTS_MAX),
            timer,
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
            buffers: (0..EVENTS_MAX)
                .map(|_| vec![0; RECEIVE_BUFFER_BYTES].into_boxed_slice())
                .collect(),
            free: (0..EVENTS_MAX as u32).collect(),
        })
    }

    /// What the buffers of one take, all of them in use.
    pub fn buffer_bytes(config: &DriverConfig) -> usize {
        EVENTS_MAX * RECEIVE_BUFFER_BYTES
            + SendBuffers::bytes(config.slots.min(EVENTS_MAX), config.rendered_bytes_max)
    }

    /// What is kept of each connection, with its place in the list of those to be read.
    pub(super) const CONNECTION_BYTES: usize = size_of::<Connection>() + size_of::<ConnectionId>();

    fn open(&mut self, connection: ConnectionId, route: usize) -> io::Result<()> {
        let address = self.dialer.address(route);
        let socket = self.dialer.open(route, Blocking::No)?;
        match socket.connect(address) {
            Ok(()) => self.watch(connection, &socket)?,
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {
                self.watch(connection, &socket)?;
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

    fn watch(&self, connection: ConnectionId, socket: &Socket) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        let token = Token(connection.slot as usize);
        let registry = self.poll.registry();
        registry.register(&mut SourceFd(&socket.as_raw_fd()), token, interest)
    }

    /// Tries those again that a Unix socket had no room for, in their order.
    fn connect_again(&mut self, events: &mut Vec<Event>) {
        while let Some(&(connection, route)) = self.to_connect.front() {
            let address = self.dialer.address(route).clone();
            if let Some(socket) = self.live(connection).and_then(|state| state.socket.take()) {
                let connected = connect_unix(&socket, &address);
                let is_full = matches!(&connected, Err(e) if e.kind() == ErrorKind::WouldBlock);
                let watched = connected.and_then(|()| self.watch(connection, &socket));
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

    fn live(&mut self, connection: ConnectionId) -> Option<&mut Connection> {
        let state = &mut self.connections[connection.slot as usize];
        let live = state.generation == connection.generation && state.state != State::Closed;
        live.then_some(state)
    }

    fn write(&mut self, index: u32, events: &mut Vec<Event>) {
        let connection = self.sends.send(index).connection;
        let state = &mut self.connections[connection.slot as usize];
        let live = state.generation == connection.generation;
        let Some(socket) = state.socket.as_mut().filter(|_| live) else {
            self.sends.release(index);
            return;
        };
        // A peer that is gone is EPIPE here, never a signal: the standard library ignores SIGPIPE from the start.
        loop {
            let written = match self.sends.send(index).inserts {
                0 => socket.write(self.sends.rest(index)),
                _ => socket.write_vectored(self.sends.pieces(index).as_slice()),
            };
            match written {
                Ok(bytes) => {
                    if self.sends.advance(index, bytes as u32) {
                        state.send = None;
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

    /// Reads until the socket is empty, the turn is full, or the peer is done.
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
            let (io, bytes) = match socket.read(&mut self.buffers[buffer as usize]) {
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
            // A short read has emptied the socket: what comes later is a new edge (epoll(7)). The end of the stream
            // is not: it may have come with the same edge.
            let emptied = bytes < RECEIVE_BUFFER_BYTES && !state.ending;
            if bytes == 0 || emptied {
                return;
            }
        }
    }

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

    /// A connection that waits for its FIN can be read: with that, or with what shows that none will come.
    fn on_lingering(&mut self, token: usize) {
        let connection = ConnectionId {
            slot: (token & (INDEX_END - 1)) as u32,
            generation: (token >> 32) as u32,
        };
        let Some(mut socket) = self.lingering.get(connection) else {
            return;
        };
        let waits =
            matches!(socket.read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
        if !waits {
            // Closed with its descriptor.
            self.lingering.take(connection);
        }
    }

    /// Asks which sockets are ready; with `sleep`, waits for one or for the deadline.
    fn poll(&mut self, sleep: bool, deadline_ns: u64) {
        let timeout = if sleep { None } else { Some(Duration::ZERO) };
        if sleep {
            let left_ns = deadline_ns.saturating_sub(self.clock.now_ns()).max(1);
            let left = TimeSpec::from_duration(Duration::from_nanos(left_ns));
            let flags = TimerSetTimeFlags::empty();
            self.timer
                .set(Expiration::OneShot(left), flags)
                .expect("a relative time in range arms a timer");
        }
        match self.poll.poll(&mut self.ready, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => self.ready.clear(),
            Err(error) => panic!("epoll_wait: {error}"),
        }
    }

    fn take_ready(&mut self, events: &mut Vec<Event>) {
        let ready = std::mem::replace(&mut self.ready, Events::with_capacity(0));
        for event in &ready {
            match event.token() {
                TIMER => {}
                Token(token) if token & LINGERING != 0 => self.on_lingering(token),
                _ => self.on_ready(Ready::of(event), events),
            }
        }
        self.ready = ready;
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
        self.connections[connection.slot as usize].send = Some(index);
        self.to_write.push(index);
    }

    fn submit_send_around(&mut self, connection: ConnectionId, bytes: usize, inserts: &[Insert]) {
        let index = self.sends.take_around(connection, bytes, inserts);
        self.connections[connection.slot as usize].send = Some(index);
        self.to_write.push(index);
    }

    fn is_sending(&self, connection: ConnectionId) -> bool {
        let state = &self.connections[connection.slot as usize];
        state.generation == connection.generation && state.send.is_some()
    }

    fn close(&mut self, connection: ConnectionId) {
        let Some(state) = self.live(connection) else {
            return;
        };
        state.state = State::Closed;
        let send = state.send.take();
        if let Some(socket) = state.socket.take() {
            // A closed descriptor leaves epoll by itself; to leave it first spares a stale event.
            let _ = self
                .poll
                .registry()
                .deregister(&mut SourceFd(&socket.as_raw_fd()));
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
        let registry = self.poll.registry();
        let fd = socket.as_raw_fd();
        // What is there already is reported anew (epoll_ctl(2), EPOLL_CTL_MOD).
        let watched = registry.reregister(&mut SourceFd(&fd), Token(token), Interest::READABLE);
        if watched.is_ok() {
            let now_ns = self.clock.now_ns();
            // The oldest of too many ends with its descriptor.
            drop(self.lingering.add(connection, socket, now_ns));
        }
    }

    fn wait(&mut self, deadline_ns: u64, events: &mut Vec<Event>) -> Turn {
        let submitted_ns = self.clock.now_ns();
        while self.lingering.take_due(submitted_ns).is_some() {}
        let deadline_ns = deadline_ns.min(self.lingering.next_ns().unwrap_or(u64::MAX));
        events.append(&mut self.failed);
        self.connect_again(events);
        let deadline_ns = match self.to_connect.is_empty() {
            true => deadline_ns,
            false => deadline_ns.min(submitted_ns + AGAIN_NS),
        };
        let mut to_write = std::mem::take(&mut self.to_write);
        for index in to_write.drain(..) {
            self.write(index, events);
        }
        self.to_write = to_write;
        let idle_from_ns = self.clock.now_ns();
        let nothing_yet = events.is_empty() && self.to_read.is_empty();
        self.poll(nothing_yet && deadline_ns > idle_from_ns, deadline_ns);
        let mut reaped_ns = self.clock.now_ns();
        self.take_ready(events);
        // This process was stopped for a while (by a signal, on a busy machine): what came meanwhile is to be seen
        // before time limits are, or they would be held against answers that had come.
        if reaped_ns > deadline_ns.max(idle_from_ns) + LATE_NS {
            self.poll(false, 0);
            reaped_ns = self.clock.now_ns();
            self.take_ready(events);
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
        &self.buffers[received.buffer as usize][..received.bytes as usize]
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
