//! The real drivers over loopback: both produce the same events for the same bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

use crate::support::each_driver::{OLD_KERNEL, on_each_driver};
use opsurge::io::clock::Clock;
use opsurge::io::epoll::Epoll;
use opsurge::io::uring::{Features, Uring};
use opsurge::io::{
    ConnectionId, Driver, DriverConfig, Event, Io, LINGERING_MAX, Received, Sockets,
};

const SECOND_NS: u64 = 1_000_000_000;

/// Runs a scene on each driver, and on io_uring also with the features of older kernels.
fn check(scene: impl Fn(&mut dyn Driver, &TcpListener)) {
    check_reachable(|driver, listener, _| scene(driver, listener));
}

/// Runs a scene on the io_uring drivers that receive into provided buffers.
fn check_rings(scene: impl Fn(&mut dyn Driver, &TcpListener)) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let config = DriverConfig {
        addresses: vec![listener.local_addr().expect("the listener is bound").into()],
        sockets: Sockets::default(),
        slots: 8,
        rendered_bytes_max: 4096,
        shared: Vec::new(),
    };
    for defer_taskrun in [true, false] {
        let features = Features {
            defer_taskrun,
            ..Features::ALL
        };
        match Uring::new(&config, Clock::start(), features) {
            Ok(mut uring) if uring.features().multishot => scene(&mut uring, &listener),
            Ok(_) => println!("SKIPPED: this kernel has no multishot receive"),
            Err(error) => println!("SKIPPED on io_uring: {error}"),
        }
    }
}

fn check_reachable(scene: impl Fn(&mut dyn Driver, &TcpListener, SocketAddr)) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("the listener is bound");
    let config = DriverConfig {
        addresses: vec![address.into()],
        sockets: Sockets::default(),
        slots: 8,
        rendered_bytes_max: 1 << 20,
        shared: Vec::new(),
    };
    let kernels = [
        Features::ALL,
        Features {
            defer_taskrun: false,
            ..Features::ALL
        },
        Features {
            multishot: false,
            ..Features::ALL
        },
        OLD_KERNEL,
    ];
    on_each_driver(&config, &kernels, |driver| {
        scene(driver, &listener, address);
    });
}

fn id(slot: u32, generation: u32) -> ConnectionId {
    ConnectionId { slot, generation }
}

/// Waits for the next event of a connection. Received bytes are appended to `bytes`, and their buffers released.
fn next(driver: &mut dyn Driver, connection: ConnectionId, bytes: &mut Vec<u8>) -> Io {
    let deadline_ns = driver.now_ns() + 10 * SECOND_NS;
    let mut events: Vec<Event> = Vec::new();
    loop {
        driver.wait(deadline_ns, &mut events);
        let mut found = None;
        for event in events.drain(..) {
            if let Io::Received(received) = event.io {
                if event.connection == connection {
                    bytes.extend_from_slice(driver.received(received));
                }
                driver.release(received);
            }
            if event.connection == connection {
                found = Some(event.io);
            }
        }
        if let Some(io) = found {
            return io;
        }
        assert!(driver.now_ns() < deadline_ns, "no event in 10 s");
    }
}

fn open(driver: &mut dyn Driver, listener: &TcpListener, connection: ConnectionId) -> TcpStream {
    driver.submit_connect(connection, 0);
    assert_eq!(next(driver, connection, &mut Vec::new()), Io::Connected);
    listener.accept().expect("a connection waits").0
}

fn send(driver: &mut dyn Driver, connection: ConnectionId, bytes: &[u8]) {
    driver.send_buffer()[..bytes.len()].copy_from_slice(bytes);
    driver.submit_send(connection, bytes.len());
}

fn receive(driver: &mut dyn Driver, connection: ConnectionId, length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let io = next(driver, connection, &mut bytes);
        let more_to_come = matches!(io, Io::Received(_)) || bytes.len() == length;
        assert!(more_to_come, "{io:?} after {} bytes", bytes.len());
    }
    bytes
}

