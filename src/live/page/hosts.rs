//! Whether the Host field of a request names this server. A page of another site can make a browser send requests here
//! under a name of its own that leads to this address (DNS rebinding); no name but ours is answered. Pure.

use std::net::{IpAddr, SocketAddr};

/// Whether a request with this Host field (RFC 9110 section 7.2) may be answered by a server that listens there. An
/// address cannot be rebound, only a name can: all addresses of the machine are taken where it listens on all of them.
pub fn is_ours(host: &str, listens_on: SocketAddr, machine: &str) -> bool {
    let Some(name) = name(host) else {
        return false;
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(address) => {
            let is_any = listens_on.ip().is_unspecified();
            address.is_loopback() || is_any || address == listens_on.ip()
        }
        Err(_) if name.eq_ignore_ascii_case("localhost") => true,
        Err(_) => {
            let is_local = listens_on.ip().is_loopback();
            !is_local && !machine.is_empty() && name.eq_ignore_ascii_case(machine)
        }
    }
}

/// The host without its port, which a tunnel may change.
fn name(host: &str) -> Option<&str> {
    let end = match host.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => host.find(':').unwrap_or(host.len()),
    };
    let (name, port) = host.split_at(end);
    let is_port = match port.strip_prefix(':') {
        Some(digits) => !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => port.is_empty(),
    };
    (is_port && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: &str, listens_on: &str, expected: bool) {
        let address = listens_on.parse().expect("an address");
        assert_eq!(
            is_ours(host, address, "box7"),
            expected,
            "{host} on {listens_on}"
        );
    }

    #[test]
    fn only_the_address_and_loopback_names_are_taken() {
        for host in [
            "127.0.0.1:8089",
            "localhost:8089",
            "LOCALHOST",
            "[::1]:9000",
            "127.0.0.1",
        ] {
            check(host, "127.0.0.1:8089", true);
        }
        for host in [
            "evil.example:8089",
            "localhost.evil.example",
            "box7:8089",
            "10.0.0.5:8089",
            "127.0.0.1.evil.example",
            "127.0.0.1:8089@evil.example",
            "127.0.0.1:",
            "[::1",
            "[::1]x",
            "",
            ":8089",
        ] {
            check(host, "127.0.0.1:8089", false);
        }
        check("10.0.0.5:8089", "10.0.0.5:8089", true);
        check("box7:8089", "10.0.0.5:8089", true);
        check("10.0.0.6:8089", "10.0.0.5:8089", false);
        check("10.0.0.6:8089", "0.0.0.0:8089", true);
        check("evil.example", "0.0.0.0:8089", false);
    }
}
