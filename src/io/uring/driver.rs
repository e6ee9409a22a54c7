//! The io_uring driver of one shard: its connections, and what they submit.

use std::collections::VecDeque;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsRawFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use io_uring::types::Fd;
use io_uring::{cqueue, opcode, squeue};
use socket2::Socket;

use super::messages::Messages;
use super::queue::Queue;
use super::receive::{OneShot, Receive, SMALL_BUFFER_BYTES, SMALL_BUFFERS, Size};
use super::setup::{Features, SUBMISSIONS_MAX, build_ring, completion_entries};
use crate::io::clock::{Clock, OVERRUN_NS};
use crate::io::config::DriverConfig;
use crate::io::dial::{Blocking, Dialer, RECONNECT_PAUSE_NS, connect_unix};
use crate::io::driver::{Driver, EVENTS_MAX, Event, Insert, Io, Received, Turn};
use crate::io::lingering::Lingering;
use crate::io::send_buffers::SendBuffers;
use crate::io::token::{self, ConnectionId, INDEX_END, Operation};

/// Longest wait of `Drop` for the kernel to let go of the buffers.
const DRAIN_NS_MAX: u64 = 1_000_000_000;

/// The io_uring driver of one shard. It must be built on the thread that drives it (`SINGLE_ISSUER`).
pub struct Uring {
    pub(super) queue: Queue,
    clock: Clock,
    features: Features,
    dialer: Dialer,
    pub(super) connections: Vec<Connection>,
    pub(super) sends: SendBuffers,
    messages: Messages,
    pub(super) receive: Receive,
    /// Connections whose receive is armed with the next batch.
    pub(super) to_arm: Vec<ConnectionId>,
    /// Events of connects that never reached the ring: those that failed at once, and those to a Unix socket.
    pub(super) early: Vec<Event>,
    /// Connects to a Unix socket whose backlog was full, with their routes.
    to_connect: VecDeque<(ConnectionId, usize)>,
    /// Connections that wait for their FIN, with their receive still armed.
    pub(super) lingering: Lingering,
    /// Sockets to be closed. A queued entry may still name the descriptor of such a socket: if it were closed at once,
    /// the next socket could get its number, and the entry would reach the wrong connection.
    pub(super) closing: Vec<Socket>,
    /// The batch of completions that is being handled.
    pub(super) completions: Vec<cqueue::Entry>,
}

/// What the driver keeps of a slot's present connection.
#[derive(Default)]
pub(super) struct Connection {
    pub socket: Option<Socket>,
    pub generation: u32,
    pub sending: bool,
    /// The end of the send under way is to be reported.
    pub announces_sent: bool,
    /// Reading has ended, by FIN or an error.
    pub ended: bool,
    /// Buffers that its receive uses when it is armed next.
    pub size: Size,
    /// Consecutive buffers whose fill level argues for the other size.
    pub streak: u8,
}

impl Uring {
    /// A ring with all features of `allowed` that this kernel has.
    ///
    /// # Errors
    /// The error of `io_uring_setup` when the kernel has no io_uring or forbids it (ENOSYS, EPERM, ENOMEM), and
    /// `Unsupported` on kernels before 5.11, whose waits take no timeout.
    pub fn new(config: &DriverConfig, clock: Clock, allowed: Features) -> io::Result<Self> {
        assert!(config.slots < INDEX_END);
        let (ring, features, receive) = build_ring(completion_entries(config), allowed)?;
        let mut connections = Vec::new();
        connections.resize_with(config.slots, Connection::default);
        Ok(Self {
            queue: Queue::new(ring, clock),
            clock,
            features,
            dialer: Dialer::new(&config.addresses, &config.sockets),
            connections,
            sends: SendBuffers::new(
                config.slots.min(EVENTS_MAX),
                config.rendered_bytes_max,
                config.shared.clone(),
            ),
            messages: Messages::default(),
            receive,
            to_arm: Vec::with_capacity(EVENTS_MAX),
            early: Vec::new(),
            to_connect: VecDeque::new(),
            lingering: Lingering::new(config.slots),
            closing: Vec::with_capacity(EVENTS_MAX),
            completions: Vec::with_capacity(EVENTS_MAX),
        })
    }

