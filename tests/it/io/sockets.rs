//! How connections begin, on both drivers: over Unix sockets, from given source addresses, with options.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use crate::support::binary::{
    Process, Program, check_sums, opsurge, record_of, run, statuses, text,
};
use crate::support::each_driver::on_each_driver;
use crate::support::raw_server::{OK, Peer, RawServer};
use opsurge::io::options::TcpOption;
use opsurge::io::uring::Features;
use opsurge::io::{ConnectionId, Driver, DriverConfig, Event, Io, Sockets, socket};
use socket2::{SockAddr, SockRef};

const SECOND_NS: u64 = 1_000_000_000;
const SLOTS: u32 = 8;

/// Runs a scene on each driver.
fn on_drivers(address: &SockAddr, sockets: &Sockets, scene: impl Fn(&mut dyn Driver)) {
    let config = DriverConfig {
        addresses: vec![address.clone()],
        sockets: sockets.clone(),
        slots: SLOTS as usize,
        rendered_bytes_max: 64,
        shared: Vec::new(),
    };
    on_each_driver(&config, &[Features::ALL], scene);
}

fn id(slot: u32) -> ConnectionId {
    ConnectionId {
        slot,
        generation: 1,
    }
}

/// Waits for `count` events; received bytes are appended to `bytes`.
fn events(driver: &mut dyn Driver, count: usize, bytes: &mut Vec<u8>) -> Vec<(u32, Io)> {
    let deadline_ns = driver.now_ns() + 10 * SECOND_NS;
    let mut batch: Vec<Event> = Vec::new();
    let mut happened = Vec::new();
    while happened.len() < count {
        assert!(driver.now_ns() < deadline_ns, "only {happened:?} in 10 s");
        driver.wait(deadline_ns, &mut batch);
        for event in batch.drain(..) {
            if let Io::Received(received) = event.io {
                bytes.extend_from_slice(driver.received(received));
                driver.release(received);
            }
            happened.push((event.connection.slot, event.io));
        }
    }
    happened
}

fn unix(path: &std::path::Path) -> SockAddr {
    socket::unix_address(path.to_str().expect("the path is UTF-8"))
        .expect("the path is short enough")
}

#[test]
fn bytes_go_both_ways_over_a_unix_socket() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("s.sock");
    let listener = UnixListener::bind(&path).expect("a new file");
    on_drivers(&unix(&path), &Sockets::default(), |driver| {
        driver.submit_connect(id(3), 0);
        let happened = events(driver, 1, &mut Vec::new());
        assert_eq!(happened, [(3, Io::Connected)]);
        let (mut peer, _) = listener.accept().expect("a connection waits");
        driver.send_buffer()[..4].copy_from_slice(b"ping");
        driver.submit_send(id(3), 4);
        driver.wait(0, &mut Vec::new());
        let mut ping = [0; 4];
        peer.read_exact(&mut ping).expect("it arrives");
        peer.write_all(b"pong").expect("the connection is open");
        let mut bytes = Vec::new();
        events(driver, 1, &mut bytes);
        assert_eq!((&ping, &bytes[..]), (b"ping", &b"pong"[..]));
        drop(peer);
        assert_eq!(events(driver, 1, &mut bytes), [(3, Io::Closed)]);
        driver.close(id(3));
    });
}

#[test]
fn connects_to_a_unix_socket_wait_while_its_backlog_is_full() {
    on_drivers_with_backlog(1, |driver, listener| {
        for slot in 0..SLOTS {
            driver.submit_connect(id(slot), 0);
        }
        // Two fit the backlog; the kernel decides which.
        let mut connected = events(driver, 2, &mut Vec::new());
        assert!(connected.len() < SLOTS as usize, "{connected:?}");
        let mut peers = Vec::new();
        while connected.len() < SLOTS as usize {
            peers.push(listener.accept().expect("a connection waits"));
            connected.extend(events(driver, 1, &mut Vec::new()));
        }
        assert!(connected.iter().all(|(_, io)| *io == Io::Connected));
        let mut slots: Vec<u32> = connected.iter().map(|(slot, _)| *slot).collect();
        slots.sort_unstable();
        assert_eq!(slots, (0..SLOTS).collect::<Vec<_>>());
    });
}

