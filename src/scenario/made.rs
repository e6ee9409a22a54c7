//! Values that take more work than a draw: invented texts, times with an offset, arithmetic, and functions of other
//! values. They are written without allocation; what is constant is computed when the scenario is compiled.

use std::ops::RangeInclusive;

use crate::http::cookies;
use crate::http::request::{DECIMAL_BYTES_MAX, Encoding, Slot, write_decimal};
use crate::load::random::below;

use super::digest::Function;
use super::feeder::Feeder;
use super::origin::{Clock, Origin};
use super::sequence::Sequence;

/// Longest text that a function takes, in bytes; and the longest key.
pub const INPUT_BYTES_MAX: usize = 4_096;
/// Most arithmetic operations of a hole.
pub const OPERATIONS_MAX: usize = 4;
/// Largest number in arithmetic.
pub const OPERAND_MAX: u64 = 1_000_000_000;
/// Most parts of a function's text.
pub const PARTS_MAX: usize = 32;
/// Longest random text, in characters.
pub const TEXT_CHARACTERS_MAX: u64 = 4_096;
/// Digits of the largest `i128`, and a sign: four operations on a `u64` stay below it.
const WIDE_BYTES_MAX: usize = 40;
/// Distance between the draws of one text and those of the next, as in `value`.
const DRAWS_PER_TEXT: u64 = 256;
/// Further draws of a hole lie so far apart; a text's number has 32 bits, so that none is reached twice.
const FURTHER_DRAWS: u64 = 1 << 40;
/// And those of the parts of a function.
const PART_DRAWS: usize = 1 << 56;
/// Characters that one draw of 64 bits gives: 62^8 is below 2^48.
const CHARACTERS_PER_DRAW: usize = 8;

const FIRST_NAMES: [&str; 24] = [
    "Ada", "Alan", "Amira", "Anna", "Ben", "Carla", "Chen", "David", "Elif", "Emma", "Felix",
    "Grace", "Hana", "Ivan", "Jonas", "Lea", "Maria", "Noah", "Olga", "Paul", "Rosa", "Samir",
    "Tom", "Yuki",
];
const LAST_NAMES: [&str; 24] = [
    "Anders", "Bauer", "Costa", "Diaz", "Evans", "Fischer", "Garcia", "Haddad", "Ito", "Jansen",
    "Kaya", "Lopez", "Meyer", "Novak", "Okafor", "Patel", "Quinn", "Rossi", "Silva", "Tanaka",
    "Umar", "Vogel", "Wang", "Young",
];
const NAME_BYTES_MAX: usize = 16;
/// Random characters that keep two addresses with the same names apart.
const MAIL_CHARACTERS: usize = 8;
/// A domain that nobody owns (RFC 2606 section 3).
const MAIL_DOMAIN: &[u8] = b"@example.com";

/// A value that takes more work than a draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// The same text for all users: a part of a function.
    Literal(String),
    /// A new v4 uuid: a part of a function.
    Uuid,
    /// The field of the user's row in the column of this index: a part of a function.
    Column(usize),
    /// The text of a variable of the user.
    Variable(Slot),
    /// A counter, and operations on it from left to right.
    Counted(Counter, Vec<(Operation, u64)>),
    /// A number with so many decimals, drawn evenly; the range is in units of the last decimal.
    Decimal(RangeInclusive<i64>, u32),
    /// So many characters of an alphabet.
    Text(Alphabet, usize),
    /// A first and a last name.
    Name,
    /// A mail address at `example.com`.
    Mail,
    /// The present time in this notation, and so many nanoseconds later.
    Time(Clock, i64),
    /// The value of the cookie of this name in the user's jar; empty without one.
    Cookie(String, Slot),
    /// A function of other values.
    Computed(Box<Computed>),
}

/// A function of other values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Computed {
    /// The function.
    pub function: Function,
    /// Its key, for functions that have one.
    pub key: Vec<Part>,
    /// Its text.
    pub text: Vec<Part>,
}

/// A part of a function's key or text: a value, and how it is written into the text.
pub type Part = (Made, Encoding);

/// A number that counts users or requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// The user's number in the run, from 0.
    User,
    /// A number that is unique in the run, from this one on.
    Sequence(Sequence),
}

/// An operation on whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Sum.
    Add,
    /// Difference; the result may be negative.
    Subtract,
    /// Product.
    Multiply,
    /// Quotient, rounded towards zero. The divisor is not 0.
    Divide,
    /// Remainder. The divisor is not 0.
    Remainder,
}

/// The characters of a random text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    /// Letters of both cases, and digits.
    Alphanumeric,
    /// Letters in lower case.
    Letters,
    /// Digits.
    Digits,
    /// Hexadecimal digits in lower case.
    Hex,
}

impl Alphabet {
    fn characters(self) -> &'static [u8] {
        let all: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        match self {
            Self::Alphanumeric => all,
            Self::Letters => &all[10..36],
            Self::Digits => &all[..10],
            Self::Hex => &all[..16],
        }
    }
}

