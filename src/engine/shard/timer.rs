//! What each timer of a shard is for. The wheel knows ids; the shard knows users and slots.

use crate::engine::timers::Timers;

/// Timers of each connection slot: its time limit, and its backoff.
pub(crate) const TIMERS_PER_SLOT: usize = 2;

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// A user wakes up, or its seat is taken again.
    User(u32),
    /// The time limit of the requests on a slot.
    TimeLimit(u32),
    /// The pause after a failed attempt to open a slot's connection.
    Backoff(u32),
}

impl Timer {
    /// The id in the wheel: one for each user, then two for each slot.
    fn encode(self, users_max: u32) -> u32 {
        match self {
            Self::User(id) => id,
            Self::TimeLimit(slot) => users_max + 2 * slot,
            Self::Backoff(slot) => users_max + 2 * slot + 1,
        }
    }

    /// The timer with this id.
    fn decode(timer_id: u32, users_max: u32) -> Self {
        match timer_id.checked_sub(users_max) {
            None => Self::User(timer_id),
            Some(of_slots) if of_slots % 2 == 0 => Self::TimeLimit(of_slots / 2),
            Some(of_slots) => Self::Backoff(of_slots / 2),
        }
    }
}

/// The timer wheel of a shard. Each timer is set at most once at a time.
pub(super) struct ShardTimers {
    wheel: Timers,
    users_max: u32,
}

impl ShardTimers {
    pub fn new(users_max: usize, slots: usize) -> Self {
        Self {
            wheel: Timers::new(users_max + TIMERS_PER_SLOT * slots),
            users_max: users_max as u32,
        }
    }

    pub fn set(&mut self, timer: Timer, deadline_ns: u64) {
        self.wheel.set(timer.encode(self.users_max), deadline_ns);
    }

    pub fn cancel(&mut self, timer: Timer) {
        self.wheel.cancel(timer.encode(self.users_max));
    }

    /// Cancels the timers of all users for which `keep` is false.
    pub fn retain_users(&mut self, keep: impl Fn(u32) -> bool) {
        let users_max = self.users_max;
        self.wheel
            .retain(|timer_id| match Timer::decode(timer_id, users_max) {
                Timer::User(id) => keep(id),
                Timer::TimeLimit(_) | Timer::Backoff(_) => true,
            });
    }

    /// Takes a timer whose deadline has passed.
    pub fn pop(&mut self, now_ns: u64) -> Option<Timer> {
        let timer_id = self.wheel.pop(now_ns)?;
        Some(Timer::decode(timer_id, self.users_max))
    }

    /// No timer fires before this time.
    pub fn next_ns(&self) -> Option<u64> {
        self.wheel.next_ns()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encode_and_decode_are_inverse_and_ids_are_dense() {
        for (users_max, slots) in [(0, 0), (1, 1), (7, 3), (3, 7), (1_000, 1_000)] {
            let users = (0..users_max).map(Timer::User);
            let limits = (0..slots).map(Timer::TimeLimit);
            let backoffs = (0..slots).map(Timer::Backoff);
            let timers: Vec<Timer> = users.chain(limits).chain(backoffs).collect();
            let mut ids: Vec<u32> = Vec::new();
            for &timer in &timers {
                let timer_id = timer.encode(users_max);
                assert_eq!(Timer::decode(timer_id, users_max), timer);
                ids.push(timer_id);
            }
            ids.sort_unstable();
            let count = users_max + TIMERS_PER_SLOT as u32 * slots;
            assert!(ids.into_iter().eq(0..count), "an id is used twice or never");
        }
    }
}
