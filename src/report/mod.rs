//! Record -> bytes. Reports are functions of the record alone, so that each can be made again, later, elsewhere.
//!
//! The reports: [`console`], [`csv`].

pub mod console;
pub mod csv;
