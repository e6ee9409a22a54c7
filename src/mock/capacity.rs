//! A known capacity: workers that take a fixed time per request, first come first served over all threads.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A known capacity of exactly `workers / service_time`. Requests to `/health` take no worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Requests that are served at a time, first come first served; at least 1.
    pub workers: usize,
    /// Time that each request takes a worker.
    pub service_time: Duration,
}

/// The workers of a capacity.
pub(super) struct Workers {
    service_time: Duration,
    /// When each worker becomes free.
    free_at: Mutex<BinaryHeap<Reverse<Instant>>>,
}

impl Workers {
    pub fn new(capacity: Capacity) -> Self {
        let free_at = vec![Reverse(Instant::now()); capacity.workers];
        Self {
            service_time: capacity.service_time,
            free_at: Mutex::new(free_at.into()),
        }
    }

    /// When a request that arrives now is done. This is computed, not waited for: even if an answer is written late,
    /// the worker's next request begins on time, so the capacity is exactly `workers / service_time`.
    pub fn departure(&self, now: Instant) -> Instant {
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let Reverse(earliest) = free_at.pop().expect("there is at least one worker");
        let departure = now.max(earliest) + self.service_time;
        free_at.push(Reverse(departure));
        departure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_requests_are_served_at_a_time_as_there_are_workers() {
        let service_time = Duration::from_millis(10);
        let capacity = Capacity {
            workers: 2,
            service_time,
        };
        let workers = Workers::new(capacity);
        let start = Instant::now();
        let after = |count: u32| start + count * service_time;
        for expected in [1, 1, 2, 2, 3] {
            assert_eq!(workers.departure(start), after(expected));
        }
        // One worker is free from 2 on, the other from 3; idle time is not saved up.
        assert_eq!(workers.departure(after(2)), after(3));
        assert_eq!(workers.departure(after(9)), after(10));
        assert_eq!(workers.departure(after(9)), after(10));
        assert_eq!(workers.departure(after(9)), after(11));
    }
}
