//! A window: the requests that ended in a stretch of time, and those open at its end, by metric.

use crate::metrics::interval::{Interval, SpanInterval, StepInterval, add_spans};

/// A stretch of time, over which rules are judged.
#[derive(Clone, Debug)]
pub struct Window {
    /// Its length.
    pub length_ns: u64,
    /// By metric, in the order of the steps that the rules were parsed with. `open` are the requests open at its end.
    pub steps: Vec<StepInterval>,
    /// By span of the scenario, as far as they were counted.
    pub spans: Vec<SpanInterval>,
    /// By metric: requests of `steps` that ended in the drain, and count in no rate.
    pub(super) drained: Vec<u64>,
}

impl Window {
    /// An empty one for so many steps.
    pub fn new(steps: usize) -> Self {
        Self {
            length_ns: 0,
            steps: vec![StepInterval::default(); steps],
            spans: Vec::new(),
            drained: vec![0; steps],
        }
    }

    /// Appends an interval of this length.
    pub fn add(&mut self, interval: &Interval, length_ns: u64) {
        self.append(&interval.steps, length_ns);
        add_spans(&mut self.spans, &interval.spans);
        if interval.is_drain {
            let steps = self.drained.iter_mut().zip(&interval.steps);
            steps.for_each(|(drained, step)| *drained += step.requests);
        }
    }

    /// Appends a later window.
    pub fn join(&mut self, later: &Self) {
        self.append(&later.steps, later.length_ns);
        add_spans(&mut self.spans, &later.spans);
        let drained = self.drained.iter_mut().zip(&later.drained);
        drained.for_each(|(drained, more)| *drained += more);
    }

    fn append(&mut self, steps: &[StepInterval], length_ns: u64) {
        self.length_ns += length_ns;
        for (step, more) in self.steps.iter_mut().zip(steps) {
            // A request that was open then has ended meanwhile, or is still open and older.
            step.open.clear();
            *step += more;
        }
    }

    /// The sum of these steps. It allocates histograms.
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

    /// The sum of all steps. It allocates histograms.
    pub fn all(&self) -> StepInterval {
        let mut all = StepInterval::default();
        for step in &self.steps {
            all += step;
        }
        all
    }
}
