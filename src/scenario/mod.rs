//! What users do. Pure: text in, model out.
//!
//! Reading order: [`model`] (steps, tasks, waits), [`expect`] (the expected answer), [`mod@format`] (TOML text -> model),
//! `bind` (the model gets its target), then the parts of the model: [`value`], [`variables`], [`feeder`],
//! [`mod@pointer`], [`wait`], [`secrets`] and [`members`]. [`builtin`] holds the scenarios that come with the program.
//! [`canned`] makes the answers that a scenario expects.
//! [`import`] makes scenarios from what people have.

mod bind;
pub mod builtin;
pub mod canned;
pub mod expect;
pub mod feeder;
pub mod format;
pub mod import;
pub mod members;
pub mod model;
pub mod pointer;
pub mod secrets;
pub mod value;
pub mod variables;
pub mod wait;
