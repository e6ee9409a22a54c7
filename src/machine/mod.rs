//! What the machine is and did meanwhile, as /proc tells it.

pub mod cpu;
mod memory;
mod quota;

use std::fs;
use std::path::PathBuf;

pub use memory::free_bytes;
pub use quota::cpu_quota_cores;

/// The machine that a run was made on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Name of the processor.
    pub cpu: String,
    /// Release of the kernel.
    pub kernel: String,
}

impl Machine {
    /// This one. What cannot be read is empty.
    pub fn read() -> Self {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = info
            .lines()
            .find_map(|line| line.strip_prefix("model name"))
            .map(|rest| rest.trim_start_matches([' ', '\t', ':']));
        Self {
            cpu: cpu.unwrap_or_default().to_owned(),
            kernel: kernel.trim().to_owned(),
        }
    }
}

/// The machine's time since it started, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ticks {
    all: u64,
    steal: u64,
}

impl Ticks {
    /// As they stand now; `None` where /proc does not tell.
    fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// First line of /proc/stat: user nice system idle iowait irq softirq steal guest guest_nice (proc(5)); the last
    /// two are contained in the first two.
    fn parse(stat: &str) -> Option<Self> {
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        let fields: Vec<u64> = line
            .split_whitespace()
            .filter_map(|n| n.parse().ok())
            .collect();
        Some(Self {
            all: fields.get(..8)?.iter().sum(),
            steal: *fields.get(7)?,
        })
    }

    /// Share of the time since `before` that the hypervisor gave to others, 0 to 1.
    fn steal_share_since(self, before: Self) -> f64 {
        let all = self.all.saturating_sub(before.all).max(1);
        self.steal.saturating_sub(before.steal) as f64 / all as f64
    }
}

/// Asked once a second: what kept this machine and this process from running since the last time.
#[derive(Debug)]
pub struct Hindrances {
    ticks: Option<Ticks>,
    quota: Option<Quota>,
}

/// What kept this machine and this process from running.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Hindered {
    /// Share of the machine's time that the hypervisor gave to others, 0 to 1, where it is known.
    pub steal_share: Option<f64>,
    /// Time in which the quota of CPU time was used up, in microseconds, where there is one.
    pub throttled_us: Option<u64>,
}

impl Hindrances {
    /// Begins now.
    pub fn start() -> Self {
        Self {
            ticks: Ticks::read(),
            quota: Quota::find(),
        }
    }

    /// Since the last call, or the start.
    pub fn since(&mut self) -> Hindered {
        let ticks = Ticks::read();
        let before = std::mem::replace(&mut self.ticks, ticks);
        let both = before.zip(ticks);
        Hindered {
            steal_share: both.map(|(before, now)| now.steal_share_since(before)),
            throttled_us: self.quota.as_mut().and_then(Quota::since),
        }
    }
}

/// The control group whose quota of CPU time holds this process.
#[derive(Debug)]
struct Quota {
    stat: PathBuf,
    throttled_us: u64,
}

impl Quota {
    /// `None` where no control group tells. Version 2 counts the time in which it was not allowed to run in
    /// `throttled_usec` (cgroup-v2.rst, "CPU Interface Files"), version 1 in `throttled_time`, in nanoseconds
    /// (sched-bwc.rst).
    fn find() -> Option<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let places = groups.lines().filter_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            let is_cpu = controllers.split(',').any(|name| name == "cpu");
            (controllers.is_empty() || is_cpu).then_some((controllers, path))
        });
        // Inside a container the path is that of the host, and the root is the container's own group.
        let places =
            places.flat_map(|(controllers, path)| [(controllers, path), (controllers, "/")]);
        let mut quotas = places.filter_map(|(controllers, path)| {
            let path = path.trim_end_matches('/');
            let stat = PathBuf::from(format!("/sys/fs/cgroup/{controllers}{path}/cpu.stat"));
            let throttled_us = parse_throttled_us(&fs::read_to_string(&stat).ok()?)?;
            Some(Self { stat, throttled_us })
        });
        quotas.next()
    }

    fn since(&mut self) -> Option<u64> {
        let now_us = parse_throttled_us(&fs::read_to_string(&self.stat).ok()?)?;
        let before_us = std::mem::replace(&mut self.throttled_us, now_us);
        Some(now_us.saturating_sub(before_us))
    }
}

fn parse_throttled_us(stat: &str) -> Option<u64> {
    stat.lines().find_map(|line| {
        let (name, value) = line.split_once(' ')?;
        let value: u64 = value.trim().parse().ok()?;
        match name {
            "throttled_usec" => Some(value),
            "throttled_time" => Some(value / 1_000),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stolen_time_is_told_from_the_rest() {
        let before = Ticks::parse("cpu  100 0 50 800 10 0 5 20 7 0\ncpu0 1\n").expect("it parses");
        let after = Ticks::parse("cpu  150 0 60 820 10 0 5 40 9 0\n").expect("it parses");
        assert_eq!(after.steal_share_since(before), 0.2);
        assert_eq!(Ticks::parse("intr 1"), None);
    }

    #[test]
    fn throttling_is_read_in_both_versions() {
        let v2 = "usage_usec 9\nnr_periods 3\nnr_throttled 2\nthrottled_usec 1500\n";
        assert_eq!(parse_throttled_us(v2), Some(1_500));
        let v1 = "nr_periods 3\nnr_throttled 2\nthrottled_time 1500000\n";
        assert_eq!(parse_throttled_us(v1), Some(1_500));
        assert_eq!(parse_throttled_us("usage_usec 9\n"), None);
    }
}
