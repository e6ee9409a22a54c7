//! How connections were encrypted, and what the handshakes took.

use serde::{Deserialize, Serialize};

use super::distribution::Times;

/// How connections were encrypted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TlsRecord {
    /// `TLS 1.2` or `TLS 1.3`, as the handshake before the load agreed on.
    pub version: String,
    /// The cipher suite's registered name, as that handshake agreed on.
    pub cipher: String,
    /// What encrypted: `ring`, or `aws-lc-rs` in a program built with that feature; empty in older records.
    #[serde(default)]
    pub provider: String,
    /// The name that the server's certificate had to have.
    pub server_name: String,
    /// Certificates were not verified (`--insecure`): another server may have answered.
    pub insecure: bool,
    /// Sessions of earlier connections were offered again (`--tls-resume`).
    pub resume: bool,
    /// Times of full handshakes, from the open connection to the agreed keys; `count` is their number.
    pub full_us: Times,
    /// The same of handshakes that resumed an earlier session.
    pub resumed_us: Times,
    /// The first opening of all connections; absent for an open load, and for fewer than 100 connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening: Option<OpeningRecord>,
    /// `full_us` and `resumed_us` as a whole.
    pub histograms: TlsHistograms,
}

/// The first opening of all connections, and what was expected of it before the load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OpeningRecord {
    /// Connections that the load was to open.
    pub planned: u64,
    /// Connections that shook hands, up to `planned`.
    pub connections: u64,
    /// Seconds from the first connect to the last handshake's end.
    pub took_s: f64,
    /// Seconds that were expected, from what a full handshake with the target had cost before the load.
    pub expected_s: f64,
}

/// The distributions of handshakes: HdrHistogram V2, deflated, base64; microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsHistograms {
    /// The distribution of `full_us`.
    pub full: String,
    /// The distribution of `resumed_us`.
    pub resumed: String,
}
