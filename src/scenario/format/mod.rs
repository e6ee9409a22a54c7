//! TOML text -> model; every error carries its place and what would be right.
//!
//! Reading order: [`compile`] (the whole), `step`, then its parts: `request` (with `fields` and `body`), `answer`, `flow`
//! (conditions, repetitions), `retry`, `spans`, `hops` (redirects). Below them: `load_table`, `holes` (texts with holes, on `pieces`, `invented` and `site`; with
//! `functions` of values), `read` (durations, waits, files), `toml` (values with their places),
//! `foreign` (keys of other tools), [`place`] (errors), `context` (what is given beside the text).

mod answer;
mod body;
pub mod compile;
mod context;
mod fields;
mod flow;
mod foreign;
mod functions;
pub(in crate::scenario) mod holes;
mod hops;
mod invented;
mod load_table;
mod pieces;
pub mod place;
mod read;
mod request;
mod retry;
mod site;
mod spans;
mod step;
mod toml;
