//! The result of a run: the counts of all shards added up, and the run over time.

use super::recorder::Counts;
use super::series::Series;

pub use super::sample::{Sample, StepSample};

/// What a run measured.
#[derive(Debug)]
pub struct Summary {
    /// Counts and histograms of the whole run.
    pub counts: Counts,
    /// The run over time.
    pub series: Series,
}
