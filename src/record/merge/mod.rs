//! Several records into one: parts of a run on several machines, or runs of the same thing.
//!
//! Exact: histograms are added count by count, their sums, least and greatest times too. Percentiles are computed from the
//! sums, never from percentiles. The seconds are joined on one time axis, on which each record has an offset.
//!
//! Reading order: `whole` ([`merge`]), `run` (what was done), `figures` (steps, polls, spans, failures), `series` (the
//! seconds), `generator`, `tls`, `watched`; [`align`] (the offsets, from the clocks), [`together`] (what is said of parts that should have
//! run together).

pub mod align;
mod error;
mod figures;
mod generator;
mod run;
mod series;
mod tls;
pub mod together;
mod watched;
mod whole;

pub use error::MergeError;
pub(in crate::record) use whole::exit_code;
pub use whole::merge;

#[cfg(test)]
pub(crate) mod drawn;
#[cfg(test)]
mod tests;
