//! Connections, users and arrivals by shard: dealt so that every shard has its share of each.
//!
//! 1. Connection c belongs to shard c mod shards. Where each user has its own, there are as many as users.
//! 2. User n belongs to the shard of connection n mod connections: with 3 connections on two shards, the shard with two of
//!    them has two thirds of the users.
//! 3. Arrival i belongs to the shard of user i mod users: a shard with two thirds of the users gets two thirds of the
//!    arrivals, evenly spaced.
//!
//! A user's actions depend on its number alone, so that a seed means the same on any number of shards.
//!
//! Where several processes make one load, connection c belongs to part c mod parts, and within it to shard
//! (c div parts) mod shards. So the parts' shares do not depend on how many shards each has, and shard s of part p takes the
//! place of shard p + parts * s of a single process with parts * shards of them.

use super::part::Part;

/// How a plan's users and connections are dealt to the shards of one part; users are numbered over all parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deal {
    // INVARIANT: 1 <= connections <= users, unless there are no users; shards >= 1.
    users: u64,
    connections: u64,
    /// Shards that the load would have if all parts had as many as this one.
    shards: u64,
    part: Part,
}

impl Deal {
    /// Deals users and connections; no more connections than users.
    pub fn new(users: u64, connections: u64, shards: usize) -> Self {
        Self {
            users,
            connections: connections.clamp(1, users.max(1)),
            shards: shards.max(1) as u64,
            part: Part::WHOLE,
        }
    }

    /// The same for the shards of one part.
    pub fn of_part(self, part: Part) -> Self {
        Self {
            shards: self.shards / self.part.of() * part.of(),
            part,
            ..self
        }
    }

    /// The place of one of this part's shards among those of all parts.
    fn among_all(self, shard: usize) -> u64 {
        self.part.index() + self.part.of() * shard as u64
    }

    /// Whether a user belongs to a shard.
    #[inline]
    pub fn is_of(self, user: u64, shard: usize) -> bool {
        user % self.connections % self.shards == self.among_all(shard)
    }

    /// Users of this part among those whose number is below `users`.
    pub fn share_of(self, users: u64) -> u64 {
        let (parts, part) = (self.part.of(), self.part.index());
        let rounds = users / self.connections;
        let rest = users % self.connections;
        rounds * dealt(self.connections, parts, part) + dealt(rest, parts, part)
    }

    /// Number of a shard's connections.
    pub fn connections_of(self, shard: usize) -> usize {
        match self.users {
            0 => 0,
            _ => self.dealt(self.connections, shard) as usize,
        }
    }

    /// Number of a shard's users.
    pub fn users_of(self, shard: usize) -> usize {
        let rounds = self.users / self.connections;
        let rest = self.users % self.connections;
        let of_rounds = rounds * self.dealt(self.connections, shard);
        (of_rounds + self.dealt(rest, shard)) as usize
    }

    /// A user's place among those of its shard.
    pub fn place_of(self, user: u64) -> u32 {
        let (round, within) = (user / self.connections, user % self.connections);
        let of_round = dealt(self.connections, self.shards, within % self.shards);
        (round * of_round + within / self.shards) as u32
    }

    /// The first arrival of a shard; [`Deal::arrival_after`] gives the others. `None` for a shard without a connection.
    pub fn first_arrival(self, shard: usize) -> Option<u64> {
        let place = self.among_all(shard);
        let has_some = place < self.connections.min(self.users);
        has_some.then(|| self.arrival_from(0, place))
    }

    /// The arrival of a shard after one of its arrivals.
    pub fn arrival_after(self, arrival: u64, shard: usize) -> u64 {
        let (user, within) = self.position(arrival);
        let next = self.shards;
        match within + next < self.connections && user + next < self.users {
            true => arrival + next,
            false => self.arrival_from(arrival + self.round_left(arrival), self.among_all(shard)),
        }
    }

    /// The first arrival of a shard that has any, from the beginning of a round on.
    fn arrival_from(self, mut round: u64, shard: u64) -> u64 {
        // The last round of all users may be too short to reach the shard.
        while self.round_left(round) <= shard {
            round += self.round_left(round);
        }
        round + shard
    }

    /// Number of arrivals from this one to the end of its round over the connections.
    fn round_left(self, arrival: u64) -> u64 {
        let (user, within) = self.position(arrival);
        (self.connections - within).min(self.users - user)
    }

    /// User and connection of an arrival.
    fn position(self, arrival: u64) -> (u64, u64) {
        let user = arrival % self.users;
        (user, user % self.connections)
    }

    /// A shard's part of a number of things that are dealt in turn.
    fn dealt(self, count: u64, shard: usize) -> u64 {
        dealt(count, self.shards, self.among_all(shard))
    }

    /// The numbers of a shard's users by their place, computed without a division of 64-bit numbers.
    pub fn numbers(self, shard: usize) -> Numbers {
        Numbers {
            connections_of_shard: self.dealt(self.connections, shard).max(1) as u32,
            connections: self.connections,
            shards: self.shards,
            shard: self.among_all(shard),
        }
    }
}

