//! What each event means in each state of a connection.

use super::*;
use crate::io::Received;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn busy() -> Connection {
    let mut connection = Connection::default();
    connection.on_opening(0);
    assert_eq!(
        connection.on(Io::Connected, &[], false, &mut Buffers::default()),
        Happening::Opened
    );
    connection.on_submitted(1, 100);
    connection.await_answer(Expecting::Body, Keep::body(8));
    connection
}

fn received(bytes: &[u8]) -> Io {
    Io::Received(Received {
        buffer: 0,
        bytes: bytes.len() as u32,
    })
}

/// Checks the failure that `end` causes after the first `bytes` of an answer.
fn check_failure(bytes: &[u8], end: Io, expected: Failure) {
    let mut connection = busy();
    if !bytes.is_empty() {
        let reading = connection.on(received(bytes), bytes, false, &mut Buffers::default());
        assert_eq!(reading, Happening::StillReading);
    }
    match connection.on(end, &[], false, &mut Buffers::default()) {
        Happening::Failed(failure, _) => assert_eq!(failure, expected),
        other => panic!("{other:?}"),
    }
}

#[test]
fn resets_and_ends_are_told_apart_by_how_far_the_answer_was() {
    let reset = Io::ReceiveFailed(libc::ECONNRESET);
    check_failure(b"", reset, Failure::ResetBeforeHead);
    check_failure(&ANSWER[..9], reset, Failure::ResetInHead);
    check_failure(&ANSWER[..39], reset, Failure::ResetInBody);
    check_failure(b"", Io::Closed, Failure::ClosedBeforeHead);
    check_failure(&ANSWER[..9], Io::Closed, Failure::ClosedInHead);
    check_failure(&ANSWER[..39], Io::Closed, Failure::Incomplete);
    check_failure(b"", Io::Truncated, Failure::ClosedBeforeHead);
    check_failure(&ANSWER[..9], Io::Truncated, Failure::ClosedInHead);
    check_failure(&ANSWER[..39], Io::Truncated, Failure::Incomplete);
    check_failure(b"", Io::SendFailed(libc::ENOBUFS), Failure::ClientLimit);
}

/// A body that lasts until the end of the connection: only an announced end is one.
#[test]
fn a_body_until_close_is_complete_after_an_announced_end_alone() {
    let answer = b"HTTP/1.1 200 OK\r\n\r\nhalf a body";
    check_failure(answer, Io::Truncated, Failure::Incomplete);
    let mut connection = busy();
    let buffers = &mut Buffers::default();
    connection.on(received(answer), answer, false, buffers);
    let happening = connection.on(Io::Closed, &[], false, buffers);
    assert!(
        matches!(
            happening,
            Happening::Answered {
                body_bytes: 11,
                reusable: false,
                ..
            }
        ),
        "{happening:?}"
    );
}

#[test]
fn attempts_to_connect_fail_by_their_reason() {
    for (errno, expected) in [
        (libc::ECONNREFUSED, Failure::ConnectRefused),
        (libc::ENOENT, Failure::ConnectRefused),
        (libc::ETIMEDOUT, Failure::ConnectTimeout),
        (libc::EMFILE, Failure::ClientLimit),
        (libc::EADDRNOTAVAIL, Failure::ClientLimit),
        (libc::ENETUNREACH, Failure::ConnectFailed),
    ] {
        let mut connection = Connection::default();
        connection.on_opening(0);
        let happening = connection.on(
            Io::ConnectFailed(errno),
            &[],
            false,
            &mut Buffers::default(),
        );
        assert_eq!(happening, Happening::Failed(expected, Detail::Errno(errno)));
    }
}

fn check_reusable(bytes: &[u8], sending: bool, expected: bool) {
    match busy().on(received(bytes), bytes, sending, &mut Buffers::default()) {
        Happening::Answered { reusable, .. } => assert_eq!(reusable, expected),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_connection_is_used_again_only_when_nothing_is_left_over_on_either_side() {
    check_reusable(ANSWER, false, true);
    check_reusable(ANSWER, true, false);
    check_reusable(&[ANSWER, b"HTTP"].concat(), false, false);
}

#[test]
fn what_follows_an_answer_belongs_to_the_next_that_is_due() {
    let both = [ANSWER, ANSWER, b"HT"].concat();
    let mut connection = busy();
    connection.on_submitted(2, 100);
    let mut at = 0;
    // The second request may still be on its way out; the bytes after the last answer belong to no request.
    for (sending, expected) in [(true, true), (false, false)] {
        let happening = connection.on(
            received(&both[at..]),
            &both[at..],
            sending,
            &mut Buffers::default(),
        );
        let answered = Happening::Answered {
            status: 200,
            body_bytes: 2,
            reusable: expected,
            consumed: ANSWER.len(),
        };
        assert_eq!(happening, answered);
        let surplus = if expected { 0 } else { 2 };
        assert_eq!(connection.received_bytes as usize, ANSWER.len() + surplus);
        connection.on_taken(expected, &mut Buffers::default());
        connection.await_answer(Expecting::Body, Keep::body(8));
        at += ANSWER.len();
    }
    assert_eq!((connection.awaited, connection.answers), (0, 2));
}

#[test]
fn a_connection_is_not_used_again_after_a_long_request_was_refused() {
    const REFUSED: &[u8] = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno";
    for (answer, request_bytes, expected) in [
        (ANSWER, 1_000_000, true),
        (REFUSED, FIRST_FLIGHT_BYTES, true),
        (REFUSED, FIRST_FLIGHT_BYTES + 1, false),
    ] {
        let mut connection = busy();
        connection.on_submitted(1, request_bytes);
        match connection.on(received(answer), answer, false, &mut Buffers::default()) {
            Happening::Answered { reusable, .. } => assert_eq!(reusable, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_early_answer_is_read_although_the_request_could_not_be_sent() {
    let mut connection = busy();
    let broken = connection.on(
        Io::SendFailed(libc::EPIPE),
        &[],
        false,
        &mut Buffers::default(),
    );
    assert_eq!(broken, Happening::StillReading);
    match connection.on(received(ANSWER), ANSWER, false, &mut Buffers::default()) {
        Happening::Answered {
            status, reusable, ..
        } => assert_eq!((status, reusable), (200, false)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn any_event_on_an_idle_connection_ends_it_without_a_failure() {
    for io in [
        received(b"HTTP/1.1 408"),
        Io::Closed,
        Io::ReceiveFailed(libc::ECONNRESET),
    ] {
        let mut connection = busy();
        connection.state = State::Idle;
        assert_eq!(
            connection.on(io, b"", false, &mut Buffers::default()),
            Happening::Dropped
        );
    }
}