impl Made {
    /// Longest text of the value, in bytes.
    pub fn bytes_max(&self, feeder: &Feeder) -> usize {
        match self {
            Self::Literal(text) => text.len(),
            Self::Uuid => 36,
            Self::Column(column) => feeder.bytes_max(*column),
            Self::Variable(slot) => slot.bytes_max,
            Self::Counted(..) => WIDE_BYTES_MAX,
            Self::Decimal(..) => DECIMAL_BYTES_MAX + 2,
            Self::Text(_, length) => *length,
            Self::Name => NAME_BYTES_MAX,
            Self::Mail => NAME_BYTES_MAX + 1 + MAIL_CHARACTERS + MAIL_DOMAIN.len(),
            Self::Time(clock, _) => clock.bytes_max(),
            Self::Cookie(_, jar) => jar.bytes_max,
            Self::Computed(computed) => {
                let text_bytes = bytes_max(&computed.text, feeder);
                computed.function.bytes_max(text_bytes)
            }
        }
    }

    /// Whether it is always a number.
    pub fn is_number(&self) -> bool {
        match self {
            Self::Counted(..) | Self::Decimal(..) => true,
            Self::Time(clock, _) => matches!(clock, Clock::UnixMs | Clock::UnixS),
            _ => false,
        }
    }

    /// Whether its text is made of letters, digits, `-`, `_`, `.` and `~` only, so that it stands in a URL as it is.
    pub fn is_unreserved(&self) -> bool {
        match self {
            Self::Uuid | Self::Counted(..) | Self::Decimal(..) | Self::Text(..) => true,
            Self::Time(clock, _) => *clock != Clock::Timestamp,
            Self::Computed(computed) => {
                !matches!(computed.function, Function::Base64 | Function::HmacBase64)
            }
            _ => false,
        }
    }

    /// Whether it counts the requests of all users.
    pub fn is_sequence(&self) -> bool {
        match self {
            Self::Counted(counter, _) => matches!(counter, Counter::Sequence(_)),
            Self::Computed(computed) => {
                let mut parts = computed.key.iter().chain(&computed.text);
                parts.any(|(made, _)| made.is_sequence())
            }
            _ => false,
        }
    }

    /// Whether its text changes with the clock or with answers.
    pub fn has_time(&self) -> bool {
        match self {
            Self::Time(..) | Self::Cookie(..) => true,
            Self::Computed(computed) => {
                let mut parts = computed.key.iter().chain(&computed.text);
                parts.any(|(made, _)| made.has_time())
            }
            _ => false,
        }
    }

    /// Writes the value of the `nth` hole of a text to the start of `out`; returns its length.
    #[inline(never)]
    pub fn write(&self, nth: usize, origin: &Origin<'_>, out: &mut [u8]) -> usize {
        let count = origin.text * DRAWS_PER_TEXT + nth as u64;
        let draw = |further: u64| {
            let count = count + further * FURTHER_DRAWS;
            origin.random.draw(origin.user, origin.stream, count)
        };
        match self {
            Self::Literal(text) => put(text.as_bytes(), out),
            Self::Uuid => {
                let uuid = origin.random.uuid(origin.user, origin.stream, count);
                uuid.hyphenated().encode_lower(out).len()
            }
            Self::Column(column) => put(origin.feeder.field(*column, origin.row_key()), out),
            Self::Variable(slot) => put(slot.text(origin.values), out),
            Self::Counted(counter, operations) => {
                let start = match counter {
                    Counter::User => origin.user,
                    Counter::Sequence(sequence) => sequence.number(origin),
                };
                let number = operations.iter().fold(i128::from(start), apply);
                write_wide(number, out)
            }
            Self::Decimal(range, decimals) => {
                let span = range.end().abs_diff(*range.start()).saturating_add(1);
                let number = range.start().wrapping_add_unsigned(below(draw(0), span));
                write_decimals(number, *decimals, out)
            }
            Self::Text(alphabet, length) => write_characters(*alphabet, *length, draw, out),
            Self::Name => write_name(draw(0), b' ', out),
            Self::Mail => {
                let mut at = write_name(draw(0), b'.', out);
                out[..at].make_ascii_lowercase();
                at += put(b".", &mut out[at..]);
                let characters = &Alphabet::Letters;
                at += write_characters(
                    *characters,
                    MAIL_CHARACTERS,
                    |it| draw(it + 1),
                    &mut out[at..],
                );
                at + put(MAIL_DOMAIN, &mut out[at..])
            }
            Self::Time(clock, offset_ns) => {
                clock.write(origin.wall_ns.saturating_add_signed(*offset_ns), out)
            }
            Self::Cookie(name, jar) => {
                let now_s = origin.wall_ns / 1_000_000_000;
                let found = cookies::find(jar.text(origin.values), name, now_s);
                put(found.unwrap_or_default(), out)
            }
            Self::Computed(computed) => computed.write(nth, origin, out),
        }
    }
}

