//! Timers of one thread, exact to 0.1 ms: tokio's own timer ticks in milliseconds.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;

/// Shortest time that the timer is set to: with zero it would never fire.
const AHEAD_MIN: Duration = Duration::from_nanos(1);

/// Wakes the tasks of one thread at given moments.
pub(super) struct Alarm {
    timer: AsyncFd<Timer>,
    waiting: RefCell<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// By moment, then in the order in which they began to wait.
    tasks: BTreeMap<(Instant, u64), oneshot::Sender<()>>,
    sequence: u64,
}

struct Timer(TimerFd);

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Alarm {
    /// An alarm for the runtime of this thread, on which a task must run [`Alarm::ring`].
    pub fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = Timer(TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?);
        #[expect(
            deprecated,
            reason = "its successor is unsafe, which is for src/io only; this timer owns its descriptor, as it asks"
        )]
        let timer = AsyncFd::new(timer)?;
        Ok(Self {
            timer,
            waiting: RefCell::default(),
        })
    }

    pub async fn wait_until(&self, moment: Instant) {
        if moment <= Instant::now() {
            return;
        }
        let (wake, woken) = oneshot::channel();
        let is_next = {
            let mut waiting = self.waiting.borrow_mut();
            waiting.sequence += 1;
            let key = (moment, waiting.sequence);
            waiting.tasks.insert(key, wake);
            waiting.tasks.first_key_value().map(|(first, _)| *first) == Some(key)
        };
        if is_next {
            self.set(moment);
        }
        // It fails when the thread ends, which ends this task too.
        let _ = woken.await;
    }

    /// Wakes the tasks whose moments have come, for ever.
    pub async fn ring(&self) -> io::Result<()> {
        loop {
            self.timer.readable().await?.clear_ready();
            // The timer has fired, or was only set again; the clock tells which tasks are due.
            let _ = self.timer.get_ref().0.wait();
            let now = Instant::now();
            let next = loop {
                let mut waiting = self.waiting.borrow_mut();
                let Some(first) = waiting.tasks.first_entry() else {
                    break None;
                };
                if first.key().0 > now {
                    break Some(first.key().0);
                }
                // It fails when the task's connection has ended meanwhile.
                let _ = first.remove().send(());
            };
            if let Some(next) = next {
                self.set(next);
            }
        }
    }

    fn set(&self, moment: Instant) {
        let ahead = moment.saturating_duration_since(Instant::now());
        let once = Expiration::OneShot(TimeSpec::from(ahead.max(AHEAD_MIN)));
        let timer = &self.timer.get_ref().0;
        let set = timer.set(once, TimerSetTimeFlags::empty());
        set.expect("a relative time above zero sets the timer");
    }
}
