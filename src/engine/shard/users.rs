//! Users come, are woken, say what they want, and go.

use crate::engine::connection::State;
use crate::engine::requests::NO_REQUEST;
use crate::engine::user;
use crate::engine::user::{Acting, Action, Leaving, Move, PollEnd, Script, Tally, User};
use crate::io::Driver;
use crate::load::random::Stream;
use crate::scenario::model::{Step, StepIndex};
use crate::scenario::value::Origin;

use super::{NO_SPAN, SEAT_EMPTY_NS, Seat, Shard, WOKEN_MAX};

impl<'p, D: Driver> Shard<'p, D> {
    pub(super) fn next_change_ns(&self) -> Option<u64> {
        let next = self.next_change.filter(|_| !self.progress.draining)?;
        Some(self.progress.start_ns + next.at_ns)
    }

    pub(super) fn change_due(&mut self) {
        // What is decided while the load runs may be there now.
        if self.next_change.is_none() && self.plan.load.users().is_steered() {
            self.next_change = self.changes.peek(self.plan.load.users());
        }
        for _ in 0..WOKEN_MAX {
            match (self.next_change, self.next_change_ns()) {
                (Some(change), Some(at_ns)) if at_ns <= self.progress.now_ns => {
                    let id = self.plan.deal().place_of(change.user);
                    match change.comes {
                        true => self.on_coming(id, at_ns),
                        false => self.on_going(id),
                    }
                    self.changes.advance();
                    self.next_change = self.changes.peek(self.plan.load.users());
                }
                _ => break,
            }
        }
    }

    pub(super) fn next_arrival_ns(&self) -> Option<u64> {
        let arrivals = self.arrivals.as_ref()?;
        let open = self.plan.load.arrivals()?;
        let from_ns = arrivals.from_ns.filter(|_| !self.progress.draining)?;
        Some(from_ns + arrivals.schedule.peek(open)?)
    }

    /// Arrivals of an open load go to users that rest, else into the line.
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
                    match arrivals.resting.pop_front() {
                        Some(id) => self.on_arrival(id, due_ns),
                        None => self.wait_for_user(due_ns),
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
        let now_ns = self.progress.now_ns;
        let action = self.acting(id).on_arrival(due_ns, now_ns);
        self.act(id, action.into());
    }

    /// Nobody rests: the arrival stands in the line, and one user more is got ready, if the plan allows.
    fn wait_for_user(&mut self, due_ns: u64) {
        let seats_taken = self.users.len();
        let Some(arrivals) = &mut self.arrivals else {
            return;
        };
        if arrivals.line.len() == arrivals.line_max {
            arrivals.counts.dropped += 1;
            return;
        }
        arrivals.counts.waited += 1;
        arrivals.line.push_back(due_ns);
        if seats_taken < self.users_max && arrivals.line.len() > arrivals.preparing {
            self.spawn(seats_taken as u32, self.progress.now_ns, 0);
        }
    }

    /// A user is ready for an arrival: the one that has waited longest, else the next that comes.
    fn on_resting(&mut self, id: u32) {
        let Some(arrivals) = &mut self.arrivals else {
            return;
        };
        let seat = &mut self.users[id as usize];
        if std::mem::replace(&mut seat.prepares, false) {
            arrivals.preparing -= 1;
        }
        if self.progress.draining {
            return;
        }
        match arrivals.line.pop_front() {
            Some(due_ns) => self.on_arrival(id, due_ns),
            None => arrivals.resting.push_back(id),
        }
    }

    /// The plan wants one user more: a new one, or one who was told to leave and has not begun to.
    fn on_coming(&mut self, id: u32, at_ns: u64) {
        match self.users.get_mut(id as usize) {
            None => self.spawn(id, at_ns, 0),
            Some(seat) if !seat.user.is_on_its_way_out() => seat.user.tell(Leaving::No),
            Some(seat) if seat.user.has_left() => {
                self.spawn(id, at_ns, self.lives(id) + 1);
            }
            Some(seat) => seat.comes_again = true,
        }
    }

    /// The plan wants one user less.
    fn on_going(&mut self, id: u32) {
        let seat = &mut self.users[id as usize];
        seat.comes_again = false;
        seat.user.tell(Leaving::AfterPass);
        if seat.request != NO_REQUEST {
            return;
        }
        let now_ns = self.progress.now_ns;
        if let Some(next) = self.acting(id).leave_from_sleep(now_ns) {
            self.timers.cancel(id);
            self.act(id, next);
        }
    }

    /// A user takes the seat that `lives` others had before.
    fn spawn(&mut self, id: u32, at_ns: u64, lives: u32) {
        let plan = self.plan;
        if plan.keeps_tallies() {
            let tally = Tally::new(
                at_ns,
                plan.load.users().iterations_of(self.number(id, 0)),
                lives,
            );
            match self.tallies.get_mut(id as usize) {
                Some(place) => *place = tally,
                None => self.tallies.push(tally),
            }
        }
        let number = self.number(id, lives);
        let origin = self.origin(number, Stream::Variable, 0);
        let stride = plan.scenario.variables.stride();
        let place = &mut self.variables[id as usize * stride..(id as usize + 1) * stride];
        plan.scenario.variables.fill(&origin, place);
        let spans = plan.scenario.spans.len();
        self.spans_since_ns[id as usize * spans..(id as usize + 1) * spans].fill(NO_SPAN);
        if let Some(arrivals) = &mut self.arrivals {
            arrivals.preparing += 1;
        }
        let seat = Seat {
            user: User::new(at_ns),
            request: NO_REQUEST,
            comes_again: false,
            prepares: plan.load.is_open(),
        };
        match self.users.get_mut(id as usize) {
            Some(place) => *place = seat,
            None => self.users.push(seat),
        }
        self.progress.spawned += 1;
        let first = self.acting(id).begin();
        self.act(id, first);
    }

