//! The live screen: ticks drawn on a terminal as charts and tables, and keys that change the run.
//!
//! Reading order: `thread` (start, loop, end), `history` (what is known of the run), `keys` (what a key does), `state`
//! (both, and what is shown of them), `view` (state -> cells), `charts` and `tables` (its panels), `terminal` (raw
//! mode, and the way back at every exit).

pub(super) mod charts;
pub(crate) mod history;
pub(crate) mod keys;
pub(crate) mod state;
pub(super) mod tables;
pub(crate) mod terminal;
pub(crate) mod thread;
pub(super) mod view;
