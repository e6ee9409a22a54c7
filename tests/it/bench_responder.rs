//! The canned responder of `scripts/bench.sh` finds each request once, at every split of its bytes. The tables compare
//! all clients by its counts.

use opsurge_testbed::requests::{Finder, Kind, Partial};

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
