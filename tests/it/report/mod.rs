//! Report files that other tools read.

mod html;
mod interval_log;
mod record_schema;
mod repeat;
