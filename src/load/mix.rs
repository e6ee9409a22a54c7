//! Which kind each user of a load is, where there are several kinds.
//!
//! 1. Counted kinds come first: their users have the first numbers, so that each level of a load has all of them.
//! 2. The other users are divided by share: whole numbers by the largest remainder (Hamilton's method), for the users of
//!    the peak together.
//! 3. Both lists are spread evenly, user i of t of a kind at place `(i + 1/2) / t`: a load that grows has the right mix at
//!    each number of users.
//! 4. Within every `BLOCK` users the order is drawn from the seed. Otherwise kinds in a regular pattern would meet the
//!    regular pattern by which users are dealt to shards, and one shard would have all users of a kind.

use super::random::{Keyed, Stream, below};

/// Users among which the order of kinds is drawn.
const BLOCK: usize = 32;

/// How many users are of a kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// So many.
    Count(u64),
    /// This share of the users that are not counted, above 0, up to 1.
    Share(f64),
}

impl Amount {
    fn count(self) -> u64 {
        match self {
            Self::Count(count) => count,
            Self::Share(_) => 0,
        }
    }

    fn share(self) -> f64 {
        match self {
            Self::Count(_) => 0.0,
            Self::Share(share) => share,
        }
    }
}

/// Users of all counted kinds.
pub fn counted(amounts: &[Amount]) -> u64 {
    amounts.iter().map(|amount| amount.count()).sum()
}

/// How many of `users` are of each kind; of a kind with a count, all.
pub fn per_kind(amounts: &[Amount], users: u64) -> Vec<u64> {
    let rest = users.saturating_sub(counted(amounts));
    let shares: Vec<f64> = amounts.iter().map(|amount| amount.share()).collect();
    let counts = amounts.iter().map(|amount| amount.count());
    match shares.iter().any(|share| *share > 0.0) {
        true => counts
            .zip(divided(rest, &shares))
            .map(|(count, more)| count + more)
            .collect(),
        false => counts.collect(),
    }
}

/// The kinds of all users by their number: `users` at the peak, and what there is room for besides.
pub fn kinds(amounts: &[Amount], users: u64, room: u64, random: Keyed) -> Vec<u16> {
    let counts: Vec<u64> = amounts.iter().map(|amount| amount.count()).collect();
    let has_shares = amounts.iter().any(|amount| amount.share() > 0.0);
    let shares: Vec<f64> = match has_shares {
        true => amounts.iter().map(|amount| amount.share()).collect(),
        false => counts.iter().map(|count| *count as f64).collect(),
    };
    let counted = counted(amounts);
    let rest = users.saturating_sub(counted);
    let more = room.saturating_sub(users.max(counted));
    let mut all = Vec::new();
    for targets in [counts, divided(rest, &shares), divided(more, &shares)] {
        let mut list = spread(&targets);
        for (nth, block) in list.chunks_mut(BLOCK).enumerate() {
            let key = (all.len() + nth * BLOCK) as u64;
            for place in (1..block.len()).rev() {
                let draw = random.draw(key, Stream::Kind, place as u64);
                block.swap(place, below(draw, place as u64 + 1) as usize);
            }
        }
        all.extend(list);
    }
    all.truncate(room as usize);
    all
}

/// A number in whole parts by shares, which are scaled to their sum: the largest remainders are rounded up.
fn divided(all: u64, shares: &[f64]) -> Vec<u64> {
    let sum: f64 = shares.iter().sum();
    let exact = |share: &f64| all as f64 * share / sum;
    let mut parts: Vec<u64> = shares.iter().map(|it| exact(it).floor() as u64).collect();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    let remainder = |index: &usize| exact(&shares[*index]).fract();
    order.sort_by(|one, other| remainder(other).total_cmp(&remainder(one)));
    let left = all.saturating_sub(parts.iter().sum());
    for index in order.into_iter().cycle().take(left as usize) {
        parts[index] += 1;
    }
    parts
}

/// So many users of each kind, spread evenly.
fn spread(counts: &[u64]) -> Vec<u16> {
    let places = counts.iter().enumerate().flat_map(|(kind, count)| {
        (0..*count).map(move |nth| ((nth as f64 + 0.5) / *count as f64, kind as u16))
    });
    let mut places: Vec<(f64, u16)> = places.collect();
    places.sort_unstable_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
    places.into_iter().map(|(_, kind)| kind).collect()
}

