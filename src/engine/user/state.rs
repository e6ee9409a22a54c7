//! What a user remembers between two happenings.

use crate::scenario::model::{Repeat, Step, StepIndex};

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
    /// When the request under way, or the next one, is due, on the driver's clock.
    pub intended_ns: u64,
    /// When the first attempt at the present step was due.
    pub(super) step_since_ns: u64,
    /// Requests that have ended.
    pub(super) requests: u32,
    /// The step that is under way or comes next, in stages that have steps.
    pub(super) step: StepIndex,
    pub(super) stage: Stage,
    pub(super) leaving: Leaving,
}

const _: () = assert!(size_of::<User>() == 24);

/// What is kept of a user beside its state where the plan needs it: with bounded iterations, paced waits, tasks with a
/// time limit, rows for each iteration, or seats that several users have one after the other.
#[derive(Clone, Debug)]
pub struct Tally {
    /// When the present pass of the work loop was due; in an open load, when its user began it.
    pub(super) pass_since_ns: u64,
    /// Passes of the work loop still to do. Without a bound it counts down from `u32::MAX`, and stays above
    /// [`PASSES_BOUND_MAX`].
    passes_left: u32,
    /// Users that had this seat before.
    pub predecessors: u32,
}

/// Largest bound of passes; more of them are as good as none.
const PASSES_BOUND_MAX: u32 = 1 << 31;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// At a start step.
    Start,
    /// Between two passes of the work loop.
    Between,
    /// At a step of a task.
    Task,
    /// At a last step.
    Stop,
    /// It has left.
    Left,
}

/// Whether a user was told to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leaving {
    /// It stays.
    No,
    /// It leaves after its pass of the work loop: the load wants fewer users.
    AfterPass,
    /// It leaves after its request: the load is over.
    AfterRequest,
}

impl User {
    /// A user that begins at `spawned_ns` of the driver's clock.
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

    /// The user as it is for one of the steps that it sends at once, at this place among them. The number of the request
    /// is another one for each.
    pub fn at_part(&self, place: StepIndex) -> Self {
        Self {
            requests: self.requests.wrapping_add(u32::from(place)),
            step: self.step + place,
            ..self.clone()
        }
    }

    /// Tells it to leave, or to stay after all.
    pub fn set_leaving(&mut self, leaving: Leaving) {
        self.leaving = leaving;
    }

    /// The step that is under way or comes next. Valid only while there is one.
    pub fn step(&self) -> StepIndex {
        self.step
    }

    /// The number of its present request, counted from 1: the key of the values made for it.
    pub fn request_number(&self) -> u32 {
        self.requests.wrapping_add(1)
    }

    /// It does its last steps, or has left: it cannot stay any more.
    pub fn is_on_its_way_out(&self) -> bool {
        matches!(self.stage, Stage::Stop | Stage::Left)
    }

    /// The load wants fewer users, or is over.
    pub fn is_told_to_leave(&self) -> bool {
        self.leaving != Leaving::No
    }

    /// It has left for good.
    pub fn has_left(&self) -> bool {
        self.stage == Stage::Left
    }

    /// The present attempt at its step is the first.
    pub fn is_first_attempt(&self) -> bool {
        self.intended_ns == self.step_since_ns
    }

    /// When a poll asks again or gives up whose present attempt ended at `done_ns`; no later than `over_ns`, the end of
    /// its task.
    pub(super) fn next_attempt_ns(&self, repeat: &Repeat, over_ns: u64, done_ns: u64) -> u64 {
        let due_ns = (self.intended_ns + repeat.every_ns).max(done_ns);
        let last_ns = self.gives_up_ns(repeat).min(over_ns).max(done_ns);
        // Later than the first attempt: only that one is due at `step_since_ns`.
        due_ns.min(last_ns).max(self.step_since_ns + 1)
    }

    /// When its poll gives up.
    pub(super) fn gives_up_ns(&self, repeat: &Repeat) -> u64 {
        self.step_since_ns + repeat.give_up_after_ns
    }

    /// Its poll gives up at the moment that is due.
    pub(super) fn gives_up(&self, repeat: &Repeat) -> bool {
        !self.is_first_attempt() && self.intended_ns >= self.gives_up_ns(repeat)
    }
}

impl Tally {
    /// The tally of a user that begins at `spawned_ns` and leaves after `iterations` passes of the work loop, or never;
    /// `predecessors` users had its seat before.
    pub fn new(spawned_ns: u64, iterations: Option<u32>, predecessors: u32) -> Self {
        Self {
            pass_since_ns: spawned_ns,
            passes_left: iterations.map_or(u32::MAX, |passes| passes.min(PASSES_BOUND_MAX)),
            predecessors,
        }
    }

    /// The same for a user that does what its predecessor in the seat has left of its passes.
    #[must_use]
    pub fn after(self, predecessor: &Self) -> Self {
        Self {
            passes_left: predecessor.passes_left,
            ..self
        }
    }

    /// Passes of the work loop that were done, of `iterations` or without a bound, as it was begun with. Without a bound
    /// the number stands still after two billion passes.
    pub fn passes_done(&self, iterations: Option<u32>) -> u32 {
        let all = iterations.map_or(u32::MAX, |passes| passes.min(PASSES_BOUND_MAX));
        all - self.passes_left
    }

    /// It has done all its passes of the work loop.
    pub fn is_done(&self) -> bool {
        self.passes_left == 0
    }

    pub(super) fn on_pass_over(&mut self) {
        if self.passes_left != PASSES_BOUND_MAX + 1 {
            self.passes_left -= 1;
        }
    }
}

/// When the time limit of the task passes that a user is at with this step; `u64::MAX` without one.
pub fn task_over_ns(step: &Step, tally: Option<&Tally>) -> u64 {
    match (step.within_ns, tally) {
        (Some(within_ns), Some(tally)) => tally.pass_since_ns + within_ns,
        _ => u64::MAX,
    }
}
