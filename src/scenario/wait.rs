//! Waits: parsed, shown, drawn.

use std::fmt;
use std::time::Duration;

use crate::load::random::below;
use crate::text::duration;
use crate::text::suggest::did_you_mean;

/// The wait between tasks, or a pause after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Drawn evenly, both ends included: `30s..60s`, or `2s` for both.
    Uniform {
        /// Shortest wait.
        min_ns: u64,
        /// Longest wait.
        max_ns: u64,
    },
    /// Drawn from an exponential distribution: `exponential 2s`.
    Exponential {
        /// Mean of the distribution.
        mean_ns: u64,
    },
    /// From the start of one iteration to the start of the next: `pacing 10s`. Only between tasks.
    Pacing {
        /// Time from start to start; an iteration that takes longer is followed at once.
        every_ns: u64,
    },
}

/// No wait.
impl Default for Wait {
    fn default() -> Self {
        Self::Uniform {
            min_ns: 0,
            max_ns: 0,
        }
    }
}

impl Wait {
    /// Parses `2s`, `30s..60s`, `exponential 2s` or `pacing 10s`; `0` is no wait.
    ///
    /// # Errors
    /// The reason, and what would be right.
    pub fn parse(text: &str) -> Result<Self, duration::NotADuration> {
        let ns = |duration: Duration| duration.as_nanos() as u64;
        let text = text.trim();
        if let Some(mean) = text.strip_prefix("exponential ") {
            let mean_ns = ns(duration::parse(mean)?);
            return Ok(Self::Exponential { mean_ns });
        }
        if let Some(every) = text.strip_prefix("pacing ") {
            let every_ns = ns(duration::parse(every)?);
            return Ok(Self::Pacing { every_ns });
        }
        if let Some((word, rest)) = text.split_once(' ')
            && word.starts_with(char::is_alphabetic)
        {
            let near = did_you_mean(word, ["exponential", "pacing"]);
            let example = match near.is_empty() {
                true => "; write for example \"2s\", \"1s..5s\" or \"exponential 2s\"",
                false => "",
            };
            let reason = format!("\"{word} {rest}\" is not a wait{near}{example}");
            return Err(duration::NotADuration::because(reason));
        }
        let (min, max) = duration::parse_range(text)?;
        Ok(Self::Uniform {
            min_ns: ns(min),
            max_ns: ns(max),
        })
    }

    /// The end of the wait, by a draw of 64 uniform bits. The iteration before it began at `since_ns` and was over at
    /// `done_ns`.
    pub fn ends_ns(self, draw: u64, since_ns: u64, done_ns: u64) -> u64 {
        match self {
            Self::Uniform { min_ns, max_ns } => {
                done_ns + min_ns + below(draw, (max_ns - min_ns).saturating_add(1))
            }
            Self::Exponential { mean_ns } => {
                // 53 even bits as a number from 0 to below 1.
                let even = (draw >> 11) as f64 / (1u64 << 53) as f64;
                done_ns + (-(1.0 - even).ln() * mean_ns as f64) as u64
            }
            Self::Pacing { every_ns } => (since_ns + every_ns).max(done_ns),
        }
    }

    /// The mean of the wait; for pacing the time from start to start.
    pub fn mean_ns(self) -> u64 {
        match self {
            Self::Uniform { min_ns, max_ns } => min_ns + (max_ns - min_ns) / 2,
            Self::Exponential { mean_ns } => mean_ns,
            Self::Pacing { every_ns } => every_ns,
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |ns: &u64| duration::show(Duration::from_nanos(*ns));
        match self {
            Self::Uniform { min_ns, max_ns } if min_ns == max_ns => f.write_str(&show(min_ns)),
            Self::Uniform { min_ns, max_ns } => write!(f, "{}..{}", show(min_ns), show(max_ns)),
            Self::Exponential { mean_ns } => write!(f, "exponential {}", show(mean_ns)),
            Self::Pacing { every_ns } => write!(f, "pacing {}", show(every_ns)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::random::{Keyed, Stream};

    const MS: u64 = 1_000_000;

    #[test]
    fn waits_are_read_and_shown() {
        for text in ["2s", "30s..1m", "exponential 500ms", "pacing 10s", "0s"] {
            let wait = Wait::parse(text).expect(text);
            assert_eq!(wait.to_string(), text);
        }
        assert_eq!(Wait::parse("0").expect("none"), Wait::default());
        for text in ["poisson 2s", "2s..1s", "pacing", "exponential -1s", ""] {
            assert!(Wait::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_even_wait_reaches_both_its_ends() {
        let wait = Wait::Uniform {
            min_ns: 5,
            max_ns: 7,
        };
        assert_eq!(
            (wait.ends_ns(0, 0, 10), wait.ends_ns(u64::MAX, 0, 10)),
            (15, 17)
        );
    }

    #[test]
    fn an_exponential_wait_has_its_mean_and_its_shape() {
        let wait = Wait::parse("exponential 100ms").expect("valid");
        let random = Keyed::new(3);
        let waits: Vec<u64> = (0..20_000)
            .map(|count| wait.ends_ns(random.draw(1, Stream::Wait, count), 0, 0))
            .collect();
        let mean = waits.iter().sum::<u64>() / waits.len() as u64;
        assert!((98 * MS..102 * MS).contains(&mean), "{mean}");
        // A share of 1 - 1/e lies below the mean.
        let below = waits.iter().filter(|&&ns| ns < 100 * MS).count();
        assert!((12_400..12_900).contains(&below), "{below}");
        assert!(wait.ends_ns(u64::MAX, 0, 0) < 4_000 * MS);
    }

    #[test]
    fn pacing_counts_from_start_to_start_and_never_into_the_past() {
        let wait = Wait::parse("pacing 10ms").expect("valid");
        assert_eq!(wait.ends_ns(9, 100 * MS, 103 * MS), 110 * MS);
        assert_eq!(wait.ends_ns(9, 100 * MS, 115 * MS), 115 * MS);
    }
}
