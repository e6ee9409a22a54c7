//! What impairs the stand-in on purpose: a known capacity and faults, shared by its threads.

use std::sync::atomic::AtomicBool;

use super::capacity::Workers;
use super::config::MockConfig;
use super::faults::Faults;

/// What impairs the stand-in.
pub(super) struct Impairments {
    pub workers: Option<Workers>,
    pub faults: Option<Faults>,
    /// The listening socket is shut down, to refuse connections.
    pub is_refusing: AtomicBool,
}

impl Impairments {
    /// `None` when the stand-in has neither a capacity nor faults.
    pub fn new(config: &MockConfig) -> Option<Self> {
        let workers = config.capacity.map(Workers::new);
        let faults = Some(&config.faults).filter(|faults| !faults.is_empty());
        (workers.is_some() || faults.is_some()).then(|| Self {
            workers,
            faults: faults.map(Faults::new),
            is_refusing: AtomicBool::new(false),
        })
    }
}
