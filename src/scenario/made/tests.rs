//! Invented texts, arithmetic, times with an offset and functions of values.

use super::*;
use crate::load::random::{Keyed, Stream};
use std::collections::HashSet;

const AS_IS: Encoding = Encoding::AsIs;

fn written(made: &Made, user: u64, text: u64) -> String {
    let feeder = Feeder::default();
    let origin = Origin {
        random: Keyed::new(7),
        user,
        stream: Stream::Request,
        text,
        iteration: user,
        users: 10,
        wall_ns: 1_800_000_000_000_000_000,
        feeder: &feeder,
        values: b"\x03\0abc",
    };
    let mut out = vec![0; made.bytes_max(&feeder)];
    let length = made.write(3, &origin, &mut out);
    String::from_utf8(out[..length].to_vec()).expect("text")
}

#[test]
fn decimals_reach_both_ends_and_have_their_digits() {
    let made = Made::Decimal(-105..=-95, 2);
    let seen: HashSet<String> = (0..300).map(|text| written(&made, 1, text)).collect();
    assert!(seen.contains("-1.05") && seen.contains("-0.95") && seen.len() == 11);
    assert_eq!(written(&Made::Decimal(5..=5, 3), 1, 1), "0.005");
    let all = Made::Decimal(i64::MIN..=i64::MAX, 9);
    assert!(written(&all, 1, 1).parse::<f64>().is_ok());
}

#[test]
fn random_texts_have_their_length_and_their_characters_and_differ() {
    for (alphabet, fits) in [
        (
            Alphabet::Letters,
            (|c| c.is_ascii_lowercase()) as fn(char) -> bool,
        ),
        (Alphabet::Digits, |c| c.is_ascii_digit()),
        (Alphabet::Hex, |c| {
            c.is_ascii_digit() || ('a'..='f').contains(&c)
        }),
        (Alphabet::Alphanumeric, |c| c.is_ascii_alphanumeric()),
    ] {
        let text = written(&Made::Text(alphabet, 4_000), 1, 1);
        assert!(text.len() == 4_000 && text.chars().all(fits), "{text}");
        let used: HashSet<char> = text.chars().collect();
        assert_eq!(used.len(), alphabet.characters().len(), "{text}");
    }
    let short = Made::Text(Alphabet::Alphanumeric, 12);
    let seen: HashSet<String> = (0..1_000).map(|text| written(&short, 1, text)).collect();
    assert_eq!(seen.len(), 1_000);
}

#[test]
fn names_fit_their_room_and_addresses_differ() {
    for first in FIRST_NAMES {
        for last in LAST_NAMES {
            assert!(first.len() + 1 + last.len() <= NAME_BYTES_MAX);
        }
    }
    assert!(written(&Made::Name, 1, 1).contains(' '));
    let names: HashSet<String> = (0..2_000).map(|it| written(&Made::Name, 1, it)).collect();
    assert!(names.len() > 500, "of 576: {}", names.len());
    let mails: HashSet<String> = (0..2_000).map(|it| written(&Made::Mail, 1, it)).collect();
    assert_eq!(mails.len(), 2_000);
    assert!(mails.iter().all(|it| it.ends_with("@example.com")));
}

#[test]
fn arithmetic_goes_from_left_to_right_and_below_zero() {
    use Operation::{Add, Divide, Multiply, Remainder, Subtract};
    let counted =
        |operations: &[(Operation, u64)]| Made::Counted(Counter::User, operations.to_vec());
    assert_eq!(written(&counted(&[(Multiply, 10), (Add, 5)]), 7, 1), "75");
    assert_eq!(
        written(&counted(&[(Remainder, 4), (Subtract, 9)]), 7, 1),
        "-6"
    );
    assert_eq!(written(&counted(&[(Divide, 2)]), 7, 1), "3");
    let largest = [
        (Multiply, OPERAND_MAX),
        (Multiply, OPERAND_MAX),
        (Add, OPERAND_MAX),
    ];
    let text = written(&counted(&largest[..]), u64::MAX, 1);
    assert_eq!(text, "18446744073709551615000000001000000000");
    let sequence = Made::Counted(
        Counter::Sequence(Sequence {
            first: 100,
            since: 0,
        }),
        vec![(Multiply, 2)],
    );
    assert_eq!(written(&sequence, 3, 2), "246");
}

#[test]
fn times_are_moved_by_their_offset() {
    let day_ns = 86_400_000_000_000;
    let time = |clock, offset_ns| written(&Made::Time(clock, offset_ns), 1, 1);
    assert_eq!(time(Clock::Date, 0), "2027-01-15");
    assert_eq!(time(Clock::Date, -15 * day_ns), "2026-12-31");
    assert_eq!(
        time(Clock::Timestamp, day_ns),
        "2027-01-16T08:00:00.000000Z"
    );
    assert_eq!(time(Clock::UnixS, -1_000_000_000), "1799999999");
    assert_eq!(time(Clock::UnixS, i64::MIN), "0");
}

#[test]
fn a_function_takes_its_parts_joined_and_is_constant_only_without_changing_ones() {
    let literal = |text: &str| (Made::Literal(text.to_owned()), AS_IS);
    let variable = Slot {
        offset: 0,
        bytes_max: 3,
        fixed: false,
    };
    let computed = |text: Vec<Part>| Computed {
        function: Function::Base64,
        key: Vec::new(),
        text,
    };
    let fixed = computed(vec![literal("ab"), literal("c")]);
    assert_eq!(fixed.constant().as_deref(), Some("YWJj"));
    let joined = computed(vec![(Made::Variable(variable), AS_IS), literal(":x")]);
    assert_eq!(joined.constant(), None);
    assert_eq!(written(&Made::Computed(Box::new(joined)), 1, 1), "YWJjOng=");
    let quoted = computed(vec![(Made::Literal("\"".to_owned()), Encoding::Json)]);
    assert_eq!(quoted.constant().as_deref(), Some("XCI="));
    // Two parts of a hole are drawn apart.
    let hex = Computed {
        function: Function::Hex,
        ..computed(vec![(Made::Uuid, AS_IS), (Made::Uuid, AS_IS)])
    };
    let text = written(&Made::Computed(Box::new(hex)), 1, 1);
    assert!(text.len() == 144 && text[..72] != text[72..], "{text}");
}
