use super::*;
use crate::analysis::simulated_queue::{Draws, queue, stationary_queue, sum};
use crate::metrics::latencies::Latencies;

#[test]
fn students_factor_and_the_binomial_limits_are_the_tables() {
    for (freedom, expected) in [(2.0, 4.302_653), (8.0, 2.306_004), (59.0, 2.000_995)] {
        assert!((student(freedom) - expected).abs() < 1e-6, "{freedom}");
    }
    // 5 of 50 (Clopper and Pearson 1934).
    let (low, high) = clopper_pearson(0.1, 50.0);
    assert!(
        (low - 0.033_275).abs() < 1e-6 && (high - 0.218_135).abs() < 1e-6,
        "{low} {high}"
    );
}

#[test]
fn nothing_bounds_a_percentile_of_one_second_and_equal_times_bound_theirs() {
    let mut second = Latencies::default();
    (0..1_000).for_each(|_| second.record(5_000_000));
    assert_eq!(Percentile::of(99.0, &second, [&second]), None);
    let seconds = [second.clone(), second.clone()];
    assert_eq!(Percentile::of(99.0, &sum(&seconds), &seconds), None);
    // Ten thousand equal times in ten seconds bound their p99, and not their p99.99.
    let seconds = vec![second; 10];
    let found = Percentile::of(99.0, &sum(&seconds), &seconds).expect("ten seconds");
    assert_eq!(
        (found.low_us, found.high_us),
        (found.value_us, Some(found.value_us))
    );
    let found = Percentile::of(99.99, &sum(&seconds), &seconds).expect("ten seconds");
    assert_eq!(found.high_us, None);
    assert_eq!(Share::of(&[]), None);
}

#[test]
fn times_of_one_second_bound_nothing_however_many_seconds_follow() {
    let mut seconds = vec![Latencies::default(); 30];
    (0..50).for_each(|nth| seconds[0].record(1_000_000 + nth * 10_000));
    for percent in [50.0, 99.0, 99.99] {
        assert_eq!(
            Percentile::of(percent, &sum(&seconds), &seconds),
            None,
            "p{percent}"
        );
    }
}

/// Percentiles that are looked at in each simulated run.
const PERCENTS: [f64; 5] = [50.0, 90.0, 95.0, 99.0, 99.9];

/// How many of so many runs of a stationary queue say something false of each of [`PERCENTS`], as shares.
fn false_statements(rho: f64, runs: u64) -> [f64; 5] {
    let (per_s, seconds) = (500.0, 60);
    // Waiting time plus service of a stationary M/M/1 queue is exponential with rate mu - lambda.
    let mu = per_s / rho;
    let mut false_ones = [0.0; 5];
    for run in 0..runs {
        let seconds = stationary_queue(run, seconds, per_s, rho);
        let all = sum(&seconds);
        for (percent, count) in PERCENTS.into_iter().zip(&mut false_ones) {
            let truth_us = -(1.0 - percent / 100.0f64).ln() / (mu - per_s) * 1e6;
            let found = Percentile::of(percent, &all, &seconds).expect("60 s of times");
            // Values are kept to three digits.
            let is_below = truth_us < found.low_us * 0.999;
            let is_above = found.high_us.is_some_and(|high| truth_us > high * 1.001);
            *count += f64::from(is_below || is_above) / runs as f64;
        }
    }
    false_ones
}

#[test]
fn statements_about_a_queue_are_false_in_at_most_nine_of_a_hundred_runs() {
    for rho in [0.5, 0.8] {
        let shares = false_statements(rho, 400);
        println!("M/M/1 at {rho}: false statements about p50, p90, p95, p99, p99.9: {shares:.3?}");
        assert!(
            shares.iter().all(|share| *share <= 0.09),
            "{rho}: {shares:?}"
        );
    }
}

#[test]
fn a_mean_of_independent_values_is_covered_in_95_of_100_runs() {
    let mut draws = Draws(7);
    for count in [5, 30] {
        let covered = (0..2_000).filter(|_| {
            let values: Vec<f64> = (0..count).map(|_| draws.exponential()).collect();
            let mean = Mean::of(&values).expect("several values");
            (mean.low..=mean.high).contains(&1.0)
        });
        let share = covered.count() as f64 / 2_000.0;
        // Five exponential values are far from normal: the interval is short on the right.
        assert!((0.86..0.97).contains(&share), "{count} values: {share}");
    }
    assert_eq!(Mean::of(&[1.0]), None);
    // All samples in one second: the others show nothing of the spread.
    assert_eq!(Mean::of_sums(&[(10, 50.0), (0, 0.0), (0, 0.0)]), None);
    let flat = Mean::of(&[2.0, 2.0, 2.0]).expect("several values");
    assert_eq!((flat.low, flat.value, flat.high), (2.0, 2.0, 2.0));
}

#[test]
fn adding_shards_first_or_last_gives_the_same_interval() {
    for seed in 1..20 {
        let shards: Vec<Vec<Latencies>> = (0..3)
            .map(|shard| queue(seed * 31 + shard, 30, 200.0, 0.7, 0.0))
            .collect();
        let added: Vec<Latencies> = (0..30)
            .map(|second| {
                let of_second: Vec<_> = shards.iter().map(|shard| shard[second].clone()).collect();
                sum(&of_second)
            })
            .collect();
        let of_shards: Vec<Latencies> = shards.iter().map(|shard| sum(shard)).collect();
        for percent in [50.0, 90.0, 99.0] {
            let first = Percentile::of(percent, &sum(&added), &added);
            let last = Percentile::of(percent, &sum(&of_shards), &added);
            assert_eq!(first, last);
        }
    }
}
