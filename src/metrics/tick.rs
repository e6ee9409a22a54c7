//! One second of all shards for those who watch, and the cell that they read it from.
//!
//! The latest tick wins: a reader that is slow misses seconds, and whoever publishes never waits for a reader.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::interval::{Interval, StepInterval};
use super::seconds::Status;

/// A second of the run.
#[derive(Clone, Debug)]
pub struct Tick {
    /// Counted from 1, over those that were published.
    pub number: u64,
    /// Its beginning, in nanoseconds since the start.
    pub begin_ns: u64,
    /// Its end, in nanoseconds since the start.
    pub end_ns: u64,
    /// When the load began, in nanoseconds since the start; `None` before that is known.
    pub load_from_ns: Option<u64>,
    /// What happened in it: counts, users, requests in flight and the age of the oldest.
    pub second: Interval,
    /// What has happened until its end, by metric.
    pub so_far: Vec<StepInterval>,
    /// Users, or iterations per second, of the level that a search measures.
    pub level: Option<f64>,
    /// The verdict on the run so far.
    pub verdict: Status,
}

/// The cell that ticks are published in.
#[derive(Debug, Default)]
pub struct Ticks {
    latest: Mutex<Latest>,
    changed: Condvar,
    readers: AtomicUsize,
}

#[derive(Debug, Default)]
struct Latest {
    tick: Option<Arc<Tick>>,
    is_closed: bool,
}

impl Ticks {
    /// Puts a tick into the place of the one before.
    pub fn publish(&self, tick: Tick) {
        self.lock().tick = Some(Arc::new(tick));
        self.changed.notify_all();
    }

    /// No tick will follow.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// Somebody reads from now on.
    pub fn add_reader(&self) {
        self.readers.fetch_add(1, Ordering::Relaxed);
    }

    /// Ticks are read; else they need not be made.
    pub fn has_readers(&self) -> bool {
        self.readers.load(Ordering::Relaxed) > 0
    }

    /// Waits for a tick after this number; `None` when the run is over and the last tick was read.
    pub fn next_after(&self, number: u64) -> Option<Arc<Tick>> {
        let is_old = |latest: &mut Latest| {
            let is_newer = latest
                .tick
                .as_ref()
                .is_some_and(|tick| tick.number > number);
            !is_newer && !latest.is_closed
        };
        let latest = self.changed.wait_while(self.lock(), is_old);
        let latest = latest.unwrap_or_else(PoisonError::into_inner);
        latest.tick.clone().filter(|tick| tick.number > number)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
