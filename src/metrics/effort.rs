//! How the shards got on in a stretch of time: the evidence for and against the generator itself.

use std::ops::AddAssign;

/// A request that left later than this after it was due left late. A sleep in the kernel overshoots by 0.05 ms, a full
/// turn takes as long as its requests.
pub const LATE_NS: u64 = 1_000_000;

/// What one shard did; of several shards, or of several seconds, the worst of each value and the sum of each count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Longest turn. Once [`Effort::settle`] was told the core's time: what of it was the shard's own work.
    pub turn_ns_max: u64,
    /// Longest time that it was woken later than it wanted to be. Once settled, or that it neither ran nor waited for
    /// its core within a turn (a stopped process, a page that had to be read).
    pub stopped_ns_max: u64,
    /// Time with the core, and without it.
    pub core: CoreWait,
    /// Time in which it only looked at the clock, until a moment had come.
    pub spun_ns: u64,
    /// Requests with an outcome that had left more than [`LATE_NS`] after they were due.
    pub late: u64,
    /// Requests that waited in line for a connection.
    pub waited_in_line: u64,
    /// Connections that took longer than [`LATE_NS`] to open: their first requests left late by no fault of the
    /// generator's.
    pub slow_connects: u64,
}

/// A shard's claim on its core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoreWait {
    /// It was ready to run and others had the core.
    pub waited_ns: u64,
    /// It worked, or waited so.
    pub wanted_ns: u64,
}

impl CoreWait {
    /// Share of the time wanted that was waited for, 0 to 1. Less than [`LATE_NS`] in all has made nothing late: 0.
    pub fn share(self) -> f64 {
        match self.waited_ns > LATE_NS {
            true => self.waited_ns as f64 / self.wanted_ns.max(1) as f64,
            false => 0.0,
        }
    }
}

impl Effort {
    /// Takes the scheduler's account of the same stretch: how long the thread ran, and how long it waited for its core.
    /// A turn lasts by the wall clock; only this tells what of it was work. `worked_ns` is the length of all turns;
    /// returned is the work among it.
    pub fn settle(&mut self, worked_ns: u64, ran_ns: u64, waited_ns: u64) -> u64 {
        let longest_ns = self.turn_ns_max;
        self.turn_ns_max = longest_ns.saturating_sub(waited_ns).min(ran_ns);
        let stood_ns = longest_ns.saturating_sub(ran_ns + waited_ns);
        self.stopped_ns_max = self.stopped_ns_max.max(stood_ns);
        // The kernel also works for a thread that has gone to sleep in it; looking at the clock is no work.
        let by_turns_ns = worked_ns.saturating_sub(waited_ns + stood_ns);
        let by_core_ns = ran_ns.saturating_sub(self.spun_ns);
        let own_ns = by_turns_ns.max(by_core_ns);
        self.core = CoreWait {
            waited_ns,
            wanted_ns: own_ns + waited_ns,
        };
        own_ns
    }
}

impl AddAssign for Effort {
    fn add_assign(&mut self, other: Self) {
        self.turn_ns_max = self.turn_ns_max.max(other.turn_ns_max);
        self.stopped_ns_max = self.stopped_ns_max.max(other.stopped_ns_max);
        if other.core.share() > self.core.share() {
            self.core = other.core;
        }
        self.spun_ns += other.spun_ns;
        self.late += other.late;
        self.waited_in_line += other.waited_in_line;
        self.slow_connects += other.slow_connects;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn settled(turn_ns_max: u64, worked_ns: u64, ran_ns: u64, waited_ns: u64) -> (Effort, u64) {
        let mut effort = Effort {
            turn_ns_max,
            ..Effort::default()
        };
        let own_ns = effort.settle(worked_ns, ran_ns, waited_ns);
        (effort, own_ns)
    }

    #[test]
    fn what_others_took_of_a_turn_is_not_its_own_work() {
        // A turn of 4 ms, in 3.5 ms of which another program had the core.
        let (effort, own_ns) = settled(4 * MS, 5 * MS, 2 * MS, 7 * MS / 2);
        assert_eq!((effort.turn_ns_max, own_ns), (MS / 2, 2 * MS));
        assert_eq!(effort.core.share(), 3.5 / 5.5);
        assert_eq!(effort.stopped_ns_max, 0);
    }

    #[test]
    fn a_long_turn_that_ran_throughout_is_its_own() {
        let (effort, own_ns) = settled(30 * MS, 950 * MS, 940 * MS, 0);
        assert_eq!((effort.turn_ns_max, own_ns), (30 * MS, 950 * MS));
        assert_eq!((effort.stopped_ns_max, effort.core.share()), (0, 0.0));
    }

    #[test]
    fn a_turn_in_which_the_thread_neither_ran_nor_waited_was_a_stop() {
        let (effort, own_ns) = settled(2_000 * MS, 2_050 * MS, 50 * MS, MS);
        assert_eq!(effort.stopped_ns_max, 1_949 * MS);
        assert_eq!(own_ns, 100 * MS);
    }

    #[test]
    fn looking_at_the_clock_is_no_work() {
        let mut effort = Effort {
            spun_ns: 600 * MS,
            ..Effort::default()
        };
        assert_eq!(effort.settle(100 * MS, 700 * MS, 0), 100 * MS);
    }

    #[test]
    fn a_wait_that_could_make_nothing_late_is_none() {
        let wait = |waited_ns| CoreWait {
            waited_ns,
            wanted_ns: 2 * waited_ns,
        };
        assert_eq!(wait(LATE_NS).share(), 0.0);
        assert_eq!(wait(LATE_NS + 1).share(), 0.5);
    }

    #[test]
    fn of_several_shards_the_worst_counts_and_counts_add_up() {
        let of = |waited_ns, wanted_ns, late| Effort {
            core: CoreWait {
                waited_ns,
                wanted_ns,
            },
            late,
            turn_ns_max: waited_ns,
            ..Effort::default()
        };
        // The longest wait is not the worst: it was a small part of a busy shard's time.
        let mut sum = of(160 * MS, 960 * MS, 3);
        sum += of(150 * MS, 250 * MS, 4);
        // Nor is a share of nearly nothing.
        sum += of(MS / 2, MS, 5);
        assert_eq!(sum.core.waited_ns, 150 * MS);
        assert_eq!((sum.late, sum.turn_ns_max), (12, 160 * MS));
    }
}
