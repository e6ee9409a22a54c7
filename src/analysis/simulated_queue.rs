//! A simulated queue with one server (M/M/1), whose percentiles are known: the ground truth of the statistics' tests.

use crate::metrics::latencies::Latencies;

/// splitmix64 (Steele, Lea and Flood 2014), as `ci_ground_truth.README.md` gives it.
pub(super) struct Draws(pub u64);

impl Draws {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Evenly distributed from 0 to below 1.
    pub fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 * (0.5f64).powi(53)
    }

    /// Exponentially distributed with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.uniform()).ln()
    }

    /// Normally distributed with mean 0 and variance 1 (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (2.0 * self.exponential()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// The times of each second at `per_s` arrivals and a load of `rho`, in microseconds. `wait_us`: what the first one
/// waits.
pub(super) fn queue(
    seed: u64,
    seconds: usize,
    per_s: f64,
    rho: f64,
    mut wait_us: f64,
) -> Vec<Latencies> {
    let mut draws = Draws(seed);
    let mut all = vec![Latencies::default(); seconds];
    let (mut at_us, mut before_us) = (0.0, None::<f64>);
    loop {
        let gap_us = draws.exponential() * 1e6 / per_s;
        let service_us = draws.exponential() * 1e6 / per_s * rho;
        at_us += gap_us;
        if at_us >= seconds as f64 * 1e6 {
            return all;
        }
        if let Some(before_us) = before_us {
            wait_us = (wait_us + before_us - gap_us).max(0.0);
        }
        before_us = Some(service_us);
        let time_us = (wait_us + service_us).floor().max(1.0);
        all[(at_us / 1e6) as usize].record(time_us as u64 * 1_000);
    }
}

/// The same, stationary from its first arrival on; run number `run`. The times are then exponential with the rate
/// `per_s / rho - per_s` per second.
pub(super) fn stationary_queue(run: u64, seconds: usize, per_s: f64, rho: f64) -> Vec<Latencies> {
    let mut draws = Draws(run ^ 0x5eed_0000);
    // An arrival finds the queue empty with probability 1 - rho; else it waits an exponential time.
    let wait_us = match draws.uniform() < rho {
        true => draws.exponential() / (per_s / rho - per_s) * 1e6,
        false => 0.0,
    };
    queue(run * 7_919 + 1, seconds, per_s, rho, wait_us)
}

pub(super) fn sum(seconds: &[Latencies]) -> Latencies {
    let mut all = Latencies::default();
    seconds.iter().for_each(|second| all += second);
    all
}
