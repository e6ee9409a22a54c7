//! Whether latency grows within a window: such a level does not hold, however low its latency still is.
//!
//! 1. The mean response time of each second of the window is taken; seconds without an answer are passed over.
//! 2. Kendall's tau, the share of pairs of seconds that rise less the share that fall, has to be above 0.6: steady noise
//!    rises and falls alike, and a single stall moves only the pairs that it is in.
//! 3. The mean of the last third has to be 1.5 times that of the first, so that a growth that means nothing is none.
//!
//! A steady M/M/1 queue, whose waits hang together over many seconds, is taken for growing at most once in 30 windows of
//! 15 s at up to 90 % load and 100 requests/s or more; at 18 requests/s in windows of 10 s once in ten. A level is
//! measured again before it counts as bad. A service that becomes twice as slow within the window is found where its
//! noise is smaller than that.

/// Fewer seconds than this show no growth: of five, chance alone has one window of 25 rise almost throughout.
const SECONDS_MIN: usize = 6;
const TAU_MIN: f64 = 0.6;
const RATIO_MIN: f64 = 1.5;

/// A growth within a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    /// Mean of its first third.
    pub from: f64,
    /// Mean of its last third.
    pub to: f64,
}

/// The growth in means of the seconds of a window, if there is one.
pub fn growth(by_second: &[f64]) -> Option<Growth> {
    let count = by_second.len();
    if count < SECONDS_MIN {
        return None;
    }
    let mut rising = 0.0;
    for (index, earlier) in by_second.iter().enumerate() {
        for later in &by_second[index + 1..] {
            rising += (later - earlier)
                .partial_cmp(&0.0)
                .map_or(0.0, |sign| f64::from(sign as i8));
        }
    }
    let tau = rising / (count * (count - 1) / 2) as f64;
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let growth = Growth {
        from: mean(&by_second[..count / 3]),
        to: mean(&by_second[count - count / 3..]),
    };
    (tau > TAU_MIN && growth.to > RATIO_MIN * growth.from).then_some(growth)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Evenly distributed from 0 to 1, from a seed.
    struct Draws(u64);

    impl Draws {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut bits = self.0;
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        }

        fn exponential(&mut self, mean: f64) -> f64 {
            -mean * (1.0 - self.next()).ln()
        }
    }

    /// Means by second of the response times of an M/M/1 queue, after it has run in; the service time becomes `slower`
    /// times as long within the window.
    fn queue(
        draws: &mut Draws,
        per_second: f64,
        load: f64,
        seconds: usize,
        slower: f64,
    ) -> Vec<f64> {
        let run_in = 4_000.0 / per_second;
        let (mut arrival, mut free) = (-run_in, -run_in);
        let mut sums = vec![(0.0, 0.0); seconds];
        while arrival < seconds as f64 {
            arrival += draws.exponential(1.0 / (per_second * load));
            let part = (arrival / seconds as f64).clamp(0.0, 1.0);
            let service = draws.exponential(1.0 / per_second) * (1.0 + (slower - 1.0) * part);
            free = arrival.max(free) + service;
            if free >= 0.0 && free < seconds as f64 {
                let (sum, count) = &mut sums[free as usize];
                *sum += free - arrival;
                *count += 1.0;
            }
        }
        let answered = sums.iter().filter(|(_, count)| *count > 0.0);
        answered.map(|(sum, count)| sum / count).collect()
    }

    fn share_of_growing(per_second: f64, load: f64, seconds: usize, slower: f64) -> f64 {
        let mut draws = Draws(11);
        let mut grown = 0;
        for _ in 0..200 {
            let by_second = queue(&mut draws, per_second, load, seconds, slower);
            grown += usize::from(growth(&by_second).is_some());
        }
        grown as f64 / 200.0
    }

    #[test]
    fn steady_queues_are_hardly_ever_taken_for_growing() {
        for (per_second, load, seconds) in [
            (200.0, 0.5, 6),
            (200.0, 0.8, 10),
            (200.0, 0.9, 10),
            (100.0, 0.9, 15),
            (50.0, 0.8, 30),
            (200.0, 0.95, 30),
        ] {
            let share = share_of_growing(per_second, load, seconds, 1.0);
            assert!(
                share <= 0.05,
                "{per_second}/s at {load}, {seconds} s: {share}"
            );
        }
    }

    #[test]
    fn a_service_that_slows_down_or_a_queue_that_grows_is_found() {
        // Idle enough for its response time to be its service time, three times as long at the end.
        let share = share_of_growing(1_000.0, 0.2, 15, 3.0);
        assert!(share >= 0.95, "{share}");
        // More than it can do: the queue grows by 20 requests a second.
        let mut draws = Draws(5);
        let grown = (0..100).filter(|_| {
            let mut backlog = 0.0;
            let noise = (0..10).map(|_| {
                backlog += 20.0;
                0.01 + backlog / 200.0 * (0.8 + 0.4 * draws.next())
            });
            growth(&noise.collect::<Vec<f64>>()).is_some()
        });
        assert!(grown.count() >= 95);
    }

    #[test]
    fn a_stall_a_step_too_small_and_too_few_seconds_are_no_growth() {
        let flat = [10.0, 11.0, 10.5, 10.0, 11.0, 10.2, 10.1, 10.8, 10.4, 10.3];
        assert_eq!(growth(&flat), None);
        let mut stalled = flat;
        stalled[9] = 900.0;
        assert_eq!(growth(&stalled), None);
        let small: Vec<f64> = (0..10)
            .map(|second| 10.0 + 0.2 * f64::from(second))
            .collect();
        assert_eq!(growth(&small), None);
        let doubled: Vec<f64> = (0..9)
            .map(|second| 10.0 + 2.0 * f64::from(second))
            .collect();
        let expected = Growth {
            from: 12.0,
            to: 24.0,
        };
        assert_eq!(growth(&doubled), Some(expected));
        assert_eq!(growth(&doubled[..5]), None);
    }
}
