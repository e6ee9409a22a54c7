//! Report files that other tools read.

mod interval_log;
mod record_schema;
mod repeat;
