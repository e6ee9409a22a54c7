//! Durations as people type them, and back.

use std::time::Duration;

use super::suggest::nearest;

/// Units and their lengths in nanoseconds.
const UNITS: [(&str, f64); 6] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3_600e9),
];
/// Longest duration accepted.
const DAYS_MAX: f64 = 365.0;

/// Why a text is not a duration, with what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotADuration(String);

impl std::fmt::Display for NotADuration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotADuration {}

impl NotADuration {
    /// `reason` is the whole message.
    pub fn because(reason: String) -> Self {
        Self(reason)
    }
}

/// `30s`, `18m`, `1h30m`, `1.5s`, `250ms`, `0`; a bare number is seconds, as with Locust's `-t`.
///
/// # Errors
/// With the offending part and what would do instead.
pub fn parse(text: &str) -> Result<Duration, NotADuration> {
    let text = text.trim();
    let refuse = |why: String| Err(NotADuration(format!("\"{text}\" is not a duration: {why}")));
    if text.is_empty() {
        return refuse("it is empty; write for example 30s".into());
    }
    if let Some((from, to)) = range_with_another_sign(text) {
        return refuse(format!(
            "a range, where one is allowed, is written {from}..{to}"
        ));
    }
    let mut rest = text;
    let mut sum_ns = 0.0;
    while !rest.is_empty() {
        let digits_end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (digits, after) = rest.split_at(digits_end);
        let unit_end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let unit = unit.trim();
        let Ok(number) = digits.parse::<f64>() else {
            return refuse(match digits {
                "" if rest.starts_with('-') => "it is negative".into(),
                "" => format!("a number is missing before \"{unit}\"; write for example 30s"),
                _ => format!("\"{digits}\" is not a number"),
            });
        };
        let unit_ns = match unit {
            "" if rest == text => 1e9,
            "" => {
                return refuse(format!(
                    "the unit after {digits} is missing: h, m, s, ms, us"
                ));
            }
            _ => match unit_ns(unit) {
                Some(ns) => ns,
                None => {
                    let near = nearest_unit(unit);
                    return refuse(format!("no unit \"{unit}\"; did you mean {digits}{near}?"));
                }
            },
        };
        sum_ns += number * unit_ns;
        rest = after;
    }
    if sum_ns > DAYS_MAX * 86_400e9 {
        return refuse("it is longer than a year".into());
    }
    Ok(Duration::from_nanos(sum_ns.round() as u64))
}

/// The ends of `1-3s`, `1s-3s`, `1s to 3s` or `1s,3s`, each with its unit.
fn range_with_another_sign(text: &str) -> Option<(String, &str)> {
    let signs = ["-", " to ", ",", "\u{2013}", "~"];
    let (from, to) = signs.iter().find_map(|sign| text.split_once(sign))?;
    let (from, to) = (from.trim(), to.trim());
    let begins = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    let is_plain = from.ends_with(|c: char| c.is_ascii_digit());
    let unit = to.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let unit = if is_plain { unit } else { "" };
    (begins(from) && begins(to)).then(|| (format!("{from}{unit}"), to))
}

/// The length of a unit in nanoseconds: `ns`, `us`, `ms`, `s`, `m` or `h`.
pub fn unit_ns(name: &str) -> Option<f64> {
    let unit = UNITS.iter().find(|(known, _)| *known == name);
    unit.map(|(_, ns)| *ns)
}

/// A range such as `30s..60s`; one duration alone is both ends.
///
/// # Errors
/// As [`parse`], and when the end lies before the start.
pub fn parse_range(text: &str) -> Result<(Duration, Duration), NotADuration> {
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    let (from, to) = (parse(from)?, parse(to)?);
    if from > to {
        let text = format!("\"{text}\" is not a range: it ends before it begins");
        return Err(NotADuration(text));
    }
    Ok((from, to))
}

/// The shortest text that [`parse`] reads back as the same duration.
pub fn show(duration: Duration) -> String {
    let mut rest_ns = duration.as_nanos() as u64;
    if rest_ns == 0 {
        return "0s".into();
    }
    let mut text = String::new();
    for (unit, unit_ns) in [("h", 3_600_000_000_000), ("m", 60_000_000_000)] {
        if rest_ns >= unit_ns {
            text += &format!("{}{unit}", rest_ns / unit_ns);
            rest_ns %= unit_ns;
        }
    }
    let (unit, unit_ns) = match rest_ns {
        0 => return text,
        1_000_000_000.. => ("s", 1e9),
        1_000_000.. => ("ms", 1e6),
        1_000.. => ("us", 1e3),
        _ => ("ns", 1.0),
    };
    text + &format!("{}{unit}", rest_ns as f64 / unit_ns)
}

fn nearest_unit(unit: &str) -> &'static str {
    let by_name = [
        ("sec", "s"),
        ("min", "m"),
        ("hour", "h"),
        ("mil", "ms"),
        ("mic", "us"),
    ];
    let lower = unit.to_lowercase();
    if let Some((_, near)) = by_name.iter().find(|(begin, _)| lower.starts_with(begin)) {
        return near;
    }
    nearest(&lower, UNITS.map(|(name, _)| name)).map_or("s", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<u64, &str>) {
        match (parse(text), expected) {
            (Ok(found), Ok(ns)) => {
                assert_eq!(found.as_nanos() as u64, ns, "{text}");
                assert_eq!(parse(&show(found)), Ok(found), "{text}");
            }
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (found, _) => panic!("{text}: {found:?}"),
        }
    }

    #[test]
    fn durations_are_read_and_shown() {
        check("30s", Ok(30_000_000_000));
        check("18m", Ok(1_080_000_000_000));
        check("1h30m", Ok(5_400_000_000_000));
        check("1.5s", Ok(1_500_000_000));
        check("250ms", Ok(250_000_000));
        check("10us", Ok(10_000));
        check("7", Ok(7_000_000_000));
        check("0", Ok(0));
        check("1m0.5s", Ok(60_500_000_000));
    }

    #[test]
    fn text_that_is_not_a_duration_is_refused_with_a_remedy() {
        check("", Err("write for example 30s"));
        check("-5s", Err("negative"));
        check("5 parsecs", Err("no unit"));
        check("5sec", Err("did you mean 5s?"));
        check("10minutes", Err("did you mean 10m?"));
        check("1h30", Err("unit after 30 is missing"));
        check("s", Err("a number is missing"));
        check("1.2.3s", Err("\"1.2.3\" is not a number"));
        check("9999999h", Err("longer than a year"));
    }

    #[test]
    fn ranges_have_two_ends_in_order() {
        let seconds = Duration::from_secs;
        assert_eq!(parse_range("30s..60s"), Ok((seconds(30), seconds(60))));
        assert_eq!(parse_range("2s"), Ok((seconds(2), seconds(2))));
        assert!(parse_range("2s..1s").is_err());
    }
}
