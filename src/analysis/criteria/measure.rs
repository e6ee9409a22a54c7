//! The measure of a rule: its value over requests, the unit of its limit, and how a value is shown.

use crate::metrics::interval::StepInterval;
use crate::metrics::latencies::Latencies;
use crate::text::duration::unit_ns;
use crate::text::suggest::did_you_mean;
use crate::text::units::{percent, rate, time};

use super::names::is_group;

/// Fewer requests than this break no rule on times or failures: one slow answer or one failure of nine would be 11 %
/// of them, which says nothing about the server.
pub const REQUESTS_MIN: u64 = 10;

/// Measures as they are written; the percentiles are examples of any.
pub const MEASURES: [&str; 10] = [
    "avg", "p50", "p90", "p95", "p99", "p99.9", "max", "rps", "errors", "gave-up",
];

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Measure {
    Average,
    Percentile(f64),
    Max,
    PerSecond,
    /// Failures over requests.
    Failures,
    /// Polls that gave up over polls that ended.
    GaveUp,
}

impl Measure {
    /// `None` when the text is not a measure; an error when it is a percentile out of range.
    fn parse(text: &str) -> Option<Result<Self, String>> {
        match text {
            "avg" => return Some(Ok(Self::Average)),
            "max" => return Some(Ok(Self::Max)),
            "rps" => return Some(Ok(Self::PerSecond)),
            "errors" => return Some(Ok(Self::Failures)),
            "gave-up" => return Some(Ok(Self::GaveUp)),
            _ => {}
        }
        let percent = number(text.strip_prefix('p')?)?;
        Some(match percent > 0.0 && percent <= 100.0 {
            true => Ok(Self::Percentile(percent)),
            false => Err(format!(
                "\"{text}\" is not a percentile: they go from above 0 to 100; write p95 or p99.9"
            )),
        })
    }

    /// Splits `workflow.p99.9` into the step, if any, and the measure. Both may contain points, but a measure follows
    /// only one. After a task or a kind, `task:order p99`, a space does as well.
    pub fn after_step(text: &str) -> Result<(Option<&str>, Self), String> {
        let separators: &[char] = match is_group(text) {
            true => &['.', ' '],
            false => &['.'],
        };
        for (at, _) in text.rmatch_indices(separators) {
            if let Some(measure) = Self::parse(text[at + 1..].trim_start()) {
                let step = text[..at].trim_end();
                return match step {
                    "" => Err(format!(
                        "a step is missing before \"{text}\"; write {} for all requests, *{text} for any single step",
                        &text[1..]
                    )),
                    _ => Ok((Some(step), measure?)),
                };
            }
        }
        if let Some(measure) = Self::parse(text) {
            return Ok((None, measure?));
        }
        let last = text.rsplit('.').next().unwrap_or_default().trim();
        let near = did_you_mean(last, MEASURES);
        let known = MEASURES.join(" ");
        Err(match last {
            "" => format!("a measure is missing before the comparison; there are {known}"),
            _ => format!(
                "\"{last}\" is not a measure{near}; there are {known}, and any other percentile"
            ),
        })
    }

