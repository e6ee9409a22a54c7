//! Time runs out: of requests under way, and of those in the waiting line.

use crate::engine::batch::Ending;
use crate::engine::connection::{Detail, NO_TIMER, NOBODY, State};
use crate::io::Driver;
use crate::metrics::outcome::Failure;

use super::Shard;

/// How often at most the whole waiting line is looked through, when steps have time limits of their own: a request in
/// it is given up at most so much later than it should be.
const LINE_NS: u64 = 10_000_000;
/// Users in it that one turn visits for that; about 1 ms.
const VISITED_MAX: usize = 32_768;
/// Users whose time in the line is over that one turn sees off, at about 0.5 us each; the rest is for the next.
pub(super) const EXPIRED_MAX: usize = 4_096;

impl<'p, D: Driver> Shard<'p, D> {
    pub(super) fn on_time_limit(&mut self, slot: u32) {
        let connection = &mut self.pool.connections[slot as usize];
        connection.timer_ns = NO_TIMER;
        if connection.user == NOBODY {
            return;
        }
        if connection.deadline_ns <= self.progress.now_ns {
            // The limit may have been that of one who has left.
            let carried = 0..self.pool.carried(slot);
            let limits = carried.map(|place| self.time_limit_ns(self.pool.user_at(slot, place)));
            let deadline_ns = limits.min().unwrap_or(u64::MAX);
            self.pool.connections[slot as usize].deadline_ns = deadline_ns;
        }
        let connection = &mut self.pool.connections[slot as usize];
        if connection.deadline_ns > self.progress.now_ns {
            connection.timer_ns = connection.deadline_ns;
            let timer = self.users_max as u32 + slot;
            self.timers.set(timer, connection.deadline_ns);
            return;
        }
        match connection.state {
            State::Busy => {
                let phase = connection.decoder.phase();
                self.drop_connection(slot);
                self.break_off(slot, Ending::TimeOver(phase));
            }
            State::Connecting => {
                let ending = Ending::NotOpenYet(Failure::ConnectTimeout, Detail::None);
                self.give_up_waiting(slot, ending);
            }
            State::BackingOff => {
                let ending = Ending::NotOpenYet(Failure::ConnectFailed, Detail::BackingOff);
                self.give_up_waiting(slot, ending);
            }
            State::Closed | State::Idle => {}
        }
    }

    /// Those whose time is over wait no more for a connection; with the last of them the attempt to open it ends.
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

    /// Users who have stood in the line for too long: the first ones in it, and where steps have time limits of their
    /// own anywhere in it. More than [`EXPIRED_MAX`] of them are left for the next turn.
    pub(super) fn expire_due(&mut self) {
        let now_ns = self.progress.now_ns;
        self.progress.expiries_left = EXPIRED_MAX;
        while let Some(id) = self.pool.first_in_line()
            && self.progress.expiries_left > 0
            && self.time_limit_ns(id) <= now_ns
        {
            self.pool.leave_line();
            self.progress.waited_in_line += 1;
            self.expire(id);
        }
        if self.plan.scenario.has_own_timeouts && self.line_due_ns() <= now_ns {
            self.sweep_line();
        }
        // Slots that came to a line of more such users than one turn sees off.
        while self.progress.expiries_left > 0
            && let Some(slot) = self.pool.free_for_line()
        {
            self.fill(slot);
        }
    }

    /// A user has waited in the line for too long, and has left it.
    pub(super) fn expire(&mut self, id: u32) {
        self.progress.expiries_left = self.progress.expiries_left.saturating_sub(1);
        self.fail(id, Failure::WaitTimeout, Detail::None);
    }

    /// A user has come to stand in the line.
    pub(super) fn limit_time_in_line(&mut self, id: u32) {
        let limit_ns = self.time_limit_ns(id);
        self.progress.line_limit_ns = self.progress.line_limit_ns.min(limit_ns);
    }

    /// When somebody in the line has waited for too long.
    pub(super) fn line_due_ns(&self) -> u64 {
        match self
            .pool
            .line_ref()
            .and_then(|line| Some((line, line.first()?)))
        {
            None => u64::MAX,
            Some((line, _)) if line.is_being_swept() || self.progress.expiries_left == 0 => 0,
            Some(_) if self.plan.scenario.has_own_timeouts => {
                let again_ns = self.progress.line_swept_ns + LINE_NS;
                self.progress.line_limit_ns.max(again_ns)
            }
            Some((_, first)) => self.time_limit_ns(first),
        }
    }

    /// Begins to look through the line, or goes on with it.
    fn sweep_line(&mut self) {
        let now_ns = self.progress.now_ns;
        let Some(line) = self.pool.line_mut() else {
            return;
        };
        // Taken out while its users are asked.
        let mut line = std::mem::take(line);
        let mut failing = std::mem::take(&mut self.failing);
        let mut next_ns = self.progress.line_limit_ns;
        if !line.is_being_swept() {
            self.progress.line_swept_ns = now_ns;
            next_ns = u64::MAX;
        }
        line.sweep(VISITED_MAX, self.progress.expiries_left, |id| {
            let limit_ns = self.time_limit_ns(id);
            let is_over = limit_ns <= now_ns;
            if is_over {
                failing.push((id, Failure::WaitTimeout, Detail::None));
            } else {
                next_ns = next_ns.min(limit_ns);
            }
            is_over
        });
        self.progress.line_limit_ns = next_ns;
        self.progress.waited_in_line += failing.len() as u64;
        self.progress.expiries_left -= failing.len();
        self.failing = failing;
        if let Some(place) = self.pool.line_mut() {
            *place = line;
        }
        self.fail_those_off();
    }
}
