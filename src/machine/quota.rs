//! How much CPU time the control groups of this process allow it: a container's `--cpus`, a service's `CPUQuota=`.

use std::fs;
use std::path::{Path, PathBuf};

use super::cgroup::{ROOT, cpu_groups};

/// The CPU quota in cores, the tightest of this process's group and the groups above it; `None` without one.
pub fn cpu_quota_cores() -> Option<f64> {
    quota(
        &fs::read_to_string("/proc/self/cgroup").ok()?,
        Path::new(ROOT),
    )
}

/// The same for another process.
pub(super) fn cpu_quota_cores_of(pid: i32) -> Option<f64> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    quota(&groups, Path::new(ROOT))
}

/// Version 2 has quota and period in `cpu.max` (cgroup-v2.rst, "CPU Interface Files"), version 1 in two files
/// (sched-bwc.rst). A group is bound by every group above it too. Inside a container the path may be that of the host
/// while the root is the container's own group, so folders that do not exist are ignored.
fn quota(groups: &str, root: &Path) -> Option<f64> {
    let places = cpu_groups(groups).map(|(controllers, path)| {
        let mount = root.join(controllers);
        (mount, path.trim_matches('/').to_owned())
    });
    let groups = places.flat_map(|(mount, path)| {
        let ancestors: Vec<PathBuf> = Path::new(&path)
            .ancestors()
            .map(|path| mount.join(path))
            .collect();
        ancestors
    });
    groups.filter_map(|group| quota_of(&group)).reduce(f64::min)
}

fn quota_of(group: &Path) -> Option<f64> {
    let read = |name: &str| fs::read_to_string(group.join(name)).ok();
    let text = match read("cpu.max") {
        Some(text) => text,
        None => format!(
            "{} {}",
            read("cpu.cfs_quota_us")?.trim(),
            read("cpu.cfs_period_us")?
        ),
    };
    let (quota, period) = text.trim().split_once(' ')?;
    // "max" in version 2 and -1 in version 1 mean no quota.
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.trim().parse().ok()?);
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(groups: &str, files: &[(&str, &str)], expected: Option<f64>) {
        let root = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
        assert_eq!(quota(groups, root.path()), expected, "{groups} {files:?}");
    }

    #[test]
    fn the_tightest_quota_counts_in_both_versions() {
        check("0::/\n", &[("cpu.max", "50000 100000\n")], Some(0.5));
        check("0::/\n", &[("cpu.max", "max 100000\n")], None);
        check(
            "0::/a/b\n",
            &[
                ("a/b/cpu.max", "max 100000\n"),
                ("a/cpu.max", "300000 100000\n"),
            ],
            Some(3.0),
        );
        check(
            "0::/a/b\n",
            &[
                ("a/b/cpu.max", "200000 100000\n"),
                ("a/cpu.max", "300000 100000\n"),
            ],
            Some(2.0),
        );
        let host_path = "0::/system.slice/docker-7.scope\n";
        check(host_path, &[("cpu.max", "150000 100000\n")], Some(1.5));
        let v1 = "4:memory:/x\n2:cpu,cpuacct:/y\n0::/\n";
        let of_v1 = |quota| {
            [
                ("cpu,cpuacct/y/cpu.cfs_quota_us", quota),
                ("cpu,cpuacct/y/cpu.cfs_period_us", "100000\n"),
            ]
        };
        check(v1, &of_v1("250000\n"), Some(2.5));
        check(v1, &of_v1("-1\n"), None);
        check("", &[], None);
    }
}
