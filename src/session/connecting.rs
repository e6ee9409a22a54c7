//! How connections are made, through `--unix-socket`, from `--source-address`, with `--tcp`: tried before the first request.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::FileTypeExt;

use anyhow::{Context, Result, anyhow, bail};
use socket2::SockAddr;

use crate::io::options::TcpOption;
use crate::io::{Dialer, Sockets, socket};
use crate::text::units::grouped;

use super::exit::cannot;
use super::resolved::Resolved;
use super::target::{REACH_TIMEOUT, Target, shown};
use super::tls::TlsOptions;

/// The first loopback address; all of 127.0.0.0/8 is local.
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// How connections are made, tried before the first request.
#[derive(Debug, Default)]
pub struct Connecting {
    /// Path, or `@NAME` of an abstract socket.
    pub unix_socket: Option<String>,
    pub sockets: Sockets,
    /// Addresses of hosts, instead of the resolver's.
    pub resolved: Vec<Resolved>,
    pub tls: TlsOptions,
}

impl Connecting {
    /// The Unix socket, when there is one.
    ///
    /// # Errors
    /// When its path is too long for a socket.
    pub fn unix_address(&self) -> Result<Option<SockAddr>> {
        self.unix_socket.as_deref().map(unix_address).transpose()
    }

    /// The addresses that accept a connection now, and that a source address leads to. Nothing is sent on it.
    ///
    /// # Errors
    /// When no connection is accepted, with what to check; when the kernel refuses an option or a source address.
    pub fn reach(&self, target: &Target) -> Result<Vec<SockAddr>> {
        match (self.unix_address()?, &self.unix_socket) {
            (Some(address), Some(name)) => {
                cannot(reach_unix(&address, name))?;
                Ok(vec![address])
            }
            _ => self.reach_by_tcp(target, "--host"),
        }
    }

    /// The same without the Unix socket, for a target whose URL stands at `place`.
    ///
    /// # Errors
    /// As [`Connecting::reach`].
    pub fn reach_by_tcp(&self, target: &Target, place: &str) -> Result<Vec<SockAddr>> {
        let addresses = cannot(target.reach_as(&self.resolved, place))?;
        self.prove(&addresses)?;
        let sources = &self.sockets.sources;
        let leads = |to: &SockAddr| sources.is_empty() || sources.iter().any(|ip| is_kind(*ip, to));
        let dialer = Dialer::new(&addresses, &self.sockets);
        for route in 0..dialer.routes() {
            let Some(source) = dialer.source(route) else {
                break;
            };
            let to = socket::shown(dialer.address(route));
            let tried = socket::try_route(&dialer, route, REACH_TIMEOUT);
            cannot(tried.with_context(|| {
                format!("connection from --source-address {source} to {to} failed; is there a route from one to the other?")
            }))?;
        }
        Ok(addresses.into_iter().filter(leads).collect())
    }

    /// Tries options and source addresses on sockets that go nowhere.
    ///
    /// # Errors
    /// The reason why the kernel refuses one, with the cure.
    pub fn prove(&self, addresses: &[SockAddr]) -> Result<()> {
        for address in addresses.iter().filter(|address| !address.is_unix()) {
            for option in &self.sockets.tcp {
                socket::try_option(option, address)
                    .map_err(|error| anyhow!("--tcp {option}: {}", why_refused(option, &error)))?;
            }
        }
        for &source in &self.sockets.sources {
            if !addresses.iter().any(|to| is_kind(source, to)) {
                let tried: Vec<String> = addresses.iter().map(socket::shown).collect();
                bail!(
                    "--source-address {source} is {}, and the target is not ({}); give addresses of the target's kind",
                    if source.is_ipv4() { "IPv4" } else { "IPv6" },
                    tried.join(", ")
                );
            }
            if let Err(error) = std::net::UdpSocket::bind((source, 0)) {
                bail!(
                    "--source-address {source}: {}",
                    match error.kind() {
                        ErrorKind::AddrNotAvailable =>
                            "not an address of this machine; `ip address` lists its addresses, `ip address add` adds one"
                                .to_owned(),
                        _ => error.to_string(),
                    }
                );
            }
        }
        Ok(())
    }

    /// Whether there are ports for so many connections to these addresses.
    ///
    /// # Errors
    /// How many source addresses it takes.
    pub fn check_ports(&self, connections: u64, addresses: &[SockAddr]) -> Result<()> {
        let range = match (
            addresses.iter().any(SockAddr::is_unix),
            socket::local_ports(),
        ) {
            (false, Some(range)) => range,
            _ => return Ok(()),
        };
        let routes = Dialer::new(addresses, &self.sockets).routes();
        match ports_missing(connections, routes as u64, addresses.len() as u64, range) {
            None => Ok(()),
            Some(reason) => bail!(reason),
        }
    }

    /// How many connections there are ports for, to a target of one address.
    pub fn connections_max(&self) -> u64 {
        match (&self.unix_socket, socket::local_ports()) {
            (None, Some(range)) => ports_of(range) * self.sockets.sources.len().max(1) as u64,
            _ => u64::MAX,
        }
    }
}

