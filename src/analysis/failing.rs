//! Steps that have failed every time since their first request: a rule that they break says nothing about the load.

use crate::metrics::interval::Interval;

use super::criteria::REQUESTS_MIN;

/// The requests and failures of each step since the run began.
#[derive(Clone, Debug)]
pub struct Failing {
    /// By metric: requests with an outcome, and failures.
    counts: Vec<(u64, u64)>,
}

impl Failing {
    /// All zero, for so many steps.
    pub fn new(steps: usize) -> Self {
        Self {
            counts: vec![(0, 0); steps],
        }
    }

    /// Adds the counts of an interval.
    pub fn add(&mut self, interval: &Interval) {
        for ((requests, failures), step) in self.counts.iter_mut().zip(&interval.steps) {
            *requests += step.requests;
            *failures += step.failures;
        }
    }

    /// The steps that have failed every time, and at least ten times, by metric. Under a load at which every second
    /// request fails, a step fails its first ten by chance once in a thousand.
    pub fn always(&self) -> Vec<usize> {
        let counts = self.counts.iter().enumerate();
        counts
            .filter(|(_, (requests, failures))| requests == failures && *requests >= REQUESTS_MIN)
            .map(|(step, _)| step)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_fails_always_when_it_failed_ten_times_and_never_succeeded() {
        let mut failing = Failing::new(3);
        let mut second = Interval::new(3);
        for (step, failures) in second.steps.iter_mut().zip([9, 9, 0]) {
            (step.requests, step.failures) = (9, failures);
        }
        failing.add(&second);
        assert!(failing.always().is_empty(), "nine may be chance");
        (second.steps[0].requests, second.steps[1].requests) = (1, 1);
        (second.steps[0].failures, second.steps[1].failures) = (1, 0);
        failing.add(&second);
        assert_eq!(failing.always(), [0]);
    }
}
