//! What the kernel allows TCP on this machine.

use std::fs;

/// TCP connections of this machine in TIME_WAIT; `None` when it is not known.
pub fn in_time_wait() -> Option<u64> {
    parse_time_wait(&fs::read_to_string("/proc/net/sockstat").ok()?)
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
}
