//! What a shard leaves behind, and how that of several shards is added up.

use std::ops::AddAssign;

use crate::metrics::recorder::Recorder;

use super::arrivals::ArrivalCounts;
use super::kinds::KindUse;

/// What a shard leaves behind. Moments are counted from the start of the run.
pub struct Outcomes {
    /// All counts and histograms, and what was counted after the last interval.
    pub recorder: Recorder,
    /// What became of an open load's arrivals.
    pub arrivals: Option<ArrivalCounts>,
    /// Time in which the thread looked at the clock until a moment had come; part of its CPU time, and not work.
    pub spun_ns: u64,
    /// Time in which the thread worked: neither asleep in the kernel nor spinning.
    pub working_ns: u64,
    /// When the load began: 0, or when the first arrival of an open load was due.
    pub load_from_ns: u64,
    /// When the load was over: nothing was started after it.
    pub load_to_ns: u64,
    /// What ended the load.
    pub ended: Ended,
    /// Requests that were open at that moment.
    pub open_at_load_end: usize,
    /// Seats that were ever taken: users that came, without those that took another's seat.
    pub users_came: usize,
    /// Users that left because a step had failed, while the load lasted.
    pub users_left: u64,
    /// When the loop ended.
    pub lasted_ns: u64,
    /// When the last request ended.
    pub last_done_ns: u64,
    /// Turns of the loop that were not spent spinning.
    pub turns: u64,
    /// Requests that waited in the line for a connection.
    pub waited_in_line: u64,
    /// Turns that found the completion queue overflowed.
    pub overflows: u64,
    /// Users that had come and not left when the run ended.
    pub users_at_end: usize,
    /// By kind of user.
    pub kinds: Vec<KindUse>,
    /// Variables of the run's first user at the end; empty on other shards.
    pub first_values: Vec<u8>,
}

/// What ends a load. When shards differ, the first of these counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ended {
    /// An order from outside.
    Order,
    /// The run time was over.
    Time,
    /// Every user had left.
    AllUsersLeft,
}

impl Outcomes {
    /// What no shard at all leaves behind: the identity of `+=`.
    pub(super) fn none(steps: usize, spans: usize) -> Self {
        Self {
            recorder: Recorder::new(steps, spans, 0),
            arrivals: None,
            spun_ns: 0,
            working_ns: 0,
            load_from_ns: u64::MAX,
            load_to_ns: 0,
            ended: Ended::AllUsersLeft,
            open_at_load_end: 0,
            users_came: 0,
            users_left: 0,
            lasted_ns: 0,
            last_done_ns: 0,
            turns: 0,
            waited_in_line: 0,
            overflows: 0,
            users_at_end: 0,
            kinds: Vec::new(),
            first_values: Vec::new(),
        }
    }
}

impl AddAssign for Outcomes {
    /// Counts and durations are added; the run begins with its first shard and ends with its last one.
    fn add_assign(&mut self, other: Self) {
        // Every field is named: one that is left out does not compile.
        let Self {
            recorder,
            arrivals,
            spun_ns,
            working_ns,
            load_from_ns,
            load_to_ns,
            ended,
            open_at_load_end,
            users_came,
            users_left,
            lasted_ns,
            last_done_ns,
            turns,
            waited_in_line,
            overflows,
            users_at_end,
            kinds,
            first_values,
        } = other;
        self.recorder.counts += &recorder.counts;
        if let Some(arrivals) = arrivals {
            *self.arrivals.get_or_insert_default() += arrivals;
        }
        self.spun_ns += spun_ns;
        self.working_ns += working_ns;
        self.load_from_ns = self.load_from_ns.min(load_from_ns);
        self.load_to_ns = self.load_to_ns.max(load_to_ns);
        self.ended = self.ended.min(ended);
        self.open_at_load_end += open_at_load_end;
        self.users_came += users_came;
        self.users_left += users_left;
        self.lasted_ns = self.lasted_ns.max(lasted_ns);
        self.last_done_ns = self.last_done_ns.max(last_done_ns);
        self.turns += turns;
        self.waited_in_line += waited_in_line;
        self.overflows += overflows;
        self.users_at_end += users_at_end;
        for (sum, more) in self.kinds.iter_mut().zip(kinds) {
            *sum += more;
        }
        if self.first_values.is_empty() {
            self.first_values = first_values;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(nth: u64) -> Outcomes {
        let mut recorder = Recorder::new(1, 0, 0);
        (0..nth).for_each(|_| recorder.on_started(0));
        Outcomes {
            recorder,
            arrivals: (nth == 2).then(|| ArrivalCounts {
                due: 5,
                ..ArrivalCounts::default()
            }),
            load_from_ns: 100 * nth,
            load_to_ns: 1_000 * nth,
            ended: if nth == 2 {
                Ended::Time
            } else {
                Ended::AllUsersLeft
            },
            overflows: nth,
            ..Outcomes::none(1, 0)
        }
    }

    #[test]
    fn shards_add_up_and_none_is_the_identity() {
        let mut sum = Outcomes::none(1, 0);
        for nth in [3, 2, 4] {
            sum += outcomes(nth);
        }
        assert_eq!(sum.recorder.counts.steps[0].sent, 9);
        assert_eq!(sum.arrivals.map(|counts| counts.due), Some(5));
        assert_eq!((sum.load_from_ns, sum.load_to_ns), (200, 4_000));
        assert_eq!((sum.ended, sum.overflows), (Ended::Time, 9));
    }
}
