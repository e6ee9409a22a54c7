//! The trait between a shard and the kernel: submit operations, then wait for events.

use super::tls_failure::TlsFailure;
use super::token::ConnectionId;

/// Most events that one [`Driver::wait`] returns. It bounds the length of a turn, and so the error of a time stamp.
pub const EVENTS_MAX: usize = 256;

/// Most [`Insert`]s in one request.
pub const INSERTS_MAX: usize = 7;

/// What a shard asks of the kernel: operations are submitted now, their results arrive later as events.
///
/// The order of calls in a turn is: any number of `submit_*` and `close`, one `wait`, then the handling of each event
/// of that wait, with one `release` for each [`Io::Received`]. A connection is addressed by its [`ConnectionId`]. The
/// caller gives each new connection of a slot a higher generation, and must expect events of older generations; it
/// releases their buffers like any other.
pub trait Driver {
    /// Nanoseconds on the driver's monotonic clock. Virtual in the simulation.
    fn now_ns(&self) -> u64;

    /// Opens a connection on the route with this number, of which there are [`Dialer::routes`](super::Dialer::routes);
    /// higher numbers start again at the first. Ends in [`Io::Connected`] or [`Io::ConnectFailed`].
    fn submit_connect(&mut self, connection: ConnectionId, route: usize);

    /// A buffer to render the next batch of requests into,
    /// [`DriverConfig::rendered_bytes_max`](super::DriverConfig::rendered_bytes_max) long. It belongs to the caller
    /// until its next call of another method; only [`Driver::submit_send`] and [`Driver::submit_send_around`] send it.
    fn send_buffer(&mut self) -> &mut [u8];

    /// Sends the first `bytes` bytes of the buffer that the last [`Driver::send_buffer`] returned. The driver continues
    /// short writes. A completed send produces no event, a failed one [`Io::SendFailed`].
    fn submit_send(&mut self, connection: ConnectionId, bytes: usize);

    /// Like [`Driver::submit_send`], with shared bytes inserted, which are not copied: at most [`INSERTS_MAX`] inserts,
    /// in order of their offsets.
    fn submit_send_around(&mut self, connection: ConnectionId, bytes: usize, inserts: &[Insert]);

    /// Asks for one [`Io::Sent`] when the kernel has taken all of the send that is under way on this connection. For what
    /// does not fit one buffer: a driver that encrypts fills the next one then.
    fn announce_sent(&mut self, connection: ConnectionId);

    /// Whether the kernel has not yet taken all of the last send on this connection.
    fn is_sending(&self, connection: ConnectionId) -> bool;

    /// The moment at which requests of this turn went to the kernel before [`Driver::wait`], because the queue was
    /// full; reported once. It holds for every send but the last one.
    fn flushed_ns(&mut self) -> Option<u64> {
        None
    }

    /// Sends bytes at once, beside the queue, as far as the socket takes them: the last ones of a connection that is about
    /// to be closed. No send may be under way on it.
    fn send_last(&mut self, _connection: ConnectionId, _bytes: &[u8]) {}

    /// From now on, connections that wait for their FIN pass over bytes before it. Without this call such bytes end the
    /// wait.
    fn pass_over_late_bytes(&mut self) {}

    /// Ends the connection. Its slot is free at once; events of operations under way may still arrive.
    fn close(&mut self, connection: ConnectionId);

    /// Ends a connection that the peer is about to end. Its FIN is waited for, for a bounded time, so that the port in
    /// TIME_WAIT is the peer's. At most [`lingering_max`](super::lingering_max) connections wait at once.
    fn close_after_fin(&mut self, connection: ConnectionId) {
        self.close(connection);
    }

    /// Hands all submitted operations to the kernel and waits for events or `deadline_ns`. Appends at most
    /// [`EVENTS_MAX`] events; the rest is kept for the next call. May return early without events.
    fn wait(&mut self, deadline_ns: u64, events: &mut Vec<Event>) -> Turn;

    /// The bytes in a received buffer.
    fn received(&self, received: Received) -> &[u8];

    /// The same bytes, to be changed where they lie: ciphertext is decrypted in place.
    fn received_mut(&mut self, received: Received) -> &mut [u8];

    /// How a connection was made safe, from its [`Io::Connected`] on until it is closed; `None` without encryption.
    fn handshake(&self, _connection: ConnectionId) -> Option<Handshake> {
        None
    }

    /// Whether a connection that is not reported as connected yet is open, and its handshake under way.
    fn is_in_handshake(&self, _connection: ConnectionId) -> bool {
        false
    }

    /// Returns a received buffer to the driver.
    fn release(&mut self, received: Received);

    /// The run is over: what has to be said on open connections is said. Only dropping the driver follows.
    fn finish(&mut self) {}

    /// How often the kernel's completion queue has overflowed. Completions are not lost then, but late.
    fn overflows(&self) -> u64;
}

/// Shared bytes to be inserted in a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Insert {
    /// Offset in the rendered bytes before which they are inserted.
    pub at: usize,
    /// Index into [`DriverConfig::shared`](super::DriverConfig::shared).
    pub shared: usize,
}

/// The three moments of a [`Driver::wait`], in nanoseconds of the driver's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// The batch went to the kernel.
    pub submitted_ns: u64,
    /// The kernel had taken the batch. From here to `reaped_ns` the thread was idle.
    pub idle_from_ns: u64,
    /// The events were taken from the kernel.
    pub reaped_ns: u64,
}

/// The handshake of an encrypted connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// When the connection was open and the handshake began, in nanoseconds of the driver's clock.
    pub began_ns: u64,
    /// When the handshake was done.
    pub done_ns: u64,
    /// The session of an earlier connection was resumed: no certificate was sent or verified.
    pub is_resumed: bool,
}

/// An event of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The connection, with the generation that it had when the operation began.
    pub connection: ConnectionId,
    /// What happened.
    pub io: Io,
}

/// What can happen to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Io {
    /// The connection is open, and being read.
    Connected,
    /// The connection failed to open: errno.
    ConnectFailed(i32),
    /// Bytes arrived. They stay valid until [`Driver::release`].
    Received(Received),
    /// The peer has ended its side of the stream (FIN).
    Closed,
    /// The peer has ended its side of an encrypted stream without the message that must announce it (RFC 8446 section 6.1):
    /// what came before may lack its end.
    Truncated,
    /// The encryption of the connection failed. Nothing more will arrive.
    TlsFailed(TlsFailure),
    /// Reading failed, for example by a reset: errno. Nothing more will arrive.
    ReceiveFailed(i32),
    /// The kernel has taken all of a send for which [`Driver::announce_sent`] was called.
    Sent,
    /// A send failed before all its bytes were taken: errno. An answer may still arrive.
    SendFailed(i32),
}

/// A buffer with received bytes, owned by the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// The driver's number for the buffer.
    pub buffer: u32,
    /// Length of the received bytes.
    pub bytes: u32,
}
