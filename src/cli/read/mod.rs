//! Args -> Job: the command line, validated.
//!
//! Reading order: [`options`] (what `run` and `search` share), [`run`] and [`search`] (their jobs), then single flags: [`part`], [`moment`], [`source`],
//! [`sockets`], [`stand_in`], [`faults`], [`values`].

pub mod faults;
pub mod moment;
pub mod options;
pub mod part;
pub mod run;
pub mod search;
pub mod sockets;
pub mod source;
pub mod stand_in;
pub mod values;
