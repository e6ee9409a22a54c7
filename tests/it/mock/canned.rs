//! The canned responder: every request is answered once, in order, whatever the pieces that it comes in.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use opsurge::mock::{CannedAnswer, CannedResponder};

fn answer(body: &str, closes: bool) -> CannedAnswer {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    CannedAnswer {
        head_bytes: head.len(),
        bytes: [head, body.to_owned()].concat().into_bytes(),
        closes,
    }
}

fn start() -> CannedResponder {
    let long = "x".repeat(3 << 20);
    let answers = vec![
        answer("first", false),
        answer(&long, false),
        answer("last", true),
    ];
    let core = opsurge::machine::cpu::allowed_cores().expect("known")[0];
    CannedResponder::start(&[Some(core); 2], answers, None).expect("loopback has a free port")
}

fn connect(responder: &CannedResponder) -> TcpStream {
    let stream = TcpStream::connect(responder.address()).expect("it listens");
    let limit = Some(Duration::from_secs(20));
    stream.set_read_timeout(limit).expect("it is a socket");
    stream
}

/// Sends pieces, and reads so many bytes.
fn exchange(stream: &mut TcpStream, pieces: &[&[u8]], bytes: usize) -> Vec<u8> {
    for piece in pieces {
        stream.write_all(piece).expect("it reads");
    }
    let mut found = vec![0; bytes];
    stream.read_exact(&mut found).expect("it answers");
    found
}

fn is_at_end(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn each_request_gets_the_answer_that_its_path_names_at_every_split() {
    let responder = start();
    let mut stream = connect(&responder);
    let request = b"POST /~0/any/path?q=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
    let first = answer("first", false).bytes;
    for at in 1..request.len() {
        let (head, tail) = request.split_at(at);
        assert_eq!(
            exchange(&mut stream, &[head, tail], first.len()),
            first,
            "{at}"
        );
    }
    let chunked = b"POST /~0 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    assert_eq!(exchange(&mut stream, &[chunked], first.len()), first);
    let head = b"HEAD /~0/a HTTP/1.1\r\n\r\n";
    let bytes = answer("first", false).head_bytes;
    assert_eq!(exchange(&mut stream, &[head], bytes), first[..bytes]);
    let unknown = exchange(&mut stream, &[b"GET /a HTTP/1.1\r\n\r\n"], 12);
    assert_eq!(unknown, b"HTTP/1.1 404");
    let used = responder.stop();
    let answers: u64 = used.iter().map(|used| used.answers).sum();
    assert_eq!(answers as usize, request.len() - 1 + 3);
}

#[test]
fn pipelined_and_long_answers_come_whole_and_in_order() {
    let responder = start();
    let mut stream = connect(&responder);
    let (first, long) = (answer("first", false).bytes, 3 << 20);
    let get = |number: u8| format!("GET /~{number}/a HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes();
    let all = [get(0), get(1), get(0), get(1), get(0)].concat();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {long}\r\n\r\n").len();
    let found = exchange(&mut stream, &[&all], 3 * first.len() + 2 * (head + long));
    assert!(found.starts_with(&first) && found.ends_with(&first));
    let at = first.len() + head + long;
    assert_eq!(found[at..at + first.len()], first);
}

#[test]
fn a_connection_ends_where_the_answer_or_the_request_says_so_and_garbage_ends_it_too() {
    let responder = start();
    let last = answer("last", true).bytes;
    let mut stream = connect(&responder);
    // What follows on the same connection is not answered.
    let two = b"GET /~2/a HTTP/1.1\r\n\r\nGET /~0/a HTTP/1.1\r\n\r\n";
    assert_eq!(exchange(&mut stream, &[two], last.len()), last);
    assert!(is_at_end(&mut stream));
    let mut stream = connect(&responder);
    let first = answer("first", false).bytes;
    let close = b"GET /~0/a HTTP/1.1\r\nConnection: close\r\n\r\n";
    assert_eq!(exchange(&mut stream, &[close], first.len()), first);
    assert!(is_at_end(&mut stream));
    let mut stream = connect(&responder);
    assert_eq!(
        exchange(&mut stream, &[b"\x16\x03\x01 nonsense\r\n\r\n"], 12),
        b"HTTP/1.1 400"
    );
    // Stopping ends open connections too.
    let mut stream = connect(&responder);
    assert_eq!(
        exchange(&mut stream, &[b"GET /~0 HTTP/1.1\r\n\r\n"], first.len()),
        first
    );
    responder.stop();
    assert!(is_at_end(&mut stream));
}
