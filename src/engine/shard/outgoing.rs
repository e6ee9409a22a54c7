//! A request goes out: it gets a connection, a place in that connection's batch, and its bytes.

use crate::engine::connection::{Detail, NO_TIMER, State};
use crate::engine::example;
use crate::engine::requests::{NO_REQUEST, Phase, Request};
use crate::engine::user::task_over_ns;
use crate::http::request::{Cuts, Values};
use crate::http::response::Keep;
use crate::io::{Driver, INSERTS_MAX, Insert};
use crate::load::random::Stream;
use crate::metrics::outcome::Failure;
use crate::scenario::flow::Flow;
use crate::scenario::model::{Step, StepIndex};
use crate::scenario::value::Origin;

use super::state::Shard;
use super::timer::Timer;

impl<'p, D: Driver> Shard<'p, D> {
    /// A user, or its companion, wants to send the request of a step. With the first of several that are sent at once, the
    /// others are begun.
    #[inline(always)]
    pub(super) fn begin(&mut self, id: u32, step: StepIndex) {
        let begun = self.step(step);
        self.recorder.on_started(usize::from(begun.metric));
        let seat = self.seats.seat_mut(id);
        seat.request = self.requests.begin(id, self.clocks.now_ns);
        let (is_first_attempt, intended_ns) = (seat.user.is_first_attempt(), seat.user.intended_ns);
        for span in begun.begins.iter().filter(|_| is_first_attempt) {
            self.seats.begin_span(id, usize::from(*span), intended_ns);
            self.recorder.on_span_begun(usize::from(*span));
        }
        if let Some(flow) = &begun.flow {
            self.begin_flow(id, begun, flow);
        }
        // It is counted like a request that found no connection in time.
        if self.task_over_ns(id) <= self.clocks.now_ns {
            self.fail(id, Failure::TaskTimeout, Detail::None);
        } else {
            // Without a slot the user is in the line. Whether it waits there is known when it leaves: a slot may have
            // room before this turn is over.
            let target = self.target_of(id, begun);
            match self.pool.acquire(id, target) {
                Some(slot) => self.on_joined(slot, id),
                None => {
                    let limit_ns = self.time_limit_ns(id);
                    self.lines[usize::from(target)].on_joined(limit_ns);
                }
            }
        }
        if let Some(flow) = &begun.flow {
            self.begin_companions(id, step, flow);
        }
    }

    // Apart, so that steps without a flow have a short path.
    #[inline(never)]
    fn begin_flow(&mut self, id: u32, begun: &Step, flow: &Flow) {
        if flow.is_retry(self.seats.values(self.together.user_of(id))) {
            self.recorder.on_retry(usize::from(begun.metric));
        }
        if let Some(count) = flow.begins_together() {
            self.together.begin(id, count);
        }
    }

    /// A user is on a slot, first or behind others. A full batch goes out at once, others when the turn is over.
    fn on_joined(&mut self, slot: u32, id: u32) {
        self.request_mut(id).slot = slot;
        self.limit_time(slot, id);
        match self.pool.connections[slot as usize].state {
            State::Idle if !self.pool.has_room(slot) => self.submit(slot),
            State::Closed => self.open(slot),
            State::Idle | State::Connecting | State::BackingOff | State::Busy => {}
        }
    }

    /// Gives the room that a slot has to users in the line.
    pub(super) fn fill(&mut self, slot: u32) {
        while let Some(next) = self.pool.next_for(slot) {
            let has_waited = self.request(next).begun_ns < self.clocks.now_ns;
            let target = self.pool.target_of(slot);
            self.lines[target].waited += u64::from(has_waited);
            // With its time over as well, a connection is of no use to it.
            if self.time_limit_ns(next) <= self.clocks.now_ns {
                self.expire(target, next);
                // The rest of the line is for the next turn.
                if self.lines[target].expiries_left == 0 {
                    self.pool.set_free(slot);
                    return;
                }
            } else {
                self.pool.join(slot, next);
                self.on_joined(slot, next);
            }
        }
    }

