//! The real binary over loopback: every command, its exit codes, and its end under faults.

mod calibrate;
mod ci;
mod commands;
mod doctor;
mod endings;
mod faults;
mod habits;
mod headers;
mod https;
mod kinds;
mod load;
mod once;
mod packaged;
mod parts;
mod records;
mod repeat;
mod scenarios;
mod screen;
mod screen_endings;
mod secrets;
mod tls_secrets;
mod until;
mod watch;
#[cfg(feature = "locust")]
mod worker;
