//! How much is asked of the server, and when. Pure: fixed before the run, or steered through pieces that every shard reads.
//!
//! Reading order: [`closed`] (users), [`open`] (arrivals), `pieces` (their lines), [`deal`] (what each shard gets),
//! [`random`] (draws by key, so that no order of events moves them).

pub mod closed;
pub mod deal;
pub mod open;
mod pieces;
pub mod random;
