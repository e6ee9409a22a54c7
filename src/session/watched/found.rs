//! What is to be watched, looked for before the run.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use anyhow::{Result, anyhow, bail};

use crate::machine::watched::find::{What, name_of};
use crate::machine::watched::processes::Processes;
use crate::machine::watched::redis::Redis;

use super::list::{Subject, Watch, WatchList};

/// Name of the generator's own process among the watched.
const OWN: &str = "opsurge";

/// What was found, ready to be sampled.
#[derive(Debug, Default)]
pub struct Found {
    pub sources: Vec<Source>,
}

/// One thing that is sampled.
#[derive(Debug)]
pub struct Source {
    /// Name in reports.
    pub name: String,
    /// What it is: `generator`, `port 8000`, `redis localhost:6379`.
    pub what: String,
    pub kind: Kind,
}

#[derive(Debug)]
pub enum Kind {
    Processes(Box<Processes>),
    Redis(Box<Redis>),
}

impl Found {
    /// Looks for everything that is named, then for what listens at the target's addresses. The generator comes first,
    /// unless nothing at all is to be watched.
    ///
    /// # Errors
    /// What was named and is not there, with the cure. A target that is not on this machine is no error.
    pub fn find(list: WatchList, targets: &[SocketAddr]) -> Result<Self> {
        if list.watches.is_empty() && !list.has_target {
            return Ok(Self::default());
        }
        let mut sources = Vec::new();
        let own = Subject::Processes(What::Own);
        sources.extend(
            Processes::begin(What::Own)
                .ok()
                .map(|own_process| Source::processes(OWN.into(), &own, own_process)),
        );
        for watch in list.watches {
            sources.push(Source::find(watch)?);
        }
        if list.has_target {
            let target = targets.iter().find_map(|address| at(*address));
            let is_known = |found: &Source| sources.iter().any(|source| source.covers(found));
            sources.extend(target.filter(|found| !is_known(found)));
        }
        told_apart(&mut sources)?;
        Ok(Self { sources })
    }
}

/// Gives a second source of the same name its kind as an addition.
///
/// # Errors
/// When that does not tell them apart either.
fn told_apart(sources: &mut [Source]) -> Result<()> {
    let mut names = BTreeSet::new();
    for source in sources {
        if !names.insert(source.name.clone()) {
            source.name = format!("{} ({})", source.name, source.what);
            if !names.insert(source.name.clone()) {
                bail!(
                    "--watch: two of them are called {}; give each a name: --watch NAME=WHAT",
                    source.name
                );
            }
        }
    }
    Ok(())
}

impl Source {
    fn find(watch: Watch) -> Result<Self> {
        let what = watch.subject.shown();
        let not_found = |reason: String| anyhow!("--watch {what}: {reason}");
        match watch.subject {
            Subject::Redis(address) => Ok(Self {
                name: watch.name.unwrap_or_else(|| "redis".into()),
                kind: Kind::Redis(Box::new(Redis::begin(address).map_err(not_found)?)),
                what,
            }),
            Subject::Processes(meant) => {
                let processes = Processes::begin(meant.clone()).map_err(not_found)?;
                let name = watch.name.unwrap_or_else(|| name(&meant, &processes));
                Ok(Self::processes(name, &Subject::Processes(meant), processes))
            }
        }
    }

    fn processes(name: String, subject: &Subject, processes: Processes) -> Self {
        Self {
            name,
            what: subject.shown(),
            kind: Kind::Processes(Box::new(processes)),
        }
    }

    /// It has all processes of the other.
    fn covers(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Processes(own), Kind::Processes(other)) => {
                let own: BTreeSet<i32> = own.pids().collect();
                other.pids().all(|pid| own.contains(&pid))
            }
            _ => false,
        }
    }
}

/// What listens at an address of this machine. What cannot be found or read is left out: it was not named.
fn at(address: SocketAddr) -> Option<Source> {
    if !is_of_this_machine(address.ip()) {
        return None;
    }
    let what = What::Port(address.port(), Some(address.ip()));
    let processes = Processes::begin(what.clone()).ok()?;
    let name = name(&what, &processes);
    Some(Source::processes(
        name,
        &Subject::Processes(what),
        processes,
    ))
}

/// Only an address of this machine can be bound to.
fn is_of_this_machine(ip: IpAddr) -> bool {
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}

/// The name for reports where none was given.
fn name(what: &What, processes: &Processes) -> String {
    let of_file = |path: &std::path::Path| {
        let file = path.file_name();
        file.map(|file| file.to_string_lossy().into_owned())
    };
    let name = match what {
        What::Own => None,
        What::Name(name) => Some(name.clone()),
        What::Cgroup(path) => of_file(path),
        What::Pid(_) | What::Port(..) => processes.pids().next().map(name_of),
    };
    let name = name.filter(|name| !name.is_empty());
    match name.as_deref() {
        // Another opsurge is the stand-in of `opsurge mock`, as a rule.
        Some(OWN) => format!("{OWN} ({})", Subject::Processes(what.clone()).shown()),
        _ => name.unwrap_or_else(|| Subject::Processes(what.clone()).shown()),
    }
}
