//! Why records cannot be merged.

use std::fmt;

/// Why records cannot be merged, with the part and the cure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeError(pub String);

impl MergeError {
    /// A histogram of a part that cannot be read.
    pub(super) fn unreadable(part: &str, place: &str, reason: &str) -> Self {
        Self(format!(
            "{part}: the histogram {place} cannot be read ({reason}); the record was changed or is damaged: take it from \
             its run again"
        ))
    }
}

impl fmt::Display for MergeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for MergeError {}
