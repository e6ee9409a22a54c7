//! What the shards worked in a stretch of time, and how late they were: the evidence for and against the generator.

use std::ops::AddAssign;

/// A request that left later than this after it was due left late. A sleep in the kernel overshoots by 0.05 ms; a full
/// turn takes as long as its requests.
pub const LATE_NS: u64 = 1_000_000;

/// The work of one shard. Over several shards or seconds: the worst of each value and the sum of each count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Longest turn; after [`Effort::settle`], the shard's own work in it.
    pub turn_ns_max: u64,
    /// Longest time from when a shard wanted to wake until it woke. [`Effort::settle`] adds the longest time within a
    /// turn in which the shard neither ran nor waited for its core (a stopped process, a page that had to be read).
    pub stopped_ns_max: u64,
    /// Time with the core, and waiting for it.
    pub core: CoreWait,
    /// Time spent polling the clock until a moment had come.
    pub spun_ns: u64,
    /// Requests with an outcome that had left more than [`LATE_NS`] after they were due.
    pub late: u64,
    /// Requests that waited in line for a connection.
    pub waited_in_line: u64,
    /// Connections that took longer than [`LATE_NS`] to open: their first requests left late, and the generator is not
    /// the cause.
    pub slow_connects: u64,
}

/// How much of a shard's time on its core went to other programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoreWait {
    /// The shard was ready to run and another program had the core.
    pub waited_ns: u64,
    /// The shard worked, or waited for its core.
    pub wanted_ns: u64,
}

impl CoreWait {
    /// Share of the wanted time that was spent waiting, 0 to 1. A wait of at most [`LATE_NS`] in all made nothing late
    /// and gives 0.
    pub fn share(self) -> f64 {
        match self.waited_ns > LATE_NS {
            true => self.waited_ns as f64 / self.wanted_ns.max(1) as f64,
            false => 0.0,
        }
    }
}

impl Effort {
    /// Separates own work from waiting, by the scheduler's account of the same stretch: how long the thread ran
    /// (`ran_ns`) and waited for its core (`waited_ns`). Turns are measured by the wall clock, which cannot tell the
    /// two apart. `worked_ns` is the length of all turns; returns the shard's own work in them.
    pub fn settle(&mut self, worked_ns: u64, ran_ns: u64, waited_ns: u64) -> u64 {
        let longest_ns = self.turn_ns_max;
        self.turn_ns_max = longest_ns.saturating_sub(waited_ns).min(ran_ns);
        let stood_ns = longest_ns.saturating_sub(ran_ns + waited_ns);
        self.stopped_ns_max = self.stopped_ns_max.max(stood_ns);
        // The kernel also works for a thread that sleeps in it; polling the clock is not work.
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
    fn time_that_other_programs_took_from_a_turn_is_not_own_work() {
        // A turn of 4 ms, in 3.5 ms of which another program had the core.
        let (effort, own_ns) = settled(4 * MS, 5 * MS, 2 * MS, 7 * MS / 2);
        assert_eq!((effort.turn_ns_max, own_ns), (MS / 2, 2 * MS));
        assert_eq!(effort.core.share(), 3.5 / 5.5);
        assert_eq!(effort.stopped_ns_max, 0);
    }

    #[test]
    fn a_long_turn_that_ran_throughout_is_own_work() {
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
    fn polling_the_clock_is_not_work() {
        let mut effort = Effort {
            spun_ns: 600 * MS,
            ..Effort::default()
        };
        assert_eq!(effort.settle(100 * MS, 700 * MS, 0), 100 * MS);
    }

    #[test]
    fn a_wait_too_short_to_make_anything_late_does_not_count() {
        let wait = |waited_ns| CoreWait {
            waited_ns,
            wanted_ns: 2 * waited_ns,
        };
        assert_eq!(wait(LATE_NS).share(), 0.0);
        assert_eq!(wait(LATE_NS + 1).share(), 0.5);
    }

    #[test]
    fn over_several_shards_the_worst_value_stays_and_counts_add_up() {
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
