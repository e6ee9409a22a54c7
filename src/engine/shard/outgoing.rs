//! A request goes out: a connection for it, the batch that it leaves with, its bytes.

use crate::engine::connection::{Detail, NO_TIMER, State};
use crate::engine::example;
use crate::engine::requests::{NO_REQUEST, Phase, Request};
use crate::engine::user::task_over_ns;
use crate::http::request::{Cuts, Values};
use crate::http::response::Keep;
use crate::io::{ConnectionId, Driver, INSERTS_MAX, Insert};
use crate::load::random::Stream;
use crate::metrics::outcome::Failure;
use crate::scenario::model::{Step, StepIndex};

use super::Shard;

impl<'p, D: Driver> Shard<'p, D> {
    pub(super) fn begin(&mut self, id: u32, step: StepIndex) {
        let begun = self.step(step);
        self.recorder.on_started(usize::from(begun.metric));
        self.progress.in_flight += 1;
        let seat = &mut self.users[id as usize];
        for span in begun.begins.iter().filter(|_| seat.user.is_first_attempt()) {
            let spans = self.plan.scenario.spans.len();
            let place = id as usize * spans + usize::from(*span);
            self.spans_since_ns[place] = seat.user.intended_ns;
            self.recorder.on_span_begun(usize::from(*span));
        }
        seat.request = self.requests.begin(id, self.progress.now_ns);
        // It is counted like one that found no connection in time.
        if self.task_over_ns(id) <= self.progress.now_ns {
            self.fail(id, Failure::TaskTimeout, Detail::None);
            return;
        }
        // Without one it stands in the line. Whether it waits there shows when it leaves: a slot may have room before
        // this turn is over.
        match self.pool.acquire(id) {
            Some(slot) => self.on_joined(slot, id),
            None => self.limit_time_in_line(id),
        }
    }

    /// A user is on a slot, the first one or behind others. A full batch goes out at once, others when the turn is over.
    fn on_joined(&mut self, slot: u32, id: u32) {
        self.request_mut(id).slot = slot;
        self.limit_time(slot, id);
        match self.pool.connections[slot as usize].state {
            State::Idle if !self.pool.has_room(slot) => self.submit(slot),
            State::Closed => self.open(slot),
            State::Idle | State::Connecting | State::BackingOff | State::Busy => {}
        }
    }

    /// Those who stand in the line get what room a slot has.
    pub(super) fn fill(&mut self, slot: u32) {
        while let Some(next) = self.pool.next_for(slot) {
            let waited = self.request(next).begun_ns < self.progress.now_ns;
            self.progress.waited_in_line += u64::from(waited);
            // Its time is over too: a connection is of no more use to it.
            if self.time_limit_ns(next) <= self.progress.now_ns {
                self.expire(next);
                // Before it goes on with the others, it begins another turn.
                if self.progress.expiries_left == 0 {
                    self.pool.set_free(slot);
                    return;
                }
            } else {
                self.pool.join(slot, next);
                self.on_joined(slot, next);
            }
        }
    }

    /// The turn is over: batches go out with the requests they have. Those that wait for their connection go with it.
    pub(super) fn send_filled(&mut self) {
        while let Some(slot) = self.pool.filled() {
            if self.pool.connections[slot as usize].state == State::Idle {
                self.submit(slot);
            }
        }
    }

    /// Opens a connection for those who are on its slot.
    pub(super) fn open(&mut self, slot: u32) {
        let connection = &mut self.pool.connections[slot as usize];
        connection.on_opening(self.progress.now_ns);
        // Evenly over all routes, whatever the number of shards; the next one after a failed attempt.
        let route = self.slots_before + slot as usize + connection.refusals as usize;
        let connection = self.id_of(slot);
        self.driver.submit_connect(connection, route);
        self.limit_times(slot);
    }

    /// Sends the batch of an open connection: its requests one after the other, in one piece.
    pub(super) fn submit(&mut self, slot: u32) {
        let connection = &self.pool.connections[slot as usize];
        // What is sent again goes alone over a new connection: should it be what ends connections, the answer that says
        // why must not be lost with the others (RFC 9112 section 9.3.2).
        let alone = connection.answers == 0 && self.request(connection.user).phase == Phase::Again;
        let count_max = match alone {
            true => 1,
            false => self.pool.carried(slot),
        };
        let (mut count, mut rendered, mut longest) = (0, 0, 0);
        self.inserts.clear();
        while count < count_max {
            let id = self.pool.user_at(slot, count);
            let step = self.step_of(id);
            // What one send cannot carry follows when this batch has been answered.
            if self.inserts.len() + step.template.shared().len() > INSERTS_MAX {
                break;
            }
            let (end, request_bytes) = self.render(id, step, rendered);
            rendered = end;
            longest = longest.max(request_bytes);
            count += 1;
            // The server reads nothing behind it.
            if step.closes {
                break;
            }
        }
        let connection = &mut self.pool.connections[slot as usize];
        connection.on_submitted(count as u8, longest);
        self.await_answer(slot);
        let connection = self.id_of(slot);
        match &self.inserts[..] {
            [] => self.driver.submit_send(connection, rendered),
            inserts => self
                .driver
                .submit_send_around(connection, rendered, inserts),
        }
        if let Some(at_ns) = self.driver.flushed_ns() {
            let before = self.submitted.len() - count;
            self.stamp(before, at_ns);
        }
    }