    /// Parses the limit of a rule: its value in this measure's unit, and its text for people.
    pub fn limit(self, text: &str) -> Result<(f64, String), String> {
        let digits_end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (digits, unit) = text.split_at(digits_end);
        let unit = unit.trim();
        let (name, cure) = (self.name(), self.cure());
        let refuse = |why: &str| Err(format!("the value \"{text}\" of {name} {why}; {cure}"));
        let Some(number) = number(digits) else {
            return refuse(match text.chars().next() {
                None => "is missing",
                Some('-') => "is negative",
                Some(_) => "is not a number",
            });
        };
        match (self, unit) {
            (Self::Failures | Self::GaveUp, "") if number < 1.0 => {
                // Rounded, since 0.07 × 100 is 7.000000000000001.
                let percent = (number * 1e8).round() / 1e6;
                Ok((number, format!("{percent} %")))
            }
            (Self::Failures | Self::GaveUp, "") => refuse("is not a share below 1"),
            (Self::Failures | Self::GaveUp, "%") if number <= 100.0 => {
                Ok((number / 100.0, format!("{digits} %")))
            }
            (Self::Failures | Self::GaveUp, "%") => refuse("is more than all of them"),
            (Self::PerSecond, "" | "/s") => Ok((number, format!("{digits}/s"))),
            (Self::Failures | Self::GaveUp | Self::PerSecond, _) => refuse("has the wrong unit"),
            (_, "") => refuse("has no unit"),
            (_, unit) => match unit_ns(unit) {
                Some(ns) => Ok((number * ns / 1e3, format!("{digits} {unit}"))),
                None => refuse("has an unknown unit"),
            },
        }
    }

    /// What to write instead of a wrong limit.
    fn cure(self) -> &'static str {
        match self {
            Self::Failures | Self::GaveUp => "write 1% or 0.01",
            Self::PerSecond => "write 500 or 500/s",
            _ => "write 250ms or 2s",
        }
    }

    /// The value over requests that ended, `in_load` of them within the load; `None` when they are too few to judge.
    pub fn of_ended(self, step: &StepInterval, in_load: u64, length_ns: u64) -> Option<f64> {
        let share = |part: u64, all: u64| (all >= REQUESTS_MIN).then(|| part as f64 / all as f64);
        match self {
            Self::PerSecond => {
                let seconds = length_ns as f64 / 1e9;
                (seconds > 0.0).then(|| in_load as f64 / seconds)
            }
            Self::Failures => share(step.failures, step.requests),
            Self::GaveUp => share(step.polls_gave_up, step.polls_gave_up + step.polls_ready),
            _ => self.of_times(&step.response, REQUESTS_MIN),
        }
    }

    /// The value over times; `None` when they are fewer than `count_min`, or when it is not a measure of times.
    pub fn of_times(self, times: &Latencies, count_min: u64) -> Option<f64> {
        if times.count() < count_min {
            return None;
        }
        match self {
            Self::Average => Some(times.mean_us()),
            Self::Percentile(percent) => Some(times.percentile_us(percent)),
            Self::Max => Some(times.max_us()),
            Self::PerSecond | Self::Failures | Self::GaveUp => None,
        }
    }

    /// Whether a value over ended requests is only a lower bound, because ages of requests without an answer count in it.
    pub fn is_bound(self, value: f64, step: &StepInterval) -> bool {
        step.bound_min_ns.is_some_and(|ns| match self {
            Self::Average => true,
            // Percentiles have three digits.
            Self::Percentile(_) | Self::Max => value >= ns as f64 / 1e3 * 0.999,
            Self::PerSecond | Self::Failures | Self::GaveUp => false,
        })
    }

    pub fn is_time(self) -> bool {
        matches!(self, Self::Average | Self::Percentile(_) | Self::Max)
    }

    pub fn name(self) -> String {
        match self {
            Self::Average => "avg".into(),
            Self::Percentile(percent) => format!("p{percent}"),
            Self::Max => "max".into(),
            Self::PerSecond => "rps".into(),
            Self::Failures => "errors".into(),
            Self::GaveUp => "gave-up".into(),
        }
    }

    pub fn show(self, value: f64) -> String {
        match self {
            Self::Failures | Self::GaveUp => percent(value),
            Self::PerSecond => rate(value),
            Self::Average | Self::Percentile(_) | Self::Max => time(value),
        }
    }
}

/// Parses digits with at most one point among them.
fn number(text: &str) -> Option<f64> {
    let is_plain = |c: char| c.is_ascii_digit() || c == '.';
    let has_ends = text.starts_with(|c: char| c.is_ascii_digit()) && !text.ends_with('.');
    let number = text
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())?;
    (has_ends && text.chars().all(is_plain)).then_some(number)
}
