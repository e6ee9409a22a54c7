//! The values of holes: drawn, counted, looked up or read from the clock, and written without allocation.

use std::ops::RangeInclusive;

use crate::http::request::{DECIMAL_BYTES_MAX, write_decimal};

use super::calendar::{write_date, write_timestamp};
use super::feeder::Feeder;
use super::made::Made;
use super::sequence::Sequence;
use crate::load::random::below;

pub use super::origin::{Clock, Origin};

/// Length of a uuid's text.
const UUID_BYTES: usize = 36;
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
    Sequence(Sequence),
    /// A whole number, drawn evenly from this range.
    Integer(RangeInclusive<i64>),
    /// One of these texts, drawn evenly.
    Choice(Vec<String>),
    /// The field of the user's row in the column of this index.
    Column(usize),
    /// The present time, in this notation.
    Now(Clock),
    /// A value that takes more work: boxed, so that the others stay small.
    Made(Box<Made>),
    /// The value that the user's request had so many requests before this one.
    Earlier(Box<Value>, u16),
}

impl Value {
    /// Longest text of the value, in bytes.
    pub fn bytes_max(&self, feeder: &Feeder) -> usize {
        match self {
            Self::Literal(text) => text.len(),
            Self::Uuid => UUID_BYTES,
            Self::User | Self::Sequence(_) => DECIMAL_BYTES_MAX,
            Self::Integer(range) => {
                let digits = |end: &i64| end.to_string().len();
                digits(range.start()).max(digits(range.end()))
            }
            Self::Choice(options) => options.iter().map(String::len).max().unwrap_or_default(),
            Self::Column(column) => feeder.bytes_max(*column),
            Self::Now(clock) => clock.bytes_max(),
            Self::Made(made) => made.bytes_max(feeder),
            Self::Earlier(value, _) => value.bytes_max(feeder),
        }
    }

    /// Whether all texts of the value have the same length.
    pub fn is_fixed(&self, feeder: &Feeder) -> bool {
        match self {
            Self::Literal(_) | Self::Uuid | Self::Now(Clock::Timestamp | Clock::Date) => true,
            Self::User | Self::Sequence(_) | Self::Now(_) => false,
            Self::Integer(range) => range.start() == range.end(),
            Self::Choice(options) => options.iter().all(|text| text.len() == options[0].len()),
            Self::Column(column) => feeder.is_fixed(*column),
            Self::Made(_) => false,
            Self::Earlier(value, _) => value.is_fixed(feeder),
        }
    }

    /// Whether it is always a number.
    pub fn is_number(&self) -> bool {
        match self {
            Self::User | Self::Sequence(_) | Self::Integer(_) => true,
            Self::Now(clock) => matches!(clock, Clock::UnixMs | Clock::UnixS),
            Self::Made(made) => made.is_number(),
            Self::Earlier(value, _) => value.is_number(),
            Self::Literal(_) | Self::Uuid | Self::Choice(_) | Self::Column(_) => false,
        }
    }

    /// Whether it counts the requests of all users.
    pub fn is_sequence(&self) -> bool {
        match self {
            Self::Sequence(_) => true,
            Self::Made(made) => made.is_sequence(),
            Self::Earlier(value, _) => value.is_sequence(),
            _ => false,
        }
    }

    /// The texts that its author wrote, to be checked for the place of the value. Other values, except columns and made ones, have only
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
            Self::Column(column) => origin.feeder.field(*column, origin.row_key()),
            Self::Uuid => {
                let uuid = origin.random.uuid(origin.user, origin.stream, count);
                uuid.hyphenated().encode_lower(&mut out[..UUID_BYTES]);
                return UUID_BYTES;
            }
            Self::User => return write_decimal(origin.user, out),
            Self::Sequence(sequence) => return write_decimal(sequence.number(origin), out),
            Self::Integer(range) => {
                let span = range.end().abs_diff(*range.start()).saturating_add(1);
                let number = range.start().wrapping_add_unsigned(below(draw(), span));
                return write_signed(number, out);
            }
            Self::Now(Clock::UnixMs) => return write_decimal(origin.wall_ns / 1_000_000, out),
            Self::Now(Clock::UnixS) => return write_decimal(origin.wall_ns / 1_000_000_000, out),
            Self::Now(Clock::Timestamp) => return write_timestamp(origin.wall_ns, out),
            Self::Now(Clock::Date) => return write_date(origin.wall_ns, out),
            Self::Made(made) => return made.write(nth, origin, out),
            Self::Earlier(value, requests) => {
                let text = origin.text.saturating_sub(u64::from(*requests));
                return write_earlier(value, nth, &Origin { text, ..*origin }, out);
            }
        };
        out[..text.len()].copy_from_slice(text);
        text.len()
    }
}

/// A call of its own keeps the common values inlined.
#[inline(never)]
fn write_earlier(value: &Value, nth: usize, origin: &Origin<'_>, out: &mut [u8]) -> usize {
    value.write(nth, origin, out)
}

fn write_signed(number: i64, out: &mut [u8]) -> usize {
    if number >= 0 {
        return write_decimal(number as u64, out);
    }
    out[0] = b'-';
    1 + write_decimal(number.unsigned_abs(), &mut out[1..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::random::{Keyed, Stream};

    fn text_of(value: &Value, user: u64, text: u64, wall_ns: u64) -> String {
        let feeder = Feeder::default();
        let origin = Origin {
            random: Keyed::new(7),
            user,
            stream: Stream::Request,
            text,
            iteration: user,
            users: 10,
            wall_ns,
            feeder: &feeder,
            values: &[],
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
        for since in [0, 1] {
            let value = Value::Sequence(Sequence { first: 5, since });
            let mut seen = std::collections::HashSet::new();
            for text in since..since + 100 {
                for user in 0..10 {
                    let number = text_of(&value, user, text, 0);
                    assert_eq!(number, (5 + seen.len()).to_string());
                    assert!(seen.insert(number));
                }
            }
        }
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
