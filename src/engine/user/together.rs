//! Steps that are sent at once: what a user does when all of them have ended.

use crate::scenario::model::{OnFailure, StepIndex};

use super::acting::Acting;
use super::moves::{Action, Move};

impl Acting<'_> {
    /// `count` requests have ended, the last of them at `done_ns`; `from_ns` is when the last should have. The next step
    /// is the one after all of theirs.
    pub(super) fn on_all_answered(
        &mut self,
        count: StepIndex,
        (ending, has_failed): (OnFailure, bool),
        from_ns: u64,
        done_ns: u64,
    ) -> Move {
        let Some(step) = self.step() else {
            return Action::Finish.into();
        };
        self.user.requests = self.user.requests.wrapping_add(u32::from(count));
        let leaves = self.leaves_now();
        if leaves && ending == OnFailure::GoOn {
            self.complete_start();
        }
        let before = (self.user.stage, self.user.step);
        let action = match ending {
            _ if leaves => self.go_away(done_ns),
            OnFailure::GoOn => self.go_on(step, from_ns, done_ns),
            OnFailure::EndTask => self.end_pass(done_ns),
            OnFailure::Stop => self.go_away(done_ns),
        };
        if has_failed && !leaves {
            self.note_failed(before);
        }
        let action = self.wait_for(action, done_ns);
        self.moved(action, None)
    }
}
