//! Which processes a word means: an id, a port that is listened on, a name, a control group; and their children.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use procfs::net::{TcpNetEntry, TcpState};
use procfs::process::{FDTarget, Process, all_processes};

/// Most processes behind one name. A name that means more is a mistake, and reading them would take the generator's time.
const PROCESSES_MAX: usize = 1_024;
/// The kernel cuts a process's name to this many bytes (TASK_COMM_LEN less its zero).
const NAME_BYTES: usize = 15;
/// Where control groups are mounted.
const CGROUPS: &str = "/sys/fs/cgroup";

/// What is to be watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The generator's own process.
    Own,
    /// The process with this id, and its children.
    Pid(i32),
    /// The processes that listen on this TCP port, and their children. With an address, only those that connections to
    /// it reach.
    Port(u16, Option<IpAddr>),
    /// The processes with this name, and their children: the kernel's name of them, or the file name of their program or
    /// of the script that it runs.
    Name(String),
    /// The processes of this control group and those below it.
    Cgroup(PathBuf),
}

impl What {
    /// The processes that are there now, ascending, without this one (unless [`What::Own`]).
    ///
    /// # Errors
    /// When there are none: the reason, then the cure.
    pub fn roots(&self) -> Result<Vec<i32>, String> {
        let own = std::process::id() as i32;
        let mut pids = match self {
            Self::Own => return Ok(vec![own]),
            Self::Pid(pid) => of_pid(*pid)?,
            Self::Port(port, ip) => of_port(*port, *ip)?,
            Self::Name(name) => of_name(name)?,
            Self::Cgroup(folder) => of_cgroup(folder)?,
        };
        pids.remove(&own);
        if pids.is_empty() {
            return Err("that is opsurge itself, which is always watched; name another one".into());
        }
        Ok(pids.into_iter().take(PROCESSES_MAX).collect())
    }
}

/// The name that the kernel has for a process; empty when it has gone.
pub fn name_of(pid: i32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.trim_end().to_owned()
}

/// Adds the children of processes, and theirs. A child that ends between two calls is missed.
pub(super) fn add_children(pids: &mut BTreeSet<i32>) {
    let mut next: Vec<i32> = pids.iter().copied().collect();
    while let Some(pid) = next.pop() {
        if pids.len() >= PROCESSES_MAX {
            return;
        }
        for child in children(pid) {
            if pids.insert(child) {
                next.push(child);
            }
        }
    }
}

/// Each thread has its own list of the children that it started (proc_pid_task_tid_children(5)).
fn children(pid: i32) -> Vec<i32> {
    let mut found = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
    {
        let Ok(thread) = thread else { continue };
        let text = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        found.extend(
            text.split_whitespace()
                .filter_map(|pid| pid.parse::<i32>().ok()),
        );
    }
    found
}

fn of_pid(pid: i32) -> Result<BTreeSet<i32>, String> {
    match Process::new(pid) {
        Ok(_) => Ok(BTreeSet::from([pid])),
        Err(_) => Err(format!(
            "there is no process {pid}; pgrep -f NAME finds the id of one that runs"
        )),
    }
}

/// The kernel lists sockets with their inodes; the links of /proc/PID/fd say whose they are.
fn of_port(port: u16, ip: Option<IpAddr>) -> Result<BTreeSet<i32>, String> {
    let tables = [procfs::net::tcp(), procfs::net::tcp6()];
    let sockets = tables.into_iter().flatten().flatten();
    let is_meant = |socket: &TcpNetEntry| {
        let listens = socket.state == TcpState::Listen && socket.local_address.port() == port;
        listens && ip.is_none_or(|ip| is_reached(socket.local_address.ip(), ip))
    };
    let inodes: BTreeSet<u64> = sockets
        .filter(is_meant)
        .map(|socket| socket.inode)
        .collect();
    if inodes.is_empty() {
        return Err(format!(
            "no process of this machine listens on port {port}; start the service first"
        ));
    }
    let mut pids = BTreeSet::new();
    for process in all_processes().into_iter().flatten().flatten() {
        let Ok(descriptors) = process.fd() else {
            continue;
        };
        let mut targets = descriptors.flatten().map(|descriptor| descriptor.target);
        if targets.any(|to| matches!(to, FDTarget::Socket(inode) if inodes.contains(&inode))) {
            pids.insert(process.pid());
        }
    }
    match pids.is_empty() {
        true => Err(format!(
            "the process that listens on port {port} belongs to another user, or is in a container; run opsurge as root, or name the process"
        )),
        false => Ok(pids),
    }
}

