//! Routes, and the sockets that they open.

use super::*;

fn dialer(addresses: &[&str], sources: &[&str]) -> Dialer {
    let addresses: Vec<SockAddr> = addresses
        .iter()
        .map(|text| text.parse::<SocketAddr>().expect("a valid address").into())
        .collect();
    let sources = sources
        .iter()
        .map(|ip| ip.parse().expect("a valid address"));
    let sockets = Sockets {
        sources: sources.collect(),
        ..Sockets::default()
    };
    Dialer::new(&addresses, &sockets)
}

#[test]
fn every_source_has_a_route_to_every_target_of_its_family() {
    let dialer = dialer(
        &["127.0.0.1:1", "127.0.0.1:2", "[::1]:3"],
        &["127.0.0.2", "127.0.0.3", "::1"],
    );
    let ends = |route| {
        let to = dialer
            .address(route)
            .as_socket()
            .expect("the address is IP")
            .port();
        (
            dialer
                .source(route)
                .expect("sources were given")
                .to_string(),
            to,
        )
    };
    let routes: Vec<(String, u16)> = (0..6).map(ends).collect();
    let expected = [
        ("127.0.0.2", 1),
        ("127.0.0.2", 2),
        ("127.0.0.3", 1),
        ("127.0.0.3", 2),
        ("::1", 3),
        ("127.0.0.2", 1),
    ];
    assert_eq!(routes, expected.map(|(from, to)| (from.to_owned(), to)));
    assert_eq!(dialer.routes(), 5);
}

#[test]
fn without_sources_the_targets_are_taken_in_turn() {
    let dialer = dialer(&["127.0.0.1:1", "[::1]:3"], &[]);
    assert_eq!((dialer.routes(), dialer.source(0)), (2, None));
    assert_ne!(dialer.address(0), dialer.address(1));
    assert_eq!(dialer.address(0), dialer.address(2));
}

#[test]
fn a_bound_socket_has_no_port_until_it_connects() {
    for (address, source) in [("127.0.0.1:1", "127.0.0.9"), ("[::1]:1", "::1")] {
        let opened = dialer(&[address], &[source]).open(0, Blocking::Yes);
        let Ok(socket) = opened else {
            println!("SKIPPED: this machine has no {source}");
            continue;
        };
        let bound = socket.local_addr().ok().and_then(|local| local.as_socket());
        let bound = bound.expect("the socket is bound");
        assert_eq!((bound.ip().to_string().as_str(), bound.port()), (source, 0));
    }
}

#[test]
fn route_numbers_go_to_the_targets_in_turn() {
    let address = |port: u16| SockAddr::from(SocketAddr::from(([127, 0, 0, 1], port)));
    let sockets = Sockets {
        named: vec![vec![address(3)], vec![address(4), address(5)]],
        ..Sockets::default()
    };
    let dialer = Dialer::new(&[address(1), address(2)], &sockets);
    let ports = (0..9).map(|route| dialer.address(route).as_socket().map(|it| it.port()));
    assert_eq!(
        ports.collect::<Option<Vec<_>>>(),
        Some(vec![1, 3, 4, 2, 3, 5, 1, 3, 4])
    );
    assert_eq!(dialer.routes(), 2, "those to the first target");
}

#[test]
fn every_option_is_on_the_socket() {
    let wait = std::time::Duration::from_secs(7);
    let sockets = Sockets {
        sources: Vec::new(),
        tcp: vec![
            TcpOption::NoDelay(false),
            TcpOption::ResetAtEnd,
            TcpOption::Keepalive(wait),
            TcpOption::UserTimeout(wait),
            TcpOption::ReceiveBuffer(20_000),
            TcpOption::SendBuffer(30_000),
            TcpOption::Mss(536),
            TcpOption::Congestion("reno".into()),
        ],
        named: Vec::new(),
    };
    let address: SocketAddr = ([127, 0, 0, 1], 1).into();
    let open = |sockets| {
        let dialer = Dialer::new(&[address.into()], &sockets);
        dialer
            .open(0, Blocking::Yes)
            .expect("the options are in range")
    };
    assert!(
        open(Sockets::default())
            .tcp_nodelay()
            .expect("the socket is TCP")
    );
    let socket = open(sockets);
    assert!(!socket.tcp_nodelay().expect("the socket is TCP"));
    let linger = socket.linger().expect("the socket is TCP");
    assert_eq!(linger, Some(std::time::Duration::ZERO));
    assert!(socket.keepalive().expect("the socket is TCP"));
    assert_eq!(
        socket.tcp_keepalive_time().expect("the socket is TCP"),
        wait
    );
    assert_eq!(
        socket.tcp_user_timeout().expect("the socket is TCP"),
        Some(wait)
    );
    assert_eq!(
        socket.recv_buffer_size().expect("the socket is TCP"),
        40_000
    );
    assert_eq!(
        socket.send_buffer_size().expect("the socket is TCP"),
        60_000
    );
    assert_eq!(socket.tcp_mss().expect("the socket is TCP"), 536);
    let congestion = socket.tcp_congestion().expect("the socket is TCP");
    assert!(congestion.starts_with(b"reno"), "{congestion:?}");
}
