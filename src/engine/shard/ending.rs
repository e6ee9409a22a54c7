//! The end: nothing new is started, open requests are waited for and then counted at their age, and the outcomes are taken.

use crate::engine::control::{Control, Order};
use crate::engine::example;
use crate::engine::handover::OnInterval;
use crate::engine::outcomes::{Ended, Outcomes};
use crate::io::Driver;
use crate::metrics::outcome::Failure;
use crate::metrics::recorder::Times;

use super::state::Shard;

impl<'p, D: Driver> Shard<'p, D> {
    /// The load is over: nothing new is started, and open requests are waited for.
    pub(super) fn end_load(&mut self, end_ns: u64, order: Order, on_interval: &mut OnInterval<'_>) {
        self.cut_off_arrivals();
        self.recorder.on_load_ended();
        self.load.end_ns = end_ns;
        self.load.open_at_end = self.requests.count();
        self.load.ended = match order {
            Order::Run => Ended::Time,
            Order::Drain | Order::StopNow => Ended::Order,
        };
        // The load's last interval, unless it ends with a second.
        if end_ns > self.intervals.from_ns {
            self.hand_over(end_ns, on_interval);
            self.intervals.from_ns = end_ns;
        }
        self.load.is_draining = true;
        if self.has_last_steps() && order != Order::StopNow {
            self.send_all_away();
        }
    }

    /// How long open requests are waited for: by the slowest answer of all shards, answers since the load's end included.
    pub(super) fn drain_ns(&self, control: &Control) -> u64 {
        self.plan
            .drain_ns(control.slowest_ns(self.recorder.slowest_ns()))
    }

    /// Ends the requests that have no answer yet: cut off by an order, or failed because the drain is over.
    fn end_open(&mut self, order: Order) {
        let open: Vec<u32> = self.requests.users().collect();
        for id in open {
            let times = self.times(id);
            let metric = usize::from(self.step_of(id).metric);
            match order {
                Order::StopNow => self.recorder.cut_off(metric, times),
                Order::Run | Order::Drain => {
                    let request = self.request(id);
                    let (phase, open_ns) = (request.phase, times.done_ns - request.begun_ns);
                    let example = || example::of_unanswered(phase, open_ns);
                    self.recorder
                        .example(metric, Failure::Unanswered, 0, example);
                    self.recorder.unanswered(metric, times);
                }
            }
            self.load.last_done_ns = times.done_ns;
            self.end_request(id);
        }
    }

    /// The outcomes, after the last turn.
    pub(crate) fn finish(mut self, order: Order, on_interval: OnInterval<'_>) -> (Outcomes, D) {
        self.lines[0].waited += self.pool.line().count() as u64;
        self.note_last_state();
        self.end_open(order);
        self.into_outcomes(on_interval)
    }

    /// The outcomes until a panic. Users and connections may contradict each other then, so the counts alone decide how
    /// many requests are cut off; the ages are those of the users' requests, as far as they agree with the counts.
    pub(crate) fn rescue(mut self, on_interval: OnInterval<'_>) -> (Outcomes, D) {
        let now_ns = self.clocks.now_ns;
        self.note_last_state();
        let steps = self.recorder.counts.steps.iter();
        let mut open: Vec<u64> = steps
            .map(|step| step.sent.saturating_sub(step.requests + step.cut_off))
            .collect();
        let under_way: Vec<u32> = self.requests.users().collect();
        for id in under_way {
            let metric = usize::from(self.step_of(id).metric);
            if open[metric] > 0 {
                open[metric] -= 1;
                self.recorder.cut_off(metric, self.times(id));
            }
        }
        let age_unknown = Times {
            intended_ns: now_ns,
            submitted_ns: now_ns,
            done_ns: now_ns,
        };
        for (metric, count) in open.into_iter().enumerate() {
            for _ in 0..count {
                self.recorder.cut_off(metric, age_unknown);
            }
        }
        self.into_outcomes(on_interval)
    }

    /// Hands over the last interval, and takes the shard apart.
    fn into_outcomes(mut self, on_interval: OnInterval<'_>) -> (Outcomes, D) {
        self.hand_over_last(on_interval);
        self.recorder.on_over();
        let clocks = self.clocks;
        let outcomes = Outcomes {
            arrivals: self.arrivals.as_ref().map(|arrivals| arrivals.counts),
            spun_ns: self.work.spun_ns,
            working_ns: self.work.working_ns,
            load_from_ns: clocks.since_start_ns(self.load.began_ns()),
            load_to_ns: clocks.since_start_ns(self.load.end_ns),
            ended: self.load.ended,
            open_at_load_end: self.load.open_at_end,
            users_came: self.seats.len(),
            users_left: self.seats.left_on_failure,
            lasted_ns: clocks.since_start_ns(clocks.now_ns),
            last_done_ns: clocks.since_start_ns(self.load.last_done_ns),
            turns: self.work.turns,
            waited_in_line: self.waited_in_line(),
            overflows: self.driver.overflows(),
            users_at_end: self.seats.active(),
            kinds: self.kinds,
            first_values: self.seats.first_values(),
            recorder: self.recorder,
        };
        (outcomes, self.driver)
    }
}
