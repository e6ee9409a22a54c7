//! What holds after every turn, looked at in debug builds.

use crate::engine::connection::{NOBODY, State};
use crate::engine::requests::{Phase, Request};
use crate::io::Driver;

use super::Shard;

/// Up to so many users, a debug build looks at each of them after every turn.
const USERS_LOOKED_AT: usize = 64;

impl<'p, D: Driver> Shard<'p, D> {
    /// What holds after every turn: each request is counted once, and users and connections agree on who has whom.
    pub(super) fn debug_assert_sums(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        let steps = self.recorder.counts.steps.iter();
        let open: u64 = steps
            .map(|step| step.sent - step.requests - step.cut_off)
            .sum();
        assert_eq!(open, self.progress.in_flight as u64, "requests under way");
        if self.users.len() > USERS_LOOKED_AT {
            return;
        }
        let under_way = || {
            let seats = self.users.iter().enumerate();
            seats.filter_map(|(id, seat)| Some((id, self.requests.get(seat.request)?)))
        };
        assert_eq!(under_way().count(), self.progress.in_flight);
        let waits = |request: &Request| request.phase == Phase::Waiting && request.slot == NOBODY;
        let waiting = under_way().filter(|(_, request)| waits(request)).count();
        assert_eq!(waiting, self.pool.line().count(), "users in the line");
        let users_on = |slot: u32| {
            (0..self.pool.carried(slot)).map(move |place| self.pool.user_at(slot, place))
        };
        for (id, request) in under_way().filter(|(_, request)| request.slot != NOBODY) {
            let is_there = users_on(request.slot).any(|user| user as usize == id);
            assert!(is_there, "the user of its connection");
        }
        let taken = self.pool.connections.iter();
        let taken = taken.filter(|connection| {
            connection.user != NOBODY || connection.state == State::BackingOff
        });
        let slots = self.pool.connections.len();
        let free = self.pool.free_slots();
        assert!(
            free.is_none_or(|free| free + taken.count() == slots),
            "a slot is lost"
        );
        for (slot, connection) in (0..).zip(&self.pool.connections) {
            let carries = matches!(connection.state, State::Busy | State::Connecting);
            assert_eq!(carries, carries && connection.user != NOBODY);
            for user in users_on(slot) {
                assert_eq!(self.request(user).slot, slot, "the connection of its user");
            }
            let is_awaited = |user: &u32| {
                let phase = self.request(*user).phase;
                matches!(phase, Phase::Submitted | Phase::Resubmitted)
            };
            let awaited = match connection.state {
                State::Busy => usize::from(connection.awaited),
                _ => 0,
            };
            let first = users_on(slot).take_while(is_awaited).count();
            let all = users_on(slot).filter(is_awaited).count();
            assert_eq!((first, all), (awaited, awaited), "answers due");
        }
    }
}
