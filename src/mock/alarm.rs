//! Wakes the tasks of one thread at their moments, to within 0.1 ms: tokio's own timer ticks in milliseconds.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;

/// A timer set to nothing would never fire.
const AHEAD_MIN: Duration = Duration::from_nanos(1);

pub(super) struct Alarm {
    timer: AsyncFd<Timer>,
    waiting: RefCell<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// By moment, then in the order in which they came.
    tasks: BTreeMap<(Instant, u64), oneshot::Sender<()>>,
    came: u64,
}

struct Timer(TimerFd);

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Alarm {
    /// For the runtime of this thread, of which a task has to be in [`Alarm::ring`].
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
            waiting.came += 1;
            let key = (moment, waiting.came);
            waiting.tasks.insert(key, wake);
            waiting.tasks.first_key_value().map(|(first, _)| *first) == Some(key)
        };
        if is_next {
            self.set(moment);
        }
        // It fails when the thread ends, and with it this task.
        let _ = woken.await;
    }

    /// Wakes who is due, for ever.
    pub async fn ring(&self) -> io::Result<()> {
        loop {
            self.timer.readable().await?.clear_ready();
            // Whether it has fired or was only set again: what is due is seen by the clock.
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
                // Its connection may have ended in the meantime.
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
        set.expect("a timer that was made can be set");
    }
}
