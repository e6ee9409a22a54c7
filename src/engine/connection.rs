//! A connection, pure: (state, io event) -> happening.

use crate::http::buffers::Buffers;
use crate::http::response::{Decoded, Decoder, Expecting, Invalid, Keep, Phase};
use crate::io::Io;
use crate::metrics::outcome::Failure;
use crate::wire::Wire;

/// No user is attached.
pub const NOBODY: u32 = u32::MAX;
/// No timer is set.
pub const NO_TIMER: u64 = u64::MAX;

/// Longest request that reaches a server in one flight (RFC 6928: ten segments of 1,460 bytes). A longer one may be
/// refused before the server has read it, and the rest of it is then in the way on the connection: gunicorn's threads,
/// the JDK's server and hyper close in that case, without having said so in their answer.
const FIRST_FLIGHT_BYTES: usize = 14_600;

/// One slot of the pool: the connection that it holds now, and the first of the requests that it carries.
#[derive(Debug)]
pub struct Connection {
    /// What it is doing.
    pub state: State,
    /// Which of the slot's connections this is.
    pub generation: u32,
    /// Whose answer is the next on it, or who waits for it to open. Those behind are in the pool's `batches`.
    pub user: u32,
    /// Answers received on it since it was opened.
    pub answers: u32,
    /// Attempts to open it that failed, one after the other.
    pub refusals: u32,
    /// No request on it has taken too long before.
    pub deadline_ns: u64,
    /// When the timer fires that was set for `deadline_ns`, or for that of an earlier request; `NO_TIMER` without one.
    pub timer_ns: u64,
    /// Bytes of the present answer so far, head and framing included.
    pub received_bytes: u64,
    /// When the attempt to open it began.
    pub opening_since_ns: u64,
    /// Answers that are due: to requests that were handed over, in their order.
    pub awaited: u8,
    /// What was handed over could not be sent in full.
    send_failed: bool,
    /// A request of the batch is longer than [`FIRST_FLIGHT_BYTES`].
    long_request: bool,
    /// Makes plain text of what is received.
    pub wire: Wire,
    /// Reads the answer.
    pub decoder: Decoder,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing is open.
    Closed,
    /// Not to be opened before a time has come.
    BackingOff,
    /// Being opened.
    Connecting,
    /// Open, with nothing under way.
    Idle,
    /// Open, with requests under way.
    Busy,
}

/// What an event means for the request under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// Nothing yet.
    StillReading,
    /// It is open.
    Opened,
    /// A connection with nothing under way is of no more use: no failure of anybody.
    Dropped,
    /// The whole answer is here.
    Answered {
        /// Of the final answer.
        status: u16,
        /// Length of its body, without framing.
        body_bytes: u64,
        /// The connection can go on: with the next answer that is due, else with another request.
        reusable: bool,
        /// Bytes of the slice that belong to it. What is left belongs to the next answer that is due.
        consumed: usize,
    },
    /// There will be no answer.
    Failed(Failure, Detail),
}

/// What is known of a failure beyond its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Nothing.
    None,
    /// The kernel's reason.
    Errno(i32),
    /// What is wrong with the answer.
    Invalid(Invalid),
    /// How far the answer had come.
    Phase(Phase),
    /// The next attempt to connect was not due yet.
    BackingOff,
    /// Another request on the same connection came to its end.
    Behind,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            state: State::Closed,
            generation: 0,
            user: NOBODY,
            answers: 0,
            refusals: 0,
            deadline_ns: u64::MAX,
            timer_ns: NO_TIMER,
            received_bytes: 0,
            opening_since_ns: 0,
            awaited: 0,
            send_failed: false,
            long_request: false,
            wire: Wire::default(),
            decoder: Decoder::new(),
        }
    }
}

impl Connection {
    /// A new attempt to open it begins.
    pub fn on_opening(&mut self, now_ns: u64) {
        self.state = State::Connecting;
        self.generation = self.generation.wrapping_add(1);
        self.answers = 0;
        self.awaited = 0;
        self.opening_since_ns = now_ns;
    }

    /// So many requests go out on it, the longest of so many bytes.
    pub fn on_submitted(&mut self, requests: u8, request_bytes_max: usize) {
        self.state = State::Busy;
        self.awaited = requests;
        self.send_failed = false;
        self.long_request = request_bytes_max > FIRST_FLIGHT_BYTES;
    }

    /// The answer to its first request is next.
    pub fn await_answer(&mut self, expecting: Expecting, keep: Keep) {
        self.received_bytes = 0;
        self.decoder.start(expecting, keep);
    }

    /// An answer has been taken: what was kept of it is needed no more.
    pub fn on_taken(&mut self, reusable: bool, buffers: &mut Buffers) {
        self.decoder.give_back(buffers);
        self.answers += 1;
        self.awaited -= 1;
        if reusable && self.awaited == 0 {
            self.state = State::Idle;
        }
    }

