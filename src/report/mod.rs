//! Record -> bytes. Reports are functions of the record alone, so that each can be made again, later, elsewhere.
//!
//! Reading order: [`output`] (the trait [`output::Report`]), then the forms: [`console`], [`csv`], [`html`].

pub mod console;
pub mod csv;
pub mod html;
pub mod output;
