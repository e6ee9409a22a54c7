//! How a request can end.

/// A request's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As expected.
    Success {
        /// Status of the answer.
        status: u16,
    },
    /// A poll's answer that means "ask again": neither success nor failure of the service.
    NotYet {
        /// Status of the answer.
        status: u16,
    },
    /// Anything else.
    Failed {
        /// Which kind.
        failure: Failure,
        /// Status of the answer, 0 when there was none.
        status: u16,
    },
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// A complete answer with a status that was not expected.
    Status,
    /// The expected status with unexpected content.
    Expectation,
    /// Nobody listens.
    ConnectRefused,
    /// No answer to the attempt to connect.
    ConnectTimeout,
    /// Connecting failed for another reason.
    ConnectFailed,
    /// The answer was not complete in time.
    Timeout,
    /// No connection became free in time.
    WaitTimeout,
    /// The connection was reset before any byte of the answer.
    ResetBeforeHead,
    /// It was reset within the head.
    ResetInHead,
    /// It was reset within the body.
    ResetInBody,
    /// The server closed before any byte of the answer.
    ClosedBeforeHead,
    /// It closed within the head.
    ClosedInHead,
    /// It closed within the body.
    Incomplete,
    /// Bytes that are no HTTP/1.1 answer.
    InvalidResponse,
    /// A limit of this machine: descriptors, ports, memory. Not the server's doing.
    ClientLimit,
    /// The request could not be sent.
    SendFailed,
    /// Its connection ended with another request on it, before its own answer was due (`--pipeline`).
    PipelineBroken,
    /// It was open when the load ended, and the drain brought no answer.
    Unanswered,
    /// The last answer of a poll still meant "ask again" when its patience was over (`on_give_up = "fail"`).
    GaveUp,
    /// The time of the whole task was over (`within`): with this request under way, or before it could be sent.
    TaskTimeout,
}

impl Failure {
    /// All kinds.
    pub const ALL: [Self; 20] = [
        Self::Status,
        Self::Expectation,
        Self::ConnectRefused,
        Self::ConnectTimeout,
        Self::ConnectFailed,
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
    ];

    /// The time that a request had was over. (A connection that was not opened anew before then is one of these too.)
    pub fn is_of_time_limit(self) -> bool {
        matches!(
            self,
            Self::ConnectTimeout
                | Self::ConnectFailed
                | Self::Timeout
                | Self::WaitTimeout
                | Self::TaskTimeout
        )
    }

    /// Its name in reports and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Expectation => "expectation",
            Self::ConnectRefused => "connect-refused",
            Self::ConnectTimeout => "connect-timeout",
            Self::ConnectFailed => "connect-failed",
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
    }
}
