//! How connections are made: `--unix-socket`, `--source-address` and `--tcp`, read, and tried before the first request.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::FileTypeExt;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use socket2::SockAddr;

use crate::io::options::TcpOption;
use crate::io::{Dialer, Sockets, socket};
use crate::text::duration;
use crate::text::suggest::did_you_mean;
use crate::text::units::grouped;

use super::exit::cannot;
use super::target::{REACH_TIMEOUT, Target, shown};
use crate::cli::args::SocketArgs;

/// Source addresses of a run.
const SOURCES_MAX: u128 = 4_096;
/// The options of `--tcp`, and what each is given.
const OPTIONS: [(&str, &str); 8] = [
    ("nodelay", "on or off"),
    ("linger", "0"),
    ("keepalive", "TIME"),
    ("user-timeout", "TIME"),
    ("rcvbuf", "BYTES"),
    ("sndbuf", "BYTES"),
    ("mss", "BYTES"),
    ("congestion", "NAME"),
];
/// The first address that a machine has for itself; those after it are its own too.
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// What the kernel takes (`TCP_MIN_MSS`, `MAX_TCP_WINDOW`, `MAX_TCP_KEEPIDLE`).
const MSS_MIN: usize = 88;
const MSS_MAX: usize = 32_767;
const KEEPALIVE_S_MAX: u64 = 32_767;
const BUFFER_BYTES_MAX: usize = 1 << 30;

/// The flags, understood.
#[derive(Debug)]
pub(crate) struct Connecting {
    /// As it was typed.
    unix_socket: Option<String>,
    pub sockets: Sockets,
}

