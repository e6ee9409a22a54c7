//! The ring's two queues: entries go in, completions come out, one system call moves both.

use std::collections::VecDeque;
use std::time::Duration;

use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, cqueue, squeue};

use crate::io::clock::Clock;
use crate::io::driver::EVENTS_MAX;

/// Longest single sleep in the kernel: an hour.
const SLEEP_NS_MAX: u64 = 3_600_000_000_000;

/// Pause between two tries to hand over entries that the kernel does not take, and most tries: ten seconds in all.
const RETRY_PAUSE: Duration = Duration::from_micros(100);
const RETRIES_MAX: u32 = 100_000;

/// The submission and the completion queue of a ring.
pub(super) struct Queue {
    ring: IoUring,
    clock: Clock,
    /// When the submission queue was handed over before the end of a turn, until the shard has asked for it.
    flushed_ns: Option<u64>,
    /// Completions taken from the ring early, because the kernel takes no entries while the completion queue is full.
    pub(super) aside: VecDeque<cqueue::Entry>,
    /// Operations without a final completion. The kernel may still access the memory that they name.
    under_way: usize,
    overflows: u64,
    /// Entering the ring has failed. No completion can be fetched any more.
    is_broken: bool,
    /// Makes the ring behave like a kernel that takes no entries until the completion queue is empty.
    #[cfg(test)]
    pub(super) refuses_while_full: bool,
}

/// How the system call ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Entered {
    /// The kernel took the batch; or the call was interrupted, or timed out.
    Done,
    /// The kernel takes no entries for the moment: EBUSY while the completion queue has overflowed and is not empty
    /// (before Linux 5.19), EAGAIN while memory is short.
    Refused,
}

impl Queue {
    pub fn new(ring: IoUring, clock: Clock) -> Self {
        Self {
            ring,
            clock,
            flushed_ns: None,
            aside: VecDeque::new(),
            under_way: 0,
            overflows: 0,
            is_broken: false,
            #[cfg(test)]
            refuses_while_full: false,
        }
    }

    /// Queues an operation. When the queue is full, which is rare (`SUBMISSIONS_MAX`), hands it over first.
    ///
    /// # Safety
    /// The memory that the entry names must stay in place until [`Queue::take`] has returned its last completion. Its
    /// descriptor must stay open until the entry is handed over.
    pub unsafe fn push(&mut self, entry: &squeue::Entry) {
        for _ in 0..RETRIES_MAX {
            // SAFETY: promised by the caller.
            if unsafe { self.ring.submission().push(entry) }.is_ok() {
                self.under_way += 1;
                return;
            }
            if self.hand_over_early() == Entered::Refused {
                self.set_aside();
            }
        }
        self.is_broken = true;
        panic!("io_uring has taken no entry for ten seconds");
    }

    /// Hands over the queued entries without waiting. Entries that the kernel refuses stay queued for the next call.
    pub fn submit(&mut self) {
        self.enter(0, None);
    }

    /// Like [`Queue::submit`], before the end of the turn; its moment is noted for [`Queue::take_flushed_ns`].
    pub fn flush(&mut self) {
        self.hand_over_early();
    }

    /// Waits for a completion, but no longer than `sleep_ns`.
    pub fn sleep(&mut self, sleep_ns: u64) {
        if self.enter(1, Some(sleep_ns.min(SLEEP_NS_MAX))) == Entered::Refused {
            self.set_aside();
        }
    }

    /// Moves up to [`EVENTS_MAX`] completions to `batch`, which is empty.
    pub fn take(&mut self, batch: &mut Vec<cqueue::Entry>) {
        debug_assert!(batch.is_empty());
        self.overflows += u64::from(self.ring.submission().cq_overflow());
        let aside = self.aside.len().min(EVENTS_MAX);
        batch.extend(self.aside.drain(..aside));
        batch.extend(self.ring.completion().take(EVENTS_MAX - aside));
        let is_last = |completion: &&cqueue::Entry| !cqueue::more(completion.flags());
        self.under_way -= batch.iter().filter(is_last).count();
    }

    pub fn has_entries(&mut self) -> bool {
        !self.ring.submission().is_empty()
    }

    pub fn has_completions(&mut self) -> bool {
        !self.aside.is_empty() || !self.ring.completion().is_empty()
    }

    /// The moment of the first flush since the last call.
    pub fn take_flushed_ns(&mut self) -> Option<u64> {
        self.flushed_ns.take()
    }

    pub fn under_way(&self) -> usize {
        self.under_way
    }

    pub fn overflows(&self) -> u64 {
        self.overflows
    }

    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    fn hand_over_early(&mut self) -> Entered {
        let now_ns = self.clock.now_ns();
        self.flushed_ns.get_or_insert(now_ns);
        self.enter(0, None)
    }

    /// Empties the completion queue, so that the kernel takes entries again; the next batch begins with these
    /// completions. When the queue was empty, only time helps.
    fn set_aside(&mut self) {
        let count_before = self.aside.len();
        self.aside.extend(self.ring.completion());
        if self.aside.len() == count_before {
            std::thread::sleep(RETRY_PAUSE);
        }
    }

    /// The one system call. Returns when the batch is taken, and `want` completions are there or the time is over.
    fn enter(&mut self, want: usize, sleep_ns: Option<u64>) -> Entered {
        #[cfg(test)]
        if self.refuses_while_full && !self.ring.completion().is_empty() {
            return Entered::Refused;
        }
        let entered = match sleep_ns {
            None => {
                let pending = self.ring.submission().len() as u32;
                // GETEVENTS even without waiting: deferred completions run only in an enter that asks for them.
                let flags = EnterFlags::GETEVENTS.bits();
                let submitter = self.ring.submitter();
                // SAFETY: no argument is passed that the kernel would read, `pending` is the length of the queue, and
                // the callers of `push` uphold what its entries name.
                unsafe { submitter.enter::<libc::sigset_t>(pending, want as u32, flags, None) }
            }
            Some(ns) => {
                let timeout = Timespec::new()
                    .sec(ns / 1_000_000_000)
                    .nsec((ns % 1_000_000_000) as u32);
                let arguments = SubmitArgs::new().timespec(&timeout);
                self.ring.submitter().submit_with_args(want, &arguments)
            }
        };
        match entered {
            Ok(_) => Entered::Done,
            // In each case entries that were not taken stay queued for the next call.
            Err(error) => match error.raw_os_error() {
                Some(libc::ETIME | libc::EINTR) => Entered::Done,
                Some(libc::EBUSY | libc::EAGAIN) => Entered::Refused,
                _ => {
                    self.is_broken = true;
                    panic!("io_uring_enter: {error}");
                }
            },
        }
    }
}
