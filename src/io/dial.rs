//! From a route's number to a socket that is about to connect: where from, where to, with which options.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::options::TcpOption;

/// What every socket of a run is given before it connects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sockets {
    /// Addresses of this machine that connections come from, in turn; empty leaves it to the kernel.
    pub sources: Vec<IpAddr>,
    /// Besides no-delay, which is on.
    pub tcp: Vec<TcpOption>,
}

/// Whether system calls on a socket may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blocking {
    /// io_uring waits for such sockets by itself.
    Yes,
    /// For readiness loops.
    No,
}

/// Between two looks whether a full Unix socket takes another connection: no event tells.
pub(super) const AGAIN_NS: u64 = 1_000_000;

/// The ways to the target: each source address to each target address of its kind, source by source.
#[derive(Clone, Debug)]
pub struct Dialer {
    addresses: Vec<SockAddr>,
    sources: Vec<SockAddr>,
    /// Index of the address, and of the source if there is one.
    routes: Vec<(usize, Option<usize>)>,
    tcp: Vec<TcpOption>,
}

impl Dialer {
    /// All ways that there are; none when no source address is of the kind of a target address.
    pub fn new(addresses: &[SockAddr], sockets: &Sockets) -> Self {
        let sources: Vec<SockAddr> = sockets
            .sources
            .iter()
            .map(|&ip| SocketAddr::new(ip, 0).into())
            .collect();
        let mut routes: Vec<(usize, Option<usize>)> = Vec::new();
        for (from, source) in sources.iter().enumerate() {
            let to = addresses.iter().enumerate();
            let same_kind = to.filter(|(_, to)| to.family() == source.family());
            routes.extend(same_kind.map(|(to, _)| (to, Some(from))));
        }
        if sources.is_empty() {
            routes.extend((0..addresses.len()).map(|to| (to, None)));
        }
        Self {
            addresses: addresses.to_vec(),
            sources,
            routes,
            tcp: sockets.tcp.clone(),
        }
    }

    /// How many ways there are.
    pub fn routes(&self) -> usize {
        self.routes.len()
    }

    /// Where a route leads.
    pub fn address(&self, route: usize) -> &SockAddr {
        &self.addresses[self.routes[route % self.routes.len()].0]
    }

    /// Where it comes from, when that is not the kernel's to choose.
    pub fn source(&self, route: usize) -> Option<IpAddr> {
        let source = self.routes[route % self.routes.len()].1?;
        Some(self.sources[source].as_socket()?.ip())
    }

    /// Connections are ended by a reset.
    pub(super) fn resets(&self) -> bool {
        self.tcp.contains(&TcpOption::ResetAtEnd)
    }

    /// Who ends a connection first matters: that side keeps its port in TIME_WAIT. Not for Unix sockets, which have no
    /// ports, nor after a reset.
    pub(super) fn has_time_wait(&self) -> bool {
        !self.resets() && !self.addresses.iter().any(SockAddr::is_unix)
    }

    /// A socket for this route, bound and not yet connected. No-delay is on: a request leaves when it is written.
    ///
    /// # Errors
    /// What `socket`, `setsockopt` or `bind` say.
    pub(super) fn open(&self, route: usize, blocking: Blocking) -> io::Result<Socket> {
        let (to, from) = self.routes[route % self.routes.len()];
        let address = &self.addresses[to];
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

/// Connects to a Unix socket, which takes no time: it is done, refused, or there is no room among those who wait to be
/// accepted (`WouldBlock`). TCP sockets are never given to this.
pub(super) fn connect_unix(socket: &Socket, address: &SockAddr) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.connect(address)
}

/// `IP_BIND_ADDRESS_NO_PORT` (Linux 4.2): the port is chosen when the socket connects, so that it has to be free for
/// this target only. Chosen by `bind` it would have to be free for all, and 28,000 connections were the limit of the
/// source address, not of the pair.
fn choose_port_at_connect(socket: &Socket) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the descriptor is open for as long as `socket` is borrowed, and the kernel reads the given number of bytes
    // of `on`, which outlives the call. For an IPv6 socket it is the same option of the same level.
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
mod tests {
    use super::*;

