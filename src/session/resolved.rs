//! `--resolve`: addresses that stand for what the resolver would say.

use std::net::{IpAddr, SocketAddr};

use socket2::SockAddr;

/// An address that stands for what a host's name resolves to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// In lower case.
    pub host: String,
    pub port: u16,
    pub address: IpAddr,
}

/// The addresses that are given for a host and port; empty when none is.
pub(super) fn addresses_of(resolved: &[Resolved], host: &str, port: u16) -> Vec<SockAddr> {
    let is_it = |it: &&Resolved| it.port == port && it.host.eq_ignore_ascii_case(host);
    let found = resolved.iter().filter(is_it);
    found
        .map(|it| SocketAddr::new(it.address, port).into())
        .collect()
}
