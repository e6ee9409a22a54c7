//! The record: what a run leaves behind.
//!
//! Reading order: [`schema`] (its fields), [`build`] (with `bounds`: intervals; made from what was measured, with [`distribution`] and [`hints`]),
//! [`comparison`] (records beside each other), [`files`] (reports on the disk), [`hdr`] (the interval log, which is written while the run lasts).

mod bounds;
pub mod build;
pub mod comparison;
pub mod distribution;
pub mod files;
pub mod hdr;
pub mod hints;
pub mod schema;
