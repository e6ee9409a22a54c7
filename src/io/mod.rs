//! The kernel's side of the house: one completion-shaped trait, three drivers that keep it.
//!
//! Reading order: [`Driver`] and [`Event`] here, [`token`] (what ties a completion to a connection),
//! [`uring`] (the fast path, with its `uring_buffers` and `uring_messages`), [`epoll`] (the same by readiness), then
//! `dial` and [`options`] (how a connection begins), `lingering` (how it ends), [`probe`], [`socket`] and [`process`], which
//! are asked once before the start. A third driver, for tests, is [`crate::sim`].
//!
//! A driver knows sockets, bytes and time. It knows nothing of HTTP, users or steps, and imports nothing of ours.

#![allow(
    unsafe_code,
    reason = "the ring and its buffers are shared with the kernel; nowhere else is"
)]

pub mod clock;
mod dial;
pub mod epoll;
mod lingering;
pub mod options;
pub mod probe;
pub mod process;
mod send_buffers;
pub mod socket;
pub mod token;
pub mod uring;
mod uring_buffers;
mod uring_messages;

use std::sync::Arc;

pub use dial::{Dialer, Sockets};
pub use token::ConnectionId;

/// Most events that one [`Driver::wait`] hands over: it bounds the length of a turn, and with it the error of a stamp.
pub const EVENTS_MAX: usize = 256;

/// Most connections of a driver that wait for their FIN ([`Driver::close_after_fin`]).
pub const LINGERING_MAX: usize = EVENTS_MAX;

/// Most [`Insert`]s in one request.
pub const INSERTS_MAX: usize = 7;

/// What the shard asks of the kernel: start an operation now, learn later how it ended.
///
/// The order of calls in a turn is: any number of `submit_*` and `close`, one `wait`, then for each event of that
/// wait its handling, with one `release` for each [`Io::Received`]. The address of a connection is its
/// [`ConnectionId`]; the caller gives each new connection of a slot a higher generation, and has to expect events
/// of older generations (their buffers are released like any other's).
pub trait Driver {
    /// Nanoseconds on the driver's monotonic clock. Virtual in the simulation.
    fn now_ns(&self) -> u64;

    /// Opens a connection on the route with this number, of which there are as many as [`Dialer::routes`] says; higher
    /// numbers begin again at the first. Ends in [`Io::Connected`] or [`Io::ConnectFailed`].
    fn submit_connect(&mut self, connection: ConnectionId, route: usize);

    /// A buffer to render the next batch of requests into, [`DriverConfig::rendered_bytes_max`] long. It belongs to the
    /// caller until the next other call of this trait; only [`Driver::submit_send`] and [`Driver::submit_send_around`]
    /// take it.
    fn send_buffer(&mut self) -> &mut [u8];

    /// Sends the first `bytes` of the buffer that [`Driver::send_buffer`] gave last. Short writes are continued by
    /// the driver; a completed send is silent, a failed one is an [`Io::SendFailed`].
    fn submit_send(&mut self, connection: ConnectionId, bytes: usize);

    /// The same with shared bytes in their places, which are not copied: at most [`INSERTS_MAX`], in order.
    fn submit_send_around(&mut self, connection: ConnectionId, bytes: usize, inserts: &[Insert]);

    /// Whether a part of what was sent last is still to be taken by the kernel.
    fn is_sending(&self, connection: ConnectionId) -> bool;

    /// When requests of this turn went to the kernel before [`Driver::wait`], because the queue for it was full: the
    /// moment, once. It holds for every send but the last one.
    fn flushed_ns(&mut self) -> Option<u64> {
        None
    }

    /// Ends the connection. Events of it that are under way may still arrive; its slot is free at once.
    fn close(&mut self, connection: ConnectionId);

    /// The same for a connection that the peer is about to end: its FIN is waited for, for a bounded time, so that the
    /// port in TIME_WAIT is the peer's. At most [`lingering_max`] connections wait at once.
    fn close_after_fin(&mut self, connection: ConnectionId) {
        self.close(connection);
    }

