//! What the machine is and did meanwhile, as /proc tells it.

use std::fs;

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
pub struct Ticks {
    all: u64,
    steal: u64,
}

impl Ticks {
    /// As they stand now; `None` where /proc does not tell.
    pub fn read() -> Option<Self> {
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
    pub fn steal_share_since(self, before: Self) -> f64 {
        let all = self.all.saturating_sub(before.all).max(1);
        self.steal.saturating_sub(before.steal) as f64 / all as f64
    }
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
}
