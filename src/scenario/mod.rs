//! What users do. Pure: text in, model out.
//!
//! Reading order: [`model`] (steps, tasks, waits), [`kind`] with `kinds` (of users), [`expect`] (the expected answer, with
//! [`check`], [`picked`] and [`excerpt`], on [`html`]), [`mod@format`] (TOML text -> model),
//! `bind` (the model gets its target), then the parts of the model: [`value`] (on `origin`, `calendar`, [`made`] and
//! [`digest`]), [`variables`], [`feeder`] (on [`rows`]), [`mod@pointer`], [`wait`], [`cookies`], [`links`], [`follow`],
//! [`elsewhere`] (on [`target`]), [`flow`] (on [`counter`]), [`retry`], [`secrets`] and [`members`].
//! [`builtin`] holds the scenarios that come with the program.
//! [`canned`] makes the answers that a scenario expects.
//! [`import`] makes scenarios from what people have.

mod bind;
pub mod builtin;
mod calendar;
pub mod canned;
pub mod check;
pub mod comparison;
pub mod cookies;
pub mod counter;
pub mod digest;
mod elements;
pub mod elsewhere;
pub mod excerpt;
pub mod expect;
pub mod facts;
pub mod feeder;
pub mod flow;
pub mod follow;
pub mod format;
pub mod html;
pub mod import;
pub mod kind;
mod kinds;
pub mod links;
pub mod made;
pub mod members;
pub mod model;
mod origin;
pub mod pattern;
pub mod picked;
pub mod pointer;
pub mod retry;
pub mod rows;
pub mod secrets;
pub mod sequence;
pub mod target;
pub mod value;
pub mod variables;
pub mod wait;
