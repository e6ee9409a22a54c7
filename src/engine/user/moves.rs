//! What a user is told, and what it wants.

use std::ops::Range;

use crate::scenario::model::{OnFailure, StepIndex};

/// What a user is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// The time it asked for has come.
    Woken,
    /// Its request has ended, and it was the only one.
    Answered {
        /// How it ended.
        answer: Answer,
        /// Nanoseconds from submission to outcome.
        service_ns: u64,
        /// When the outcome came, on the driver's clock.
        done_ns: u64,
    },
}

/// How the requests of steps that a user sent at once have ended, when the last of them has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllAnswered {
    /// Number of requests.
    pub count: StepIndex,
    /// One of them has failed.
    pub has_failed: bool,
    /// What the user does by the strictest of the failures, or by an answer that ends the task.
    pub ending: OnFailure,
    /// The longest time from submission to outcome, in nanoseconds.
    pub service_ns: u64,
    /// When the last outcome came, on the driver's clock.
    pub done_ns: u64,
}

/// How a request ended, as far as it matters to the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// As the step expects.
    Success,
    /// A poll's answer that means "ask again".
    NotYet,
    /// A poll's answer that ends the poll as a failure.
    PollFailed,
    /// As the step expects, and the step is repeated.
    Again,
    /// As the step expects, and the task ends with it (`end_task_if`).
    TaskDone,
    /// A redirect that leads to the step so many further on.
    Redirected(StepIndex),
    /// The time limit of the task has passed.
    TaskOver,
    /// A failure that the step names for a retry; its answer asks to wait so many ns.
    Retriable(u64),
    /// Any other failure.
    Failed,
}

/// What a user wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send this step's request now; it was due at [`User::intended_ns`](super::User::intended_ns).
    Send(StepIndex),
    /// Wake me at this time of the driver's clock.
    SleepUntil(u64),
    /// Wait for the next arrival of an open load.
    Rest,
    /// Leave for good.
    Finish,
}

/// How a poll ended, for the statistics of readiness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollEnd {
    /// The expected answer came.
    Ready {
        /// The poll.
        step: StepIndex,
        /// Nanoseconds from the due time of the first attempt to the answer.
        after_ns: u64,
    },
    /// Its time to give up came first.
    GaveUp {
        /// The poll.
        step: StepIndex,
    },
}

/// A user's answer to a happening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// What it wants.
    pub action: Action,
    /// Set when a poll has just ended.
    pub poll: Option<PollEnd>,
    /// Steps that were passed over on the way (`when`), in one stretch or two; empty without one.
    pub passed_over: [Range<StepIndex>; 2],
    /// A step of the task whose pass a failure has ended just now.
    pub failed_in: Option<StepIndex>,
}

impl Move {
    /// It may end spans: it passed over steps, or ended the pass of a task by a failure.
    #[inline]
    pub fn ends_spans(&self) -> bool {
        self.failed_in.is_some() || self.passed_over.iter().any(|steps| !steps.is_empty())
    }
}

impl From<Action> for Move {
    fn from(action: Action) -> Self {
        Self {
            action,
            poll: None,
            passed_over: [0..0, 0..0],
            failed_in: None,
        }
    }
}
