//! Cores, pinning, CPU clocks and the descriptor limit: what is asked of the machine once, before the start.

use std::io;

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

/// Time that the calling thread was ready to run and others had its core, in nanoseconds since it began (the second
/// field of schedstat, sched-stats.rst); `None` where the kernel does not count it.
pub fn waited_for_core_ns() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().nth(1)?.parse().ok()
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
