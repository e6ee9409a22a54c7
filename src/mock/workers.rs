//! A known capacity: N workers that take a fixed time per request, first come first served over all threads.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Capacity;

pub(super) struct Workers {
    service_time: Duration,
    /// When each worker has nothing to do any more.
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

    /// When the request that comes now leaves. It is computed, not waited for: however late an answer is written, the
    /// worker's next request begins on time, so the capacity is exactly workers / service time.
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
    fn requests_leave_in_order_as_many_at_a_time_as_there_are_workers() {
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
        // One worker is free from the second on, the other from the third: nothing is saved up while they rest.
        assert_eq!(workers.departure(after(2)), after(3));
        assert_eq!(workers.departure(after(9)), after(10));
        assert_eq!(workers.departure(after(9)), after(10));
        assert_eq!(workers.departure(after(9)), after(11));
    }
}
