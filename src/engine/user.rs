//! The virtual user, pure: (state, happening) -> action. Register -> poll until ready -> work loop, as data asks for it.
//!
//! When a request was *intended* to start is decided here, because the user's own history decides it
//! (`report` calls the time from then on the response time):
//! - the first step: when the user was spawned;
//! - a later step of the same pass: the step before was due at T and took the service time S, so T + S (plus the
//!   pause), however late the answer was noticed (HdrHistogram issue 148). After a failure: when it failed;
//! - another attempt of a poll: one interval after the last attempt was due;
//! - a task after a wait: the end of that wait, which began with the answer before it.

use crate::plan::random::{Keyed, Stream};
use crate::plan::scenario::{OnFailure, Repeat, Scenario, Step, StepIndex};

/// What users act by: the same for all of them.
#[derive(Clone, Copy)]
pub struct Script<'p> {
    /// The steps and their order.
    pub scenario: &'p Scenario,
    /// Where every choice of a user is drawn from.
    pub random: Keyed,
    /// Passes of the work loop begin when arrivals come (an open load), not when users are through with their waits.
    pub is_open: bool,
}

/// One user's state between two happenings.
#[derive(Clone, Debug)]
pub struct User {
    /// When the request under way, or the next one, is due.
    pub intended_ns: u64,
    /// When the first attempt of the present step was due.
    step_since_ns: u64,
    /// When the present pass of the work loop was due.
    pass_since_ns: u64,
    /// The user's number in the whole run: the key of its random draws.
    pub number: u64,
    /// Passes of the work loop still to do; `u32::MAX` for no bound.
    iterations_left: u32,
    draws: u32,
    position: Position,
    gives_up: bool,
    leaving: Leaving,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    /// At this step of the start.
    Start(StepIndex),
    /// Between two passes of the work loop.
    Between,
    /// At this step of this task.
    Task { task: u16, step: StepIndex },
    /// At this step of the end.
    Stop(StepIndex),
    /// It has left.
    Gone,
}

/// Whether a user has been told to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leaving {
    /// No.
    No,
    /// When its pass of the work loop is over: the plan wants fewer users.
    AfterPass,
    /// When its request has ended: the run is over.
    AfterRequest,
}

/// What a user is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// The time it asked for has come.
    Woken,
    /// Its request has an outcome.
    Answered {
        /// How it ended.
        answer: Answer,
        /// From submission to outcome.
        service_ns: u64,
        /// When the outcome came.
        done_ns: u64,
    },
}

/// How a request ended, in the eyes of the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// As the step expects.
    Success,
    /// A poll's answer that means "ask again".
    NotYet,
    /// Anything else.
    Failed,
}

/// What a user wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send this step's request now; it was due at [`User::intended_ns`].
    Send(StepIndex),
    /// Wake me then.
    SleepUntil(u64),
    /// I am ready for the next arrival.
    Rest,
    /// I am done for good.
    Finish,
}

/// How a poll ended, for the statistics of readiness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollEnd {
    /// The expected answer came, this long after the first attempt was due.
    Ready {
        /// The poll.
        step: StepIndex,
        /// From the first attempt's due time to the answer.
        after_ns: u64,
    },
    /// The patience ran out.
    GaveUp {
        /// The poll.
        step: StepIndex,
    },
}

/// A user's move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// What it wants.
    pub action: Action,
    /// Set when a poll has just ended.
    pub poll: Option<PollEnd>,
}

impl From<Action> for Move {
    fn from(action: Action) -> Self {
        Self { action, poll: None }
    }
}

impl User {
    /// A user that begins at `spawned_ns` and leaves after `iterations` passes of the work loop, or never.
    pub fn new(number: u64, spawned_ns: u64, iterations: Option<u32>) -> Self {
        Self {
            intended_ns: spawned_ns,
            step_since_ns: spawned_ns,
            pass_since_ns: spawned_ns,
            number,
            iterations_left: iterations.unwrap_or(u32::MAX),
            draws: 0,
            position: Position::Between,
            gives_up: false,
            leaving: Leaving::No,
        }
    }

