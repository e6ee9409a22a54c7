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
    /// A number to three digits.
    Number,
    /// Bytes.
    Bytes,
}

impl Unit {
    /// The name by which the script knows how to write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Count => "count",
            Self::Time => "time",
            Self::Share => "share",
            Self::Number => "number",
            Self::Bytes => "bytes",
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
            Self::Number => units::three_digits(value),
            Self::Bytes => units::bytes(value.round() as u64),
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

    /// A value for the script, with the digits that [`Unit::show`] shows and no more: they are most of a page's size, and
    /// what is rounded once more would be shown as another value.
    pub fn number(self, value: Option<f64>) -> String {
        let Some(value) = value.filter(|value| value.is_finite()) else {
            return "null".to_owned();
        };
        let in_steps_of = |unit: f64| (shown(value / unit) * unit).round();
        let rounded = match (self, value) {
            (Self::Count, _) => value.round(),
            (Self::Rate | Self::Number, _) => shown(value),
            (Self::Share, _) => (shown(value * 100.0) * 1e3).round() / 1e5,
            (Self::Time, us) if us < 999.5 => us.round(),
            (Self::Time, us) if us < 999_500.0 => in_steps_of(1e3),
            (Self::Time, _) => in_steps_of(1e6),
            (Self::Bytes, count) if count < 999.5 => count.round(),
            (Self::Bytes, count) if count < 1e6 => in_steps_of(1e3),
            (Self::Bytes, count) if count < 1e9 => in_steps_of(1e6),
            (Self::Bytes, _) => in_steps_of(1e9),
        };
        rounded.to_string()
    }
}

/// A number as it is shown, read again.
fn shown(number: f64) -> f64 {
    let text = units::three_digits(number).replace(',', "");
    text.parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_for_the_script_have_three_digits() {
        let number = |unit: Unit, value| unit.number(Some(value));
        assert_eq!(number(Unit::Time, 12_345.678), "12300");
        assert_eq!(number(Unit::Time, 7_895.0), "7890", "as 7.89 ms is shown");
        assert_eq!(number(Unit::Time, 0.1), "0");
        assert_eq!(number(Unit::Count, 12_345.0), "12345");
        assert_eq!(number(Unit::Rate, 1.2345), "1.23");
        assert_eq!(number(Unit::Share, 0.001_234_5), "0.00123");
        assert_eq!(number(Unit::Bytes, 12_345_678.0), "12300000");
        assert_eq!(Unit::Rate.number(None), "null");
        assert_eq!(number(Unit::Rate, f64::INFINITY), "null");
    }

    #[test]
    fn values_beside_an_axis_have_no_trailing_zeros() {
        assert_eq!(Unit::Time.tick(1_000.0), "1 ms");
        assert_eq!(Unit::Time.tick(500.0), "500 us");
        assert_eq!(Unit::Rate.tick(1_500.0), "1,500/s");
        assert_eq!(Unit::Rate.tick(0.5), "0.5/s");
        assert_eq!(Unit::Bytes.tick(20e6), "20 MB");
        assert_eq!(Unit::Count.tick(0.0), "0");
    }
}
