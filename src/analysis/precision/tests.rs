use super::*;
use crate::analysis::simulated_queue::{Draws, stationary_queue};

const PER_S: f64 = 500.0;

fn goal(text: &str, quantity: Quantity, share: f64) -> Goal {
    Goal {
        text: text.into(),
        subject: text.split(' ').next().unwrap_or_default().into(),
        quantity,
        share,
        steps: vec![0],
    }
}

fn p99(share: f64) -> Goal {
    goal("p99 within", Quantity::Percentile(99.0), share)
}

fn interval(times: &Latencies) -> Interval {
    let mut interval = Interval::new(1);
    interval.steps[0].requests = times.count();
    interval.steps[0].response += times;
    interval
}

/// Feeds seconds until the goals are reached or the seconds are over; the outcomes, and how many seconds it took.
fn judged(mut precision: Precision, seconds: &[Latencies]) -> (Vec<Outcome>, usize) {
    let mut took = 0;
    for second in seconds {
        let begin_ns = took as u64 * SECOND_NS;
        took += 1;
        if precision.on_second(begin_ns, begin_ns + SECOND_NS, &interval(second)) {
            break;
        }
    }
    (precision.finish(), took)
}

/// So many times of 1 to 2 ms in each second: no second differs from another.
fn even(seconds: usize, per_s: u64) -> Vec<Latencies> {
    let mut second = Latencies::default();
    (0..per_s).for_each(|nth| second.record(1_000_000 + nth * 1_000_000 / per_s));
    vec![second; seconds]
}

#[test]
fn the_run_is_looked_at_after_20_seconds_and_each_time_it_is_a_quarter_longer() {
    let mut precision = Precision::new(vec![p99(0.001)], Settle::Time(0));
    let mut looks = Vec::new();
    let mut draws = Draws(3);
    for second in 1..=100 {
        let mut times = Latencies::default();
        (0..50).for_each(|_| times.record((draws.exponential() * 1e6) as u64));
        let before = precision.looks;
        precision.on_second(
            (second - 1) * SECOND_NS,
            second * SECOND_NS,
            &interval(&times),
        );
        if precision.looks > before {
            looks.push(second);
        }
    }
    assert_eq!(looks, [20, 25, 32, 40, 50, 63, 79, 99]);
}

#[test]
fn a_goal_that_is_reached_at_the_first_look_ends_the_run_there() {
    let goals = vec![
        p99(0.05),
        goal("rps", Quantity::Rate, 0.05),
        goal("avg", Quantity::Mean, 0.05),
    ];
    let (outcomes, took) = judged(Precision::new(goals, Settle::Time(0)), &even(60, 1_000));
    assert_eq!(took, 20);
    for outcome in &outcomes {
        assert!(outcome.is_reached && outcome.looks == 1, "{outcome:?}");
        assert_eq!(outcome.would_take_ns, None);
    }
    assert_eq!(outcomes[1].found.value, Some(1_000.0));
}

#[test]
fn all_goals_have_to_be_reached_at_the_same_look() {
    let goals = vec![p99(0.05), goal("p99.99", Quantity::Percentile(99.99), 0.05)];
    let (outcomes, took) = judged(Precision::new(goals, Settle::Time(0)), &even(60, 1_000));
    assert_eq!(took, 60);
    assert!(outcomes[0].is_reached && !outcomes[1].is_reached);
}

#[test]
fn equal_times_are_known_once_thirty_would_lie_beyond() {
    let mut second = Latencies::default();
    (0..50).for_each(|_| second.record(5_000_000));
    let (outcomes, took) = judged(
        Precision::new(vec![p99(0.01)], Settle::Time(0)),
        &vec![second; 100],
    );
    // 30 of 3,000 times: 60 s, and the next look after it.
    assert_eq!((outcomes[0].is_reached, took), (true, 63));
}

#[test]
fn a_run_that_is_too_short_for_a_look_reaches_nothing_and_says_what_it_knows() {
    let (outcomes, took) = judged(
        Precision::new(vec![p99(0.05)], Settle::Time(0)),
        &even(12, 10_000),
    );
    assert_eq!(
        (took, outcomes[0].looks, outcomes[0].is_reached),
        (12, 0, false)
    );
    assert!(outcomes[0].found.half_width().is_some());
    assert_eq!(outcomes[0].would_take_ns, Some(FIRST_LOOK_NS));
    let nothing = Precision::new(vec![p99(0.05)], Settle::Time(0)).finish();
    assert_eq!(nothing[0].found, Found::default());
    assert_eq!(nothing[0].would_take_ns, None);
}

