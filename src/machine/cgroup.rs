//! The control groups of this process that limit its CPU time.

/// Where control groups are mounted.
pub(super) const ROOT: &str = "/sys/fs/cgroup";

/// The groups with CPU control among the lines of /proc/self/cgroup, as (controllers, path): the controllers of version
/// 1 name a folder below [`ROOT`]; version 2 has none.
pub(super) fn cpu_groups(lines: &str) -> impl Iterator<Item = (&str, &str)> {
    lines.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let is_cpu = controllers.split(',').any(|name| name == "cpu");
        (controllers.is_empty() || is_cpu).then_some((controllers, path))
    })
}
