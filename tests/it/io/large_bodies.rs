//! Long request bodies, which are sent from shared memory instead of being copied; and answers of all lengths, for
//! which the driver chooses the size of its buffers.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, LazyLock};

use crate::support::each_driver::{OLD_KERNEL, on_each_driver};
use crate::support::sim_server::{self, Answer, Answers, Framing, Seen, Server, check_sums};
use opsurge::engine::plan::Plan;
use opsurge::io::clock::Clock;
use opsurge::io::uring::{Features, Uring};
use opsurge::io::{ConnectionId, Driver, DriverConfig, Event, Insert, Io, Received, Sockets};
use opsurge::load::closed::Closed;
use opsurge::metrics::outcome::Failure;
use opsurge::scenario::format::compile::Context;
use opsurge::sim::Network;
use opsurge_testbed::plans;

const SECOND_NS: u64 = 1_000_000_000;
/// More than the buffers of both sockets hold, so that a send waits for its reader.
const LONG_BYTES: usize = 16 << 20;

static SHARED: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    let text = |pattern: u8, bytes| (0..pattern).cycle().take(bytes).collect();
    [text(251, LONG_BYTES), text(127, 20_000)]
});

fn shared() -> Vec<Arc<Vec<u8>>> {
    SHARED.iter().cloned().map(Arc::new).collect()
}

const INSERTS: [Insert; 3] = [
    Insert { at: 5, shared: 1 },
    Insert { at: 5, shared: 0 },
    Insert { at: 12, shared: 1 },
];

/// The bytes that [`send`] sends, put together by hand.
fn whole() -> Vec<u8> {
    let [long, short] = &*SHARED;
    [b"head ", &short[..], long, b"between", short].concat()
}

/// Runs a scene on each driver.
fn check(scene: impl Fn(&mut dyn Driver, &TcpListener)) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let config = DriverConfig {
        addresses: vec![listener.local_addr().expect("the listener is bound").into()],
        sockets: Sockets::default(),
        slots: 8,
        rendered_bytes_max: 64,
        shared: shared(),
    };
    on_each_driver(&config, &[Features::ALL, OLD_KERNEL], |driver| {
        scene(driver, &listener);
    });
}

fn id(slot: u32, generation: u32) -> ConnectionId {
    ConnectionId { slot, generation }
}

/// Takes one turn. Returns the events of `connection`; its bytes are appended to `bytes`.
fn turn(driver: &mut dyn Driver, connection: ConnectionId, bytes: &mut Vec<u8>) -> Vec<Io> {
    let mut events: Vec<Event> = Vec::new();
    driver.wait(driver.now_ns() + SECOND_NS / 100, &mut events);
    let mut arrived = Vec::new();
    for event in events {
        if let Io::Received(received) = event.io {
            if event.connection == connection {
                bytes.extend_from_slice(driver.received(received));
            }
            driver.release(received);
        }
        if event.connection == connection {
            arrived.push(event.io);
        }
    }
    arrived
}

fn until(driver: &mut dyn Driver, what: &str, mut done: impl FnMut(&mut dyn Driver) -> bool) {
    let deadline_ns = driver.now_ns() + 30 * SECOND_NS;
    while !done(driver) {
        assert!(driver.now_ns() < deadline_ns, "30 s without {what}");
    }
}

fn open(driver: &mut dyn Driver, listener: &TcpListener, connection: ConnectionId) -> TcpStream {
    driver.submit_connect(connection, 0);
    until(driver, "a connection", |driver| {
        turn(driver, connection, &mut Vec::new()).contains(&Io::Connected)
    });
    listener.accept().expect("a connection waits").0
}

fn send(driver: &mut dyn Driver, connection: ConnectionId) {
    driver.send_buffer()[..12].copy_from_slice(b"head between");
    driver.submit_send_around(connection, 12, &INSERTS);
}

