//! Everything random, drawn from the seed by key instead of in sequence.
//!
//! A draw is a function of (seed, user, purpose, count). It does not depend on the shard that runs the user, on the
//! driver, or on the order of events: a seed repeats a run.

use uuid::{Builder, Uuid};

/// The source of all draws of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyed {
    seed: u64,
}

/// The purpose of a draw. Draws for different purposes are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Stream {
    /// Length of a wait between tasks.
    Wait = 1,
    /// Which task is next.
    Task = 2,
    /// A user's variables.
    Variable = 3,
    /// Delay of a reconnection.
    Backoff = 4,
    /// Values made for one request.
    Request = 5,
    /// A user's row of the CSV file.
    Row = 6,
    /// Length of a pause after a step.
    Pause = 7,
    /// Times of Poisson arrivals.
    Arrival = 8,
    /// Whether a step with a share is sent.
    Condition = 9,
    /// Delay of a retry.
    Retry = 10,
    /// What a user picks from an answer.
    Answer = 20,
    /// Which kind a user or an arrival is of.
    Kind = 30,
}

impl Keyed {
    /// The draws of a seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// 64 uniform bits: three rounds of SplitMix64's finaliser (Steele, Lea, Flood 2014), one per part of the key.
    pub fn draw(&self, user: u64, stream: Stream, count: u64) -> u64 {
        let key = mix(self.seed ^ mix(stream as u64));
        mix(mix(key.wrapping_add(user)).wrapping_add(count))
    }

    /// A version 4 uuid (RFC 9562 section 5.4), different for each key.
    pub fn uuid(&self, user: u64, stream: Stream, count: u64) -> Uuid {
        // The second half is drawn at `!count`, which no other count reaches.
        let halves = [count, !count].map(|at| self.draw(user, stream, at).to_le_bytes());
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&halves[0]);
        bytes[8..].copy_from_slice(&halves[1]);
        Builder::from_random_bytes(bytes).into_uuid()
    }
}

/// A uniform draw as a number from 0 to below `bound`, by multiplication (Lemire 2019); the bias is below `bound` in 2^64.
pub fn below(draw: u64, bound: u64) -> u64 {
    ((u128::from(draw) * u128::from(bound)) >> 64) as u64
}

fn mix(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Pearson's chi-square over 64 cells; 63 degrees of freedom exceed 103.4 once in 1,000 times.
    fn check_even(draws: impl Iterator<Item = u64>) {
        let mut cells = [0u32; 64];
        let mut count = 0;
        for draw in draws {
            cells[below(draw, 64) as usize] += 1;
            count += 1;
        }
        let expected = f64::from(count) / 64.0;
        let chi: f64 = cells
            .iter()
            .map(|&n| (f64::from(n) - expected).powi(2) / expected)
            .sum();
        assert!(chi < 103.4, "{chi}");
    }

    #[test]
    fn draws_are_even_along_each_part_of_the_key() {
        check_even((0..20_000).map(|user| Keyed::new(7).draw(user, Stream::Wait, 1)));
        check_even((0..20_000).map(|count| Keyed::new(7).draw(3, Stream::Wait, count)));
        check_even((0..20_000).map(|seed| Keyed::new(seed).draw(3, Stream::Wait, 1)));
    }

    #[test]
    fn the_same_key_draws_the_same_and_every_other_key_another() {
        let keyed = Keyed::new(42);
        assert_eq!(
            keyed.draw(1, Stream::Wait, 2),
            keyed.draw(1, Stream::Wait, 2)
        );
        let mut seen = HashSet::new();
        for user in 0..100 {
            for count in 0..100 {
                for stream in [Stream::Wait, Stream::Task, Stream::Variable] {
                    assert!(seen.insert(keyed.draw(user, stream, count)));
                }
            }
        }
    }

    #[test]
    fn uuids_are_of_version_4_and_fresh() {
        let keyed = Keyed::new(1);
        let mut seen = HashSet::new();
        for user in 0..1_000 {
            let uuid = keyed.uuid(user, Stream::Variable, 0);
            assert_eq!(uuid.get_version_num(), 4);
            assert!(seen.insert(uuid));
        }
    }
}
