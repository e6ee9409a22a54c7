//! What was measured, pure: [`outcome`] (how a request can end), [`latencies`] (a histogram with exact ends), `v2` (its
//! bytes), [`recorder`] (one per shard, on the hot path), [`interval`] (each second), [`summary`] (all added up),
//! [`series`] (the run in time).

pub mod interval;
pub mod latencies;
pub mod outcome;
pub mod recorder;
pub mod series;
pub mod summary;
mod v2;
