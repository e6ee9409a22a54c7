//! What a run leaves behind.
//!
//! Reading order: [`schema`], [`build`] (what was measured -> record), [`distribution`], [`hints`] (what failures mean), [`files`] (on the disk), [`hdr`] (the interval log, with
//! `hdr_payload`), which is written while the run lasts.

pub mod build;
pub mod distribution;
pub mod files;
pub mod hdr;
mod hdr_payload;
pub mod hints;
pub mod schema;
