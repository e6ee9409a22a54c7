//! Time runs out: of requests under way, and of those in the waiting line.

use crate::engine::batch::Ending;
use crate::engine::connection::{Detail, NO_TIMER, NOBODY, State};
use crate::io::Driver;
use crate::metrics::outcome::Failure;

use super::Shard;

/// How often the whole waiting line is looked through when steps have time limits of their own.
const LINE_NS: u64 = 10_000_000;

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
    /// own anywhere in it, every so often.
    pub(super) fn expire_due(&mut self) {
        while let Some(id) = self.pool.first_in_line() {
            if self.time_limit_ns(id) > self.progress.now_ns {
                break;
            }
            self.pool.leave_line();
            self.progress.waited_in_line += 1;
            self.fail(id, Failure::WaitTimeout, Detail::None);
        }
        let looks = self.plan.scenario.has_own_timeouts
            && self.progress.now_ns >= self.progress.line_looked_at_ns;
        if looks {
            self.progress.line_looked_at_ns = self.progress.now_ns + LINE_NS;
            let expired: Vec<u32> = self
                .pool
                .line()
                .filter(|&id| self.time_limit_ns(id) <= self.progress.now_ns)
                .collect();
            for id in expired {
                self.pool.leave_line_early(id);
                self.progress.waited_in_line += 1;
                self.fail(id, Failure::WaitTimeout, Detail::None);
            }
        }
    }
}
