//! The seam between a connection's socket and its HTTP: bytes in, bytes out. Pure.

mod inbound;

pub use inbound::{Inbound, Wire};
