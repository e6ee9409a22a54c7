//! The way in for orders, and what the shards tell each other. Shards look at it once per turn and never wait for it.

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

use super::handover::INTERVAL_NS;

/// Longest time until a shard notices an order: its longest sleep.
pub(super) const NOTICED_NS_MAX: u64 = 100_000_000;
/// From the moment that the last shard is ready to the first arrival: all shards have noticed the agreement by then.
const ARRIVALS_AFTER_NS: u64 = 2 * NOTICED_NS_MAX;

/// Orders to all shards, and the agreements between them.
///
/// It has two cache lines for itself: a neighbour in its owner's memory may be written often, and each such write would
/// take the line away from every shard. Two, because x86 fetches lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Control {
    order: AtomicU8,
    /// Shards whose users are ready for the first arrival of an open load.
    ready: AtomicUsize,
    /// When the first arrival is due, on the drivers' clock; 0 until all shards are ready.
    arrivals_from_ns: AtomicU64,
    /// When the run began, on the same clock.
    start_ns: AtomicU64,
    /// The slowest answer that a shard has reported.
    slowest_ns: AtomicU64,
}

/// An order to all shards. Later ones outrank earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// Carry out the plan.
    Run,
    /// Start nothing more; wait for open requests, within bounds.
    Drain,
    /// End now; open requests are cut off.
    StopNow,
}

impl Control {
    /// Gives an order. An order that outranks it stays in force.
    pub fn give(&self, order: Order) {
        self.order.fetch_max(order as u8, Ordering::Relaxed);
    }

    /// The order in force.
    pub fn order(&self) -> Order {
        match self.order.load(Ordering::Relaxed) {
            0 => Order::Run,
            1 => Order::Drain,
            _ => Order::StopNow,
        }
    }

    /// The slowest answer of all shards, in nanoseconds; `of_shard_ns` is that of the caller.
    pub fn slowest_ns(&self, of_shard_ns: u64) -> u64 {
        let known_ns = self.slowest_ns.fetch_max(of_shard_ns, Ordering::Relaxed);
        known_ns.max(of_shard_ns)
    }

    /// One of `shards` shards is ready; each reports it once. The last one fixes when the arrivals begin: with a second
    /// of the run, so that the seconds that are reported are the arrivals' own.
    pub fn on_ready(&self, shards: usize, start_ns: u64, now_ns: u64) {
        if self.ready.fetch_add(1, Ordering::Relaxed) + 1 == shards {
            let after_ns = (now_ns + ARRIVALS_AFTER_NS).saturating_sub(start_ns);
            let from_ns = start_ns + after_ns.next_multiple_of(INTERVAL_NS);
            self.start_ns.store(start_ns, Ordering::Relaxed);
            self.arrivals_from_ns.store(from_ns, Ordering::Release);
        }
    }

    /// When the first arrival of an open load is due, in nanoseconds after the start, once all shards are ready.
    pub fn arrivals_after_ns(&self) -> Option<u64> {
        match self.arrivals_from_ns.load(Ordering::Acquire) {
            0 => None,
            from_ns => Some(from_ns - self.start_ns.load(Ordering::Relaxed)),
        }
    }

    /// When the first arrival of an open load is due, on the drivers' clock, once all shards are ready.
    pub fn arrivals_from_ns(&self) -> Option<u64> {
        match self.arrivals_from_ns.load(Ordering::Relaxed) {
            0 => None,
            from_ns => Some(from_ns),
        }
    }
}
