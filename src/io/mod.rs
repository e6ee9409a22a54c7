//! The kernel's side: one completion-shaped trait, and the two drivers that implement it on Linux.
//!
//! Reading order:
//! - `driver`: the trait [`Driver`] and its vocabulary: [`Event`], [`Io`], [`Received`], [`Turn`]. [`token`] has the
//!   [`ConnectionId`], and ties a completion to its operation. `tls_failure`: how encryption above a driver fails.
//! - `config`: what a driver is built from.
//! - [`uring`]: the fast path. [`epoll`]: the same by readiness, where io_uring is forbidden.
//! - `dial` and [`options`]: how a connection begins. `lingering`: how it ends. `send_buffers`: memory for requests.
//! - `backend`, [`probe`], `descriptors`, [`socket`], `wall_clock` and [`process`]: asked once, before the run starts.
//! - [`clock`]: the monotonic clock of a run.
//!
//! Another implementation of the trait, for tests, is [`crate::sim`].
//!
//! A driver knows sockets, bytes and time. It knows nothing of HTTP, users or steps, and uses no other room.

#![allow(
    unsafe_code,
    reason = "the ring and its buffers are shared with the kernel; nowhere else is"
)]

mod backend;
pub mod clock;
mod config;
mod descriptors;
mod dial;
mod driver;
pub mod epoll;
mod lingering;
pub mod options;
pub mod probe;
pub mod process;
mod send_buffers;
pub mod socket;
mod tls_failure;
pub mod token;
pub mod uring;
mod wall_clock;

pub use backend::{Backend, connection_bytes};
pub use config::DriverConfig;
pub use descriptors::{CLOSING_MAX, descriptors};
pub use dial::{Dialer, Sockets};
pub use driver::{Driver, EVENTS_MAX, Event, Handshake, INSERTS_MAX, Insert, Io, Received, Turn};
pub use lingering::{LINGERING_MAX, lingering_max};
pub use tls_failure::TlsFailure;
pub use token::ConnectionId;
pub use wall_clock::{WallClock, wall_clock};
