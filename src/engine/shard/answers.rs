//! Bytes come back: they are split into answers, each is judged and recorded, and its user goes on.

use crate::engine::batch::Ending;
use crate::engine::connection::{Detail, Happening, State};
use crate::engine::example;
use crate::engine::requests::Phase;
use crate::engine::user;
use crate::engine::user::Answer;
use crate::http::coding::{Coding, Undecodable};
use crate::io::{ConnectionId, Driver, Event, Io, Received};
use crate::metrics::handshakes::Shaken;
use crate::metrics::outcome::{Failure, Outcome};
use crate::metrics::recorder::Times;
use crate::scenario::expect::{Reply, Unmet};
use crate::scenario::facts::Facts;
use crate::scenario::flow::Next;
use crate::scenario::model::Step;

use super::state::Shard;

/// The status of a server that has waited for a request long enough.
const REQUEST_TIMEOUT: u16 = 408;

impl<'p, D: Driver> Shard<'p, D> {
    pub(super) fn on_event(&mut self, event: Event) {
        let slot = event.connection.slot;
        let is_current = self.connection_id(slot) == event.connection;
        match event.io {
            Io::Received(received) => {
                if is_current {
                    self.on_received(event.connection, received);
                }
                self.driver.release(received);
            }
            io if is_current => {
                let sending = self.driver.is_sending(event.connection);
                let connection = &mut self.pool.connections[slot as usize];
                let happening = connection.on(io, &[], sending, &mut self.buffers);
                self.on_happening(slot, happening);
            }
            _ => {}
        }
    }

