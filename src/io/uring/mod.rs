//! The fast path: one ring per shard, driven through the `io-uring` crate.
//!
//! One turn is one `io_uring_enter` that hands over every send of the turn and fetches what has completed meanwhile.
//! Only when nothing has, a second one sleeps. So a busy shard makes one system call for up to 256 requests, and the
//! time between two reaps without the second call is the true length of the turn.
//!
//! Reading order: `driver` ([`Uring`]: connections and what they submit), `completions` (what each completion does),
//! `queue` (the ring's two queues and its system call), `receive` (where received bytes land), `buffers` (the ring of
//! provided buffers), `messages` (sends in pieces), `setup` (which flags a ring is built with, and why).

mod buffers;
mod completions;
mod driver;
mod messages;
mod queue;
mod receive;
mod setup;

pub use driver::Uring;
pub use setup::Features;
