//! What a TCP socket can be told before it connects, as far as it matters to a load: `--tcp`.

use std::fmt;
use std::io;
use std::time::Duration;

use socket2::{Socket, TcpKeepalive};

/// An option of every connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpOption {
    /// A request leaves when it is written; on unless this says otherwise. Off, Nagle's algorithm holds back its last
    /// segment until the server acknowledged the one before.
    NoDelay(bool),
    /// A reset instead of an orderly end: no port of this machine stays in TIME_WAIT.
    ResetAtEnd,
    /// Probes of a connection that has been idle for so long, for paths that forget idle connections.
    Keepalive(Duration),
    /// How long sent bytes may stay unacknowledged until the connection is given up.
    UserTimeout(Duration),
    /// Bytes that the kernel may hold for us to read: bounds the window that the server may fill.
    ReceiveBuffer(usize),
    /// Bytes that the kernel holds for sending.
    SendBuffer(usize),
    /// Longest segment in bytes, sent and received.
    Mss(u32),
    /// The congestion control algorithm.
    Congestion(String),
}

impl TcpOption {
    /// Sets it.
    ///
    /// # Errors
    /// What `setsockopt` says.
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

    /// Sets it, and makes sure that the kernel took it whole: buffers above its limit it cuts without a word.
    ///
    /// # Errors
    /// What `setsockopt` says, or which limit there is.
    pub fn prove(&self, socket: &Socket) -> io::Result<()> {
        self.apply(socket)?;
        // The kernel counts its own bookkeeping too and doubles what is asked for (socket(7)).
        let (asked, granted, limit) = match self {
            Self::ReceiveBuffer(bytes) => (*bytes, socket.recv_buffer_size()? / 2, "rmem_max"),
            Self::SendBuffer(bytes) => (*bytes, socket.send_buffer_size()? / 2, "wmem_max"),
            _ => return Ok(()),
        };
        if granted < asked {
            return Err(io::Error::other(format!(
                "the kernel grants {granted} bytes; ask for those, or raise the limit: sysctl -w net.core.{limit}={asked}"
            )));
        }
        Ok(())
    }
}

/// As it is written after `--tcp`.
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