    /// The first move, at the time of spawning.
    pub fn begin(&mut self, script: Script<'_>) -> Move {
        self.go_to_start(script, script.scenario.start.start).into()
    }

    /// The next move.
    pub fn next(&mut self, script: Script<'_>, happening: Happening) -> Move {
        match happening {
            Happening::Woken if self.gives_up => self.on_given_up(script),
            Happening::Woken => match self.position {
                Position::Between if script.is_open => Action::Rest.into(),
                Position::Between => self.go_to_task(script).into(),
                _ => self.step().map_or(Action::Finish, Action::Send).into(),
            },
            Happening::Answered {
                answer,
                service_ns,
                done_ns,
            } => self.on_answered(script, answer, service_ns, done_ns),
        }
    }

    /// It rests, and does the pass of the work loop that was due at `due_ns`.
    pub fn on_arrival(&mut self, script: Script<'_>, due_ns: u64) -> Action {
        self.intended_ns = due_ns;
        self.go_to_task(script)
    }

    /// It is told to leave, or to stay after all.
    pub fn tell(&mut self, leaving: Leaving) {
        self.leaving = leaving;
    }

    /// Its move when it was told to leave, is asleep, and nothing that it is in the middle of holds it.
    pub fn leave_from_sleep(&mut self, script: Script<'_>, now_ns: u64) -> Option<Move> {
        match (self.leaving, self.position) {
            (Leaving::AfterPass | Leaving::AfterRequest, Position::Between)
            | (Leaving::AfterRequest, Position::Start(_) | Position::Task { .. }) => {
                self.gives_up = false;
                Some(self.go_away(script, now_ns).into())
            }
            _ => None,
        }
    }

    /// It does its last steps, or has left: it cannot be told to stay any more.
    pub fn is_on_its_way_out(&self) -> bool {
        matches!(self.position, Position::Stop(_) | Position::Gone)
    }

    /// It is done for good.
    pub fn has_left(&self) -> bool {
        self.position == Position::Gone
    }

    /// The present attempt at its step is the first.
    pub fn is_first_attempt(&self) -> bool {
        self.intended_ns == self.step_since_ns
    }

    /// The step that is under way or comes next, if that is known.
    fn step(&self) -> Option<StepIndex> {
        match self.position {
            Position::Start(step) | Position::Task { step, .. } | Position::Stop(step) => {
                Some(step)
            }
            Position::Between | Position::Gone => None,
        }
    }

    fn on_answered(
        &mut self,
        script: Script<'_>,
        answer: Answer,
        service_ns: u64,
        done_ns: u64,
    ) -> Move {
        let Some(index) = self.step() else {
            return Action::Finish.into();
        };
        let step = &script.scenario.steps[usize::from(index)];
        let leaves = self.leaving == Leaving::AfterRequest && !self.is_on_its_way_out();
        let asks_again = answer != Answer::Success && !leaves;
        if let Some(repeat) = step.repeat.as_ref().filter(|_| asks_again) {
            return self.ask_again(repeat, index, done_ns).into();
        }
        let is_ready = step.repeat.is_some() && answer == Answer::Success;
        let poll = is_ready.then(|| PollEnd::Ready {
            step: index,
            after_ns: done_ns.saturating_sub(self.step_since_ns),
        });
        let action = match answer {
            _ if leaves => self.go_away(script, done_ns),
            Answer::Success => self.go_on(script, step, self.intended_ns + service_ns, done_ns),
            Answer::NotYet | Answer::Failed => self.on_failed(script, step, done_ns),
        };
        let action = self.wait_for(script, action, done_ns);
        Move { action, poll }
    }

    fn ask_again(&mut self, repeat: &Repeat, step: StepIndex, done_ns: u64) -> Action {
        let patience_ends_ns = self.step_since_ns + repeat.give_up_after_ns;
        let due_ns = (self.intended_ns + repeat.every_ns).max(done_ns);
        self.gives_up = due_ns >= patience_ends_ns;
        self.intended_ns = due_ns.min(patience_ends_ns.max(done_ns));
        if self.intended_ns > done_ns || self.gives_up {
            Action::SleepUntil(self.intended_ns)
        } else {
            Action::Send(step)
        }
    }

