use super::*;
use crate::analysis::confidence::Percentile;
use crate::analysis::simulated_queue::{Draws, stationary_queue, sum};

fn figure(value: f64, low: f64, high: impl Into<Option<f64>>) -> Option<Figure> {
    Some(Figure {
        value,
        low: Some(low),
        high: high.into(),
    })
}

/// Both ends in percent, to two decimals.
fn ends(change: Change) -> [Option<f64>; 2] {
    [change.low, change.high].map(|end| end.map(|end| (end * 1e4).round() / 100.0))
}

#[test]
fn the_interval_of_two_runs_is_movers() {
    // ln(130/100) - hypot(ln(130/120), ln(120/100)), ln(130/100) + hypot(ln(150/130), ln(100/90)).
    let base = figure(100.0, 90.0, 120.0);
    let new = figure(130.0, 120.0, 150.0);
    let change = Change::of_single_runs(Kind::Time, base, new);
    assert_eq!(ends(change), [Some(6.53), Some(55.28)]);
    assert_eq!(change.word, Word::Slower);
    let difference = change.difference.expect("both have a value");
    assert!((difference - 0.3).abs() < 1e-12, "{difference}");
    // The other way round the factors are the reciprocals.
    let back = Change::of_single_runs(Kind::Time, new, base);
    let product = (1.0 + back.low.expect("low")) * (1.0 + change.high.expect("high"));
    assert!((product - 1.0).abs() < 1e-12, "{product}");
    assert_eq!(back.word, Word::Faster);
    assert_eq!(
        Change::of_single_runs(Kind::Rate, base, new).word,
        Word::Faster
    );
    // Shares: 0.019 - hypot(0.02 - 0.015, 0.004 - 0.001), 0.019 + hypot(0.03 - 0.02, 0.001 - 0.0).
    let change = Change::of_single_runs(
        Kind::Failures,
        figure(0.001, 0.0, 0.004),
        figure(0.02, 0.015, 0.03),
    );
    assert_eq!(ends(change), [Some(1.32), Some(2.9)]);
    assert_eq!(change.word, Word::MoreFailures);
}

#[test]
fn without_an_upper_end_only_the_other_one_decides() {
    let word = |base, new| Change::of_single_runs(Kind::Time, base, new).word;
    let known = figure(100.0, 95.0, 105.0);
    assert_eq!(word(known, figure(200.0, 150.0, None)), Word::Slower);
    assert_eq!(word(known, figure(110.0, 99.0, None)), Word::NotEnoughData);
    assert_eq!(word(known, figure(50.0, 40.0, None)), Word::NotEnoughData);
    assert_eq!(word(figure(200.0, 150.0, None), known), Word::Faster);
    assert_eq!(word(figure(90.0, 80.0, None), known), Word::NotEnoughData);
    assert_eq!(word(known, known), Word::NoDifference);
    assert_eq!(word(None, known), Word::NotEnoughData);
    let zero = figure(0.0, 0.0, 0.0);
    assert_eq!(word(zero, known), Word::NotEnoughData);
}

#[test]
fn the_interval_of_several_runs_is_welchs() {
    // Computed apart: 3.4253 degrees of freedom, t = 2.9702 by integrating Student's density.
    let change = Change::of_repeated_runs(
        Kind::Time,
        &[100.0, 104.0, 98.0, 101.0],
        &[110.0, 118.0, 113.0],
    );
    assert_eq!(ends(change), [Some(5.07), Some(21.1)]);
    assert_eq!(change.word, Word::Slower);
    let equal = Change::of_repeated_runs(Kind::Rate, &[5.0; 3], &[5.0; 3]);
    assert_eq!(
        (ends(equal), equal.word),
        ([Some(0.0); 2], Word::NoDifference)
    );
    let two = Change::of_repeated_runs(Kind::Time, &[1.0, 2.0], &[3.0, 4.0, 5.0]);
    assert_eq!(two.word, Word::NotEnoughData);
    let zeros = Change::of_repeated_runs(Kind::Failures, &[0.0; 3], &[0.0; 3]);
    assert_eq!(zeros.word, Word::NoDifference);
}

#[test]
fn a_regression_is_certain_and_beyond_the_tolerance() {
    let is_regression =
        |kind, base, new| Change::of_single_runs(kind, base, new).is_regression(0.05);
    let base = figure(100.0, 99.0, 101.0);
    assert!(is_regression(Kind::Time, base, figure(110.0, 108.0, 112.0)));
    assert!(!is_regression(
        Kind::Time,
        base,
        figure(104.0, 103.0, 105.0)
    ));
    assert!(!is_regression(Kind::Time, base, figure(110.0, 90.0, 130.0)));
    assert!(!is_regression(Kind::Time, base, figure(90.0, 89.0, 91.0)));
    assert!(is_regression(Kind::Time, base, figure(110.0, 108.0, None)));
    assert!(is_regression(Kind::Rate, base, figure(90.0, 89.0, 91.0)));
    assert!(!is_regression(
        Kind::Rate,
        base,
        figure(110.0, 108.0, 112.0)
    ));
    let none = figure(0.0, 0.0, 0.001);
    let some = figure(0.01, 0.008, 0.012);
    assert!(is_regression(Kind::Failures, none, some));
    assert!(!is_regression(Kind::Failures, some, none));
    assert!(!is_regression(
        Kind::Failures,
        none,
        figure(0.001, 0.0, 0.003)
    ));
    assert!(!is_regression(Kind::Failures, some, some));
}

/// Percentiles that are compared in each simulated pair.
const PERCENTS: [f64; 2] = [50.0, 99.0];

