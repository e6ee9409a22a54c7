//! The record's series of seconds, added up again.

use std::ops::AddAssign;

use anyhow::{Result, anyhow};

use crate::metrics::latencies::Latencies;
use crate::record::distribution::add_sample;
use crate::record::schema::SampleRecord;

/// How samples are added up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Steps {
    /// All steps as one.
    Together,
    /// All steps as one, and each step.
    Each,
}

/// Samples added up.
#[derive(Default)]
pub(super) struct Sums {
    pub all: Sum,
    /// By step; empty with [`Steps::Together`].
    pub steps: Vec<Sum>,
}

#[derive(Clone, Default)]
pub(super) struct Sum {
    pub requests: u64,
    pub failures: u64,
    pub body_bytes: u64,
    pub length_s: f64,
    /// Response times, failures included.
    pub latencies: Latencies,
}

impl Sums {
    /// Unpacks a sample.
    ///
    /// # Errors
    /// When a histogram of the record was damaged.
    pub fn of(sample: &SampleRecord, steps: Steps) -> Result<Self> {
        let mut sums = Self::default();
        for step in &sample.steps {
            let mut sum = Sum {
                requests: step.requests,
                failures: step.failures,
                body_bytes: step.body_bytes,
                length_s: sample.length_s,
                latencies: Latencies::default(),
            };
            add_sample(&mut sum.latencies, step)
                .map_err(|reason| anyhow!("the record's series: {reason}"))?;
            sums.all += &sum;
            if steps == Steps::Each {
                sums.steps.push(sum);
            }
        }
        // The steps of a sample cover the same stretch of time.
        sums.all.length_s = sample.length_s;
        Ok(sums)
    }
}

impl AddAssign<&Self> for Sums {
    fn add_assign(&mut self, other: &Self) {
        self.all += &other.all;
        let steps = self.steps.len().max(other.steps.len());
        self.steps.resize(steps, Sum::default());
        for (sum, more) in self.steps.iter_mut().zip(&other.steps) {
            *sum += more;
        }
    }
}

impl AddAssign<&Self> for Sum {
    fn add_assign(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failures += other.failures;
        self.body_bytes += other.body_bytes;
        self.length_s += other.length_s;
        self.latencies += &other.latencies;
    }
}