#[test]
fn what_it_would_take_grows_with_the_square_of_the_width() {
    let found = Found {
        value: Some(100.0),
        low: Some(88.0),
        high: Some(112.0),
        effective: Some(9_000.0),
        beyond: Some(90.0),
        length_ns: 600 * SECOND_NS,
    };
    assert_eq!(found.would_take_ns(0.1), Some(864 * SECOND_NS));
    let unbounded = Found {
        high: None,
        beyond: Some(6.0),
        ..found
    };
    assert_eq!(unbounded.would_take_ns(0.1), Some(3_000 * SECOND_NS));
}

#[test]
fn the_drain_and_the_settling_time_are_not_looked_at() {
    let mut precision = Precision::new(vec![p99(0.05)], Settle::Time(5 * SECOND_NS));
    let seconds = even(25, 1_000);
    for (at, second) in seconds.iter().enumerate() {
        let begin_ns = at as u64 * SECOND_NS;
        let is_over = precision.on_second(begin_ns, begin_ns + SECOND_NS, &interval(second));
        assert_eq!(is_over, at == 24, "{at}");
    }
    let mut drain = interval(&seconds[0]);
    drain.is_drain = true;
    assert!(!precision.on_second(25 * SECOND_NS, 26 * SECOND_NS, &drain));
    assert_eq!(precision.finish()[0].found.length_ns, 20 * SECOND_NS);
}

#[test]
fn with_auto_a_slow_start_is_left_out_of_what_is_known() {
    let mut seconds = even(40, 1_000);
    for second in &mut seconds[..6] {
        let slow = second.clone();
        second.clear();
        (0..slow.count()).for_each(|_| second.record(9_000_000));
    }
    let known = |settle| judged(Precision::new(vec![p99(1e-9)], settle), &seconds).0[0].found;
    assert!(known(Settle::Time(0)).value.expect("times") > 8_000.0);
    let found = known(Settle::Auto);
    assert!(found.value.expect("times") < 2_100.0, "{found:?}");
    assert_eq!(found.length_ns, 34 * SECOND_NS);
}

/// Of so many runs: the share that stopped, and the share of those whose interval holds the true percentile, or mean.
fn coverage(rho: f64, goal: &Goal, truth_us: f64, runs: u64, seconds_max: usize) -> (f64, f64) {
    let (mut stopped, mut covered) = (0.0, 0.0);
    for run in 0..runs {
        let seconds = stationary_queue(run, seconds_max, PER_S, rho);
        let (outcomes, _) = judged(
            Precision::new(vec![goal.clone()], Settle::Time(0)),
            &seconds,
        );
        let found = outcomes[0].found;
        if !outcomes[0].is_reached {
            continue;
        }
        stopped += 1.0;
        // Values are kept to three digits.
        let low = found.low.expect("reached") * 0.999;
        let high = found.high.expect("reached") * 1.001;
        covered += f64::from((low..=high).contains(&truth_us));
    }
    (stopped / runs as f64, covered / stopped)
}

/// The true percentile of an M/M/1 queue, in microseconds.
fn truth_us(rho: f64, percent: f64) -> f64 {
    -(1.0 - percent / 100.0f64).ln() / (PER_S / rho - PER_S) * 1e6
}

/// Checks that nine of ten intervals at the stop hold the true p99.
fn check_coverage(rho: f64, share: f64, runs: u64, seconds_max: usize) {
    let (stopped, covered) = coverage(rho, &p99(share), truth_us(rho, 99.0), runs, seconds_max);
    println!(
        "M/M/1 at {rho}, p99 within {share}: {runs} runs, {stopped:.3} stopped, {covered:.3} of their intervals hold the truth"
    );
    assert!(stopped >= 0.9 && covered >= 0.9, "{stopped} {covered}");
}

/// `scripts/measure intervals` asks for more runs, and for a queue that takes long.
#[test]
fn at_the_stop_nine_of_ten_intervals_or_more_hold_the_true_percentile() {
    let runs = std::env::var("OPSURGE_RUNS").ok();
    let runs = runs.map(|runs| runs.parse().expect("OPSURGE_RUNS is a number"));
    check_coverage(0.5, 0.05, runs.unwrap_or(40), 250);
    if let Some(runs) = runs {
        check_coverage(0.8, 0.1, runs, 1_500);
    }
}
