//! The live page: the report of a run that lasts, over HTTP, with its record, its metrics for Prometheus, and orders.
//!
//! Reading order: `thread` (start, end), `history` (what is known of the run), `board` (what all readers share), `reader`
//! (ticks -> history -> drawings), `server` (connections), `route` (a request -> an answer), `hosts` and `control` (who may
//! ask, and what for), `events` (an answer that lasts), `patience` (a reader that takes nothing), `prometheus` (/metrics).

mod board;
pub(crate) mod control;
mod events;
mod history;
mod hosts;
mod patience;
mod prometheus;
mod reader;
mod route;
mod server;
pub(crate) mod thread;
