//! What machine this is.

use std::fs;

/// The machine of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Model name of the processor.
    pub cpu: String,
    /// Release of the kernel.
    pub kernel: String,
    /// Name in the network.
    pub hostname: String,
    /// A number that the kernel draws when it boots: processes that read the same one share a clock.
    pub boot_id: String,
}

impl Machine {
    /// This machine. A field that cannot be read is empty.
    pub fn read() -> Self {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let hostname = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = info
            .lines()
            .find_map(|line| line.strip_prefix("model name"))
            .map(|rest| rest.trim_start_matches([' ', '\t', ':']));
        Self {
            cpu: cpu.unwrap_or_default().to_owned(),
            kernel: kernel.trim().to_owned(),
            hostname: hostname.trim().to_owned(),
            boot_id: boot_id.trim().to_owned(),
        }
    }
    /// Major and minor number of the kernel: `6.18.5-cloud` -> (6, 18).
    pub fn kernel_version(&self) -> Option<(u32, u32)> {
        let mut numbers = self.kernel.split(|c: char| !c.is_ascii_digit());
        let mut next = || numbers.next()?.parse().ok();
        Some((next()?, next()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_version_is_read_from_its_release() {
        let of = |release: &str| {
            let machine = Machine {
                kernel: release.to_owned(),
                ..Machine::default()
            };
            machine.kernel_version()
        };
        assert_eq!(of("6.18.5-cloud"), Some((6, 18)));
        assert_eq!(of("5.4.0-150-generic"), Some((5, 4)));
        assert_eq!(of(""), None);
    }
}
