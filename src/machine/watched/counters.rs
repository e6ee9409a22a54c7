//! What /proc says of one process.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use procfs::process::Process;
use procfs::{page_size, ticks_per_second};

use crate::machine::quota::cpu_quota_cores_of;

/// Threads whose context switches are read, of one process: each is a file.
const THREADS_MAX: usize = 256;

/// A process, and what it had used when it was last read.
#[derive(Debug)]
pub(super) struct Counted {
    process: Process,
    /// Begin of the process, in ticks since the machine's: with its id, it tells it from a later one.
    start_ticks: u64,
    cpu_s: f64,
    /// Context switches by thread; `None` when they cannot be read.
    switches: Option<HashMap<i32, u64>>,
    /// The cores of its affinity, 32 in a word.
    pub affinity: Vec<u32>,
    /// Cores of its CPU quota; `None` without one.
    pub quota: Option<f64>,
    /// Its network namespace, when that is not this process's.
    pub other_network: Option<PathBuf>,
}

/// What one process did since it was last read, and has now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Use {
    pub cpu_s: f64,
    pub rss_bytes: f64,
    pub threads: f64,
    pub descriptors: Option<f64>,
    pub switches: Option<f64>,
}

impl Counted {
    /// Begins to count; `None` when it has gone. What a process used before is left out unless it began after `since`,
    /// in ticks since the machine's start.
    pub fn begin(pid: i32, since_ticks: Option<u64>) -> Option<Self> {
        let process = Process::new(pid).ok()?;
        let stat = process.stat().ok()?;
        if stat.state == 'Z' {
            return None;
        }
        let is_new = since_ticks.is_some_and(|since| stat.starttime >= since);
        let switches = match is_new {
            true => Some(HashMap::new()),
            false => switches(&process),
        };
        let status = process.status().ok();
        Some(Self {
            start_ticks: stat.starttime,
            cpu_s: match is_new {
                true => 0.0,
                false => cpu_s(stat.utime + stat.stime),
            },
            switches,
            affinity: status
                .and_then(|status| status.cpus_allowed)
                .unwrap_or_default(),
            quota: cpu_quota_cores_of(pid),
            other_network: other_network(pid),
            process,
        })
    }

    /// Reads it again; `None` when it has gone.
    pub fn read(&mut self) -> Option<Use> {
        let stat = self.process.stat().ok()?;
        if stat.starttime != self.start_ticks || stat.state == 'Z' {
            return None;
        }
        let cpu_s = cpu_s(stat.utime + stat.stime);
        let used_s = cpu_s - std::mem::replace(&mut self.cpu_s, cpu_s);
        let now = match stat.num_threads as usize <= THREADS_MAX {
            true => switches(&self.process),
            false => None,
        };
        let before = std::mem::replace(&mut self.switches, now);
        Some(Use {
            cpu_s: used_s.max(0.0),
            rss_bytes: stat.rss as f64 * page_size() as f64,
            threads: stat.num_threads as f64,
            descriptors: self.process.fd_count().ok().map(|count| count as f64),
            switches: before.zip(self.switches.as_ref()).map(|(before, now)| {
                let since = now
                    .iter()
                    .map(|(thread, count)| count.saturating_sub(*before.get(thread).unwrap_or(&0)));
                since.sum::<u64>() as f64
            }),
        })
    }

    /// Bytes received and sent in its network namespace, loopback left out.
    pub fn network_bytes(&self) -> Option<(f64, f64)> {
        let devices = self.process.dev_status().ok()?;
        let devices = devices.values().filter(|device| device.name != "lo");
        let sum = devices.fold((0, 0), |(received, sent), device| {
            (received + device.recv_bytes, sent + device.sent_bytes)
        });
        Some((sum.0 as f64, sum.1 as f64))
    }
}

fn cpu_s(ticks: u64) -> f64 {
    ticks as f64 / ticks_per_second() as f64
}

fn other_network(pid: i32) -> Option<PathBuf> {
    let of = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    let (own, its) = (of("self")?, of(&pid.to_string())?);
    (own != its).then_some(its)
}

/// /proc/PID/status counts those of the first thread alone: each thread has a file of its own.
fn switches(process: &Process) -> Option<HashMap<i32, u64>> {
    let threads = fs::read_dir(format!("/proc/{}/task", process.pid())).ok()?;
    let mut counts = HashMap::new();
    for thread in threads.flatten() {
        let Some(id) = thread.file_name().to_str().and_then(|id| id.parse().ok()) else {
            continue;
        };
        // A thread may end at any moment.
        let Ok(status) = fs::read_to_string(thread.path().join("status")) else {
            continue;
        };
        counts.insert(id, switches_in(&status));
    }
    Some(counts)
}

/// `voluntary_ctxt_switches:` and `nonvoluntary_ctxt_switches:` of a status file, together (proc_pid_status(5)).
fn switches_in(status: &str) -> u64 {
    let lines = status
        .lines()
        .filter_map(|line| line.split_once("voluntary_ctxt_switches:"));
    lines
        .filter_map(|(_, count)| count.trim().parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_context_switches_are_added_up() {
        let status = "Threads:\t1\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t7\n";
        assert_eq!(switches_in(status), 157);
        assert_eq!(switches_in(""), 0);
    }

    #[test]
    fn this_process_has_memory_threads_and_descriptors() {
        let mut counted = Counted::begin(std::process::id() as i32, None).expect("it runs");
        assert!(counted.other_network.is_none());
        let used = counted.read().expect("it runs");
        assert!(used.rss_bytes > 1e5 && used.threads >= 1.0, "{used:?}");
        assert!(
            used.descriptors.is_some_and(|count| count >= 3.0),
            "{used:?}"
        );
        assert!(used.switches.is_some(), "{used:?}");
    }

    #[test]
    fn a_process_that_began_after_the_last_reading_counts_from_its_start() {
        let own = std::process::id() as i32;
        let mut spent = 0_u64;
        // Some ticks of CPU time, however fast the machine is.
        while cpu_s_of(own) < 0.05 {
            spent = std::hint::black_box(spent + 1);
        }
        let used = |since| {
            let mut counted = Counted::begin(own, since).expect("it runs");
            counted.read().expect("it runs").cpu_s
        };
        assert!(used(Some(0)) >= 0.05);
        assert!(used(None) < 0.05);
    }

    fn cpu_s_of(pid: i32) -> f64 {
        let stat = Process::new(pid).and_then(|process| process.stat());
        stat.map(|stat| cpu_s(stat.utime + stat.stime))
            .expect("it runs")
    }
}
