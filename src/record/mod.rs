//! The record: what a run leaves behind.
//!
//! Reading order: [`schema`] (its fields), [`build`] (made from what was measured, with `bounds` for the intervals,
//! `load_rate`, [`distribution`], [`hints`], [`once`] and [`kinds`]), [`so_far`] (of a run that lasts), [`warm_up`] (whether its beginning was slower), [`mod@slice`] (a part of a run
//! as a record), [`comparison`] (records beside each other), [`merge`] (records into one), [`repeat`] (several runs of one job
//! as one), [`merge_runs`] (parts of several runs into one), [`longer_samples`] (a smaller record), [`files`] (reports on the disk), [`hdr`] (the interval log, which is
//! written while the run lasts).

mod bounds;
pub mod build;
pub mod comparison;
pub mod distribution;
pub mod files;
pub mod hdr;
pub mod hints;
mod joining;
pub mod kinds;
mod load_rate;
pub mod longer_samples;
pub mod merge;
pub mod merge_runs;
pub mod once;
pub mod repeat;
pub mod schema;
pub mod slice;
pub mod so_far;
pub mod warm_up;
