//! What a driver is built from, all of it known before the first packet.

use std::sync::Arc;

use super::dial::Sockets;

/// What every real driver is built from.
#[derive(Clone, Debug)]
pub struct DriverConfig {
    /// The target's addresses: IP addresses with ports, or one Unix socket.
    pub addresses: Vec<socket2::SockAddr>,
    /// Source addresses and options of every connection's socket.
    pub sockets: Sockets,
    /// Number of connection slots; [`ConnectionId::slot`](super::ConnectionId::slot) is below it.
    pub slots: usize,
    /// Length in bytes of the longest batch of requests that is sent at once, without the bytes in `shared`.
    pub rendered_bytes_max: usize,
    /// Bytes that requests have in common, sent without a copy. A driver holds them until the kernel has let go of
    /// them.
    pub shared: Vec<Arc<Vec<u8>>>,
}
