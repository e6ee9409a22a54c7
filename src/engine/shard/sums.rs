//! What holds after every turn, checked in debug builds: each request is counted once, and users and connections agree on
//! which user is on which.

use crate::engine::connection::{NO_SLOT, NO_USER, State};
use crate::engine::requests::{Phase, Request};
use crate::io::Driver;

use super::state::Shard;

/// Up to this number of users, each of them is checked after every turn.
const USERS_CHECKED_MAX: usize = 64;

impl<'p, D: Driver> Shard<'p, D> {
    pub(super) fn debug_assert_sums(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        let steps = self.recorder.counts.steps.iter();
        let open: u64 = steps
            .map(|step| step.sent - step.requests - step.cut_off)
            .sum();
        assert_eq!(open, self.requests.count() as u64, "requests under way");
        if self.seats.len() <= USERS_CHECKED_MAX {
            self.assert_users_agree();
            self.assert_connections_agree();
        }
    }

    /// Every request under way belongs to one user, which is on the request's slot or in the line.
    fn assert_users_agree(&self) {
        let under_way = || {
            let seats = self.seats.iter().enumerate();
            seats.filter_map(|(id, seat)| Some((id, self.requests.get(seat.request)?)))
        };
        assert_eq!(under_way().count(), self.requests.count());
        for user in 0..self.seats.len() as u32 {
            let own = self.together.companions_of(user).chain([user]);
            let is_open = |id: &u32| self.requests.get(self.seats.seat(*id).request).is_some();
            let (open, left) = (own.filter(is_open).count(), self.together.left(user));
            assert!(
                left == open || left == 0 && open <= 1,
                "requests sent at once"
            );
        }
        let waits = |request: &Request| request.phase == Phase::Waiting && request.slot == NO_SLOT;
        let waiting = under_way().filter(|(_, request)| waits(request)).count();
        assert_eq!(waiting, self.pool.line().count(), "users in the line");
        for (id, request) in under_way().filter(|(_, request)| request.slot != NO_SLOT) {
            let is_there = self.users_on(request.slot).any(|user| user as usize == id);
            assert!(is_there, "the user of its connection");
        }
    }

    /// Every slot is free, used or backing off, and awaits the answers of the first users on it.
    fn assert_connections_agree(&self) {
        let taken = self.pool.connections.iter();
        let taken = taken.filter(|connection| {
            connection.user != NO_USER || connection.state == State::BackingOff
        });
        let slots = self.pool.connections.len();
        let free = self.pool.free_slots();
        assert!(
            free.is_none_or(|free| free + taken.count() == slots),
            "a slot is lost"
        );
        for (slot, connection) in (0..).zip(&self.pool.connections) {
            let carries = matches!(connection.state, State::Busy | State::Connecting);
            assert_eq!(carries, carries && connection.user != NO_USER);
            for user in self.users_on(slot) {
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
            let first = self.users_on(slot).take_while(is_awaited).count();
            let all = self.users_on(slot).filter(is_awaited).count();
            assert_eq!((first, all), (awaited, awaited), "answers due");
        }
    }

    fn users_on(&self, slot: u32) -> impl Iterator<Item = u32> {
        (0..self.pool.carried(slot)).map(move |place| self.pool.user_at(slot, place))
    }
}
