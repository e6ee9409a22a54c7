//! Axes: from where to where, and at which values there are lines and labels.

use plotters::coord::ranged1d::Ranged;
use plotters::coord::types::RangedCoordf64;

use super::units::Unit;

/// Room above the greatest value, as a share of it.
const HEADROOM: f64 = 0.06;
/// Greatest value that an axis reaches: a record that was changed by hand may hold any.
const VALUE_MAX: f64 = 1e15;
/// Labels of an axis, at most.
const TICKS_MAX: usize = 6;
/// Labels of a time axis, at most.
const MOMENTS_MAX: f64 = 8.0;
/// Distances between the labels of a time axis, in seconds.
const MOMENT_STEPS_S: [f64; 19] = [
    0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0,
    7_200.0, 14_400.0, 28_800.0, 86_400.0, 604_800.0,
];
/// Decades of an axis from which on only the powers of ten have labels.
const DECADES_WITH_STEPS_MAX: f64 = 2.5;

/// An axis in the units of the drawing: values, or their decimal logarithms.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    pub from: f64,
    pub to: f64,
    /// Values that have a line and a label, with the label.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// The place of a value, in percent of the axis.
    pub fn percent(&self, value: f64) -> f64 {
        let share = (value - self.from) / (self.to - self.from);
        (share.clamp(0.0, 1.0) * 1e4).round() / 100.0
    }

    /// From zero to the greatest of these values.
    pub fn from_zero(values: impl Iterator<Item = f64>, unit: Unit) -> Self {
        let greatest = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
        let greatest = greatest.min(VALUE_MAX);
        let least_range = match unit {
            Unit::Share | Unit::Number => 0.01,
            Unit::Bytes => 1e3,
            _ => 1.0,
        };
        let to = greatest.max(least_range) * (1.0 + HEADROOM);
        let points = RangedCoordf64::from(0.0..to).key_points(TICKS_MAX);
        let is_shown = |value: &f64| unit != Unit::Count || value.fract() == 0.0;
        let points = points.into_iter().filter(is_shown);
        Self {
            from: 0.0,
            to,
            ticks: points.map(|value| (value, unit.tick(value))).collect(),
        }
    }

    /// Decimal logarithms of these times in microseconds, from a round time below the least to one above the greatest.
    pub fn log_times(values_us: impl Iterator<Item = f64>) -> Self {
        let values = values_us.filter(|us| us.is_finite() && *us > 0.0);
        let (mut least, mut greatest) = (f64::INFINITY, 0.0_f64);
        for us in values {
            least = least.min(us.max(1.0));
            greatest = greatest.max(us.max(1.0));
        }
        if least > greatest {
            (least, greatest) = (100.0, 10_000.0);
        }
        let steps = || (0..12).flat_map(|decade| [1.0, 2.0, 5.0].map(|n| n * 10_f64.powi(decade)));
        let from = steps().take_while(|us| *us <= least).last().unwrap_or(1.0);
        let to = steps().find(|us| *us > greatest).unwrap_or(1e12);
        let has_steps = (to / from).log10() <= DECADES_WITH_STEPS_MAX;
        let is_shown = |us: &f64| {
            let is_power = us.log10().fract().abs() < 1e-9;
            (from..=to).contains(us) && (has_steps || is_power)
        };
        let ticks = steps().filter(is_shown);
        Self {
            from: from.log10(),
            to: to.log10(),
            ticks: ticks.map(|us| (us.log10(), Unit::Time.tick(us))).collect(),
        }
    }

    /// Seconds since the start, from `from_s` to `to_s`.
    pub fn moments(from_s: f64, to_s: f64) -> Self {
        let from_s = from_s.max(0.0);
        let to_s = to_s.max(from_s + 1.0);
        let length_s = to_s - from_s;
        let mut steps = MOMENT_STEPS_S.into_iter();
        let step_s = steps.find(|step_s| length_s / step_s <= MOMENTS_MAX);
        let step_s = step_s.unwrap_or(length_s);
        let first = (from_s / step_s).ceil();
        let count = (to_s / step_s - first).floor().max(0.0) as u32;
        let ticks = (0..=count).map(|nth| (first + f64::from(nth)) * step_s);
        Self {
            from: from_s,
            to: to_s,
            ticks: ticks.map(|s| (s, moment(s, to_s))).collect(),
        }
    }

    /// 1/(1-q) in decimal logarithms: each label is one nine further into the tail. `count` is the greatest number of
    /// times in a curve: beyond one in so many there is nothing to show.
    pub fn shares(count: u64) -> Self {
        let to = (count.max(10) as f64).log10();
        let label = |nines: usize| match nines {
            0 => "0 %".to_owned(),
            1 => "90 %".to_owned(),
            2 => "99 %".to_owned(),
            _ => format!("99.{} %", "9".repeat(nines - 2)),
        };
        let mut ticks: Vec<(f64, String)> = (0..=to as usize)
            .map(|nines| (nines as f64, label(nines)))
            .collect();
        ticks.insert(1, (2_f64.log10(), "50 %".to_owned()));
        Self {
            from: 0.0,
            to,
            ticks,
        }
    }

    /// Levels of a search, from zero.
    pub fn levels(values: impl Iterator<Item = f64>) -> Self {
        Self::from_zero(values, Unit::Count)
    }
}

/// `30 s` in a run of minutes, `12:30` in one of hours' parts, `1:05:00` in a longer one.
fn moment(s: f64, to_s: f64) -> String {
    let whole = s as u64;
    match to_s {
        n if n < 180.0 && s.fract() == 0.0 => format!("{whole} s"),
        n if n < 180.0 => format!("{s:.1} s"),
        n if n < 3_600.0 => format!("{}:{:02}", whole / 60, whole % 60),
        _ => format!("{}:{:02}:{:02}", whole / 3_600, whole / 60 % 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| &label[..]).collect()
    }

    #[test]
    fn labels_are_round_and_few() {
        let seconds = Axis::moments(0.0, 1_080.0);
        assert_eq!(labels(&seconds)[..3], ["0:00", "5:00", "10:00"]);
        assert_eq!(
            labels(&Axis::moments(0.0, 4.2)),
            ["0 s", "1 s", "2 s", "3 s", "4 s"]
        );
        let times = Axis::log_times([812.0, 45_000.0].into_iter());
        assert_eq!(times.from, 500_f64.log10());
        assert_eq!(
            labels(&times),
            ["500 us", "1 ms", "2 ms", "5 ms", "10 ms", "20 ms", "50 ms"]
        );
        let rates = Axis::from_zero([1_040.0].into_iter(), Unit::Rate);
        assert_eq!(labels(&rates)[..2], ["0", "200/s"]);
        assert_eq!(
            labels(&Axis::shares(45_120)),
            ["0 %", "50 %", "90 %", "99 %", "99.9 %", "99.99 %"]
        );
    }

    #[test]
    fn axes_of_nothing_and_of_hostile_values_are_axes() {
        for values in [
            vec![],
            vec![f64::INFINITY, f64::NAN],
            vec![1e300],
            vec![0.0],
        ] {
            for axis in [
                Axis::log_times(values.iter().copied()),
                Axis::from_zero(values.iter().copied(), Unit::Rate),
            ] {
                assert!(axis.from < axis.to && axis.to.is_finite(), "{axis:?}");
                assert!(axis.ticks.len() < 40, "{axis:?}");
                let percent = axis.percent(values.first().copied().unwrap_or(0.0));
                assert!(percent.is_nan() || (0.0..=100.0).contains(&percent));
            }
        }
    }
}