#[test]
fn a_connect_closed_while_it_waits_for_the_backlog_is_not_made() {
    on_drivers_with_backlog(0, |driver, listener| {
        for slot in 0..3 {
            driver.submit_connect(id(slot), 0);
        }
        assert_eq!(events(driver, 1, &mut Vec::new()), [(0, Io::Connected)]);
        driver.close(id(1));
        drop(listener.accept().expect("the first connection waits"));
        let mut happened = events(driver, 2, &mut Vec::new());
        happened.sort_by_key(|(slot, _)| *slot);
        assert_eq!(happened, [(0, Io::Closed), (2, Io::Connected)]);
    });
}

/// Runs a scene on each driver with a new listener, whose backlog has room for `backlog + 1` connections.
fn on_drivers_with_backlog(backlog: i32, scene: impl Fn(&mut dyn Driver, &UnixListener)) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("s.sock");
    let address = unix(&path);
    on_drivers(&address, &Sockets::default(), |driver| {
        let _ = std::fs::remove_file(&path);
        let listener = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)
            .expect("a descriptor is free");
        listener.bind(&address).expect("a new file");
        listener.listen(backlog).expect("the listener is bound");
        scene(driver, &listener.into());
    });
}

#[test]
fn a_unix_socket_without_a_listener_refuses() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("s.sock");
    for errno in [nix::errno::Errno::ENOENT, nix::errno::Errno::ECONNREFUSED] {
        on_drivers(&unix(&path), &Sockets::default(), |driver| {
            driver.submit_connect(id(0), 0);
            let happened = events(driver, 1, &mut Vec::new());
            assert_eq!(happened, [(0, Io::ConnectFailed(errno as i32))]);
        });
        // For the second round: a bound and closed socket leaves its file behind.
        drop(UnixListener::bind(&path));
    }
}

fn from(sources: &[&str]) -> Sockets {
    Sockets {
        sources: sources
            .iter()
            .map(|ip| ip.parse().expect("a valid address"))
            .collect(),
        ..Sockets::default()
    }
}

#[test]
fn connections_come_from_the_source_addresses_in_turn() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("the listener is bound").into();
    let sources = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];
    on_drivers(&address, &from(&sources), |driver| {
        for slot in 0..6 {
            driver.submit_connect(id(slot), slot as usize);
        }
        events(driver, 6, &mut Vec::new());
        let mut peers: Vec<String> = (0..6)
            .map(|_| {
                listener
                    .accept()
                    .expect("a connection waits")
                    .1
                    .ip()
                    .to_string()
            })
            .collect();
        peers.sort_unstable();
        assert_eq!(
            peers,
            [
                sources[0], sources[0], sources[1], sources[1], sources[2], sources[2]
            ]
        );
    });
}

#[test]
fn a_source_address_that_is_not_ours_fails_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("the listener is bound").into();
    // TEST-NET-1 (RFC 5737) belongs to no machine.
    on_drivers(&address, &from(&["192.0.2.1"]), |driver| {
        driver.submit_connect(id(0), 0);
        let errno = nix::errno::Errno::EADDRNOTAVAIL as i32;
        let happened = events(driver, 1, &mut Vec::new());
        assert_eq!(happened, [(0, Io::ConnectFailed(errno))]);
    });
}

#[test]
fn the_peer_sees_the_segment_size_and_the_reset() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address: SockAddr = listener.local_addr().expect("the listener is bound").into();
    let peer_of = |driver: &mut dyn Driver| {
        driver.submit_connect(id(0), 0);
        events(driver, 1, &mut Vec::new());
        let (mut peer, _) = listener.accept().expect("a connection waits");
        let mss = SockRef::from(&peer).tcp_mss().expect("the socket is TCP");
        driver.close(id(0));
        driver.wait(0, &mut Vec::new());
        driver.wait(0, &mut Vec::new());
        let end = peer.read(&mut [0]).map_err(|error| error.kind());
        (mss, end)
    };
    on_drivers(&address, &Sockets::default(), |driver| {
        let (mss, end) = peer_of(driver);
        assert!(mss > 536, "{mss}");
        assert_eq!(end, Ok(0), "a FIN");
    });
    let sockets = Sockets {
        tcp: vec![TcpOption::Mss(536), TcpOption::ResetAtEnd],
        ..Sockets::default()
    };
    on_drivers(&address, &sockets, |driver| {
        let (mss, end) = peer_of(driver);
        // Timestamps take 12 bytes of each segment.
        assert!((500..=536).contains(&mss), "{mss}");
        assert_eq!(end, Err(ErrorKind::ConnectionReset));
    });
}