    /// The turn is over: batches go out with the requests they have. A batch whose connection is being opened waits.
    pub(super) fn send_filled(&mut self) {
        while let Some(slot) = self.pool.filled() {
            if self.pool.connections[slot as usize].state == State::Idle {
                self.submit(slot);
            }
        }
    }

    /// Opens a connection for the users on a slot.
    pub(super) fn open(&mut self, slot: u32) {
        let connection = &mut self.pool.connections[slot as usize];
        connection.on_opening(self.clocks.now_ns);
        // Evenly over all routes of the target, whatever the number of shards; the next route after a failed attempt.
        let refusals = connection.refusals as usize;
        let nth = self.slots_before + self.pool.place_of(slot) + refusals;
        let route = nth * self.pool.targets() + self.pool.target_of(slot);
        let connection = self.connection_id(slot);
        self.driver.submit_connect(connection, route);
        self.limit_times(slot);
    }

    /// Sends the batch of an open connection: its requests one after the other, in one piece.
    pub(super) fn submit(&mut self, slot: u32) {
        let connection = &self.pool.connections[slot as usize];
        // A request that is sent again goes alone over a new connection: if it is the one that ends connections, the
        // answer that says why must not be lost with the others (RFC 9112 section 9.3.2).
        let is_alone =
            connection.answers == 0 && self.request(connection.user).phase == Phase::Again;
        let count_max = match is_alone {
            true => 1,
            false => self.pool.carried(slot),
        };
        let (mut count, mut rendered, mut longest) = (0, 0, 0);
        self.outgoing.inserts.clear();
        while count < count_max {
            let id = self.pool.user_at(slot, count);
            let step = self.step_of(id);
            // What one send cannot carry follows when this batch has been answered.
            if self.outgoing.inserts.len() + step.template.shared().len() > INSERTS_MAX {
                break;
            }
            let (end, request_bytes) = self.render(id, step, rendered);
            rendered = end;
            longest = longest.max(request_bytes);
            count += 1;
            // The server reads nothing after it.
            if step.closes {
                break;
            }
        }
        let connection = &mut self.pool.connections[slot as usize];
        connection.on_submitted(count as u8, longest);
        self.await_answer(slot);
        let connection = self.connection_id(slot);
        match &self.outgoing.inserts[..] {
            [] => self.driver.submit_send(connection, rendered),
            inserts => self
                .driver
                .submit_send_around(connection, rendered, inserts),
        }
        if let Some(at_ns) = self.driver.flushed_ns() {
            let before = self.outgoing.unstamped.len() - count;
            self.stamp(before, at_ns);
        }
    }

    /// The first `count` requests without a time of submission went to the kernel at this moment.
    pub(super) fn stamp(&mut self, count: usize, at_ns: u64) {
        if count == 0 {
            return;
        }
        for id in self.outgoing.unstamped.drain(..count) {
            // Its connection may have ended in the same turn.
            let request = self.seats.seat(id).request;
            if let Some(request) = self.requests.get_mut(request) {
                request.submitted_ns = at_ns;
            }
        }
    }

    /// Writes a user's request into the send buffer, from `at` on. Returns where it ends there, and its whole length.
    fn render(&mut self, id: u32, step: &Step, at: usize) -> (usize, usize) {
        self.refresh(id, step);
        let values = Values {
            user: self.seats.values(self.together.user_of(id)),
            fresh: &self.outgoing.fresh,
        };
        let mut cuts = Cuts::default();
        let buffer = &mut self.driver.send_buffer()[at..];
        let template = step.template_for(values.user);
        let rendered = template.render(values, buffer, &mut cuts);
        let shared = step.template.shared().len();
        let inserts = cuts[..shared].iter().zip(step.shared_first as usize..);
        self.outgoing
            .inserts
            .extend(inserts.map(|(&cut, shared)| Insert {
                at: at + cut,
                shared,
            }));
        let bytes = rendered + step.template.shared_bytes();
        let now_ns = self.clocks.now_ns;
        let request = self.request_mut(id);
        request.phase = match request.phase {
            Phase::Again => Phase::Resubmitted,
            _ => Phase::Submitted,
        };
        // The exact time follows when the batch goes out.
        request.submitted_ns = now_ns;
        self.recorder
            .on_submitted(usize::from(step.metric), bytes as u64);
        self.outgoing.unstamped.push(id);
        (at + rendered, bytes)
    }

