//! Encryption between a connection's HTTP and its socket: a driver on top of a driver. Pure.
//!
//! Plain HTTP does without: its shards use the driver of the kernel itself, and pay nothing for this room.
//!
//! Reading order:
//! - `tls`: [`Tls`], the driver that encrypts.
//! - `session`: one connection's encryption; the one file that drives rustls's connection. `outgoing`: what it has to send.
//! - `client`: what was asked for -> what handshakes are made of. `tickets`: sessions to be resumed. `chain`: the
//!   server's certificates, verified once a second. `certificate`: when one expires.
//! - `provider`: ring or AWS-LC.
//! - `failure`: errors of rustls -> kinds that are counted.

mod certificate;
mod chain;
mod client;
mod failure;
mod outgoing;
mod provider;
pub mod session;
mod tickets;
mod tls;

pub use client::{Refused, TlsClient, TlsSettings, Trust, Version, cipher_names};
pub use provider::PROVIDER;
pub use tls::{CONNECTION_BYTES, Tls, config_below};
