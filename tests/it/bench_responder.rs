//! The canned responder of `scripts/bench.sh` finds each request once, at every split of its bytes. The tables compare
//! all clients by its counts. Its encryption and the bare client's fit each other.

use std::sync::Arc;

use opsurge::wire::{TlsClient, TlsSettings, Trust, Version};
use opsurge_testbed::certificates::Authority;
use opsurge_testbed::encrypted::{Encrypted, Side};
use opsurge_testbed::requests::{Finder, Kind, Partial};
use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::version::{TLS12, TLS13};

const REGISTER: &str = "POST /v1/opscore/internal/agent/notify HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n{\"event\": 1}";
const STATE: &str =
    "GET /v1/opscore/agent/workflow-agent-1/state HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n";
const WORKFLOW: &str = "POST /v1/opscore/agent/workflow-agent-1/workflow HTTP/1.1\r\ncontent-length: 4\r\nHost: a\r\n\r\n\r\n\r\n";
/// As long as `WORKFLOW`, with the end of the head at another place.
const SAME_LENGTH: &str = "POST /v1/opscore/agent/workflow-agent-1/workflow HTTP/1.1\r\ncontent-length: 12\r\n\r\n123456789\r\n.";
const COUNT: &str = "GET /answered HTTP/1.1\r\nHost: a\r\n\r\n";

fn found(pieces: &[&[u8]]) -> Vec<Kind> {
    let mut finder = Finder::default();
    let mut partial = Partial::default();
    let mut kinds = Vec::new();
    for piece in pieces {
        finder.find(&mut partial, piece, &mut |kind| kinds.push(kind));
    }
    kinds
}

fn sequence() -> (String, Vec<Kind>) {
    let parts = [
        (REGISTER, Kind::Register),
        (STATE, Kind::ReadState),
        (STATE, Kind::ReadState),
        (WORKFLOW, Kind::Workflow),
        (WORKFLOW, Kind::Workflow),
        (WORKFLOW, Kind::Workflow),
        (COUNT, Kind::Count),
        ("GET / HTTP/1.1\r\n\r\n", Kind::Plain),
    ];
    (
        parts.iter().map(|(text, _)| *text).collect(),
        parts.iter().map(|(_, kind)| *kind).collect(),
    )
}

#[test]
fn pipelined_requests_are_found_in_their_order() {
    let (text, kinds) = sequence();
    assert_eq!(found(&[text.as_bytes()]), kinds);
}

#[test]
fn every_split_finds_the_same() {
    let (text, kinds) = sequence();
    let bytes = text.as_bytes();
    for first in 0..=bytes.len() {
        let (head, tail) = bytes.split_at(first);
        assert_eq!(found(&[head, tail]), kinds, "split at {first}");
        for second in (0..=tail.len()).step_by(31) {
            let (middle, end) = tail.split_at(second);
            assert_eq!(
                found(&[head, middle, end]),
                kinds,
                "split at {first} and {second} more"
            );
        }
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(found(&single), kinds, "byte by byte");
}

#[test]
fn a_request_of_the_same_length_but_another_shape_is_read_anew() {
    assert_eq!(WORKFLOW.len(), SAME_LENGTH.len());
    let text = [WORKFLOW, SAME_LENGTH, WORKFLOW, REGISTER].concat();
    assert_eq!(
        found(&[text.as_bytes()]),
        [
            Kind::Workflow,
            Kind::Workflow,
            Kind::Workflow,
            Kind::Register
        ]
    );
}

/// Hands records over in pieces of this length. Returns the text in them.
fn deliver<S: Side>(
    records: &mut Vec<u8>,
    to: &mut Encrypted<S>,
    out: &mut Vec<u8>,
    piece: usize,
) -> Vec<u8> {
    let mut text = Vec::new();
    for piece in records.chunks_mut(piece) {
        let received = to.receive(piece, out, |bytes| text.extend_from_slice(bytes));
        received.expect("records of the other side");
    }
    records.clear();
    text
}

#[test]
fn the_bare_client_and_the_responder_speak_tls_at_every_split() {
    let authority = Authority::default();
    let identity = authority.certify(&["localhost"]);
    let server = authority.server(identity, &[&TLS13, &TLS12], &["http/1.1"], false);
    let server = Arc::new(server);
    for (version_max, piece) in [
        (Version::Tls13, 1),
        (Version::Tls13, 100),
        (Version::Tls13, 100_000),
        (Version::Tls12, 1),
        (Version::Tls12, 100_000),
    ] {
        let client = TlsClient::new(TlsSettings {
            server_name: "localhost".into(),
            trust: Trust::Roots(vec![authority.root()]),
            identity: None,
            resumes: false,
            version_max,
            ciphers: Vec::new(),
            key_log: None,
        });
        let client = client.expect("a client");
        let client =
            UnbufferedClientConnection::new(client.config().clone(), client.name().clone());
        let mut client = Encrypted::new(client.expect("a connection"));
        let server = UnbufferedServerConnection::new(server.clone());
        let mut server = Encrypted::new(server.expect("a connection"));
        let (mut up, mut down) = (Vec::new(), Vec::new());
        client
            .receive(&mut [], &mut up, |_| {})
            .expect("a first flight");
        while !(client.is_open() && server.is_open()) {
            assert!(!up.is_empty(), "a handshake that goes on");
            deliver(&mut up, &mut server, &mut down, piece);
            deliver(&mut down, &mut client, &mut up, piece);
        }
        // Longer than one record.
        let text = WORKFLOW.repeat(200).into_bytes();
        client.encrypt(&text, &mut up).expect("an open session");
        assert!(deliver(&mut up, &mut server, &mut down, piece) == text);
        server.encrypt(&text, &mut down).expect("an open session");
        assert!(deliver(&mut down, &mut client, &mut up, piece) == text);
    }
}
