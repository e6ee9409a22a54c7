//! The unit of a chart: how its values are written, for people and for the script.

use crate::text::units;

/// What the values of a chart are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Events per second.
    Rate,
    /// Whole things.
    Count,
    /// Microseconds.
    Time,
    /// 0 to 1.
    Share,
}

impl Unit {
    /// The name by which the script knows how to write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Count => "count",
            Self::Time => "time",
            Self::Share => "share",
        }
    }

    /// A value as everywhere in opsurge.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Rate if value == 0.0 => "0/s".to_owned(),
            Self::Rate => units::rate(value),
            Self::Count => units::grouped(value.round() as u64),
            Self::Time => units::time(value),
            Self::Share => units::percent(value),
        }
    }

    /// A value, or the mark for none.
    pub fn show_or_dash(self, value: Option<f64>) -> String {
        value.map_or_else(|| "–".to_owned(), |value| self.show(value))
    }

    /// A value beside an axis: round, so without trailing zeros.
    pub fn tick(self, value: f64) -> String {
        if value == 0.0 {
            return "0".to_owned();
        }
        let text = self.show(value);
        let (digits, unit) = match text.find([' ', '/']) {
            Some(at) => text.split_at(at),
            None => (&text[..], ""),
        };
        let digits = match digits.contains('.') {
            true => digits.trim_end_matches('0').trim_end_matches('.'),
            false => digits,
        };
        format!("{digits}{unit}")
    }

    /// A value for the script, with the digits that [`Unit::show`] has and no more: they are most of a page's size.
    pub fn number(self, value: Option<f64>) -> String {
        let Some(value) = value.filter(|value| value.is_finite()) else {
            return "null".to_owned();
        };
        let is_rounded = self == Self::Time;
        let rounded = match value.abs() {
            0.0 => 0.0,
            size if size >= 99.95 && (!is_rounded || size >= 1e9) => value.round(),
            size => {
                let scale = 10_f64.powi(2 - size.log10().floor() as i32);
                // Division by a power of ten that is whole keeps the shortest text short.
                match scale >= 1.0 {
                    true => (value * scale).round() / scale,
                    false => (value / (1.0 / scale).round()).round() * (1.0 / scale).round(),
                }
            }
        };
        rounded.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_for_the_script_have_three_digits() {
        let number = |unit: Unit, value| unit.number(Some(value));
        assert_eq!(number(Unit::Time, 12_345.678), "12300");
        assert_eq!(number(Unit::Time, 0.1), "0.1");
        assert_eq!(number(Unit::Count, 12_345.0), "12345");
        assert_eq!(number(Unit::Rate, 1.2345), "1.23");
        assert_eq!(number(Unit::Share, 0.001_234_5), "0.00123");
        assert_eq!(Unit::Rate.number(None), "null");
        assert_eq!(number(Unit::Rate, f64::INFINITY), "null");
    }

    #[test]
    fn values_beside_an_axis_have_no_trailing_zeros() {
        assert_eq!(Unit::Time.tick(1_000.0), "1 ms");
        assert_eq!(Unit::Time.tick(500.0), "500 us");
        assert_eq!(Unit::Rate.tick(1_500.0), "1,500/s");
        assert_eq!(Unit::Rate.tick(0.5), "0.5/s");
        assert_eq!(Unit::Count.tick(0.0), "0");
    }
}