fn echo(mut peer: TcpStream, bytes: usize) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = vec![0; bytes];
        while peer.read_exact(&mut buffer).is_ok() {
            if peer.write_all(&buffer).is_err() {
                break;
            }
        }
    })
}

#[test]
fn an_echo_returns_what_was_sent() {
    check(|driver, listener| {
        let connection = id(3, 1);
        let peer = echo(open(driver, listener, connection), 5);
        for round in 0..1_500u32 {
            let text = format!("{round:05}");
            send(driver, connection, text.as_bytes());
            assert_eq!(receive(driver, connection, 5), text.as_bytes());
            assert!(!driver.is_sending(connection));
        }
        driver.close(connection);
        driver.wait(0, &mut Vec::new());
        peer.join().expect("the peer has not panicked");
    });
}

/// Waits once, appends the received bytes to those of their slots, and returns the buffers without releasing them.
fn receive_and_hold(driver: &mut dyn Driver, wait_ns: u64, bytes: &mut [Vec<u8>]) -> Vec<Received> {
    let mut events: Vec<Event> = Vec::new();
    let now_ns = driver.now_ns();
    driver.wait(now_ns + wait_ns, &mut events);
    let mut buffers = Vec::new();
    for event in events {
        let Io::Received(received) = event.io else {
            panic!("{event:?}");
        };
        bytes[event.connection.slot as usize].extend_from_slice(driver.received(received));
        buffers.push(received);
    }
    buffers
}

/// io_uring only: epoll reads no more than it has buffers for, and leaves the rest in the sockets.
#[test]
fn no_bytes_are_lost_while_a_ring_has_no_free_buffers() {
    // Twice what all buffers of a ring hold: 1,024 small ones, and 64 large ones for long answers. The upper half of a
    // buffer's number is its size.
    const PEER_BYTES: usize = 2 << 20;
    const BUFFERS: [usize; 2] = [1024, 64];
    let counts = |held: &[Received]| {
        [0, 1].map(|large| held.iter().filter(|it| it.buffer >> 16 == large).count())
    };
    let are_all_held = |held: &[Received]| (0..2).any(|size| counts(held)[size] == BUFFERS[size]);
    let connections = [0, 1, 2, 3, 4, 5, 6, 7].map(|slot| id(slot, 1));
    let expected = |slot: u32| (0..PEER_BYTES).map(move |at| (at % 251) as u8 ^ slot as u8);
    let arrived = |bytes: &[Vec<u8>]| bytes.iter().map(Vec::len).sum::<usize>();
    check_rings(|driver, listener| {
        // All connections are open before the first byte is sent.
        let peers =
            connections.map(|connection| (connection.slot, open(driver, listener, connection)));
        let peers = peers.map(|(slot, mut peer)| {
            let bytes: Vec<u8> = expected(slot).collect();
            std::thread::spawn(move || peer.write_all(&bytes).map(|()| peer))
        });
        let mut bytes = vec![Vec::new(); connections.len()];
        let end_ns = driver.now_ns() + 20 * SECOND_NS;
        // A shard releases buffers in each turn. Those held here stand for completions that it has not handled yet.
        // Every connection has more to read, so the kernel must answer ENOBUFS.
        let mut held = Vec::new();
        while !are_all_held(&held) {
            assert!(driver.now_ns() < end_ns, "{:?} buffers", counts(&held));
            held.extend(receive_and_hold(driver, SECOND_NS / 100, &mut bytes));
        }
        for _ in 0..20 {
            held.extend(receive_and_hold(driver, SECOND_NS / 1000, &mut bytes));
        }
        assert!(
            are_all_held(&held),
            "{:?}: a buffer was used twice",
            counts(&held)
        );
        assert!(arrived(&bytes) < connections.len() * PEER_BYTES);
        for received in held {
            driver.release(received);
        }
        while arrived(&bytes) < connections.len() * PEER_BYTES {
            assert!(driver.now_ns() < end_ns, "{} bytes", arrived(&bytes));
            for received in receive_and_hold(driver, SECOND_NS, &mut bytes) {
                driver.release(received);
            }
        }
        for (connection, peer) in connections.into_iter().zip(peers) {
            let received = bytes[connection.slot as usize].iter().copied();
            assert!(received.eq(expected(connection.slot)), "{connection:?}");
            drop(
                peer.join()
                    .expect("the peer has not panicked")
                    .expect("all bytes were written"),
            );
            driver.close(connection);
        }
    });
}

