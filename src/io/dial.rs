//! Route number -> a socket that is about to connect: its source, its target and its options.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::options::TcpOption;

/// Settings of every socket of a run, applied before it connects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sockets {
    /// Source addresses of connections, used in turn; when empty, the kernel chooses.
    pub sources: Vec<IpAddr>,
    /// Options in addition to no-delay, which is on.
    pub tcp: Vec<TcpOption>,
    /// Addresses of each further target, which has connections of its own; empty for a run with one target.
    pub named: Vec<Vec<SockAddr>>,
}

/// Whether system calls on a socket may block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blocking {
    /// For io_uring, which waits for blocking sockets by itself.
    Yes,
    /// For readiness loops.
    No,
}

/// Pause between two tries to connect to a Unix socket whose backlog is full: the kernel sends no event when there is
/// room again.
pub(super) const RECONNECT_PAUSE_NS: u64 = 1_000_000;

/// The routes to the targets: each source address to each target address of the same family, source by source.
///
/// Route numbers go to the targets in turn: with N targets, route number n is the one with number n / N of target n % N.
#[derive(Clone, Debug)]
pub struct Dialer {
    /// By target, the one of the run first.
    targets: Vec<Routes>,
    sources: Vec<SockAddr>,
    tcp: Vec<TcpOption>,
}

/// The routes to one target.
#[derive(Clone, Debug)]
struct Routes {
    addresses: Vec<SockAddr>,
    /// Index into `addresses`, and into the dialer's `sources` if there are any.
    pairs: Vec<(usize, Option<usize>)>,
}

impl Routes {
    fn new(addresses: &[SockAddr], sources: &[SockAddr]) -> Self {
        let mut pairs: Vec<(usize, Option<usize>)> = Vec::new();
        for (from, source) in sources.iter().enumerate() {
            let to = addresses.iter().enumerate();
            let same_kind = to.filter(|(_, to)| to.family() == source.family());
            pairs.extend(same_kind.map(|(to, _)| (to, Some(from))));
        }
        if sources.is_empty() {
            pairs.extend((0..addresses.len()).map(|to| (to, None)));
        }
        Self {
            addresses: addresses.to_vec(),
            pairs,
        }
    }
}

impl Dialer {
    /// All routes to these addresses, and to those of the further targets in `sockets`; none to a target when no source
    /// address has the family of one of its addresses.
    pub fn new(addresses: &[SockAddr], sockets: &Sockets) -> Self {
        let sources: Vec<SockAddr> = sockets
            .sources
            .iter()
            .map(|&ip| SocketAddr::new(ip, 0).into())
            .collect();
        let named = sockets.named.iter().map(|it| &it[..]);
        let targets = std::iter::once(addresses).chain(named);
        Self {
            targets: targets.map(|to| Routes::new(to, &sources)).collect(),
            sources,
            tcp: sockets.tcp.clone(),
        }
    }

    /// Number of routes to the first target.
    pub fn routes(&self) -> usize {
        self.targets[0].pairs.len()
    }

    /// The target of a route, and the indices of its target and source address.
    fn find(&self, route: usize) -> (&Routes, (usize, Option<usize>)) {
        let routes = &self.targets[route % self.targets.len()];
        let nth = route / self.targets.len();
        (routes, routes.pairs[nth % routes.pairs.len()])
    }

    /// The target address of a route.
    pub fn address(&self, route: usize) -> &SockAddr {
        let (routes, (to, _)) = self.find(route);
        &routes.addresses[to]
    }

    /// The source address of a route; `None` when the kernel chooses.
    pub fn source(&self, route: usize) -> Option<IpAddr> {
        let (_, (_, from)) = self.find(route);
        Some(self.sources[from?].as_socket()?.ip())
    }

    /// Whether connections end with a reset.
    pub(super) fn resets(&self) -> bool {
        self.tcp.contains(&TcpOption::ResetAtEnd)
    }

    /// Whether the side that ends a connection first keeps its port in TIME_WAIT. Unix sockets have no ports, and a
    /// reset leaves no TIME_WAIT.
    pub(super) fn has_time_wait(&self) -> bool {
        let mut addresses = self.targets.iter().flat_map(|to| &to.addresses);
        !self.resets() && addresses.any(|to| !to.is_unix())
    }

    /// A socket for this route, bound and not yet connected. No-delay is on: a request leaves when it is written.
    ///
    /// # Errors
    /// The error of `socket`, `setsockopt` or `bind`.
    pub(super) fn open(&self, route: usize, blocking: Blocking) -> io::Result<Socket> {
        let (routes, (to, from)) = self.find(route);
        let address = &routes.addresses[to];
        let is_tcp = !address.is_unix();
        let domain = Domain::from(i32::from(address.family()));
        let socket = Socket::new(domain, Type::STREAM, is_tcp.then_some(Protocol::TCP))?;
        if is_tcp {
            socket.set_tcp_nodelay(true)?;
            for option in &self.tcp {
                option.apply(&socket)?;
            }
        }
        if let Some(from) = from {
            choose_port_at_connect(&socket)?;
            socket.bind(&self.sources[from])?;
        }
        if blocking == Blocking::No {
            socket.set_nonblocking(true)?;
        }
        Ok(socket)
    }
}

/// Connects to a Unix socket, which completes at once: connected, refused, or `WouldBlock` when the backlog is full.
/// Not for TCP sockets.
pub(super) fn connect_unix(socket: &Socket, address: &SockAddr) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.connect(address)
}

/// `IP_BIND_ADDRESS_NO_PORT` (Linux 4.2): the port is chosen when the socket connects, so it must be free for this
/// target only. A port chosen by `bind` must be free for all targets, which limits a source address to 28,000
/// connections in all, instead of 28,000 to each target.
fn choose_port_at_connect(socket: &Socket) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the descriptor is open while `socket` is borrowed, and the kernel reads the given number of bytes of
    // `on`, which outlives the call. IPv6 sockets take the same option at the same level.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests;
