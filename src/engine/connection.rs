//! A connection, pure: (state, event of the driver) -> happening.

use crate::http::buffers::Buffers;
use crate::http::response::{Decoded, Decoder, Expecting, Invalid, Keep, Phase};
use crate::io::{Io, TlsFailure};
use crate::metrics::outcome::Failure;

/// The index of no user.
pub const NO_USER: u32 = u32::MAX;
/// The index of no slot.
pub const NO_SLOT: u32 = u32::MAX;
/// The time of a timer that is not set.
pub const NO_TIMER: u64 = u64::MAX;

/// Longest request that reaches a server in one flight (RFC 6928: ten segments of 1,460 bytes). A server may refuse a
/// longer one before it has read it, and the unread rest then blocks the connection: gunicorn's threads, the JDK's server
/// and hyper close the connection in that case, without announcing it in their answer.
const FIRST_FLIGHT_BYTES: usize = 14_600;

/// One slot of the pool: its present connection, and the first of the requests that the connection carries.
#[derive(Debug)]
pub struct Connection {
    /// Whether it is open, and what for.
    pub state: State,
    /// Number of the slot's connection: every attempt to open one gets the next.
    pub generation: u32,
    /// The user whose answer is next on it, or that waits for it to open. Users behind it are in the pool's `batches`.
    pub user: u32,
    /// Answers received since it was opened.
    pub answers: u32,
    /// Attempts to open it that failed in a row.
    pub refusals: u32,
    /// Before this time, no request on it has reached its time limit.
    pub deadline_ns: u64,
    /// When the timer fires that was set for `deadline_ns`, or for that of an earlier request; `NO_TIMER` if none is set.
    pub timer_ns: u64,
    /// Bytes of the present answer so far, with head and framing.
    pub received_bytes: u64,
    /// When the attempt to open it began.
    pub opening_since_ns: u64,
    /// Answers that are due, in the order of the requests that were sent.
    pub awaited: u8,
    /// The batch could not be sent in full.
    send_failed: bool,
    /// A request of the batch is longer than [`FIRST_FLIGHT_BYTES`].
    long_request: bool,
    /// Decodes the answer.
    pub decoder: Decoder,
}

/// Whether a connection is open, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not open.
    Closed,
    /// Not open, and not to be opened before its pause is over.
    BackingOff,
    /// Being opened.
    Connecting,
    /// Open, without a request under way.
    Idle,
    /// Open, with requests under way.
    Busy,
}

/// What an event means for the requests on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// Nothing yet: more events will come.
    StillReading,
    /// The connection is open.
    Opened,
    /// A connection without a request under way cannot be used any more. That is no failure.
    Dropped,
    /// An answer is complete.
    Answered {
        /// Status of the final answer, after interim ones.
        status: u16,
        /// Length of its body in bytes, without framing.
        body_bytes: u64,
        /// The connection stays usable: for the next answer that is due, or for another request.
        reusable: bool,
        /// Bytes of the slice that belong to it. The rest belongs to the next answer that is due.
        consumed: usize,
    },
    /// The first request gets no answer.
    Failed(Failure, Detail),
}

