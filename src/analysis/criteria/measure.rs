//! What a rule measures in a window, the unit of its limit, and how a value is shown.

use crate::metrics::interval::StepInterval;
use crate::metrics::latencies::Latencies;

use super::REQUESTS_MIN;
use super::names::did_you_mean;

/// Measures as they are written; percentiles stand for all of theirs.
const MEASURES: [&str; 10] = [
    "avg", "p50", "p90", "p95", "p99", "p99.9", "max", "rps", "errors", "gave-up",
];
/// Units of time, with their length in microseconds.
const UNITS: [(&str, f64); 5] = [
    ("us", 1.0),
    ("ms", 1e3),
    ("s", 1e6),
    ("m", 60e6),
    ("h", 3_600e6),
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
    /// None when it is no measure; an error when it is one that cannot be.
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
                "\"{text}\" is no percentile: they go from above 0 to 100; write p95 or p99.9"
            )),
        })
    }

    /// Splits `workflow.p99.9` into the step, if any, and the measure. Both may contain points, but a measure follows
    /// only one.
    pub fn after_step(text: &str) -> Result<(Option<&str>, Self), String> {
        for (at, _) in text.rmatch_indices('.') {
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
                "\"{last}\" is no measure{near}; there are {known}, and any other percentile"
            ),
        })
    }

    /// The limit of a rule in this measure's unit, and as it is shown.
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
            (_, unit) => match UNITS.iter().find(|(name, _)| *name == unit) {
                Some((_, us)) => Ok((number * us, format!("{digits} {unit}"))),
                None => refuse("has an unknown unit"),
            },
        }
    }

    fn cure(self) -> &'static str {
        match self {
            Self::Failures | Self::GaveUp => "write 1% or 0.01",
            Self::PerSecond => "write 500 or 500/s",
            _ => "write 250ms or 2s",
        }
    }

    /// Its value over what has ended, so many of it within the load; none when that is too little to judge.
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

    /// Its value over so many times or more.
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

    /// A value of ended requests is a lower bound, since ages count in it of requests that got no answer.
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
            Self::Failures | Self::GaveUp => format!("{} %", three_digits(value * 100.0)),
            Self::PerSecond => format!("{}/s", three_digits(value)),
            _ if value < 999.5 => format!("{value:.0} us"),
            _ if value < 999_500.0 => format!("{} ms", three_digits(value / 1e3)),
            _ => format!("{} s", three_digits(value / 1e6)),
        }
    }
}

/// Digits with at most one point among them.
fn number(text: &str) -> Option<f64> {
    let is_plain = |c: char| c.is_ascii_digit() || c == '.';
    let has_ends = text.starts_with(|c: char| c.is_ascii_digit()) && !text.ends_with('.');
    let number = text
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())?;
    (has_ends && text.chars().all(is_plain)).then_some(number)
}

fn three_digits(number: f64) -> String {
    match number {
        n if n >= 99.95 => format!("{n:.0}"),
        n if n >= 9.995 => format!("{n:.1}"),
        n => format!("{n:.2}"),
    }
}
