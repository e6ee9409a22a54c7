//! TOML text -> model; every error carries its place and what would be right.
//!
//! Reading order: [`compile`], `step`, `request`, `answer`, `spans`, `text` (templates with holes), `toml` (values with their places),
//! [`place`] (errors).

mod answer;
pub mod compile;
pub mod place;
mod request;
mod spans;
mod step;
mod text;
mod toml;
