//! Where sockets lead: names resolved, Unix sockets named, and one trial connection before the load.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use socket2::{SockAddr, Socket};

use super::dial::{Blocking, Dialer, connect_unix};
use super::options::TcpOption;

/// Time that the resolver may take. Its own limit may be 10 s for each server in `/etc/resolv.conf`.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// All addresses of a host, in the resolver's order, each once.
///
/// # Errors
/// What the resolver says, or `TimedOut`.
pub fn resolve(host: &str, port: u16) -> io::Result<Vec<SockAddr>> {
    let place = (host.to_owned(), port);
    resolved(move || (place.0.as_str(), place.1).to_socket_addrs())
}

/// The same for `HOST:PORT`.
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

/// Asks on a thread of its own, which is left behind when there is no answer in time: the resolver cannot be interrupted.
fn within<T: Send + 'static>(
    limit: Duration,
    ask: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (answer, answered) = sync_channel(1);
    std::thread::Builder::new()
        .name("resolver".into())
        .spawn(move || {
            // The one who asked may have given up.
            let _ = answer.send(ask());
        })?;
    answered.recv_timeout(limit).unwrap_or_else(|_| {
        let reason = format!(
            "no answer from the resolver within {} s; is the server in /etc/resolv.conf reachable? An address needs no resolver",
            limit.as_secs_f64()
        );
        Err(io::Error::new(io::ErrorKind::TimedOut, reason))
    })
}

/// The address of a Unix socket: a path, or `@name` for a name in Linux' abstract namespace.
///
/// # Errors
/// When it is longer than such an address may be (108 bytes).
pub fn unix_address(name: &str) -> io::Result<SockAddr> {
    match name.strip_prefix('@') {
        Some(name) => SockAddr::unix(format!("\0{name}")),
        None => SockAddr::unix(name),
    }
}

/// An address as records and messages show it: `127.0.0.1:8000`, `unix:/run/app.sock`, `unix:@app`.
pub fn shown(address: &SockAddr) -> String {
    if let Some(name) = address.as_abstract_namespace() {
        return format!("unix:@{}", String::from_utf8_lossy(name));
    }
    match (address.as_socket(), address.as_pathname()) {
        (Some(address), _) => address.to_string(),
        (None, Some(path)) => format!("unix:{}", path.display()),
        (None, None) => "nowhere".into(),
    }
}

/// Opens and closes one connection to each address, within `timeout` in all, and returns those that accepted.
///
/// # Errors
/// The first address's error when none accepted.
pub fn reachable(addresses: &[SockAddr], timeout: Duration) -> io::Result<Vec<SockAddr>> {
    let share = timeout / addresses.len().max(1) as u32;
    let dialer = Dialer::new(addresses, &super::Sockets::default());
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

/// Opens and closes one connection.
///
/// # Errors
/// What `socket`, `bind` or `connect` say, or `TimedOut`; `WouldBlock` when a Unix socket has no room.
pub fn try_route(dialer: &Dialer, route: usize, timeout: Duration) -> io::Result<()> {
    let socket = dialer.open(route, Blocking::Yes)?;
    match dialer.address(route) {
        address if address.is_unix() => connect_unix(&socket, address),
        address => socket.connect_timeout(address, timeout),
    }
}

/// Tries an option on a socket of the kind that leads to the address.
///
/// # Errors
/// What the kernel has against it.
pub fn try_option(option: &TcpOption, address: &SockAddr) -> io::Result<()> {
    let domain = socket2::Domain::from(i32::from(address.family()));
    let socket = Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    option.prove(&socket)
}

/// The ports that the kernel gives to connections of one source address to one target address: first and last.
pub fn local_ports() -> Option<(u16, u16)> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut ends = text.split_whitespace().map(|end| end.parse().ok());
    Some((ends.next()??, ends.next()??)).filter(|(first, last)| first <= last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolver_that_does_not_answer_is_given_up() {
        let (never, ask) = sync_channel::<()>(0);
        let limit = Duration::from_millis(50);
        let answer = within(limit, move || {
            let _ = ask.recv();
            Ok(())
        });
        let error = answer.expect_err("there is no answer");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let text = error.to_string();
        assert!(
            text.starts_with("no answer from the resolver within 0.05 s"),
            "{text}"
        );
        drop(never);
        assert_eq!(within(RESOLVE_TIMEOUT, || Ok(7)).expect("at once"), 7);
    }

    #[test]
    fn addresses_and_names_are_resolved_each_once() {
        for (host, expected) in [("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80")] {
            let addresses = resolve(host, 80).expect("an address");
            assert_eq!(addresses.iter().map(shown).collect::<Vec<_>>(), [expected]);
        }
        let addresses = resolve_place("127.0.0.1:81").expect("an address");
        assert_eq!(
            addresses.iter().map(shown).collect::<Vec<_>>(),
            ["127.0.0.1:81"]
        );
        assert!(resolve_place("no port").is_err());
    }
}
