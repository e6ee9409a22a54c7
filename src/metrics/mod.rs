//! Measurements. Pure: counted by shards, added up, packed.
//!
//! - [`outcome`]: how a request can end.
//! - [`latencies`]: a histogram of times; `layout` (its counts), `v2` (its bytes).
//! - [`counts`]: what is counted over a whole run, by step, span and kind of failure.
//! - [`interval`]: what is counted in a second; [`effort`] (what the shards worked in it), [`seconds`] (how far each
//!   second is to be believed).
//! - [`recorder`]: one per shard, on the hot path; counts into both.
//! - [`summary`]: the result of a run; [`series`] (the run over time), `sample` (an element of it).

pub mod counts;
pub mod effort;
pub mod handshakes;
pub mod interval;
pub mod latencies;
mod layout;
pub mod outcome;
pub mod recorder;
mod sample;
pub mod seconds;
pub mod series;
pub mod summary;
pub mod tick;
mod v2;