#[test]
fn a_megabyte_is_sent_and_received_unchanged() {
    check(|driver, listener| {
        let connection = id(0, 1);
        let mut peer = open(driver, listener, connection);
        let sent: Vec<u8> = (0..1u32 << 20).map(|n| (n % 251) as u8).collect();
        let expected = sent.clone();
        let echo = std::thread::spawn(move || {
            let mut buffer = vec![0; 1 << 20];
            peer.read_exact(&mut buffer).expect("all bytes arrive");
            peer.write_all(&buffer).expect("all bytes are sent");
        });
        send(driver, connection, &sent);
        let received = receive(driver, connection, sent.len());
        assert!(received == expected, "the bytes differ");
        echo.join().expect("the peer has not panicked");
        driver.close(connection);
    });
}

#[test]
fn the_end_of_a_send_is_reported_once_when_it_is_asked_for() {
    check(|driver, listener| {
        let connection = id(2, 1);
        let mut peer = open(driver, listener, connection);
        let long = vec![7; 1 << 20];
        send(driver, connection, &long);
        driver.announce_sent(connection);
        let reader = std::thread::spawn(move || {
            let mut buffer = vec![0; 1 << 20];
            peer.read_exact(&mut buffer).expect("all bytes arrive");
            peer
        });
        assert_eq!(next(driver, connection, &mut Vec::new()), Io::Sent);
        assert!(!driver.is_sending(connection));
        let mut peer = reader.join().expect("the peer has not panicked");
        // The next send is not announced, nor is an announcement without a send.
        driver.announce_sent(connection);
        send(driver, connection, b"ping");
        let mut buffer = [0; 4];
        driver.wait(0, &mut Vec::new());
        peer.read_exact(&mut buffer).expect("all bytes arrive");
        peer.write_all(b"pong").expect("the connection is open");
        assert_eq!(receive(driver, connection, 4), b"pong");
        driver.close(connection);
    });
}

#[test]
fn received_bytes_can_be_changed_where_they_lie() {
    check(|driver, listener| {
        let connection = id(4, 1);
        let mut peer = open(driver, listener, connection);
        peer.write_all(b"abc").expect("the connection is open");
        let mut events = Vec::new();
        let deadline_ns = driver.now_ns() + 10 * SECOND_NS;
        while events.is_empty() && driver.now_ns() < deadline_ns {
            driver.wait(deadline_ns, &mut events);
        }
        let Some(Event {
            io: Io::Received(received),
            ..
        }) = events.pop()
        else {
            panic!("{events:?}");
        };
        driver.received_mut(received).make_ascii_uppercase();
        assert_eq!(driver.received(received), b"ABC");
        driver.release(received);
        driver.close(connection);
    });
}

#[test]
fn the_fin_is_reported_after_the_last_bytes() {
    check(|driver, listener| {
        let connection = id(1, 4);
        let mut peer = open(driver, listener, connection);
        peer.write_all(b"bye").expect("the connection is open");
        peer.shutdown(Shutdown::Both)
            .expect("the connection is open");
        let mut bytes = Vec::new();
        while next(driver, connection, &mut bytes) != Io::Closed {}
        assert_eq!(bytes, b"bye");
        driver.close(connection);
    });
}

#[test]
fn a_reset_is_reported_as_a_failure_not_as_a_fin() {
    check(|driver, listener| {
        let connection = id(1, 9);
        let peer = open(driver, listener, connection);
        send(driver, connection, b"unread bytes make the close a reset");
        driver.wait(0, &mut Vec::new());
        let mut seen = [0];
        peer.peek(&mut seen).expect("the request arrives");
        drop(peer);
        let io = next(driver, connection, &mut Vec::new());
        assert_eq!(io, Io::ReceiveFailed(libc_econnreset()));
        driver.close(connection);
    });
}

