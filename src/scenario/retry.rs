//! Retries: which failures of a step are sent again, and when.
//!
//! Every attempt is a request of its own, with its own outcome and times: a failed attempt counts as a failure.

use std::fmt;
use std::time::Duration;

use crate::http::cookie_date::parse_date;
use crate::http::response::field;
use crate::load::random::below;
use crate::metrics::outcome::Failure;
use crate::text::duration;

use super::counter::Counter;
use super::expect::StatusSet;

/// Longest wait that an answer may ask for with `Retry-After`; after a longer one the step has failed.
pub const RETRY_AFTER_NS_MAX: u64 = 600 * SECOND_NS;
const SECOND_NS: u64 = 1_000_000_000;
/// The bound on a backoff before it is reached by doubling.
const DOUBLINGS_MAX: u32 = 40;

/// How failures of a step are sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The place of the count of retries.
    pub counter: Counter,
    /// Most retries: there is one attempt more than these.
    pub times_max: u32,
    /// Statuses that are sent again.
    pub statuses: StatusSet,
    /// Other failures that are sent again.
    pub failures: Vec<Failure>,
    /// The longest wait before the first retry; it doubles with each.
    pub backoff_ns: u64,
    /// The longest wait before any retry.
    pub backoff_ns_max: u64,
}

impl Retry {
    /// How long the answer to a failed attempt asks to wait, in ns; 0 when it asks for nothing, `None` when the failure
    /// is not sent again. `wall_ns` is the time since 1970.
    pub fn after_ns(
        &self,
        failure: Failure,
        status: u16,
        head: &[u8],
        wall_ns: u64,
    ) -> Option<u64> {
        let is_named = match failure {
            Failure::Status => self.statuses.contains(status),
            failure => self.failures.contains(&failure),
        };
        let asked_ns = || retry_after_ns(head, wall_ns).unwrap_or(0);
        is_named
            .then(asked_ns)
            .filter(|ns| *ns <= RETRY_AFTER_NS_MAX)
    }

    /// The user arrives at the step, or the step was answered: no retry has been counted.
    pub fn begin(&self, values: &mut [u8]) {
        self.counter.set(values, 0);
    }

    /// The present attempt is a retry.
    pub fn is_under_way(&self, values: &[u8]) -> bool {
        self.counter.get(values) > 0
    }

    /// The wait before the next attempt in ns, by a draw of 64 uniform bits; `None` when all retries are used up. The
    /// answer asked for `asked_ns`.
    pub fn next_ns(&self, asked_ns: u64, draw: u64, values: &mut [u8]) -> Option<u64> {
        let count = self.counter.get(values);
        if count >= self.times_max {
            return None;
        }
        self.counter.set(values, count + 1);
        let doubled = self.backoff_ns
            << count
                .min(DOUBLINGS_MAX)
                .min(self.backoff_ns.leading_zeros());
        let longest_ns = doubled.min(self.backoff_ns_max);
        // Between half of it and the whole: those who failed together do not come back together.
        let half_ns = longest_ns / 2;
        let backoff_ns = half_ns + below(draw, longest_ns - half_ns + 1);
        Some(backoff_ns.max(asked_ns))
    }
}

/// `Retry-After` (RFC 9110 section 10.2.3) as a wait in ns: seconds, or a date.
fn retry_after_ns(head: &[u8], wall_ns: u64) -> Option<u64> {
    let value = field(head, "Retry-After")?;
    let text = value.trim_ascii();
    if text.iter().all(u8::is_ascii_digit) {
        let seconds = std::str::from_utf8(text).ok()?.parse::<u64>();
        return (!text.is_empty()).then(|| seconds.unwrap_or(u64::MAX).saturating_mul(SECOND_NS));
    }
    let at_s = u64::try_from(parse_date(text)?).unwrap_or(0);
    Some(at_s.saturating_mul(SECOND_NS).saturating_sub(wall_ns))
}

/// `up to 3 more times after status 503 or timeout, 200ms to 10s apart`.
impl fmt::Display for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = (!self.statuses.is_empty()).then(|| format!("status {}", self.statuses));
        let names = self
            .failures
            .iter()
            .map(|failure| failure.name().to_owned());
        let all: Vec<String> = status.into_iter().chain(names).collect();
        let show = |ns| duration::show(Duration::from_nanos(ns));
        let times = match self.times_max {
            1 => "once more".to_owned(),
            times => format!("up to {times} more times"),
        };
        write!(
            f,
            "{times} after {}, up to {} later, doubling up to {}",
            all.join(" or "),
            show(self.backoff_ns),
            show(self.backoff_ns_max)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry(times_max: u32) -> Retry {
        Retry {
            counter: Counter { offset: 0 },
            times_max,
            statuses: [429, 503].into_iter().collect(),
            failures: vec![Failure::Timeout],
            backoff_ns: 100,
            backoff_ns_max: 1_000,
        }
    }

    #[test]
    fn the_backoff_doubles_up_to_its_bound_and_is_drawn_from_its_upper_half() {
        let retry = retry(7);
        for (draw, expected) in [
            (0, [50, 100, 200, 400, 500, 500, 500]),
            (u64::MAX, [100, 200, 400, 800, 1_000, 1_000, 1_000]),
        ] {
            let mut values = vec![0; Counter::BYTES];
            assert!(!retry.is_under_way(&values));
            let waits: Vec<u64> =
                std::iter::from_fn(|| retry.next_ns(0, draw, &mut values)).collect();
            assert_eq!(waits, expected);
            assert!(retry.is_under_way(&values));
            retry.begin(&mut values);
            assert_eq!(retry.next_ns(5_000, draw, &mut values), Some(5_000));
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_only_named_failures_are_sent_again() {
        let check = |value: &str, expected: Option<u64>| {
            let head = format!("HTTP/1.1 503 X\r\nRetry-After: {value}\r\n\r\n");
            // Sun, 06 Nov 1994 08:49:37 GMT is 784111777 s.
            let after = retry(1).after_ns(
                Failure::Status,
                503,
                head.as_bytes(),
                784_111_770 * SECOND_NS,
            );
            assert_eq!(after, expected, "{value}");
        };
        check("0", Some(0));
        check("12", Some(12 * SECOND_NS));
        check("600", Some(600 * SECOND_NS));
        check("601", None);
        check("99999999999999999999999", None);
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(7 * SECOND_NS));
        check("Sunday, 06-Nov-94 08:49:37 GMT", Some(7 * SECOND_NS));
        check("Sun Nov  6 08:49:37 1994", Some(7 * SECOND_NS));
        check("Sun, 06 Nov 1994 08:49:30 GMT", Some(0));
        check("soon", Some(0));
        check("-5", Some(0));
        let of = |failure, status| retry(1).after_ns(failure, status, b"", 0);
        assert_eq!(of(Failure::Status, 500), None);
        assert_eq!(of(Failure::Timeout, 0), Some(0));
        assert_eq!(of(Failure::Incomplete, 0), None);
    }
}
