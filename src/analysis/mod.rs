//! What the numbers amount to, pure.
//!
//! Reading order: [`verdict`] says whether a run is to be believed, [`criteria`] whether a window of it was good,
//! [`windows`] which stretches of a run are windows, [`breaking_point`] which level of the load to measure next, until
//! it is known where a server breaks.

pub mod breaking_point;
pub mod criteria;
pub mod failing;
pub mod verdict;
pub mod windows;