fn libc_econnreset() -> i32 {
    nix::errno::Errno::ECONNRESET as i32
}

#[test]
fn a_refused_connection_is_reported() {
    check_reachable(|driver, _, _| {
        // Bound but not listening: the port cannot be taken by another process, and every attempt is refused.
        let bound = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)
            .expect("a descriptor is free");
        let any: SocketAddr = "127.0.0.1:0".parse().expect("a valid address");
        bound.bind(&any.into()).expect("loopback has a free port");
        let refusing = bound.local_addr().expect("the socket is bound").as_socket();
        let config = DriverConfig {
            addresses: vec![refusing.expect("the address is IPv4").into()],
            sockets: Sockets::default(),
            slots: 1,
            rendered_bytes_max: 64,
            shared: Vec::new(),
        };
        let mut epoll = Epoll::new(&config, Clock::start()).expect("epoll is always available");
        let mut drivers: Vec<&mut dyn Driver> = vec![&mut epoll];
        let mut uring = Uring::new(&config, Clock::start(), Features::ALL).ok();
        drivers.extend(uring.as_mut().map(|uring| uring as &mut dyn Driver));
        for refused in drivers {
            refused.submit_connect(id(0, 1), 0);
            let io = next(refused, id(0, 1), &mut Vec::new());
            assert_eq!(
                io,
                Io::ConnectFailed(nix::errno::Errno::ECONNREFUSED as i32)
            );
        }
        driver.close(id(0, 0));
    });
}

#[test]
fn a_reused_slot_gets_no_bytes_of_its_earlier_connections() {
    check(|driver, listener| {
        for generation in 1..40 {
            let connection = id(2, generation);
            let mut peer = open(driver, listener, connection);
            let own = [generation as u8; 9];
            peer.write_all(&own).expect("the connection is open");
            assert_eq!(receive(driver, connection, 9), own);
            // Closed while bytes and operations are under way.
            peer.write_all(b"too late").expect("the connection is open");
            send(driver, connection, b"unfinished");
            driver.close(connection);
        }
    });
}

#[test]
fn a_send_queued_before_a_close_never_reaches_the_next_socket() {
    check(|driver, listener| {
        let (first, second) = (id(0, 1), id(1, 1));
        let _peer = open(driver, listener, first);
        send(driver, first, b"for the first");
        driver.close(first);
        // The next socket is likely to get the closed one's descriptor.
        let mut peer = open(driver, listener, second);
        send(driver, second, b"for the second");
        driver.wait(0, &mut Vec::new());
        let mut bytes = [0; 14];
        peer.read_exact(&mut bytes).expect("the bytes arrive");
        assert_eq!(&bytes, b"for the second");
        driver.close(second);
    });
}

#[test]
fn a_connect_queued_before_a_close_does_not_disturb_the_next() {
    check(|driver, listener| {
        for generation in 1..20 {
            let (first, second) = (id(0, generation), id(1, generation));
            driver.submit_connect(first, 0);
            driver.close(first);
            // The next socket is likely to get the closed one's descriptor, in the same batch.
            driver.submit_connect(second, 0);
            assert_eq!(next(driver, second, &mut Vec::new()), Io::Connected);
            driver.close(second);
            driver.wait(0, &mut Vec::new());
            drop(listener.accept().expect("a connection waits"));
        }
    });
}

#[test]
fn a_wait_without_events_ends_at_its_deadline() {
    check(|driver, _| {
        let before_ns = driver.now_ns();
        let deadline_ns = before_ns + 3_000_000;
        let mut events = Vec::new();
        let mut turns = 0;
        while driver.now_ns() < deadline_ns {
            let turn = driver.wait(deadline_ns, &mut events);
            assert!(turn.submitted_ns <= turn.idle_from_ns && turn.idle_from_ns <= turn.reaped_ns);
            turns += 1;
        }
        assert!(events.is_empty());
        assert!(turns < 50, "{turns} turns: the driver does not sleep");
    });
}

