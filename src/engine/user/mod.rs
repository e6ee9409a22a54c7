//! The virtual user, pure: (state, happening) -> action. Start steps, then the work loop, then last steps; a poll is a step
//! that is repeated until it succeeds. All of it is data of the scenario.
//!
//! When a request was *intended* to start is decided here, because the user's own history decides it
//! (`report` calls the time from then on the response time):
//! - the first step: when the user was spawned;
//! - a later step of the same pass: the step before was due at T and took the service time S, so T + S (plus the
//!   pause), however late the answer was noticed (HdrHistogram issue 148). After a failure: when it failed;
//! - the step after several that were sent at once: as if the slowest of them had been the step before;
//! - another attempt of a poll: one interval after the last attempt was due;
//! - a task after a wait: the end of that wait, which began with the answer before it.
//!
//! Reading order: `moves` (what a user is told, and what it wants), `state` (what it remembers), `acting` (its decisions), `flow`
//! (steps that are passed over or repeated), `together` (steps that are sent at once).

mod acting;
mod flow;
mod moves;
mod state;
#[cfg(test)]
mod tests;
mod together;

pub use acting::{Acting, Script};
pub use moves::{Action, AllAnswered, Answer, Happening, Move, PollEnd};
pub use state::{Leaving, Tally, User, task_over_ns};
