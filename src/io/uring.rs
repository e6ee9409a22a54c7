//! The fast path: a ring of our own per shard, spoken to through the `io-uring` crate.
//!
//! One turn is one `io_uring_enter` that hands over every send of the turn and fetches what has completed meanwhile;
//! only when nothing has, a second one sleeps. So a busy shard makes one system call for up to 256 requests, and the
//! time between two reaps without the second call is the turn's true length.
//!
//! What the ring is asked for, each taken only where the kernel has it (figures: `architecture.md`, 8,000 connections):
//! - `SINGLE_ISSUER` (6.0) promises that one thread submits; it is the condition for the next.
//! - `DEFER_TASKRUN` (6.1) runs completions when we ask for them instead of interrupting us anywhere: 8.0 to 9.3 us of
//!   CPU a request with it, 12.7 without.
//! - `COOP_TASKRUN` (5.19) is the weaker form for kernels before 6.1: no interrupt is sent to a running thread.
//! - `SUBMIT_ALL` (5.18) goes on after an operation that fails at once, so that one bad descriptor delays nobody.
//! - Multishot receive (6.0) from a provided-buffer ring: armed once per connection instead of once per answer, and
//!   an idle connection holds no buffer. 6.9 us against 7.9 for one-shot receive at 1,000 connections.
//!
//! What it is not asked for, since nothing was gained: `testbed/src/bin/floor.rs` has a switch for each. At 64 connections any run
//! here takes 4.1 to 4.6 us of CPU a request, or near 6 when the machine is in a slow phase, which hid all else in four
//! interleaved rounds; so the best of each, the plain ring 4.10: sockets in the ring's own table 4.31, the ring's
//! descriptor registered 4.32, sends that complete in silence 4.44, all three 4.33, a wait for 16 completions or 30 us
//! 4.57, 64 receive buffers instead of 1,024 4.24. One enter a turn that waits, instead of one and, when nothing has
//! come, a second: eight rounds, 0.83 to 1.37 of the CPU, 0.98 at the median. NAPI busy polling has no meaning on loopback, and
//! buffers of 4 MiB no use for huge pages: neither was measured.

use std::collections::VecDeque;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsRawFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, cqueue, opcode, squeue};
use socket2::Socket;

use super::clock::Clock;
use super::dial::{AGAIN_NS, Blocking, Dialer, connect_unix};
use super::lingering::Lingering;
use super::send_buffers::SendBuffers;
use super::token;
use super::token::{ConnectionId, Operation};
use super::uring_buffers::BufferRing;
use super::uring_messages::Messages;
use super::{Driver, DriverConfig, EVENTS_MAX, Event, Insert, Io, Received, Turn};

/// Operations that one turn can start without an extra system call. A turn of [`EVENTS_MAX`] events starts about one
/// for each, and users whose time has come as many again.
const SUBMISSIONS_MAX: u32 = 2 * EVENTS_MAX as u32;
/// Completion queue: each connection can have a send and a receive in it at once. An overflow is survived (the kernel
/// keeps the rest, `FEAT_NODROP`) and reported.
const COMPLETIONS_MIN: u32 = 4096;
const COMPLETIONS_MAX: u32 = 65_536;
/// Receive buffers: as many as four turns can use, so that none waits for one; Ops-Core's answers are below 1 KiB.
const RECEIVE_BUFFERS: u16 = 4 * EVENTS_MAX as u16;
const RECEIVE_BUFFER_BYTES: usize = 4096;
/// Larger ones, for connections whose answers are long; untouched, and so not even in memory, without such. CPU of the
/// process per byte against wrk's (`scripts/bench.sh --bodies 4 8 64`, medians): for answers of 1 MiB 0.64 at 8
/// connections and 0.56 at 64, for 64 KiB 0.58 and 0.64; with the small buffers alone it was 0.9 to 1.2. Few of them stay
/// in the cache: with 256 of them 1 MiB took 1.7 times as much. A connection that finds none has its bytes a turn later.
const LARGE_BUFFERS: u16 = 64;
const LARGE_BUFFER_BYTES: usize = 65_536;
/// So many buffers in a row that were filled whole make a connection receive into large ones; as many in a row whose
/// bytes a small one would have held, into small ones again.
const STREAK: u8 = 4;
/// Longest single sleep in the kernel.
const SLEEP_NS_MAX: u64 = 3_600_000_000_000;
/// How long `Drop` waits for the kernel to let go of the buffers.
const DRAIN_NS_MAX: u64 = 1_000_000_000;

