//! Users come, wake up, say what they do next, and leave.

use crate::engine::connection::{Detail, State};
use crate::engine::example;
use crate::engine::requests::NO_REQUEST;
use crate::engine::user::{Acting, Action, Happening, Leaving, Move, PollEnd, Script, Tally, User};
use crate::io::Driver;
use crate::load::random::Stream;
use crate::metrics::outcome::{Failure, Outcome};
use crate::metrics::recorder::Times;
use crate::scenario::feeder::{RowKey, RowsEnd};
use crate::scenario::kind::Kind;
use crate::scenario::model::StepIndex;
use crate::scenario::value::Origin;

use super::state::{Shard, WOKEN_MAX};
use super::timer::Timer;

/// How long a seat of an open load stays empty when its user failed before it was ready: users that fail at once must
/// not come again and again without a pause.
const SEAT_EMPTY_NS: u64 = 1_000_000_000;

impl<'p, D: Driver> Shard<'p, D> {
    pub(super) fn next_change_ns(&self) -> Option<u64> {
        let next = self.changes.next().filter(|_| !self.load.is_draining)?;
        Some(self.clocks.start_ns + next.at_ns)
    }

    /// Users come and go as the load decides.
    pub(super) fn change_due(&mut self) {
        self.changes.refresh();
        for _ in 0..WOKEN_MAX {
            match (self.changes.next(), self.next_change_ns()) {
                (Some(change), Some(at_ns)) if at_ns <= self.clocks.now_ns => {
                    let id = self.plan.deal().place_of(change.user);
                    match change.comes {
                        true => self.on_coming(id, at_ns),
                        false => self.on_going(id),
                    }
                    self.changes.advance();
                }
                _ => break,
            }
        }
    }

    /// The load wants one user more: a new one, or one that is leaving and has not begun its last steps.
    fn on_coming(&mut self, id: u32, at_ns: u64) {
        let Some(seat) = self.seats.get(id) else {
            self.spawn(id, at_ns);
            return;
        };
        if seat.user.has_left() {
            self.spawn(id, at_ns);
        } else if seat.user.is_on_its_way_out() {
            self.seats.seat_mut(id).is_retaken = true;
        } else {
            self.seats.seat_mut(id).user.set_leaving(Leaving::No);
        }
    }

    /// The load wants one user less.
    fn on_going(&mut self, id: u32) {
        let seat = self.seats.seat_mut(id);
        seat.is_retaken = false;
        seat.user.set_leaving(Leaving::AfterPass);
        if seat.request != NO_REQUEST {
            return;
        }
        let now_ns = self.clocks.now_ns;
        if let Some(next) = self.acting(id).leave_from_sleep(now_ns) {
            self.timers.cancel(Timer::User(id));
            self.act(id, next);
        }
    }

    /// A user takes a new seat, or that of a user that has left.
    pub(super) fn spawn(&mut self, id: u32, at_ns: u64) {
        let plan = self.plan;
        let predecessors = match self.seats.get(id) {
            None => 0,
            Some(_) => self.seats.predecessors(id) + 1,
        };
        let seat = self.seats.number_of_first(id);
        let user = self.seats.number_after(id, predecessors);
        let end = plan.rows_end(user, seat);
        let tally = plan.keeps_tallies().then(|| {
            let tally = Tally::new(at_ns, plan.passes_of(user, seat), predecessors);
            // The rows that a user has used are not its successor's.
            match self.seats.tally(id).filter(|_| end.is_some()) {
                Some(predecessor) => tally.after(predecessor),
                None => tally,
            }
        });
        self.seats
            .occupy(id, User::new(at_ns), tally, plan.load.is_open());
        let origin = self.origin(self.seats.number(id), Stream::Variable, 0);
        let values = self.seats.values_mut(id);
        plan.scenario.variables.fill(&origin, values);
        let kind = self.seats.kind(id);
        // As elsewhere, one that takes another's seat is not counted again.
        self.kinds[kind].came += u64::from(predecessors == 0);
        self.kinds[kind].present += 1;
        if let Some(arrivals) = &mut self.arrivals {
            arrivals.kinds[kind].preparing += 1;
        }
        let first = match end {
            Some(RowsEnd { passes: 0, .. }) => self.acting(id).stay_away(),
            _ => self.acting(id).begin(),
        };
        self.act(id, first);
    }

