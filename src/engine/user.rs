//! The virtual user, pure: (state, happening) -> action. Register -> poll until ready -> work loop, as data asks for it.
//!
//! When a request was *intended* to start is decided here, because the user's own history decides it
//! (`report` calls the time from then on the response time):
//! - the first step: when the user was spawned;
//! - a later step of the same pass: the step before was due at T and took the service time S, so T + S (plus the
//!   pause), however late the answer was noticed (HdrHistogram issue 148). After a failure: when it failed;
//! - another attempt of a poll: one interval after the last attempt was due;
//! - a task after a wait: the end of that wait, which began with the answer before it.

use crate::load::random::{Keyed, Stream};
use crate::scenario::model::{OnFailure, Repeat, Scenario, Step, StepIndex};

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

/// One user's state between two happenings. There are a million of them, and most are asleep: what follows from a
/// user's seat (its number) or matters to few plans ([`Tally`]) is kept elsewhere.
///
/// | bytes | |
/// |---|---|
/// | 16 | two moments: the request, and the first attempt at its step, were due |
/// | 4 | requests that have ended: the count in the key of every draw |
/// | 4 | where it is: step, stage of its life, whether it was told to leave |
#[derive(Clone, Debug)]
pub struct User {
    /// When the request under way, or the next one, is due.
    pub intended_ns: u64,
    /// When the first attempt of the present step was due.
    step_since_ns: u64,
    /// Requests that have ended.
    requests: u32,
    /// The step that is under way or comes next, where the stage has steps.
    step: StepIndex,
    stage: Stage,
    leaving: Leaving,
}

const _: () = assert!(size_of::<User>() == 24);

/// What is kept of a user beside its state where the plan asks for it: with bounded iterations, paced waits, tasks
/// with a time limit, or seats that several users have one after the other.
#[derive(Clone, Debug)]
pub struct Tally {
    /// When the present pass of the work loop was due; in an open load, when its user began it.
    pass_since_ns: u64,
    /// Passes of the work loop still to do; `u32::MAX` for no bound.
    passes_left: u32,
    /// Users that had this seat before.
    pub predecessors: u32,
}

/// A user and all that it acts by.
pub struct Acting<'u> {
    /// Its state.
    pub user: &'u mut User,
    /// Where the plan asks for one.
    pub tally: Option<&'u mut Tally>,
    /// Its number in the whole run: the key of its random draws.
    pub number: u64,
    /// The same for all users.
    pub script: Script<'u>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// At a step of the start.
    Start,
    /// Between two passes of the work loop.
    Between,
    /// At a step of a task.
    Task,
    /// At a step of the end.
    Stop,
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
    /// A poll's answer that ends it as a failure.
    PollFailed,
    /// The time of the task is over.
    TaskOver,
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
    /// A user that begins at `spawned_ns`.
    pub fn new(spawned_ns: u64) -> Self {
        Self {
            intended_ns: spawned_ns,
            step_since_ns: spawned_ns,
            requests: 0,
            step: 0,
            stage: Stage::Between,
            leaving: Leaving::No,
        }
    }

    /// It is told to leave, or to stay after all.
    pub fn set_leaving(&mut self, leaving: Leaving) {
        self.leaving = leaving;
    }

    /// The step that is under way or comes next. To be asked only while there is one.
    pub fn step(&self) -> StepIndex {
        self.step
    }

    /// Which of its requests that is, counted from 1: the key of the values made for it.
    pub fn request_number(&self) -> u32 {
        self.requests.wrapping_add(1)
    }

    /// It does its last steps, or has left: it cannot be told to stay any more.
    pub fn is_on_its_way_out(&self) -> bool {
        matches!(self.stage, Stage::Stop | Stage::Gone)
    }

    /// The plan wants fewer users, or the run is over.
    pub fn is_told_to_leave(&self) -> bool {
        self.leaving != Leaving::No
    }

    /// It is done for good.
    pub fn has_left(&self) -> bool {
        self.stage == Stage::Gone
    }

    /// The present attempt at its step is the first.
    pub fn is_first_attempt(&self) -> bool {
        self.intended_ns == self.step_since_ns
    }

    /// A poll whose present attempt ended at `done_ns` gives up, or asks again, then: as `over_ns`, the end of its
    /// task, allows.
    fn next_attempt_ns(&self, repeat: &Repeat, over_ns: u64, done_ns: u64) -> u64 {
        let due_ns = (self.intended_ns + repeat.every_ns).max(done_ns);
        let last_ns = self.patience_ends_ns(repeat).min(over_ns).max(done_ns);
        // Later than the first attempt, by which the first is known.
        due_ns.min(last_ns).max(self.step_since_ns + 1)
    }

    fn patience_ends_ns(&self, repeat: &Repeat) -> u64 {
        self.step_since_ns + repeat.give_up_after_ns
    }

    /// The patience of its poll is over with this moment.
    fn gives_up(&self, repeat: &Repeat) -> bool {
        !self.is_first_attempt() && self.intended_ns >= self.patience_ends_ns(repeat)
    }
}