    /// Bytes came on a connection. They may hold several answers: each is handled before the next is looked at.
    fn on_received(&mut self, id: ConnectionId, received: Received) {
        let sending = self.driver.is_sending(id);
        let mut rest = self.driver.received(received);
        let mut used = 0;
        loop {
            let connection = &mut self.pool.connections[id.slot as usize];
            let happening = connection.on(Io::Received(received), rest, sending, &mut self.buffers);
            let bytes = rest.len();
            let goes_on = self.on_happening(id.slot, happening);
            match happening {
                Happening::Answered { consumed, .. } if goes_on && consumed < bytes => {
                    used += consumed;
                }
                _ => break,
            }
            rest = &self.driver.received(received)[used..];
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
        let since_ns = connection.opening_since_ns;
        let handshake = self.driver.handshake(self.connection_id(slot));
        if let Some(handshake) = handshake {
            let shaken = Shaken {
                since_ns,
                began_ns: handshake.began_ns,
                done_ns: handshake.done_ns,
            };
            self.recorder.on_handshake(handshake.is_resumed, shaken);
        }
        let open_ns = handshake.map_or(self.clocks.now_ns, |it| it.began_ns);
        self.recorder.on_connected(open_ns.saturating_sub(since_ns));
        if self.request(first).phase == Phase::Waiting {
            self.fill(slot);
        }
        // A full batch is gone already.
        if self.pool.connections[slot as usize].state == State::Idle {
            self.submit(slot);
        }
    }

    fn on_answered(&mut self, slot: u32, status: u16, body_bytes: u64, reusable: bool) -> bool {
        let id = self.pool.connections[slot as usize].user;
        let user_id = self.together.user_of(id);
        let scenario = &self.plan.scenario;
        let step = self.step_of(id);
        let attempt = self.attempt(id, step);
        let target_bytes = match step.takes_links() {
            true => self.write_target(id, step),
            false => 0,
        };
        let connection = &self.pool.connections[slot as usize];
        let received_bytes = connection.received_bytes;
        let decoder = &connection.decoder;
        let is_coded = decoder.coding() != Coding::Identity && step.keep.body_bytes > 0;
        let decoded = match is_coded {
            true => self
                .decoder
                .decode(decoder.coding(), decoder.body(), body_bytes),
            false => Ok(()),
        };
        let user = &self.seats.seat(id).user;
        let facts = Facts {
            is_cut: body_bytes > step.keep.body_bytes as u64,
            took_ns: self.clocks.now_ns.saturating_sub(user.intended_ns),
            random: self.random,
            // Only elements of a body are drawn.
            user: match step.keep.body_bytes {
                0 => 0,
                _ => self.seats.number(user_id),
            },
            request: user.request_number(),
            own_target: self.target_of(id, step),
            target: &self.outgoing.target[..target_bytes],
            caches: &self.caches,
        };
        let reply = Reply {
            head: decoder.head(),
            body: match (is_coded, decoded) {
                (true, Ok(())) => self.decoder.body(),
                _ => decoder.body(),
            },
            facts: &facts,
        };
        let values = self.seats.values_mut(user_id);
        // Whatever else the answer is, its cookies count (RFC 6265 section 3).
        let jar = match &scenario.cookies {
            Some(cookies) => {
                let now_s = self.clocks.wall_ns() / 1_000_000_000;
                cookies.take(&step.template, facts.own_target, reply.head, now_s, values)
            }
            None => Ok(()),
        };
        let lack = jar.err().map(|_| Unmet::jar_full(reply));
        let (mut answer, outcome, unmet) =
            judge(step, attempt, status, reply, decoded, lack, values);
        if let Outcome::Failed { failure, .. } = outcome {
            // A server that is about to close an idle connection may say 408 first (RFC 9110 section 15.5.9), and that
            // may cross our request: it is not this one's answer, but the same race as in `on_failed`.
            let has_crossed = status == REQUEST_TIMEOUT && failure == Failure::Status && !reusable;
            if has_crossed && connection.answers > 0 && self.is_repeatable(id) {
                self.on_failed(slot, Failure::ClosedBeforeHead, Detail::None);
                return false;
            }
            let row_key = self.row_key(user_id);
            let values = self.seats.values(user_id);
            self.recorder
                .example(usize::from(step.metric), failure, status, || {
                    let mut secrets = scenario.secrets_of_user(row_key, values);
                    step.add_secrets_of(reply, scenario.variables.stride(), &mut secrets);
                    example::of_reply(status, unmet.as_ref(), reply, body_bytes, &secrets)
                });
            if answer == Answer::Failed {
                let wall_ns = self.clocks.wall_ns();
                let after_ns = step.retry_after_ns(failure, status, reply.head, wall_ns);
                answer = after_ns.map_or(answer, Answer::Retriable);
            }
        }
        // An announced close is kept: nothing follows a request that says `Connection: close` (RFC 9112 section 9.6).
        let reusable = reusable && !step.closes;
        let connection = &mut self.pool.connections[slot as usize];
        let age_ns = self.clocks.now_ns - connection.opening_since_ns;
        let is_over = self.plan.lifetime.is_over(connection.answers + 1, age_ns);
        // The answers that are due are waited for.
        let is_worn = reusable && is_over && connection.awaited == 1;
        let reusable = reusable && !is_worn;
        connection.on_taken(reusable, &mut self.buffers);
        let goes_on = reusable && connection.awaited > 0;
        if !reusable {
            self.end_connection(slot, is_worn);
        }
        let happening = self.conclude(id, answer, outcome, body_bytes, received_bytes);
        let is_last = self.pool.leave(slot, id);
        match (goes_on, is_last) {
            (true, _) => self.await_answer(slot),
            (false, true) => self.fill(slot),
            // The others waited for the proof that this connection carries requests.
            (false, false) if reusable => self.submit(slot),
            (false, false) => self.break_off(slot, Ending::Announced),
        }
        self.on_request_ended(id, happening);
        goes_on
    }

    /// Ends a connection that is not used again. One that is worn is ended by us: its server learns of it by TLS alone,
    /// and then ends it first.
    fn end_connection(&mut self, slot: u32, is_worn: bool) {
        let id = self.connection_id(slot);
        match is_worn && self.driver.handshake(id).is_none() {
            true => self.driver.close(id),
            false => self.driver.close_after_fin(id),
        }
        self.pool.connections[slot as usize].state = State::Closed;
    }

    /// Whether a poll whose giving up counts as a failure would give up if the answer were "not yet".
    fn attempt(&mut self, id: u32, step: &Step) -> Attempt {
        let now_ns = self.clocks.now_ns;
        let counts = step.repeat.as_ref().is_some_and(|it| it.give_up_fails);
        match counts && self.acting(id).is_last_attempt(step, now_ns) {
            true => Attempt::Last,
            false => Attempt::Other,
        }
    }

    /// Records a request's outcome. Returns what its user is told of it.
    pub(super) fn conclude(
        &mut self,
        id: u32,
        answer: Answer,
        outcome: Outcome,
        body_bytes: u64,
        received_bytes: u64,
    ) -> user::Happening {
        let times = self.times(id);
        let step = self.step_of(id);
        let is_complete = matches!(answer, Answer::Success | Answer::TaskDone);
        for span in step.ends.iter().filter(|_| is_complete) {
            self.end_span(id, usize::from(*span));
        }
        self.recorder.record(
            usize::from(step.metric),
            outcome,
            times,
            body_bytes,
            received_bytes,
        );
        self.load.last_done_ns = times.done_ns;
        self.end_request(id);
        user::Happening::Answered {
            answer,
            service_ns: times.done_ns - times.submitted_ns,
            done_ns: times.done_ns,
        }
    }

    /// The three moments of the request that a user has under way, if it ended now.
    pub(super) fn times(&self, id: u32) -> Times {
        let done_ns = self.clocks.now_ns;
        let request = self.request(id);
        Times {
            intended_ns: self.seats.seat(id).user.intended_ns,
            submitted_ns: match request.phase {
                Phase::Waiting | Phase::Again => done_ns,
                Phase::Submitted | Phase::Resubmitted => request.submitted_ns,
            },
            done_ns,
        }
    }
}

/// Whether "not yet" ends a poll.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Attempt {
    /// The poll gives up after it, which counts as a failure.
    Last,
    /// The poll goes on, or its giving up is no failure.
    Other,
}

