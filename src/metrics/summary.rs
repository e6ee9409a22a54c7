//! All shards added up, and the run second by second in bounded memory.

use super::interval::{Interval, StepInterval};
use super::latencies::Latencies;
use super::recorder::Counts;

/// Most samples in a series. When it is full, neighbours are joined and samples become twice as long: a day at one
/// second would be 86,400 of them.
const SAMPLES_MAX: usize = 4096;
/// Shortest sample: what a run has left over after its last full second is often a millisecond.
const SAMPLE_NS_MIN: u64 = 500_000_000;

/// What a run measured.
#[derive(Debug)]
pub struct Summary {
    /// Counts and histograms.
    pub counts: Counts,
    /// The run in time.
    pub series: Series,
}

/// Samples one after the other.
#[derive(Clone, Debug)]
pub struct Series {
    samples: Vec<Sample>,
    samples_max: usize,
}

/// A stretch of the run.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Its end, since the start.
    pub end_ns: u64,
    /// Its length.
    pub length_ns: u64,
    /// Users at its end.
    pub users: u64,
    /// Time that the busiest shard was not asleep.
    pub working_ns: u64,
    /// By metric.
    pub steps: Vec<StepSample>,
}

/// One step's part of a sample, its histogram packed.
#[derive(Clone, Debug)]
pub struct StepSample {
    /// With an outcome, failures included.
    pub requests: u64,
    /// Failed.
    pub failures: u64,
    /// Of answers' bodies.
    pub body_bytes: u64,
    /// Response times, failures and cut-offs included: HdrHistogram V2, deflated.
    pub response_v2: Vec<u8>,
    /// Their exact sum, least and greatest.
    pub exact_ns: (u128, u64, u64),
}

impl Default for Series {
    fn default() -> Self {
        Self {
            samples: Vec::new(),
            samples_max: SAMPLES_MAX,
        }
    }
}

impl Series {
    /// The samples, in order.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// End of the last sample, since the start.
    pub fn end_ns(&self) -> u64 {
        self.samples.last().map_or(0, |last| last.end_ns)
    }

    /// Appends what happened up to `end_ns`. A rest too short for a rate of its own is joined to the sample before it.
    pub fn push(&mut self, end_ns: u64, interval: &Interval) {
        let begin_ns = self.end_ns();
        let sample = Sample {
            end_ns,
            length_ns: end_ns.saturating_sub(begin_ns),
            users: interval.users,
            working_ns: interval.working_ns,
            steps: interval.steps.iter().map(StepSample::pack).collect(),
        };
        if let Some(last) = self.samples.last_mut()
            && sample.length_ns < SAMPLE_NS_MIN
        {
            *last = last.join(&sample);
            return;
        }
        if self.samples.len() == self.samples_max {
            self.coarsen();
        }
        self.samples.push(sample);
    }

    fn coarsen(&mut self) {
        let pairs = self.samples.chunks(2).map(|pair| match pair {
            [first, second] => first.join(second),
            single => single[0].clone(),
        });
        self.samples = pairs.collect();
    }
}

impl Sample {
    fn join(&self, later: &Self) -> Self {
        let joined = self.steps.iter().zip(&later.steps).map(|(first, second)| {
            let mut sum = first.unpack();
            sum += &second.unpack();
            StepSample::pack(&sum)
        });
        Self {
            end_ns: later.end_ns,
            length_ns: self.length_ns + later.length_ns,
            users: later.users,
            working_ns: self.working_ns + later.working_ns,
            steps: joined.collect(),
        }
    }

    /// All steps added up.
    pub fn all(&self) -> StepInterval {
        let mut all = StepInterval::default();
        for step in &self.steps {
            all += &step.unpack();
        }
        all
    }
}

impl StepSample {
    fn pack(step: &StepInterval) -> Self {
        Self {
            requests: step.requests,
            failures: step.failures,
            body_bytes: step.body_bytes,
            response_v2: step.response.to_v2_deflate(),
            exact_ns: step.response.exact_ns(),
        }
    }

    /// With its histogram again.
    pub fn unpack(&self) -> StepInterval {
        let (sum_ns, min_ns, max_ns) = self.exact_ns;
        StepInterval {
            requests: self.requests,
            failures: self.failures,
            body_bytes: self.body_bytes,
            response: Latencies::from_v2_deflate(&self.response_v2, sum_ns, min_ns, max_ns)
                .expect("packed by this module"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_too_short_for_a_rate_joins_the_sample_before_it() {
        let mut series = Series::default();
        let mut interval = Interval::new(1);
        interval.steps[0].requests = 10;
        for end_ns in [1_000_000_000, 2_000_000_000, 2_000_400_000] {
            series.push(end_ns, &interval);
        }
        let [_, last] = series.samples() else {
            panic!("two samples");
        };
        assert_eq!(
            (last.end_ns, last.length_ns),
            (2_000_400_000, 1_000_400_000)
        );
        assert_eq!(last.all().requests, 20);
    }

    #[test]
    fn a_full_series_becomes_coarser_and_loses_no_count() {
        let mut series = Series {
            samples_max: 8,
            ..Series::default()
        };
        let mut requests = 0;
        for second in 1..=37u64 {
            let mut interval = Interval::new(1);
            interval.steps[0].requests = second;
            interval.steps[0].response.record(second * 1_000_000);
            requests += second;
            series.push(second * 1_000_000_000, &interval);
        }
        assert!(series.samples().len() <= 8);
        let all: Vec<StepInterval> = series.samples().iter().map(Sample::all).collect();
        assert_eq!(all.iter().map(|all| all.requests).sum::<u64>(), requests);
        assert_eq!(all.iter().map(|all| all.response.count()).sum::<u64>(), 37);
        let length_ns: u64 = series.samples().iter().map(|sample| sample.length_ns).sum();
        assert_eq!(length_ns, 37_000_000_000);
    }
}
