//! All shards added up, and the samples of which the run in time is made.

use super::effort::Effort;
use super::interval::StepInterval;
use super::latencies::Latencies;
use super::recorder::Counts;
use super::seconds::Seconds;
use super::series::Series;

/// What a run measured.
#[derive(Debug)]
pub struct Summary {
    /// Counts and histograms.
    pub counts: Counts,
    /// The run in time.
    pub series: Series,
}

/// A stretch of the run.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Its end, since the start.
    pub end_ns: u64,
    /// Its length.
    pub length_ns: u64,
    /// It lies after the load's end, while open requests were waited for.
    pub is_drain: bool,
    /// Users at its end.
    pub users: u64,
    /// Time that the busiest shard worked.
    pub working_ns: u64,
    /// How the shards got on.
    pub effort: Effort,
    /// Its seconds, by how far each is to be believed.
    pub judged: Seconds,
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
    /// Answered by the server, as expected or not.
    pub answers: u64,
    /// Of answers' bodies.
    pub body_bytes: u64,
    /// Response times, failures and cut-offs included: HdrHistogram V2, deflated.
    pub response_v2: Vec<u8>,
    /// Their exact sum, least and greatest.
    pub exact_ns: (u128, u64, u64),
}

impl Sample {
    /// Two neighbours as one.
    pub fn join(&self, later: &Self) -> Self {
        let joined = self.steps.iter().zip(&later.steps).map(|(first, second)| {
            let mut sum = first.unpack();
            sum += &second.unpack();
            StepSample::pack(&sum)
        });
        let (mut effort, mut judged) = (self.effort, self.judged);
        effort += later.effort;
        judged += &later.judged;
        Self {
            end_ns: later.end_ns,
            length_ns: self.length_ns + later.length_ns,
            is_drain: later.is_drain,
            users: later.users,
            working_ns: self.working_ns + later.working_ns,
            effort,
            judged,
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
    /// With its histogram packed.
    pub fn pack(step: &StepInterval) -> Self {
        Self {
            requests: step.requests,
            failures: step.failures,
            answers: step.answers,
            body_bytes: step.body_bytes,
            response_v2: step.response.to_v2_deflate(),
            exact_ns: step.response.exact_ns(),
        }
    }

    /// With its histogram again. What was open at its end is not kept.
    pub fn unpack(&self) -> StepInterval {
        let (sum_ns, min_ns, max_ns) = self.exact_ns;
        StepInterval {
            requests: self.requests,
            failures: self.failures,
            answers: self.answers,
            body_bytes: self.body_bytes,
            open: Latencies::default(),
            response: Latencies::from_v2_deflate(&self.response_v2, sum_ns, min_ns, max_ns)
                .expect("packed by this module"),
            ..StepInterval::default()
        }
    }
}