impl Computed {
    /// The result, when no part of it changes from user to user or from request to request.
    pub fn constant(&self) -> Option<String> {
        let mut parts = self.key.iter().chain(&self.text);
        if !parts.all(|(made, _)| matches!(made, Made::Literal(_))) {
            return None;
        }
        let whole = |parts: &[Part]| {
            let texts = parts.iter().map(|(made, encoding)| match made {
                Made::Literal(text) => encoding.text(text),
                _ => String::new(),
            });
            texts.collect::<String>()
        };
        let (key, text) = (whole(&self.key), whole(&self.text));
        let mut out = vec![0; self.function.bytes_max(text.len())];
        let length = self
            .function
            .write(key.as_bytes(), text.as_bytes(), &mut out);
        Some(String::from_utf8_lossy(&out[..length]).into_owned())
    }

    fn write(&self, nth: usize, origin: &Origin<'_>, out: &mut [u8]) -> usize {
        let (mut key, mut text) = ([0; INPUT_BYTES_MAX], [0; INPUT_BYTES_MAX]);
        let key_bytes = gather(&self.key, nth + PARTS_MAX * PART_DRAWS, origin, &mut key);
        let text_bytes = gather(&self.text, nth, origin, &mut text);
        let (key, text) = (&key[..key_bytes], &text[..text_bytes]);
        self.function.write(key, text, out)
    }
}

/// Writes parts one after the other; returns their length together.
fn gather(parts: &[Part], nth: usize, origin: &Origin<'_>, out: &mut [u8]) -> usize {
    let mut scratch = [0; INPUT_BYTES_MAX];
    let mut at = 0;
    for (index, (made, encoding)) in parts.iter().enumerate() {
        at += match encoding {
            Encoding::AsIs => made.write(nth + (index + 1) * PART_DRAWS, origin, &mut out[at..]),
            _ => {
                let length = made.write(nth + (index + 1) * PART_DRAWS, origin, &mut scratch);
                encoding.write(&scratch[..length], &mut out[at..])
            }
        };
    }
    at
}

/// Longest text that parts make together, in bytes.
pub fn bytes_max(parts: &[Part], feeder: &Feeder) -> usize {
    let lengths = parts.iter().map(|(made, encoding)| {
        let per_byte = match encoding {
            Encoding::AsIs => 1,
            Encoding::Percent => 3,
            Encoding::Json => 6,
        };
        made.bytes_max(feeder) * per_byte
    });
    lengths.sum()
}

fn apply(number: i128, (operation, by): &(Operation, u64)) -> i128 {
    let by = i128::from(*by);
    match operation {
        Operation::Add => number + by,
        Operation::Subtract => number - by,
        Operation::Multiply => number * by,
        Operation::Divide => number / by,
        Operation::Remainder => number % by,
    }
}

/// `Ada Meyer`, with the given character between the two.
fn write_name(draw: u64, between: u8, out: &mut [u8]) -> usize {
    let first = FIRST_NAMES[below(draw, FIRST_NAMES.len() as u64) as usize];
    let last = LAST_NAMES[below(draw << 32, LAST_NAMES.len() as u64) as usize];
    let mut at = put(first.as_bytes(), out);
    at += put(&[between], &mut out[at..]);
    at + put(last.as_bytes(), &mut out[at..])
}

fn write_characters(
    alphabet: Alphabet,
    length: usize,
    draw: impl Fn(u64) -> u64,
    out: &mut [u8],
) -> usize {
    let characters = alphabet.characters();
    let count = characters.len() as u64;
    for (nth, out) in out[..length].chunks_mut(CHARACTERS_PER_DRAW).enumerate() {
        let mut rest = draw(nth as u64);
        for out in out {
            *out = characters[below(rest, count) as usize];
            // The fraction that is left is the next draw.
            rest = rest.wrapping_mul(count);
        }
    }
    length
}

/// Writes a number of units of the last decimal.
fn write_decimals(number: i64, decimals: u32, out: &mut [u8]) -> usize {
    let unit = 10u64.pow(decimals);
    let (whole, mut rest) = (number.unsigned_abs() / unit, number.unsigned_abs() % unit);
    let mut at = usize::from(number < 0);
    out[0] = b'-';
    at += write_decimal(whole, &mut out[at..]);
    out[at] = b'.';
    let end = at + 1 + decimals as usize;
    for digit in out[at + 1..end].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    end
}

fn write_wide(number: i128, out: &mut [u8]) -> usize {
    let mut digits = [0; WIDE_BYTES_MAX];
    let mut at = WIDE_BYTES_MAX;
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    put(&digits[at..], out)
}

fn put(bytes: &[u8], out: &mut [u8]) -> usize {
    out[..bytes.len()].copy_from_slice(bytes);
    bytes.len()
}

#[cfg(test)]
mod tests;
