//! Steps that are sent at once: what a user does when all of them have ended.

use crate::scenario::model::OnFailure;

use super::acting::Acting;
use super::moves::{Action, AllAnswered, Move};

impl Acting<'_> {
    /// Its next move when the last of the requests has ended that it sent at once. The next step is the one after theirs.
    pub fn on_all_answered(&mut self, all: AllAnswered) -> Move {
        let Some(step) = self.step() else {
            return Action::Finish.into();
        };
        let done_ns = all.done_ns;
        let from_ns = match all.has_failed {
            true => done_ns,
            false => self.user.intended_ns + all.service_ns,
        };
        self.user.requests = self.user.requests.wrapping_add(u32::from(all.count));
        let leaves = self.leaves_now();
        if leaves && all.ending == OnFailure::GoOn {
            self.complete_start();
        }
        let before = (self.user.stage, self.user.step);
        let action = match all.ending {
            _ if leaves => self.go_away(done_ns),
            OnFailure::GoOn => self.go_on(step, from_ns, done_ns),
            OnFailure::EndTask => self.end_pass(done_ns),
            OnFailure::Stop => self.go_away(done_ns),
        };
        if all.has_failed && !leaves {
            self.note_failed(before);
        }
        let action = self.wait_for(action, done_ns);
        self.moved(action, None)
    }
}
