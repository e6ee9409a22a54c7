//! What users do. Pure: text in, model out.
//!
//! Reading order: [`model`] (steps, tasks, waits), [`kind`] with `kinds` (of users), [`expect`] (the expected answer), [`mod@format`] (TOML text -> model),
//! `bind` (the model gets its target), then the parts of the model: [`value`] (on `origin`, `calendar`, [`made`] and
//! [`digest`]), [`variables`], [`feeder`] (on [`rows`]), [`mod@pointer`], [`wait`], [`cookies`], [`links`], [`follow`], [`secrets`] and [`members`].
//! [`builtin`] holds the scenarios that come with the program.
//! [`canned`] makes the answers that a scenario expects.
//! [`import`] makes scenarios from what people have.

mod bind;
pub mod builtin;
mod calendar;
pub mod canned;
pub mod cookies;
pub mod digest;
pub mod expect;
pub mod feeder;
pub mod follow;
pub mod format;
pub mod import;
pub mod kind;
mod kinds;
pub mod links;
pub mod made;
pub mod members;
pub mod model;
mod origin;
pub mod pointer;
pub mod rows;
pub mod secrets;
pub mod value;
pub mod variables;
pub mod wait;
