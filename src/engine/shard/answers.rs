//! Something came back: an answer is judged and recorded, or a connection has ended, and its user goes on.

use crate::engine::batch::{Carried, Ending};
use crate::engine::connection::{Detail, Happening, NOBODY, State};
use crate::engine::example;
use crate::engine::pool::backoff_ns;
use crate::engine::requests::Phase;
use crate::engine::user;
use crate::engine::user::Answer;
use crate::io::{Driver, Event, Io};
use crate::load::random::Stream;
use crate::metrics::outcome::{Failure, Outcome};
use crate::metrics::recorder::Times;
use crate::scenario::expect::{Reply, Unmet};
use crate::scenario::model::Step;

use super::{NO_SPAN, Shard};

/// The status of a server that has waited for a request long enough.
const REQUEST_TIMEOUT: u16 = 408;

impl<'p, D: Driver> Shard<'p, D> {
    pub(super) fn on_event(&mut self, event: Event) {
        let slot = event.connection.slot;
        let is_current = self.id_of(slot) == event.connection;
        let received = match event.io {
            Io::Received(received) => Some(received),
            _ => None,
        };
        if is_current {
            let sending = self.driver.is_sending(event.connection);
            let mut at = 0;
            // Bytes may hold several answers: each is taken before the next is looked at.
            loop {
                let bytes = received.map_or(&[][..], |received| self.driver.received(received));
                let rest = &bytes[at..];
                let connection = &mut self.pool.connections[slot as usize];
                let happening = connection.on(event.io, rest, sending, &mut self.buffers);
                let is_all = match happening {
                    Happening::Answered { consumed, .. } => consumed == rest.len(),
                    _ => true,
                };
                let goes_on = self.on_happening(slot, happening);
                if is_all || !goes_on {
                    break;
                }
                if let Happening::Answered { consumed, .. } = happening {
                    at += consumed;
                }
            }
        }
        if let Some(received) = received {
            self.driver.release(received);
        }
    }

    /// Whether the connection goes on to the next answer that is due.
    fn on_happening(&mut self, slot: u32, happening: Happening) -> bool {
        match happening {
            Happening::StillReading => {}
            Happening::Opened => self.on_opened(slot),
            Happening::Dropped => self.on_dropped(slot),
            Happening::Answered {
                status,
                body_bytes,
                reusable,
                ..
            } => return self.on_answered(slot, status, body_bytes, reusable),
            Happening::Failed(failure, detail) => self.on_failed(slot, failure, detail),
        }
        false
    }

    fn on_opened(&mut self, slot: u32) {
        let connection = &mut self.pool.connections[slot as usize];
        connection.refusals = 0;
        connection.state = State::Idle;
        let first = connection.user;
        let took_ns = self.progress.now_ns - connection.opening_since_ns;
        self.recorder.on_connected(took_ns);
        if self.request(first).phase == Phase::Waiting {
            self.fill(slot);
        }
        // Unless it has gone because it was full.
        if self.pool.connections[slot as usize].state == State::Idle {
            self.submit(slot);
        }
    }

    /// A connection ended with nothing under way; those it was being filled with get another.
    fn on_dropped(&mut self, slot: u32) {
        self.drop_connection(slot);
        if self.pool.carried(slot) > 0 {
            self.open(slot);
        }
    }

    pub(super) fn drop_connection(&mut self, slot: u32) {
        self.driver.close(self.id_of(slot));
        let connection = &mut self.pool.connections[slot as usize];
        connection.state = State::Closed;
        connection.decoder.give_back(&mut self.buffers);
    }

    fn on_answered(&mut self, slot: u32, status: u16, body_bytes: u64, reusable: bool) -> bool {
        let id = self.pool.connections[slot as usize].user;
        let scenario = &self.plan.scenario;
        let step = self.step_of(id);
        let attempt = self.attempt(id, step);
        let connection = &self.pool.connections[slot as usize];
        let received_bytes = connection.received_bytes;
        let reply = Reply {
            head: connection.decoder.head(),
            body: connection.decoder.body(),
        };
        let stride = scenario.variables.stride();
        let values = &mut self.variables[id as usize * stride..(id as usize + 1) * stride];
        let (answer, outcome, unmet) = judge(step, attempt, status, reply, values);
        if let Outcome::Failed { failure, .. } = outcome {
            // A server that was about to close an idle connection may say 408 first (RFC 9110 section 15.5.9), and that
            // may cross our request: it is not this one's answer, but the same race as in `on_failed`.
            let crossed = status == REQUEST_TIMEOUT && failure == Failure::Status && !reusable;
            if crossed && connection.answers > 0 && self.is_repeatable(id) {
                self.on_failed(slot, Failure::ClosedBeforeHead, Detail::None);
                return false;
            }
            let (number, random) = (self.number(id, self.lives(id)), self.random);
            let values = &self.variables[id as usize * stride..(id as usize + 1) * stride];
            self.recorder
                .example(usize::from(step.metric), failure, status, || {
                    let mut secrets = scenario.secrets_of_user(number, random, values);
                    step.add_secrets_of(reply, stride, &mut secrets);
                    example::of_reply(status, unmet.as_ref(), reply, body_bytes, &secrets)
                });
        }
        // What was announced is kept: nothing follows a request that says `Connection: close` (RFC 9112 section 9.6).
        let reusable = reusable && !step.closes;
        let connection = &mut self.pool.connections[slot as usize];
        connection.on_taken(reusable, &mut self.buffers);
        let goes_on = reusable && connection.awaited > 0;
        if !reusable {
            self.driver.close_after_fin(self.id_of(slot));
            self.pool.connections[slot as usize].state = State::Closed;
        }
        let happening = self.conclude(id, answer, outcome, body_bytes, received_bytes);
        let is_last = self.pool.leave(slot, id);
        match (goes_on, is_last) {
            (true, _) => self.await_answer(slot),
            (false, true) => self.fill(slot),
            // Those behind waited for the proof that this connection carries.
            (false, false) if reusable => self.submit(slot),
            (false, false) => self.break_off(slot, Ending::Announced),
        }
        self.go_on(id, happening);
        goes_on
    }