/// Reads this many bytes in small pieces.
fn read(peer: &mut TcpStream, bytes: usize) -> Vec<u8> {
    let mut all = vec![0; bytes];
    for piece in all.chunks_mut(30_011) {
        peer.read_exact(piece).expect("the bytes are sent");
    }
    all
}

#[test]
fn a_slow_reader_gets_every_byte_in_order() {
    check(|driver, listener| {
        let connection = id(3, 1);
        let mut peer = open(driver, listener, connection);
        let whole = whole();
        for _ in 0..2 {
            send(driver, connection);
            let bytes = whole.len();
            driver.wait(0, &mut Vec::new());
            assert!(driver.is_sending(connection), "the sockets hold all of it");
            let reader = std::thread::spawn(move || (read(&mut peer, bytes), peer));
            until(driver, "the end of the send", |driver| {
                let arrived = turn(driver, connection, &mut Vec::new());
                assert_eq!(arrived, []);
                !driver.is_sending(connection)
            });
            let read;
            (read, peer) = reader.join().expect("the reader has not panicked");
            assert!(read == whole, "the bytes differ");
        }
        driver.close(connection);
    });
}

#[test]
fn a_connection_closed_in_mid_send_leaves_the_next_ones_bytes_alone() {
    check(|driver, listener| {
        for generation in 1..4 {
            let connection = id(2, generation);
            let mut peer = open(driver, listener, connection);
            send(driver, connection);
            turn(driver, connection, &mut Vec::new());
            assert!(driver.is_sending(connection));
            // The next send would use the same buffer, if it were free too early.
            driver.close(connection);
            let other = id(4, generation);
            let mut next = open(driver, listener, other);
            driver.send_buffer()[..12].copy_from_slice(b"HEAD BETWEEN");
            let insert = Insert { at: 4, shared: 1 };
            driver.submit_send_around(other, 12, &[insert]);
            driver.wait(0, &mut Vec::new());
            let expected = [b"HEAD", &SHARED[1][..], b" BETWEEN"].concat();
            assert!(read(&mut next, expected.len()) == expected);
            let mut got = Vec::new();
            // The stream ends at any point, by a FIN or a reset.
            let _ = peer.read_to_end(&mut got);
            assert!(whole().starts_with(&got), "bytes of another send");
            driver.close(other);
        }
    });
}

#[test]
fn an_early_answer_arrives_while_the_request_is_still_being_sent() {
    check(|driver, listener| {
        let connection = id(0, 1);
        let mut peer = open(driver, listener, connection);
        send(driver, connection);
        peer.write_all(b"413").expect("the connection is open");
        let mut bytes = Vec::new();
        until(driver, "the answer", |driver| {
            turn(driver, connection, &mut bytes);
            bytes == b"413"
        });
        assert!(driver.is_sending(connection));
        // The peer closes without having read the request: a reset.
        drop(peer);
        until(driver, "an end of the send", |driver| {
            turn(driver, connection, &mut bytes);
            !driver.is_sending(connection)
        });
        driver.close(connection);
    });
}

#[test]
fn a_driver_dropped_in_mid_send_releases_the_shared_bytes() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let config = DriverConfig {
        addresses: vec![listener.local_addr().expect("the listener is bound").into()],
        sockets: Sockets::default(),
        slots: 1,
        rendered_bytes_max: 64,
        shared: shared(),
    };
    let Ok(mut uring) = Uring::new(&config, Clock::start(), Features::ALL) else {
        println!("SKIPPED: io_uring is not available here");
        return;
    };
    let _peer = open(&mut uring, &listener, id(0, 1));
    send(&mut uring, id(0, 1));
    uring.wait(0, &mut Vec::new());
    assert!(uring.is_sending(id(0, 1)));
    drop(uring);
    assert_eq!(Arc::strong_count(&config.shared[0]), 1);
}

/// Lengths of answers that make a connection change to large buffers and back several times.
const ANSWERS_BYTES: [usize; 16] = [
    1, 3_000_000, 5, 6, 7, 8, 9, 10, 4_096, 200_000, 65_536, 1, 2, 3, 4, 1_000_000,
];