/// The kind of an arrival, by a draw of 64 uniform bits.
pub fn drawn(amounts: impl Iterator<Item = Amount> + Clone, draw: u64) -> u16 {
    let sum: f64 = amounts.clone().map(Amount::share).sum();
    // 53 even bits as a number from 0 to below 1.
    let mut at = (draw >> 11) as f64 / (1u64 << 53) as f64 * sum;
    let mut last = 0;
    for (kind, amount) in amounts.enumerate() {
        at -= amount.share();
        last = kind as u16;
        if at < 0.0 {
            break;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::deal::Deal;
    use Amount::{Count, Share};

    fn tally(all: &[u16], kinds: usize) -> Vec<u64> {
        let mut tally = vec![0; kinds];
        for kind in all {
            tally[usize::from(*kind)] += 1;
        }
        tally
    }

    #[test]
    fn users_are_divided_by_the_largest_remainder_after_exact_counts() {
        let check = |amounts: &[Amount], users, expected: &[u64]| {
            let all = kinds(amounts, users, users, Keyed::new(1));
            assert_eq!(tally(&all, amounts.len()), expected, "{amounts:?} {users}");
            assert_eq!(per_kind(amounts, users), expected, "{amounts:?} {users}");
        };
        check(&[Share(0.5), Share(0.5)], 10, &[5, 5]);
        check(&[Share(0.7), Share(0.3)], 9, &[6, 3]);
        check(&[Share(0.34), Share(0.33), Share(0.33)], 2, &[1, 1, 0]);
        check(&[Share(0.9), Share(0.1)], 4, &[4, 0]);
        check(&[Count(3), Share(0.6), Share(0.4)], 13, &[3, 6, 4]);
        check(&[Share(1.0), Count(3)], 3, &[0, 3]);
        check(&[Count(2), Count(1)], 3, &[2, 1]);
        // More than the load was made for: the mix stays.
        let all = kinds(&[Count(2), Count(1)], 3, 9, Keyed::new(1));
        assert_eq!(tally(&all, 2), [6, 3]);
    }

    #[test]
    fn counted_users_come_first_and_every_number_of_users_has_the_mix() {
        let amounts = [Count(40), Share(0.75), Share(0.25)];
        let all = kinds(&amounts, 1_000, 5_000, Keyed::new(3));
        assert_eq!(tally(&all[..1_000], 3), [40, 720, 240]);
        assert_eq!(tally(&all, 3), [40, 3_720, 1_240]);
        for users in 64..all.len() {
            let seen = tally(&all[..users], 3);
            assert_eq!(seen[0], 40, "{users}");
            let wanted = (users as f64 - 40.0) * 0.25;
            assert!((seen[2] as f64 - wanted).abs() < 9.0, "{users}: {seen:?}");
        }
    }

    /// For every number of shards, also where users share connections: each shard has the mix, up to four standard
    /// deviations of drawing its users without order.
    #[test]
    fn every_shard_has_its_fair_share_of_each_kind() {
        let amounts = [Share(0.5), Share(0.3), Share(0.2)];
        for users in [64, 1_000, 20_000] {
            let all = kinds(&amounts, users, users, Keyed::new(7));
            for shards in 1..=24 {
                for connections in [users, users / 3 + 1] {
                    let deal = Deal::new(users, connections, shards);
                    for shard in 0..shards {
                        let numbers = deal.numbers(shard);
                        let places = 0..deal.users_of(shard) as u32;
                        let own: Vec<u16> = places.map(|it| all[numbers.of(it) as usize]).collect();
                        let seen = tally(&own, 3);
                        for (kind, share) in [0.5, 0.3, 0.2].into_iter().enumerate() {
                            let users = own.len() as f64;
                            let error = (seen[kind] as f64 - users * share).abs();
                            let deviation = (users * share * (1.0 - share)).sqrt();
                            assert!(
                                error <= 1.0 + 4.0 * deviation,
                                "{deal:?} shard {shard}: {seen:?}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn arrivals_are_drawn_by_share() {
        let amounts = [Share(0.7), Share(0.1), Share(0.2)];
        let random = Keyed::new(5);
        let draws =
            (0..20_000).map(|it| drawn(amounts.into_iter(), random.draw(it, Stream::Kind, 0)));
        let seen = tally(&draws.collect::<Vec<_>>(), 3);
        assert!(
            seen[0].abs_diff(14_000) < 300 && seen[1].abs_diff(2_000) < 200,
            "{seen:?}"
        );
        assert_eq!(
            (
                drawn(amounts.into_iter(), 0),
                drawn(amounts.into_iter(), u64::MAX),
            ),
            (0, 2)
        );
    }
}