    fn on_failed(&mut self, slot: u32, failure: Failure, detail: Detail) {
        let connection = &self.pool.connections[slot as usize];
        let worked = connection.answers > 0;
        let never_opened = connection.state == State::Connecting;
        self.drop_connection(slot);
        if never_opened {
            self.back_off(slot);
            self.break_off(slot, Ending::NeverOpened(failure, detail));
            return;
        }
        let ending = Ending::Broken {
            failure,
            detail,
            worked,
        };
        self.break_off(slot, ending);
    }

    /// A connection has ended: some of the requests on it fail, and those that do not get another.
    pub(super) fn break_off(&mut self, slot: u32, ending: Ending) {
        match self.take_off(slot, ending) {
            0 => self.fill(slot),
            _ => self.open(slot),
        }
        self.fail_those_off();
    }

    /// Takes those off a slot whose requests fail by such an end; how many are left.
    pub(super) fn take_off(&mut self, slot: u32, ending: Ending) -> usize {
        for place in (0..self.pool.carried(slot)).rev() {
            let id = self.pool.user_at(slot, place);
            let phase = self.request(id).phase;
            let carried = Carried {
                is_first: place == 0,
                is_sent: matches!(phase, Phase::Submitted | Phase::Resubmitted),
                is_over: self.time_limit_ns(id) <= self.progress.now_ns,
                is_repeatable: self.is_repeatable(id),
            };
            match ending.failure_of(carried) {
                Some((failure, detail)) => {
                    self.request_mut(id).slot = NOBODY;
                    self.failing.push((id, failure, detail));
                    self.pool.leave(slot, id);
                }
                None if carried.is_sent => {
                    self.request_mut(id).phase = Phase::Again;
                    let metric = self.step_of(id).metric;
                    self.recorder.on_retried(usize::from(metric));
                }
                None => {}
            }
        }
        self.pool.carried(slot)
    }

    pub(super) fn fail_those_off(&mut self) {
        while let Some((id, failure, detail)) = self.failing.pop() {
            self.fail(id, failure, detail);
        }
    }

    /// A request that was sent may be sent once more: that is allowed for idempotent methods (RFC 9110 section 9.2.2).
    fn is_repeatable(&self, id: u32) -> bool {
        self.step_of(id).idempotent && self.request(id).phase == Phase::Submitted
    }

    pub(super) fn back_off(&mut self, slot: u32) {
        let connection = &mut self.pool.connections[slot as usize];
        connection.refusals = connection.refusals.saturating_add(1);
        connection.state = State::BackingOff;
        let draw = u64::from(connection.generation) << 32 | u64::from(slot);
        let random = self.random.draw(self.index as u64, Stream::Backoff, draw);
        let over_ns = self.progress.now_ns + backoff_ns(connection.refusals, random);
        let slots = self.pool.connections.len();
        let timer = (self.users_max + slots) as u32 + slot;
        self.timers.set(timer, over_ns);
    }

    pub(super) fn on_backoff_over(&mut self, slot: u32) {
        self.pool.connections[slot as usize].state = State::Closed;
        match self.pool.carried(slot) {
            0 => self.fill(slot),
            _ => self.open(slot),
        }
    }

    /// Whether a poll that counts as failed when it gives up does so should it be told "not yet" now.
    fn attempt(&mut self, id: u32, step: &Step) -> Attempt {
        let now_ns = self.progress.now_ns;
        let counts = step.repeat.as_ref().is_some_and(|it| it.give_up_fails);
        match counts && self.acting(id).is_last_attempt(step, now_ns) {
            true => Attempt::Last,
            false => Attempt::Other,
        }
    }