    /// Makes the values of a user's present request that are new in each.
    #[inline]
    fn refresh(&mut self, id: u32, step: &Step) {
        let text = u64::from(self.seats.seat(id).user.request_number());
        let user = self.together.user_of(id);
        let origin = Origin {
            values: self.seats.values(user),
            iteration: self.iteration(user),
            ..self.origin(self.seats.number(user), Stream::Request, text)
        };
        step.refresh(&origin, &mut self.outgoing.fresh);
    }

    /// Writes path and query of a user's request anew; returns their length, 0 when there is no room. A time in them may
    /// be a later one.
    pub(super) fn write_target(&mut self, id: u32, step: &Step) -> usize {
        self.refresh(id, step);
        let values = Values {
            user: self.seats.values(self.together.user_of(id)),
            fresh: &self.outgoing.fresh,
        };
        let written = step
            .template
            .write_target(values, &mut self.outgoing.target);
        written.unwrap_or(0)
    }

    /// The answer to the first request on a connection is next.
    pub(super) fn await_answer(&mut self, slot: u32) {
        let step = self.step_of(self.pool.connections[slot as usize].user);
        let keep = Keep {
            body_bytes: example::body_bytes_of(step),
            ..step.keep
        };
        self.pool.connections[slot as usize].await_answer(step.expecting, keep);
    }

    /// Applies the time limit of a user's request, counted from when the user began it, to its slot. A timer that is set
    /// for an earlier request stays: when it fires, it is set again. So a busy connection costs one timer operation per
    /// time limit, not per request.
    fn limit_time(&mut self, slot: u32, id: u32) {
        let limit_ns = self.time_limit_ns(id);
        let connection = &mut self.pool.connections[slot as usize];
        connection.deadline_ns = match connection.user == id {
            true => limit_ns,
            false => connection.deadline_ns.min(limit_ns),
        };
        if connection.timer_ns <= connection.deadline_ns {
            return;
        }
        // This step's limit is shorter than that of the request which set the timer.
        if connection.timer_ns != NO_TIMER {
            self.timers.cancel(Timer::TimeLimit(slot));
        }
        connection.timer_ns = connection.deadline_ns;
        self.timers
            .set(Timer::TimeLimit(slot), connection.deadline_ns);
    }

    /// Applies the time limits of all users on a slot, from the first one on.
    pub(super) fn limit_times(&mut self, slot: u32) {
        for place in 0..self.pool.carried(slot) {
            self.limit_time(slot, self.pool.user_at(slot, place));
        }
    }

    /// When a user's request, with its time in the line and the connect, or the task it belongs to, has taken too long.
    pub(super) fn time_limit_ns(&self, id: u32) -> u64 {
        let timeout_ns = self.step_of(id).timeout_ns;
        let limit_ns = self.request(id).begun_ns + timeout_ns.unwrap_or(self.plan.timeout_ns);
        limit_ns.min(self.task_over_ns(id))
    }

    /// When the task that a user is at has taken too long; never, if the task has no time limit.
    pub(super) fn task_over_ns(&self, id: u32) -> u64 {
        let step = self.step_of(id);
        match step.within_ns {
            None => u64::MAX,
            Some(_) => self.task_with_limit_over_ns(id, step),
        }
    }

    // Apart, so that tasks without a time limit have a short path.
    #[inline(never)]
    fn task_with_limit_over_ns(&self, id: u32, step: &Step) -> u64 {
        task_over_ns(step, self.seats.tally(self.together.user_of(id)))
    }

    /// A user's request is over. Returns what it was.
    pub(super) fn end_request(&mut self, id: u32) -> Request {
        let seat = self.seats.seat_mut(id);
        let place = std::mem::replace(&mut seat.request, NO_REQUEST);
        self.requests.end(place)
    }
}