    fn on_given_up(&mut self, script: Script<'_>) -> Move {
        self.gives_up = false;
        let Some(index) = self.step() else {
            return Action::Finish.into();
        };
        let step = &script.scenario.steps[usize::from(index)];
        let now_ns = self.intended_ns;
        let action = self.on_failed(script, step, now_ns);
        let action = self.wait_for(script, action, now_ns);
        let poll = Some(PollEnd::GaveUp { step: index });
        Move { action, poll }
    }

    /// The present step has failed for good.
    fn on_failed(&mut self, script: Script<'_>, step: &Step, done_ns: u64) -> Action {
        match step.on_failure {
            OnFailure::GoOn => self.go_on(script, step, done_ns, done_ns),
            OnFailure::EndTask => self.end_pass(script, done_ns),
            OnFailure::Stop => self.go_away(script, done_ns),
        }
    }

    /// The present step is over: on to the next. `from_ns` is when it should have been over, `done_ns` when it was.
    fn go_on(&mut self, script: Script<'_>, step: &Step, from_ns: u64, done_ns: u64) -> Action {
        let draw = self.draw(script, Stream::Pause);
        let paused = |from_ns| step.pause.ends_ns(draw, from_ns, from_ns);
        let next = |step: StepIndex| step + 1;
        match self.position {
            Position::Start(at) => {
                self.intended_ns = paused(from_ns);
                self.go_to_start(script, next(at))
            }
            Position::Task { task, step } => {
                if next(step) == script.scenario.tasks[usize::from(task)].steps.end {
                    return self.end_pass(script, paused(done_ns));
                }
                self.intended_ns = paused(from_ns);
                self.go_to(Position::Task {
                    task,
                    step: next(step),
                })
            }
            Position::Stop(at) => {
                self.intended_ns = paused(from_ns);
                self.go_to_stop(script, next(at))
            }
            Position::Between | Position::Gone => Action::Finish,
        }
    }

    /// What is not due yet is waited for, and what is due is done.
    fn wait_for(&mut self, script: Script<'_>, action: Action, now_ns: u64) -> Action {
        match action {
            Action::Send(_) | Action::Rest if self.intended_ns > now_ns => {
                Action::SleepUntil(self.intended_ns)
            }
            Action::SleepUntil(due_ns) if due_ns <= now_ns => self.go_to_task(script),
            action => action,
        }
    }

    /// A pass of the work loop is over at `done_ns`: the wait for the next one, however short.
    fn end_pass(&mut self, script: Script<'_>, done_ns: u64) -> Action {
        if self.iterations_left != u32::MAX {
            self.iterations_left -= 1;
        }
        self.position = Position::Between;
        if self.leaving != Leaving::No || self.iterations_left == 0 {
            return self.go_away(script, done_ns);
        }
        if script.is_open {
            return self.rest(script, done_ns);
        }
        let draw = self.draw(script, Stream::Wait);
        let wait = script.scenario.wait;
        self.intended_ns = wait.ends_ns(draw, self.pass_since_ns, done_ns);
        Action::SleepUntil(self.intended_ns)
    }

    fn go_to(&mut self, position: Position) -> Action {
        self.position = position;
        self.step_since_ns = self.intended_ns;
        self.step().map_or(Action::Finish, Action::Send)
    }

    fn go_to_start(&mut self, script: Script<'_>, at: StepIndex) -> Action {
        if at < script.scenario.start.end {
            return self.go_to(Position::Start(at));
        }
        self.position = Position::Between;
        match self.leaving {
            Leaving::No if script.is_open => self.rest(script, self.intended_ns),
            Leaving::No => self.go_to_task(script),
            _ => self.go_away(script, self.intended_ns),
        }
    }

    fn rest(&mut self, script: Script<'_>, now_ns: u64) -> Action {
        self.intended_ns = now_ns;
        match script.scenario.tasks.is_empty() {
            true => self.go_away(script, now_ns),
            false => Action::Rest,
        }
    }