    fn dialer(addresses: &[&str], sources: &[&str]) -> Dialer {
        let addresses: Vec<SockAddr> = addresses
            .iter()
            .map(|text| text.parse::<SocketAddr>().expect("an address").into())
            .collect();
        let sources = sources.iter().map(|ip| ip.parse().expect("an address"));
        let sockets = Sockets {
            sources: sources.collect(),
            tcp: Vec::new(),
        };
        Dialer::new(&addresses, &sockets)
    }

    #[test]
    fn every_source_meets_every_target_of_its_kind() {
        let dialer = dialer(
            &["127.0.0.1:1", "127.0.0.1:2", "[::1]:3"],
            &["127.0.0.2", "127.0.0.3", "::1"],
        );
        let way = |route| {
            let to = dialer.address(route).as_socket().expect("IP").port();
            (dialer.source(route).expect("given").to_string(), to)
        };
        let ways: Vec<(String, u16)> = (0..6).map(way).collect();
        let expected = [
            ("127.0.0.2", 1),
            ("127.0.0.2", 2),
            ("127.0.0.3", 1),
            ("127.0.0.3", 2),
            ("::1", 3),
            ("127.0.0.2", 1),
        ];
        assert_eq!(ways, expected.map(|(from, to)| (from.to_owned(), to)));
        assert_eq!(dialer.routes(), 5);
    }

    #[test]
    fn without_sources_the_targets_are_taken_in_turn() {
        let dialer = dialer(&["127.0.0.1:1", "[::1]:3"], &[]);
        assert_eq!((dialer.routes(), dialer.source(0)), (2, None));
        assert_ne!(dialer.address(0), dialer.address(1));
        assert_eq!(dialer.address(0), dialer.address(2));
    }

    #[test]
    fn a_bound_socket_has_no_port_until_it_connects() {
        for (address, source) in [("127.0.0.1:1", "127.0.0.9"), ("[::1]:1", "::1")] {
            let opened = dialer(&[address], &[source]).open(0, Blocking::Yes);
            let Ok(socket) = opened else {
                println!("SKIPPED: this machine has no {source}");
                continue;
            };
            let bound = socket.local_addr().ok().and_then(|local| local.as_socket());
            let bound = bound.expect("it is bound");
            assert_eq!((bound.ip().to_string().as_str(), bound.port()), (source, 0));
        }
    }

    #[test]
    fn every_option_is_on_the_socket() {
        let wait = std::time::Duration::from_secs(7);
        let sockets = Sockets {
            sources: Vec::new(),
            tcp: vec![
                TcpOption::NoDelay(false),
                TcpOption::ResetAtEnd,
                TcpOption::Keepalive(wait),
                TcpOption::UserTimeout(wait),
                TcpOption::ReceiveBuffer(20_000),
                TcpOption::SendBuffer(30_000),
                TcpOption::Mss(536),
                TcpOption::Congestion("reno".into()),
            ],
        };
        let address: SocketAddr = ([127, 0, 0, 1], 1).into();
        let open = |sockets| {
            let dialer = Dialer::new(&[address.into()], &sockets);
            dialer.open(0, Blocking::Yes).expect("options in range")
        };
        assert!(open(Sockets::default()).tcp_nodelay().expect("TCP"));
        let socket = open(sockets);
        assert!(!socket.tcp_nodelay().expect("TCP"));
        let linger = socket.linger().expect("TCP");
        assert_eq!(linger, Some(std::time::Duration::ZERO));
        assert!(socket.keepalive().expect("TCP"));
        assert_eq!(socket.tcp_keepalive_time().expect("TCP"), wait);
        assert_eq!(socket.tcp_user_timeout().expect("TCP"), Some(wait));
        assert_eq!(socket.recv_buffer_size().expect("TCP"), 40_000);
        assert_eq!(socket.send_buffer_size().expect("TCP"), 60_000);
        assert_eq!(socket.tcp_mss().expect("TCP"), 536);
        let congestion = socket.tcp_congestion().expect("TCP");
        assert!(congestion.starts_with(b"reno"), "{congestion:?}");
    }
}
