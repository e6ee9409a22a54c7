//! Judgements on measurements. Pure.
//!
//! - [`verdict`]: whether the figures of a run can be believed; by its [`seconds`], and by [`silence`] (the server
//!   stopped answering).
//! - [`criteria`]: rules, judged over a window; [`windows`] (the stretches of a run that are windows), [`failing`] (steps
//!   that never worked), [`trend`] (whether latency grows within a window).
//! - [`breaking_point`]: the next level of a search; [`confidence`] (what a run bounds of a percentile and a mean);
//!   [`precision`] (whether it knows them well enough to end), [`warm_up`] (whether its beginning was slower);
//!   [`compare`] (whether two runs differ), [`spread`] (how much runs of one kind differ).
//! - `explanation`: each verdict with its thresholds and its cure, for people.
//! - `diagnosis`: what on a machine limits or distorts a run.

pub mod breaking_point;
pub mod compare;
pub mod confidence;
pub mod criteria;
pub(crate) mod diagnosis;
pub(crate) mod explanation;
pub mod failing;
pub mod precision;
pub mod seconds;
pub mod silence;
#[cfg(test)]
mod simulated_queue;
pub mod spread;
pub mod trend;
pub mod verdict;
pub mod warm_up;
pub mod windows;
