//! The judge of a run, second by second: rules end it when something is bad, goals when everything is known.

use crate::analysis::precision::{Precision, Settle};
use crate::analysis::windows::Referee;
use crate::engine::Second;

/// What a run is judged by.
#[derive(Debug)]
pub struct RunJudge {
    /// The rules.
    pub referee: Referee,
    /// The goals of `--until`; `None` without any.
    pub precision: Option<Precision>,
    /// What `--settle` leaves out of the figures; `None` when it is not given.
    pub settle: Option<Settle>,
    /// The goals have ended the run.
    pub is_precise: bool,
}

impl RunJudge {
    /// Rules without a goal.
    pub fn of_rules(referee: Referee) -> Self {
        Self {
            referee,
            precision: None,
            is_precise: false,
            settle: None,
        }
    }

    /// Takes a second; whether the load is to end.
    pub fn on_second(&mut self, second: &Second<'_>) -> bool {
        let load_from_ns = second.load_from_ns.unwrap_or(u64::MAX);
        let Some(begin_ns) = second.begin_ns.checked_sub(load_from_ns) else {
            self.referee.on_preparation(second.interval);
            return false;
        };
        let end_ns = begin_ns + (second.end_ns - second.begin_ns);
        let is_over = self.referee.on_second(begin_ns, end_ns, second.interval);
        let precision = self.precision.as_mut();
        let is_precise = precision
            .is_some_and(|precision| precision.on_second(begin_ns, end_ns, second.interval));
        self.is_precise |= is_precise && !is_over;
        is_over || is_precise
    }
}
