//! What happened in a stretch of time, by metric: what ended in it, and what is still open at its end.

use crate::metrics::interval::{Interval, StepInterval};

/// A stretch of time.
#[derive(Clone, Debug)]
pub struct Window {
    /// Its length.
    pub length_ns: u64,
    /// By metric, in the order of the steps that the rules were parsed with. `open` is that of its end.
    pub steps: Vec<StepInterval>,
    /// By metric: requests of `steps` that ended after the load did, and are in no rate.
    pub(super) drained: Vec<u64>,
}

impl Window {
    /// An empty one.
    pub fn new(steps: usize) -> Self {
        Self {
            length_ns: 0,
            steps: vec![StepInterval::default(); steps],
            drained: vec![0; steps],
        }
    }

    /// Appends a stretch of that length.
    pub fn add(&mut self, interval: &Interval, length_ns: u64) {
        self.append(&interval.steps, length_ns);
        if interval.is_drain {
            let steps = self.drained.iter_mut().zip(&interval.steps);
            steps.for_each(|(drained, step)| *drained += step.requests);
        }
    }

    /// Appends a later window.
    pub fn join(&mut self, later: &Self) {
        self.append(&later.steps, later.length_ns);
        let drained = self.drained.iter_mut().zip(&later.drained);
        drained.for_each(|(drained, more)| *drained += more);
    }

    fn append(&mut self, steps: &[StepInterval], length_ns: u64) {
        self.length_ns += length_ns;
        for (step, more) in self.steps.iter_mut().zip(steps) {
            // What was open then has ended meanwhile, or is open still and older.
            step.open.clear();
            *step += more;
        }
    }

    /// These steps added up; costs histograms, so it is not kept.
    pub fn sum(&self, steps: &[usize]) -> StepInterval {
        let mut sum = StepInterval::default();
        for &step in steps {
            sum += &self.steps[step];
        }
        sum
    }

    /// Requests of these steps that ended within the load.
    pub fn requests_in_load(&self, steps: &[usize]) -> u64 {
        let steps = steps.iter();
        steps
            .map(|&step| self.steps[step].requests - self.drained[step])
            .sum()
    }

    /// All steps added up, likewise.
    pub fn all(&self) -> StepInterval {
        let mut all = StepInterval::default();
        for step in &self.steps {
            all += step;
        }
        all
    }
}
