//! What the numbers amount to, pure.
//!
//! Reading order: [`verdict`] says whether a run is to be believed, [`criteria`] whether a window of it was good,
//! [`breaking_point`] which level to measure next, until it is known where a server breaks.

pub mod breaking_point;
pub mod criteria;
pub mod verdict;
