//! A worker of a Locust master (2.x): ticks out as reports, the master's messages in as orders.
//!
//! Reading order: [`message`] PURE (MessagePack to and from values), [`figures`] PURE (ticks to a report's rows),
//! [`protocol`] PURE (what is answered, and when; every time limit), [`link`] (the thread of the ZeroMQ socket). `cli::worker` joins
//! them with the sessions that carry out the tests.

pub mod figures;
pub mod link;
pub mod message;
pub mod protocol;
