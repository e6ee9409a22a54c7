//! Time limits pass: those of requests on connections, and those of users in the waiting line.

use crate::engine::batch::Ending;
use crate::engine::connection::{Detail, NO_TIMER, NO_USER, State};
use crate::io::Driver;
use crate::metrics::outcome::Failure;

use super::line_limits::{EXPIRED_MAX, VISITED_MAX};
use super::state::{Failing, Shard};
use super::timer::Timer;

impl<'p, D: Driver> Shard<'p, D> {
    pub(super) fn on_time_limit(&mut self, slot: u32) {
        let connection = &mut self.pool.connections[slot as usize];
        connection.timer_ns = NO_TIMER;
        if connection.user == NO_USER {
            return;
        }
        if connection.deadline_ns <= self.clocks.now_ns {
            // The limit may have been that of a user that has left.
            let carried = 0..self.pool.carried(slot);
            let limits = carried.map(|place| self.time_limit_ns(self.pool.user_at(slot, place)));
            let deadline_ns = limits.min().unwrap_or(u64::MAX);
            self.pool.connections[slot as usize].deadline_ns = deadline_ns;
        }
        let connection = &mut self.pool.connections[slot as usize];
        if connection.deadline_ns > self.clocks.now_ns {
            connection.timer_ns = connection.deadline_ns;
            self.timers
                .set(Timer::TimeLimit(slot), connection.deadline_ns);
            return;
        }
        match connection.state {
            State::Busy => {
                let phase = connection.decoder.phase();
                self.drop_connection(slot);
                self.break_off(slot, Ending::TimeOver(phase));
            }
            State::Connecting => {
                let failure = match self.driver.is_in_handshake(self.connection_id(slot)) {
                    true => Failure::TlsTimeout,
                    false => Failure::ConnectTimeout,
                };
                let ending = Ending::NotOpenYet(failure, Detail::None);
                self.give_up_waiting(slot, ending);
            }
            State::BackingOff => {
                let ending = Ending::NotOpenYet(Failure::ConnectFailed, Detail::BackingOff);
                self.give_up_waiting(slot, ending);
            }
            State::Closed | State::Idle => {}
        }
    }

    /// Users whose time is over stop waiting for a connection. Without any user left, the attempt to open it ends.
    fn give_up_waiting(&mut self, slot: u32, ending: Ending) {
        let left = self.take_off(slot, ending);
        let is_opening = self.pool.connections[slot as usize].state == State::Connecting;
        if left > 0 {
            self.limit_times(slot);
        } else if is_opening {
            self.drop_connection(slot);
            self.back_off(slot);
        }
        self.fail_those_off();
    }

    /// Removes users from the line whose time limit has passed: the first ones, and where steps have time limits of their
    /// own, users anywhere in it. More than [`EXPIRED_MAX`] of them are left for the next turn.
    pub(super) fn expire_due(&mut self) {
        for target in 0..self.pool.targets() {
            self.expire_due_in(target);
        }
    }

    fn expire_due_in(&mut self, target: usize) {
        let now_ns = self.clocks.now_ns;
        self.lines[target].expiries_left = EXPIRED_MAX;
        while let Some(id) = self.pool.line_ref(target).first()
            && self.lines[target].expiries_left > 0
            && self.time_limit_ns(id) <= now_ns
        {
            self.pool.leave_line(target);
            self.lines[target].waited += 1;
            self.expire(target, id);
        }
        if self.plan.scenario.has_own_timeouts && self.due_in_line_ns(target) <= now_ns {
            self.sweep_line(target);
        }
        // Slots for which one turn found more expired users than it may remove.
        while self.lines[target].expiries_left > 0
            && let Some(slot) = self.pool.free_for_line(target)
        {
            self.fill(slot);
        }
    }

    /// Requests that waited for a connection, in the lines of all targets.
    pub(super) fn waited_in_line(&self) -> u64 {
        self.lines.iter().map(|line| line.waited).sum()
    }

    /// A user has waited in a target's line for too long, and has left it.
    pub(super) fn expire(&mut self, target: usize, id: u32) {
        self.lines[target].on_expired();
        self.fail(id, Failure::WaitTimeout, Detail::None);
    }

    /// When a user in a line has waited for too long.
    pub(super) fn line_due_ns(&self) -> u64 {
        let dues = (0..self.pool.targets()).map(|target| self.due_in_line_ns(target));
        dues.fold(u64::MAX, u64::min)
    }

    fn due_in_line_ns(&self, target: usize) -> u64 {
        let (line, limits) = (self.pool.line_ref(target), &self.lines[target]);
        match line.first() {
            None => u64::MAX,
            Some(_) if line.is_being_swept() || limits.expiries_left == 0 => 0,
            Some(_) if self.plan.scenario.has_own_timeouts => limits.sweep_due_ns(),
            Some(first) => self.time_limit_ns(first),
        }
    }

    /// Begins a sweep of a target's line, or continues one.
    fn sweep_line(&mut self, target: usize) {
        let now_ns = self.clocks.now_ns;
        // Taken out while the limits of its users are read.
        let mut line = std::mem::take(self.pool.line_mut(target));
        let mut failing = std::mem::take(&mut self.failing);
        if !line.is_being_swept() {
            self.lines[target].on_sweep_begun(now_ns);
        }
        let mut earliest_ns = u64::MAX;
        line.sweep(VISITED_MAX, self.lines[target].expiries_left, |id| {
            let limit_ns = self.time_limit_ns(id);
            let is_over = limit_ns <= now_ns;
            if is_over {
                failing.push(Failing {
                    id,
                    failure: Failure::WaitTimeout,
                    detail: Detail::None,
                });
            } else {
                earliest_ns = earliest_ns.min(limit_ns);
            }
            is_over
        });
        self.lines[target].on_swept(earliest_ns, failing.len());
        self.failing = failing;
        *self.pool.line_mut(target) = line;
        self.fail_those_off();
    }
}
