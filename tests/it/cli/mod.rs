//! The real binary over loopback: every command, its exit codes, and how it ends whatever happens.

mod commands;
mod endings;
mod faults;
mod headers;
mod load;
mod scenarios;
mod secrets;
