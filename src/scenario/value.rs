//! The values of holes: drawn, counted, looked up or read from the clock, and written without allocation.

use std::ops::RangeInclusive;

use crate::http::request::{DECIMAL_BYTES_MAX, write_decimal};

use super::feeder::Feeder;
use crate::load::random::{Keyed, Stream, below};

/// Length of a uuid's text.
const UUID_BYTES: usize = 36;
/// `2026-11-24T16:33:00.123456Z`.
const TIMESTAMP_BYTES: usize = 27;
/// Distance between the draws of one text and those of the next: no text has so many holes.
const DRAWS_PER_TEXT: u64 = 256;

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// The same text for all users.
    Literal(String),
    /// A new v4 uuid (RFC 9562 section 5.4).
    Uuid,
    /// The user's number in the run, from 0.
    User,
    /// A number that is unique in the run, from this one on.
    Sequence(u64),
    /// A whole number, drawn evenly from this range.
    Integer(RangeInclusive<i64>),
    /// One of these texts, drawn evenly.
    Choice(Vec<String>),
    /// The field of the user's row in the column of this index.
    Column(usize),
    /// The present time, in this notation.
    Now(Clock),
}

/// The notation of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// UTC with microseconds (RFC 3339).
    Timestamp,
    /// Milliseconds since 1970 (UTC).
    UnixMs,
    /// Seconds since 1970 (UTC).
    UnixS,
}

/// What values are computed from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'o> {
    /// The source of everything random.
    pub random: Keyed,
    /// Number of the user.
    pub user: u64,
    /// Purpose of the draws.
    pub stream: Stream,
    /// Number of the text among the user's: 0 for its variables, then its requests from 1 on.
    pub text: u64,
    /// Users at the peak: the distance between a user's sequence numbers.
    pub users: u64,
    /// Present time in nanoseconds since 1970 (UTC).
    pub wall_ns: u64,
    /// Rows of the scenario's CSV file.
    pub feeder: &'o Feeder,
}

impl Value {
    /// Longest text of the value, in bytes.
    pub fn bytes_max(&self, feeder: &Feeder) -> usize {
        match self {
            Self::Literal(text) => text.len(),
            Self::Uuid => UUID_BYTES,
            Self::User | Self::Sequence(_) | Self::Now(Clock::UnixMs | Clock::UnixS) => {
                DECIMAL_BYTES_MAX
            }
            Self::Integer(range) => {
                let digits = |end: &i64| end.to_string().len();
                digits(range.start()).max(digits(range.end()))
            }
            Self::Choice(options) => options.iter().map(String::len).max().unwrap_or_default(),
            Self::Column(column) => feeder.bytes_max(*column),
            Self::Now(Clock::Timestamp) => TIMESTAMP_BYTES,
        }
    }

    /// Whether all texts of the value have the same length.
    pub fn is_fixed(&self, feeder: &Feeder) -> bool {
        match self {
            Self::Literal(_) | Self::Uuid | Self::Now(Clock::Timestamp) => true,
            Self::User | Self::Sequence(_) | Self::Now(_) => false,
            Self::Integer(range) => range.start() == range.end(),
            Self::Choice(options) => options.iter().all(|text| text.len() == options[0].len()),
            Self::Column(column) => feeder.is_fixed(*column),
        }
    }

    /// Whether it is always a number.
    pub fn is_number(&self) -> bool {
        match self {
            Self::User | Self::Sequence(_) | Self::Integer(_) => true,
            Self::Now(clock) => *clock != Clock::Timestamp,
            Self::Literal(_) | Self::Uuid | Self::Choice(_) | Self::Column(_) => false,
        }
    }

    /// The texts that its author wrote, to be checked for the place of the value. Other values, except columns, have only
    /// letters, digits, `-`, `.` and `:`.
    pub fn literals(&self) -> &[String] {
        match self {
            Self::Literal(text) => std::slice::from_ref(text),
            Self::Choice(options) => options,
            _ => &[],
        }
    }

    /// Writes the value of the `nth` hole of a text to the start of `out`; returns its length.
    #[inline]
    pub fn write(&self, nth: usize, origin: &Origin<'_>, out: &mut [u8]) -> usize {
        let count = origin.text * DRAWS_PER_TEXT + nth as u64;
        let draw = || origin.random.draw(origin.user, origin.stream, count);
        let text = match self {
            Self::Literal(text) => text.as_bytes(),
            Self::Choice(options) => {
                options[below(draw(), options.len() as u64) as usize].as_bytes()
            }
            Self::Column(column) => {
                let row = origin.feeder.row_of(origin.user, origin.random);
                origin.feeder.text(row, *column)
            }
            Self::Uuid => {
                let uuid = origin.random.uuid(origin.user, origin.stream, count);
                uuid.hyphenated().encode_lower(&mut out[..UUID_BYTES]);
                return UUID_BYTES;
            }
            Self::User => return write_decimal(origin.user, out),
            Self::Sequence(first) => {
                let number = first + origin.user + origin.text * origin.users;
                return write_decimal(number, out);
            }
            Self::Integer(range) => {
                let span = range.end().abs_diff(*range.start()).saturating_add(1);
                let number = range.start().wrapping_add_unsigned(below(draw(), span));
                return write_signed(number, out);
            }
            Self::Now(Clock::UnixMs) => return write_decimal(origin.wall_ns / 1_000_000, out),
            Self::Now(Clock::UnixS) => return write_decimal(origin.wall_ns / 1_000_000_000, out),
            Self::Now(Clock::Timestamp) => return write_timestamp(origin.wall_ns, out),
        };
        out[..text.len()].copy_from_slice(text);
        text.len()
    }
}

