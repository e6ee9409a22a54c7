use super::*;
use crate::analysis::simulated_queue::Draws;

/// Runs of each process.
const RUNS: u64 = 200;
const SECONDS: usize = 60;

/// Mean response times, in seconds, of the seconds of a stationary M/M/1 queue at 1,000 arrivals/s.
fn queue_means(run: u64, rho: f64) -> Vec<f64> {
    let mut draws = Draws(run * 7_919 + 1);
    let (per_s, mut at_s, mut before_s) = (1_000.0, 0.0, 0.0);
    let mut wait_s = match draws.uniform() < rho {
        true => draws.exponential() / (per_s / rho - per_s),
        false => 0.0,
    };
    let mut sums = vec![(0.0, 0.0); SECONDS];
    loop {
        let gap_s = draws.exponential() / per_s;
        at_s += gap_s;
        let Some((count, sum)) = sums.get_mut(at_s as usize) else {
            return sums.iter().map(|(count, sum)| sum / count).collect();
        };
        wait_s = (wait_s + before_s - gap_s).max(0.0);
        before_s = draws.exponential() / per_s * rho;
        *count += 1.0;
        *sum += wait_s + before_s;
    }
}

/// Seconds of a stationary lognormal AR(1) process with a memory of one second.
fn correlated_means(run: u64) -> Vec<f64> {
    let mut draws = Draws(run * 7_919 + 3);
    let memory = (-1.0f64).exp();
    let mut state = draws.normal();
    let mut next = || {
        state = memory * state + (1.0 - memory * memory).sqrt() * draws.normal();
        (0.5 * state).exp() * 1e3
    };
    (0..SECONDS).map(|_| next()).collect()
}

/// The same seconds, at first three times as slow, with this e-folding time.
fn with_slow_start(mut means: Vec<f64>, fold_s: f64) -> Vec<f64> {
    for (second, mean) in means.iter_mut().enumerate() {
        *mean *= 1.0 + 2.0 * (-(second as f64 + 0.5) / fold_s).exp();
    }
    means
}

/// Seconds cut on average; a run that never settles counts with its first half.
fn cut_on_average(means_of: impl Fn(u64) -> Vec<f64>) -> f64 {
    let cut = |run| unsettled(&means_of(run)).unwrap_or(SECONDS / 2) as f64;
    (0..RUNS).map(cut).sum::<f64>() / RUNS as f64
}

#[test]
fn stationary_runs_keep_all_but_a_fifth_of_a_second_on_average() {
    for (name, cut) in [
        ("M/M/1 at 0.5", cut_on_average(|run| queue_means(run, 0.5))),
        ("M/M/1 at 0.8", cut_on_average(|run| queue_means(run, 0.8))),
        ("AR(1)", cut_on_average(correlated_means)),
    ] {
        println!("{name}: {cut:.2} s cut");
        assert!(cut <= 0.2, "{name}: {cut} s");
    }
}

#[test]
fn a_slow_start_of_five_seconds_e_folding_is_cut_after_about_eleven_seconds() {
    let cut = cut_on_average(|run| with_slow_start(queue_means(run, 0.5), 5.0));
    println!("slow start: {cut:.2} s cut");
    assert!((10.0..13.0).contains(&cut), "{cut} s");
    let cut = cut_on_average(|run| with_slow_start(queue_means(run, 0.5), 1.0));
    assert!((1.0..3.0).contains(&cut), "{cut} s");
}

#[test]
fn a_run_that_never_settles_is_said_to_and_a_short_one_is_not_judged() {
    let rising: Vec<f64> = (0..60).map(f64::from).collect();
    assert_eq!(unsettled(&rising), None);
    assert_eq!(unsettled(&rising[..19]), Some(0));
    assert_eq!(unsettled(&[5.0; 60]), Some(0));
    assert_eq!(unsettled(&[]), Some(0));
}

#[test]
fn a_drift_is_seen_in_the_second_half_alone_and_rarely_where_there_is_none() {
    let steady = |second: usize| 100.0 + (second * 7 % 5) as f64;
    let slower = |second: usize| steady(second) * (1.0 + 0.01 * second as f64);
    let means: Vec<f64> = (0..80).map(slower).collect();
    let change = drift(&means).expect("20 % within the second half");
    assert!((0.15..0.25).contains(&change), "{change}");
    let means: Vec<f64> = (0..80).map(|second| slower(second.min(39))).collect();
    assert_eq!(drift(&means), None, "it ended before the second half");
    assert_eq!(drift(&means[..19]), None, "too short");
    for rho in [0.5, 0.8] {
        let seen = (0..RUNS).filter(|&run| drift(&queue_means(run, rho)).is_some());
        let seen = seen.count();
        println!("M/M/1 at {rho}: {seen} of {RUNS} are said to drift");
        assert!(seen <= 4, "{rho}: {seen}");
    }
}
