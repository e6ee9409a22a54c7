//! Faults on purpose: what each does to an answer, and which requests meet one, drawn from a seed by their number.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A fault of an answer. A request meets one at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Reset before any byte.
    ResetBeforeHead,
    /// Reset in the middle of the head.
    ResetInHead,
    /// Reset in the middle of the body.
    ResetInBody,
    /// FIN before any byte.
    CloseBeforeHead,
    /// FIN in the middle of the head.
    CloseInHead,
    /// FIN in the middle of the body.
    CloseInBody,
    /// FIN after an answer that promised to keep the connection.
    CloseIdle,
    /// No answer to this and all later requests on the connection.
    NoAnswer,
    /// Bytes that are not HTTP, then FIN.
    Garbage,
    /// Bytes that are not HTTP, directly after the answer.
    ExtraBytes,
    /// Status 500; the request has no effect.
    Status500,
    /// One byte at a time, with a millisecond between them.
    SlowByte,
    /// The answer is held back for [`FaultPlan::delay`].
    Delay,
}

impl Fault {
    /// All faults, in order.
    pub const ALL: [Self; 13] = [
        Self::ResetBeforeHead,
        Self::ResetInHead,
        Self::ResetInBody,
        Self::CloseBeforeHead,
        Self::CloseInHead,
        Self::CloseInBody,
        Self::CloseIdle,
        Self::NoAnswer,
        Self::Garbage,
        Self::ExtraBytes,
        Self::Status500,
        Self::SlowByte,
        Self::Delay,
    ];

    /// The name that it is requested and counted by.
    pub fn name(self) -> &'static str {
        match self {
            Self::ResetBeforeHead => "reset-before-head",
            Self::ResetInHead => "reset-in-head",
            Self::ResetInBody => "reset-in-body",
            Self::CloseBeforeHead => "close-before-head",
            Self::CloseInHead => "close-in-head",
            Self::CloseInBody => "close-in-body",
            Self::CloseIdle => "close-idle",
            Self::NoAnswer => "no-answer",
            Self::Garbage => "garbage",
            Self::ExtraBytes => "extra-bytes",
            Self::Status500 => "status-500",
            Self::SlowByte => "slow-byte",
            Self::Delay => "delay",
        }
    }
}

/// A state that recurs: it lasts for the last part of every period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recurring {
    /// Duration of the state; less than `every`.
    pub lasts: Duration,
    /// Duration of a period.
    pub every: Duration,
}

impl Recurring {
    /// Begin and end of the state that contains the moment, otherwise of the next one.
    pub(super) fn at_or_after(self, start: Instant, moment: Instant) -> (Instant, Instant) {
        let since = moment.saturating_duration_since(start).as_nanos();
        let periods = since / self.every.as_nanos() + 1;
        let end_ns = periods * self.every.as_nanos();
        let end = start + Duration::from_nanos(u64::try_from(end_ns).unwrap_or(u64::MAX));
        (end - self.lasts, end)
    }
}

/// Which faults happen, and how often.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FaultPlan {
    /// The same seed gives the same faults to the same numbers of requests.
    pub seed: u64,
    /// Each fault's share of the requests, from 0 to 1; together at most 1.
    pub shares: Vec<(Fault, f64)>,
    /// How long [`Fault::Delay`] holds an answer back.
    pub delay: Duration,
    /// When nothing is answered; answers are held back until the end of the stall.
    pub stall: Option<Recurring>,
    /// When connections are refused.
    pub refuse: Option<Recurring>,
}

impl FaultPlan {
    /// Whether it has no faults.
    pub fn is_empty(&self) -> bool {
        self.shares.is_empty() && self.stall.is_none() && self.refuse.is_none()
    }
}

/// A plan under way, shared by the threads.
pub(super) struct Faults {
    pub plan: FaultPlan,
    pub start: Instant,
    requests: AtomicU64,
    /// Whether a thread has taken on the refusals.
    refusals_taken: AtomicBool,
}

impl Faults {
    pub fn new(plan: &FaultPlan) -> Self {
        Self {
            plan: plan.clone(),
            start: Instant::now(),
            requests: AtomicU64::new(0),
            refusals_taken: AtomicBool::new(false),
        }
    }

    /// The fault of the next request.
    pub fn draw(&self) -> Option<Fault> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let mut left = share_of(mixed(self.plan.seed ^ mixed(number)));
        for (fault, share) in &self.plan.shares {
            if left < *share {
                return Some(*fault);
            }
            left -= share;
        }
        None
    }

    /// The end of the stall that contains the moment.
    pub fn stalled_until(&self, moment: Instant) -> Option<Instant> {
        let (begin, end) = self.plan.stall?.at_or_after(self.start, moment);
        (begin <= moment).then_some(end)
    }

    /// When connections are refused. Only the first thread that asks gets an answer: it refuses for all.
    pub fn take_refusals(&self) -> Option<Recurring> {
        let refuse = self.plan.refuse?;
        let is_first = !self.refusals_taken.swap(true, Ordering::Relaxed);
        is_first.then_some(refuse)
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every bit of the input affects every bit of the output.
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A number from 0 to below 1.
fn share_of(random: u64) -> f64 {
    (random >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_gets_its_share_and_a_seed_always_draws_the_same_faults() {
        let plan = FaultPlan {
            seed: 7,
            shares: vec![(Fault::Garbage, 0.01), (Fault::Delay, 0.2)],
            ..FaultPlan::default()
        };
        let draw = |plan: &FaultPlan| {
            let faults = Faults::new(plan);
            (0..100_000).map(|_| faults.draw()).collect::<Vec<_>>()
        };
        let drawn = draw(&plan);
        let count = |wanted| drawn.iter().filter(|fault| **fault == wanted).count();
        // Within four standard deviations of the binomial distribution.
        assert!(count(Some(Fault::Garbage)).abs_diff(1_000) < 126);
        assert!(count(Some(Fault::Delay)).abs_diff(20_000) < 506);
        assert_eq!(drawn, draw(&plan));
        assert_ne!(drawn, draw(&FaultPlan { seed: 8, ..plan }));
    }

    #[test]
    fn a_stall_takes_the_last_part_of_every_period() {
        let s = Duration::from_secs;
        let faults = Faults::new(&FaultPlan {
            stall: Some(Recurring {
                lasts: s(2),
                every: s(10),
            }),
            ..FaultPlan::default()
        });
        let check = |at, expected: Option<u64>| {
            let until = faults.stalled_until(faults.start + s(at));
            assert_eq!(until, expected.map(|end| faults.start + s(end)), "{at}");
        };
        check(0, None);
        check(7, None);
        check(8, Some(10));
        check(9, Some(10));
        check(10, None);
        check(19, Some(20));
    }
}
