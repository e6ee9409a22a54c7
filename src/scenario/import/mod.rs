//! Scenarios made from what people have: text in, TOML and notes out. Pure.
//!
//! 1. [`kind`] tells by content what a text is, or refuses it with the cure.
//! 2. One file per kind translates it into a [`draft`]: [`curl`] (words by `shell`, its variables by `shell_variables`), [`har`] (values that come back by
//!    `reuse`), [`openapi`] (bodies by `sample`, YAML by `yaml`), [`locust`] (values by `locust_values`, calls by
//!    `locust_calls`).
//!    What they share: `request` (methods, fields, bodies), `target` (URLs).
//! 3. [`hide`] replaces secrets by variables, in every kind.
//! 4. [`mod@write`] writes the draft as TOML, in one form.
//!
//! What is not translated becomes a note with its place. The TOML compiles without a change: a value that is not known is a
//! variable with the text `replace-me`.

pub mod curl;
pub mod draft;
pub mod har;
pub mod hide;
pub mod kind;
pub mod locust;
mod locust_calls;
mod locust_values;
pub mod openapi;
mod request;
mod reuse;
mod sample;
mod shell;
mod shell_variables;
mod target;
pub mod write;
mod yaml;