/// The stand-in as a process: the process, and its first line.
struct StandIn(Process, String);

impl StandIn {
    fn start(arguments: &[&str]) -> Self {
        let all = [&["mock", "--threads", "1", "-t", "60s"], arguments].concat();
        let mut child = opsurge(&all)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let out = child.stdout.as_mut().expect("piped");
        let mut first = String::new();
        BufReader::with_capacity(1, out)
            .read_line(&mut first)
            .expect("the stand-in prints a line");
        Self(child, first)
    }

    /// Sends Ctrl-C; returns all of its output.
    fn end(mut self) -> String {
        let process = nix::unistd::Pid::from_raw(self.0.id() as i32);
        nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGINT)
            .expect("the stand-in runs");
        let mut printed = self.1.clone();
        let out = self.0.stdout.as_mut().expect("piped");
        out.read_to_string(&mut printed)
            .expect("the output is UTF-8");
        self.0.wait().expect("the stand-in ends");
        printed
    }
}

const ONCE: [&str; 8] = [
    "-u",
    "6",
    "--wait",
    "0",
    "--pause",
    "0",
    "--iterations",
    "300",
];

#[test]
fn a_run_over_a_unix_socket_counts_what_the_stand_in_counts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("ops.sock");
    let path = path.to_str().expect("the path is UTF-8");
    for io in ["auto", "epoll"] {
        let arguments = [&["--mock", "--unix-socket", path, "--io", io], &ONCE[..]].concat();
        let (record, printed) = record_of(&arguments, 0);
        check_sums(&record);
        let stand_in = record.stand_in.as_ref().expect("the run had a stand-in");
        assert!(stand_in.agrees, "{stand_in:?} {:?}", statuses(&record));
        assert_eq!(record.steps[2].statuses["202"], 300);
        assert_eq!(record.run.addresses, [format!("unix:{path}")]);
        assert_eq!(record.run.host, "http://localhost:80");
        let shown = format!("on http://localhost:80 at unix:{path}");
        assert_eq!(printed.matches(&shown).count(), 2, "{printed}");
        assert!(
            !std::path::Path::new(path).exists(),
            "the stand-in removes its socket"
        );
    }
}

#[test]
fn another_process_is_reached_by_path_and_by_abstract_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("ops.sock");
    let path = path.to_str().expect("the path is UTF-8");
    let name = format!("@{path}");
    for place in [path, &name] {
        let stand_in = StandIn::start(&["--unix-socket", place]);
        let arguments = [&["--unix-socket", place], &ONCE[..]].concat();
        let (record, _) = record_of(&arguments, 0);
        assert_eq!(record.run.addresses, [format!("unix:{place}")]);
        let health = "http://a.name.of.its.own/health";
        for io in ["auto", "epoll"] {
            let output = run(&["request", "--io", io, "--unix-socket", place, health]);
            let printed = text(&output);
            assert_eq!(output.status.code(), Some(0), "{printed}");
            assert!(printed.contains("> Host: a.name.of.its.own"), "{printed}");
            assert!(printed.contains("status 200"), "{printed}");
        }
        let printed = stand_in.end();
        assert!(
            printed.contains(&format!("stand-in at unix:{place} (tokio")),
            "{printed}"
        );
        assert!(printed.contains("300  POST"), "{printed}");
        assert!(
            !std::path::Path::new(path).exists(),
            "the stand-in removes its socket"
        );
    }
}

#[test]
fn one_url_and_a_search_go_over_a_unix_socket_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("ops.sock");
    let path = path.to_str().expect("the path is UTF-8");
    let stand_in = StandIn::start(&["--unix-socket", path]);
    let get = [
        "--get",
        "/health",
        "--iterations",
        "50",
        "--unix-socket",
        path,
    ];
    let (record, _) = record_of(&get, 0);
    assert_eq!(record.totals.requests, 50);
    let levels = [
        "--from", "2", "--to", "2", "--every", "2s", "--settle", "0s",
    ];
    let search = ["search", "--get", "/health", "--unix-socket", path];
    let output = run(&[&search, &levels[..]].concat());
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(printed.contains(&format!("at unix:{path}")), "{printed}");
    stand_in.end();
}