/// A connection to `ip` reaches a socket that listens on `listening`.
fn is_reached(listening: IpAddr, ip: IpAddr) -> bool {
    match listening {
        _ if listening == ip => true,
        IpAddr::V4(listening) => listening.is_unspecified() && ip.is_ipv4(),
        // Unless it says otherwise, such a socket takes IPv4 too (ipv6(7), IPV6_V6ONLY).
        IpAddr::V6(listening) => {
            listening.is_unspecified() || listening.to_ipv4_mapped().map(IpAddr::V4) == Some(ip)
        }
    }
}

fn of_name(name: &str) -> Result<BTreeSet<i32>, String> {
    let processes = all_processes().into_iter().flatten().flatten();
    let named = processes.filter(|process| is_named(process, name));
    let pids: BTreeSet<i32> = named.map(|process| process.pid()).collect();
    match pids.is_empty() {
        true => Err(format!(
            "no process is called {name}; ps -eo pid,comm lists the names"
        )),
        false => Ok(pids),
    }
}

fn is_named(process: &Process, name: &str) -> bool {
    let short = &name.as_bytes()[..name.len().min(NAME_BYTES)];
    if name_of(process.pid()).as_bytes() == short && name.len() <= NAME_BYTES {
        return true;
    }
    // `/usr/bin/python3 /srv/bin/uvicorn app:app` is called uvicorn too.
    let words = process.cmdline().unwrap_or_default();
    let mut files = words.iter().take(2);
    files.any(|word| Path::new(word).file_name().is_some_and(|file| file == name))
}

fn of_cgroup(folder: &Path) -> Result<BTreeSet<i32>, String> {
    let folder = cgroup_folder(folder);
    let shown = folder.display();
    if fs::metadata(folder.join("cgroup.procs")).is_err() {
        return Err(format!(
            "{shown} is no control group; systemd-cgls lists them, below {CGROUPS}"
        ));
    }
    let mut pids = BTreeSet::new();
    let mut next = vec![folder.clone()];
    while let Some(folder) = next.pop() {
        let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        pids.extend(text.lines().filter_map(|pid| pid.parse::<i32>().ok()));
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        next.extend(below.map(|entry| entry.path()));
    }
    // 0 stands for processes of another process namespace.
    pids.remove(&0);
    match pids.is_empty() {
        true => Err(format!("the control group {shown} has no process")),
        false => Ok(pids),
    }
}

/// A path is that of the folder, or begins at the root of control groups, as /proc/PID/cgroup has it.
pub(super) fn cgroup_folder(path: &Path) -> PathBuf {
    match path.starts_with(CGROUPS) {
        true => path.to_owned(),
        false => Path::new(CGROUPS).join(path.strip_prefix("/").unwrap_or(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_reached_by_its_own_address_and_by_any_address() {
        let check = |listening: &str, ip: &str, expected| {
            let parse = |ip: &str| ip.parse::<IpAddr>().expect("an address");
            assert_eq!(
                is_reached(parse(listening), parse(ip)),
                expected,
                "{listening} {ip}"
            );
        };
        check("127.0.0.1", "127.0.0.1", true);
        check("0.0.0.0", "127.0.0.1", true);
        check("::", "127.0.0.1", true);
        check("::", "::1", true);
        check("::ffff:127.0.0.1", "127.0.0.1", true);
        check("0.0.0.0", "::1", false);
        check("127.0.0.2", "127.0.0.1", false);
    }

    #[test]
    fn a_control_group_is_named_by_its_folder_or_by_its_path_below_the_root() {
        let folder = |path: &str| cgroup_folder(Path::new(path));
        let expected = Path::new("/sys/fs/cgroup/system.slice/redis.service");
        for path in [
            "/sys/fs/cgroup/system.slice/redis.service",
            "/system.slice/redis.service",
            "system.slice/redis.service",
        ] {
            assert_eq!(folder(path), expected);
        }
    }

    #[test]
    fn this_process_is_found_by_its_id_and_refused() {
        let refused = What::Pid(std::process::id() as i32).roots();
        assert!(refused.is_err_and(|reason| reason.contains("itself")));
        assert_eq!(What::Own.roots(), Ok(vec![std::process::id() as i32]));
    }

    #[test]
    fn what_is_not_there_is_refused_with_a_cure() {
        let refused = |what: What| what.roots().expect_err("it is not there");
        // The kernel's own upper bound of ids is 2^22.
        assert!(refused(What::Pid(i32::MAX)).contains("there is no process 2147483647; pgrep"));
        assert!(refused(What::Name("no-such-process".into())).contains("ps -eo pid,comm"));
        assert!(refused(What::Cgroup("no/such".into())).contains("/sys/fs/cgroup/no/such"));
    }
}
