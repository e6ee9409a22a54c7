//! The end: nothing new is started, what is open is waited for and then counted at its age, and everything is handed
//! over.

use crate::engine::requests::NO_REQUEST;
use crate::engine::user::Leaving;
use crate::engine::{Control, Ended, Order, example};
use crate::io::Driver;
use crate::load::random::Stream;
use crate::metrics::interval::ArrivalsSoFar;
use crate::metrics::outcome::Failure;
use crate::metrics::recorder::{Standing, Times};

use super::{Handover, INTERVAL_NS, OnInterval, Outcomes, Shard};

impl<'p, D: Driver> Shard<'p, D> {
    /// The load has ended: nothing new is started, and what is open is waited for.
    pub(super) fn end_load(&mut self, end_ns: u64, order: Order, on_interval: &mut OnInterval<'_>) {
        self.cut_off_arrivals();
        self.recorder.on_load_ended();
        self.progress.load_end_ns = end_ns;
        self.progress.open_at_load_end = self.progress.in_flight;
        self.progress.ended = match order {
            Order::Run => Ended::Time,
            Order::Drain | Order::StopNow => Ended::Order,
        };
        // Its last part, unless it ends with a second.
        if end_ns > self.progress.interval_from_ns {
            self.hand_over(end_ns, on_interval);
            self.progress.interval_from_ns = end_ns;
        }
        self.progress.draining = true;
        if self.has_last_steps() && order != Order::StopNow {
            self.send_all_away();
        }
    }

    /// How long open requests are waited for: as long as the slowest answer of all shards says, those that came since the
    /// load's end included.
    pub(super) fn drain_ns(&self, control: &Control) -> u64 {
        self.plan
            .drain_ns(control.slowest_ns(self.recorder.slowest_ns()))
    }

    /// Everybody who has something to do before leaving does it now, or when the request under way has ended.
    fn send_all_away(&mut self) {
        let (users, users_max) = (&self.users, self.users_max as u32);
        self.timers
            .retain(|id| id >= users_max || users[id as usize].user.is_on_its_way_out());
        let now_ns = self.progress.now_ns;
        for id in 0..self.users.len() as u32 {
            let seat = &mut self.users[id as usize];
            seat.user.tell(Leaving::AfterRequest);
            if seat.request == NO_REQUEST
                && let Some(next) = self.acting(id).leave_from_sleep(now_ns)
            {
                self.act(id, next);
            }
        }
    }

    /// Arrivals that still stand in the line were due and are never begun: the first request of each counts at its age.
    fn cut_off_arrivals(&mut self) {
        let done_ns = self.progress.now_ns;
        let Some(arrivals) = &mut self.arrivals else {
            return;
        };
        let scenario = &self.plan.scenario;
        for due_ns in arrivals.line.drain(..) {
            arrivals.counts.never_begun += 1;
            let draw = self.random.draw(due_ns, Stream::Task, 0);
            let first = scenario.tasks[scenario.pick(draw)].steps.start;
            let metric = usize::from(scenario.steps[usize::from(first)].metric);
            let times = Times {
                intended_ns: due_ns,
                submitted_ns: done_ns,
                done_ns,
            };
            self.recorder.never_begun(metric, times);
        }
    }

    /// What still has no answer: it was cut short by an order, or the drain is over and it has failed.
    fn end_open(&mut self, order: Order) {
        let open: Vec<u32> = self.requests.users().collect();
        for id in open {
            let times = self.times(id);
            let metric = usize::from(self.step_of(id).metric);
            match order {
                Order::StopNow => self.recorder.cut_off(metric, times),
                Order::Run | Order::Drain => {
                    let open_ns = times.done_ns - self.request(id).begun_ns;
                    let (failure, phase) = (Failure::Unanswered, self.request(id).phase);
                    let say = || example::of_unanswered(phase, open_ns);
                    self.recorder.example(metric, failure, 0, say);
                    self.recorder.unanswered(metric, times);
                }
            }
            self.progress.last_done_ns = times.done_ns;
            self.end_request(id);
        }
    }

    /// A second of the run is over.
    pub(super) fn end_second(&mut self, on_interval: &mut OnInterval<'_>) {
        let progress = &mut self.progress;
        let passed = (progress.now_ns - progress.next_interval_ns) / INTERVAL_NS;
        let end_ns = progress.next_interval_ns + passed * INTERVAL_NS;
        progress.next_interval_ns = end_ns;
        self.hand_over(end_ns, on_interval);
        self.progress.interval_from_ns = end_ns;
        self.progress.next_interval_ns = end_ns + INTERVAL_NS;
    }

