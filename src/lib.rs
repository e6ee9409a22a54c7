//! `opsurge`: a load generator for HTTP/1.1 services.
pub mod engine;
pub mod http;
pub mod io;
pub mod metrics;
pub mod plan;
