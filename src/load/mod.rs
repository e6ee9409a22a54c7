//! How much load is put on the server, and when. Pure: fixed before the run, or steered through pieces that every shard
//! reads.
//!
//! Reading order: `kind` ([`Load`]), [`closed`] (users), [`open`] (arrivals), `pieces` (their lines), [`deal`] (the part of
//! each shard), [`part`] (the part of each process), [`mix`] (kinds of users), [`random`] (draws by key, so that no order of events moves them).

pub mod closed;
pub mod deal;
mod kind;
pub mod mix;
pub mod open;
pub mod part;
mod pieces;
pub mod random;

pub use kind::Load;
