//! The processes behind one name, second by second: found again when they end, summed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use procfs::{Current, Uptime, ticks_per_second};

use super::counters::{Counted, Use};
use super::find::{What, add_children, cgroup_folder};
use super::reading::{Reading, per_s};

/// Readings between two searches for processes of a name that came later: a search reads all processes of the machine.
const READINGS_PER_SEARCH: u64 = 10;

/// The processes behind one name.
#[derive(Debug)]
pub struct Processes {
    what: What,
    /// What was found for the name itself; the others are children.
    roots: BTreeSet<i32>,
    counted: BTreeMap<i32, Counted>,
    readings: u64,
    read_at: Instant,
    /// The same moment in ticks since the machine's start.
    read_ticks: Option<u64>,
    /// CPU time that a control group counted, in seconds: what ended processes used is in it.
    cgroup_cpu_s: Option<f64>,
    /// Bytes received and sent, by network namespace other than this process's.
    network: BTreeMap<PathBuf, (f64, f64)>,
    /// Processes that came after the start.
    pub came: u64,
    /// Processes that ended.
    pub gone: u64,
}

impl Processes {
    /// Begins to count those that are there now.
    ///
    /// # Errors
    /// When there are none: the reason, then the cure.
    pub fn begin(what: What) -> Result<Self, String> {
        let roots: BTreeSet<i32> = what.roots()?.into_iter().collect();
        let mut processes = Self {
            cgroup_cpu_s: cgroup_cpu_s(&what),
            what,
            roots,
            counted: BTreeMap::new(),
            readings: 0,
            read_at: Instant::now(),
            read_ticks: None,
            network: BTreeMap::new(),
            came: 0,
            gone: 0,
        };
        processes.count_new();
        processes.came = 0;
        processes.read_ticks = now_ticks();
        processes.network_per_s(1.0);
        Ok(processes)
    }

    /// Ids of those that are there.
    pub fn pids(&self) -> impl Iterator<Item = i32> {
        self.counted.keys().copied()
    }

    /// Forgets what was used until now: the next reading begins here. Processes that ended or came meanwhile stay counted.
    pub fn restart(&mut self) {
        self.read();
        self.readings = 0;
    }

    /// What they did since the last reading. A process that ended since takes with it what it used after that.
    pub fn read(&mut self) -> Reading {
        let length_s = self.read_at.elapsed().as_secs_f64();
        self.read_at = Instant::now();
        self.readings += 1;
        let mut sum = Use {
            descriptors: Some(0.0),
            switches: Some(0.0),
            ..Use::default()
        };
        self.look_again();
        self.count_new();
        self.read_ticks = now_ticks();
        let mut gone = Vec::new();
        for (pid, counted) in &mut self.counted {
            match counted.read() {
                Some(used) => sum.add(&used),
                None => gone.push(*pid),
            }
        }
        self.gone += gone.len() as u64;
        for pid in gone {
            self.counted.remove(&pid);
        }
        if let Some(now_s) = cgroup_cpu_s(&self.what) {
            let before_s = self.cgroup_cpu_s.replace(now_s).unwrap_or(now_s);
            sum.cpu_s = per_s(before_s, now_s, 1.0);
        }
        let network = self.network_per_s(length_s);
        let per_s = |sum: f64| sum / length_s.max(1e-9);
        Reading {
            processes: self.counted.len() as f64,
            cpu_cores: Some(per_s(sum.cpu_s)),
            rss_bytes: Some(sum.rss_bytes),
            threads: Some(sum.threads),
            descriptors: sum.descriptors,
            context_switches_per_s: sum.switches.map(per_s),
            received_bytes_per_s: network.map(|(received, _)| received),
            sent_bytes_per_s: network.map(|(_, sent)| sent),
            cores: self.cores(sum.threads),
            redis: None,
        }
    }

