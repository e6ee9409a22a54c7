//! What the numbers amount to, pure.
//!
//! Reading order: [`verdict`] says whether a run is to be believed, [`criteria`] whether a window of it was good.

pub mod criteria;
pub mod verdict;
