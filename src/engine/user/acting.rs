//! The decisions of a user.

use std::ops::Range;

use crate::load::random::{Keyed, Stream};
use crate::scenario::kind::Kind;
use crate::scenario::model::{OnFailure, Repeat, Scenario, Step, StepIndex};

use super::moves::{Action, Answer, Happening, Move, PollEnd};
use super::state::{Leaving, Stage, Tally, User, task_over_ns};

/// What users decide by: the same for all of their kind.
#[derive(Clone, Copy)]
pub struct Script<'p> {
    /// The steps and their order.
    pub scenario: &'p Scenario,
    /// The kind of user that it is.
    pub kind: &'p Kind,
    /// Source of every choice of a user.
    pub random: Keyed,
    /// In an open load, passes of the work loop begin with arrivals; otherwise after the user's own waits.
    pub is_open: bool,
}

/// A user, with what it decides by.
pub struct Acting<'u> {
    /// Its state.
    pub user: &'u mut User,
    /// Its tally, where the plan needs one.
    pub tally: Option<&'u mut Tally>,
    /// Passes of the work loop that users of its kind have begun.
    pub passes: &'u mut u64,
    /// Its values: conditions look at them, and counters stand among them.
    pub values: &'u mut [u8],
    /// Its number in the whole run: the key of its random draws.
    pub number: u64,
    /// The same for all users.
    pub script: Script<'u>,
    /// Steps that this move passed over, in one stretch or two; empty at first.
    pub passed_over: [Range<StepIndex>; 2],
    /// A step of the task whose pass this move ended by a failure; `None` at first.
    pub failed_in: Option<StepIndex>,
}

impl<'u> Acting<'u> {
    /// Its first move, when it is spawned.
    pub fn begin(&mut self) -> Move {
        let action = self.go_to_start(self.script.kind.start.start);
        self.moved(action, None)
    }

    /// Its only move when there is no row for it: it leaves before it has done anything.
    pub fn stay_away(&mut self) -> Move {
        self.user.stage = Stage::Left;
        Action::Finish.into()
    }

    /// Its next move.
    pub fn next(&mut self, happening: Happening) -> Move {
        match happening {
            Happening::Woken => self.on_woken(),
            Happening::Answered {
                answer,
                service_ns,
                done_ns,
            } => self.on_answered(answer, service_ns, done_ns),
        }
    }

    /// It rested, and begins the pass of the work loop that was due at `due_ns`. The time limit of its task counts from
    /// `now_ns`: the arrival's time in the line is not the server's.
    pub fn on_arrival(&mut self, due_ns: u64, now_ns: u64) -> Move {
        self.user.intended_ns = due_ns;
        let action = self.go_to_task();
        if let Some(tally) = &mut self.tally {
            tally.pass_since_ns = now_ns;
        }
        self.moved(action, None)
    }

    /// The move that ends with an action, with the steps that were passed over on the way.
    pub(super) fn moved(&mut self, action: Action, poll: Option<PollEnd>) -> Move {
        Move {
            action,
            poll,
            passed_over: std::mem::take(&mut self.passed_over),
            failed_in: self.failed_in,
        }
    }

    pub(super) fn task_over_ns(&self, step: &Step) -> u64 {
        task_over_ns(step, self.tally.as_deref())
    }

    /// Its poll gives up if the present attempt ends at `now_ns` without the expected answer: no other attempt begins
    /// before the time to give up.
    pub fn is_last_attempt(&self, step: &Step, now_ns: u64) -> bool {
        step.repeat.as_ref().is_some_and(|repeat| {
            let over_ns = self.task_over_ns(step);
            let next_ns = self.user.next_attempt_ns(repeat, over_ns, now_ns);
            next_ns >= self.user.gives_up_ns(repeat)
        })
    }

