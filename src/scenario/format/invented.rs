//! Holes with arguments, as text: numbers, texts, times, arithmetic, and the parts of a function. Errors are reasons.

use std::time::Duration;

use crate::scenario::made::{
    Alphabet, Counter, Made, OPERAND_MAX, OPERATIONS_MAX, Operation, TEXT_CHARACTERS_MAX,
};
use crate::scenario::origin::Clock;
use crate::text::duration;

/// Most decimals of a random number.
const DECIMALS_MAX: usize = 9;
/// Most multiplications in a hole: the result then fits 128 bits.
const PRODUCTS_MAX: usize = 2;
/// Longest offset of a time, in days.
const OFFSET_DAYS_MAX: i64 = 36_500;

/// A part of a function's text, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Term<'t> {
    /// The text between quotes.
    Quoted(&'t str),
    /// The name of a value.
    Word(&'t str),
}

/// A random number with decimals: `0.50..9.99`; `None` for any other text.
pub(super) fn decimals(text: &str) -> Option<Made> {
    let (from, to) = text.split_once("..")?;
    let decimals = fraction(from.trim()).max(fraction(to.trim()));
    if decimals == 0 || decimals > DECIMALS_MAX {
        return None;
    }
    let (from, to) = (units(from.trim(), decimals)?, units(to.trim(), decimals)?);
    (from <= to).then_some(Made::Decimal(from..=to, decimals as u32))
}

fn fraction(number: &str) -> usize {
    number.split_once('.').map_or(0, |(_, digits)| digits.len())
}

/// A number in units of its last decimal.
fn units(number: &str, decimals: usize) -> Option<i64> {
    let (whole, digits) = number.split_once('.').unwrap_or((number, ""));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    if !is_number(whole.strip_prefix('-').unwrap_or(whole))
        || number.contains('.') && !is_number(digits)
    {
        return None;
    }
    format!("{whole}{digits:0<decimals$}").parse().ok()
}

/// A random text: `12`, `12 hex`.
pub(super) fn random_string(text: &str) -> Result<Made, String> {
    let (length, alphabet) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let alphabet = match alphabet.trim() {
        "" => Alphabet::Alphanumeric,
        "letters" => Alphabet::Letters,
        "digits" => Alphabet::Digits,
        "hex" => Alphabet::Hex,
        other => {
            return Err(format!(
                "unknown characters \"{other}\"; write letters, digits or hex, or nothing for letters and digits"
            ));
        }
    };
    match length.parse() {
        Ok(length @ 1..=TEXT_CHARACTERS_MAX) => Ok(Made::Text(alphabet, length as usize)),
        _ => Err(format!(
            "a random text has 1 to {TEXT_CHARACTERS_MAX} characters; write for example {{{{random_string 12}}}}"
        )),
    }
}

/// A time with its offset: `+1d`, `-90m`, or nothing.
pub(super) fn time(clock: Clock, offset: &str) -> Result<Made, String> {
    if offset.is_empty() {
        return Ok(Made::Time(clock, 0));
    }
    let (sign, length) = match (offset.strip_prefix('+'), offset.strip_prefix('-')) {
        (Some(length), _) => (1, length.trim()),
        (_, Some(length)) => (-1, length.trim()),
        _ => {
            return Err(format!(
                "\"{offset}\" is not an offset; write for example {{{{now +1d}}}} or {{{{now -90m}}}}"
            ));
        }
    };
    let day_ns = 86_400_000_000_000;
    let days = length
        .strip_suffix('d')
        .and_then(|days| days.parse::<i64>().ok());
    let offset_ns = match days {
        Some(days @ 0..=OFFSET_DAYS_MAX) => days * day_ns,
        Some(_) => return Err(format!("an offset has at most {OFFSET_DAYS_MAX} days")),
        None => {
            let parsed: Duration = duration::parse(length).map_err(|error| error.to_string())?;
            parsed.as_nanos() as i64
        }
    };
    Ok(Made::Time(clock, sign * offset_ns))
}

/// Arithmetic on a counter: `* 10 + 5`.
pub(super) fn counted(counter: Counter, text: &str) -> Result<Made, String> {
    let mut operations = Vec::new();
    let mut rest = text.trim();
    let mut is_sum = false;
    while let Some(sign) = rest.chars().next() {
        let operation = match sign {
            '+' => Operation::Add,
            '-' => Operation::Subtract,
            '*' => Operation::Multiply,
            '/' => Operation::Divide,
            '%' => Operation::Remainder,
            _ => {
                return Err(format!(
                    "\"{rest}\" is not arithmetic; write for example {{{{user * 10 + 1}}}}"
                ));
            }
        };
        rest = rest[1..].trim_start();
        let digits = rest
            .find(|it: char| !it.is_ascii_digit())
            .unwrap_or(rest.len());
        let number = match rest[..digits].parse() {
            Ok(number @ 0..=OPERAND_MAX) => number,
            _ => {
                return Err(format!(
                    "after {sign} comes a whole number up to {OPERAND_MAX}"
                ));
            }
        };
        rest = rest[digits..].trim_start();
        let is_term = matches!(operation, Operation::Add | Operation::Subtract);
        if is_sum && !is_term {
            return Err(format!(
                "it is computed from left to right; write {sign} before + and -"
            ));
        }
        if number == 0 && matches!(operation, Operation::Divide | Operation::Remainder) {
            return Err("it divides by 0".to_owned());
        }
        is_sum |= is_term;
        operations.push((operation, number));
    }
    let products = operations
        .iter()
        .filter(|(it, _)| *it == Operation::Multiply);
    if operations.len() > OPERATIONS_MAX || products.count() > PRODUCTS_MAX {
        return Err(format!(
            "a hole has at most {OPERATIONS_MAX} operations, {PRODUCTS_MAX} of them multiplications"
        ));
    }
    Ok(Made::Counted(counter, operations))
}

/// The parts of a function's text: words, and texts in quotes.
pub(super) fn terms(text: &str) -> Result<Vec<Term<'_>>, String> {
    let mut terms = Vec::new();
    let mut rest = text.trim();
    while let Some(first) = rest.chars().next() {
        let is_quote = first == '\'' || first == '"';
        let end = match is_quote {
            true => rest[1..].find(first).map(|at| at + 1),
            false => Some(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        let Some(end) = end else {
            return Err(format!("a text is opened with {first} and not closed"));
        };
        terms.push(match is_quote {
            true => Term::Quoted(&rest[1..end]),
            false => Term::Word(&rest[..end]),
        });
        rest = rest[end + usize::from(is_quote)..].trim_start();
    }
    Ok(terms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_decimals_are_read_in_units_of_the_last() {
        assert_eq!(decimals("0.5..9.99"), Some(Made::Decimal(50..=999, 2)));
        assert_eq!(decimals("-1.5 .. 2"), Some(Made::Decimal(-15..=20, 1)));
        for wrong in [
            "1..5",
            "2.5..1.5",
            "1.5",
            "a.b..2",
            "1.0000000000..2",
            ".5..1",
            "1.-5..2",
        ] {
            assert_eq!(decimals(wrong), None, "{wrong}");
        }
        assert_eq!(
            units("-0.5", 1),
            Some(-5),
            "a sign without a digit other than 0"
        );
    }

    #[test]
    fn offsets_have_a_sign_and_a_unit() {
        let offset = |text| match time(Clock::Date, text) {
            Ok(Made::Time(_, offset_ns)) => Ok(offset_ns / 1_000_000_000),
            other => Err(other),
        };
        assert_eq!(offset("+2d"), Ok(172_800));
        assert_eq!(offset("- 1h30m"), Ok(-5_400));
        assert!(time(Clock::Date, "2d").is_err_and(|it| it.contains("{{now +1d}}")));
        assert!(time(Clock::Date, "+99999d").is_err());
        assert!(time(Clock::Date, "+2 parsecs").is_err());
    }

    #[test]
    fn arithmetic_that_would_be_read_in_two_ways_is_refused() {
        let check = |text, expected: &str| {
            let error = counted(Counter::User, text).expect_err(text);
            assert!(error.contains(expected), "{error}");
        };
        check("+ 1 * 10", "before + and -");
        check("/ 0", "divides by 0");
        check("* x", "a whole number");
        check("10", "not arithmetic");
        check("* 2 * 2 * 2", "at most 4 operations");
        assert!(counted(Counter::User, "* 10 % 7 + 1 - 2").is_ok());
    }

    #[test]
    fn terms_are_words_and_quoted_texts() {
        use Term::{Quoted, Word};
        let expected = vec![Word("env.KEY"), Quoted("a b"), Word("user"), Quoted("'")];
        assert_eq!(
            terms("env.KEY 'a b'user \"'\""),
            Ok(vec![
                Word("env.KEY"),
                Quoted("a b"),
                Word("user"),
                Quoted("'")
            ])
        );
        assert_eq!(terms(" env.KEY 'a b' user \"'\" "), Ok(expected));
        assert!(terms("'a").is_err());
    }
}
