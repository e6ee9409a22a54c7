//! Cores, pinning, CPU clocks and the descriptor limit: what is asked of the machine once, before the start.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::time::TimeValLike;
use nix::unistd::Pid;

/// The cores that this process may use (its cpuset, not the machine's), ascending.
///
/// # Errors
/// What `sched_getaffinity` says.
pub fn allowed_cores() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0))?;
    Ok((0..CpuSet::count())
        .filter(|&core| set.is_set(core).unwrap_or(false))
        .collect())
}

/// Keeps the calling thread on one core, so that its caches stay its own.
///
/// # Errors
/// What `sched_setaffinity` says, as when the core is not allowed.
pub fn pin(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// CPU time that a thread has used, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// In our own code.
    pub user_ns: u64,
    /// In the kernel on our behalf.
    pub system_ns: u64,
}

/// The scheduler's account of one thread.
#[derive(Debug)]
pub struct CoreClock {
    /// Kept open: it is read once a second, in the thread that is measured. `None` where the kernel keeps no account.
    schedstat: Option<File>,
    zero: CoreTime,
}

/// What a thread had of its core, in nanoseconds. The kernel brings it up to date when the thread is switched, and with
/// each tick of its own (1 to 10 ms).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoreTime {
    /// It ran.
    pub ran_ns: u64,
    /// It was ready to run and others had its core.
    pub waited_ns: u64,
}

impl CoreClock {
    /// The calling thread's, which begins now.
    pub fn of_this_thread() -> Self {
        let mut clock = Self {
            schedstat: File::open("/proc/thread-self/schedstat").ok(),
            zero: CoreTime::default(),
        };
        clock.zero = clock.read().unwrap_or_default();
        clock
    }

    /// Since the clock began, whichever thread asks; `None` where the kernel does not count.
    pub fn elapsed(&self) -> Option<CoreTime> {
        let now = self.read()?;
        Some(CoreTime {
            ran_ns: now.ran_ns.saturating_sub(self.zero.ran_ns),
            waited_ns: now.waited_ns.saturating_sub(self.zero.waited_ns),
        })
    }

    /// `139827 74370 12`: time on the core, time waited for it, turns (sched-stats.rst).
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

impl CpuTime {
    /// The calling thread's, since it began.
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

/// The largest resident memory of this process so far, in bytes. From /proc where that is to be had: the maximum of
/// getrusage begins with that of the process which started this one (Linux carries it over an exec).
pub fn resident_bytes_max() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(bytes) = high_water_bytes(&status) {
        return bytes;
    }
    getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| usage.max_rss().max(0) as u64 * 1024)
}

/// The resident memory of this process now, in bytes.
pub fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status_bytes(&status, "VmRSS:").unwrap_or(0)
}

/// `VmHWM: 5124 kB` (proc_pid_status(5)).
fn high_water_bytes(status: &str) -> Option<u64> {
    status_bytes(status, "VmHWM:")
}

fn status_bytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

/// Raises the soft limit of open descriptors as far as it may go, and returns it.
///
/// # Errors
/// What `getrlimit` says. A limit that cannot be raised is no error: the caller compares.
pub fn raise_descriptor_limit(wanted: u64) -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft >= wanted {
        return Ok(soft);
    }
    // Root may lift the hard limit too; everybody may go up to it.
    for (new_soft, new_hard) in [(wanted, hard.max(wanted)), (wanted.min(hard), hard)] {
        if setrlimit(Resource::RLIMIT_NOFILE, new_soft, new_hard).is_ok() {
            return Ok(new_soft);
        }
    }
    Ok(soft)
}