/// The address of a Unix socket, or what is wrong with its name.
pub fn unix_address(name: &str) -> Result<SockAddr> {
    if name.is_empty() || name == "@" {
        bail!("--unix-socket names nothing; give a path, or @NAME for an abstract name");
    }
    socket::unix_address(name).map_err(|_| {
        anyhow!(
            "--unix-socket {}: a socket's path has 107 bytes at most; give a shorter one, or one relative to this folder",
            shown(name)
        )
    })
}

fn is_kind(source: IpAddr, target: &SockAddr) -> bool {
    target
        .as_socket()
        .is_some_and(|to| to.is_ipv4() == source.is_ipv4())
}

/// Opens and closes one connection to a Unix socket.
fn reach_unix(address: &SockAddr, name: &str) -> Result<()> {
    let place = format!("--unix-socket {}", shown(name));
    if let Some(path) = address.as_pathname() {
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                bail!("{place} is a folder; give the path of the socket in it")
            }
            Ok(found) if !found.file_type().is_socket() => {
                bail!("{place} is a file, not a socket; give the path that the service listens on")
            }
            _ => {}
        }
    }
    let dialer = Dialer::new(std::slice::from_ref(address), &Sockets::default());
    let Err(error) = socket::try_route(&dialer, 0, REACH_TIMEOUT) else {
        return Ok(());
    };
    Err(anyhow!(
        "{place}: {}",
        match error.kind() {
            ErrorKind::NotFound =>
                "there is no such file; is the service running, and does it listen there?".to_owned(),
            ErrorKind::PermissionDenied =>
                "this user may not connect; it takes the right to write to the socket, and to enter its folders".to_owned(),
            ErrorKind::ConnectionRefused =>
                "connection refused: no process listens on this socket; is the service running?".to_owned(),
            ErrorKind::WouldBlock =>
                "the service listens and accepts nothing: its backlog is full".to_owned(),
            _ if error.raw_os_error() == Some(libc::EPROTOTYPE) =>
                "this socket takes datagrams, and HTTP goes over streams; give the service's stream socket".to_owned(),
            _ => format!("{error}; is this the socket that the service listens on?"),
        }
    ))
}

/// Why the connections cannot all have a port, and what helps; `None` when they can.
fn ports_missing(
    connections: u64,
    routes: u64,
    targets: u64,
    (first, last): (u16, u16),
) -> Option<String> {
    let ports = ports_of((first, last));
    if connections <= ports * routes {
        return None;
    }
    let sources = connections.div_ceil(ports * targets.max(1));
    let last = address_of(number_of(LOOPBACK) + u128::from(sources) - 1, true);
    Some(format!(
        "{} connections need as many ports, and one source address has {} for each target address \
         (net.ipv4.ip_local_port_range: {first} to {last}); give --source-address with {sources} addresses, \
         such as {LOOPBACK}-{last} for a target on this machine, or --connections {}",
        grouped(connections),
        grouped(ports),
        ports * routes
    ))
}

fn ports_of((first, last): (u16, u16)) -> u64 {
    u64::from(last - first) + 1
}

/// An address as a number, most significant byte first.
pub fn number_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// The address with this number.
pub fn address_of(number: u128, is_ipv4: bool) -> IpAddr {
    match is_ipv4 {
        true => IpAddr::V4((number as u32).into()),
        false => IpAddr::V6(number.into()),
    }
}

/// The reason why the kernel refuses an option.
fn why_refused(option: &TcpOption, error: &std::io::Error) -> String {
    let TcpOption::Congestion(_) = option else {
        return format!("the kernel refuses it: {error}");
    };
    let list = |name: &str| {
        let path = format!("/proc/sys/net/ipv4/tcp_{name}_congestion_control");
        std::fs::read_to_string(path)
            .unwrap_or_default()
            .trim()
            .replace(' ', ", ")
    };
    match error.kind() {
        ErrorKind::PermissionDenied => format!(
            "this user may not choose it; allowed are {} (net.ipv4.tcp_allowed_congestion_control)",
            list("allowed")
        ),
        _ => format!(
            "this kernel has no such algorithm; it has {}",
            list("available")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_counted_by_pairs_of_addresses() {
        let range = (32_768, 60_999);
        assert_eq!(ports_missing(28_232, 1, 1, range), None);
        assert_eq!(ports_missing(56_464, 2, 1, range), None);
        let reason = ports_missing(28_233, 1, 1, range).expect("one too many");
        assert!(reason.contains("with 2 addresses"), "{reason}");
        assert!(reason.contains("--connections 28232"), "{reason}");
        assert!(reason.contains("127.0.0.1-127.0.0.2 "), "{reason}");
        let many = ports_missing(10_000_000, 1, 1, range).expect("too many");
        assert!(many.contains("127.0.0.1-127.0.1.99 "), "{many}");
        let reason = ports_missing(200_000, 4, 2, range).expect("too many");
        assert!(reason.contains("with 4 addresses"), "{reason}");
    }
}