    fn on_finished(&mut self, id: u32) {
        self.progress.finished += 1;
        let was_preparing = std::mem::replace(&mut self.users[id as usize].prepares, false);
        if let Some(arrivals) = &mut self.arrivals
            && was_preparing
        {
            arrivals.preparing -= 1;
        }
        // A user's own connection goes with it.
        if let Some(slot) = self.pool.own_slot(id)
            && self.pool.connections[slot as usize].state == State::Idle
        {
            self.drop_connection(slot);
        }
        if self.progress.draining {
            return;
        }
        let has_failed = self.left_on_failure(id);
        self.progress.users_left += u64::from(has_failed);
        let seat = &mut self.users[id as usize];
        seat.comes_again |= has_failed && self.plan.retakes_seats();
        match seat.comes_again {
            true if was_preparing => self.timers.set(id, self.progress.now_ns + SEAT_EMPTY_NS),
            true => self.spawn(id, self.progress.now_ns, self.lives(id) + 1),
            false => {}
        }
    }

    /// A user that has left was not told to, and had something left to do.
    fn left_on_failure(&self, id: u32) -> bool {
        let is_done = self.plan.scenario.tasks.is_empty()
            || self.tallies.get(id as usize).is_some_and(Tally::is_done);
        !is_done && !self.users[id as usize].user.was_told_to_leave()
    }

    /// How many users had this one's seat before.
    pub(super) fn lives(&self, id: u32) -> u32 {
        let tally = self.tallies.get(id as usize);
        tally.map_or(0, |tally| tally.lives)
    }

    /// The number in the whole run of the user that had a seat after so many others.
    pub(super) fn number(&self, id: u32, lives: u32) -> u64 {
        self.numbers.of(id) + u64::from(lives) * self.plan.load.users_max()
    }

    /// A user with all that it acts by.
    pub(super) fn acting(&mut self, id: u32) -> Acting<'_> {
        Acting {
            number: self.number(id, self.lives(id)),
            user: &mut self.users[id as usize].user,
            tally: self.tallies.get_mut(id as usize),
            script: Script {
                scenario: &self.plan.scenario,
                random: self.random,
                is_open: self.plan.load.is_open(),
            },
        }
    }

    /// What a user's values are computed from.
    pub(super) fn origin(&self, user: u64, stream: Stream, text: u64) -> Origin<'p> {
        Origin {
            random: self.random,
            user,
            stream,
            text,
            users: self.plan.load.users_max(),
            wall_ns: self.progress.now_ns + self.progress.wall_ahead_ns,
            feeder: &self.plan.scenario.feeder,
        }
    }

    pub(super) fn active_users(&self) -> usize {
        self.progress.spawned - self.progress.finished
    }

    pub(super) fn all_finished(&self) -> bool {
        let may_change = self.arrivals.is_some() || self.plan.load.users().is_steered();
        let nobody_comes = self.next_change.is_none() && !may_change;
        self.active_users() == 0 && (self.progress.draining || nobody_comes)
    }

    /// Users do something before they leave.
    pub(super) fn has_last_steps(&self) -> bool {
        !self.plan.scenario.stop.is_empty()
    }

    pub(super) fn step(&self, index: StepIndex) -> &'p Step {
        &self.plan.scenario.steps[usize::from(index)]
    }

    /// The step that a user is at.
    pub(super) fn step_of(&self, id: u32) -> &'p Step {
        self.step(self.users[id as usize].user.step())
    }

    pub(super) fn wake_due(&mut self) {
        for _ in 0..WOKEN_MAX {
            let Some(id) = self.timers.pop(self.progress.now_ns) else {
                break;
            };
            self.on_timer(id);
        }
    }

    /// Timer ids: users first, then the time limits of slots, then their backoffs. After the load's end, users without
    /// last steps sleep on; requests that are open still get their connection, and have their limit.
    fn on_timer(&mut self, id: u32) {
        let users_max = self.users_max as u32;
        let slots = self.pool.connections.len() as u32;
        if id < users_max {
            if self.progress.draining && !self.has_last_steps() {
                return;
            }
            let seat = &self.users[id as usize];
            if seat.user.has_left() {
                self.spawn(id, self.progress.now_ns, self.lives(id) + 1);
                return;
            }
            let next = self.acting(id).next(user::Happening::Woken);
            self.act(id, next);
        } else if id < users_max + slots {
            self.on_time_limit(id - users_max);
        } else {
            self.on_backoff_over(id - users_max - slots);
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
        match next.action {
            _ if self.progress.draining && !self.has_last_steps() => {}
            Action::Send(step) => self.begin(id, step),
            Action::SleepUntil(wake_ns) => self.timers.set(id, wake_ns),
            Action::Rest => self.on_resting(id),
            Action::Finish => self.on_finished(id),
        }
    }
}