/// Connections by source address, without the first `trials` connections.
fn sources_seen(arguments: &[&str], trials: usize) -> BTreeMap<IpAddr, u64> {
    let seen = Arc::new(Mutex::new(BTreeMap::new()));
    let (counts, answered) = (seen.clone(), OK);
    let server = RawServer::start(move |peer: &mut Peer| {
        let from: SocketAddr = peer.stream.peer_addr().expect("the peer is connected");
        if peer.number >= trials {
            *counts
                .lock()
                .expect("no panic")
                .entry(from.ip())
                .or_insert(0) += 1;
        }
        while peer.request().is_some() {
            peer.answer(answered);
        }
    });
    let url = server.url();
    let all = [&["--get", &url, "-t", "1s", "--report", "full"], arguments].concat();
    let (record, printed) = record_of(&all, 0);
    check_sums(&record);
    assert!(printed.contains("sockets: from "), "{printed}");
    std::mem::take(&mut seen.lock().expect("no panic"))
}

#[test]
fn a_runs_connections_are_spread_evenly_over_its_source_addresses() {
    for io in ["auto", "epoll"] {
        // Two shards with 7 and 6 connections; the spread is over all 13.
        let sources = "127.0.0.2-127.0.0.4,127.0.0.9";
        let arguments = [
            "-u",
            "13",
            "--shards",
            "2",
            "--io",
            io,
            "--source-address",
            sources,
        ];
        // Trial connections: one to the target, and one from each source address.
        let seen = sources_seen(&arguments, 5);
        let counts: Vec<u64> = seen.values().copied().collect();
        assert_eq!(counts, [4, 3, 3, 3], "{seen:?}");
        let last: IpAddr = "127.0.0.9".parse().expect("a valid address");
        assert!(seen.contains_key(&last), "{seen:?}");
    }
}

fn check_refused(arguments: &[&str], code: i32, parts: &[&str]) {
    let output = run(arguments);
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {printed}");
    for part in parts {
        assert!(printed.contains(part), "{arguments:?}: {printed}");
    }
}

#[test]
fn a_unix_socket_that_cannot_be_used_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = |name: &str| {
        folder
            .path()
            .join(name)
            .to_str()
            .expect("the path is UTF-8")
            .to_owned()
    };
    let (nowhere, file, dead) = (place("nowhere"), place("file"), place("dead"));
    let (datagrams, full) = (place("datagrams"), place("full"));
    std::fs::write(&file, "").expect("the file can be written");
    drop(UnixListener::bind(&dead));
    let _datagrams = UnixDatagram::bind(&datagrams).expect("a new file");
    let _full = UnixListener::bind(&full).map(|listener| {
        SockRef::from(&listener)
            .listen(0)
            .expect("the listener is bound");
        let waiting =
            std::os::unix::net::UnixStream::connect(&full).expect("the backlog has room for one");
        (listener, waiting)
    });
    let folder = folder.path().to_str().expect("the path is UTF-8");
    for command in [
        &["run", "-t", "1s", "--unix-socket"][..],
        &["search", "--unix-socket"],
        &["request", "http://localhost/", "--unix-socket"],
    ] {
        let check = |path: &str, reason: &str| {
            check_refused(&[command, &[path]].concat(), 3, &["--unix-socket", reason]);
        };
        check(&nowhere, "there is no such file; is the service running");
        check(&file, "is a file, not a socket; give the path");
        check(folder, "is a folder; give the path of the socket in it");
        check(
            &dead,
            "connection refused: no process listens on this socket; is the",
        );
        check(&datagrams, "takes datagrams");
        check(&full, "accepts nothing: its backlog is full");
        check("@nobody.has.this.name", "no process listens on this socket");
    }
    let long = format!("/tmp/{}", "x".repeat(110));
    check_refused(
        &["run", "--unix-socket", &long],
        2,
        &["107 bytes at most; give a shorter one"],
    );
    check_refused(&["run", "--unix-socket", "@"], 2, &["names nothing"]);
    check_refused(
        &["run", "--unix-socket", &dead, "--tcp", "nodelay=off"],
        2,
        &["cannot be used with"],
    );
    check_refused(
        &["mock", "--unix-socket", &file],
        3,
        &[
            "nothing can listen at unix:",
            "no socket, and it is left alone",
        ],
    );
    check_refused(
        &["mock", "--unix-socket", &full],
        3,
        &["another server listens on this socket"],
    );
    check_refused(
        &["mock", "--unix-socket", &dead, "--fault", "stall=1s/2s"],
        2,
        &["--fault is played on TCP only"],
    );
}

