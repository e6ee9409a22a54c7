//! The embedded Ops-Core stand-in. It shares no code with the client, so that neither can hide the other's mistakes.
//!
//! Reading order:
//! - `config` and `stand_in`: how it behaves, and [`Mock`], which starts and stops it.
//! - `thread`, `listener`, `unix`, `connection`: a thread with its runtime, its listening socket, its connections.
//! - `stream`, and with encryption `tls` and `tls_stream`: the bytes of a connection (`no_ring`: in place of tokio-uring
//!   on musl).
//! - `request`, `routes`, `bodies`, `ops_core`: bytes -> request -> answer, as Ops-Core gives it (`compression`: coded).
//! - `agents` (what is remembered) and [`counts`] (what was answered).
//! - `canned`, `canned_thread`, `canned_stream`, `canned_answer`: a second server, which sends answers made beforehand ([`CannedResponder`]).
//! - For answers that are delayed or spoiled: `impairments` (a known `capacity`, `faults`), `impaired_thread`,
//!   `impaired_connection`, and `alarm` (precise timers).

mod agents;
mod alarm;
mod bodies;
mod canned;
mod canned_answer;
mod canned_stream;
mod canned_thread;
mod capacity;
mod compression;
mod config;
mod connection;
pub mod counts;
mod faults;
mod impaired_connection;
mod impaired_thread;
mod impairments;
mod listener;
#[cfg(target_env = "musl")]
mod no_ring;
mod ops_core;
mod request;
mod routes;
mod stand_in;
mod stream;
mod thread;
mod tls;
mod tls_stream;
mod unix;

pub use canned::{CannedResponder, REQUEST_BYTES_MAX};
pub use canned_answer::{CannedAnswer, CannedUse};
pub use capacity::Capacity;
pub use compression::Compression;
pub use config::{MockConfig, Ready, Runtime};
pub use connection::CONNECTION_BYTES;
pub use faults::{Fault, FaultPlan, Recurring};
pub use stand_in::Mock;
pub use tls::{HandshakeFault, ServedCertificate, TlsConfig};
