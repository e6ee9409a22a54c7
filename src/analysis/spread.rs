//! How much a figure varies from run to run: the runs of `run --repeat` beside each other.
//!
//! The interval is Student's t on the logarithms of each run's figure, read back as a factor: times and rates vary by
//! factors, and a run is the level at which they vary (Kalibera and Jones 2013). It is the interval of the geometric
//! mean over all runs that could be made, so it contains what differs between runs; the intervals of a single run do not.

use super::compare::RUNS_MIN;
use super::confidence::student;

/// What several runs show of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Arithmetic mean of the runs' figures.
    pub mean: f64,
    /// Sample standard deviation as a share of the mean, 0.05 is 5 %; `None` with fewer than two runs.
    pub deviation: Option<f64>,
    /// The least of them.
    pub min: f64,
    /// The greatest of them.
    pub max: f64,
    /// Lower end of the 95 % interval between runs; `None` with fewer than [`RUNS_MIN`] runs.
    pub low: Option<f64>,
    /// Upper end of the same interval.
    pub high: Option<f64>,
}

impl Spread {
    /// The spread of positive figures, one of each run; `None` without one. Others have no logarithm and are left out.
    pub fn of(figures: &[f64]) -> Option<Self> {
        let figures: Vec<f64> = figures.iter().copied().filter(|it| *it > 0.0).collect();
        let count = figures.len() as f64;
        let mean = (count > 0.0).then(|| figures.iter().sum::<f64>() / count)?;
        let deviation = standard_deviation(&figures).map(|deviation| deviation / mean);
        let interval = (figures.len() >= RUNS_MIN)
            .then(|| interval(&figures))
            .flatten();
        Some(Self {
            mean,
            deviation,
            min: figures.iter().copied().fold(f64::INFINITY, f64::min),
            max: figures.iter().copied().fold(0.0, f64::max),
            low: interval.map(|(low, _)| low),
            high: interval.map(|(_, high)| high),
        })
    }
}

/// Both ends of the interval of the geometric mean.
fn interval(figures: &[f64]) -> Option<(f64, f64)> {
    let logs: Vec<f64> = figures.iter().map(|figure| figure.ln()).collect();
    let count = logs.len() as f64;
    let center = logs.iter().sum::<f64>() / count;
    let half_width = student(count - 1.0) * standard_deviation(&logs)? / count.sqrt();
    Some(((center - half_width).exp(), (center + half_width).exp()))
}

/// The sample standard deviation; `None` with fewer than two values.
fn standard_deviation(values: &[f64]) -> Option<f64> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() >= 2).then(|| (squares / (count - 1.0)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::simulated_queue::Draws;

    #[test]
    fn mean_deviation_and_interval_are_those_of_a_worked_example() {
        // Student's 97.5 % quantile of 2 degrees of freedom is 4.302653 (tables).
        let spread = Spread::of(&[110.0, 100.0, 120.0]).expect("three runs");
        assert_eq!((spread.mean, spread.min, spread.max), (110.0, 100.0, 120.0));
        let deviation = spread.deviation.expect("three runs");
        assert!((deviation - 10.0 / 110.0).abs() < 1e-12, "{deviation}");
        let logs = [110.0_f64.ln(), 100.0_f64.ln(), 120.0_f64.ln()];
        let center = logs.iter().sum::<f64>() / 3.0;
        let variance = logs.iter().map(|log| (log - center).powi(2)).sum::<f64>() / 2.0;
        let half_width = 4.302_653 * (variance / 3.0).sqrt();
        let ends = [spread.low, spread.high].map(|end| end.expect("three runs").ln());
        assert!((ends[0] - (center - half_width)).abs() < 1e-6, "{ends:?}");
        assert!((ends[1] - (center + half_width)).abs() < 1e-6, "{ends:?}");
    }

    #[test]
    fn few_runs_have_no_interval_and_figures_of_zero_are_no_runs() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[0.0, 0.0]), None);
        let one = Spread::of(&[5.0, 0.0]).expect("one run");
        assert_eq!((one.mean, one.min, one.max), (5.0, 5.0, 5.0));
        assert_eq!((one.deviation, one.low, one.high), (None, None, None));
        let two = Spread::of(&[5.0, 6.0]).expect("two runs");
        assert!(two.deviation.is_some() && two.low.is_none(), "{two:?}");
        let equal = Spread::of(&[5.0; 4]).expect("four runs");
        assert_eq!(equal.deviation, Some(0.0));
        let [low, high] = [equal.low, equal.high].map(|end| end.expect("four runs"));
        assert!(
            (low - 5.0).abs() < 1e-12 && (high - 5.0).abs() < 1e-12,
            "{low} {high}"
        );
    }

    #[test]
    fn the_interval_between_runs_misses_the_truth_in_about_five_of_a_hundred() {
        let mut draws = Draws(31);
        let misses = (0..4_000).filter(|_| {
            let runs: Vec<f64> = (0..5)
                .map(|_| 12.0 * (0.03 * draws.normal()).exp())
                .collect();
            let spread = Spread::of(&runs).expect("five runs");
            let [low, high] = [spread.low, spread.high].map(|end| end.expect("five runs"));
            12.0 < low || high < 12.0
        });
        let share = misses.count() as f64 / 4_000.0;
        println!("five runs, spread 3 %: the interval misses the truth in {share:.3}");
        assert!((0.035..=0.065).contains(&share), "{share}");
    }
}
