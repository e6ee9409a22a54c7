//! What keeps this machine and this process from running: the hypervisor, and the control group's quota.

use std::fs;

use super::throttling::Throttling;

/// The machine's CPU time since it started, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ticks {
    all: u64,
    steal: u64,
}

impl Ticks {
    /// The present values; `None` where /proc/stat cannot be read.
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

/// Measures, once a second, what kept this machine and this process from running.
#[derive(Debug)]
pub struct Hindrances {
    ticks: Option<Ticks>,
    throttling: Option<Throttling>,
}

/// What kept this machine and this process from running.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Hindered {
    /// Share of the machine's time that the hypervisor gave to others, 0 to 1, if known.
    pub steal_share: Option<f64>,
    /// Time in which the quota of CPU time was used up; `None` without a quota.
    pub throttled_us: Option<u64>,
}

impl Hindrances {
    /// Begins to measure now.
    pub fn start() -> Self {
        Self {
            ticks: Ticks::read(),
            throttling: Throttling::find(),
        }
    }

    /// What was measured since the last call, or since the start.
    pub fn since(&mut self) -> Hindered {
        let ticks = Ticks::read();
        let before = std::mem::replace(&mut self.ticks, ticks);
        let both = before.zip(ticks);
        Hindered {
            steal_share: both.map(|(before, now)| now.steal_share_since(before)),
            throttled_us: self.throttling.as_mut().and_then(Throttling::since),
        }
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
