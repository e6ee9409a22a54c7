//! All integration tests but those that need a process or the machine for themselves: those stand beside this folder.
//!
//! `cargo test --test it` runs all, `cargo test --test it cli::endings::` those of one file.

mod support;

mod house;

mod analysis;
mod cli;
mod engine;
mod http;
mod io;
mod live;
mod load;
mod mock;
mod report;
mod scenario;
mod search;

mod docs;
mod fuzzed;
mod survival;

mod bench_responder;
