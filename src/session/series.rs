//! Several runs of one command, one after the other: one listener for signals, and a pause between two runs.
//!
//! A signal during a run ends that run as always; during a pause it ends the pause. No further run is started then, and
//! the command reports the runs that there are.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::job::Job;
use super::run::Session;
use super::signals::Signals;

/// Longest time until a signal is noticed in a pause.
const LOOK: Duration = Duration::from_millis(20);

/// The runs of a command.
#[derive(Clone, Default)]
pub struct Series {
    /// The listener, from the first run on.
    signals: Option<Signals>,
}

impl Series {
    /// Listens for signals from now on, before the first run.
    ///
    /// # Errors
    /// When the machine gives no thread or no descriptor for it.
    #[cfg(feature = "locust")]
    pub fn listening() -> std::io::Result<Self> {
        let signals = Signals::listen(std::sync::Arc::default(), super::signals::Announce::Orders)?;
        signals.begin_series();
        Ok(Self {
            signals: Some(signals),
        })
    }

    /// Prepares the next run; the target is tried again.
    ///
    /// # Errors
    /// A limit of the machine or a refusal of the target, with the cure.
    pub fn prepare(&mut self, job: Job) -> Result<Session> {
        let session = Session::prepare_after(job, self.signals.clone())?;
        let signals = session.prepared.signals.clone();
        signals.begin_series();
        self.signals = Some(signals);
        Ok(session)
    }

    /// Whether a signal has come: no further run is to be started.
    pub fn is_interrupted(&self) -> bool {
        self.signals.as_ref().is_some_and(Signals::interrupted)
    }

    /// Sleeps for this time, or until a signal comes. Sockets in TIME_WAIT, caches and queues of the server settle
    /// meanwhile.
    pub fn pause(&self, pause: Duration) {
        let end = Instant::now() + pause;
        while !self.is_interrupted() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(LOOK));
        }
    }

    /// No run follows: from now on a signal ends the process.
    pub fn end(&self) {
        if let Some(signals) = &self.signals {
            signals.end_series();
        }
    }
}
