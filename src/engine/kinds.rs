//! What the users of each kind did, beside what is counted by step.

use std::ops::AddAssign;

/// What the users of a kind did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindUse {
    /// Users that came, without those that took another's seat.
    pub came: u64,
    /// Passes of the work loop that were begun.
    pub passes: u64,
    /// Users that have come and not left.
    pub present: u64,
}

impl AddAssign for KindUse {
    fn add_assign(&mut self, other: Self) {
        // Every field is named: one that is left out does not compile.
        let Self {
            came,
            passes,
            present,
        } = other;
        self.came += came;
        self.passes += passes;
        self.present += present;
    }
}