#[test]
fn answers_of_all_lengths_arrive_whole() {
    check(|driver, listener| {
        let connection = id(1, 1);
        let mut peer = open(driver, listener, connection);
        let answering = std::thread::spawn(move || {
            for bytes in ANSWERS_BYTES {
                peer.read_exact(&mut [0]).expect("a request arrives");
                peer.write_all(&SHARED[0][bytes..2 * bytes])
                    .expect("the driver reads");
            }
            peer
        });
        for bytes in ANSWERS_BYTES {
            driver.send_buffer()[0] = b'?';
            driver.submit_send(connection, 1);
            let mut arrived = Vec::new();
            until(driver, "the rest of an answer", |driver| {
                let events = turn(driver, connection, &mut arrived);
                assert!(events.iter().all(|io| matches!(io, Io::Received(_))));
                arrived.len() >= bytes
            });
            assert!(
                arrived == SHARED[0][bytes..2 * bytes],
                "an answer of {bytes} bytes"
            );
        }
        answering.join().expect("the peer has not panicked");
        driver.close(connection);
    });
}

#[test]
fn more_long_answers_at_once_than_there_are_large_buffers_arrive_whole() {
    check(|driver, listener| {
        let connections: Vec<ConnectionId> = (0..8).map(|slot| id(slot, 1)).collect();
        let mut peers = Vec::new();
        for &connection in &connections {
            peers.push(open(driver, listener, connection));
        }
        let answering = peers.into_iter().map(|mut peer| {
            std::thread::spawn(move || {
                peer.write_all(&SHARED[0]).expect("the driver reads");
                peer
            })
        });
        let answering: Vec<_> = answering.collect();
        let mut arrived = vec![Vec::new(); connections.len()];
        let mut held: Vec<Received> = Vec::new();
        until(driver, "the rest of the answers", |driver| {
            let mut events: Vec<Event> = Vec::new();
            driver.wait(driver.now_ns() + SECOND_NS / 100, &mut events);
            // The buffers of a turn are released a turn later, so that they run short.
            held.drain(..).for_each(|received| driver.release(received));
            for event in events {
                let Io::Received(received) = event.io else {
                    panic!("{event:?}");
                };
                let bytes = driver.received(received);
                arrived[event.connection.slot as usize].extend_from_slice(bytes);
                held.push(received);
            }
            arrived.iter().all(|bytes| bytes.len() >= LONG_BYTES)
        });
        held.into_iter().for_each(|it| driver.release(it));
        assert!(arrived.iter().all(|bytes| *bytes == SHARED[0]));
        for thread in answering {
            thread.join().expect("the peer has not panicked");
        }
        for connection in connections {
            driver.close(connection);
        }
    });
}

#[test]
fn closing_a_connection_while_it_changes_its_buffers_disturbs_no_other() {
    check(|driver, listener| {
        for generation in 1..12 {
            let connection = id(6, generation);
            let mut peer = open(driver, listener, connection);
            let answering = std::thread::spawn(move || {
                // It fails when the driver has closed.
                let _ = peer.write_all(&SHARED[0][..400_000]);
            });
            // Each generation is closed at another point of the answer.
            let mut arrived = Vec::new();
            until(driver, "some of the answer", |driver| {
                turn(driver, connection, &mut arrived);
                arrived.len() >= generation as usize * 4_096
            });
            assert!(SHARED[0].starts_with(&arrived));
            driver.close(connection);
            answering.join().expect("the peer has not panicked");
        }
    });
}

// ---- whole runs, simulated