    /// Looks for the name again when a process of it has gone, and now and then for those that came beside it.
    fn look_again(&mut self) {
        let has_gone = |pid: &i32| !self.counted.contains_key(pid);
        let is_due = match self.what {
            What::Own | What::Pid(_) => false,
            What::Cgroup(_) => true,
            What::Name(_) if self.readings.is_multiple_of(READINGS_PER_SEARCH) => true,
            _ => self.roots.is_empty() || self.roots.iter().any(has_gone),
        };
        if is_due {
            self.roots = self.what.roots().unwrap_or_default().into_iter().collect();
        }
    }

    /// Begins to count what is not counted yet.
    fn count_new(&mut self) {
        let mut pids = self.roots.clone();
        pids.extend(self.counted.keys());
        if !matches!(self.what, What::Own | What::Cgroup(_)) {
            add_children(&mut pids);
        }
        // A service that the generator's own process started may have it as a parent, never as a child.
        if self.what != What::Own {
            pids.remove(&(std::process::id() as i32));
        }
        for pid in pids {
            if !self.counted.contains_key(&pid)
                && let Some(counted) = Counted::begin(pid, self.read_ticks)
            {
                self.counted.insert(pid, counted);
                self.came += 1;
            }
        }
    }

    /// Cores that they may use together; `None` when it is not known.
    fn cores(&self, threads: f64) -> Option<f64> {
        let mut union: Vec<u32> = Vec::new();
        let mut quota: Option<f64> = None;
        let mut is_bounded = true;
        for counted in self.counted.values() {
            union.resize(union.len().max(counted.affinity.len()), 0);
            for (word, more) in union.iter_mut().zip(&counted.affinity) {
                *word |= more;
            }
            is_bounded &= counted.quota.is_some();
            quota = quota.into_iter().chain(counted.quota).reduce(f64::max);
        }
        let affinity: u32 = union.iter().map(|word| word.count_ones()).sum();
        let quota = quota.filter(|_| is_bounded).unwrap_or(f64::INFINITY);
        let online = super::super::cpu::online_cores().unwrap_or(usize::MAX) as f64;
        let cores = f64::from(affinity).min(online).min(quota).min(threads);
        (cores > 0.0).then_some(cores)
    }

    /// Bytes received and sent per second, where they can be told from the generator's own.
    fn network_per_s(&mut self, length_s: f64) -> Option<(f64, f64)> {
        let mut now = BTreeMap::new();
        for counted in self.counted.values() {
            if let Some(namespace) = &counted.other_network
                && !now.contains_key(namespace)
                && let Some(bytes) = counted.network_bytes()
            {
                now.insert(namespace.clone(), bytes);
            }
        }
        let before = std::mem::replace(&mut self.network, now);
        let rates = self.network.iter().filter_map(|(namespace, now)| {
            let before = before.get(namespace)?;
            Some((
                per_s(before.0, now.0, length_s),
                per_s(before.1, now.1, length_s),
            ))
        });
        rates.reduce(|sum, more| (sum.0 + more.0, sum.1 + more.1))
    }
}

impl Use {
    fn add(&mut self, more: &Self) {
        let both = |sum: Option<f64>, more: Option<f64>| Some(sum? + more?);
        self.cpu_s += more.cpu_s;
        self.rss_bytes += more.rss_bytes;
        self.threads += more.threads;
        self.descriptors = both(self.descriptors, more.descriptors);
        self.switches = both(self.switches, more.switches);
    }
}

fn now_ticks() -> Option<u64> {
    let up_s = Uptime::current().ok()?.uptime;
    Some((up_s * ticks_per_second() as f64) as u64)
}

/// CPU time of a control group and those below it, in seconds: `usage_usec` of version 2 (cgroup-v2.rst), `cpuacct.usage`
/// in nanoseconds of version 1 (cpuacct.rst).
fn cgroup_cpu_s(what: &What) -> Option<f64> {
    let What::Cgroup(path) = what else {
        return None;
    };
    let folder = cgroup_folder(path);
    let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
    let from_stat = |text: String| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("usage_usec "))?;
        Some(line.trim().parse::<f64>().ok()? / 1e6)
    };
    let from_account = || Some(read("cpuacct.usage")?.trim().parse::<f64>().ok()? / 1e9);
    read("cpu.stat").and_then(from_stat).or_else(from_account)
}
