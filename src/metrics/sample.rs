//! A stretch of the run as it is kept: its counts, and its histograms packed.

use super::effort::Effort;
use super::interval::StepInterval;
use super::seconds::{Causes, Seconds};

/// A stretch of the run.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Its end, since the start.
    pub end_ns: u64,
    /// Its length.
    pub length_ns: u64,
    /// It lies in the drain: after the load's end, while open requests are waited for.
    pub is_drain: bool,
    /// Users present at its end.
    pub users: u64,
    /// Requests under way at its end.
    pub in_flight: u64,
    /// Time that the busiest shard worked.
    pub working_ns: u64,
    /// The work of the shards.
    pub effort: Effort,
    /// Its seconds, by how far each can be believed.
    pub judged: Seconds,
    /// The causes of doubt that were found in them.
    pub causes: Causes,
    /// By metric.
    pub steps: Vec<StepSample>,
}

/// One step's part of a sample, its histograms packed.
#[derive(Clone, Debug)]
pub struct StepSample {
    /// Requests with an outcome, failures included.
    pub requests: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Complete answers, expected or not.
    pub answers: u64,
    /// Bytes of the answers' bodies.
    pub body_bytes: u64,
    /// Response times, failures and cut-offs included, as [`Latencies::to_v2_deflate`] gives them.
    ///
    /// [`Latencies::to_v2_deflate`]: super::latencies::Latencies::to_v2_deflate
    pub response_v2: Vec<u8>,
    /// The exact sum, least and greatest of the response times.
    pub exact_ns: (u128, u64, u64),
    /// Service times of requests that did not fail, packed likewise.
    pub service_v2: Vec<u8>,
    /// The exact sum, least and greatest of the service times.
    pub service_exact_ns: (u128, u64, u64),
}

impl Sample {
    /// Two neighbouring samples as one.
    pub fn join(&self, later: &Self) -> Self {
        let joined = self.steps.iter().zip(&later.steps).map(|(first, second)| {
            let mut sum = first.unpack();
            sum += &second.unpack();
            StepSample::pack(&sum)
        });
        let (mut effort, mut judged) = (self.effort, self.judged);
        effort += later.effort;
        judged += &later.judged;
        let mut causes = self.causes;
        causes += &later.causes;
        Self {
            end_ns: later.end_ns,
            length_ns: self.length_ns + later.length_ns,
            is_drain: later.is_drain,
            users: later.users,
            in_flight: later.in_flight,
            working_ns: self.working_ns + later.working_ns,
            effort,
            judged,
            causes,
            steps: joined.collect(),
        }
    }

    /// All steps added up.
    pub fn all(&self) -> StepInterval {
        let mut all = StepInterval::default();
        for step in &self.steps {
            step.add_to(&mut all);
        }
        all
    }
}

impl StepSample {
    /// Packs the histograms of response and service times; the ages of open requests are dropped.
    pub fn pack(step: &StepInterval) -> Self {
        Self {
            requests: step.requests,
            failures: step.failures,
            answers: step.answers,
            body_bytes: step.body_bytes,
            response_v2: step.response.to_v2_deflate(),
            exact_ns: step.response.exact_ns(),
            service_v2: step.service.to_v2_deflate(),
            service_exact_ns: step.service.exact_ns(),
        }
    }

    /// The step's counts with the histograms unpacked, and no ages of open requests.
    pub fn unpack(&self) -> StepInterval {
        let mut step = StepInterval::default();
        self.add_to(&mut step);
        step
    }

    fn add_to(&self, sum: &mut StepInterval) {
        sum.requests += self.requests;
        sum.failures += self.failures;
        sum.answers += self.answers;
        sum.body_bytes += self.body_bytes;
        sum.response
            .add_v2_deflate(&self.response_v2, self.exact_ns)
            .expect("packed by this module");
        sum.service
            .add_v2_deflate(&self.service_v2, self.service_exact_ns)
            .expect("packed by this module");
    }
}
