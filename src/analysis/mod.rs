//! What the numbers amount to, pure.
//!
//! Reading order: [`verdict`] says whether a run is to be believed, by its [`seconds`] and their [`silence`];
//! [`criteria`] whether a window of it was good, [`windows`] which stretches of a run are windows, [`failing`] which steps
//! never worked, [`trend`] whether latency grows within a window, [`breaking_point`] which level of the load to measure
//! next, until it is known where a server breaks, [`student`] how sure a mean is.

pub mod breaking_point;
pub mod criteria;
pub mod failing;
pub mod seconds;
pub mod silence;
pub mod student;
pub mod trend;
pub mod verdict;
pub mod windows;