    fn on_finished(&mut self, id: u32) {
        self.seats.left += 1;
        let kind = self.seats.kind(id);
        self.kinds[kind].present -= 1;
        let was_preparing = self.end_preparing(id);
        // A user's own connections are closed with it.
        for id in self.together.companions_of(id).chain([id]) {
            for slot in self.pool.own_slots(id) {
                if self.pool.connections[slot as usize].state == State::Idle {
                    self.drop_connection(slot);
                }
            }
        }
        if self.load.is_draining {
            return;
        }
        self.fail_for_want_of_rows(id);
        let has_failed = self.left_on_failure(id);
        self.seats.left_on_failure += u64::from(has_failed);
        let seat = self.seats.seat_mut(id);
        seat.is_retaken |= has_failed && self.plan.retakes_seats();
        match seat.is_retaken {
            true if was_preparing => {
                let again_ns = self.clocks.now_ns + SEAT_EMPTY_NS;
                self.timers.set(Timer::User(id), again_ns);
            }
            true => self.spawn(id, self.clocks.now_ns),
            false => {}
        }
    }

    /// A user that has left was not told to, and had work left.
    fn left_on_failure(&self, id: u32) -> bool {
        let is_done =
            self.kind(id).tasks.is_empty() || self.seats.tally(id).is_some_and(Tally::is_done);
        !is_done && !self.seats.seat(id).user.is_told_to_leave()
    }

    /// A user has left since no row is left for it: a failure of its next request, where the scenario says so.
    fn fail_for_want_of_rows(&mut self, id: u32) {
        let plan = self.plan;
        let (user, seat) = (self.seats.number(id), self.seats.number_of_first(id));
        let end = plan.rows_end(user, seat);
        let fails =
            end.is_some_and(|end| end.fails && plan.passes_of(user, seat) == Some(end.passes));
        if !fails || !self.seats.tally(id).is_some_and(Tally::is_done) {
            return;
        }
        let scenario = &plan.scenario;
        let mut tasks = scenario.tasks_of(self.kind(id)).iter();
        let step = tasks.next().map_or(0, |task| task.steps.start);
        let metric = usize::from(self.step(step).metric);
        let now_ns = self.clocks.now_ns;
        let times = Times {
            intended_ns: now_ns,
            submitted_ns: now_ns,
            done_ns: now_ns,
        };
        let outcome = Outcome::Failed {
            failure: Failure::NoRow,
            status: 0,
        };
        let example = || example::of_detail(Failure::NoRow, Detail::None, &scenario.secrets);
        self.recorder.on_started(metric);
        self.recorder.example(metric, Failure::NoRow, 0, example);
        self.recorder.record(metric, outcome, times, 0, 0);
    }

    pub(super) fn all_have_left(&self) -> bool {
        let may_come = self.arrivals.is_some() || self.changes.may_continue();
        self.seats.active() == 0 && (self.load.is_draining || !may_come)
    }

    /// Users do something before they leave.
    pub(super) fn has_last_steps(&self) -> bool {
        self.plan.scenario.has_stop_steps()
    }

    /// Every user leaves now, by way of its last steps, or when the request it has under way has ended.
    pub(super) fn send_all_away(&mut self) {
        let seats = &self.seats;
        self.timers
            .retain_users(|id| seats.seat(id).user.is_on_its_way_out());
        let now_ns = self.clocks.now_ns;
        for id in 0..self.seats.len() as u32 {
            let seat = self.seats.seat_mut(id);
            seat.user.set_leaving(Leaving::AfterRequest);
            if seat.request == NO_REQUEST
                && let Some(next) = self.acting(id).leave_from_sleep(now_ns)
            {
                self.act(id, next);
            }
        }
    }

