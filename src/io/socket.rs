//! Sockets and where they lead: resolving the target, options, and one trial connection before the load.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Whether system calls on a socket may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blocking {
    /// io_uring waits for such sockets by itself.
    Yes,
    /// For readiness loops.
    No,
}

/// A TCP socket, not yet connected. No-delay is on: a request leaves when it is written (Nagle's algorithm would hold
/// back its last segment until the server acknowledged the one before).
pub(super) fn open(address: &SockAddr, blocking: Blocking) -> io::Result<Socket> {
    let domain = Domain::from(i32::from(address.family()));
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    if blocking == Blocking::No {
        socket.set_nonblocking(true)?;
    }
    Ok(socket)
}

/// All addresses of a host, in the resolver's order, each once.
///
/// # Errors
/// What the resolver says.
pub fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in (host, port).to_socket_addrs()? {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// Opens and closes one connection to each address, within `timeout` in all, and returns those that accepted.
///
/// # Errors
/// The first address's error when none accepted.
pub fn reachable(addresses: &[SocketAddr], timeout: Duration) -> io::Result<Vec<SocketAddr>> {
    let share = timeout / addresses.len().max(1) as u32;
    let mut accepted = Vec::new();
    let mut first_error = None;
    for address in addresses {
        match TcpStream::connect_timeout(address, share) {
            Ok(_) => accepted.push(*address),
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    match first_error {
        Some(error) if accepted.is_empty() => Err(error),
        _ => Ok(accepted),
    }
}
