//! Memory: how much this process has, and how much it may still take: what the machine has available, or less where its
//! control group has a limit.

use std::fs;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};

/// Memory that this process may still take, in bytes; `None` when it is not known.
pub fn free_bytes() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok();
    let machine = machine.and_then(|text| field_bytes(&text, "MemAvailable:"));
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let folders = groups.lines().flat_map(folders).filter_map(free_in);
    folders.chain(machine).min()
}

/// The folders with the limits of a line of /proc/self/cgroup: its own, and the root, which inside a container is the
/// container's own. Version 2 (`0::/a/b`) and the memory controller of version 1 (`4:memory:/a/b`).
fn folders(line: &str) -> Vec<String> {
    let root = match line.splitn(3, ':').collect::<Vec<_>>()[..] {
        ["0", "", path] => ("/sys/fs/cgroup", path),
        [_, controllers, path] if controllers.split(',').any(|name| name == "memory") => {
            ("/sys/fs/cgroup/memory", path)
        }
        _ => return Vec::new(),
    };
    vec![root.0.to_owned(), format!("{}{}", root.0, root.1)]
}

/// The memory that a folder's limit leaves. Inactive pages of files count as free: the kernel reclaims them first.
fn free_in(folder: String) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(format!("{folder}/{name}")).ok();
    let number = |name: &str| read(name)?.trim().parse::<u64>().ok();
    // `max` means no limit, and is not a number.
    let limit = number("memory.max").or_else(|| number("memory.limit_in_bytes"))?;
    let used = number("memory.current").or_else(|| number("memory.usage_in_bytes"))?;
    let stat = read("memory.stat").unwrap_or_default();
    let idle_files = stat
        .lines()
        .find_map(|line| line.strip_prefix("inactive_file "));
    let idle_files = idle_files.and_then(|bytes| bytes.parse().ok()).unwrap_or(0);
    Some(limit.saturating_sub(used.saturating_sub(idle_files)))
}

/// The largest resident memory of this process so far, in bytes. From /proc where possible: the maximum of getrusage
/// begins with that of the process which started this one (Linux carries it over an exec).
pub fn resident_bytes_max() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(bytes) = field_bytes(&status, "VmHWM:") {
        return bytes;
    }
    getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| usage.max_rss().max(0) as u64 * 1024)
}

/// Memory that this process may lock (RLIMIT_MEMLOCK), in bytes; `u64::MAX` without a limit.
pub fn locked_bytes_max() -> Option<u64> {
    Some(getrlimit(Resource::RLIMIT_MEMLOCK).ok()?.0)
}

/// The resident memory of this process now, in bytes; without /proc its largest so far.
pub fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    field_bytes(&status, "VmRSS:").unwrap_or_else(resident_bytes_max)
}

/// A field such as `MemAvailable:   21980160 kB` (proc_meminfo(5), proc_pid_status(5)), in bytes.
fn field_bytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_looked_for_where_a_group_and_a_container_have_them() {
        assert_eq!(
            folders("0::/user.slice"),
            ["/sys/fs/cgroup", "/sys/fs/cgroup/user.slice"]
        );
        assert_eq!(
            folders("4:memory:/app"),
            ["/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory/app"]
        );
        assert!(folders("8:pids:/").is_empty());
        assert!(folders("").is_empty());
    }

    #[test]
    fn available_memory_is_read() {
        let text = "MemTotal:  24683520 kB\nMemAvailable:   21980160 kB\n";
        assert_eq!(field_bytes(text, "MemAvailable:"), Some(21_980_160 * 1024));
        assert_eq!(field_bytes("", "MemAvailable:"), None);
    }
}
