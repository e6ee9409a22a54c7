//! The kernel's side of the house: one completion-shaped trait, three drivers that keep it.
//!
//! Reading order: [`Driver`] and [`Event`] here, [`token`] (what ties a completion to a connection),
//! [`uring`] (the fast path, with its `uring_buffers`), [`epoll`] (the same by readiness), [`sim`] (the same by
//! dice, on a virtual clock, with its `faults`), then [`probe`], [`socket`] and [`cpu`], which are asked once before the start.
//!
//! A driver knows sockets, bytes and time. It knows nothing of HTTP, users or steps, and imports nothing of ours.

#![allow(
    unsafe_code,
    reason = "the ring and its buffers are shared with the kernel; nowhere else is"
)]

pub mod clock;
pub mod cpu;
pub mod epoll;
mod faults;
pub mod probe;
mod send_buffers;
pub mod sim;
pub mod socket;
pub mod token;
pub mod uring;
mod uring_buffers;

pub use token::ConnectionId;

/// Most events that one [`Driver::wait`] hands over: it bounds the length of a turn, and with it the error of a stamp.
pub const EVENTS_MAX: usize = 256;

/// What the shard asks of the kernel: start an operation now, learn later how it ended.
///
/// The order of calls in a turn is: any number of `submit_*` and `close`, one `wait`, then for each event of that
/// wait its handling, with one `release` for each [`Io::Received`]. The address of a connection is its
/// [`ConnectionId`]; the caller gives each new connection of a slot a higher generation, and has to expect events
/// of older generations (their buffers are released like any other's).
pub trait Driver {
    /// Nanoseconds on the driver's monotonic clock. Virtual in the simulation.
    fn now_ns(&self) -> u64;

    /// Opens a connection to the target address with this index. Ends in [`Io::Connected`] or [`Io::ConnectFailed`].
    fn submit_connect(&mut self, connection: ConnectionId, address_index: usize);

    /// A buffer to render the next batch of requests into, as long as the longest of the run. It belongs to the caller
    /// until the next other call of this trait; only [`Driver::submit_send`] takes it.
    fn send_buffer(&mut self) -> &mut [u8];

    /// Sends the first `bytes` of the buffer that [`Driver::send_buffer`] gave last. Short writes are continued by
    /// the driver; a completed send is silent, a failed one is an [`Io::SendFailed`].
    fn submit_send(&mut self, connection: ConnectionId, bytes: usize);

    /// Whether a part of what was sent last is still to be taken by the kernel.
    fn is_sending(&self, connection: ConnectionId) -> bool;

    /// Ends the connection. Events of it that are under way may still arrive; its slot is free at once.
    fn close(&mut self, connection: ConnectionId);

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
    /// Addresses that [`Driver::submit_connect`] picks from by index.
    pub addresses: Vec<std::net::SocketAddr>,
    /// Connection slots; [`ConnectionId::slot`] is below it.
    pub slots: usize,
    /// Length in bytes of the longest batch of requests that is sent at once.
    pub request_bytes_max: usize,
}
