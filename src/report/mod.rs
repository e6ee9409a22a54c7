//! Record -> bytes. Reports are functions of the record alone, so that each can be made again, later, elsewhere.
//!
//! Reading order: [`output`] (the trait [`output::Report`]), then the forms: [`console`], [`csv`], [`html`], [`markdown`],
//! [`junit`], [`annotations`]; what several of them say beside the figures: `remarks`.

pub mod annotations;
pub mod console;
pub mod csv;
pub mod html;
pub mod junit;
pub mod markdown;
pub mod output;
mod remarks;