fn write_signed(number: i64, out: &mut [u8]) -> usize {
    if number >= 0 {
        return write_decimal(number as u64, out);
    }
    out[0] = b'-';
    1 + write_decimal(number.unsigned_abs(), &mut out[1..])
}

/// Writes a time as RFC 3339 in UTC, with microseconds. The calendar is Hinnant's ("chrono-compatible low-level date
/// algorithms", 2013): eras of 400 years, years that begin in March.
fn write_timestamp(wall_ns: u64, out: &mut [u8]) -> usize {
    let (seconds, micros) = (wall_ns / 1_000_000_000, wall_ns / 1_000 % 1_000_000);
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let second_of_day = seconds % 86_400;
    out[..TIMESTAMP_BYTES].copy_from_slice(b"0000-00-00T00:00:00.000000Z");
    for (number, end) in [
        (year, 4),
        (month, 7),
        (day, 10),
        (second_of_day / 3_600, 13),
        (second_of_day / 60 % 60, 16),
        (second_of_day % 60, 19),
        (micros, 26),
    ] {
        write_digits(number, &mut out[..end]);
    }
    TIMESTAMP_BYTES
}

/// Writes a number over the zeros at the end of `out`.
fn write_digits(mut number: u64, out: &mut [u8]) {
    for digit in out.iter_mut().rev() {
        if number == 0 {
            break;
        }
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(value: &Value, user: u64, text: u64, wall_ns: u64) -> String {
        let feeder = Feeder::default();
        let origin = Origin {
            random: Keyed::new(7),
            user,
            stream: Stream::Request,
            text,
            users: 10,
            wall_ns,
            feeder: &feeder,
        };
        let mut out = [0; 64];
        let length = value.write(0, &origin, &mut out);
        assert!(length <= value.bytes_max(&feeder), "{value:?}");
        String::from_utf8(out[..length].to_vec()).expect("text")
    }

    #[test]
    fn times_are_told_as_other_clocks_tell_them() {
        let mut wall_ns = 0u64;
        for step in 0..4_000u64 {
            let known = std::time::UNIX_EPOCH + std::time::Duration::from_nanos(wall_ns);
            let known = humantime::format_rfc3339_micros(known).to_string();
            assert_eq!(text_of(&Value::Now(Clock::Timestamp), 0, 0, wall_ns), known);
            wall_ns += 86_400_000_000_000 / 3 * 2 + step * 1_234_567_891;
        }
        assert_eq!(
            text_of(&Value::Now(Clock::UnixMs), 0, 0, 1_234_567_891),
            "1234"
        );
        assert_eq!(text_of(&Value::Now(Clock::UnixS), 0, 0, 1_234_567_891), "1");
    }

    #[test]
    fn integers_reach_both_ends_and_are_drawn_anew_for_each_text() {
        let value = Value::Integer(-2..=1);
        let mut seen: Vec<String> = (0..100).map(|text| text_of(&value, 1, text, 0)).collect();
        assert_eq!(seen[5], text_of(&value, 1, 5, 0));
        seen.sort();
        seen.dedup();
        assert_eq!(seen, ["-1", "-2", "0", "1"]);
        let all = Value::Integer(i64::MIN..=i64::MAX);
        text_of(&all, 1, 1, 0).parse::<i64>().expect("a number");
    }

    #[test]
    fn a_sequence_number_occurs_once_in_a_run() {
        let mut seen = std::collections::HashSet::new();
        for user in 0..10 {
            for text in 0..100 {
                assert!(seen.insert(text_of(&Value::Sequence(5), user, text, 0)));
            }
        }
        assert!(seen.contains("5") && seen.contains("1004") && seen.len() == 1_000);
    }

    #[test]
    fn choices_are_all_made_about_as_often() {
        let value = Value::Choice(["idle", "active", "error"].map(String::from).to_vec());
        let count = (0..3_000)
            .filter(|&text| text_of(&value, 3, text, 0) == "active")
            .count();
        assert!((900..1_100).contains(&count), "{count}");
    }
}
