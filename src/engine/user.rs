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
use crate::plan::scenario::{OnGiveUp, Repeat, Scenario, StepIndex};

/// What users act by: the same for all of them.
#[derive(Clone, Copy)]
pub struct Script<'p> {
    /// The steps and their order.
    pub scenario: &'p Scenario,
    /// Where every choice of a user is drawn from.
    pub random: Keyed,
}

/// One user's state between two happenings.
#[derive(Clone, Debug)]
pub struct User {
    /// When the request under way, or the next one, is due.
    pub intended_ns: u64,
    /// When the first attempt of the present poll was due.
    polling_since_ns: u64,
    /// The user's number in the whole run: the key of its random draws.
    pub number: u64,
    /// Passes of the work loop still to do; `u32::MAX` for no bound.
    iterations_left: u32,
    draws: u32,
    position: Position,
    gives_up: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    /// At this entry of the scenario's start steps.
    Start(u16),
    /// At this step of the work loop.
    Task(StepIndex),
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
            polling_since_ns: spawned_ns,
            number,
            iterations_left: iterations.unwrap_or(u32::MAX),
            draws: 0,
            position: Position::Start(0),
            gives_up: false,
        }
    }

    /// The first move, at the time of spawning.
    pub fn begin(&mut self, script: Script<'_>) -> Move {
        self.go_to_start(script, 0).into()
    }

    /// The next move.
    pub fn next(&mut self, script: Script<'_>, happening: Happening) -> Move {
        match happening {
            Happening::Woken if self.gives_up => self.on_given_up(script),
            Happening::Woken => Action::Send(self.step(script)).into(),
            Happening::Answered {
                answer,
                service_ns,
                done_ns,
            } => {
                let step = self.step(script);
                match (&script.scenario.steps[usize::from(step)].repeat, answer) {
                    (Some(repeat), Answer::NotYet | Answer::Failed) => {
                        self.ask_again(repeat, step, done_ns).into()
                    }
                    (repeat, _) => {
                        let poll = repeat.as_ref().map(|_| PollEnd::Ready {
                            step,
                            after_ns: done_ns.saturating_sub(self.polling_since_ns),
                        });
                        let from_ns = match answer {
                            Answer::Success => self.intended_ns + service_ns,
                            Answer::NotYet | Answer::Failed => done_ns,
                        };
                        let action = self.go_on(script, from_ns, done_ns);
                        Move { action, poll }
                    }
                }
            }
        }
    }

    /// The step that is under way or comes next.
    pub fn step(&self, script: Script<'_>) -> StepIndex {
        match self.position {
            Position::Start(at) => script.scenario.start[usize::from(at)],
            Position::Task(step) => step,
        }
    }

    fn ask_again(&mut self, repeat: &Repeat, step: StepIndex, done_ns: u64) -> Action {
        let patience_ends_ns = self.polling_since_ns + repeat.give_up_after_ns;
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
        let step = self.step(script);
        let repeat = script.scenario.steps[usize::from(step)].repeat.as_ref();
        let stops = repeat.is_some_and(|repeat| repeat.on_give_up == OnGiveUp::Stop);
        let action = if stops {
            Action::Finish
        } else {
            self.go_on(script, self.intended_ns, self.intended_ns)
        };
        let poll = Some(PollEnd::GaveUp { step });
        Move { action, poll }
    }

    /// The present step is over: on to the next. `from_ns` is when it should have been over, `done_ns` when it was.
    fn go_on(&mut self, script: Script<'_>, from_ns: u64, done_ns: u64) -> Action {
        let pause_ns = script.scenario.steps[usize::from(self.step(script))].pause_ns;
        let action = match self.position {
            Position::Start(at) => {
                self.intended_ns = from_ns + pause_ns;
                self.go_to_start(script, at + 1)
            }
            Position::Task(_) => {
                if self.iterations_left != u32::MAX {
                    self.iterations_left -= 1;
                }
                let wait_ns = script.scenario.wait.draw(self.draw(script, Stream::Wait));
                self.intended_ns = done_ns + pause_ns + wait_ns;
                self.go_to_task(script)
            }
        };
        match action {
            Action::Send(_) if self.intended_ns > done_ns => Action::SleepUntil(self.intended_ns),
            action => action,
        }
    }

    fn go_to_start(&mut self, script: Script<'_>, at: u16) -> Action {
        match script.scenario.start.get(usize::from(at)) {
            Some(&step) => {
                self.position = Position::Start(at);
                self.polling_since_ns = self.intended_ns;
                Action::Send(step)
            }
            None => self.go_to_task(script),
        }
    }

    fn go_to_task(&mut self, script: Script<'_>) -> Action {
        if script.scenario.tasks.is_empty() || self.iterations_left == 0 {
            return Action::Finish;
        }
        let step = script.scenario.pick(self.draw(script, Stream::Task));
        self.position = Position::Task(step);
        self.polling_since_ns = self.intended_ns;
        Action::Send(step)
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
    fn scenario() -> Scenario {
        let text = r#"
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
        let context = Context {
            authority: "x",
            base_path: "",
            api_key: None,
            api_key_env: "",
            env: &|_| None,
            headers: &[],
            wait: None,
            pause: None,
        };
        compile("x.toml", text, &context).expect("it is valid")
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
        let scenario = scenario();
        let script = Script {
            scenario: &scenario,
            random: Keyed::new(1),
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
            (answered(Answer::Failed, 2, 140), Action::Finish, 240),
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