/// What an answer means for the user and for the statistics, and what it lacks. Extracted values are stored in the user's
/// `values`. `decoded` is about a body that is looked at; `lack` makes a failure of any answer.
fn judge<'u>(
    step: &'u Step,
    attempt: Attempt,
    status: u16,
    reply: Reply<'u>,
    decoded: Result<(), Undecodable>,
    lack: Option<Unmet<'u>>,
    values: &mut [u8],
) -> (Answer, Outcome, Option<Unmet<'u>>) {
    let status_is_right = step.expect.statuses.contains(status);
    let kind = match status_is_right {
        true => Failure::Expectation,
        false => Failure::Status,
    };
    let failed = |failure| Outcome::Failed { failure, status };
    if let Some(follow) = &step.follow
        && let Some(ahead) = follow.ahead(status)
    {
        let taken = follow.take(
            reply.head,
            usize::from(reply.facts.own_target),
            reply.facts.target,
            values,
        );
        // Nothing is looked for in the body of a redirect.
        let lack = lack.or(taken.err().map(|why| Unmet::redirect(why, reply)));
        return match lack {
            None => (Answer::Redirected(ahead), Outcome::Success { status }, None),
            lack => (Answer::Failed, failed(Failure::Expectation), lack),
        };
    }
    if let Err(why) = decoded
        && status_is_right
    {
        let kind = match why {
            Undecodable::TooLarge => Failure::BodyTooLarge,
            _ => Failure::Undecodable,
        };
        let unmet = Unmet::undecodable(why, reply);
        return (Answer::Failed, failed(kind), Some(unmet));
    }
    let of_poll = step.repeat.as_ref().and_then(|it| it.failed.as_ref());
    if let Some(met) = of_poll.and_then(|of_poll| of_poll.met(status, reply)) {
        return (Answer::PollFailed, failed(kind), Some(met));
    }
    let unmet = step.expect.unmet(status, reply).or(lack).or_else(|| {
        let mut stored = step
            .extract
            .iter()
            .map(|extract| extract.store(reply, values));
        stored.find_map(Result::err)
    });
    if unmet.is_none() {
        let next = match &step.flow {
            Some(flow) => flow.after_success(status, reply, values),
            None => Next::Step,
        };
        let answer = match next {
            Next::Step => Answer::Success,
            Next::Again => Answer::Again,
            Next::EndOfTask => Answer::TaskDone,
        };
        return (answer, Outcome::Success { status }, None);
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