impl Tally {
    /// Of a user that begins at `spawned_ns` and leaves after `iterations` passes of the work loop, or never; `predecessors`
    /// others had its seat before.
    pub fn new(spawned_ns: u64, iterations: Option<u32>, predecessors: u32) -> Self {
        Self {
            pass_since_ns: spawned_ns,
            passes_left: iterations.unwrap_or(u32::MAX),
            predecessors,
        }
    }

    /// It has done all its passes of the work loop.
    pub fn is_done(&self) -> bool {
        self.passes_left == 0
    }

    fn on_pass_over(&mut self) {
        if self.passes_left != u32::MAX {
            self.passes_left -= 1;
        }
    }
}

/// When the task is over that a user is at with this step; never, if it has no time limit.
pub fn task_over_ns(step: &Step, tally: Option<&Tally>) -> u64 {
    match (step.within_ns, tally) {
        (Some(within_ns), Some(tally)) => tally.pass_since_ns + within_ns,
        _ => u64::MAX,
    }
}

impl<'u> Acting<'u> {
    /// The first move, at the time of spawning.
    pub fn begin(&mut self) -> Move {
        self.go_to_start(self.script.scenario.start.start).into()
    }

    /// The next move.
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

    /// It rests, and does the pass of the work loop that was due at `due_ns`. Its time counts from now on: in the line
    /// nobody worked on it.
    pub fn on_arrival(&mut self, due_ns: u64, now_ns: u64) -> Action {
        self.user.intended_ns = due_ns;
        let action = self.go_to_task();
        if let Some(tally) = &mut self.tally {
            tally.pass_since_ns = now_ns;
        }
        action
    }

    fn task_over_ns(&self, step: &Step) -> u64 {
        task_over_ns(step, self.tally.as_deref())
    }

    /// Its poll gives up, should the attempt under way end now without what it waits for: no other one begins before
    /// the patience is over.
    pub fn is_last_attempt(&self, step: &Step, now_ns: u64) -> bool {
        step.repeat.as_ref().is_some_and(|repeat| {
            let over_ns = self.task_over_ns(step);
            let next_ns = self.user.next_attempt_ns(repeat, over_ns, now_ns);
            next_ns >= self.user.patience_ends_ns(repeat)
        })
    }

    /// Its move when it was told to leave, is asleep, and nothing that it is in the middle of holds it.
    pub fn leave_from_sleep(&mut self, now_ns: u64) -> Option<Move> {
        match (self.user.leaving, self.user.stage) {
            (Leaving::AfterPass | Leaving::AfterRequest, Stage::Between)
            | (Leaving::AfterRequest, Stage::Start | Stage::Task) => {
                Some(self.go_away(now_ns).into())
            }
            _ => None,
        }
    }

