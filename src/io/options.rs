//! TCP socket options that matter to a load: `--tcp`.

use std::fmt;
use std::io;
use std::time::Duration;

use socket2::{Socket, TcpKeepalive};

/// An option that is set on every connection's socket before it connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpOption {
    /// On by default: a request leaves when it is written. Off: Nagle's algorithm holds back the last segment until the
    /// server has acknowledged the one before.
    NoDelay(bool),
    /// Connections end with a reset instead of a FIN, so that no port of this machine stays in TIME_WAIT.
    ResetAtEnd,
    /// Keepalive probes after this idle time, for network paths that drop idle connections.
    Keepalive(Duration),
    /// How long sent bytes may stay unacknowledged before the kernel ends the connection.
    UserTimeout(Duration),
    /// Size of the kernel's receive buffer in bytes; it bounds the window that the server may fill.
    ReceiveBuffer(usize),
    /// Size of the kernel's send buffer in bytes.
    SendBuffer(usize),
    /// Longest segment in bytes, sent and received.
    Mss(u32),
    /// Name of the congestion control algorithm.
    Congestion(String),
}

impl TcpOption {
    /// Sets the option on a socket.
    ///
    /// # Errors
    /// The error of `setsockopt`.
    pub fn apply(&self, socket: &Socket) -> io::Result<()> {
        match self {
            Self::NoDelay(on) => socket.set_tcp_nodelay(*on),
            Self::ResetAtEnd => socket.set_linger(Some(Duration::ZERO)),
            Self::Keepalive(idle) => {
                socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(*idle))
            }
            Self::UserTimeout(timeout) => socket.set_tcp_user_timeout(Some(*timeout)),
            Self::ReceiveBuffer(bytes) => socket.set_recv_buffer_size(*bytes),
            Self::SendBuffer(bytes) => socket.set_send_buffer_size(*bytes),
            Self::Mss(bytes) => socket.set_tcp_mss(*bytes),
            Self::Congestion(name) => socket.set_tcp_congestion(name.as_bytes()),
        }
    }

    /// Sets the option and checks that it took full effect: the kernel silently reduces buffers above its limit.
    ///
    /// # Errors
    /// The error of `setsockopt`, or the kernel's limit and how to raise it.
    pub fn prove(&self, socket: &Socket) -> io::Result<()> {
        self.apply(socket)?;
        // The kernel doubles the size that is asked for, to allow for its own bookkeeping (socket(7)).
        let (asked, granted, limit) = match self {
            Self::ReceiveBuffer(bytes) => (*bytes, socket.recv_buffer_size()? / 2, "rmem_max"),
            Self::SendBuffer(bytes) => (*bytes, socket.send_buffer_size()? / 2, "wmem_max"),
            _ => return Ok(()),
        };
        if granted < asked {
            return Err(io::Error::other(format!(
                "the kernel grants {granted} bytes; ask for no more, or raise the limit: sysctl -w net.core.{limit}={asked}"
            )));
        }
        Ok(())
    }
}

/// The form that `--tcp` reads.
impl fmt::Display for TcpOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDelay(true) => write!(f, "nodelay=on"),
            Self::NoDelay(false) => write!(f, "nodelay=off"),
            Self::ResetAtEnd => write!(f, "linger=0"),
            Self::Keepalive(idle) => write!(f, "keepalive={}s", idle.as_secs()),
            Self::UserTimeout(timeout) => write!(f, "user-timeout={}ms", timeout.as_millis()),
            Self::ReceiveBuffer(bytes) => write!(f, "rcvbuf={bytes}"),
            Self::SendBuffer(bytes) => write!(f, "sndbuf={bytes}"),
            Self::Mss(bytes) => write!(f, "mss={bytes}"),
            Self::Congestion(name) => write!(f, "congestion={name}"),
        }
    }
}