#[test]
fn source_addresses_and_options_that_cannot_be_used_are_refused_before_anything_is_sent() {
    let check = |arguments: &[&str], code, parts: &[&str]| {
        let all = [&["run", "--mock", "-t", "1s"], arguments].concat();
        check_refused(&all, code, parts);
    };
    check(
        &["--source-address", "192.0.2.1"],
        2,
        &["--source-address 192.0.2.1: not an address of this machine"],
    );
    check(
        &["--source-address", "127.0.0.2,::1"],
        2,
        &["--source-address ::1 is IPv6, and the target is not (127.0.0.1:"],
    );
    check(
        &["--source-address", "here"],
        2,
        &["give an IP address, a list"],
    );
    check(&["--tcp", "nodely=off"], 2, &["did you mean \"nodelay\"?"]);
    check(
        &["--tcp", "congestion=nosuch"],
        2,
        &["--tcp congestion=nosuch: this kernel has no such algorithm; it has "],
    );
    check(
        &["--tcp", "rcvbuf=1000000000"],
        2,
        &[
            "the kernel grants ",
            "sysctl -w net.core.rmem_max=1000000000",
        ],
    );
    check(
        &["--tcp", "mss=600", "--tcp", "mss=700"],
        2,
        &["--tcp mss=700: that option was given before"],
    );
    check_refused(
        &[
            "request",
            "http://127.0.0.1:9/",
            "--source-address",
            "192.0.2.1",
        ],
        2,
        &["not an address of this machine"],
    );
}

#[test]
fn options_are_in_the_record() {
    for io in ["auto", "epoll"] {
        let options = ["--tcp", "nodelay=off", "--tcp", "linger=0", "--io", io];
        let arguments = [
            &[
                "--mock",
                "--source-address",
                "127.0.0.3",
                "--report",
                "full",
            ],
            &options[..],
            &ONCE[..],
        ]
        .concat();
        let (record, printed) = record_of(&arguments, 0);
        assert!(record.stand_in.as_ref().is_some_and(|it| it.agrees));
        assert_eq!(record.run.tcp, ["nodelay=off", "linger=0"]);
        assert_eq!(record.run.source_addresses, ["127.0.0.3"]);
        let shown = "sockets: from 127.0.0.3; nodelay=off, linger=0";
        assert!(printed.contains(shown), "{printed}");
    }
}

#[test]
fn a_run_that_needs_too_many_ports_is_refused_and_source_addresses_cure_it() {
    let in_a_network_with_eleven_ports = |arguments: &[&str]| {
        let narrow = "ip link set lo up && echo 40000 40010 > /proc/sys/net/ipv4/ip_local_port_range && exec \"$@\"";
        let mut command = std::process::Command::new("unshare");
        command
            .args(["-n", "sh", "-c", narrow, "sh"])
            .args(arguments);
        Program::from(command).output()
    };
    if !in_a_network_with_eleven_ports(&["true"]).is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: a network namespace is not available here");
        return;
    }
    let program = env!("CARGO_BIN_EXE_opsurge");
    let sixteen = [
        program, "run", "--mock", "-t", "1s", "-u", "16", "--wait", "10ms", "--pause", "0",
    ];
    let refused = in_a_network_with_eleven_ports(&sixteen).expect("the program starts");
    let printed = text(&refused);
    assert_eq!(refused.status.code(), Some(3), "{printed}");
    assert!(
        printed.contains("16 connections need as many ports, and one source address has 11"),
        "{printed}"
    );
    assert!(
        printed.contains("give --source-address with 2 addresses"),
        "{printed}"
    );
    // The stand-in has one of the ports, and each trial connection has left one in TIME_WAIT.
    for io in ["auto", "epoll"] {
        let cured = [
            &sixteen[..],
            &["--io", io, "--source-address", "127.0.0.2,127.0.0.3"],
        ]
        .concat();
        let output = in_a_network_with_eleven_ports(&cured).expect("the program starts");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    }
}
