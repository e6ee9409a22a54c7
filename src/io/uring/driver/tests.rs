//! A ring whose queue is full in the middle of a turn, and a kernel that takes no entries for a while.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::*;
use crate::io::Sockets;

/// More sends than the queue holds.
const CONNECTIONS: usize = SUBMISSIONS_MAX as usize + 100;

/// A ring with [`CONNECTIONS`] open connections, and their peers; `None` where there is no io_uring.
fn connected(listener: &TcpListener) -> Option<(Uring, Vec<TcpStream>)> {
    let config = DriverConfig {
        addresses: vec![listener.local_addr().expect("the listener is bound").into()],
        sockets: Sockets::default(),
        slots: CONNECTIONS,
        rendered_bytes_max: 16,
        shared: Vec::new(),
    };
    let mut uring = match Uring::new(&config, Clock::start(), Features::ALL) {
        Ok(uring) => uring,
        Err(error) => {
            println!("SKIPPED on io_uring: {error}");
            return None;
        }
    };
    let (mut peers, mut events) = (Vec::new(), Vec::new());
    for slot in 0..CONNECTIONS {
        uring.submit_connect(id(slot), 0);
        uring.wait(0, &mut events);
        peers.push(listener.accept().expect("the ring connects").0);
    }
    let deadline_ns = uring.now_ns() + 10_000_000_000;
    while events.len() < CONNECTIONS && uring.now_ns() < deadline_ns {
        uring.wait(deadline_ns, &mut events);
    }
    assert!(events.iter().all(|event| event.io == Io::Connected));
    assert_eq!(events.len(), CONNECTIONS);
    Some((uring, peers))
}

fn id(slot: usize) -> ConnectionId {
    ConnectionId {
        slot: slot as u32,
        generation: 1,
    }
}

/// Sends a byte on every connection in one turn. Returns each flush before the end of the turn: its slot and its
/// moment.
fn send_on_all(uring: &mut Uring) -> Vec<(usize, u64)> {
    let mut flushes = Vec::new();
    for slot in 0..CONNECTIONS {
        uring.send_buffer()[0] = b'x';
        uring.submit_send(id(slot), 1);
        flushes.extend(uring.flushed_ns().map(|at_ns| (slot, at_ns)));
    }
    flushes
}

fn check_received(peers: &mut [TcpStream]) {
    for peer in peers {
        let timeout = Some(Duration::from_secs(10));
        peer.set_read_timeout(timeout).expect("the socket is open");
        let mut byte = [0; 2];
        assert_eq!(peer.read(&mut byte).expect("a byte was sent"), 1);
    }
}

#[test]
fn a_full_queue_reports_when_it_was_flushed() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let Some((mut uring, mut peers)) = connected(&listener) else {
        return;
    };
    let before_ns = uring.now_ns();
    let flushes = send_on_all(&mut uring);
    let turn = uring.wait(0, &mut Vec::new());
    let [(slot, at_ns)] = flushes[..] else {
        panic!("one flush, not {flushes:?}");
    };
    assert_eq!(
        slot, SUBMISSIONS_MAX as usize,
        "the first send that found no room"
    );
    assert!(before_ns <= at_ns && at_ns < turn.submitted_ns);
    assert_eq!(uring.flushed_ns(), None, "a flush is reported once");
    check_received(&mut peers);
}

#[test]
fn no_send_is_lost_on_a_kernel_that_takes_none_before_its_completions_are_fetched() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let Some((mut uring, mut peers)) = connected(&listener) else {
        return;
    };
    // Completions wait in the ring, as after an overflow.
    for peer in &mut peers {
        peer.write_all(b"y").expect("the connection is open");
    }
    uring.queue.submit();
    uring.queue.refuses_while_full = true;
    let flushes = send_on_all(&mut uring);
    assert_eq!(flushes.len(), 1);
    assert!(!uring.queue.aside.is_empty(), "completions were set aside");
    check_received_after_wait(&mut uring, &mut peers);
}

fn check_received_after_wait(uring: &mut Uring, peers: &mut [TcpStream]) {
    let (mut received, mut events) = (vec![0; CONNECTIONS], Vec::new());
    let deadline_ns = uring.now_ns() + 10_000_000_000;
    while received.iter().sum::<usize>() < CONNECTIONS && uring.now_ns() < deadline_ns {
        uring.wait(deadline_ns, &mut events);
        for event in events.drain(..) {
            if let Io::Received(bytes) = event.io {
                received[event.connection.slot as usize] += bytes.bytes as usize;
                uring.release(bytes);
            }
        }
    }
    assert!(received.iter().all(|&bytes| bytes == 1), "{received:?}");
    check_received(peers);
}
