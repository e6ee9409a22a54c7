//! The server of a simulation, which a test supplies.

use crate::io::ConnectionId;

/// The server of a simulation: bytes in, replies out, at a virtual time.
pub trait Service {
    /// A connection was opened.
    fn on_connect(&mut self, connection: ConnectionId, now_ns: u64);
    /// Bytes arrived. The replies to them are appended to `replies`, in order.
    fn on_bytes(
        &mut self,
        connection: ConnectionId,
        bytes: &[u8],
        now_ns: u64,
        replies: &mut Vec<Reply>,
    );
    /// The client has closed the connection.
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

impl Reply {
    pub(super) fn delay_ns(&self) -> u64 {
        match self {
            Self::Bytes(ns, _) | Self::Close(ns) | Self::Reset(ns) => *ns,
        }
    }
}
