//! What runs beside the load: processes and control groups of this machine, and a Redis, read once a second.
//!
//! Reading order: [`reading`] (what one second holds), [`find`] (which processes a word means), `counters` (what /proc
//! says of one process), [`processes`] (their sum, second by second), [`redis`] (INFO over a connection of its own).

mod counters;
pub mod find;
pub mod processes;
pub mod reading;
pub mod redis;