    /// Memory that the queues and buffers of a driver take when all of them are in use, in bytes.
    pub fn buffer_bytes(config: &DriverConfig) -> usize {
        let receive = usize::from(SMALL_BUFFERS) * SMALL_BUFFER_BYTES;
        let send = SendBuffers::bytes(config.slots.min(EVENTS_MAX), config.rendered_bytes_max);
        Self::queue_bytes(config) + receive + send
    }

    /// Memory of the queues alone, in bytes. Kernels before 5.12 count it as locked memory.
    pub(crate) fn queue_bytes(config: &DriverConfig) -> usize {
        completion_entries(config) as usize * size_of::<cqueue::Entry>()
            + SUBMISSIONS_MAX as usize * size_of::<squeue::Entry>()
    }

    /// Memory that is kept for each connection, in bytes.
    pub(crate) const CONNECTION_BYTES: usize = size_of::<Connection>();

    /// The features that the ring uses.
    pub fn features(&self) -> Features {
        self.features
    }

    /// The descriptor of a connection that is still the present one of its slot.
    pub(super) fn live_socket(&self, connection: ConnectionId) -> Option<RawFd> {
        let state = &self.connections[connection.slot as usize];
        if state.generation != connection.generation {
            return None;
        }
        state.socket.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// Connects to a Unix socket without the ring, which would have a kernel thread wait for each connection while the
    /// backlog is full. False when it is full.
    fn connect_unix(&mut self, connection: ConnectionId, route: usize) -> bool {
        let state = &self.connections[connection.slot as usize];
        let is_live = state.generation == connection.generation;
        let Some(socket) = state.socket.as_ref().filter(|_| is_live) else {
            return true;
        };
        let connected = connect_unix(socket, self.dialer.address(route));
        let io = match connected.and_then(|()| socket.set_nonblocking(false)) {
            Ok(()) => {
                self.to_arm.push(connection);
                Io::Connected
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(error) => Io::ConnectFailed(error.raw_os_error().unwrap_or(libc::EIO)),
        };
        self.early.push(Event { connection, io });
        true
    }

    /// Retries the connects that found the backlog of a Unix socket full, in their order.
    fn reconnect(&mut self) {
        while let Some(&(connection, route)) = self.to_connect.front() {
            if !self.connect_unix(connection, route) {
                return;
            }
            self.to_connect.pop_front();
        }
    }

    fn arm_receive(&mut self, connection: ConnectionId) {
        let lingering = || self.lingering.get(connection).map(AsRawFd::as_raw_fd);
        let Some(fd) = self.live_socket(connection).or_else(lingering) else {
            return;
        };
        let size = self.connections[connection.slot as usize].size;
        let entry = self.receive.arm(connection, fd, size);
        // SAFETY: `Receive::arm` keeps the buffer in place until its completion was handled; `Drop` waits for that, or
        // leaks the buffers. `closing` keeps the descriptor open until the entry is handed over.
        unsafe { self.queue.push(&entry) };
    }

    /// Ends the receive that is armed with buffers of this size.
    pub(super) fn cancel_receive(&mut self, connection: ConnectionId, size: Size) {
        let (slot, generation) = (connection.slot, connection.generation);
        let receive = token::pack(size.operation(), slot, generation);
        let entry = opcode::AsyncCancel::new(receive).build();
        let entry = entry.user_data(token::pack(Operation::Cancel, slot, generation));
        // SAFETY: the entry names neither memory nor a descriptor.
        unsafe { self.queue.push(&entry) };
    }

    /// Submits what is left of a send. `MSG_NOSIGNAL`: a peer that is gone is an error code, never a SIGPIPE.
    /// `MSG_WAITALL`: the kernel continues short writes.
    pub(super) fn push_send(&mut self, index: u32) {
        let send = self.sends.send(index);
        let Some(fd) = self.live_socket(send.connection) else {
            self.sends.release(index);
            return;
        };
        let flags = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;
        let entry = if send.inserts == 0 {
            let rest = self.sends.rest(index);
            opcode::Send::new(Fd(fd), rest.as_ptr(), rest.len() as u32)
                .flags(flags)
                .build()
        } else {
            let pieces = self.sends.pieces(index);
            let message = self.messages.fill(index, pieces.as_slice());
            opcode::SendMsg::new(Fd(fd), message)
                .flags(flags as u32)
                .build()
        };
        let entry = entry.user_data(token::pack(Operation::Send, index, 0));
        // SAFETY: rendered bytes lie in a slab that never moves, and are used again only after `on_sent` has released
        // them. Shared bytes never change, and `sends` holds them. The list of pieces lies in `messages` and is
        // overwritten only by the next send with this index. `Drop` waits for the completion, or leaks all of these.
        // `closing` keeps the descriptor open until the entry is handed over.
        unsafe { self.queue.push(&entry) };
    }

    fn submit_taken(&mut self, connection: ConnectionId, index: u32) {
        self.connections[connection.slot as usize].sending = true;
        self.push_send(index);
    }

    /// Ends a connection whose receive may be armed. While a receive is armed the ring holds a reference to the socket,
    /// so closing the descriptor alone would leave the connection open. The shutdown ends the receive, and likewise a
    /// connect or a send.
    pub(super) fn shut(&mut self, socket: Socket, was_sending: bool) {
        // A connection that ends with a reset must not send a FIN before it, unless a send waits for room in the
        // socket, which only this ends.
        let how = match self.dialer.resets() && !was_sending {
            true => Shutdown::Read,
            false => Shutdown::Both,
        };
        // It fails on a socket that was never connected, which has nothing to end.
        let _ = socket.shutdown(how);
        self.closing.push(socket);
        // A turn may end more connections than it has events (time limits); it must not hold more descriptors.
        if self.closing.len() >= EVENTS_MAX {
            self.queue.flush();
            self.close_descriptors();
        }
    }

    /// Closes the descriptors that no queued entry names.
    fn close_descriptors(&mut self) {
        if !self.queue.has_entries() {
            self.closing.clear();
        }
    }

    /// Ends the connections that have waited long enough for their FIN.
    fn end_lingering(&mut self) {
        if self.lingering.next_ns().is_some() {
            let now_ns = self.clock.now_ns();
            while let Some(socket) = self.lingering.take_due(now_ns) {
                self.shut(socket, false);
            }
        }
    }

    /// Ends every connection and waits until the kernel has let go of all buffers.
    fn end_all(&mut self) {
        self.to_arm.clear();
        while let Some(socket) = self.lingering.take_due(u64::MAX) {
            self.shut(socket, false);
        }
        for slot in 0..self.connections.len() {
            let generation = self.connections[slot].generation;
            self.close(ConnectionId {
                slot: slot as u32,
                generation,
            });
        }
        let deadline_ns = self.clock.now_ns() + DRAIN_NS_MAX;
        let mut events = Vec::new();
        while self.queue.under_way() > 0 && self.clock.now_ns() < deadline_ns {
            self.wait(deadline_ns, &mut events);
            self.to_arm.clear();
            for event in events.drain(..) {
                if let Io::Received(received) = event.io {
                    self.release(received);
                }
            }
        }
    }
}

impl Driver for Uring {
    fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    fn submit_connect(&mut self, connection: ConnectionId, route: usize) {
        // Blocking: the ring waits for such a socket by itself, and would answer EAGAIN for a non-blocking one.
        let opened = self.dialer.open(route, Blocking::Yes);
        let state = &mut self.connections[connection.slot as usize];
        debug_assert!(state.socket.is_none(), "the slot has an open connection");
        *state = Connection {
            generation: connection.generation,
            ..Connection::default()
        };
        let socket = match opened {
            Ok(socket) => socket,
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(libc::EMFILE);
                let io = Io::ConnectFailed(errno);
                self.early.push(Event { connection, io });
                return;
            }
        };
        let fd = Fd(socket.as_raw_fd());
        state.socket = Some(socket);
        let address = self.dialer.address(route);
        if address.is_unix() {
            if !self.connect_unix(connection, route) {
                self.to_connect.push_back((connection, route));
            }
            return;
        }
        let token = token::pack(Operation::Connect, connection.slot, connection.generation);
        let entry = opcode::Connect::new(fd, address.as_ptr().cast(), address.len());
        let entry = entry.build().user_data(token);
        // SAFETY: `dialer` never changes the address, and the kernel copies it when it takes the entry. `closing` keeps
        // the descriptor open until then.
        unsafe { self.queue.push(&entry) };
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
        state.announces_sent = state.generation == connection.generation && state.sending;
    }

    fn is_sending(&self, connection: ConnectionId) -> bool {
        let state = &self.connections[connection.slot as usize];
        state.generation == connection.generation && state.sending
    }

    fn flushed_ns(&mut self) -> Option<u64> {
        self.queue.take_flushed_ns()
    }

    fn send_last(&mut self, connection: ConnectionId, bytes: &[u8]) {
        let state = &self.connections[connection.slot as usize];
        let is_live = state.generation == connection.generation && !state.sending;
        if let Some(socket) = state.socket.as_ref().filter(|_| is_live) {
            // What the socket does not take is lost with the connection, as is an error.
            let _ = socket.send_with_flags(bytes, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL);
        }
    }

    fn pass_over_late_bytes(&mut self) {
        self.lingering.passes_over_bytes = true;
    }

    fn close(&mut self, connection: ConnectionId) {
        let state = &mut self.connections[connection.slot as usize];
        if state.generation != connection.generation {
            return;
        }
        let was_sending = std::mem::take(&mut state.sending);
        if let Some(socket) = state.socket.take() {
            self.shut(socket, was_sending);
        }
    }

    fn close_after_fin(&mut self, connection: ConnectionId) {
        let state = &mut self.connections[connection.slot as usize];
        if state.generation != connection.generation {
            return;
        }
        if state.sending || state.ended || !self.dialer.has_time_wait() {
            return self.close(connection);
        }
        if let Some(socket) = state.socket.take() {
            let now_ns = self.clock.now_ns();
            if let Some(oldest) = self.lingering.add(connection, socket, now_ns) {
                self.shut(oldest, false);
            }
        }
    }

    fn wait(&mut self, deadline_ns: u64, events: &mut Vec<Event>) -> Turn {
        self.receive.commit();
        self.reconnect();
        self.end_lingering();
        while let Some(connection) = self.to_arm.pop() {
            self.arm_receive(connection);
        }
        let now_ns = self.clock.now_ns();
        // If arming filled the queue, the sends of this turn were handed over then.
        let submitted_ns = self.queue.take_flushed_ns().unwrap_or(now_ns);
        let deadline_ns = deadline_ns.min(self.lingering.next_ns().unwrap_or(u64::MAX));
        let deadline_ns = match (self.early.is_empty(), self.to_connect.is_empty()) {
            (false, _) => 0,
            (true, false) => deadline_ns.min(submitted_ns + RECONNECT_PAUSE_NS),
            (true, true) => deadline_ns,
        };
        let mut idle_from_ns = now_ns;
        if self.queue.has_entries() || deadline_ns <= submitted_ns {
            self.queue.submit();
            idle_from_ns = self.clock.now_ns();
        }
        self.close_descriptors();
        let mut reaped_ns = idle_from_ns;
        if !self.queue.has_completions() && deadline_ns > idle_from_ns {
            self.queue.sleep(deadline_ns - idle_from_ns);
            reaped_ns = self.clock.now_ns();
        }
        // The process was stopped for a while. Completions have arrived meanwhile, but only an enter fetches them;
        // without it, time limits would be applied to requests that were answered in time.
        if reaped_ns > deadline_ns.max(submitted_ns) + OVERRUN_NS {
            self.queue.submit();
            reaped_ns = self.clock.now_ns();
        }
        self.reap(events);
        Turn {
            submitted_ns,
            idle_from_ns,
            reaped_ns,
        }
    }

    fn received(&self, received: Received) -> &[u8] {
        self.receive.bytes(received)
    }

    fn received_mut(&mut self, received: Received) -> &mut [u8] {
        self.receive.bytes_mut(received)
    }

    fn release(&mut self, received: Received) {
        self.receive.release(received);
    }

    fn overflows(&self) -> u64 {
        self.queue.overflows()
    }
}

impl Drop for Uring {
    /// Ends every connection and waits until the kernel has let go of all buffers. After a panic it does not wait: a
    /// second panic would end the process, and lose what was measured.
    fn drop(&mut self) {
        if !self.queue.is_broken() && !std::thread::panicking() {
            // If the ring breaks only now, the buffers must still be leaked below.
            let _ = catch_unwind(AssertUnwindSafe(|| self.end_all()));
        }
        if self.queue.under_way() > 0 {
            // The kernel may still write to the buffers, so they are leaked.
            let no_receive = Receive::OneShot(OneShot::default());
            std::mem::forget(std::mem::replace(&mut self.receive, no_receive));
            let no_sends = SendBuffers::new(0, 0, Vec::new());
            std::mem::forget(std::mem::replace(&mut self.sends, no_sends));
            std::mem::forget(std::mem::take(&mut self.messages));
        }
    }
}

#[cfg(test)]
mod tests;
