//! An address that refuses connections for as long as it is held.

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// A socket that is bound and does not listen: no other process can take its port.
pub struct RefusedAddress {
    pub address: SocketAddr,
    _socket: Socket,
}

impl RefusedAddress {
    pub fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        socket.bind(&any.into()).expect("loopback has a free port");
        let address = socket.local_addr().expect("it is bound").as_socket();
        Self {
            address: address.expect("an IPv4 address"),
            _socket: socket,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
