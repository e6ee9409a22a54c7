//! What a shard hands over at the end of each second: its interval.

use crate::metrics::recorder::Recorder;

/// Length of an interval. The load's last one and the shard's last one are shorter.
pub(super) const INTERVAL_NS: u64 = 1_000_000_000;

/// An interval that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handover {
    /// The second of the run that it ended in, counted from 1.
    pub second: u64,
    /// Its end, since the start.
    pub end_ns: u64,
    /// It lies after the load's end.
    pub is_drain: bool,
    /// It is the shard's last one.
    pub is_last: bool,
}

/// Called at the end of each interval, to swap it for an empty one. Without a swap the recorder continues with it.
pub type OnInterval<'p> = Box<dyn FnMut(Handover, &mut Recorder) + Send + 'p>;

/// Where a shard stands among its intervals. All times on the driver's clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Intervals {
    /// Beginning of the present interval.
    pub from_ns: u64,
    /// End of the present second.
    pub second_end_ns: u64,
}

impl Intervals {
    pub fn new(start_ns: u64) -> Self {
        Self {
            from_ns: start_ns,
            second_end_ns: start_ns + INTERVAL_NS,
        }
    }

    /// The number of the present second, counted from 1.
    pub fn second(&self, start_ns: u64) -> u64 {
        (self.second_end_ns - start_ns) / INTERVAL_NS
    }

    /// The present second is the last one that is over by now: seconds in which the shard was held up are skipped.
    pub fn skip_to(&mut self, now_ns: u64) {
        let passed = (now_ns - self.second_end_ns) / INTERVAL_NS;
        self.second_end_ns += passed * INTERVAL_NS;
    }

    /// The interval has ended with the present second.
    pub fn advance(&mut self) {
        *self = Self::new(self.second_end_ns);
    }
}