/// Between two tries to hand over what the kernel does not take for the moment, and how many there are: ten seconds.
const RETRY_PAUSE: Duration = Duration::from_micros(100);
const RETRIES_MAX: u32 = 100_000;

/// A wait that was longer than asked for by more than this was not the timer's doing.
const LATE_NS: u64 = 1_000_000;

const _: () = assert!(RECEIVE_BUFFERS.is_power_of_two());
const _: () = assert!(RECEIVE_BUFFERS as usize >= EVENTS_MAX);
const _: () = assert!(LARGE_BUFFERS.is_power_of_two());

/// What a kernel has, newest first. Tests take some away to walk the older paths on a newer kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// `SINGLE_ISSUER` and `DEFER_TASKRUN`, Linux 6.1.
    pub defer_taskrun: bool,
    /// Multishot receive from a provided-buffer ring, Linux 6.0.
    pub multishot: bool,
    /// `COOP_TASKRUN` and `SUBMIT_ALL`, Linux 5.19.
    pub coop_taskrun: bool,
}

impl Features {
    /// Try everything.
    pub const ALL: Self = Self {
        defer_taskrun: true,
        multishot: true,
        coop_taskrun: true,
    };
}

/// The io_uring driver of one shard. To be built on the thread that drives it (`SINGLE_ISSUER`).
pub struct Uring {
    ring: IoUring,
    clock: Clock,
    features: Features,
    dialer: Dialer,
    connections: Vec<Connection>,
    sends: SendBuffers,
    messages: Messages,
    receive: Receive,
    /// Connections whose receive is to be armed with the next batch.
    to_arm: Vec<ConnectionId>,
    /// Connects that ended before they reached the ring: failed (no descriptor to be had), or to a Unix socket.
    early: Vec<Event>,
    /// Connections to a Unix socket that had no room for them, and their routes.
    to_connect: VecDeque<(ConnectionId, usize)>,
    /// Connections that wait for their FIN, their receive still armed.
    lingering: Lingering,
    /// When the queue was handed over because it was full, until the shard has asked for it.
    flushed_ns: Option<u64>,
    /// Closed sockets. An entry queued before the close still names their descriptor: were it closed for good at once,
    /// the next socket could get its number and the entry would reach a stranger.
    closing: Vec<Socket>,
    /// The batch of completions that is being handled.
    completions: Vec<cqueue::Entry>,
    /// Completions that were taken from the ring before their turn, because it takes nothing while it is full.
    aside: VecDeque<cqueue::Entry>,
    /// Operations that the kernel has not finished. They may touch our buffers.
    under_way: usize,
    overflows: u64,
    /// The ring has refused to be entered: nothing can be fetched from it any more.
    is_broken: bool,
    /// The ring acts as a kernel that takes nothing before the completion queue is emptied.
    #[cfg(test)]
    refuses_while_full: bool,
}

/// How the system call ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Entered {
    /// Done, or interrupted, or the time is over.
    Done,
    /// The kernel takes nothing for the moment: EBUSY while the completion queue has overflowed and is not emptied
    /// (before Linux 5.19), EAGAIN while memory is short.
    Refused,
}

#[derive(Default)]
struct Connection {
    socket: Option<Socket>,
    generation: u32,
    sending: bool,
    /// Reading has ended: by FIN or by an error.
    ended: bool,
    /// Which buffers it is to receive into when it is armed next.
    size: Size,
    /// Received buffers in a row that speak for the other size.
    streak: u8,
}

/// Which group of provided buffers; its number for the kernel, and the upper half of [`Received::buffer`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Size {
    #[default]
    Small,
    Large,
}

impl Size {
    fn operation(self) -> Operation {
        match self {
            Self::Small => Operation::Receive,
            Self::Large => Operation::ReceiveLarge,
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Small => Self::Large,
            Self::Large => Self::Small,
        }
    }

