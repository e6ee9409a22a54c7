//! A second is over: the interval is completed with the present state of the shard, and handed over.

use crate::engine::handover::{Handover, OnInterval};
use crate::engine::kinds::KindUse;
use crate::engine::requests::NO_REQUEST;
use crate::io::Driver;
use crate::metrics::interval::ArrivalsSoFar;
use crate::metrics::recorder::Standing;

use super::state::Shard;

impl<'p, D: Driver> Shard<'p, D> {
    /// A second of the run is over.
    pub(super) fn end_second(&mut self, on_interval: &mut OnInterval<'_>) {
        self.intervals.skip_to(self.clocks.now_ns);
        self.hand_over(self.intervals.second_end_ns, on_interval);
        self.intervals.advance();
    }

    /// Hands over the interval that ends at a moment, no later than the present second.
    pub(super) fn hand_over(&mut self, end_ns: u64, on_interval: &mut OnInterval<'_>) {
        self.note_state(self.requests.count());
        for id in self.requests.users() {
            let user = &self.seats.seat(id).user;
            let metric = self.plan.scenario.steps[usize::from(user.step())].metric;
            let age_ns = self.clocks.now_ns.saturating_sub(user.intended_ns);
            self.recorder.open(usize::from(metric), age_ns);
        }
        self.buffers.trim();
        let handover = self.handover(end_ns);
        on_interval(handover, &mut self.recorder);
    }

    fn handover(&self, end_ns: u64) -> Handover {
        Handover {
            second: self.intervals.second(self.clocks.start_ns),
            end_ns: self.clocks.since_start_ns(end_ns),
            is_drain: self.load.is_draining,
            is_last: false,
        }
    }

    /// Hands over the last interval, if it has any time or counts in it.
    pub(super) fn hand_over_last(&mut self, mut on_interval: OnInterval<'_>) {
        if self.clocks.now_ns > self.intervals.from_ns || self.recorder.has_counted() {
            let last = Handover {
                is_last: true,
                ..self.handover(self.clocks.now_ns)
            };
            on_interval(last, &mut self.recorder);
        }
    }

    /// Writes the present state into the interval, with this number of open requests.
    fn note_state(&mut self, open: usize) {
        self.recorder.set_waited_in_line(self.waited_in_line());
        let active = self.seats.active();
        let arrivals = self.arrivals.as_ref();
        self.recorder.set_standing(Standing {
            is_drain: self.load.is_draining,
            users: self.users_present(),
            in_flight: open,
            arrivals: arrivals.map_or_else(ArrivalsSoFar::default, |of| of.so_far(active)),
        });
        if self.plan.scenario.has_kinds() {
            self.note_kinds();
        }
    }

    /// Writes the users that are present into the interval, by kind.
    fn note_kinds(&mut self) {
        let has_left = self.load.is_draining && !self.has_last_steps();
        let present = |kind: &KindUse| if has_left { 0 } else { kind.present };
        self.recorder
            .set_users_by_kind(self.kinds.iter().map(present));
        let waits = |id: &u32| has_left && self.seats.seat(*id).request != NO_REQUEST;
        for id in (0..self.seats.len() as u32).filter(waits) {
            self.recorder.add_user_of_kind(self.seats.kind(id));
        }
    }

    /// The state of the last interval: its users are the present ones, but requests that are open end with it.
    pub(super) fn note_last_state(&mut self) {
        if !self.load.is_draining {
            self.load.end_ns = self.clocks.now_ns;
            self.recorder.on_load_ended();
        }
        self.note_state(0);
    }

    /// Users that have come and not left. After the load's end, a user without a last step leaves with its request.
    fn users_present(&self) -> usize {
        match self.load.is_draining && !self.has_last_steps() {
            true => self.users_waiting(),
            false => self.seats.active(),
        }
    }
}
