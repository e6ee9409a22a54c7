//! Times as tables show them: in the unit of their column, with a mark where they say less than they seem to.

use super::page::NO_BREAK;
use super::table::{Align, Column};
use crate::record::schema::{KindRecord, PERCENTS, StepRecord, Times, Totals};
use crate::text::units::{three_digits, time};

/// A percentile is marked as weak when the run does not bound it from above; where the distribution has no seconds, when
/// fewer samples than this lie above it.
const SAMPLES_ABOVE_MIN: f64 = 10.0;
/// What the marks mean, below a table that has them.
const LEGEND: [(&str, &str); 2] = [
    ("~", "~: run too short to bound it"),
    (">=", ">=: a lower bound (no answer)"),
];

/// The unit of a column of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Unit {
    Us,
    Ms,
    S,
}

impl Unit {
    /// The one for all times of a table, in microseconds: milliseconds, unless all of them are below one or all are
    /// above ten seconds.
    pub fn of(values_us: impl IntoIterator<Item = f64>) -> Self {
        let (mut least, mut greatest) = (f64::INFINITY, 0.0_f64);
        for us in values_us {
            least = least.min(us);
            greatest = greatest.max(us);
        }
        match (least, greatest) {
            (_, greatest) if greatest < 1e3 => Self::Us,
            (least, _) if least >= 10e6 => Self::S,
            _ => Self::Ms,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Ms => "ms",
            Self::S => "s",
        }
    }

    pub fn show(self, us: f64) -> String {
        match self {
            Self::Us => format!("{us:.0}"),
            Self::Ms => three_digits(us / 1e3),
            Self::S => three_digits(us / 1e6),
        }
    }
}

/// A distribution, with what is known of its bounds.
#[derive(Clone, Copy)]
pub(in crate::report) struct Figures<'r> {
    times: &'r Times,
    bound_from_us: Option<f64>,
    /// Its seconds are known, so that its percentiles have intervals where the run bounds them.
    has_seconds: bool,
}

/// A figure of a distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::report) enum Which {
    Min,
    Mean,
    /// One of [`PERCENTS`].
    Percentile(f64),
    Max,
}

impl<'r> Figures<'r> {
    /// Times none of which is a lower bound.
    pub fn exact(times: &'r Times) -> Self {
        Self {
            times,
            bound_from_us: None,
            has_seconds: false,
        }
    }

    /// Response times of a kind of user, failures included.
    pub fn kind(kind: &'r KindRecord) -> Self {
        Self {
            times: &kind.all_us,
            bound_from_us: kind.bound_from_us,
            has_seconds: false,
        }
    }

    /// Response times of a step, failures included.
    pub fn all(step: &'r StepRecord) -> Self {
        Self {
            times: &step.all_us,
            bound_from_us: step.bound_from_us,
            has_seconds: true,
        }
    }

    /// Service times of a step. The seconds of an older record do not have them.
    pub fn service(step: &'r StepRecord) -> Self {
        Self {
            times: &step.service_us,
            bound_from_us: None,
            has_seconds: step.service_us.bounds.p50_low.is_some(),
        }
    }

    /// Times of a step's failures.
    pub fn failures(step: &'r StepRecord) -> Self {
        Self {
            times: &step.failures_us,
            bound_from_us: step.bound_from_us,
            has_seconds: false,
        }
    }

    /// Response times of the run, failures included.
    pub fn total(totals: &'r Totals) -> Self {
        Self {
            times: &totals.all_us,
            bound_from_us: totals.bound_from_us,
            has_seconds: true,
        }
    }

    /// The figure in microseconds, with its mark: `~`, `>=` or nothing.
    fn marked(&self, which: Which) -> Option<(f64, &'static str)> {
        let times = self.times;
        let (us, is_weak) = match which {
            Which::Min => (times.min, false),
            Which::Mean => (times.mean, false),
            Which::Max => (times.max, false),
            Which::Percentile(percent) => {
                let at = PERCENTS.iter().position(|known| *known == percent)?;
                let is_bounded = times.bounds.percentiles()[at].1.is_some();
                let above = times.count as f64 * (1.0 - percent / 100.0);
                let is_weak = match self.has_seconds {
                    true => !is_bounded,
                    false => above < SAMPLES_ABOVE_MIN,
                };
                (times.percentiles()[at], is_weak)
            }
        };
        let us = us?;
        // Requests without an answer would have taken longer: they make the mean a lower bound too.
        let is_bound = match (which, self.bound_from_us) {
            (_, None) => false,
            (Which::Mean, Some(_)) => true,
            (_, Some(from_us)) => us >= from_us,
        };
        let mark = match (is_bound, is_weak) {
            (true, _) => ">=",
            (false, true) => "~",
            (false, false) => "",
        };
        Some((us, mark))
    }