    /// Something happened. `bytes` are those of [`Io::Received`], else empty; `sending` is whether the kernel still
    /// takes parts of the request; what has to be kept of an answer goes into `buffers`.
    pub fn on(&mut self, io: Io, bytes: &[u8], sending: bool, buffers: &mut Buffers) -> Happening {
        match self.state {
            State::Busy => self.on_busy(io, bytes, sending, buffers),
            State::Connecting => on_connecting(io),
            // Bytes on an idle connection answer nothing we asked (RFC 9112 section 9.3); a server that says 408
            // before it closes is the usual case.
            State::Idle => Happening::Dropped,
            State::Closed | State::BackingOff => Happening::StillReading,
        }
    }

    fn on_busy(&mut self, io: Io, bytes: &[u8], sending: bool, buffers: &mut Buffers) -> Happening {
        match io {
            Io::Received(_) => {
                let decoded = self.decoder.on_bytes(bytes, buffers);
                self.on_decoded(decoded, bytes.len(), sending)
            }
            Io::Closed => match self.decoder.on_close() {
                Decoded::Partial => {
                    let phase = self.decoder.phase();
                    Happening::Failed(closed_in(phase), Detail::Phase(phase))
                }
                decoded => {
                    let happening = self.on_decoded(decoded, 0, sending);
                    not_reusable(happening)
                }
            },
            Io::ReceiveFailed(errno) => {
                let failure = match errno {
                    libc::ETIMEDOUT => Failure::Timeout,
                    _ => reset_in(self.decoder.phase()),
                };
                Happening::Failed(failure, Detail::Errno(errno))
            }
            // The peer has stopped listening: it may have answered before (an early 413), and if it has not, the
            // reading side is about to say how the connection ended.
            Io::SendFailed(libc::EPIPE | libc::ECONNRESET) => {
                self.send_failed = true;
                Happening::StillReading
            }
            Io::SendFailed(errno) => {
                let failure = if is_client_limit(errno) {
                    Failure::ClientLimit
                } else {
                    Failure::SendFailed
                };
                Happening::Failed(failure, Detail::Errno(errno))
            }
            Io::Connected | Io::ConnectFailed(_) => Happening::StillReading,
        }
    }

    fn on_decoded(&mut self, decoded: Decoded, bytes: usize, sending: bool) -> Happening {
        // More than the last answer has counts with it.
        let is_last = self.awaited == 1;
        self.received_bytes += match decoded {
            Decoded::Complete(answer) if !is_last => answer.consumed as u64,
            _ => bytes as u64,
        };
        match decoded {
            Decoded::Partial => Happening::StillReading,
            Decoded::Invalid(invalid) => {
                Happening::Failed(Failure::InvalidResponse, Detail::Invalid(invalid))
            }
            Decoded::Complete(answer) => {
                // More bytes than the answer has, or an answer before the request was out: nothing that follows on
                // this connection could be matched with certainty.
                let clean = answer.consumed == bytes && !sending && !self.send_failed;
                // Costs one connect for each long request that is refused, and keeps the next one from being lost.
                let perhaps_unread = self.long_request && answer.status >= 300;
                // While answers are due, those are what follows.
                let can_go_on = !is_last || (clean && !perhaps_unread);
                Happening::Answered {
                    status: answer.status,
                    body_bytes: answer.body_bytes,
                    reusable: answer.keep_alive && can_go_on,
                    consumed: answer.consumed,
                }
            }
        }
    }
}

fn not_reusable(happening: Happening) -> Happening {
    match happening {
        Happening::Answered {
            status,
            body_bytes,
            consumed,
            ..
        } => Happening::Answered {
            status,
            body_bytes,
            reusable: false,
            consumed,
        },
        other => other,
    }
}

fn on_connecting(io: Io) -> Happening {
    match io {
        Io::Connected => Happening::Opened,
        Io::ConnectFailed(errno) => {
            let failure = match errno {
                // A Unix socket whose server is gone may be gone too.
                libc::ECONNREFUSED | libc::ENOENT => Failure::ConnectRefused,
                libc::ETIMEDOUT => Failure::ConnectTimeout,
                _ if is_client_limit(errno) => Failure::ClientLimit,
                _ => Failure::ConnectFailed,
            };
            Happening::Failed(failure, Detail::Errno(errno))
        }
        Io::Received(_) | Io::Closed | Io::ReceiveFailed(_) | Io::SendFailed(_) => {
            Happening::StillReading
        }
    }
}

fn closed_in(phase: Phase) -> Failure {
    match phase {
        Phase::BeforeHead => Failure::ClosedBeforeHead,
        Phase::InHead => Failure::ClosedInHead,
        Phase::InBody => Failure::Incomplete,
    }
}

fn reset_in(phase: Phase) -> Failure {
    match phase {
        Phase::BeforeHead => Failure::ResetBeforeHead,
        Phase::InHead => Failure::ResetInHead,
        Phase::InBody => Failure::ResetInBody,
    }
}

/// Errors that this machine's own limits cause; the server is not to be blamed for them.
fn is_client_limit(errno: i32) -> bool {
    matches!(
        errno,
        libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM | libc::EADDRNOTAVAIL
    )
}

#[cfg(test)]
mod tests {
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

    /// The failure that `end` causes after the first `bytes` of an answer.
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
        check_failure(b"", Io::SendFailed(libc::ENOBUFS), Failure::ClientLimit);
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
        // The second request may still be on its way out; what follows the last answer is nobody's.
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
    fn whatever_comes_on_an_idle_connection_ends_it_without_blame() {
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
}
