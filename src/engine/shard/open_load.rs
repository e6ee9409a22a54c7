//! The arrivals of an open load are handed to users that rest; without one they wait in a line.

use crate::engine::arrivals::PREPARE_NS_MAX;
use crate::engine::control::Control;
use crate::io::Driver;
use crate::load::random::Stream;
use crate::metrics::recorder::Times;

use super::state::Shard;

impl<'p, D: Driver> Shard<'p, D> {
    /// Reports once that this shard's users are ready, and learns when the arrivals of all shards begin.
    pub(super) fn begin_arrivals(&mut self, control: &Control) {
        let Some(arrivals) = &mut self.arrivals else {
            return;
        };
        if arrivals.from_ns.is_some() {
            return;
        }
        let (start_ns, now_ns) = (self.clocks.start_ns, self.clocks.now_ns);
        let mut kinds = arrivals.kinds.iter();
        let are_prepared = self.changes.next().is_none() && kinds.all(|kind| kind.preparing == 0);
        let came_by_ns = start_ns + self.plan.load.users().settled_ns();
        if !arrivals.is_ready && (are_prepared || now_ns >= came_by_ns + PREPARE_NS_MAX) {
            arrivals.is_ready = true;
            control.on_ready(self.plan.shards, start_ns, now_ns);
        }
        arrivals.from_ns = control.arrivals_from_ns();
        if arrivals.from_ns.is_some() {
            self.load.from_ns = arrivals.from_ns;
        }
    }

    /// The load begins: what users did to prepare is no part of it.
    pub(super) fn begin_load(&mut self) {
        let load = &mut self.load;
        let is_due = |from_ns| self.clocks.now_ns >= from_ns;
        if !load.has_begun && load.from_ns.is_some_and(is_due) {
            load.has_begun = true;
            self.recorder.on_load_begun();
        }
    }

    pub(super) fn next_arrival_ns(&self) -> Option<u64> {
        let arrivals = self.arrivals.as_ref()?;
        let open = self.plan.load.arrivals()?;
        let from_ns = arrivals.from_ns.filter(|_| !self.load.is_draining)?;
        Some(from_ns + arrivals.schedule.peek(open)?)
    }

    /// Hands up to `count_max` arrivals that are due by a moment to users that rest, else to the line.
    pub(super) fn arrive_due(&mut self, until_ns: u64, count_max: usize) {
        for _ in 0..count_max {
            match (
                self.next_arrival_ns(),
                self.plan.load.arrivals(),
                &mut self.arrivals,
            ) {
                (Some(due_ns), Some(open), Some(arrivals)) if due_ns <= until_ns => {
                    arrivals.schedule.advance(open);
                    arrivals.counts.due += 1;
                    let kind = match arrivals.kinds.len() {
                        1 => 0,
                        _ => self.plan.scenario.kind_drawn(self.random, due_ns),
                    };
                    match arrivals.kinds[kind].resting.pop_front() {
                        Some(id) => self.on_arrival(id, due_ns),
                        None => self.wait_for_user(kind, due_ns),
                    }
                }
                _ => break,
            }
        }
    }

    fn on_arrival(&mut self, id: u32, due_ns: u64) {
        if let Some(arrivals) = &mut self.arrivals {
            arrivals.counts.started += 1;
        }
        let now_ns = self.clocks.now_ns;
        let next = self.acting(id).on_arrival(due_ns, now_ns);
        self.act(id, next);
    }

    /// No user rests: the arrival joins the line, and one more user is prepared if the plan allows.
    fn wait_for_user(&mut self, kind: usize, due_ns: u64) {
        let Some(arrivals) = &mut self.arrivals else {
            return;
        };
        let of_kind = &mut arrivals.kinds[kind];
        if of_kind.line.len() == arrivals.line_max {
            arrivals.counts.dropped += 1;
            return;
        }
        arrivals.counts.waited += 1;
        of_kind.line.push_back(due_ns);
        if self.seats.has_room() && of_kind.line.len() > of_kind.preparing {
            let id = self.seats.len() as u32;
            self.seats.set_kind(id, kind);
            self.spawn(id, self.clocks.now_ns);
        }
    }

    /// A user is ready for an arrival: the first in the line, else the next one that is due.
    pub(super) fn on_resting(&mut self, id: u32) {
        self.end_preparing(id);
        let kind = self.seats.kind(id);
        let Some(arrivals) = self.arrivals.as_mut().filter(|_| !self.load.is_draining) else {
            return;
        };
        let of_kind = &mut arrivals.kinds[kind];
        match of_kind.line.pop_front() {
            Some(due_ns) => self.on_arrival(id, due_ns),
            None => of_kind.resting.push_back(id),
        }
    }

    /// A user is ready for its first arrival, or has left. Whether it was preparing until now.
    pub(super) fn end_preparing(&mut self, id: u32) -> bool {
        let was_preparing = std::mem::replace(&mut self.seats.seat_mut(id).is_preparing, false);
        let kind = self.seats.kind(id);
        if let Some(arrivals) = self.arrivals.as_mut().filter(|_| was_preparing) {
            arrivals.kinds[kind].preparing -= 1;
        }
        was_preparing
    }

    /// Arrivals that still wait in the line were due and are never begun: the first request of each counts at its age.
    pub(super) fn cut_off_arrivals(&mut self) {
        let done_ns = self.clocks.now_ns;
        let Some(arrivals) = &mut self.arrivals else {
            return;
        };
        let scenario = &self.plan.scenario;
        let kinds = arrivals.kinds.iter_mut().zip(&scenario.kinds);
        let waiting = kinds.flat_map(|(of, kind)| of.line.drain(..).map(move |it| (kind, it)));
        for (kind, due_ns) in waiting {
            arrivals.counts.never_begun += 1;
            let draw = self.random.draw(due_ns, Stream::Task, 0);
            let first = scenario.tasks[scenario.pick(kind, draw)].steps.start;
            let metric = usize::from(scenario.steps[usize::from(first)].metric);
            let times = Times {
                intended_ns: due_ns,
                submitted_ns: done_ns,
                done_ns,
            };
            self.recorder.never_begun(metric, times);
        }
    }
}
