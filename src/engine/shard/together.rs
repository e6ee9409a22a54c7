//! Steps that a user sends at once, as a page loads its parts: begun together, and its user told when all have ended.
//!
//! What each of them is counted as, and how it fails, is as for any other step: see `companions` for who carries it.

use crate::engine::requests::{NO_REQUEST, OTHERS_UNDER_WAY};
use crate::engine::user::{AllAnswered, Happening};
use crate::io::Driver;
use crate::scenario::flow::Flow;
use crate::scenario::model::StepIndex;

use super::state::Shard;

impl<D: Driver> Shard<'_, D> {
    /// A user has begun the first of the steps that it sends at once, or a step with another flow: the others are begun.
    /// Each of them is counted, and fails, like any step.
    #[inline(never)]
    pub(super) fn begin_companions(&mut self, user: u32, first: StepIndex, flow: &Flow) {
        for place in 1..flow.begins_together().unwrap_or(1) {
            let id = self.together.companion(user, u32::from(place));
            let part = self.seats.seat(user).user.at_part(place);
            self.seats.seat_mut(id).user = part;
            self.begin(id, first + place);
        }
    }

    /// A request has ended: its user goes on, unless others that it sent at once are under way.
    #[inline]
    pub(super) fn on_request_ended(&mut self, id: u32, happening: Happening) {
        match self.together.is_used() {
            true => self.on_part_ended(id, happening),
            false => self.continue_user(id, happening),
        }
    }

    // Apart, so that the common path stays short.
    #[inline(never)]
    fn on_part_ended(&mut self, id: u32, happening: Happening) {
        let user = self.together.user_of(id);
        let Happening::Answered {
            answer,
            service_ns,
            done_ns,
        } = happening
        else {
            return;
        };
        if self.together.left(user) == 0 {
            return self.continue_user(user, happening);
        }
        let on_failure = self.step_of(id).on_failure;
        let group = self.together.end(user, answer, on_failure, service_ns);
        let seat = self.seats.seat_mut(user);
        if group.left > 0 {
            if id == user {
                seat.request = OTHERS_UNDER_WAY;
            }
            return;
        }
        seat.request = NO_REQUEST;
        if !group.has_failed {
            self.end_spans_of(user);
        }
        let next = self.acting(user).on_all_answered(AllAnswered {
            count: group.count,
            has_failed: group.has_failed,
            ending: group.ending,
            service_ns: group.service_ns,
            done_ns,
        });
        self.act(user, next);
    }

    /// The spans end that end with what a user has sent at once.
    fn end_spans_of(&mut self, user: u32) {
        if let Some(flow) = &self.step_of(user).flow {
            for span in flow.ends() {
                self.end_span(user, usize::from(*span));
            }
        }
    }

    /// Users with a request under way.
    pub(super) fn users_waiting(&self) -> usize {
        let waits = |id: &u32| self.seats.seat(*id).request != NO_REQUEST;
        match self.together.is_used() {
            true => (0..self.seats.len() as u32).filter(waits).count(),
            false => self.requests.count(),
        }
    }
}