/// What is known about a failure beyond its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Nothing.
    None,
    /// The kernel's error number.
    Errno(i32),
    /// Why the encryption failed.
    Tls(TlsFailure),
    /// What is wrong with the answer.
    Invalid(Invalid),
    /// How much of the answer had come.
    Phase(Phase),
    /// The next attempt to connect was not due yet.
    BackingOff,
    /// The connection ended with another request on it.
    Behind,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            state: State::Closed,
            generation: 0,
            user: NO_USER,
            answers: 0,
            refusals: 0,
            deadline_ns: u64::MAX,
            timer_ns: NO_TIMER,
            received_bytes: 0,
            opening_since_ns: 0,
            awaited: 0,
            send_failed: false,
            long_request: false,
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

    /// A batch of `requests` requests goes out on it; the longest has `request_bytes_max` bytes.
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

    /// An answer has been handled: what was kept of it is not needed any more.
    pub fn on_taken(&mut self, reusable: bool, buffers: &mut Buffers) {
        self.decoder.give_back(buffers);
        self.answers += 1;
        self.awaited -= 1;
        if reusable && self.awaited == 0 {
            self.state = State::Idle;
        }
    }

    /// Something happened. `bytes` are those of an [`Io::Received`], else empty; `sending` is whether the kernel
    /// has yet to take a part of the batch; what has to be kept of an answer goes into `buffers`.
    pub fn on(&mut self, io: Io, bytes: &[u8], sending: bool, buffers: &mut Buffers) -> Happening {
        match self.state {
            State::Busy => self.on_busy(io, bytes, sending, buffers),
            State::Connecting => on_connecting(io),
            // Bytes on an idle connection answer no request of ours (RFC 9112 section 9.3). Usually a server says 408
            // before it closes.
            State::Idle if io != Io::Sent => Happening::Dropped,
            State::Idle => Happening::StillReading,
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
            Io::Truncated => {
                let phase = self.decoder.phase();
                Happening::Failed(closed_in(phase), Detail::Phase(phase))
            }
            Io::TlsFailed(reason) => Happening::Failed(tls_failure(reason), Detail::Tls(reason)),
            Io::ReceiveFailed(errno) => {
                let failure = match errno {
                    libc::ETIMEDOUT => Failure::Timeout,
                    _ => reset_in(self.decoder.phase()),
                };
                Happening::Failed(failure, Detail::Errno(errno))
            }
            // The peer has stopped reading. It may have answered before (an early 413); if not, the receiving side is
            // about to report how the connection ended.
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
            Io::Connected | Io::ConnectFailed(_) | Io::Sent => Happening::StillReading,
        }
    }

    fn on_decoded(&mut self, decoded: Decoded, bytes: usize, sending: bool) -> Happening {
        // Bytes after the last answer count as part of it.
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
                // Bytes after the answer, or an answer before its request was sent: a later answer on this connection
                // could not be matched with certainty.
                let is_clean = answer.consumed == bytes && !sending && !self.send_failed;
                // Costs one connect for each long request that is refused, and saves the next request from being lost.
                let perhaps_unread = self.long_request && answer.status >= 300;
                // While answers are due, the bytes that follow are theirs.
                let can_go_on = !is_last || (is_clean && !perhaps_unread);
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
                // ENOENT: a Unix socket that was removed with its server.
                libc::ECONNREFUSED | libc::ENOENT => Failure::ConnectRefused,
                libc::ETIMEDOUT => Failure::ConnectTimeout,
                _ if is_client_limit(errno) => Failure::ClientLimit,
                _ => Failure::ConnectFailed,
            };
            Happening::Failed(failure, Detail::Errno(errno))
        }
        Io::TlsFailed(reason) => Happening::Failed(tls_failure(reason), Detail::Tls(reason)),
        Io::Received(_)
        | Io::Closed
        | Io::Truncated
        | Io::ReceiveFailed(_)
        | Io::Sent
        | Io::SendFailed(_) => Happening::StillReading,
    }
}

/// The kind of failure that a reason is counted as.
pub fn tls_failure(reason: TlsFailure) -> Failure {
    match reason {
        TlsFailure::CertificateExpired => Failure::CertificateExpired,
        TlsFailure::CertificateName => Failure::CertificateName,
        TlsFailure::CertificateIssuer => Failure::CertificateIssuer,
        TlsFailure::Certificate | TlsFailure::CertificateNotYetValid => Failure::Certificate,
        TlsFailure::Alert(_) => Failure::TlsAlert,
        TlsFailure::CutInHandshake(_) => Failure::TlsClosed,
        TlsFailure::NoHttp1
        | TlsFailure::NotTls
        | TlsFailure::NothingInCommon
        | TlsFailure::WrongMac
        | TlsFailure::Misbehaved
        | TlsFailure::KeysUsedUp => Failure::TlsProtocol,
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

/// Errors caused by limits of this machine, not by the server.
fn is_client_limit(errno: i32) -> bool {
    matches!(
        errno,
        libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM | libc::EADDRNOTAVAIL
    )
}

#[cfg(test)]
mod tests;