    /// The step that is under way or comes next, if that is known.
    fn step(&self) -> Option<&'u Step> {
        match self.user.stage {
            Stage::Start | Stage::Task | Stage::Stop => {
                Some(&self.script.scenario.steps[usize::from(self.user.step)])
            }
            Stage::Between | Stage::Gone => None,
        }
    }

    fn on_woken(&mut self) -> Move {
        match (self.user.stage, self.step()) {
            (_, Some(step)) => match &step.repeat {
                Some(repeat) if self.user.gives_up(repeat) => self.on_patience_over(step),
                _ => Action::Send(self.user.step).into(),
            },
            (Stage::Between, None) if self.script.is_open => Action::Rest.into(),
            (Stage::Between, None) => self.go_to_task().into(),
            (_, None) => Action::Finish.into(),
        }
    }

    fn on_answered(&mut self, answer: Answer, service_ns: u64, done_ns: u64) -> Move {
        let Some(step) = self.step() else {
            return Action::Finish.into();
        };
        self.user.requests = self.user.requests.wrapping_add(1);
        let leaves = self.user.leaving == Leaving::AfterRequest && !self.user.is_on_its_way_out();
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
            Answer::TaskOver => false,
        };
        if leaves && goes_on && self.is_last_of_start() {
            // It has been through the start: it does the stop steps too.
            self.user.stage = Stage::Between;
        }
        let action = match (answer, &step.repeat) {
            _ if leaves => self.go_away(done_ns),
            (Answer::NotYet | Answer::Failed, Some(repeat)) => {
                let action = self.ask_again(step, repeat, done_ns);
                return Move { action, poll };
            }
            (Answer::Success, _) => self.go_on(step, self.user.intended_ns + service_ns, done_ns),
            (Answer::TaskOver, _) => self.end_pass(done_ns),
            (Answer::NotYet | Answer::Failed | Answer::PollFailed, _) => {
                self.on_failed(step, done_ns)
            }
        };
        let action = self.wait_for(action, done_ns);
        Move { action, poll }
    }

    fn is_last_of_start(&self) -> bool {
        let is_last = self.user.step + 1 == self.script.scenario.start.end;
        self.user.stage == Stage::Start && is_last
    }

    /// The next attempt of a poll, or the end of its patience, which the user waits for either way.
    fn ask_again(&mut self, step: &Step, repeat: &Repeat, done_ns: u64) -> Action {
        let over_ns = self.task_over_ns(step);
        self.user.intended_ns = self.user.next_attempt_ns(repeat, over_ns, done_ns);
        if self.user.intended_ns > done_ns || self.user.gives_up(repeat) {
            Action::SleepUntil(self.user.intended_ns)
        } else {
            Action::Send(self.user.step)
        }
    }

    /// The patience of a poll is over.
    fn on_patience_over(&mut self, step: &Step) -> Move {
        let now_ns = self.user.intended_ns;
        let action = self.on_failed(step, now_ns);
        self.wait_for(action, now_ns).into()
    }

    /// The present step has failed for good.
    fn on_failed(&mut self, step: &Step, done_ns: u64) -> Action {
        match step.on_failure {
            OnFailure::GoOn => self.go_on(step, done_ns, done_ns),
            OnFailure::EndTask => self.end_pass(done_ns),
            OnFailure::Stop => self.go_away(done_ns),
        }
    }

    /// The present step is over: on to the next. `from_ns` is when it should have been over, `done_ns` when it was.
    fn go_on(&mut self, step: &Step, from_ns: u64, done_ns: u64) -> Action {
        let draw = self.draw(Stream::Pause);
        let paused = |from_ns| step.pause.ends_ns(draw, from_ns, from_ns);
        let next = self.user.step + 1;
        match self.user.stage {
            Stage::Task if self.script.scenario.ends_a_task(self.user.step) => {
                return self.end_pass(paused(done_ns));
            }
            // Should the task be over before, it fails when it is.
            _ => self.user.intended_ns = paused(from_ns).min(self.task_over_ns(step)),
        }
        match self.user.stage {
            Stage::Start => self.go_to_start(next),
            Stage::Task => self.go_to(Stage::Task, next),
            Stage::Stop => self.go_to_stop(next),
            Stage::Between | Stage::Gone => Action::Finish,
        }
    }

    /// What is not due yet is waited for, and what is due is done.
    fn wait_for(&mut self, action: Action, now_ns: u64) -> Action {
        match action {
            Action::Send(_) | Action::Rest if self.user.intended_ns > now_ns => {
                Action::SleepUntil(self.user.intended_ns)
            }
            Action::SleepUntil(due_ns) if due_ns <= now_ns => self.go_to_task(),
            action => action,
        }
    }

    /// A pass of the work loop is over at `done_ns`: the wait for the next one, however short.
    fn end_pass(&mut self, done_ns: u64) -> Action {
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
        let wait = self.script.scenario.wait;
        self.user.intended_ns = wait.ends_ns(draw, since_ns, done_ns);
        Action::SleepUntil(self.user.intended_ns)
    }

    fn has_no_pass_left(&self) -> bool {
        self.tally.as_ref().is_some_and(|tally| tally.is_done())
    }

    /// To a step of a stage that has steps.
    fn go_to(&mut self, stage: Stage, step: StepIndex) -> Action {
        self.user.stage = stage;
        self.user.step = step;
        self.user.step_since_ns = self.user.intended_ns;
        Action::Send(step)
    }

    fn go_to_start(&mut self, at: StepIndex) -> Action {
        if at < self.script.scenario.start.end {
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
        match self.script.scenario.tasks.is_empty() {
            true => self.go_away(now_ns),
            false => Action::Rest,
        }
    }

    fn go_to_task(&mut self) -> Action {
        if self.script.scenario.tasks.is_empty() || self.has_no_pass_left() {
            return self.go_away(self.user.intended_ns);
        }
        let task = self.script.scenario.pick(self.draw(Stream::Task));
        if let Some(tally) = &mut self.tally {
            tally.pass_since_ns = self.user.intended_ns;
        }
        let first = self.script.scenario.tasks[task].steps.start;
        self.go_to(Stage::Task, first)
    }

    fn go_to_stop(&mut self, at: StepIndex) -> Action {
        if at < self.script.scenario.stop.end {
            return self.go_to(Stage::Stop, at);
        }
        self.user.stage = Stage::Gone;
        Action::Finish
    }

    /// It leaves: by way of the last steps when it has been through the first ones, else at once.
    fn go_away(&mut self, now_ns: u64) -> Action {
        self.user.intended_ns = now_ns;
        match self.user.stage {
            Stage::Between | Stage::Task => self.go_to_stop(self.script.scenario.stop.start),
            Stage::Start | Stage::Stop | Stage::Gone => {
                self.user.stage = Stage::Gone;
                Action::Finish
            }
        }
    }

    /// No two draws of a user for the same purpose have the same count: between them it has ended a request.
    fn draw(&self, stream: Stream) -> u64 {
        let count = u64::from(self.user.requests);
        self.script.random.draw(self.number, stream, count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::format::compile::{Context, compile};

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
        compile("x.toml", text, &Context::plain()).expect("it is valid")
    }

    const GAVE_UP: Option<PollEnd> = Some(PollEnd::GaveUp { step: 1 });

    fn ready(after_ms: u64) -> Option<PollEnd> {
        Some(PollEnd::Ready {
            step: 1,
            after_ns: after_ms * MS,
        })
    }

    fn answered(answer: Answer, service_ms: u64, done_ms: u64) -> Happening {
        Happening::Answered {
            answer,
            service_ns: service_ms * MS,
            done_ns: done_ms * MS,
        }
    }

    /// Tells a user of a scenario what happens, one after the other; each time it must want this, due then (in ms), and
    /// have ended its poll like this.
    fn check_of(text: &str, story: &[(Happening, Action, u64, Option<PollEnd>)]) {
        let scenario = scenario(text);
        let script = Script {
            scenario: &scenario,
            random: Keyed::new(1),
            is_open: false,
        };
        let mut user = Acting {
            user: &mut User::new(0),
            tally: Some(&mut Tally::new(0, Some(2), 0)),
            number: 0,
            script,
        };
        assert_eq!(user.begin().action, Action::Send(0));
        for (index, (happening, action, due_ms, poll)) in story.iter().enumerate() {
            let next = user.next(*happening);
            assert_eq!((next.action, next.poll), (*action, *poll), "at {index}");
            assert_eq!(user.user.intended_ns, due_ms * MS, "at {index}");
        }
    }

    fn check(story: &[(Happening, Action, u64, Option<PollEnd>)]) {
        check_of(WORK, story);
    }

    #[test]
    fn lateness_is_inherited_within_a_pass_and_a_wait_begins_with_the_answer() {
        let success = Answer::Success;
        check(&[
            // It left 15 ms late and took 5: the next one was due at 5, though it is 20 already.
            (answered(success, 5, 20), Action::Send(1), 5, None),
            (answered(success, 3, 24), Action::Send(2), 8, ready(19)),
            (
                answered(success, 2, 30),
                Action::SleepUntil(130 * MS),
                130,
                None,
            ),
            (Happening::Woken, Action::Send(2), 130, None),
            (answered(Answer::Failed, 2, 140), Action::Finish, 140, None),
        ]);
    }

    #[test]
    fn a_poll_keeps_its_times_and_its_patience() {
        let not_yet = Answer::NotYet;
        check(&[
            (answered(Answer::Success, 1, 1), Action::Send(1), 1, None),
            (
                answered(not_yet, 2, 3),
                Action::SleepUntil(11 * MS),
                11,
                None,
            ),
            (Happening::Woken, Action::Send(1), 11, None),
            // Answered after the next attempt was due: that one goes out at once.
            (answered(not_yet, 11, 22), Action::Send(1), 22, None),
            // The next would be due at 32, and patience ends at 26: it has given up, and waits for that.
            (
                answered(not_yet, 1, 23),
                Action::SleepUntil(26 * MS),
                26,
                GAVE_UP,
            ),
            (Happening::Woken, Action::Send(2), 26, None),
        ]);
    }

    #[test]
    fn an_attempt_that_ends_after_the_patience_is_the_last() {
        for answer in [Answer::NotYet, Answer::Failed] {
            check(&[
                (answered(Answer::Success, 1, 1), Action::Send(1), 1, None),
                (
                    answered(answer, 40, 41),
                    Action::SleepUntil(41 * MS),
                    41,
                    GAVE_UP,
                ),
                (Happening::Woken, Action::Send(2), 41, None),
            ]);
        }
    }

    #[test]
    fn an_answer_that_ends_a_poll_is_not_asked_for_again() {
        check(&[
            (answered(Answer::Success, 1, 1), Action::Send(1), 1, None),
            (answered(Answer::PollFailed, 2, 3), Action::Send(2), 3, None),
        ]);
    }

    /// A task of a step with a pause, a poll and another step, 20 ms for all.
    const TIMED: &str = r#"
            name = "x"
            wait = "100ms"
            [[task]]
            within = "20ms"
            [[task.step]]
            method = "GET"
            path = "/first"
            pause = "5ms"
            on_failure = "stop"
            [[task.step]]
            method = "GET"
            path = "/poll"
            retry_every = "8ms"
            give_up_after = "1s"
            [[task.step]]
            method = "GET"
            path = "/last"
        "#;

    #[test]
    fn nothing_of_a_task_is_due_after_its_time() {
        let (success, not_yet) = (Answer::Success, Answer::NotYet);
        check_of(
            TIMED,
            &[
                // The pause would end at 22.
                (
                    answered(success, 17, 17),
                    Action::SleepUntil(20 * MS),
                    20,
                    None,
                ),
                (Happening::Woken, Action::Send(1), 20, None),
                // Its time is over before it is sent; the task fails, whatever the step wants on failure.
                (
                    answered(Answer::TaskOver, 0, 20),
                    Action::SleepUntil(120 * MS),
                    120,
                    None,
                ),
                (Happening::Woken, Action::Send(0), 120, None),
                (
                    answered(success, 2, 122),
                    Action::SleepUntil(127 * MS),
                    127,
                    None,
                ),
                (Happening::Woken, Action::Send(1), 127, None),
                (
                    answered(not_yet, 1, 128),
                    Action::SleepUntil(135 * MS),
                    135,
                    None,
                ),
                (Happening::Woken, Action::Send(1), 135, None),
                // The next attempt would be due at 143. The poll does not give up: its patience would last.
                (
                    answered(not_yet, 1, 136),
                    Action::SleepUntil(140 * MS),
                    140,
                    None,
                ),
                (Happening::Woken, Action::Send(1), 140, None),
                (
                    answered(Answer::TaskOver, 0, 140),
                    Action::Finish,
                    140,
                    None,
                ),
            ],
        );
    }
}
