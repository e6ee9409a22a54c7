//! Record -> bytes. Reports are functions of the [`record`] alone, so that each can be made again, later, elsewhere.
//!
//! Reading order: [`record`], [`build`] (what was measured -> record), [`hints`], then the reports: [`console`] (with
//! [`units`]), [`csv`], [`live`]; [`hdr`] (with `hdr_payload`) is written while the run lasts; [`files`] puts them on the disk.

pub mod build;
pub mod console;
pub mod csv;
pub mod files;
pub mod hdr;
mod hdr_payload;
pub mod hints;
pub mod live;
pub mod record;
pub mod units;
