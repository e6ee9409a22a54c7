//! What on this machine limits or distorts a run: facts in, findings out. Pure.
//!
//! Reading order: [`facts`], [`finding`], [`judge`] (the order of the findings), then the findings by subject: `cpu`,
//! `time`, `kernel`, `network`, `encryption`.

mod cpu;
mod encryption;
pub mod facts;
pub mod finding;
pub mod judge;
mod kernel;
mod network;
mod time;
