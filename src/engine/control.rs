//! The only way in for orders: stop, and how many users or iterations from when on. Also what the shards agree on among
//! themselves. Shards look at it once per turn and never wait for it.

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use crate::load::Load;

use super::handover::INTERVAL_NS;

/// Longest time until a shard notices an order: its longest sleep.
pub(crate) const NOTICED_NS_MAX: u64 = 100_000_000;
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
    /// The wall-clock moment before which no shard starts.
    starts_at: OnceLock<SystemTime>,
    /// Held by a thread that steers, never by a shard.
    steering: Mutex<()>,
    /// What a display asks for, until the session takes it.
    asked: Mutex<Asked>,
}

/// A level that a person asks for, through a display: users of a closed load, iterations per second of an open one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wanted {
    /// Users, or iterations per second.
    pub level: f64,
    /// The display, as records name it.
    pub by: &'static str,
}

#[derive(Debug, Default)]
struct Asked {
    pending: Option<Wanted>,
    /// The level that was asked for last.
    level: Option<f64>,
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

    /// Holds all shards, once they are built, until a wall-clock moment. It is given before the run, once; an order to end
    /// the run calls the start off.
    pub fn start_at(&self, moment: SystemTime) {
        let _ = self.starts_at.set(moment);
    }

    /// The moment before which no shard starts.
    pub(super) fn starts_at(&self) -> Option<SystemTime> {
        self.starts_at.get().copied()
    }

    /// Orders a level of a load that is steered: users, or iterations per second in an open load. From `begin_ns` on it is
    /// approached in a straight line, and reached after `ramp_ns`. Times are counted from the begin of the load; a
    /// level above the load's maximum is lowered to that.
    ///
    /// `begin_ns` has to be at least 100 ms ahead, so that every shard knows of the change when it begins, and after the
    /// end of the ramp before it. Returns `false` when the load is not steered, or was steered too often.
    ///
    /// Threads that steer take turns at a lock; shards read what they wrote without one.
    pub fn steer(&self, load: &Load, begin_ns: u64, ramp_ns: u64, level: f64) -> bool {
        let _turn = self.steering.lock().unwrap_or_else(PoisonError::into_inner);
        match load {
            Load::Closed(users) => users.steer(begin_ns, ramp_ns, level as u64),
            Load::Open { arrivals, .. } => arrivals.steer(begin_ns, ramp_ns, level),
        }
    }

    /// Asks for another level from now on. The session takes it at the end of the second; the latest one wins.
    pub fn ask(&self, wanted: Wanted) {
        *self.asked() = Asked {
            pending: Some(wanted),
            level: Some(wanted.level),
        };
    }

    /// The level that was asked for last, by any display.
    pub fn level_asked(&self) -> Option<f64> {
        self.asked().level
    }

    /// Takes what is asked for, once.
    pub fn take_asked(&self) -> Option<Wanted> {
        self.asked().pending.take()
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the rest of a load's line: from `begin_ns` on it goes to `level`, which users reach after `ramp_ns` and a
    /// rate at once, and stays there. Times are counted from the begin of the load. Returns the level, lowered to what
    /// there is room for; `None` when the load takes no orders, or took too many.
    ///
    /// `begin_ns` has to be at least 100 ms ahead, so that every shard knows of the change when it begins, and later than
    /// that of the order before.
    pub fn replace_rest(
        &self,
        load: &Load,
        begin_ns: u64,
        ramp_ns: u64,
        level: f64,
    ) -> Option<f64> {
        let _turn = self.steering.lock().unwrap_or_else(PoisonError::into_inner);
        match load {
            Load::Closed(users) => {
                let users = users.replace_rest(begin_ns, ramp_ns, level as u64);
                users.map(|users| users as f64)
            }
            Load::Open { arrivals, .. } => arrivals.replace_rest(begin_ns, level),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::closed::Closed;
    use crate::load::open::{Arrivals, Open};

    const SECOND_NS: u64 = 1_000_000_000;

    /// Steers a load from two threads at once, 100 times each.
    fn steer_from_two_threads(load: &Load) {
        let control = Control::default();
        let next = AtomicU64::new(1);
        let steer = || {
            for _ in 0..100 {
                let nth = next.fetch_add(1, Ordering::Relaxed);
                assert!(control.steer(load, nth * SECOND_NS, 0, 1.0 + (nth % 2) as f64));
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(steer);
            scope.spawn(steer);
        });
    }

    #[test]
    fn orders_of_several_threads_are_all_kept() {
        let closed = Load::Closed(Closed::steered(10));
        steer_from_two_threads(&closed);
        let open = Load::Open {
            ready: Closed::at_rate(10, 10.0),
            arrivals: Open::steered(10.0, Arrivals::Constant, 10, 10),
        };
        steer_from_two_threads(&open);
    }

    #[test]
    fn of_several_levels_asked_for_the_latest_is_taken_once() {
        let control = Control::default();
        assert_eq!((control.take_asked(), control.level_asked()), (None, None));
        for (level, by) in [(32.0, "screen"), (35.0, "page"), (34.0, "screen")] {
            control.ask(Wanted { level, by });
            assert_eq!(control.level_asked(), Some(level));
        }
        let taken = control.take_asked().expect("it was asked for");
        assert_eq!((taken.level, taken.by), (34.0, "screen"));
        assert_eq!(control.take_asked(), None);
        assert_eq!(
            control.level_asked(),
            Some(34.0),
            "the next key goes on from it"
        );
    }

    #[test]
    fn a_level_is_users_of_a_closed_load_and_nothing_of_a_fixed_one() {
        let control = Control::default();
        let steered = Load::Closed(Closed::steered(10));
        assert!(control.steer(&steered, SECOND_NS, 0, 3.0));
        let mut changes = steered
            .users()
            .changes(crate::load::deal::Deal::new(10, 10, 1), 0);
        let mut came = 0;
        while changes.peek(steered.users()).is_some() {
            changes.advance();
            came += 1;
        }
        assert_eq!(came, 3);
        let fixed = Load::Closed(Closed::at_rate(10, 10.0));
        assert!(!control.steer(&fixed, SECOND_NS, 0, 3.0));
    }

    #[test]
    fn an_order_is_never_taken_back() {
        let control = Control::default();
        assert_eq!(control.order(), Order::Run);
        for (given, in_force) in [
            (Order::Drain, Order::Drain),
            (Order::Run, Order::Drain),
            (Order::StopNow, Order::StopNow),
            (Order::Drain, Order::StopNow),
        ] {
            control.give(given);
            assert_eq!(control.order(), in_force);
        }
    }
}