    /// Hands everything submitted to the kernel and waits until something happened or `deadline_ns` has come.
    /// At most [`EVENTS_MAX`] events are appended; more are kept for the next call. May return early without events.
    fn wait(&mut self, deadline_ns: u64, events: &mut Vec<Event>) -> Turn;

    /// The bytes of a received buffer.
    fn received(&self, received: Received) -> &[u8];

    /// Gives a received buffer back.
    fn release(&mut self, received: Received);

    /// How often the kernel's completion queue overflowed. Completions are kept, but late.
    fn overflows(&self) -> u64;
}

/// Shared bytes within a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Insert {
    /// Before which of the rendered bytes they belong.
    pub at: usize,
    /// Which: an index into [`DriverConfig::shared`].
    pub shared: usize,
}

/// When the three moments of a [`Driver::wait`] were, in nanoseconds of the driver's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// The batch went to the kernel.
    pub submitted_ns: u64,
    /// The kernel had taken the batch; from here to `reaped_ns` the thread had nothing to do.
    pub idle_from_ns: u64,
    /// The events were taken from the kernel.
    pub reaped_ns: u64,
}

/// Something that happened to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The connection it happened to, with the generation it had when the operation began.
    pub connection: ConnectionId,
    /// What happened.
    pub io: Io,
}

/// What can happen to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Io {
    /// It is open, and being read.
    Connected,
    /// It could not be opened: errno.
    ConnectFailed(i32),
    /// Bytes arrived; they stay valid until [`Driver::release`].
    Received(Received),
    /// The peer will send no more (FIN).
    Closed,
    /// Reading failed, as by a reset: errno. Nothing more will arrive.
    ReceiveFailed(i32),
    /// What was handed over could not be sent in full: errno. An answer may arrive all the same.
    SendFailed(i32),
}

/// A buffer with received bytes, owned by the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Which buffer.
    pub buffer: u32,
    /// How many bytes of it.
    pub bytes: u32,
}

/// What a driver keeps of each connection, in bytes.
pub fn connection_bytes(backend: Backend) -> usize {
    match backend {
        Backend::Epoll => epoll::Epoll::CONNECTION_BYTES,
        Backend::Uring | Backend::Auto => uring::Uring::CONNECTION_BYTES,
    }
}

/// Most connections that wait for their FIN beside so many slots: few, since a service that does not end them counts
/// them as open, and may have a limit of its own.
pub fn lingering_max(slots: usize) -> usize {
    (slots / 2).max(slots.min(8)).clamp(1, LINGERING_MAX)
}

/// Most descriptors of a driver whose connections have left their slots: the closes of one turn, and what waits for its
/// FIN. The next connections of those slots may be open already.
pub const CLOSING_MAX: usize = EVENTS_MAX + LINGERING_MAX;

/// Most descriptors that a driver has open for so many slots.
pub fn descriptors(slots: usize) -> usize {
    slots + slots.min(EVENTS_MAX) + lingering_max(slots)
}

/// Which driver a run asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// io_uring where it is to be had, else epoll.
    #[default]
    Auto,
    /// io_uring or an error.
    Uring,
    /// epoll.
    Epoll,
}

/// What every real driver is built from: all of it known before the first packet.
#[derive(Clone, Debug)]
pub struct DriverConfig {
    /// The target's addresses: of hosts and ports, or of a Unix socket.
    pub addresses: Vec<socket2::SockAddr>,
    /// What each connection's socket is given.
    pub sockets: Sockets,
    /// Connection slots; [`ConnectionId::slot`] is below it.
    pub slots: usize,
    /// Length in bytes of the longest batch of requests that is sent at once, without what is in `shared`.
    pub rendered_bytes_max: usize,
    /// What requests have in common, each sent from where it lies. A driver holds on to it until the kernel has let go.
    pub shared: Vec<Arc<Vec<u8>>>,
}