impl Connecting {
    pub fn from_args(args: &SocketArgs) -> Result<Self> {
        let mut sources: Vec<IpAddr> = Vec::new();
        for text in args.source_addresses.iter().flat_map(|all| all.split(',')) {
            for source in expand(text.trim())? {
                if !sources.contains(&source) {
                    sources.push(source);
                }
            }
        }
        if sources.len() as u128 > SOURCES_MAX {
            bail!(
                "--source-address: {} addresses at most",
                grouped(SOURCES_MAX as u64)
            );
        }
        let mut tcp: Vec<TcpOption> = Vec::new();
        for text in &args.tcp {
            let option = parse_option(text)?;
            let kind = std::mem::discriminant(&option);
            if tcp
                .iter()
                .any(|known| std::mem::discriminant(known) == kind)
            {
                bail!("--tcp {text}: that option was given before; leave one of the two out");
            }
            tcp.push(option);
        }
        let connecting = Self {
            unix_socket: args.unix_socket.clone(),
            sockets: Sockets { sources, tcp },
        };
        connecting.unix_address()?;
        Ok(connecting)
    }

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
    /// When nobody listens, with what to look at; when the kernel refuses an option or a source address.
    pub fn reach(&self, target: &Target) -> Result<Vec<SockAddr>> {
        let addresses = match (self.unix_address()?, &self.unix_socket) {
            (Some(address), Some(name)) => {
                cannot(reach_unix(&address, name))?;
                return Ok(vec![address]);
            }
            _ => cannot(target.reach())?,
        };
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
                format!("no connection comes about from --source-address {source} to {to}; is there a way from the one to the other?")
            }))?;
        }
        Ok(addresses.into_iter().filter(leads).collect())
    }

    /// Tries options and source addresses on sockets that go nowhere.
    ///
    /// # Errors
    /// What the kernel has against them, with the cure.
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
                            "that is no address of this machine; `ip address` lists those that are, `ip address add` adds one"
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
pub(crate) fn unix_address(name: &str) -> Result<SockAddr> {
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
                "nobody listens on this socket (any more); is the service running?".to_owned(),
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

/// `127.0.0.2`, `127.0.0.2-127.0.0.9` or `127.0.0.0/28` (the hosts of that network).
fn expand(text: &str) -> Result<Vec<IpAddr>> {
    let wrong = || {
        anyhow!(
            "--source-address {}: give an IP address, a list 127.0.0.2,127.0.0.3, a range 127.0.0.2-127.0.0.9 or a network 127.0.0.0/28",
            shown(text)
        )
    };
    let (first, last) = if let Some((first, last)) = text.split_once('-') {
        (
            first.parse::<IpAddr>().map_err(|_| wrong())?,
            last.parse::<IpAddr>().map_err(|_| wrong())?,
        )
    } else if let Some((network, bits)) = text.split_once('/') {
        let network: IpAddr = network.parse().map_err(|_| wrong())?;
        let bits: u32 = bits.parse().map_err(|_| wrong())?;
        hosts(network, bits).ok_or_else(wrong)?
    } else {
        let address: IpAddr = text.parse().map_err(|_| wrong())?;
        (address, address)
    };
    if first.is_ipv4() != last.is_ipv4() || number_of(first) > number_of(last) {
        return Err(wrong());
    }
    if number_of(last) - number_of(first) >= SOURCES_MAX {
        bail!(
            "--source-address {}: that is more than {} addresses",
            shown(text),
            grouped(SOURCES_MAX as u64)
        );
    }
    Ok((number_of(first)..=number_of(last))
        .map(|number| address_of(number, first.is_ipv4()))
        .collect())
}

/// First and last host of a network. Its first and last address are no hosts where it has more than two.
fn hosts(network: IpAddr, bits: u32) -> Option<(IpAddr, IpAddr)> {
    let width: u32 = if network.is_ipv4() { 32 } else { 128 };
    let free = width.checked_sub(bits)?;
    let size_less_one = if free == 128 {
        u128::MAX
    } else {
        (1 << free) - 1
    };
    let first = number_of(network) & !size_less_one;
    let last = first | size_less_one;
    let (first, last) = match free {
        0 | 1 => (first, last),
        _ => (first + 1, last - 1),
    };
    Some((
        address_of(first, network.is_ipv4()),
        address_of(last, network.is_ipv4()),
    ))
}

fn number_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

fn address_of(number: u128, is_ipv4: bool) -> IpAddr {
    match is_ipv4 {
        true => IpAddr::V4((number as u32).into()),
        false => IpAddr::V6(number.into()),
    }
}

/// `NAME=VALUE` -> an option of `--tcp`.
fn parse_option(text: &str) -> Result<TcpOption> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name.trim(), value.trim()),
        None => (text.trim(), ""),
    };
    let Some((_, takes)) = OPTIONS.iter().find(|(known, _)| *known == name) else {
        let all: Vec<String> = OPTIONS
            .iter()
            .map(|(name, takes)| format!("{name}={takes}"))
            .collect();
        bail!(
            "--tcp {}: there is no such option{} They are: {}",
            shown(name),
            match did_you_mean(name, OPTIONS.map(|(name, _)| name)) {
                near if near.is_empty() => ".".to_owned(),
                near => near,
            },
            all.join(", ")
        );
    };
    let wrong = |why: &str| anyhow!("--tcp {name}={}: {why}", shown(value));
    let time = || -> Result<Duration> {
        duration::parse(value).with_context(|| format!("--tcp {name}={takes}"))
    };
    let bytes = |min: usize, max: usize| match value.parse::<usize>() {
        Ok(bytes) if (min..=max).contains(&bytes) => Ok(bytes),
        _ => Err(wrong(&format!(
            "give a whole number of bytes from {min} to {}",
            grouped(max as u64)
        ))),
    };
    Ok(match name {
        "nodelay" => match value {
            "" | "on" => TcpOption::NoDelay(true),
            "off" => TcpOption::NoDelay(false),
            _ => return Err(wrong("give on or off")),
        },
        "linger" => match value {
            "0" => TcpOption::ResetAtEnd,
            _ => return Err(wrong("only 0 is offered: connections then end in a reset")),
        },
        "keepalive" => match time()? {
            idle if (1..=KEEPALIVE_S_MAX).contains(&idle.as_secs()) && idle.subsec_nanos() == 0 => {
                TcpOption::Keepalive(idle)
            }
            _ => return Err(wrong("give whole seconds, from 1s to 32767s")),
        },
        "user-timeout" => match time()? {
            timeout if (1..=i32::MAX as u128).contains(&timeout.as_millis()) => {
                TcpOption::UserTimeout(timeout)
            }
            _ => return Err(wrong("give a time from 1ms to 24d")),
        },
        "rcvbuf" => TcpOption::ReceiveBuffer(bytes(1, BUFFER_BYTES_MAX)?),
        "sndbuf" => TcpOption::SendBuffer(bytes(1, BUFFER_BYTES_MAX)?),
        "mss" => TcpOption::Mss(bytes(MSS_MIN, MSS_MAX)? as u32),
        _ => {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            if value.is_empty() || value.len() > 15 || !value.chars().all(is_name) {
                return Err(wrong("give the name of an algorithm, such as cubic"));
            }
            TcpOption::Congestion(value.to_owned())
        }
    })
}

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

    fn check_sources(text: &str, expected: &str) {
        let shown = match expand(text) {
            Ok(all) => all
                .iter()
                .map(IpAddr::to_string)
                .collect::<Vec<_>>()
                .join(" "),
            Err(error) => format!("{error:#}"),
        };
        assert!(shown.contains(expected), "{text}: {shown}");
    }

    #[test]
    fn source_addresses_are_single_in_ranges_or_whole_networks() {
        check_sources("127.0.0.2", "127.0.0.2");
        check_sources(
            "127.0.0.254-127.0.1.1",
            "127.0.0.254 127.0.0.255 127.0.1.0 127.0.1.1",
        );
        check_sources("127.0.0.5/30", "127.0.0.5 127.0.0.6");
        check_sources("127.0.0.5/31", "127.0.0.4 127.0.0.5");
        check_sources("127.0.0.5/32", "127.0.0.5");
        check_sources("fd00::/126", "fd00::1 fd00::2");
        assert_eq!(expand("127.0.0.0/28").expect("a network").len(), 14);
    }

    #[test]
    fn what_is_no_source_address_is_refused_with_examples() {
        for wrong in [
            "",
            "localhost",
            "127.0.0.3-127.0.0.2",
            "127.0.0.1-::1",
            "127.0.0.0/33",
            "1-2",
        ] {
            check_sources(wrong, "give an IP address, a list 127.0.0.2,127.0.0.3");
        }
        check_sources("127.0.0.0/8", "more than 4,096 addresses");
        check_sources("::/0", "more than 4,096 addresses");
    }

    fn check_option(text: &str, expected: &str) {
        let shown = match parse_option(text) {
            Ok(option) => option.to_string(),
            Err(error) => format!("{error:#}"),
        };
        assert!(shown.contains(expected), "{text}: {shown}");
    }

    #[test]
    fn options_are_read_and_shown_as_they_are_written() {
        for text in [
            "nodelay=on",
            "nodelay=off",
            "linger=0",
            "keepalive=30s",
            "user-timeout=1500ms",
            "rcvbuf=4096",
            "sndbuf=4096",
            "mss=536",
            "congestion=reno",
        ] {
            check_option(text, text);
        }
        check_option("nodelay", "nodelay=on");
    }

    #[test]
    fn a_wrong_option_is_refused_with_what_there_is() {
        check_option("nodlay=off", "did you mean \"nodelay\"?");
        check_option("nodlay=off", "They are: nodelay=on or off, linger=0");
        check_option("nodelay=maybe", "--tcp nodelay=maybe: give on or off");
        check_option("linger=5", "only 0 is offered");
        check_option("keepalive=500ms", "from 1s to 32767s");
        check_option("user-timeout=soon", "--tcp user-timeout=TIME");
        check_option("rcvbuf", "a whole number of bytes from 1 to 1,073,741,824");
        check_option("mss=40", "a whole number of bytes from 88 to 32,767");
        check_option("congestion=a b", "such as cubic");
    }

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