    /// A request has failed, and its user is on no slot any more.
    pub(super) fn fail(&mut self, id: u32, failure: Failure, detail: Detail) {
        let step = self.step_of(id);
        let over_ns = self.task_over_ns(id);
        let task_is_over = failure.is_of_time_limit()
            && over_ns <= self.progress.now_ns
            && over_ns == self.time_limit_ns(id);
        let (failure, answer) = match task_is_over {
            true => (Failure::TaskTimeout, Answer::TaskOver),
            false => (failure, Answer::Failed),
        };
        let scenario = &self.plan.scenario;
        let stride = scenario.variables.stride();
        let values = &self.variables[id as usize * stride..(id as usize + 1) * stride];
        let (number, random) = (self.number(id, self.lives(id)), self.random);
        self.recorder
            .example(usize::from(step.metric), failure, 0, || {
                let secrets = scenario.secrets_of_user(number, random, values);
                example::of_detail(failure, detail, &secrets)
            });
        let outcome = Outcome::Failed { failure, status: 0 };
        let happening = self.conclude(id, answer, outcome, 0, 0);
        self.go_on(id, happening);
    }

    /// Records a request's outcome; what its user is told of it.
    fn conclude(
        &mut self,
        id: u32,
        answer: Answer,
        outcome: Outcome,
        body_bytes: u64,
        received_bytes: u64,
    ) -> user::Happening {
        let times = self.times(id);
        let step = self.step_of(id);
        for span in step.ends.iter().filter(|_| answer == Answer::Success) {
            self.on_span_ended(id, usize::from(*span), times.done_ns);
        }
        self.recorder.record(
            usize::from(step.metric),
            outcome,
            times,
            body_bytes,
            received_bytes,
        );
        self.progress.last_done_ns = times.done_ns;
        self.end_request(id);
        user::Happening::Answered {
            answer,
            service_ns: times.done_ns - times.submitted_ns,
            done_ns: times.done_ns,
        }
    }

    /// Asks a user what it wants now.
    fn go_on(&mut self, id: u32, happening: user::Happening) {
        let next = self.acting(id).next(happening);
        self.act(id, next);
    }

    fn on_span_ended(&mut self, id: u32, span: usize, done_ns: u64) {
        let place = id as usize * self.plan.scenario.spans.len() + span;
        let since_ns = std::mem::replace(&mut self.spans_since_ns[place], NO_SPAN);
        if since_ns != NO_SPAN {
            self.recorder
                .on_span_ended(span, done_ns.saturating_sub(since_ns));
        }
    }

    /// The three moments of the request that a user has under way, if it ended now.
    pub(super) fn times(&self, id: u32) -> Times {
        let done_ns = self.progress.now_ns;
        let request = self.request(id);
        Times {
            intended_ns: self.users[id as usize].user.intended_ns,
            submitted_ns: match request.phase {
                Phase::Waiting | Phase::Again => done_ns,
                Phase::Submitted | Phase::Resubmitted => request.submitted_ns,
            },
            done_ns,
        }
    }
}

/// What "not yet" means as the answer to an attempt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Attempt {
    /// The poll gives up with it, which counts as a failure.
    Last,
    /// Nothing but that.
    Other,
}

/// What an answer means for the user and for the statistics, and what it lacks. What the step takes out of it is put
/// among the user's values.
fn judge<'u>(
    step: &'u Step,
    attempt: Attempt,
    status: u16,
    reply: Reply<'u>,
    values: &mut [u8],
) -> (Answer, Outcome, Option<Unmet<'u>>) {
    let status_is_right = step.expect.statuses.contains(status);
    let kind = match status_is_right {
        true => Failure::Expectation,
        false => Failure::Status,
    };
    let failed = |failure| Outcome::Failed { failure, status };
    let of_poll = step.repeat.as_ref().and_then(|it| it.failed.as_ref());
    if let Some(met) = of_poll.and_then(|of_poll| of_poll.met(status, reply)) {
        return (Answer::PollFailed, failed(kind), Some(met));
    }
    let unmet = step.expect.unmet(status, reply).or_else(|| {
        let mut stored = step
            .extract
            .iter()
            .map(|extract| extract.store(reply, values));
        stored.find_map(Result::err)
    });
    if unmet.is_none() {
        return (Answer::Success, Outcome::Success { status }, None);
    }
    let means_not_yet = step
        .repeat
        .as_ref()
        .is_some_and(|repeat| status_is_right || repeat.not_yet.contains(status));
    match (means_not_yet, attempt) {
        (true, Attempt::Last) => (Answer::NotYet, failed(Failure::GaveUp), unmet),
        (true, Attempt::Other) => (Answer::NotYet, Outcome::NotYet { status }, unmet),
        (false, _) => (Answer::Failed, failed(kind), unmet),
    }
}
