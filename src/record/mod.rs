//! The record: what a run leaves behind.
//!
//! Reading order: [`schema`] (its fields), [`build`] (made from what was measured, with [`distribution`] and [`hints`]),
//! [`files`] (reports on the disk), [`hdr`] (the interval log, which is written while the run lasts).

pub mod build;
pub mod distribution;
pub mod files;
pub mod hdr;
pub mod hints;
pub mod schema;