    /// The kind of a user.
    pub(super) fn kind(&self, id: u32) -> &'p Kind {
        &self.plan.scenario.kinds[self.seats.kind(id)]
    }

    /// A user, with what it decides by.
    #[inline]
    pub(super) fn acting(&mut self, id: u32) -> Acting<'_> {
        let number = self.seats.number(id);
        let kind = self.seats.kind(id);
        let (user, tally, values) = self.seats.parts_mut(id);
        Acting {
            user,
            tally,
            values,
            number,
            passes: &mut self.kinds[kind].passes,
            script: Script {
                scenario: &self.plan.scenario,
                kind: &self.plan.scenario.kinds[kind],
                random: self.random,
                is_open: self.plan.load.is_open(),
            },
            passed_over: [0..0, 0..0],
            failed_in: None,
        }
    }

    /// What a user's values are computed from.
    #[inline]
    pub(super) fn origin(&self, user: u64, stream: Stream, text: u64) -> Origin<'p> {
        Origin {
            random: self.random,
            user,
            stream,
            text,
            iteration: user,
            users: self.plan.load.users_max(),
            wall_ns: self.clocks.wall_ns(),
            feeder: &self.plan.scenario.feeder,
            values: &[],
        }
    }

    /// What the rows of a user follow from.
    pub(super) fn row_key(&self, id: u32) -> RowKey {
        RowKey {
            user: self.seats.number(id),
            iteration: self.iteration(id),
            seats: self.plan.load.users_max(),
            random: self.random,
        }
    }

    /// Number of a user's iteration among those of all seats, where a CSV file gives out rows by it.
    #[inline]
    pub(super) fn iteration(&self, id: u32) -> u64 {
        let plan = self.plan;
        if !plan.scenario.feeder.follows_iterations() {
            return 0;
        }
        let tally = self.seats.tally(id);
        tally.map_or(0, |tally| {
            let (user, seat) = (self.seats.number(id), self.seats.number_of_first(id));
            let passes = tally.passes_done(plan.passes_of(user, seat));
            seat + u64::from(passes) * plan.load.users_max()
        })
    }

    pub(super) fn wake_due(&mut self) {
        for _ in 0..WOKEN_MAX {
            let Some(timer) = self.timers.pop(self.clocks.now_ns) else {
                break;
            };
            match timer {
                Timer::User(id) => self.on_woken(id),
                Timer::TimeLimit(slot) => self.on_time_limit(slot),
                Timer::Backoff(slot) => self.on_backoff_over(slot),
            }
        }
    }

    /// A user's timer has fired. After the load's end, users without last steps sleep on.
    fn on_woken(&mut self, id: u32) {
        if self.load.is_draining && !self.has_last_steps() {
            return;
        }
        if self.seats.seat(id).user.has_left() {
            self.spawn(id, self.clocks.now_ns);
            return;
        }
        self.continue_user(id, Happening::Woken);
    }

    /// Tells a user what has happened, and does what it decides.
    pub(super) fn continue_user(&mut self, id: u32, happening: Happening) {
        let next = self.acting(id).next(happening);
        self.act(id, next);
    }

    /// A step that is passed over begins and ends its spans at this moment.
    fn pass_over(&mut self, id: u32, step: StepIndex) {
        let step = self.step(step);
        for span in &step.begins {
            let due_ns = self.seats.seat(id).user.intended_ns;
            self.seats.begin_span(id, usize::from(*span), due_ns);
            self.recorder.on_span_begun(usize::from(*span));
        }
        let of_group = step.flow.as_ref().map_or(&[][..], |flow| flow.ends());
        for span in step.ends.iter().chain(of_group) {
            self.end_span(id, usize::from(*span));
        }
    }

    /// What a move does to spans: that of a task whose pass a failure has ended, and those of steps that were passed over.
    // Apart, so that most moves have a short path.
    #[inline(never)]
    fn end_spans_by(&mut self, id: u32, next: &Move) {
        let failed = next.failed_in.map(|step| self.plan.scenario.task_of(step));
        if let Some(span) = failed.and_then(|task| task.span).map(usize::from) {
            self.seats.end_span(id, span);
            self.recorder.on_span_failed(span);
        }
        for step in next.passed_over.iter().cloned().flatten() {
            self.pass_over(id, step);
        }
    }

    /// A span ends, if it was open.
    pub(super) fn end_span(&mut self, id: u32, span: usize) {
        if let Some(since_ns) = self.seats.end_span(id, span) {
            let took_ns = self.clocks.now_ns.saturating_sub(since_ns);
            self.recorder.on_span_ended(span, took_ns);
        }
    }

    pub(super) fn act(&mut self, id: u32, next: Move) {
        if let Some(end) = next.poll {
            match end {
                PollEnd::Ready { step, after_ns } => {
                    let metric = self.step(step).metric;
                    self.recorder.on_ready(usize::from(metric), after_ns);
                }
                PollEnd::GaveUp { step } => {
                    let metric = self.step(step).metric;
                    self.recorder.on_gave_up(usize::from(metric));
                }
            }
        }
        if next.ends_spans() {
            self.end_spans_by(id, &next);
        }
        match next.action {
            _ if self.load.is_draining && !self.has_last_steps() => {}
            Action::Send(step) => self.begin(id, step),
            Action::SleepUntil(wake_ns) => self.timers.set(Timer::User(id), wake_ns),
            Action::Rest => self.on_resting(id),
            Action::Finish => self.on_finished(id),
        }
    }
}
