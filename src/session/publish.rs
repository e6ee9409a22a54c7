//! Second -> Tick: what the live displays read.

use crate::engine::Second;
use crate::metrics::interval::StepInterval;
use crate::metrics::outcome::Failures;
use crate::metrics::seconds::Status;
use crate::metrics::tick::{Tick, Ticks};

/// Makes ticks of a run's seconds, while there are readers.
pub struct Publisher<'t> {
    ticks: &'t Ticks,
    number: u64,
    so_far: Vec<StepInterval>,
    failures: Failures,
}

impl<'t> Publisher<'t> {
    /// For a run of so many metrics.
    pub fn new(ticks: &'t Ticks, steps: usize) -> Self {
        Self {
            ticks,
            number: 0,
            so_far: vec![StepInterval::default(); steps],
            failures: Failures::default(),
        }
    }

    /// No second follows.
    pub fn close(&self) {
        self.ticks.close();
    }

    /// Publishes a second with the verdict so far, and the level of a search.
    pub fn publish(&mut self, second: &Second<'_>, verdict: Status, level: Option<f64>) {
        if !self.ticks.has_readers() {
            return;
        }
        self.number += 1;
        for (sum, step) in self.so_far.iter_mut().zip(&second.interval.steps) {
            *sum += step;
        }
        self.failures += &second.interval.failures;
        self.ticks.publish(Tick {
            number: self.number,
            begin_ns: second.begin_ns,
            end_ns: second.end_ns,
            load_from_ns: second.load_from_ns,
            second: second.interval.clone(),
            so_far: self.so_far.clone(),
            failures: self.failures,
            level,
            verdict,
        });
    }
}
