//! The meeting of the shards before the start: either all of them are built and begin at the same moment, or none
//! begins.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::io::clock::Clock;

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

    /// Waits for the other shards. Returns the common start, or `None` when the run was cancelled.
    pub fn pass(&self) -> Option<Start> {
        let mut state = self.lock();
        if let State::Closed { missing } = &mut *state {
            *missing -= 1;
            if *missing == 0 {
                *state = State::Open(self.start());
                self.changed.notify_all();
            }
        }
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
            let threads: Vec<_> = (0..shards).map(|_| scope.spawn(|| gate.pass())).collect();
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
        let start = gate.pass().map(|start| start.at_ns);
        gate.cancel();
        assert_eq!(gate.pass().map(|start| start.at_ns), start);
    }
}
