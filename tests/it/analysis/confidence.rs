//! Intervals of percentiles against the vectors of `shared/ci_ground_truth.json`, which numpy and scipy made.

use std::path::Path;

use opsurge::analysis::confidence::{Percentile, Share};
use opsurge::metrics::latencies::Latencies;
use serde_json::Value as Json;

/// splitmix64, as `ci_ground_truth.README.md` gives it.
struct Draws(u64);

impl Draws {
    fn exponential(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        -(1.0 - (z >> 11) as f64 * (0.5f64).powi(53)).ln()
    }
}

/// The input of a vector: its times in microseconds, by second.
fn input(vector: &Json) -> Vec<Vec<u64>> {
    let number = |name: &str| vector[name].as_f64().expect(name);
    let (per_s, seconds) = (number("per_s"), number("seconds"));
    let mut draws = Draws(vector["seed"].as_u64().expect("a seed"));
    let mut times = vec![Vec::new(); seconds as usize];
    let (mut at_us, mut wait_us, mut before_us) = (0.0, 0.0f64, None::<f64>);
    loop {
        let gap_us = draws.exponential() * 1e6 / per_s;
        let service_us = draws.exponential() * 1e6 / per_s * number("rho");
        at_us += gap_us;
        if at_us >= seconds * 1e6 {
            return times;
        }
        if let Some(before_us) = before_us {
            wait_us = (wait_us + before_us - gap_us).max(0.0);
        }
        before_us = Some(service_us);
        let time_us = (wait_us + service_us).floor().max(1.0);
        times[(at_us / 1e6) as usize].push(time_us as u64);
    }
}

/// The smallest time with at least this part of all at or below it.
fn quantile(sorted: &[u64], part: f64) -> u64 {
    let rank = (part * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

#[test]
fn intervals_are_those_of_the_ground_truth() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/ci_ground_truth.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("SKIPPED: {} is not there", path.display());
        return;
    };
    let truth: Json = serde_json::from_str(&text).expect("JSON");
    let mut checked = 0;
    for vector in truth["vectors"].as_array().expect("vectors") {
        let seconds = input(vector);
        let mut all: Vec<u64> = seconds.iter().flatten().copied().collect();
        all.sort_unstable();
        assert_eq!(Some(all.len() as u64), vector["samples"].as_u64());
        assert_eq!(Some(all.iter().sum::<u64>()), vector["sum_us"].as_u64());
        for (name, expected) in vector["expected"].as_object().expect("percentiles") {
            let percent: f64 = name.trim_start_matches('p').parse().expect("a percentile");
            check_exact(&seconds, &all, percent, expected);
            check_bucketed(&seconds, percent, expected);
            checked += 1;
        }
    }
    assert_eq!(checked, 20);
}

/// Every number on the way, from the times themselves.
fn check_exact(seconds: &[Vec<u64>], all: &[u64], percent: f64, expected: &Json) {
    let value = quantile(all, percent / 100.0);
    let counts: Vec<(u64, u64)> = seconds
        .iter()
        .map(|times| {
            let above = times.iter().filter(|time| **time > value).count();
            (times.len() as u64, above as u64)
        })
        .collect();
    let share = Share::of(&counts).expect("it is bounded");
    let near = |name: &str, found: f64| {
        let expected = expected[name].as_f64().expect(name);
        let error = (found - expected).abs() / expected.abs().max(1e-12);
        assert!(
            error < 1e-6 || (found - expected).abs() < 1e-12,
            "{name}: {found}, not {expected}"
        );
    };
    near("value_us", value as f64);
    near("low_us", quantile(all, 1.0 - share.high) as f64);
    near("high_us", quantile(all, 1.0 - share.low) as f64);
    near("share_above", share.above);
    near("t", share.t);
    near("batch_s", share.batch as f64);
    near("batches", share.batches as f64);
    near("left_r", share.correlation);
    near("df", share.freedom);
    near("variance_of_share", share.variance);
    near("effective_samples", share.effective);
    near("effective_beyond", share.effective_beyond());
    assert_eq!(Some(share.is_two_sided()), expected["two_sided"].as_bool());
}

/// The interval from one histogram per second: up to one bucket of three digits, and one rank beside it.
fn check_bucketed(seconds: &[Vec<u64>], percent: f64, expected: &Json) {
    let histograms = seconds.iter().map(|times| {
        let mut second = Latencies::default();
        times
            .iter()
            .for_each(|time_us| second.record(time_us * 1_000));
        second
    });
    let histograms: Vec<Latencies> = histograms.collect();
    let mut all = Latencies::default();
    histograms.iter().for_each(|second| all += second);
    let found = Percentile::of(percent, &all, &histograms).expect("it is bounded");
    let near = |name: &str, found: f64| {
        let expected = expected[name].as_f64().expect(name);
        assert!(
            (found - expected).abs() <= 0.01 * expected,
            "p{percent} {name}: {found}, not {expected}"
        );
    };
    near("value_us", found.value_us);
    near("low_us", found.low_us);
    if let Some(high_us) = found.high_us {
        near("high_us", high_us);
    }
}
