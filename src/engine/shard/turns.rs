//! The loop: turns until the load is over and every request has ended, or the wait for the rest is over.

use crate::engine::control::{Control, NOTICED_NS_MAX, Order};
use crate::engine::gate::Start;
use crate::engine::handover::OnInterval;
use crate::engine::outcomes::Outcomes;
use crate::io::{Driver, EVENTS_MAX, Event};

use super::state::{Shard, WOKEN_MAX};

/// A turn whose batch is with the kernel later than this after its start was held up (the process was stopped, the core taken away): turns
/// are bounded to a few milliseconds.
const HELD_NS: u64 = 50_000_000;
/// How long before a due moment the shard stops sleeping and looks at the clock instead, in an open load. A sleep in the
/// kernel overshoots by about 50 us; with spinning it is 0 at the median and 30 us at p99 (`architecture.md`).
const SPIN_NS: u64 = 60_000;

impl<'p, D: Driver> Shard<'p, D> {
    /// Runs the plan from `start` to its end.
    pub fn run(
        mut self,
        start: Start,
        control: &Control,
        mut on_interval: OnInterval<'_>,
    ) -> (Outcomes, D) {
        self.run_turns(start, control, &mut on_interval);
        self.finish(control.order(), on_interval)
    }

    /// The turns of [`Shard::run`]. After them, or after a panic in one of them, the outcomes can still be taken.
    pub(crate) fn run_turns(
        &mut self,
        start: Start,
        control: &Control,
        on_interval: &mut OnInterval<'_>,
    ) {
        self.start(start);
        let mut events: Vec<Event> = Vec::with_capacity(2 * EVENTS_MAX);
        let mut drained_by_ns = u64::MAX;
        loop {
            let order = control.order();
            let now_ns = self.clocks.now_ns;
            self.begin_arrivals(control);
            self.begin_load();
            let end_ns = self.end_ns();
            let is_over = now_ns >= end_ns || order != Order::Run;
            if is_over && !self.load.is_draining {
                // What was due before the end is begun, however late this turn noticed it.
                self.arrive_due(now_ns.min(end_ns - 1), usize::MAX);
                self.send_filled();
                self.end_load(now_ns.min(end_ns), order, on_interval);
            }
            if self.load.is_draining {
                drained_by_ns = self.load.end_ns + self.drain_ns(control);
            }
            self.change_due();
            self.arrive_due(now_ns, WOKEN_MAX);
            self.wake_due();
            self.expire_due();
            let is_done = self.requests.count() == 0
                && (self.all_have_left() || (self.load.is_draining && !self.has_last_steps()));
            if is_done || now_ns >= drained_by_ns || order == Order::StopNow {
                break;
            }
            let bound_ns = match self.load.is_draining {
                true => drained_by_ns,
                false => end_ns,
            };
            let deadline_ns = self.deadline_ns().min(bound_ns);
            self.turn(deadline_ns, &mut events);
            self.debug_assert_sums();
            if self.clocks.now_ns >= self.intervals.second_end_ns {
                self.end_second(on_interval);
            }
        }
    }

    /// When the load is over by the plan's run time.
    fn end_ns(&self) -> u64 {
        let Some(run_time_ns) = self.plan.run_time_ns else {
            return u64::MAX;
        };
        let from_ns = match &self.arrivals {
            None => Some(self.clocks.start_ns),
            Some(arrivals) => arrivals.from_ns,
        };
        from_ns.map_or(u64::MAX, |from_ns| from_ns + run_time_ns)
    }

    /// One batch out, one batch in.
    fn turn(&mut self, due_ns: u64, events: &mut Vec<Event>) {
        self.send_filled();
        let now_ns = self.clocks.now_ns;
        let is_spinning = self.plan.spins && now_ns + SPIN_NS >= due_ns;
        let deadline_ns = match (self.plan.spins, is_spinning) {
            (false, _) => due_ns,
            (true, false) => due_ns - SPIN_NS,
            (true, true) => now_ns,
        };
        let had_work = !self.outgoing.unstamped.is_empty();
        let turn = self.driver.wait(deadline_ns, events);
        self.stamp(self.outgoing.unstamped.len(), turn.submitted_ns);
        let held_ns = turn.idle_from_ns.saturating_sub(now_ns);
        if held_ns > HELD_NS {
            self.requests.delay(now_ns, turn.submitted_ns, held_ns);
        }
        self.clocks.now_ns = turn.reaped_ns;
        if is_spinning && !had_work && events.is_empty() {
            let spun_ns = turn.reaped_ns.saturating_sub(now_ns);
            self.recorder.on_spun(spun_ns);
            self.work.spun_ns += spun_ns;
            return;
        }
        let worked_ns = turn.idle_from_ns.saturating_sub(now_ns);
        let late_ns = turn
            .reaped_ns
            .saturating_sub(deadline_ns.max(turn.idle_from_ns));
        self.recorder.on_turn(worked_ns, late_ns);
        self.work.working_ns += worked_ns;
        self.work.turns += 1;
        for event in events.drain(..) {
            self.on_event(event);
        }
    }

    /// When the next thing is due that no completion will announce.
    fn deadline_ns(&self) -> u64 {
        let asleep_until_ns = self.clocks.now_ns + NOTICED_NS_MAX;
        let timers_ns = self.timers.next_ns().unwrap_or(u64::MAX);
        let change_ns = self.next_change_ns().unwrap_or(u64::MAX);
        let line_ns = self.line_due_ns();
        let arrival_ns = self.next_arrival_ns().unwrap_or(u64::MAX);
        let due_ns = timers_ns.min(change_ns).min(line_ns).min(arrival_ns);
        // The second ends on time, so that the same second of all shards covers the same time.
        due_ns
            .min(asleep_until_ns)
            .min(self.intervals.second_end_ns)
    }
}