    /// With a unit of its own: `12.4 ms`, `~12.4 ms`, `>= 2.00 s`; `None` when there is no time.
    pub fn show(&self, which: Which) -> Option<String> {
        let (us, mark) = self.marked(which)?;
        let blank = if mark == ">=" { " " } else { "" };
        Some(format!("{mark}{blank}{}", time(us)))
    }

    /// The same with the 95 % interval of a percentile: `12.4 ms (11.8 to 13.1)`, or `12.4 ms (at least 11.8)`.
    pub fn show_with_interval(&self, percent: f64) -> Option<String> {
        let (us, mark) = self.marked(Which::Percentile(percent))?;
        let at = PERCENTS.iter().position(|known| *known == percent)?;
        let (low, high) = self.times.bounds.percentiles()[at];
        match (mark, low, high) {
            (">=", ..) | (_, None, _) => self.show(Which::Percentile(percent)),
            (_, Some(low), Some(high)) => {
                let unit = Unit::of([us, low, high]);
                Some(format!(
                    "{}{NO_BREAK}{}{NO_BREAK}({}{NO_BREAK}to{NO_BREAK}{})",
                    unit.show(us),
                    unit.name(),
                    unit.show(low),
                    unit.show(high)
                ))
            }
            (_, Some(low), None) => {
                let unit = Unit::of([us, low]);
                Some(format!(
                    "{}{NO_BREAK}{}{NO_BREAK}(at{NO_BREAK}least{NO_BREAK}{})",
                    unit.show(us),
                    unit.name(),
                    unit.show(low)
                ))
            }
        }
    }

    fn cell(&self, which: Which, unit: Unit) -> String {
        match self.marked(which) {
            None => "-".to_owned(),
            Some((us, mark)) => format!("{mark}{}", unit.show(us)),
        }
    }
}

/// Heads of columns of times, with the rank of the column.
pub(super) type TimeColumns<'a> = &'a [(u8, &'a str, Which)];

/// Columns of times, in one unit that their heads name.
pub(super) fn time_columns(
    rows: &[Figures<'_>],
    columns: TimeColumns<'_>,
    unit: Unit,
) -> Vec<Column> {
    let columns = columns.iter();
    columns
        .map(|(rank, head, which)| {
            let head = format!("{head} {}", unit.name());
            let cells = rows.iter().map(|row| row.cell(*which, unit));
            Column::new(*rank, Align::Right, head, cells)
        })
        .collect()
}

/// The unit for these rows and columns.
pub(super) fn unit_of(rows: &[Figures<'_>], columns: TimeColumns<'_>) -> Unit {
    let cells = rows.iter().flat_map(|row| {
        let cells = columns.iter();
        cells.filter_map(|(_, _, which)| row.marked(*which))
    });
    Unit::of(cells.map(|(us, _)| us))
}

/// What the marks in the cells of a table mean; empty when there are none.
pub(super) fn legend(table: &str) -> String {
    let has = |mark: &str| table.split_whitespace().any(|cell| cell.starts_with(mark));
    let known = LEGEND.iter().filter(|(mark, _)| has(mark));
    let texts: Vec<&str> = known.map(|(_, text)| *text).collect();
    texts.join("; ")
}

/// A number per second or in percent: three digits, and no decimals for none.
pub(super) fn number_cell(number: f64) -> String {
    match number == 0.0 {
        true => "0".to_owned(),
        false => three_digits(number),
    }
}

/// A time without marks, in a unit; `-` for none.
pub(super) fn plain_cell(us: Option<f64>, unit: Unit) -> String {
    us.map_or("-".to_owned(), |us| unit.show(us))
}
