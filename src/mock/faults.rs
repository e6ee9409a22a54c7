//! Misbehaviour on purpose, drawn by number from a seed: what a fault does to an answer, and to which ones it is done.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What can be done to an answer. A request meets one of them at most.
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
    /// Nothing, ever, on this connection.
    NoAnswer,
    /// Bytes that are no HTTP, then FIN.
    Garbage,
    /// Such bytes right behind the answer.
    ExtraBytes,
    /// Status 500, and nothing done.
    Status500,
    /// One byte at a time, a millisecond apart.
    SlowByte,
    /// The answer is held back for a time.
    Delay,
}

impl Fault {
    /// All of them.
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

    /// As it is asked for and counted.
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

/// A state that lasts for the last part of every period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spell {
    /// How long it lasts each time; less than `every`.
    pub lasts: Duration,
    /// From one end to the next.
    pub every: Duration,
}

impl Spell {
    /// When the spell began and ends that a moment lies in, or else the next one.
    pub(super) fn at_or_after(self, start: Instant, moment: Instant) -> (Instant, Instant) {
        let since = moment.saturating_duration_since(start).as_nanos();
        let periods = since / self.every.as_nanos() + 1;
        let end_ns = periods * self.every.as_nanos();
        let end = start + Duration::from_nanos(u64::try_from(end_ns).unwrap_or(u64::MAX));
        (end - self.lasts, end)
    }
}

/// Which faults, and how often.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FaultPlan {
    /// The same seed gives the same faults to the same numbers of requests.
    pub seed: u64,
    /// Each fault's share of the requests, from 0 to 1; together at most 1.
    pub shares: Vec<(Fault, f64)>,
    /// How long [`Fault::Delay`] holds an answer back.
    pub delay: Duration,
    /// Nothing is answered; what came meanwhile is answered at the end.
    pub stall: Option<Spell>,
    /// Nobody listens.
    pub refuse: Option<Spell>,
}

impl FaultPlan {
    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.shares.is_empty() && self.stall.is_none() && self.refuse.is_none()
    }
}

/// The plan under way, shared by the threads.
pub(super) struct Faults {
    pub plan: FaultPlan,
    pub start: Instant,
    requests: AtomicU64,
    refusals_have_an_owner: AtomicBool,
}

impl Faults {
    pub fn new(plan: &FaultPlan) -> Self {
        Self {
            plan: plan.clone(),
            start: Instant::now(),
            requests: AtomicU64::new(0),
            refusals_have_an_owner: AtomicBool::new(false),
        }
    }

    /// The next request's fault.
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

    /// When a stall ends that this moment lies in.
    pub fn stalled_until(&self, moment: Instant) -> Option<Instant> {
        let (begin, end) = self.plan.stall?.at_or_after(self.start, moment);
        (begin <= moment).then_some(end)
    }

    /// When nobody is to listen, for the one thread that sees to it for all: the first that asks.
    pub fn refusals(&self) -> Option<Spell> {
        let refuse = self.plan.refuse?;
        let is_first = !self.refusals_have_an_owner.swap(true, Ordering::Relaxed);
        is_first.then_some(refuse)
    }
}

/// The finaliser of splitmix64 (Steele et al., 2014): every bit of the input moves every bit of the output.
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// From 0, included, to 1, excluded.
fn share_of(random: u64) -> f64 {
    (random >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_gets_its_share_and_the_same_seed_the_same_numbers() {
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
        // Four standard deviations of a binomial.
        assert!(count(Some(Fault::Garbage)).abs_diff(1_000) < 126);
        assert!(count(Some(Fault::Delay)).abs_diff(20_000) < 506);
        assert_eq!(drawn, draw(&plan));
        assert_ne!(drawn, draw(&FaultPlan { seed: 8, ..plan }));
    }

    #[test]
    fn a_stall_takes_the_last_part_of_every_period() {
        let s = Duration::from_secs;
        let faults = Faults::new(&FaultPlan {
            stall: Some(Spell {
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
