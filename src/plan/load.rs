//! How many users, from when on, and how much each of them does: computed from a user's number, so that nothing drifts.

const SECOND_NS: u64 = 1_000_000_000;

/// A closed load: users who wait for their answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Closed {
    /// Users at the peak.
    pub users: u64,
    /// How they come.
    pub ramp: Ramp,
    /// Passes of the work loop in all, if bounded.
    pub iterations: Option<u64>,
}

/// How users come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ramp {
    /// So many per second, evenly: user n comes n / rate after the start (Locust's spawn rate).
    Rate(f64),
    /// `from` users within the first second, the others evenly up to `over_ns`.
    Linear {
        /// Users at the start.
        from: u64,
        /// When the last one has come.
        over_ns: u64,
    },
}

impl Closed {
    /// When a user comes, in nanoseconds after the start.
    pub fn spawn_at_ns(&self, user: u64) -> u64 {
        match self.ramp {
            Ramp::Rate(per_second) => (user as f64 * SECOND_NS as f64 / per_second) as u64,
            Ramp::Linear { from, .. } if user < from => user * SECOND_NS / from,
            Ramp::Linear { from, over_ns } => {
                let later = self.users - from;
                let share = u128::from(user - from + 1) * u128::from(over_ns) / u128::from(later);
                (share as u64).max(SECOND_NS)
            }
        }
    }

    /// How many users there will be: no more than there are iterations to do.
    pub fn users_spawned(&self) -> u64 {
        self.iterations
            .map_or(self.users, |all| all.min(self.users))
    }

    /// A user's share of the iterations: all alike, the first ones one more when they do not divide evenly.
    pub fn iterations_of(&self, user: u64) -> Option<u32> {
        let all = self.iterations?;
        let extra = u64::from(user < all % self.users);
        Some(u32::try_from(all / self.users + extra).unwrap_or(u32::MAX - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spawn_rate_is_kept_to_the_nanosecond() {
        let load = Closed {
            users: 50,
            ramp: Ramp::Rate(10.0),
            iterations: None,
        };
        let times: Vec<u64> = (0..4).map(|user| load.spawn_at_ns(user)).collect();
        assert_eq!(times, [0, 100_000_000, 200_000_000, 300_000_000]);
        assert_eq!(load.iterations_of(0), None);
    }

    #[test]
    fn a_ramp_begins_with_some_users_and_ends_with_all() {
        let load = Closed {
            users: 100,
            ramp: Ramp::Linear {
                from: 10,
                over_ns: 180 * SECOND_NS,
            },
            iterations: None,
        };
        assert_eq!(load.spawn_at_ns(0), 0);
        assert_eq!(load.spawn_at_ns(9), 900_000_000);
        assert_eq!(load.spawn_at_ns(10), 2 * SECOND_NS);
        assert_eq!(load.spawn_at_ns(54), 90 * SECOND_NS);
        assert_eq!(load.spawn_at_ns(99), 180 * SECOND_NS);
    }

    #[test]
    fn iterations_are_shared_out_completely() {
        for (users, all) in [(50, 100), (7, 100), (100, 7), (3, 3)] {
            let load = Closed {
                users,
                ramp: Ramp::Rate(1.0),
                iterations: Some(all),
            };
            let shares =
                (0..users).map(|user| u64::from(load.iterations_of(user).expect("bounded")));
            assert_eq!(shares.clone().sum::<u64>(), all);
            let busy = shares.filter(|&share| share > 0).count() as u64;
            assert_eq!(busy, load.users_spawned());
        }
    }
}
