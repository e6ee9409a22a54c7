//! `opsurge`: a load generator for HTTP/1.1 services.
pub mod analysis;
pub mod cli;
pub mod engine;
pub mod http;
pub mod io;
pub mod metrics;
pub mod mock;
pub mod plan;
pub mod report;
pub mod watch;
