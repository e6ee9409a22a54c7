//! Args -> Job: the command line, validated.
//!
//! Reading order: [`options`] (what `run` and `search` share), [`run`], [`search`], [`calibrate`] and `worker` (their jobs),
//! [`repeat`], then single flags: [`part`], [`moment`], [`source`], [`sockets`], [`tls`], [`stand_in`], `watch`, `web`,
//! [`faults`], [`values`].

pub mod calibrate;
pub mod faults;
pub mod moment;
pub mod options;
pub mod part;
pub mod repeat;
pub mod run;
pub mod search;
pub mod sockets;
pub mod source;
pub mod stand_in;
pub mod tls;
pub mod values;
mod watch;
mod web;
#[cfg(feature = "locust")]
pub mod worker;