    /// Whether so many bytes in a buffer of this size had better come in one of the other.
    fn is_wrong_for(self, bytes: usize) -> bool {
        match self {
            Self::Small => bytes == RECEIVE_BUFFER_BYTES,
            Self::Large => bytes <= RECEIVE_BUFFER_BYTES,
        }
    }
}

/// Where received bytes land.
enum Receive {
    /// The kernel picks a buffer of one of the rings, by [`Size`], when data is there.
    Multishot([BufferRing; 2]),
    /// Before 6.0: each armed receive has a buffer of its own.
    OneShot(OneShot),
}

#[derive(Default)]
struct OneShot {
    buffers: Vec<Box<[u8]>>,
    connections: Vec<ConnectionId>,
    /// Their bytes were reported and have not been released since. Others are the kernel's to write, or free.
    ours: Vec<bool>,
    free: Vec<u32>,
}

impl Uring {
    /// A ring with everything of `allowed` that this kernel has.
    ///
    /// # Errors
    /// What `io_uring_setup` says when the kernel has no io_uring or forbids it (ENOSYS, EPERM, ENOMEM), and
    /// `Unsupported` on kernels before 5.11, whose waits take no timeout.
    pub fn new(config: &DriverConfig, clock: Clock, allowed: Features) -> io::Result<Self> {
        assert!(config.slots < token::INDEX_END);
        let completions = completions_of(config);
        let (ring, mut features) = build_ring(completions, allowed)?;
        if !ring.params().is_feature_ext_arg() {
            let reason = "io_uring of this kernel cannot wait with a timeout (needs Linux 5.11)";
            return Err(io::Error::new(io::ErrorKind::Unsupported, reason));
        }
        let receive = receive_mode(&ring, &mut features);
        let mut connections = Vec::new();
        connections.resize_with(config.slots, Connection::default);
        Ok(Self {
            ring,
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
            flushed_ns: None,
            closing: Vec::with_capacity(EVENTS_MAX),
            completions: Vec::with_capacity(EVENTS_MAX),
            aside: VecDeque::new(),
            under_way: 0,
            overflows: 0,
            is_broken: false,
            #[cfg(test)]
            refuses_while_full: false,
        })
    }

    /// What the rings and buffers of one take, all of them in use.
    pub fn buffer_bytes(config: &DriverConfig) -> usize {
        let rings = completions_of(config) as usize * size_of::<cqueue::Entry>()
            + SUBMISSIONS_MAX as usize * size_of::<squeue::Entry>();
        let receive = usize::from(RECEIVE_BUFFERS) * RECEIVE_BUFFER_BYTES;
        rings
            + receive
            + SendBuffers::bytes(config.slots.min(EVENTS_MAX), config.rendered_bytes_max)
    }

    /// What is kept of each connection.
    pub(super) const CONNECTION_BYTES: usize = size_of::<Connection>();

    /// What the ring really uses.
    pub fn features(&self) -> Features {
        self.features
    }

    fn push(&mut self, entry: &squeue::Entry) {
        for _ in 0..RETRIES_MAX {
            // SAFETY: every entry names memory that stays where it is until its operation is over, upheld by this driver:
            // a send's bytes lie in a slab that never moves and are handed out again only after `on_sent` has seen the
            // completion; shared bytes are never changed, and `sends` holds them; the list of a send's pieces lies in
            // `messages` and is written again only for the next send with its index; a one-shot receive's buffer likewise (`on_received_into`, then `release`); addresses are never
            // changed and the kernel copies one when it takes the entry; the buffer ring lives until `Drop` has seen
            // the last completion, or is leaked. A descriptor stays open until no queued entry names it (`closing`).
            if unsafe { self.ring.submission().push(entry) }.is_ok() {
                self.under_way += 1;
                return;
            }
            // Rare, see SUBMISSIONS_MAX.
            if self.hand_over() == Entered::Refused {
                self.set_aside();
            }
        }
        self.is_broken = true;
        panic!("io_uring has taken nothing for ten seconds");
    }

    /// Hands over what is in the queue before the turn is over: it is full, or descriptors are to be closed.
    fn hand_over(&mut self) -> Entered {
        let now_ns = self.clock.now_ns();
        self.flushed_ns.get_or_insert(now_ns);
        self.enter(0, None)
    }

