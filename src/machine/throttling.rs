//! How long the CPU quota of this process's control group kept it from running.

use std::fs;
use std::path::PathBuf;

use super::cgroup::{ROOT, cpu_groups};

/// The count of throttled time in the control group whose quota of CPU time holds this process.
#[derive(Debug)]
pub(super) struct Throttling {
    stat: PathBuf,
    throttled_us: u64,
}

impl Throttling {
    /// `None` where no control group counts it. Version 2 counts the time in which it was not allowed to run in
    /// `throttled_usec` (cgroup-v2.rst, "CPU Interface Files"), version 1 in `throttled_time`, in nanoseconds
    /// (sched-bwc.rst).
    pub fn find() -> Option<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        // Inside a container the path is that of the host, and the root is the container's own group.
        let places = cpu_groups(&groups)
            .flat_map(|(controllers, path)| [(controllers, path), (controllers, "/")]);
        let mut found = places.filter_map(|(controllers, path)| {
            let path = path.trim_end_matches('/');
            let stat = PathBuf::from(format!("{ROOT}/{controllers}{path}/cpu.stat"));
            let throttled_us = parse_throttled_us(&fs::read_to_string(&stat).ok()?)?;
            Some(Self { stat, throttled_us })
        });
        found.next()
    }

    /// Microseconds since the last call, or since it was found.
    pub fn since(&mut self) -> Option<u64> {
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
    fn throttling_is_read_in_both_versions() {
        let v2 = "usage_usec 9\nnr_periods 3\nnr_throttled 2\nthrottled_usec 1500\n";
        assert_eq!(parse_throttled_us(v2), Some(1_500));
        let v1 = "nr_periods 3\nnr_throttled 2\nthrottled_time 1500000\n";
        assert_eq!(parse_throttled_us(v1), Some(1_500));
        assert_eq!(parse_throttled_us("usage_usec 9\n"), None);
    }
}
