//! TOML text -> model; every error carries its place and what would be right.
//!
//! Reading order: [`compile`] (the whole), `kinds` (of users), `step`, then its parts: `request` (with `fields`, `body` and
//! `multipart`), `answer` (with `checks` and `found`), `flow` (conditions, repetitions), `retry`, `spans`, `targets`, `hops`
//! (redirects), `together` (steps that are sent at once). Below them:
//! `load_table`, `csv`, `phase` (setup, load, teardown), `holes` (texts with holes, on `pieces`, `invented` and `site`; with
//! `functions` of values), `read` (durations, waits, files), `toml` (values with their places),
//! `foreign` (keys of other tools), [`place`] (errors), `context` (what is given beside the text).

mod answer;
mod body;
mod checks;
pub mod compile;
mod context;
mod csv;
mod fields;
mod flow;
mod foreign;
mod found;
mod functions;
pub(in crate::scenario) mod holes;
mod hops;
mod invented;
mod kinds;
mod load_table;
mod multipart;
mod phase;
mod pieces;
pub mod place;
mod read;
mod request;
mod retry;
mod site;
mod spans;
mod step;
mod targets;
mod together;
mod toml;