    /// Empties the completion queue, so that the kernel takes something again; the batch to come is handled from there.
    /// When it was empty, only time helps.
    fn set_aside(&mut self) {
        let before = self.aside.len();
        self.aside.extend(self.ring.completion());
        if self.aside.len() == before {
            std::thread::sleep(RETRY_PAUSE);
        }
    }

    fn has_completions(&mut self) -> bool {
        !self.aside.is_empty() || !self.ring.completion().is_empty()
    }

    /// The one system call. Returns when the batch is taken and `want` completions are there or the time is over.
    fn enter(&mut self, want: usize, sleep_ns: Option<u64>) -> Entered {
        #[cfg(test)]
        if self.refuses_while_full && !self.ring.completion().is_empty() {
            return Entered::Refused;
        }
        let entered = match sleep_ns {
            None => {
                let pending = self.ring.submission().len() as u32;
                // GETEVENTS even without waiting: deferred completions are only run by an enter that asks for them.
                let flags = EnterFlags::GETEVENTS.bits();
                let submitter = self.ring.submitter();
                // SAFETY: no argument is passed that the kernel would read, `pending` is what the queue holds, and what
                // its entries name was promised to `push`.
                unsafe { submitter.enter::<libc::sigset_t>(pending, want as u32, flags, None) }
            }
            Some(ns) => {
                let timeout = Timespec::new()
                    .sec(ns / 1_000_000_000)
                    .nsec((ns % 1_000_000_000) as u32);
                let arguments = SubmitArgs::new().timespec(&timeout);
                self.ring.submitter().submit_with_args(want, &arguments)
            }
        };
        match entered {
            Ok(_) => Entered::Done,
            // In each case what was not taken stays queued and goes with the next call.
            Err(error) => match error.raw_os_error() {
                Some(libc::ETIME | libc::EINTR) => Entered::Done,
                Some(libc::EBUSY | libc::EAGAIN) => Entered::Refused,
                _ => {
                    self.is_broken = true;
                    panic!("io_uring_enter: {error}");
                }
            },
        }
    }

