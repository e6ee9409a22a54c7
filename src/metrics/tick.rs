//! One second of all shards for those who watch, and the cell that they read it from.
//!
//! The latest tick wins: a slow reader misses seconds, and publishing never waits for a reader.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::interval::{Interval, StepInterval};
use super::outcome::Failures;
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
    /// Failures until its end, by kind.
    pub failures: Failures,
    /// Users, or iterations per second, of the level that a search measures.
    pub level: Option<f64>,
    /// The verdict on the run so far.
    pub verdict: Status,
}

/// What a reader finds that does not wait.
#[derive(Clone, Debug)]
pub enum Found {
    /// A newer tick.
    Tick(Arc<Tick>),
    /// No newer tick yet.
    Nothing,
    /// The run is over, and the last tick was read.
    End,
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

    /// One more reader waits for ticks.
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

    /// The latest tick after this number, without a wait.
    pub fn find_after(&self, number: u64) -> Found {
        let latest = self.lock();
        match latest.tick.as_ref().filter(|tick| tick.number > number) {
            Some(tick) => Found::Tick(tick.clone()),
            None if latest.is_closed => Found::End,
            None => Found::Nothing,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(number: u64) -> Tick {
        Tick {
            number,
            begin_ns: 0,
            end_ns: 1,
            load_from_ns: Some(0),
            second: Interval::new(0),
            so_far: Vec::new(),
            failures: Failures::default(),
            level: None,
            verdict: Status::Valid,
        }
    }

    #[test]
    fn a_slow_reader_gets_the_latest_tick_and_the_last_one_after_the_end() {
        let ticks = Ticks::default();
        assert!(!ticks.has_readers());
        ticks.add_reader();
        assert!(ticks.has_readers());
        (1..=3).for_each(|number| ticks.publish(tick(number)));
        assert_eq!(ticks.next_after(0).expect("published").number, 3);
        assert!(matches!(ticks.find_after(0), Found::Tick(tick) if tick.number == 3));
        assert!(matches!(ticks.find_after(3), Found::Nothing));
        ticks.publish(tick(4));
        ticks.close();
        assert!(matches!(ticks.find_after(3), Found::Tick(tick) if tick.number == 4));
        assert!(matches!(ticks.find_after(4), Found::End));
        assert_eq!(ticks.next_after(3).expect("not read yet").number, 4);
        assert!(ticks.next_after(4).is_none(), "closed");
    }

    #[test]
    fn a_reader_that_waits_is_woken_by_a_tick_and_by_the_end() {
        let ticks = Ticks::default();
        let seen = std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut seen = Vec::new();
                while let Some(tick) = ticks.next_after(seen.last().copied().unwrap_or(0)) {
                    seen.push(tick.number);
                }
                seen
            });
            ticks.publish(tick(1));
            ticks.publish(tick(2));
            ticks.close();
            reader.join().expect("it ends")
        });
        assert_eq!(seen.last(), Some(&2));
    }
}
