//! What was measured, pure: [`outcome`] (how a request can end), [`latencies`] (a histogram with exact ends), `v2` (its
//! bytes), [`recorder`] (one per shard, on the hot path), [`interval`] (each second), [`effort`] (how the shards got on in
//! it), [`seconds`] (how far each is to be believed), [`summary`] (all added up), [`series`] (the run in time).

pub mod effort;
pub mod interval;
pub mod latencies;
pub mod outcome;
pub mod recorder;
pub mod seconds;
pub mod series;
pub mod summary;
pub mod tick;
mod v2;