fn plan(requests: u64) -> Plan {
    let long = "y".repeat(100_000);
    let text = format!(
        r#"
        name = "uploads"
        [[task]]
        method = "POST"
        path = "/{{{{sequence}}}}"
        json = '{{"at": {{{{sequence}}}}, "text": "{long}", "id": "{{{{uuid}}}}", "more": "{long}"}}'
        [[task]]
        method = "PUT"
        path = "/file"
        file = "long.txt"
        [[task]]
        method = "PUT"
        path = "/short"
        text = "short"
        "#
    );
    let context = Context {
        read: &|_| Ok(vec![b'z'; 50_000].into()),
        ..Context::plain()
    };
    Plan {
        run_time_ns: Some(60 * SECOND_NS),
        timeout_ns: 5 * SECOND_NS,
        ..plans::plan(
            plans::scenario_with(&text, &context),
            Closed::at_rate(4, 1e6).with_iterations(Some(requests)),
        )
    }
}

/// Checks that a request is what its step defines.
fn check_request(seen: &Seen) {
    match &seen.path[..] {
        "/file" => assert!(seen.body == "z".repeat(50_000)),
        "/short" => assert_eq!(seen.body, "short"),
        path => {
            let json: serde_json::Value =
                serde_json::from_str(&seen.body).expect("the body is JSON");
            assert!(path[1..].parse::<u64>().is_ok() && json["at"].is_u64());
            assert_eq!(json["id"].as_str().map(str::len), Some(36));
            for key in ["text", "more"] {
                assert!(json[key] == "y".repeat(100_000));
            }
        }
    }
}

#[test]
fn requests_arrive_whole_at_every_split() {
    for seed in 0..6 {
        let network = Network {
            split_writes: 0.8,
            jitter_ns: 1_000_000,
            ..Network::calm(100_000)
        };
        let mut kinds = [0; 3];
        let answer = |seen: &Seen| {
            check_request(seen);
            kinds[match &seen.path[..] {
                "/file" => 0,
                "/short" => 1,
                _ => 2,
            }] += 1;
            Answer::new(200, "")
        };
        let (outcomes, _) = sim_server::run(&plan(60), 0, Server::new(answer), network, seed);
        let steps = &outcomes.recorder.counts.steps;
        check_sums(steps, seed);
        assert!(steps.iter().all(|step| step.failures == 0));
        assert!(kinds.iter().all(|&count| count > 0));
        // Bytes are counted as they were sent.
        assert!(steps[1].bytes_sent >= steps[1].sent * 50_000);
    }
}

/// Answers 413 before a request is complete.
struct Impatient;

impl Answers for Impatient {
    fn answer(&mut self, seen: &Seen) -> Answer {
        check_request(seen);
        Answer::new(200, "")
    }

    fn refuse_early(&mut self) -> Option<Answer> {
        Some(Answer {
            framing: Framing::LengthAndClose,
            ..Answer::new(413, "too long")
        })
    }
}

#[test]
fn an_early_refusal_is_the_answer_to_an_unfinished_request() {
    for seed in 0..6 {
        let network = Network {
            split_writes: 0.8,
            jitter_ns: 1_000_000,
            ..Network::calm(100_000)
        };
        let (outcomes, _) = sim_server::run(&plan(60), 0, Server::new(Impatient), network, seed);
        let steps = &outcomes.recorder.counts.steps;
        check_sums(steps, seed);
        let errors = steps.iter().flat_map(|step| &step.errors);
        let refused: u64 = errors
            .inspect(|error| assert_eq!((error.failure, error.status), (Failure::Status, 413)))
            .map(|error| error.count)
            .sum();
        assert!(refused > 0, "seed {seed}");
    }
}

#[test]
fn a_request_that_is_never_sent_in_full_times_out() {
    let network = Network {
        split_writes: 1.0,
        jitter_ns: 3 * SECOND_NS,
        ..Network::calm(100_000)
    };
    let answer = |seen: &Seen| {
        check_request(seen);
        Answer::new(200, "")
    };
    let (outcomes, _) = sim_server::run(&plan(40), 0, Server::new(answer), network, 3);
    let steps = &outcomes.recorder.counts.steps;
    check_sums(steps, 3);
    let errors = steps.iter().flat_map(|step| &step.errors);
    let timeouts: u64 = errors
        .filter(|error| error.failure == Failure::Timeout)
        .map(|error| error.count)
        .sum();
    assert!(timeouts > 0);
}
