//! Numbers that occur once in a run, without a counter that the shards share.
//!
//! A user counts its own texts: the `n`th of user `u` gets `first + u + n * users`. So the first ones of all users are
//! consecutive, and so are the second ones.

use super::origin::Origin;

/// `{{sequence 40}}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The lowest number.
    pub first: u64,
    /// The number of the user's text that gets it: 1, its first request, or 0, its variables, where one of those has such a
    /// number.
    pub since: u64,
}

impl Sequence {
    /// The number of a text.
    #[inline]
    pub fn number(self, origin: &Origin<'_>) -> u64 {
        self.first + origin.user + origin.text.saturating_sub(self.since) * origin.users
    }
}
