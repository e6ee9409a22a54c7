//! How a request can end.

use std::cmp::Reverse;
use std::ops::{AddAssign, Index, IndexMut};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The answer was as expected.
    Success {
        /// Status of the answer.
        status: u16,
    },
    /// A poll's answer means "ask again": neither success nor failure of the service.
    NotYet {
        /// Status of the answer.
        status: u16,
    },
    /// The request failed.
    Failed {
        /// The kind of failure.
        failure: Failure,
        /// Status of the answer, 0 without one.
        status: u16,
    },
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// A complete answer had an unexpected status.
    Status,
    /// The answer had the expected status and unexpected content.
    Expectation,
    /// The body could not be decoded, and the step looks at it.
    Undecodable,
    /// Decoded, the body is longer than what is checked, and the step looks at it.
    BodyTooLarge,
    /// The connection was refused.
    ConnectRefused,
    /// The attempt to connect was not answered in time.
    ConnectTimeout,
    /// Connecting failed for another reason.
    ConnectFailed,
    /// The server's certificate has expired.
    CertificateExpired,
    /// The server's certificate is for another name.
    CertificateName,
    /// No trusted root has issued the server's certificate.
    CertificateIssuer,
    /// The server's certificate is not accepted for another reason.
    Certificate,
    /// The server refused the encryption with an alert (RFC 8446 section 6).
    TlsAlert,
    /// The bytes received break the rules of TLS, or are not TLS.
    TlsProtocol,
    /// The connection was open, and its handshake not done in time.
    TlsTimeout,
    /// The connection ended within the handshake.
    TlsClosed,
    /// The answer was not complete in time.
    Timeout,
    /// No connection became free in time.
    WaitTimeout,
    /// The connection was reset before the first byte of the answer.
    ResetBeforeHead,
    /// The connection was reset within the head.
    ResetInHead,
    /// The connection was reset within the body.
    ResetInBody,
    /// The server closed the connection before the first byte of the answer.
    ClosedBeforeHead,
    /// The server closed the connection within the head.
    ClosedInHead,
    /// The server closed the connection within the body.
    Incomplete,
    /// The bytes received are not an HTTP/1.1 answer.
    InvalidResponse,
    /// This machine reached a limit: descriptors, ports, memory. The server is not the cause.
    ClientLimit,
    /// The request could not be sent.
    SendFailed,
    /// The connection ended with an earlier request on it, before this one's answer was due (`--pipeline`).
    PipelineBroken,
    /// The request was open when the load ended, and the drain brought no answer.
    Unanswered,
    /// The last answer of a poll still meant "ask again" when its time was over (`on_give_up = "fail"`).
    GaveUp,
    /// The time of the whole task was over (`within`): with this request under way, or before it could be sent.
    TaskTimeout,
    /// The rows of a CSV file were used up (`at_end = "fail"`), so the request was not sent.
    NoRow,
}

impl Failure {
    /// All kinds.
    pub const ALL: [Self; 31] = [
        Self::Status,
        Self::Expectation,
        Self::Undecodable,
        Self::BodyTooLarge,
        Self::ConnectRefused,
        Self::ConnectTimeout,
        Self::ConnectFailed,
        Self::CertificateExpired,
        Self::CertificateName,
        Self::CertificateIssuer,
        Self::Certificate,
        Self::TlsAlert,
        Self::TlsProtocol,
        Self::TlsTimeout,
        Self::TlsClosed,
        Self::Timeout,
        Self::WaitTimeout,
        Self::ResetBeforeHead,
        Self::ResetInHead,
        Self::ResetInBody,
        Self::ClosedBeforeHead,
        Self::ClosedInHead,
        Self::Incomplete,
        Self::InvalidResponse,
        Self::ClientLimit,
        Self::SendFailed,
        Self::PipelineBroken,
        Self::Unanswered,
        Self::GaveUp,
        Self::TaskTimeout,
        Self::NoRow,
    ];

    /// The request's time limit was over. (A connection that could not be opened again before it is one of these too.)
    pub fn is_of_time_limit(self) -> bool {
        matches!(
            self,
            Self::ConnectTimeout
                | Self::ConnectFailed
                | Self::TlsTimeout
                | Self::Timeout
                | Self::WaitTimeout
                | Self::TaskTimeout
        )
    }

    /// Only an encrypted connection fails by it.
    pub fn is_of_tls(self) -> bool {
        matches!(
            self,
            Self::CertificateExpired
                | Self::CertificateName
                | Self::CertificateIssuer
                | Self::Certificate
                | Self::TlsAlert
                | Self::TlsProtocol
                | Self::TlsTimeout
                | Self::TlsClosed
        )
    }

    /// The name in reports and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Expectation => "expectation",
            Self::Undecodable => "undecodable",
            Self::BodyTooLarge => "body-too-large",
            Self::ConnectRefused => "connect-refused",
            Self::ConnectTimeout => "connect-timeout",
            Self::ConnectFailed => "connect-failed",
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateName => "certificate-name",
            Self::CertificateIssuer => "certificate-issuer",
            Self::Certificate => "certificate",
            Self::TlsAlert => "tls-alert",
            Self::TlsProtocol => "tls-protocol",
            Self::TlsTimeout => "tls-timeout",
            Self::TlsClosed => "tls-closed",
            Self::Timeout => "timeout",
            Self::WaitTimeout => "wait-timeout",
            Self::ResetBeforeHead => "reset-before-head",
            Self::ResetInHead => "reset-in-head",
            Self::ResetInBody => "reset-in-body",
            Self::ClosedBeforeHead => "closed-before-head",
            Self::ClosedInHead => "closed-in-head",
            Self::Incomplete => "incomplete",
            Self::InvalidResponse => "invalid-response",
            Self::ClientLimit => "client-limit",
            Self::SendFailed => "send-failed",
            Self::PipelineBroken => "pipeline-broken",
            Self::Unanswered => "unanswered",
            Self::GaveUp => "gave-up",
            Self::TaskTimeout => "task-timeout",
            Self::NoRow => "no-row",
        }
    }
}

/// Failures by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures([u64; Failure::ALL.len()]);

impl Failures {
    /// The kinds that occurred, most frequent first.
    pub fn by_count(&self) -> Vec<(Failure, u64)> {
        let counts = Failure::ALL.into_iter().map(|kind| (kind, self[kind]));
        let mut counts: Vec<_> = counts.filter(|(_, count)| *count > 0).collect();
        counts.sort_by_key(|&(_, count)| Reverse(count));
        counts
    }
}

impl Index<Failure> for Failures {
    type Output = u64;

    fn index(&self, kind: Failure) -> &u64 {
        &self.0[kind as usize]
    }
}

impl IndexMut<Failure> for Failures {
    fn index_mut(&mut self, kind: Failure) -> &mut u64 {
        &mut self.0[kind as usize]
    }
}

impl AddAssign<&Self> for Failures {
    fn add_assign(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        let mut names: Vec<_> = Failure::ALL.map(Failure::name).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Failure::ALL.len());
        let mut failures = Failures::default();
        failures[Failure::Timeout] += 1;
        failures[Failure::TaskTimeout] += 2;
        failures += &failures.clone();
        let expected = [(Failure::TaskTimeout, 4), (Failure::Timeout, 2)];
        assert_eq!(failures.by_count(), expected);
    }
}