    /// Hands over the interval that ends at a time, no later than the present second does.
    fn hand_over(&mut self, end_ns: u64, on_interval: &mut OnInterval<'_>) {
        self.take_stock(self.progress.in_flight);
        for id in self.requests.users() {
            let user = &self.users[id as usize].user;
            let metric = self.plan.scenario.steps[usize::from(user.step())].metric;
            let age_ns = self.progress.now_ns.saturating_sub(user.intended_ns);
            self.recorder.open(usize::from(metric), age_ns);
        }
        self.buffers.trim();
        let handover = self.handover(end_ns);
        on_interval(handover, &mut self.recorder);
    }

    fn handover(&self, end_ns: u64) -> Handover {
        let progress = &self.progress;
        Handover {
            second: (progress.next_interval_ns - progress.start_ns) / INTERVAL_NS,
            end_ns: end_ns.saturating_sub(progress.start_ns),
            is_drain: progress.draining,
            is_last: false,
        }
    }

    /// Notes how things stand, with so many requests open.
    fn take_stock(&mut self, in_flight: usize) {
        let waited = self.progress.waited_in_line;
        self.recorder.set_waited_in_line(waited);
        let active = self.active_users();
        let arrivals = self.arrivals.as_ref();
        self.recorder.set_standing(Standing {
            is_drain: self.progress.draining,
            users: self.users_there(),
            in_flight,
            arrivals: arrivals.map_or_else(ArrivalsSoFar::default, |of| of.so_far(active)),
        });
    }

    /// Notes how the last interval stands: whoever is there then is there, but what is open ends with it.
    fn take_last_stock(&mut self) {
        if !self.progress.draining {
            self.progress.load_end_ns = self.progress.now_ns;
            self.recorder.on_load_ended();
        }
        self.take_stock(0);
    }

    /// Users that have come and not left. After the load's end, a user without a last step leaves with its request.
    fn users_there(&self) -> usize {
        match self.progress.draining && !self.has_last_steps() {
            true => self.progress.in_flight,
            false => self.active_users(),
        }
    }

    /// What was counted, after the last turn.
    pub(in crate::engine) fn finish(
        mut self,
        order: Order,
        on_interval: OnInterval<'_>,
    ) -> (Outcomes, D) {
        self.progress.waited_in_line += self.pool.line().count() as u64;
        self.take_last_stock();
        self.end_open(order);
        self.into_outcomes(on_interval)
    }

    /// What was counted until a panic. Users and connections may contradict each other then, so the counts alone say how
    /// many requests are cut off; users say how old those are, as far as they agree.
    pub(in crate::engine) fn rescue(mut self, on_interval: OnInterval<'_>) -> (Outcomes, D) {
        let now_ns = self.progress.now_ns;
        self.take_last_stock();
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
    fn into_outcomes(mut self, mut on_interval: OnInterval<'_>) -> (Outcomes, D) {
        if self.progress.now_ns > self.progress.interval_from_ns || self.recorder.has_counted() {
            let last = Handover {
                is_last: true,
                ..self.handover(self.progress.now_ns)
            };
            on_interval(last, &mut self.recorder);
        }
        let start_ns = self.progress.start_ns;
        let since_start_ns = |ns: u64| ns.saturating_sub(start_ns);
        // An open load that ended before its first arrival has lasted no time.
        let load_from_ns = self.progress.load_from_ns.unwrap_or(u64::MAX);
        let load_from_ns = load_from_ns.min(self.progress.load_end_ns);
        let outcomes = Outcomes {
            arrivals: self.arrivals.as_ref().map(|arrivals| arrivals.counts),
            spun_ns: self.progress.spun_ns,
            working_ns: self.progress.working_ns,
            load_from_ns: since_start_ns(load_from_ns),
            load_to_ns: since_start_ns(self.progress.load_end_ns),
            ended: self.progress.ended,
            open_at_load_end: self.progress.open_at_load_end,
            users_came: self.users.len(),
            users_left: self.progress.users_left,
            lasted_ns: since_start_ns(self.progress.now_ns),
            last_done_ns: since_start_ns(self.progress.last_done_ns),
            turns: self.progress.turns,
            waited_in_line: self.progress.waited_in_line,
            overflows: self.driver.overflows(),
            users_at_end: self.active_users(),
            recorder: self.recorder,
        };
        (outcomes, self.driver)
    }
}