    fn go_to_task(&mut self, script: Script<'_>) -> Action {
        if script.scenario.tasks.is_empty() || self.iterations_left == 0 {
            return self.go_away(script, self.intended_ns);
        }
        let task = script.scenario.pick(self.draw(script, Stream::Task));
        self.pass_since_ns = self.intended_ns;
        self.go_to(Position::Task {
            task: task as u16,
            step: script.scenario.tasks[task].steps.start,
        })
    }

    fn go_to_stop(&mut self, script: Script<'_>, at: StepIndex) -> Action {
        if at < script.scenario.stop.end {
            return self.go_to(Position::Stop(at));
        }
        self.go_to(Position::Gone)
    }

    /// It leaves: by way of the last steps when it has been through the first ones, else at once.
    fn go_away(&mut self, script: Script<'_>, now_ns: u64) -> Action {
        self.intended_ns = now_ns;
        match self.position {
            Position::Between | Position::Task { .. } => {
                self.go_to_stop(script, script.scenario.stop.start)
            }
            Position::Start(_) | Position::Stop(_) | Position::Gone => self.go_to(Position::Gone),
        }
    }

    fn draw(&mut self, script: Script<'_>, stream: Stream) -> u64 {
        self.draws = self.draws.wrapping_add(1);
        script
            .random
            .draw(self.number, stream, u64::from(self.draws))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::compile::{Context, compile};

    const MS: u64 = 1_000_000;

    /// Two start steps, the second a poll, then one task with a wait of 100 ms.
    const WORK: &str = r#"
            name = "x"
            wait = "100ms"
            [[start]]
            method = "POST"
            path = "/first"
            [[start]]
            method = "GET"
            path = "/poll"
            retry_every = "10ms"
            give_up_after = "25ms"
            [[task]]
            method = "GET"
            path = "/work"
        "#;

    fn scenario(text: &str) -> Scenario {
        compile("x.toml", text, &Context::plain("x")).expect("it is valid")
    }

    fn answered(answer: Answer, service_ms: u64, done_ms: u64) -> Happening {
        Happening::Answered {
            answer,
            service_ns: service_ms * MS,
            done_ns: done_ms * MS,
        }
    }

    /// Tells a user what happens, one after the other; each time it must want this, due then (in ms).
    fn check(story: &[(Happening, Action, u64)]) {
        let scenario = scenario(WORK);
        let script = Script {
            scenario: &scenario,
            random: Keyed::new(1),
            is_open: false,
        };
        let mut user = User::new(0, 0, Some(2));
        assert_eq!(user.begin(script).action, Action::Send(0));
        for (index, (happening, action, due_ms)) in story.iter().enumerate() {
            assert_eq!(user.next(script, *happening).action, *action, "at {index}");
            assert_eq!(user.intended_ns, due_ms * MS, "at {index}");
        }
    }

    #[test]
    fn lateness_is_inherited_within_a_pass_and_a_wait_begins_with_the_answer() {
        let success = Answer::Success;
        check(&[
            // It left 15 ms late and took 5: the next one was due at 5, though it is 20 already.
            (answered(success, 5, 20), Action::Send(1), 5),
            (answered(success, 3, 24), Action::Send(2), 8),
            (answered(success, 2, 30), Action::SleepUntil(130 * MS), 130),
            (Happening::Woken, Action::Send(2), 130),
            (answered(Answer::Failed, 2, 140), Action::Finish, 140),
        ]);
    }

    #[test]
    fn a_poll_keeps_its_times_and_its_patience() {
        let not_yet = Answer::NotYet;
        check(&[
            (answered(Answer::Success, 1, 1), Action::Send(1), 1),
            (answered(not_yet, 2, 3), Action::SleepUntil(11 * MS), 11),
            (Happening::Woken, Action::Send(1), 11),
            // Answered after the next attempt was due: that one goes out at once.
            (answered(not_yet, 11, 22), Action::Send(1), 22),
            // The next would be due at 32, and patience ends at 26.
            (answered(not_yet, 1, 23), Action::SleepUntil(26 * MS), 26),
            (Happening::Woken, Action::Send(2), 26),
        ]);
    }
}
