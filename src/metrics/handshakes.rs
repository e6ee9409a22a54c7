//! Handshakes of encrypted connections: full ones and resumed ones apart, since one costs twice the other.

use std::ops::AddAssign;

use super::latencies::Latencies;

/// Times of handshakes, from the open connection to the agreed keys. Their numbers are those of the histograms.
#[derive(Clone, Debug, Default)]
pub struct Handshakes {
    /// With certificate and key exchange.
    pub full: Latencies,
    /// With the session of an earlier connection: no certificate was sent or verified.
    pub resumed: Latencies,
}

impl Handshakes {
    /// Counts a handshake.
    pub fn record(&mut self, is_resumed: bool, took_ns: u64) {
        match is_resumed {
            true => self.resumed.record(took_ns),
            false => self.full.record(took_ns),
        }
    }
}

impl AddAssign<&Self> for Handshakes {
    fn add_assign(&mut self, other: &Self) {
        self.full += &other.full;
        self.resumed += &other.resumed;
    }
}