    /// Its move if it is asleep, was told to leave, and may leave from the stage it is in.
    pub fn leave_from_sleep(&mut self, now_ns: u64) -> Option<Move> {
        match (self.user.leaving, self.user.stage) {
            (Leaving::AfterPass | Leaving::AfterRequest, Stage::Between)
            | (Leaving::AfterRequest, Stage::Start | Stage::Task) => {
                let action = self.go_away(now_ns);
                Some(self.moved(action, None))
            }
            _ => None,
        }
    }

    /// The step that is under way or comes next, in stages that have steps.
    pub(super) fn step(&self) -> Option<&'u Step> {
        match self.user.stage {
            Stage::Start | Stage::Task | Stage::Stop => {
                Some(&self.script.scenario.steps[usize::from(self.user.step)])
            }
            Stage::Between | Stage::Left => None,
        }
    }

    fn on_woken(&mut self) -> Move {
        match (self.user.stage, self.step()) {
            (_, Some(step)) => match &step.repeat {
                Some(repeat) if self.user.gives_up(repeat) => self.on_poll_over(step),
                _ => Action::Send(self.user.step).into(),
            },
            (Stage::Between, None) if self.script.is_open => Action::Rest.into(),
            (Stage::Between, None) => {
                let action = self.go_to_task();
                self.moved(action, None)
            }
            (_, None) => Action::Finish.into(),
        }
    }

    fn on_answered(&mut self, answer: Answer, service_ns: u64, done_ns: u64) -> Move {
        let Some(step) = self.step() else {
            return Action::Finish.into();
        };
        self.user.requests = self.user.requests.wrapping_add(1);
        let leaves = self.leaves_now();
        let mut answer = answer;
        if let Answer::Retriable(asked_ns) = answer {
            answer = Answer::Failed;
            if !leaves && let Some(action) = self.retry(step, asked_ns, done_ns) {
                return self.moved(action, None);
            }
        }
        let means_again = matches!(answer, Answer::NotYet | Answer::Failed);
        let gives_up = means_again && self.is_last_attempt(step, done_ns);
        let is_ready = step.repeat.is_some() && answer == Answer::Success;
        let poll = match (is_ready, gives_up) {
            (true, _) => Some(PollEnd::Ready {
                step: self.user.step,
                after_ns: done_ns.saturating_sub(self.user.step_since_ns),
            }),
            (_, true) => Some(PollEnd::GaveUp {
                step: self.user.step,
            }),
            _ => None,
        };
        let goes_on = match answer {
            Answer::Success => true,
            Answer::PollFailed => step.on_failure == OnFailure::GoOn,
            Answer::NotYet | Answer::Failed => {
                let is_over = step.repeat.is_none() || gives_up;
                is_over && step.on_failure == OnFailure::GoOn
            }
            Answer::Again
            | Answer::TaskDone
            | Answer::TaskOver
            | Answer::Redirected(_)
            | Answer::Retriable(_) => false,
        };
        if leaves && goes_on {
            self.complete_start();
        }
        let action = match (answer, &step.repeat) {
            _ if leaves => self.go_away(done_ns),
            (Answer::NotYet | Answer::Failed, Some(repeat)) => {
                let action = self.ask_again(step, repeat, done_ns);
                return self.moved(action, poll);
            }
            (Answer::Success, _) => self.go_on(step, self.user.intended_ns + service_ns, done_ns),
            (Answer::Again, _) => self.repeat(step, self.user.intended_ns + service_ns, done_ns),
            (Answer::TaskDone, _) => self.end_pass(done_ns),
            (Answer::TaskOver, _) => {
                self.failed_in = Some(self.user.step);
                self.end_pass(done_ns)
            }
            (Answer::Redirected(ahead), _) => {
                if let Some(flow) = &step.flow {
                    flow.begin_attempts(self.values);
                }
                let due_ns = self.user.intended_ns + service_ns;
                self.user.intended_ns = due_ns.min(self.task_over_ns(step));
                self.go_to(self.user.stage, self.user.step + ahead)
            }
            (_, _) => self.on_failed(step, done_ns),
        };
        let action = self.wait_for(action, done_ns);
        self.moved(action, poll)
    }

    /// It leaves now that its request has ended.
    pub(super) fn leaves_now(&self) -> bool {
        self.user.leaving == Leaving::AfterRequest && !self.user.is_on_its_way_out()
    }

    /// A user that leaves after its last start step has done all of them: it does the last steps too.
    pub(super) fn complete_start(&mut self) {
        let scenario = self.script.scenario;
        let is_last = scenario.after(self.user.step) == self.script.kind.start.end;
        if self.user.stage == Stage::Start && is_last {
            self.user.stage = Stage::Between;
        }
    }

    /// The next attempt of a poll, or its time to give up: the user waits for either.
    fn ask_again(&mut self, step: &Step, repeat: &Repeat, done_ns: u64) -> Action {
        let over_ns = self.task_over_ns(step);
        self.user.intended_ns = self.user.next_attempt_ns(repeat, over_ns, done_ns);
        if self.user.intended_ns > done_ns || self.user.gives_up(repeat) {
            Action::SleepUntil(self.user.intended_ns)
        } else {
            Action::Send(self.user.step)
        }
    }

    /// The time of a poll to give up has come.
    fn on_poll_over(&mut self, step: &Step) -> Move {
        let now_ns = self.user.intended_ns;
        let action = self.on_failed(step, now_ns);
        let action = self.wait_for(action, now_ns);
        self.moved(action, None)
    }

    /// The present step has failed for good. Where its task ends with it, or begins again, the task has failed.
    fn on_failed(&mut self, step: &Step, done_ns: u64) -> Action {
        let before = (self.user.stage, self.user.step);
        let action = match step.on_failure {
            OnFailure::GoOn if self.is_repeated_after_failure(step) => {
                return self.repeat(step, done_ns, done_ns);
            }
            OnFailure::GoOn => self.go_on(step, done_ns, done_ns),
            OnFailure::EndTask => self.end_pass(done_ns),
            OnFailure::Stop => self.go_away(done_ns),
        };
        self.note_failed(before);
        action
    }

    /// A step has failed for good at which the user was `before`: where its task has ended or begun again by now, the task
    /// has failed.
    pub(super) fn note_failed(&mut self, before: (Stage, StepIndex)) {
        let is_over = self.user.stage != Stage::Task || self.user.step <= before.1;
        if before.0 == Stage::Task && is_over {
            self.failed_in = Some(before.1);
        }
    }

    /// The present step is over, and the next one comes. `from_ns` is when it should have been over, `done_ns` when it was.
    pub(super) fn go_on(&mut self, step: &Step, from_ns: u64, done_ns: u64) -> Action {
        let draw = self.draw(Stream::Pause);
        let paused = |from_ns| step.pause.ends_ns(draw, from_ns, from_ns);
        let mut next = self.user.step + 1 + step.hops_left;
        if self.user.stage == Stage::Task {
            let task = self.script.scenario.task_of(self.user.step);
            let end = task.steps.end;
            next = self.arrive(next, end);
            if next == end {
                return match &task.repeat {
                    None => self.end_pass(paused(done_ns)),
                    Some(repeat) => {
                        self.end_round(step, task, repeat, [from_ns, done_ns].map(paused))
                    }
                };
            }
        }
        // If the time limit of the task passes earlier, the step fails then.
        self.user.intended_ns = paused(from_ns).min(self.task_over_ns(step));
        match self.user.stage {
            Stage::Start => self.go_to_start(next),
            Stage::Task => self.go_to(Stage::Task, next),
            Stage::Stop => self.go_to_stop(next),
            Stage::Between | Stage::Left => Action::Finish,
        }
    }

    /// Sleeps until an action is due, or does it if it is due already.
    pub(super) fn wait_for(&mut self, action: Action, now_ns: u64) -> Action {
        match action {
            Action::Send(_) | Action::Rest if self.user.intended_ns > now_ns => {
                Action::SleepUntil(self.user.intended_ns)
            }
            Action::SleepUntil(due_ns) if due_ns <= now_ns => self.go_to_task(),
            action => action,
        }
    }

    /// A pass of the work loop is over at `done_ns`: the wait before the next one begins, even if it is 0.
    pub(super) fn end_pass(&mut self, done_ns: u64) -> Action {
        if let Some(tally) = &mut self.tally {
            tally.on_pass_over();
        }
        self.user.stage = Stage::Between;
        if self.user.leaving != Leaving::No || self.has_no_pass_left() {
            return self.go_away(done_ns);
        }
        if self.script.is_open {
            return self.rest(done_ns);
        }
        let draw = self.draw(Stream::Wait);
        let since_ns = self.tally.as_ref().map_or(0, |tally| tally.pass_since_ns);
        let wait = self.script.kind.wait;
        self.user.intended_ns = wait.ends_ns(draw, since_ns, done_ns);
        Action::SleepUntil(self.user.intended_ns)
    }

    fn has_no_pass_left(&self) -> bool {
        self.tally.as_ref().is_some_and(|tally| tally.is_done())
    }

    /// Goes to a step of a stage that has steps.
    pub(super) fn go_to(&mut self, stage: Stage, step: StepIndex) -> Action {
        self.user.stage = stage;
        self.user.step = step;
        self.user.step_since_ns = self.user.intended_ns;
        Action::Send(step)
    }

    fn go_to_start(&mut self, at: StepIndex) -> Action {
        let end = self.script.kind.start.end;
        let at = self.arrive(at, end);
        if at < end {
            return self.go_to(Stage::Start, at);
        }
        self.user.stage = Stage::Between;
        match self.user.leaving {
            Leaving::No if self.script.is_open => self.rest(self.user.intended_ns),
            Leaving::No => self.go_to_task(),
            _ => self.go_away(self.user.intended_ns),
        }
    }

    fn rest(&mut self, now_ns: u64) -> Action {
        self.user.intended_ns = now_ns;
        match self.script.kind.tasks.is_empty() {
            true => self.go_away(now_ns),
            false => Action::Rest,
        }
    }

    fn go_to_task(&mut self) -> Action {
        if self.script.kind.tasks.is_empty() || self.has_no_pass_left() {
            return self.go_away(self.user.intended_ns);
        }
        *self.passes += 1;
        let scenario = self.script.scenario;
        let draw = self.draw(Stream::Task);
        let task = scenario.pick_for(self.script.kind, draw, self.values);
        let task = &scenario.tasks[task];
        if let Some(tally) = &mut self.tally {
            tally.pass_since_ns = self.user.intended_ns;
        }
        for cleared in &task.clears {
            cleared.store(b"", self.values);
        }
        if let Some(rounds) = &task.repeat {
            rounds.counter.set(self.values, 0);
        }
        // Not all of its steps are passed over: one has no condition, or its alternative.
        let first = self.arrive(task.steps.start, task.steps.end);
        self.go_to(Stage::Task, first)
    }

    fn go_to_stop(&mut self, at: StepIndex) -> Action {
        let end = self.script.kind.stop.end;
        let at = self.arrive(at, end);
        if at < end {
            return self.go_to(Stage::Stop, at);
        }
        self.user.stage = Stage::Left;
        Action::Finish
    }

    /// It leaves: by way of the last steps if it has done all start steps, else at once.
    pub(super) fn go_away(&mut self, now_ns: u64) -> Action {
        self.user.intended_ns = now_ns;
        match self.user.stage {
            Stage::Between | Stage::Task => self.go_to_stop(self.script.kind.stop.start),
            Stage::Start | Stage::Stop | Stage::Left => {
                self.user.stage = Stage::Left;
                Action::Finish
            }
        }
    }

    /// A random draw. Its count is that of ended requests: between two draws of a user for the same purpose, a request ends.
    pub(super) fn draw(&self, stream: Stream) -> u64 {
        let count = u64::from(self.user.requests);
        self.script.random.draw(self.number, stream, count)
    }
}