/// Each of [`PERCENTS`] of so many runs of a queue for 60 s each; `queue`: arrivals per second, and load.
fn runs((per_s, rho): (f64, f64), count: u64) -> Vec<[Option<Figure>; 2]> {
    let run = |run| {
        let seconds = stationary_queue(run, 60, per_s, rho);
        let all = sum(&seconds);
        PERCENTS.map(|percent| {
            let found = Percentile::of(percent, &all, &seconds)?;
            Some(Figure {
                value: found.value_us,
                low: Some(found.low_us),
                high: found.high_us,
            })
        })
    };
    (0..count).map(run).collect()
}

/// A figure that is slower by a factor.
fn slower(figure: Figure, factor: f64) -> Figure {
    Figure {
        value: figure.value * factor,
        low: figure.low.map(|low| low * factor),
        high: figure.high.map(|high| high * factor),
    }
}

fn is_different(change: &Change) -> bool {
    matches!(change.word, Word::Faster | Word::Slower)
}

/// The share of pairs that are called different, for each of [`PERCENTS`]; new is slower by the factor.
fn called_different<'r>(
    pairs: impl Iterator<Item = (&'r [Option<Figure>; 2], &'r [Option<Figure>; 2])>,
    factor: f64,
) -> [f64; 2] {
    let (mut different, mut count) = ([0.0; 2], 0.0);
    for (base, new) in pairs {
        count += 1.0;
        for ((base, new), different) in base.iter().zip(new).zip(&mut different) {
            let new = new.map(|new| slower(new, factor));
            let change = Change::of_single_runs(Kind::Time, *base, new);
            *different += f64::from(is_different(&change));
        }
    }
    different.map(|different| different / count)
}

#[test]
fn equal_pairs_of_a_queues_runs_are_called_different_in_at_most_seven_of_a_hundred() {
    for rho in [0.5, 0.8] {
        let runs = runs((500.0, rho), 800);
        let shares = called_different(runs.chunks(2).map(|pair| (&pair[0], &pair[1])), 1.0);
        println!("M/M/1 at {rho}: equal pairs called different at p50 and p99: {shares:.3?}");
        assert!(
            shares.iter().all(|share| *share <= 0.07),
            "{rho}: {shares:?}"
        );
    }
}

/// The power that a prototype of the same rule had, in 500 pairs for each cell of the first two rows and 250 in the third:
/// shares of differences of 10 % that are seen at p50 and at p99.
const POWER: [(&str, [f64; 2]); 3] = [
    ("M/M/1 at 0.5, one run each", [1.00, 0.61]),
    ("M/M/1 at 0.8, one run each", [0.60, 0.02]),
    ("M/M/1 at 0.5, five runs each, spread 3 %", [0.98, 0.90]),
];

fn check_power((what, expected): (&str, [f64; 2]), seen: [f64; 2]) {
    println!("{what}: 10 % more is seen at p50 and p99: {seen:.3?}");
    for (seen, expected) in seen.iter().zip(expected) {
        assert!(
            (seen - expected).abs() <= 0.08,
            "{what}: {seen} for {expected}"
        );
    }
}

#[test]
fn ten_percent_more_are_seen_as_often_as_the_table_says() {
    let half_loaded = runs((1_000.0, 0.5), 100);
    let loaded = runs((1_000.0, 0.8), 100);
    for (runs, expected) in [&half_loaded, &loaded].into_iter().zip(POWER) {
        // Each run is once the base and once new.
        let pairs = runs.iter().zip(runs.iter().cycle().skip(1));
        check_power(expected, called_different(pairs, 1.1));
    }
    let [equal, power] = [1.0, 1.1].map(|factor| of_repeated_sets(&half_loaded, factor));
    println!("five runs each, spread 3 %: equal sets called different at p50 and p99: {equal:.3?}");
    assert!(equal.iter().all(|share| *share <= 0.07), "{equal:?}");
    check_power(POWER[2], power);
}

/// The share of 1,000 pairs of sets that are called different: five runs each, drawn from those of a queue, each as a whole
/// slower or faster by what differs from run to run (3 %).
fn of_repeated_sets(runs: &[[Option<Figure>; 2]], factor: f64) -> [f64; 2] {
    let mut draws = Draws(17);
    let mut different = [0.0; 2];
    for _ in 0..1_000 {
        let [base, new] = [1.0, factor].map(|factor| {
            [(); 5].map(|()| {
                let run = runs[(draws.uniform() * runs.len() as f64) as usize];
                let by = factor * (0.03 * draws.normal()).exp();
                run.map(|figure| figure.map_or(0.0, |figure| figure.value * by))
            })
        });
        for (at, different) in different.iter_mut().enumerate() {
            let [base, new] = [&base, &new].map(|set| set.map(|run| run[at]));
            let change = Change::of_repeated_runs(Kind::Time, &base, &new);
            *different += f64::from(is_different(&change)) / 1_000.0;
        }
    }
    different
}

#[test]
fn equal_sets_of_five_runs_are_called_different_in_about_five_of_a_hundred() {
    let mut draws = Draws(11);
    let mut set = |factor: f64| -> Vec<f64> {
        let run = |_| factor * (0.03 * draws.normal()).exp();
        (0..5).map(run).collect()
    };
    let mut share = |factor: f64| {
        let different = (0..2_000).filter(|_| {
            let (base, new) = (set(1.0), set(factor));
            is_different(&Change::of_repeated_runs(Kind::Time, &base, &new))
        });
        different.count() as f64 / 2_000.0
    };
    let (equal, slower) = (share(1.0), share(1.1));
    println!(
        "five runs each, spread 3 %: equal sets called different {equal:.3}, 10 % seen {slower:.3}"
    );
    assert!(equal <= 0.065, "{equal}");
    assert!(slower >= 0.95, "{slower}");
}
