//! The stand-in's listening socket.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;

use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use super::config::MockConfig;
use super::unix::{self, SocketFile};

/// Connections that may wait to be accepted.
pub(super) const BACKLOG: i32 = 4096;

/// A listening socket, and the file of a Unix socket.
pub(super) fn listen(config: &MockConfig) -> io::Result<(Socket, Option<SocketFile>)> {
    let (socket, file) = match config.faults.refuse {
        _ if config.listen.is_unix() => unix::bound(&config.listen)?,
        None => (bound(&config.listen)?, None),
        Some(_) => (bound_with_known_port(&config.listen)?, None),
    };
    socket.listen(BACKLOG)?;
    Ok((socket, file))
}

fn bound(address: &SockAddr) -> io::Result<Socket> {
    let domain = Domain::from(i32::from(address.family()));
    let socket = Socket::new(domain, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// A socket that will stop listening and start again, to refuse connections meanwhile. It loses a port that the kernel
/// has chosen, but keeps one that was asked for.
fn bound_with_known_port(address: &SockAddr) -> io::Result<Socket> {
    let chosen = bound(address)?;
    bound(&chosen.local_addr()?)
}

/// The listening socket on tokio.
pub(super) enum Listener {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

impl Listener {
    pub fn new(socket: Socket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let is_unix = SockRef::from(&socket).local_addr()?.is_unix();
        let socket = OwnedFd::from(socket);
        Ok(match is_unix {
            true => Self::Unix(tokio::net::UnixListener::from_std(UnixListener::from(
                socket,
            ))?),
            false => Self::Tcp(tokio::net::TcpListener::from_std(TcpListener::from(
                socket,
            ))?),
        })
    }

    /// The next connection. A Unix stream gets the type of a TCP stream: the code that follows only reads, writes and
    /// shuts down, which is the same for both.
    pub async fn accept(&self) -> io::Result<tokio::net::TcpStream> {
        match self {
            Self::Tcp(listener) => Ok(listener.accept().await?.0),
            Self::Unix(listener) => {
                let stream = listener.accept().await?.0.into_std()?;
                tokio::net::TcpStream::from_std(TcpStream::from(OwnedFd::from(stream)))
            }
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }
}
