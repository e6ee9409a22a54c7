//! What the kernel allows TCP on this machine.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// State of a connection in TIME_WAIT (include/net/tcp_states.h).
const TIME_WAIT: &str = "06";

/// TCP connections of this machine in TIME_WAIT; `None` when it is not known.
pub fn in_time_wait() -> Option<u64> {
    parse_time_wait(&fs::read_to_string("/proc/net/sockstat").ok()?)
}

/// Connections in TIME_WAIT that have one of these addresses at an end; `None` when they cannot be read. The kernel
/// writes a line for each connection of the machine, so this is for once before a run.
pub fn in_time_wait_at(addresses: &[SocketAddr]) -> Option<u64> {
    let v4 = fs::read_to_string("/proc/net/tcp").ok()?;
    let v6 = fs::read_to_string("/proc/net/tcp6").unwrap_or_default();
    Some(count_time_wait(&v4, addresses) + count_time_wait(&v6, addresses))
}

/// `net.ipv4.tcp_tw_reuse`: 0 never gives a port in TIME_WAIT to a new connection, 1 does after one second, 2 does on
/// loopback only (ip-sysctl.rst).
pub fn time_wait_reuse() -> Option<u8> {
    number("/proc/sys/net/ipv4/tcp_tw_reuse")
}

/// Connections that may wait to be accepted by one listening socket at most, whatever it asks for
/// (`net.core.somaxconn`).
pub fn backlog_max() -> Option<u64> {
    number("/proc/sys/net/core/somaxconn")
}

fn number<N: std::str::FromStr>(path: &str) -> Option<N> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// `TCP: inuse 1 orphan 0 tw 213 alloc 1 mem 14`, IPv6 included.
fn parse_time_wait(sockstat: &str) -> Option<u64> {
    let line = sockstat
        .lines()
        .find_map(|line| line.strip_prefix("TCP:"))?;
    let mut words = line.split_whitespace().skip_while(|word| *word != "tw");
    words.nth(1)?.parse().ok()
}

/// `0: 0100007F:8124 0100007F:1F90 06 ...`: number, local and remote end, state (proc_net_tcp.rst).
fn count_time_wait(table: &str, addresses: &[SocketAddr]) -> u64 {
    let waits_at = |line: &&str| {
        let mut fields = line.split_whitespace().skip(1);
        let (Some(local), Some(remote)) = (fields.next(), fields.next()) else {
            return false;
        };
        let is_at = |end: &str| parse_end(end).is_some_and(|end| addresses.contains(&end));
        fields.next() == Some(TIME_WAIT) && (is_at(local) || is_at(remote))
    };
    table.lines().filter(waits_at).count() as u64
}

/// An address is printed as numbers of 32 bits in the machine's byte order, its port as a number.
fn parse_end(end: &str) -> Option<SocketAddr> {
    let (ip, port) = end.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let word = u32::from_str_radix(ip.get(at..at + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    match ip.len() {
        8 => Some((Ipv4Addr::from(word(0)?), port).into()),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let mut bytes = [0; 16];
            bytes.copy_from_slice(&words.concat());
            Some((Ipv6Addr::from(bytes), port).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_in_time_wait_are_found_among_the_others() {
        let sockstat =
            "sockets: used 34\nTCP: inuse 1 orphan 0 tw 213 alloc 1 mem 14\nUDP: inuse 0 mem 0\n";
        assert_eq!(parse_time_wait(sockstat), Some(213));
        assert_eq!(parse_time_wait("UDP: inuse 0 mem 0\n"), None);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn connections_in_time_wait_at_an_address_are_counted_at_either_end() {
        let table = "  sl  local_address rem_address   st tx_queue
   0: 0100007F:8124 0100007F:1F90 06 00000000:00000000
   1: 0100007F:1F90 0100007F:8125 06 00000000:00000000
   2: 0100007F:8126 0100007F:1F90 01 00000000:00000000
   3: 0100007F:8127 0100007F:1F91 06 00000000:00000000
   4: 00000000000000000000000001000000:8128 00000000000000000000000001000000:1F90 06 0:0
";
        let count = |address: &str| {
            let address = address.parse().expect("an address");
            count_time_wait(table, &[address])
        };
        assert_eq!(count("127.0.0.1:8080"), 2);
        assert_eq!(count("127.0.0.1:8081"), 1);
        assert_eq!(count("[::1]:8080"), 1);
        assert_eq!(count("127.0.0.2:8080"), 0);
    }
}
