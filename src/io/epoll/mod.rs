//! The driver by readiness, for machines and containers that forbid io_uring.
//!
//! It has the shape of completions from outside: a send is queued and written at the next `wait`, with the batch;
//! readable bytes are read into pooled buffers before they are reported. Inside it is the classic edge-triggered loop:
//! a socket is read until a read is short of a full buffer, and what does not fit a turn stays on a list for the next.
//!
//! Reading order: `driver` ([`Epoll`]), `poller` (readiness, with deadlines in nanoseconds).

mod driver;
mod poller;

pub use driver::Epoll;
