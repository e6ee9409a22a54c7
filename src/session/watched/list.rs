//! What is to be watched, as the job asks for it.

use crate::machine::watched::find::What;
use crate::machine::watched::redis::Address;

/// All that is to be watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchList {
    /// What was named.
    pub watches: Vec<Watch>,
    /// Whatever listens on the target's port of this machine is watched too, unless it is named already.
    pub has_target: bool,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// Name in reports; `None` takes that of what is found.
    pub name: Option<String>,
    /// What it is.
    pub subject: Subject,
}

/// What is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Processes of this machine.
    Processes(What),
    /// A Redis, wherever it is.
    Redis(Address),
}

impl Default for WatchList {
    fn default() -> Self {
        Self {
            watches: Vec::new(),
            has_target: true,
        }
    }
}

impl Subject {
    /// As messages and reports repeat it: `port 8000`, without secrets.
    pub fn shown(&self) -> String {
        match self {
            Self::Processes(What::Own) => "generator".into(),
            Self::Processes(What::Pid(pid)) => format!("process {pid}"),
            Self::Processes(What::Port(port, _)) => format!("port {port}"),
            Self::Processes(What::Name(name)) => format!("processes {name}"),
            Self::Processes(What::Cgroup(path)) => format!("cgroup {}", path.display()),
            Self::Redis(address) => format!("redis {}", address.shown()),
        }
    }
}
