//! The users of a shard that come and go next, as the plan's load decides.

use crate::engine::plan::Plan;
use crate::load::closed::{Change, Changes, Closed};

/// A position in the load's changes, with the next one at hand.
pub(super) struct UserChanges<'p> {
    load: &'p Closed,
    changes: Changes,
    next: Option<Change>,
}

impl<'p> UserChanges<'p> {
    pub fn new(plan: &'p Plan, shard: usize) -> Self {
        let load = plan.load.users();
        let mut changes = load.changes(plan.deal(), shard);
        let next = changes.peek(load);
        Self {
            load,
            changes,
            next,
        }
    }

    /// The next change that is decided.
    pub fn next(&self) -> Option<Change> {
        self.next
    }

    /// Whether a change is known, or may still be decided.
    pub fn may_continue(&self) -> bool {
        self.next.is_some() || self.load.is_steered() || self.load.has_orders()
    }

    /// Looks for changes that were decided after the last look.
    pub fn refresh(&mut self) {
        if self.changes.is_outdated(self.load) {
            self.next = self.changes.peek(self.load);
        }
    }

    /// The next change has been made.
    pub fn advance(&mut self) {
        self.changes.advance();
        self.next = self.changes.peek(self.load);
    }
}
