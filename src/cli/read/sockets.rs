//! `--unix-socket`, `--source-address` and `--tcp`, read; with the flags of TLS, how connections are made.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use crate::cli::args::{SocketArgs, TlsArgs};
use crate::io::Sockets;
use crate::io::options::TcpOption;
use crate::session::connecting::{Connecting, address_of, number_of};
use crate::session::target::shown;
use crate::text::duration;
use crate::text::suggest::did_you_mean;
use crate::text::units::grouped;

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
/// Bounds of the kernel (`TCP_MIN_MSS`, `MAX_TCP_WINDOW`, `MAX_TCP_KEEPIDLE`).
const MSS_MIN: usize = 88;
const MSS_MAX: usize = 32_767;
const KEEPALIVE_S_MAX: u64 = 32_767;
const BUFFER_BYTES_MAX: usize = 1 << 30;

/// How connections are to be made.
///
/// # Errors
/// With the flag, what is wrong with it, and what would do instead.
pub fn connecting(args: &SocketArgs, tls: &TlsArgs) -> Result<Connecting> {
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
    let connecting = Connecting {
        unix_socket: args.unix_socket.clone(),
        sockets: Sockets {
            sources,
            tcp,
            named: Vec::new(),
        },
        resolved: super::tls::resolved(tls)?,
        tls: super::tls::tls(tls)?,
    };
    connecting.unix_address()?;
    Ok(connecting)
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
}
