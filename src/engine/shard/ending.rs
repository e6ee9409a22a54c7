//! The end: nothing new is started, what is open is counted at its age, and everything is handed over.

use crate::engine::connection::{NOBODY, State};
use crate::engine::requests::{NO_REQUEST, Phase};
use crate::engine::user::Leaving;
use crate::io::Driver;
use crate::metrics::interval::ArrivalsSoFar;
use crate::metrics::recorder::Times;
use crate::plan::random::Stream;

use super::{INTERVAL_NS, OnInterval, Outcomes, Shard};

impl<'p, D: Driver> Shard<'p, D> {
    /// Nothing new is started; what the kernel does not have yet is cut off at its age.
    pub(super) fn begin_draining(&mut self) {
        self.progress.draining = true;
        self.cut_off_arrivals();
        while self.pool.leave_line().is_some() {
            self.progress.waited_in_line += 1;
        }
        for id in 0..self.users.len() as u32 {
            let request = self.requests.get(self.users[id as usize].request);
            if request.is_some_and(|request| request.phase == Phase::Waiting) {
                self.cut_off(id);
            }
        }
        if self.has_last_steps() {
            self.send_all_away();
        }
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

    /// Arrivals that still stand in the line were due and never begun: the first request of each counts at its age.
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
            self.recorder.on_started(metric);
            let times = Times {
                intended_ns: due_ns,
                submitted_ns: done_ns,
                done_ns,
            };
            self.recorder.cut_off(metric, times);
            self.progress.last_done_ns = done_ns;
        }
    }

    fn cut_off(&mut self, id: u32) {
        let times = self.times(id);
        let slot = self.end_request(id).slot;
        let metric = self.step_of(id).metric;
        self.recorder.cut_off(usize::from(metric), times);
        self.progress.last_done_ns = times.done_ns;
        if slot != NOBODY && self.pool.leave(slot, id) {
            // A slot that backs off goes on doing so: its timer is set.
            if self.pool.connections[slot as usize].state != State::BackingOff {
                self.drop_connection(slot);
            }
            // The line is empty then, or everybody in it is cut off too.
            self.pool.next_for(slot);
        }
    }

    pub(super) fn end_interval(&mut self, on_interval: &mut OnInterval<'_>) {
        self.take_stock();
        on_interval(self.progress.now_ns, &mut self.recorder);
        let passed = (self.progress.now_ns - self.progress.next_interval_ns) / INTERVAL_NS + 1;
        self.progress.next_interval_ns += passed * INTERVAL_NS;
    }

    /// Notes how things stand.
    fn take_stock(&mut self) {
        let active = self.active_users();
        let arrivals = self.arrivals.as_ref();
        let arrivals = arrivals.map_or_else(ArrivalsSoFar::default, |of| of.so_far(active));
        self.recorder
            .set_standing(self.progress.in_flight, arrivals);
    }

    /// What was counted, after the last turn.
    pub(in crate::engine) fn finish(mut self) -> (Outcomes, D) {
        if !self.progress.draining {
            self.progress.load_end_ns = self.progress.now_ns;
        }
        self.take_stock();
        self.progress.waited_in_line += self.pool.line().count() as u64;
        for id in 0..self.users.len() as u32 {
            if self.users[id as usize].request != NO_REQUEST {
                self.cut_off(id);
            }
        }
        self.into_outcomes()
    }

    /// What was counted until a panic. Users and connections may contradict each other then, so the counts alone say how
    /// many requests are cut off; users say how old those are, as far as they agree.
    pub(in crate::engine) fn rescue(mut self) -> (Outcomes, D) {
        let steps = self.recorder.counts.steps.iter();
        let mut open: Vec<u64> = steps
            .map(|step| step.sent.saturating_sub(step.requests + step.cut_off))
            .collect();
        for id in 0..self.users.len() as u32 {
            if self.requests.get(self.users[id as usize].request).is_none() {
                continue;
            }
            let metric = usize::from(self.step_of(id).metric);
            if open[metric] > 0 {
                open[metric] -= 1;
                self.recorder.cut_off(metric, self.times(id));
            }
        }
        let now_ns = self.progress.now_ns;
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
        self.into_outcomes()
    }

    fn into_outcomes(self) -> (Outcomes, D) {
        let start_ns = self.progress.start_ns;
        let arrivals = self.arrivals.as_ref().map(|arrivals| {
            let from_ns = arrivals.from_ns.unwrap_or(self.progress.now_ns);
            (arrivals.counts, from_ns.saturating_sub(start_ns))
        });
        let outcomes = Outcomes {
            arrivals,
            spun_ns: self.progress.spun_ns,
            stopped_ns_max: self.progress.stopped_ns_max,
            working_ns: self.progress.working_ns,
            load_ns: self.progress.load_end_ns.saturating_sub(start_ns),
            lasted_ns: self.progress.now_ns.saturating_sub(start_ns),
            first_sent_ns: self.progress.first_sent_ns.map(|ns| ns - start_ns),
            last_done_ns: self.progress.last_done_ns.saturating_sub(start_ns),
            turns: self.progress.turns,
            waited_in_line: self.progress.waited_in_line,
            overflows: self.driver.overflows(),
            users_at_end: self.active_users(),
            all_finished: self.all_finished(),
            recorder: self.recorder,
        };
        (outcomes, self.driver)
    }
}