#[test]
fn dropping_a_driver_ends_its_connections() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let config = DriverConfig {
        addresses: vec![listener.local_addr().expect("the listener is bound").into()],
        sockets: Sockets::default(),
        slots: 4,
        rendered_bytes_max: 64,
        shared: Vec::new(),
    };
    if let Ok(mut uring) = Uring::new(&config, Clock::start(), Features::ALL) {
        let mut peer = open(&mut uring, &listener, id(0, 1));
        drop(uring);
        let ended = peer.read(&mut [0]).expect("a FIN is no error");
        assert_eq!(ended, 0);
    }
}

/// What the peer can read now, in bytes; `None` when nothing has arrived.
fn now_read(peer: &mut TcpStream) -> Option<usize> {
    peer.set_nonblocking(true).expect("the socket is open");
    match peer.read(&mut [0; 16]) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => None,
        // A reset: the driver got bytes after it had closed.
        Err(_) => Some(0),
    }
}

/// Takes turns for this long; only ends of closed connections may be reported.
fn pass(driver: &mut dyn Driver, ns: u64) {
    let until_ns = driver.now_ns() + ns;
    let mut events = Vec::new();
    while driver.now_ns() < until_ns {
        driver.wait(until_ns, &mut events);
        let is_end = |event: Event| matches!(event.io, Io::Closed | Io::ReceiveFailed(_));
        assert!(events.drain(..).all(is_end));
    }
}

/// What the peer of a connection does.
type Act = fn(&mut TcpStream);

/// How often a busy machine may take the core away for the whole of a wait.
const TRIES: u32 = 3;

#[test]
fn a_connection_waits_for_the_fin_of_a_peer_that_is_about_to_close() {
    check(|driver, listener| {
        let shutdown = |peer: &mut TcpStream| peer.shutdown(Shutdown::Write).expect("it is open");
        let write = |peer: &mut TcpStream| peer.write_all(b"more").expect("it is open");
        let nothing = |_: &mut TcpStream| {};
        let mut generation = 0;
        let mut is_closed_within = |act: Act, ns| {
            generation += 1;
            let mut peer = open(driver, listener, id(0, generation));
            peer.write_all(b"answer").expect("the connection is open");
            assert_eq!(receive(driver, id(0, generation), 6), b"answer");
            driver.close_after_fin(id(0, generation));
            pass(driver, SECOND_NS / 50);
            let was_open = now_read(&mut peer).is_none();
            act(&mut peer);
            pass(driver, ns);
            was_open && now_read(&mut peer) == Some(0)
        };
        // Closed by the peer's act, long before 100 ms are over; or, when the peer never closes, by their end.
        let cases: [(Act, u64); 3] = [
            (shutdown, SECOND_NS / 50),
            (write, SECOND_NS / 50),
            (nothing, SECOND_NS * 3 / 25),
        ];
        for (index, (act, ns)) in cases.into_iter().enumerate() {
            let is_closed = (0..TRIES).any(|_| is_closed_within(act, ns));
            assert!(is_closed, "case {index}: closed at once, or not in time");
        }
    });
}

#[test]
fn a_slot_is_free_while_its_last_connections_wait_for_their_fins() {
    check(|driver, listener| {
        let mut peers = Vec::new();
        for generation in 1..=300 {
            let peer = open(driver, listener, id(0, generation));
            driver.close_after_fin(id(0, generation));
            peers.push(peer);
        }
        pass(driver, SECOND_NS / 50);
        let closed = |peers: &mut [TcpStream]| {
            let read = peers.iter_mut().map(now_read);
            read.filter(Option::is_some).count()
        };
        // Opening the connections took a part of the time that a FIN is waited for, or all of it on a busy machine.
        assert!(closed(&mut peers) >= 300 - LINGERING_MAX);
        let mut last = open(driver, listener, id(0, 301));
        last.write_all(b"answer").expect("the connection is open");
        assert_eq!(receive(driver, id(0, 301), 6), b"answer");
        drop(peers);
        pass(driver, SECOND_NS / 5);
    });
}
