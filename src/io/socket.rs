//! Addresses before the load: names resolved, Unix sockets named, trial connections, local ports.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use socket2::{SockAddr, Socket};

use super::dial::{Blocking, Dialer, Sockets, connect_unix};
use super::options::TcpOption;

/// Longest wait for the resolver. Its own limit may be 10 s for each server in `/etc/resolv.conf`.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// All addresses of a host, in the resolver's order, each once.
///
/// # Errors
/// The resolver's error, or `TimedOut` after 5 s.
pub fn resolve(host: &str, port: u16) -> io::Result<Vec<SockAddr>> {
    let host = host.to_owned();
    resolved(move || (host.as_str(), port).to_socket_addrs())
}

/// Like [`resolve`], for `HOST:PORT`.
///
/// # Errors
/// As [`resolve`].
pub fn resolve_place(place: &str) -> io::Result<Vec<SockAddr>> {
    let place = place.to_owned();
    resolved(move || place.to_socket_addrs())
}

fn resolved<A: Iterator<Item = SocketAddr>>(
    ask: impl FnOnce() -> io::Result<A> + Send + 'static,
) -> io::Result<Vec<SockAddr>> {
    within(RESOLVE_TIMEOUT, move || {
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for address in ask()? {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        Ok(addresses.into_iter().map(SockAddr::from).collect())
    })
}

/// Calls `ask` on a thread of its own, which is abandoned when there is no answer in time: the resolver cannot be
/// interrupted.
fn within<T: Send + 'static>(
    limit: Duration,
    ask: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (answer, answered) = sync_channel(1);
    std::thread::Builder::new()
        .name("resolver".into())
        .spawn(move || {
            // It fails when the caller has stopped waiting.
            let _ = answer.send(ask());
        })?;
    answered.recv_timeout(limit).unwrap_or_else(|_| {
        let reason = format!(
            "no answer from the resolver within {} s; check the server in /etc/resolv.conf, or give an IP address instead of a name",
            limit.as_secs_f64()
        );
        Err(io::Error::new(io::ErrorKind::TimedOut, reason))
    })
}

/// The address of a Unix socket: a path, or `@name` for a name in Linux's abstract namespace.
///
/// # Errors
/// When the name is longer than such an address may be (108 bytes).
pub fn unix_address(name: &str) -> io::Result<SockAddr> {
    match name.strip_prefix('@') {
        Some(name) => SockAddr::unix(format!("\0{name}")),
        None => SockAddr::unix(name),
    }
}

/// The form of an address in records and messages: `127.0.0.1:8000`, `unix:/run/app.sock`, `unix:@app`.
pub fn shown(address: &SockAddr) -> String {
    if let Some(name) = address.as_abstract_namespace() {
        return format!("unix:@{}", String::from_utf8_lossy(name));
    }
    match (address.as_socket(), address.as_pathname()) {
        (Some(address), _) => address.to_string(),
        (None, Some(path)) => format!("unix:{}", path.display()),
        (None, None) => "unix:(unnamed)".into(),
    }
}

/// Opens and closes one connection to each address, within `timeout` in total; returns the addresses that accepted.
///
/// # Errors
/// The first error, when no address accepted.
pub fn reachable(addresses: &[SockAddr], timeout: Duration) -> io::Result<Vec<SockAddr>> {
    let share = timeout / addresses.len().max(1) as u32;
    let dialer = Dialer::new(addresses, &Sockets::default());
    let mut accepted = Vec::new();
    let mut first_error = None;
    for (route, address) in addresses.iter().enumerate() {
        match try_route(&dialer, route, share) {
            Ok(()) => accepted.push(address.clone()),
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

/// Opens and closes one connection on a route.
///
/// # Errors
/// As [`open_route`].
pub fn try_route(dialer: &Dialer, route: usize, timeout: Duration) -> io::Result<()> {
    open_route(dialer, route, timeout).map(drop)
}

/// Opens a connection on a route, whose reads and writes block.
///
/// # Errors
/// The error of `socket`, `bind` or `connect`; `TimedOut`; `WouldBlock` when the backlog of a Unix socket is full.
pub fn open_route(dialer: &Dialer, route: usize, timeout: Duration) -> io::Result<Socket> {
    let socket = dialer.open(route, Blocking::Yes)?;
    match dialer.address(route) {
        address if address.is_unix() => {
            connect_unix(&socket, address)?;
            socket.set_nonblocking(false)?;
        }
        address => socket.connect_timeout(address, timeout)?,
    }
    Ok(socket)
}

/// Tries an option on a socket of the address's family.
///
/// # Errors
/// As [`TcpOption::prove`].
pub fn try_option(option: &TcpOption, address: &SockAddr) -> io::Result<()> {
    let domain = socket2::Domain::from(i32::from(address.family()));
    let socket = Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    option.prove(&socket)
}

/// First and last port that the kernel gives to connections from one source address to one target address
/// (`ip_local_port_range`); `None` when the file cannot be read.
pub fn local_ports() -> Option<(u16, u16)> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut ends = text.split_whitespace().map(|end| end.parse().ok());
    Some((ends.next()??, ends.next()??)).filter(|(first, last)| first <= last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolver_that_does_not_answer_is_abandoned() {
        let (never, ask) = sync_channel::<()>(0);
        let limit = Duration::from_millis(50);
        let answer = within(limit, move || {
            let _ = ask.recv();
            Ok(())
        });
        let error = answer.expect_err("the resolver does not answer");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let text = error.to_string();
        assert!(
            text.starts_with("no answer from the resolver within 0.05 s"),
            "{text}"
        );
        drop(never);
        let answer = within(RESOLVE_TIMEOUT, || Ok(7));
        assert_eq!(answer.expect("it answers at once"), 7);
    }

    #[test]
    fn addresses_and_names_are_resolved_each_once() {
        for (host, expected) in [("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80")] {
            let addresses = resolve(host, 80).expect("an address resolves to itself");
            assert_eq!(addresses.iter().map(shown).collect::<Vec<_>>(), [expected]);
        }
        let addresses = resolve_place("127.0.0.1:81").expect("an address resolves to itself");
        assert_eq!(
            addresses.iter().map(shown).collect::<Vec<_>>(),
            ["127.0.0.1:81"]
        );
        assert!(resolve_place("no port").is_err());
    }
}
