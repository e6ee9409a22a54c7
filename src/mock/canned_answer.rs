//! What the canned responder sends, and what its threads did.

/// An answer as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CannedAnswer {
    /// Head and body.
    pub bytes: Vec<u8>,
    /// Length of the head in bytes: all that a HEAD request gets.
    pub head_bytes: usize,
    /// The connection ends after it.
    pub closes: bool,
}

/// What one thread of the responder did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CannedUse {
    /// Answers that it sent.
    pub answers: u64,
    /// CPU time of the thread over the time from its first event to its last, 0 to 1.
    pub busy: f64,
}