    fn live_socket(&self, connection: ConnectionId) -> Option<RawFd> {
        let state = &self.connections[connection.slot as usize];
        if state.generation != connection.generation {
            return None;
        }
        state.socket.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// Connects to a Unix socket, which needs no ring: the ring would have a kernel thread wait for each connection that
    /// there is no room for. False when there is no room.
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

    /// Tries those again that a Unix socket had no room for, in their order.
    fn connect_again(&mut self) {
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
        let entry = match &mut self.receive {
            Receive::Multishot(_) => {
                let size = self.connections[connection.slot as usize].size;
                let token = token::pack(size.operation(), connection.slot, connection.generation);
                opcode::RecvMulti::new(Fd(fd), size as u16)
                    .build()
                    .user_data(token)
            }
            Receive::OneShot(one_shot) => {
                let (index, buffer) = one_shot.take(connection);
                let token = token::pack(Operation::ReceiveInto, index, 0);
                opcode::Recv::new(Fd(fd), buffer.as_mut_ptr(), buffer.len() as u32)
                    .build()
                    .user_data(token)
            }
        };
        self.push(&entry);
    }

    fn push_send(&mut self, index: u32) {
        let connection = self.sends.send(index).connection;
        let Some(fd) = self.live_socket(connection) else {
            self.sends.release(index);
            return;
        };
        // NOSIGNAL: a peer that is gone is an error code, never a SIGPIPE. WAITALL: the kernel continues short writes.
        let flags = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;
        let entry = if self.sends.send(index).inserts == 0 {
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
        let token = token::pack(Operation::Send, index, 0);
        self.push(&entry.user_data(token));
    }

    fn reap(&mut self, events: &mut Vec<Event>) {
        events.append(&mut self.early);
        let mut completions = std::mem::take(&mut self.completions);
        let aside = self.aside.len().min(EVENTS_MAX);
        completions.extend(self.aside.drain(..aside));
        completions.extend(self.ring.completion().take(EVENTS_MAX - aside));
        for completion in completions.drain(..) {
            if !cqueue::more(completion.flags()) {
                self.under_way -= 1;
            }
            self.on_completion(&completion, events);
        }
        self.completions = completions;
    }

    fn on_completion(&mut self, completion: &cqueue::Entry, events: &mut Vec<Event>) {
        let result = completion.result();
        let Some((operation, index, generation)) = token::unpack(completion.user_data()) else {
            unreachable!("every entry carries a packed token");
        };
        let connection = ConnectionId {
            slot: index,
            generation,
        };
        match operation {
            Operation::Connect => self.on_connected(connection, result, events),
            Operation::Receive => self.on_received(connection, Size::Small, completion, events),
            Operation::ReceiveLarge => {
                self.on_received(connection, Size::Large, completion, events);
            }
            Operation::Cancel => {}
            Operation::ReceiveInto => self.on_received_into(index, result, events),
            Operation::Send => self.on_sent(index, result, events),
        }
    }

    fn on_connected(&mut self, connection: ConnectionId, result: i32, events: &mut Vec<Event>) {
        let io = if result < 0 {
            Io::ConnectFailed(-result)
        } else {
            self.to_arm.push(connection);
            Io::Connected
        };
        events.push(Event { connection, io });
    }

    fn on_received(
        &mut self,
        connection: ConnectionId,
        size: Size,
        completion: &cqueue::Entry,
        events: &mut Vec<Event>,
    ) {
        let result = completion.result();
        let buffer = cqueue::buffer_select(completion.flags());
        if let (Some(id), Receive::Multishot(rings)) = (buffer, &mut self.receive) {
            rings[size as usize].take(id);
        }
        if self.is_lingering(connection) {
            if let (Some(id), Receive::Multishot(rings)) = (buffer, &mut self.receive) {
                rings[size as usize].publish(id);
            }
            return self.on_lingering(connection, result);
        }
        let io = match (result, buffer) {
            (1.., Some(buffer)) => {
                let goes_on = cqueue::more(completion.flags());
                self.choose_size(connection, size, result as usize, goes_on);
                if !goes_on {
                    self.to_arm.push(connection);
                }
                Io::Received(Received {
                    buffer: (size as u32) << 16 | u32::from(buffer),
                    bytes: result as u32,
                })
            }
            // All buffers were out: they come back in this turn, and the data waits in the socket. Or the receive was
            // ended for buffers of the other size.
            (errno, _) if errno == -libc::ENOBUFS || errno == -libc::ECANCELED => {
                self.to_arm.push(connection);
                return;
            }
            (0.., buffer) => {
                if let (Some(id), Receive::Multishot(rings)) = (buffer, &mut self.receive) {
                    rings[size as usize].publish(id);
                }
                self.on_receive_ended(connection);
                Io::Closed
            }
            (errno, _) => {
                self.on_receive_ended(connection);
                Io::ReceiveFailed(-errno)
            }
        };
        events.push(Event { connection, io });
    }

    fn on_receive_ended(&mut self, connection: ConnectionId) {
        let state = &mut self.connections[connection.slot as usize];
        state.ended |= state.generation == connection.generation;
    }

    /// The list is looked through for connections that have left their slots, which is once or twice in the life of each.
    fn is_lingering(&self, connection: ConnectionId) -> bool {
        self.live_socket(connection).is_none() && self.lingering.get(connection).is_some()
    }

    /// What a connection received that waits for its FIN.
    fn on_lingering(&mut self, connection: ConnectionId, result: i32) {
        match result {
            errno if errno == -libc::ENOBUFS || errno == -libc::ECANCELED => {
                self.to_arm.push(connection);
            }
            0 => self.closing.extend(self.lingering.take(connection)),
            // A peer that sends more than its answer, or resets, is not waited for.
            _ => {
                if let Some(socket) = self.lingering.take(connection) {
                    self.shut(socket, false);
                }
            }
        }
    }

    /// Ends a connection whose receive may be armed.
    fn shut(&mut self, socket: Socket, was_sending: bool) {
        // The ring holds a reference of its own as long as a receive is armed: closing the descriptor alone would
        // leave the connection open. The shutdown ends that receive, and a connect or send likewise.
        // It fails on a socket that was never connected, which has nothing to end. A connection that is to end in
        // a reset gets no FIN before it; only a send that waits for room would not be ended otherwise.
        let how = match self.dialer.resets() && !was_sending {
            true => Shutdown::Read,
            false => Shutdown::Both,
        };
        let _ = socket.shutdown(how);
        self.closing.push(socket);
        // A turn in which more connections end than events come (time limits) must not take more descriptors.
        if self.closing.len() >= EVENTS_MAX {
            self.hand_over();
            self.close_descriptors();
        }
    }

    /// Gives descriptors back that no queued entry names.
    fn close_descriptors(&mut self) {
        if self.ring.submission().is_empty() {
            self.closing.clear();
        }
    }

    /// A buffer of this size brought so many bytes; when several in a row speak for the other size, the receive that
    /// goes on is ended, so that the next one takes those.
    fn choose_size(&mut self, connection: ConnectionId, size: Size, bytes: usize, goes_on: bool) {
        let state = &mut self.connections[connection.slot as usize];
        let is_settled = state.generation == connection.generation && state.size == size;
        if !is_settled || state.socket.is_none() {
            return;
        }
        state.streak = match size.is_wrong_for(bytes) {
            true => state.streak + 1,
            false => 0,
        };
        if state.streak < STREAK {
            return;
        }
        state.streak = 0;
        state.size = size.other();
        if goes_on {
            let (slot, generation) = (connection.slot, connection.generation);
            let receive = token::pack(size.operation(), slot, generation);
            let entry = opcode::AsyncCancel::new(receive).build();
            self.push(&entry.user_data(token::pack(Operation::Cancel, slot, generation)));
        }
    }

    fn on_received_into(&mut self, index: u32, result: i32, events: &mut Vec<Event>) {
        let Receive::OneShot(one_shot) = &mut self.receive else {
            return;
        };
        let connection = one_shot.connections[index as usize];
        let state = &self.connections[connection.slot as usize];
        let is_live = state.generation == connection.generation && state.socket.is_some();
        if !is_live && self.lingering.get(connection).is_some() {
            one_shot.free.push(index);
            return self.on_lingering(connection, result);
        }
        let io = match result {
            1.. => Io::Received(Received {
                buffer: index,
                bytes: result as u32,
            }),
            0 => Io::Closed,
            errno => Io::ReceiveFailed(-errno),
        };
        match io {
            Io::Received(_) => {
                one_shot.ours[index as usize] = true;
                self.to_arm.push(connection);
            }
            _ => {
                one_shot.free.push(index);
                self.on_receive_ended(connection);
            }
        }
        events.push(Event { connection, io });
    }

    fn on_sent(&mut self, index: u32, result: i32, events: &mut Vec<Event>) {
        let connection = self.sends.send(index).connection;
        if result >= 0 && !self.sends.advance(index, result as u32) {
            self.push_send(index);
            return;
        }
        self.sends.release(index);
        let state = &mut self.connections[connection.slot as usize];
        if state.generation == connection.generation {
            state.sending = false;
        }
        if result < 0 {
            let io = Io::SendFailed(-result);
            events.push(Event { connection, io });
        }
    }
}

impl OneShot {
    fn take(&mut self, connection: ConnectionId) -> (u32, &mut [u8]) {
        let index = self.free.pop().unwrap_or_else(|| {
            self.buffers
                .push(vec![0; RECEIVE_BUFFER_BYTES].into_boxed_slice());
            self.connections.push(connection);
            self.ours.push(false);
            self.buffers.len() as u32 - 1
        });
        self.connections[index as usize] = connection;
        (index, &mut self.buffers[index as usize])
    }
}

impl Driver for Uring {
    fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    fn submit_connect(&mut self, connection: ConnectionId, route: usize) {
        // A ring waits for a *blocking* socket by itself; a non-blocking one would make it answer EAGAIN.
        let opened = self.dialer.open(route, Blocking::Yes);
        let state = &mut self.connections[connection.slot as usize];
        debug_assert!(state.socket.is_none(), "opened over another");
        state.generation = connection.generation;
        state.sending = false;
        state.ended = false;
        state.size = Size::Small;
        state.streak = 0;
        let socket = match opened {
            Ok(socket) => socket,
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(libc::EMFILE);
                let io = Io::ConnectFailed(errno);
                self.early.push(Event { connection, io });
                return;
            }
        };
        let token = token::pack(Operation::Connect, connection.slot, connection.generation);
        let fd = Fd(socket.as_raw_fd());
        state.socket = Some(socket);
        let address = self.dialer.address(route);
        if address.is_unix() {
            if !self.connect_unix(connection, route) {
                self.to_connect.push_back((connection, route));
            }
            return;
        }
        let entry = opcode::Connect::new(fd, address.as_ptr().cast(), address.len());
        self.push(&entry.build().user_data(token));
    }

    fn send_buffer(&mut self) -> &mut [u8] {
        self.sends.next()
    }

    fn submit_send(&mut self, connection: ConnectionId, bytes: usize) {
        let index = self.sends.take(connection, bytes);
        self.connections[connection.slot as usize].sending = true;
        self.push_send(index);
    }

    fn submit_send_around(&mut self, connection: ConnectionId, bytes: usize, inserts: &[Insert]) {
        let index = self.sends.take_around(connection, bytes, inserts);
        self.connections[connection.slot as usize].sending = true;
        self.push_send(index);
    }

    fn is_sending(&self, connection: ConnectionId) -> bool {
        let state = &self.connections[connection.slot as usize];
        state.generation == connection.generation && state.sending
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

    fn flushed_ns(&mut self) -> Option<u64> {
        self.flushed_ns.take()
    }

    fn wait(&mut self, deadline_ns: u64, events: &mut Vec<Event>) -> Turn {
        if let Receive::Multishot(rings) = &self.receive {
            rings.iter().for_each(BufferRing::commit);
        }
        self.connect_again();
        self.end_lingering();
        while let Some(connection) = self.to_arm.pop() {
            self.arm_receive(connection);
        }
        let now_ns = self.clock.now_ns();
        // When arming filled the queue, the sends of this turn went then.
        let submitted_ns = self.flushed_ns.take().unwrap_or(now_ns);
        let deadline_ns = deadline_ns.min(self.lingering.next_ns().unwrap_or(u64::MAX));
        let deadline_ns = match (self.early.is_empty(), self.to_connect.is_empty()) {
            (false, _) => 0,
            (true, false) => deadline_ns.min(submitted_ns + AGAIN_NS),
            (true, true) => deadline_ns,
        };
        let mut idle_from_ns = now_ns;
        if !self.ring.submission().is_empty() || deadline_ns <= submitted_ns {
            self.enter(0, None);
            idle_from_ns = self.clock.now_ns();
        }
        self.close_descriptors();
        let mut reaped_ns = idle_from_ns;
        if !self.has_completions() && deadline_ns > idle_from_ns {
            let sleep_ns = (deadline_ns - idle_from_ns).min(SLEEP_NS_MAX);
            if self.enter(1, Some(sleep_ns)) == Entered::Refused {
                self.set_aside();
            }
            reaped_ns = self.clock.now_ns();
        }
        // This process was stopped for a while (by a signal, on a busy machine): what came meanwhile is there, but only
        // an enter brings it. Without it time limits would be held against answers that had come.
        if reaped_ns > deadline_ns.max(submitted_ns) + LATE_NS {
            self.enter(0, None);
            reaped_ns = self.clock.now_ns();
        }
        self.overflows += u64::from(self.ring.submission().cq_overflow());
        self.reap(events);
        Turn {
            submitted_ns,
            idle_from_ns,
            reaped_ns,
        }
    }

    fn received(&self, received: Received) -> &[u8] {
        match &self.receive {
            Receive::Multishot(rings) => {
                let ring = &rings[(received.buffer >> 16) as usize];
                ring.received(received.buffer as u16, received.bytes as usize)
            }
            Receive::OneShot(one_shot) => {
                assert!(one_shot.ours[received.buffer as usize]);
                &one_shot.buffers[received.buffer as usize][..received.bytes as usize]
            }
        }
    }

    fn release(&mut self, received: Received) {
        match &mut self.receive {
            Receive::Multishot(rings) => {
                rings[(received.buffer >> 16) as usize].publish(received.buffer as u16);
            }
            Receive::OneShot(one_shot) => {
                let ours = &mut one_shot.ours[received.buffer as usize];
                assert!(std::mem::replace(ours, false), "given back once");
                one_shot.free.push(received.buffer);
            }
        }
    }

    fn overflows(&self) -> u64 {
        self.overflows
    }
}

impl Drop for Uring {
    /// Ends every connection and waits until the kernel has let go of all buffers. After a panic nothing is waited for:
    /// a second panic would end the process, and what was measured with it.
    fn drop(&mut self) {
        if !self.is_broken && !std::thread::panicking() {
            // A ring that breaks only now must not keep what it may still write to from being leaked.
            let _ = catch_unwind(AssertUnwindSafe(|| self.end_all()));
        }
        if self.under_way > 0 {
            // Leaking is the safe end: the kernel may still write.
            let nothing = Receive::OneShot(OneShot::default());
            std::mem::forget(std::mem::replace(&mut self.receive, nothing));
            let no_sends = SendBuffers::new(0, 0, Vec::new());
            std::mem::forget(std::mem::replace(&mut self.sends, no_sends));
            std::mem::forget(std::mem::take(&mut self.messages));
        }
    }
}

impl Uring {
    /// Those that have waited for their FIN long enough.
    fn end_lingering(&mut self) {
        if self.lingering.next_ns().is_some() {
            let now_ns = self.clock.now_ns();
            while let Some(socket) = self.lingering.take_due(now_ns) {
                self.shut(socket, false);
            }
        }
    }

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
        while self.under_way > 0 && self.clock.now_ns() < deadline_ns {
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

fn completions_of(config: &DriverConfig) -> u32 {
    (4 * config.slots as u32).clamp(COMPLETIONS_MIN, COMPLETIONS_MAX)
}

/// The best ring of `allowed` that the kernel grants, and what of it was granted.
fn build_ring(completions: u32, allowed: Features) -> io::Result<(IoUring, Features)> {
    let none = Features {
        defer_taskrun: false,
        coop_taskrun: false,
        ..allowed
    };
    let candidates = [
        allowed,
        Features {
            defer_taskrun: false,
            ..allowed
        },
        none,
    ];
    let mut outcome = Err(io::Error::from_raw_os_error(libc::EINVAL));
    for features in candidates {
        let mut builder = IoUring::builder();
        builder.dontfork().setup_clamp().setup_cqsize(completions);
        if features.coop_taskrun {
            builder.setup_submit_all();
        }
        if features.defer_taskrun {
            builder.setup_single_issuer().setup_defer_taskrun();
        } else if features.coop_taskrun {
            builder.setup_coop_taskrun();
        }
        outcome = builder.build(SUBMISSIONS_MAX).map(|ring| (ring, features));
        // EINVAL is how a kernel says that it does not know a flag.
        let unknown_flag = matches!(&outcome, Err(e) if e.raw_os_error() == Some(libc::EINVAL));
        if !unknown_flag {
            break;
        }
    }
    outcome
}

/// Multishot from a buffer ring where the kernel has both, else one-shot.
fn receive_mode(ring: &IoUring, features: &mut Features) -> Receive {
    if features.multishot && knows_multishot(ring) {
        let small = BufferRing::new(RECEIVE_BUFFERS, RECEIVE_BUFFER_BYTES);
        let large = BufferRing::new(LARGE_BUFFERS, LARGE_BUFFER_BYTES);
        let submitter = ring.submitter();
        // SAFETY: both go into the same `Uring` as the ring, whose `Drop` waits for the last completion before
        // they go, or leaks them. Moving a `BufferRing` moves neither entries nor buffers: both are on the heap. When the
        // second cannot be registered both go at once, and no operation has named the first or ever will.
        let registered = unsafe {
            small
                .register(&submitter, Size::Small as u16)
                .and_then(|()| large.register(&submitter, Size::Large as u16))
        };
        if registered.is_ok() {
            return Receive::Multishot([small, large]);
        }
    }
    features.multishot = false;
    Receive::OneShot(OneShot::default())
}

/// There is no way to ask for multishot receive itself; zero-copy send came with the same kernel (6.0) and has an
/// opcode that can be asked for.
fn knows_multishot(ring: &IoUring) -> bool {
    let mut probe = io_uring::Probe::new();
    ring.submitter().register_probe(&mut probe).is_ok() && probe.is_supported(opcode::SendZc::CODE)
}

#[cfg(test)]
mod tests;