/// The part of one of so many, of a number of things that are dealt in turn.
fn dealt(count: u64, among: u64, one: u64) -> u64 {
    count / among + u64::from(one < count % among)
}

/// The numbers of one shard's users in the whole run.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    connections_of_shard: u32,
    connections: u64,
    shards: u64,
    shard: u64,
}

impl Numbers {
    /// The number of the user at a place.
    #[inline]
    pub fn of(self, place: u32) -> u64 {
        let (round, within) = (
            place / self.connections_of_shard,
            place % self.connections_of_shard,
        );
        u64::from(round) * self.connections + u64::from(within) * self.shards + self.shard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Users, connections and shards of many plans, drawn.
    fn deals() -> Vec<(u64, u64, usize)> {
        let mut seed = 3u64;
        let mut next = |below: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            1 + seed % below
        };
        let drawn = (0..400).map(|_| {
            let users = next(300);
            let connections = next(users + 5);
            (users, connections, next(connections.min(users)) as usize)
        });
        let named = [(3, 3, 2), (30, 3, 2), (2, 2, 2), (31, 3, 2), (1, 1, 1)];
        named.into_iter().chain(drawn).collect()
    }

    #[test]
    fn every_user_has_one_place_on_one_shard() {
        for (users, connections, shards) in deals() {
            let deal = Deal::new(users, connections, shards);
            let mut places = vec![0; shards];
            for user in 0..users {
                let shard = (0..shards).find(|shard| deal.is_of(user, *shard));
                let shard = shard.expect("a shard has it");
                assert_eq!(deal.place_of(user), places[shard], "{deal:?} {user}");
                assert_eq!(deal.numbers(shard).of(places[shard]), user, "{deal:?}");
                places[shard] += 1;
            }
            for (shard, users) in places.into_iter().enumerate() {
                assert_eq!(deal.users_of(shard), users as usize, "{deal:?} {shard}");
            }
        }
    }

    /// Users per connection and arrivals per user of every shard differ by no more than one round of the cards.
    #[test]
    fn no_shard_has_more_load_per_user_or_users_per_connection_than_rounding_allows() {
        for (users, connections, shards) in deals() {
            let deal = Deal::new(users, connections, shards);
            let connections = connections.min(users);
            let arrivals_all = 7 * users + users / 2;
            let mut seen = 0;
            for shard in 0..shards {
                let has = (
                    deal.users_of(shard) as u64,
                    deal.connections_of(shard) as u64,
                );
                let (least, most) = (users / connections, users.div_ceil(connections));
                assert!((least * has.1..=most * has.1).contains(&has.0), "{deal:?}");
                let mut arrivals = 0;
                let mut at = deal.first_arrival(shard).expect("it has a connection");
                while at < arrivals_all {
                    assert!(deal.is_of(at % users, shard), "{deal:?} {at}");
                    arrivals += 1;
                    at = deal.arrival_after(at, shard);
                }
                assert!((7 * has.0..=8 * has.0).contains(&arrivals), "{deal:?}");
                seen += arrivals;
            }
            assert_eq!(
                seen, arrivals_all,
                "every arrival is some shard's: {deal:?}"
            );
        }
    }

    /// Parts with different numbers of shards, as on machines with different numbers of cores.
    #[test]
    fn parts_share_users_connections_and_arrivals_whatever_their_shards() {
        for (users, connections, parts) in deals() {
            let whole = Deal::new(users, connections, 1);
            let (mut owners, mut slots, mut arrivals) = (vec![0; users as usize], 0, Vec::new());
            for number in 1..=parts as u64 {
                let part = Part::new(number, parts as u64).expect("a part");
                let shards = 1 + number as usize % 3;
                let deal = Deal::new(users, connections, shards).of_part(part);
                let mut own = 0;
                for shard in 0..shards {
                    slots += deal.connections_of(shard);
                    own += deal.users_of(shard) as u64;
                    for place in 0..deal.users_of(shard) as u32 {
                        let user = deal.numbers(shard).of(place);
                        owners[user as usize] += 1;
                        assert!(deal.is_of(user, shard), "{deal:?} {user}");
                        assert_eq!(deal.place_of(user), place, "{deal:?} {user}");
                    }
                    let mut at = deal.first_arrival(shard);
                    while let Some(arrival) = at.filter(|arrival| *arrival < 3 * users) {
                        arrivals.push(arrival);
                        at = Some(deal.arrival_after(arrival, shard));
                    }
                }
                assert_eq!(deal.share_of(users), own, "{deal:?}");
                let first: u64 = users / 2;
                let counted =
                    (0..first).filter(|user| (0..shards).any(|shard| deal.is_of(*user, shard)));
                assert_eq!(deal.share_of(first), counted.count() as u64, "{deal:?}");
            }
            assert!(
                owners.iter().all(|owners| *owners == 1),
                "{whole:?} {parts}"
            );
            assert_eq!(slots, whole.connections_of(0), "{whole:?} {parts}");
            arrivals.sort_unstable();
            assert_eq!(arrivals, (0..3 * users).collect::<Vec<_>>(), "{parts}");
        }
    }
}
