//! Numbers as people read them: grouped, with a unit, to three digits.

/// A whole number, its digits in groups of three: `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of at least 0 to three significant digits, more before the point where needed, grouped: `0.123`, `1.23`,
/// `12.3`, `1,234`.
pub fn three_digits(number: f64) -> String {
    match number {
        n if n >= 99.95 => grouped(number.round() as u64),
        n if n >= 9.995 => format!("{number:.1}"),
        n if n >= 0.9995 => format!("{number:.2}"),
        _ => format!("{number:.3}"),
    }
}

/// A level of a search: users, or iterations per second. Whole levels have no point.
pub fn level(level: f64) -> String {
    match level.fract() == 0.0 {
        true => three_digits(level.round())
            .replace(".00", "")
            .replace(".0", ""),
        false => three_digits(level),
    }
}

/// Events per second: `12.5/s`, `1,234/s`.
pub fn rate(per_second: f64) -> String {
    format!("{}/s", three_digits(per_second))
}

/// A share from 0 to 1, to three digits and without trailing zeros: `5 %`, `33.3 %`, `0.12 %`.
pub fn percent(share: f64) -> String {
    let digits = three_digits(share * 100.0);
    let digits = match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.'),
        false => &digits,
    };
    format!("{digits} %")
}

/// A measured time, given in microseconds, in the unit that suits it: `412 us`, `1.23 ms`, `2.00 s`.
pub fn time(us: f64) -> String {
    match us {
        n if n < 999.5 => format!("{} us", us.round()),
        n if n < 999_500.0 => format!("{} ms", three_digits(us / 1e3)),
        _ => format!("{} s", three_digits(us / 1e6)),
    }
}

/// A moment of a run, in seconds since its start: `12.3 s`.
pub fn moment(s: f64) -> String {
    format!("{s:.1} s")
}

/// How long ago something was, given in seconds: `just now`, `40 minutes ago`, `3 days ago`.
pub fn ago(s: f64) -> String {
    let (count, noun) = match s {
        s if s < 60.0 => return "just now".into(),
        s if s < 7_200.0 => (s / 60.0, "minute"),
        s if s < 172_800.0 => (s / 3_600.0, "hour"),
        s => (s / 86_400.0, "day"),
    };
    format!("{} ago", counted(count as u64, noun))
}

/// A size in the unit that suits it: `512 B`, `1.23 MB` (powers of ten).
pub fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{} kB", three_digits(count as f64 / 1e3)),
        1_000_000..1_000_000_000 => format!("{} MB", three_digits(count as f64 / 1e6)),
        _ => format!("{} GB", three_digits(count as f64 / 1e9)),
    }
}

/// A count with its noun: `1 user`, `2,000 users`.
pub fn counted(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{} {noun}s", grouped(count)),
    }
}

/// A number of users, or a range of it: `20 users`, `20 to 200 users`.
pub fn range(from: u64, to: u64) -> String {
    match from == to {
        true => counted(to, "user"),
        false => format!("{} to {}", grouped(from), counted(to, "user")),
    }
}

/// A text of at most `width` characters: a longer one loses its middle.
pub fn shortened(text: &str, width: usize) -> String {
    let count = text.chars().count();
    if count <= width {
        return text.to_owned();
    }
    let tail = width / 2;
    let head: String = text.chars().take(width - tail - 1).collect();
    let tail: String = text.chars().skip(count - tail).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_cut_to_three_digits() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(999), "999");
        assert_eq!(three_digits(12_345.6), "12,346");
        assert_eq!(three_digits(99.96), "100");
        assert_eq!(three_digits(9.996), "10.0");
        assert_eq!(three_digits(0.1234), "0.123");
        assert_eq!(rate(1_234.4), "1,234/s");
    }

    #[test]
    fn shares_have_no_more_digits_than_they_need() {
        for (share, expected) in [
            (0.0, "0 %"),
            (0.05, "5 %"),
            (0.001_23, "0.123 %"),
            (1.0 / 3.0, "33.3 %"),
            (0.9, "90 %"),
            (1.0, "100 %"),
            (20.0, "2,000 %"),
        ] {
            assert_eq!(percent(share), expected);
        }
    }

    #[test]
    fn times_and_sizes_choose_their_unit() {
        assert_eq!(time(412.4), "412 us");
        assert_eq!(time(999.6), "1.00 ms");
        assert_eq!(time(1_234_567.0), "1.23 s");
        assert_eq!(moment(4.04), "4.0 s");
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(1_234_567), "1.23 MB");
    }

    #[test]
    fn an_age_is_told_in_the_unit_that_suits_it() {
        for (s, expected) in [
            (0.0, "just now"),
            (61.0, "1 minute ago"),
            (7_199.0, "119 minutes ago"),
            (7_200.0, "2 hours ago"),
            (260_000.0, "3 days ago"),
        ] {
            assert_eq!(ago(s), expected);
        }
    }

    #[test]
    fn counts_have_their_nouns_in_the_right_number() {
        assert_eq!(counted(1, "user"), "1 user");
        assert_eq!(counted(0, "user"), "0 users");
        assert_eq!(range(10, 1_000), "10 to 1,000 users");
        assert_eq!(range(100, 100), "100 users");
        assert_eq!(range(1, 1), "1 user");
    }

    #[test]
    fn long_names_lose_their_middle() {
        assert_eq!(
            shortened("/v1/opscore/agent/[id]/state", 12),
            "/v1/o…/state"
        );
    }
}
