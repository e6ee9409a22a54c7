//! What the numbers amount to, pure: [`verdict`] says whether a run is to be believed.

pub mod verdict;
