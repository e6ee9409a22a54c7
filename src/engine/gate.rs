//! The meeting of the shards before the start: either all of them are built and begin at the same moment, or none
//! begins. With a moment of the wall clock given, they begin then.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::io::clock::Clock;

/// Longest time without a look at whether the start was called off, and at a wall clock that may have been set.
const LOOK: Duration = Duration::from_millis(20);

/// The moment at which a run begins.
#[derive(Clone, Copy, Debug, Default)]
pub struct Start {
    /// On the drivers' clock.
    pub at_ns: u64,
    /// The same moment in nanoseconds since 1970 (UTC).
    pub wall_ns: u64,
}

/// Used before the run only, so that its lock costs nothing that is measured.
pub(super) struct Gate {
    /// The clock of all shards.
    pub clock: Clock,
    state: Mutex<State>,
    changed: Condvar,
    start_ns: AtomicU64,
}

enum State {
    /// `missing` shards have not reached the gate.
    Closed { missing: usize },
    /// All shards have reached it.
    Open(Start),
    /// A shard will never reach it.
    Cancelled,
}

impl Gate {
    /// A gate that `shards` shards have to reach.
    pub fn new(shards: usize) -> Self {
        Self {
            clock: Clock::start(),
            state: Mutex::new(State::Closed { missing: shards }),
            changed: Condvar::new(),
            start_ns: AtomicU64::new(0),
        }
    }

    /// Time since the common start.
    pub fn since_start_ns(&self) -> u64 {
        let start_ns = self.start_ns.load(Ordering::Relaxed);
        self.clock.now_ns().saturating_sub(start_ns)
    }

    /// Waits for the other shards, and with them for the moment `at`, unless the start is called off before. Returns the
    /// common start, or `None` when the run was cancelled.
    pub fn pass(&self, at: Option<SystemTime>, is_called_off: impl Fn() -> bool) -> Option<Start> {
        let mut state = self.lock();
        if let State::Closed { missing } = &mut *state {
            *missing -= 1;
            if *missing == 0 {
                state = self.wait_until(at, is_called_off, state);
                if let State::Closed { .. } = *state {
                    *state = State::Open(self.start());
                }
                self.changed.notify_all();
            }
        }
        self.decided(state)
    }

    /// Waits until it is decided whether the run begins. Returns the common start, or `None` when it was cancelled.
    pub fn wait(&self) -> Option<Start> {
        self.decided(self.lock())
    }

    fn decided(&self, mut state: MutexGuard<'_, State>) -> Option<Start> {
        loop {
            match &*state {
                State::Open(start) => return Some(*start),
                State::Cancelled => return None,
                State::Closed { .. } => {
                    let waited = self.changed.wait(state);
                    state = waited.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// Waits for a moment of the wall clock. The gate is cancelled when the start is called off.
    fn wait_until<'g>(
        &self,
        at: Option<SystemTime>,
        is_called_off: impl Fn() -> bool,
        mut state: MutexGuard<'g, State>,
    ) -> MutexGuard<'g, State> {
        // An error says that the moment has passed.
        while let Some(Ok(left)) = at.map(|at| at.duration_since(SystemTime::now()))
            && !left.is_zero()
            && matches!(*state, State::Closed { .. })
        {
            if is_called_off() {
                *state = State::Cancelled;
                break;
            }
            let waited = self.changed.wait_timeout(state, left.min(LOOK));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    /// Cancels the run: a shard's thread could not be started, or a shard could not be built. Without effect once the gate
    /// is open.
    pub fn cancel(&self) {
        let mut state = self.lock();
        if matches!(*state, State::Closed { .. }) {
            *state = State::Cancelled;
            self.changed.notify_all();
        }
    }

    fn start(&self) -> Start {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let start = Start {
            at_ns: self.clock.now_ns(),
            wall_ns: wall.unwrap_or_default().as_nanos() as u64,
        };
        self.start_ns.store(start.at_ns, Ordering::Relaxed);
        start
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every write to the state is one assignment: a panic elsewhere leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends `shards` shards through a gate of three, and cancels it if one is missing. Returns what each got.
    fn check(shards: usize) -> Vec<Option<u64>> {
        let gate = Gate::new(3);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..shards)
                .map(|_| scope.spawn(|| gate.pass(None, || false)))
                .collect();
            if shards < 3 {
                gate.cancel();
            }
            let starts = threads.into_iter().map(|thread| thread.join());
            starts
                .map(|start| start.expect("no panic").map(|start| start.at_ns))
                .collect()
        })
    }

    #[test]
    fn all_shards_begin_at_the_same_moment() {
        let starts = check(3);
        assert!(starts[0].is_some());
        assert!(starts.iter().all(|start| *start == starts[0]), "{starts:?}");
    }

    #[test]
    fn when_one_shard_never_comes_the_others_leave() {
        assert_eq!(check(2), [None, None]);
    }

    #[test]
    fn an_open_gate_is_not_closed_again() {
        let gate = Gate::new(1);
        let start = gate.pass(None, || false).map(|start| start.at_ns);
        gate.cancel();
        assert_eq!(gate.wait().map(|start| start.at_ns), start);
    }

    #[test]
    fn the_gate_opens_not_before_its_moment_and_at_once_after_it() {
        for offset_ms in [-5_000, 30] {
            let now = SystemTime::now();
            let offset = Duration::from_millis(i64::unsigned_abs(offset_ms));
            let at = match offset_ms > 0 {
                true => now + offset,
                false => now - offset,
            };
            let start = Gate::new(1).pass(Some(at), || false).expect("it opens");
            let wall = SystemTime::UNIX_EPOCH + Duration::from_nanos(start.wall_ns);
            assert!(wall >= at, "{offset_ms}");
        }
    }

    #[test]
    fn a_start_that_is_called_off_lets_no_shard_begin() {
        let gate = Gate::new(2);
        let at = SystemTime::now() + Duration::from_secs(3_600);
        std::thread::scope(|scope| {
            let threads = [(); 2].map(|()| scope.spawn(|| gate.pass(Some(at), || true)));
            for thread in threads {
                assert!(thread.join().expect("no panic").is_none());
            }
        });
        assert!(gate.wait().is_none());
    }
}
