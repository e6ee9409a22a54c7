//! A connection ends with requests on it: some of them fail, the others are sent on another connection.

use crate::engine::batch::{Carried, Ending};
use crate::engine::connection::{Detail, NO_SLOT, State};
use crate::engine::example;
use crate::engine::pool::backoff_ns;
use crate::engine::requests::Phase;
use crate::engine::user::Answer;
use crate::io::Driver;
use crate::load::random::Stream;
use crate::metrics::outcome::{Failure, Outcome};

use super::state::{Failing, Shard};
use super::timer::Timer;

impl<'p, D: Driver> Shard<'p, D> {
    /// A connection ended with no request sent; the users whose batch it was to carry get another.
    pub(super) fn on_dropped(&mut self, slot: u32) {
        self.drop_connection(slot);
        if self.pool.carried(slot) > 0 {
            self.open(slot);
        }
    }

    pub(super) fn drop_connection(&mut self, slot: u32) {
        self.driver.close(self.connection_id(slot));
        let connection = &mut self.pool.connections[slot as usize];
        connection.state = State::Closed;
        connection.decoder.give_back(&mut self.buffers);
    }

    pub(super) fn on_failed(&mut self, slot: u32, failure: Failure, detail: Detail) {
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

    /// A connection has ended: some of the requests on it fail, the others get another connection.
    pub(super) fn break_off(&mut self, slot: u32, ending: Ending) {
        match self.take_off(slot, ending) {
            0 => self.fill(slot),
            _ => self.open(slot),
        }
        self.fail_those_off();
    }

    /// Takes the requests off a slot that fail by such an end. Returns how many are left on it.
    pub(super) fn take_off(&mut self, slot: u32, ending: Ending) -> usize {
        for place in (0..self.pool.carried(slot)).rev() {
            let id = self.pool.user_at(slot, place);
            let phase = self.request(id).phase;
            let carried = Carried {
                is_first: place == 0,
                is_sent: matches!(phase, Phase::Submitted | Phase::Resubmitted),
                is_over: self.time_limit_ns(id) <= self.clocks.now_ns,
                is_repeatable: self.is_repeatable(id),
            };
            match ending.failure_of(carried) {
                Some((failure, detail)) => {
                    self.request_mut(id).slot = NO_SLOT;
                    self.failing.push(Failing {
                        id,
                        failure,
                        detail,
                    });
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

    /// Fails the requests that were taken off their slots or out of the line.
    pub(super) fn fail_those_off(&mut self) {
        while let Some(failing) = self.failing.pop() {
            self.fail(failing.id, failing.failure, failing.detail);
        }
    }

    /// A request has failed, and its user is on no slot any more.
    pub(super) fn fail(&mut self, id: u32, failure: Failure, detail: Detail) {
        let step = self.step_of(id);
        let over_ns = self.task_over_ns(id);
        let task_is_over = failure.is_of_time_limit()
            && over_ns <= self.clocks.now_ns
            && over_ns == self.time_limit_ns(id);
        let (failure, answer) = match task_is_over {
            true => (Failure::TaskTimeout, Answer::TaskOver),
            false => {
                let after_ns = step.retry_after_ns(failure, 0, b"", 0);
                (failure, after_ns.map_or(Answer::Failed, Answer::Retriable))
            }
        };
        let scenario = &self.plan.scenario;
        let user = self.together.user_of(id);
        let row_key = self.row_key(user);
        let values = self.seats.values(user);
        self.recorder
            .example(usize::from(step.metric), failure, 0, || {
                let secrets = scenario.secrets_of_user(row_key, values);
                let detail = example::of_detail(failure, detail, &secrets);
                match scenario.target_name(step.target_of(values)) {
                    Some(target) => format!("{target}: {detail}"),
                    None => detail,
                }
            });
        let outcome = Outcome::Failed { failure, status: 0 };
        let happening = self.conclude(id, answer, outcome, 0, 0);
        self.on_request_ended(id, happening);
    }

    /// A request that was sent may be sent once more: that is allowed for idempotent methods (RFC 9110 section 9.2.2).
    pub(super) fn is_repeatable(&self, id: u32) -> bool {
        self.step_of(id).idempotent && self.request(id).phase == Phase::Submitted
    }

    /// An attempt to open a slot's connection has failed: the next one has to wait.
    pub(super) fn back_off(&mut self, slot: u32) {
        let connection = &mut self.pool.connections[slot as usize];
        connection.refusals = connection.refusals.saturating_add(1);
        connection.state = State::BackingOff;
        let draw = u64::from(connection.generation) << 32 | u64::from(slot);
        let random = self.random.draw(self.index as u64, Stream::Backoff, draw);
        let over_ns = self.clocks.now_ns + backoff_ns(connection.refusals, random);
        self.timers.set(Timer::Backoff(slot), over_ns);
    }

    pub(super) fn on_backoff_over(&mut self, slot: u32) {
        self.pool.connections[slot as usize].state = State::Closed;
        match self.pool.carried(slot) {
            0 => self.fill(slot),
            _ => self.open(slot),
        }
    }
}
