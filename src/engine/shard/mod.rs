//! One core's share of a run: a loop of turns, and all the branching of the hot path.
//!
//! The life of a request, top to bottom: `begin` (a user wants to send) -> `on_joined` (the request is on a connection) ->
//! `submit` (rendered with the others of its batch, and handed to the driver) -> `on_event` (something came back) ->
//! `on_answered` or `break_off` (recorded, the connection given back) -> `act` (what the user does next).
//!
//! Reading order: `state` (what a [`Shard`] holds), `turns` (the loop), then what a turn consists of: `users`, `open_load`,
//! `outgoing`, `together`, `answers`, `failures`, `limits`; once a second `seconds`; at the end `ending`. Parts of a shard with rules of
//! their own have files of their own: `clocks`, `seats`, `companions`, `changes`, `timer`, `line_limits`, `phase`. `sums` is checked in
//! debug builds only.

mod answers;
mod changes;
mod clocks;
mod companions;
mod ending;
mod failures;
mod limits;
mod line_limits;
mod open_load;
mod outgoing;
mod phase;
mod seats;
mod seconds;
mod state;
mod sums;
mod timer;
mod together;
mod turns;
mod users;

pub use super::gate::Start;
pub use super::handover::{Handover, OnInterval};
pub use super::outcomes::Outcomes;
pub(super) use companions::GROUP_BYTES;
pub(super) use seats::{SEAT_BYTES, USER_BYTES};
pub use state::Shard;
pub(super) use timer::TIMERS_PER_SLOT;
