//! Cores, pinning and CPU clocks.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

pub use super::descriptors::raise_descriptor_limit;
pub use super::memory::{resident_bytes, resident_bytes_max};

/// The cores that this process may use (its cpuset, not all of the machine), ascending.
///
/// # Errors
/// That of `sched_getaffinity`.
pub fn allowed_cores() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0))?;
    Ok((0..CpuSet::count())
        .filter(|&core| set.is_set(core).unwrap_or(false))
        .collect())
}

/// Number of cores that are online on this machine; `None` when it is not known.
pub fn online_cores() -> Option<usize> {
    count_ranges(&fs::read_to_string("/sys/devices/system/cpu/online").ok()?)
}

/// `0-1,4` -> 3 (cputopology.rst).
fn count_ranges(text: &str) -> Option<usize> {
    let counts = text.trim().split(',').map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        Some(last.checked_sub(first)? + 1)
    });
    counts.sum()
}

/// Keeps the calling thread on one core, so that its caches stay warm.
///
/// # Errors
/// That of `sched_setaffinity`, for example when the core is not allowed.
pub fn pin(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// CPU time used by a thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// In the program's own code.
    pub user_ns: u64,
    /// In the kernel on its behalf.
    pub system_ns: u64,
}

/// The scheduler's account of one thread.
#[derive(Debug)]
pub struct CoreClock {
    /// Kept open: it is read once a second, in the thread that is measured. `None` where the kernel keeps no account.
    schedstat: Option<File>,
    zero: CoreTime,
}

/// A thread's time with its core and waiting for it. The kernel updates it when the thread is switched, and with each
/// tick (1 to 10 ms).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoreTime {
    /// The thread ran.
    pub ran_ns: u64,
    /// The thread was ready to run and another had its core.
    pub waited_ns: u64,
}

impl CoreClock {
    /// The clock of the calling thread, from now on.
    pub fn of_this_thread() -> Self {
        let mut clock = Self {
            schedstat: File::open("/proc/thread-self/schedstat").ok(),
            zero: CoreTime::default(),
        };
        clock.zero = clock.read().unwrap_or_default();
        clock
    }

    /// Time since the clock began, whichever thread calls; `None` where the kernel keeps no account.
    pub fn elapsed(&self) -> Option<CoreTime> {
        let now = self.read()?;
        Some(CoreTime {
            ran_ns: now.ran_ns.saturating_sub(self.zero.ran_ns),
            waited_ns: now.waited_ns.saturating_sub(self.zero.waited_ns),
        })
    }

    /// `139827 74370 12`: time on the core, time waiting for it, number of timeslices (sched-stats.rst).
    fn read(&self) -> Option<CoreTime> {
        let mut bytes = [0; 96];
        let count = self.schedstat.as_ref()?.read_at(&mut bytes, 0).ok()?;
        let text = std::str::from_utf8(&bytes[..count]).ok()?;
        let mut fields = text.split_whitespace().map(|field| field.parse().ok());
        Some(CoreTime {
            ran_ns: fields.next()??,
            waited_ns: fields.next()??,
        })
    }
}

/// The CPU time of the calling thread, to the nanosecond: [`CpuTime`] may lag behind by a tick of the kernel.
pub fn thread_cpu_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(0, |time| {
        time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
    })
}

impl CpuTime {
    /// The CPU time of the calling thread since it began.
    pub fn of_this_thread() -> Self {
        let Ok(usage) = getrusage(UsageWho::RUSAGE_THREAD) else {
            return Self::default();
        };
        Self {
            user_ns: usage.user_time().num_nanoseconds().max(0) as u64,
            system_ns: usage.system_time().num_nanoseconds().max(0) as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_counted_in_ranges() {
        assert_eq!(count_ranges("0-1,4\n"), Some(3));
        assert_eq!(count_ranges("0\n"), Some(1));
        assert_eq!(count_ranges("\n"), None);
    }
}