    /// The first so many requests that wait for their stamp went to the kernel at this moment.
    pub(super) fn stamp(&mut self, count: usize, at_ns: u64) {
        if count == 0 {
            return;
        }
        for id in self.submitted.drain(..count) {
            // Its connection may have ended in the same turn.
            let request = self.users[id as usize].request;
            if let Some(request) = self.requests.get_mut(request) {
                request.submitted_ns = at_ns;
            }
        }
    }

    /// Writes a user's request into the send buffer, from `at` on. Returns where it ends there, and its whole length.
    fn render(&mut self, id: u32, step: &Step, at: usize) -> (usize, usize) {
        let text = u64::from(self.users[id as usize].user.request_number());
        let origin = self.origin(self.number(id, self.lives(id)), Stream::Request, text);
        step.refresh(&origin, &mut self.fresh);
        let stride = self.plan.scenario.variables.stride();
        let values = Values {
            user: &self.variables[id as usize * stride..(id as usize + 1) * stride],
            fresh: &self.fresh,
        };
        let mut cuts = Cuts::default();
        let buffer = &mut self.driver.send_buffer()[at..];
        let rendered = step.template.render(values, buffer, &mut cuts);
        let shared = step.template.shared().len();
        let inserts = cuts[..shared].iter().zip(step.shared_first as usize..);
        self.inserts.extend(inserts.map(|(&cut, shared)| Insert {
            at: at + cut,
            shared,
        }));
        let bytes = rendered + step.template.shared_bytes();
        let now_ns = self.progress.now_ns;
        let request = self.request_mut(id);
        request.phase = match request.phase {
            Phase::Again => Phase::Resubmitted,
            _ => Phase::Submitted,
        };
        // The true stamp follows when the batch goes out.
        request.submitted_ns = now_ns;
        self.recorder
            .on_submitted(usize::from(step.metric), bytes as u64);
        self.submitted.push(id);
        (at + rendered, bytes)
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

    pub(super) fn id_of(&self, slot: u32) -> ConnectionId {
        ConnectionId {
            slot,
            generation: self.pool.connections[slot as usize].generation,
        }
    }

    /// A request on a slot has its time limit counted from when its user began it. A timer that is still set for an
    /// earlier request is left: when it fires, it looks again. So a busy connection costs one timer operation per time
    /// limit, not per request.
    fn limit_time(&mut self, slot: u32, id: u32) {
        let limit_ns = self.time_limit_ns(id);
        let timer = self.users_max as u32 + slot;
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
            self.timers.cancel(timer);
        }
        connection.timer_ns = connection.deadline_ns;
        self.timers.set(timer, connection.deadline_ns);
    }

    /// The same for everybody on a slot, from the first one on.
    pub(super) fn limit_times(&mut self, slot: u32) {
        for place in 0..self.pool.carried(slot) {
            self.limit_time(slot, self.pool.user_at(slot, place));
        }
    }

    /// When a user's request has taken too long, waiting line and connect included, or its task has.
    pub(super) fn time_limit_ns(&self, id: u32) -> u64 {
        let timeout_ns = self.step_of(id).timeout_ns;
        let limit_ns = self.request(id).begun_ns + timeout_ns.unwrap_or(self.plan.timeout_ns);
        limit_ns.min(self.task_over_ns(id))
    }

    /// When the task that a user is at has taken too long, if it has a time limit.
    pub(super) fn task_over_ns(&self, id: u32) -> u64 {
        task_over_ns(self.step_of(id), self.tallies.get(id as usize))
    }

    /// The request that a user has under way.
    pub(super) fn request(&self, id: u32) -> &Request {
        let place = self.users[id as usize].request;
        self.requests.get(place).expect("it has one under way")
    }

    pub(super) fn request_mut(&mut self, id: u32) -> &mut Request {
        let place = self.users[id as usize].request;
        self.requests.get_mut(place).expect("it has one under way")
    }

    /// A user's request is over. Returns what it was.
    pub(super) fn end_request(&mut self, id: u32) -> Request {
        self.progress.in_flight -= 1;
        let seat = &mut self.users[id as usize];
        let place = std::mem::replace(&mut seat.request, NO_REQUEST);
        self.requests.end(place)
    }
}
