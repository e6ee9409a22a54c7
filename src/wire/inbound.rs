//! What received bytes are to the HTTP above: all of them as they came, or what an encrypted connection makes of them.
//!
//! The decoder is given plain text alone, so that it is the same for every wire. A wire answers with positions, not with
//! copies: plain text lies where its bytes were received, also when a wire decrypts them, since that is done in place.
//! Positions instead of a slice, because a piece may hold several answers, and between two of them the shard needs the
//! driver for itself.

use std::ops::Range;

/// How the bytes of a connection travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wire {
    /// As they are: `http` URLs and Unix sockets.
    #[default]
    Plain,
}

/// A plain connection holds nothing for its wire.
const _: () = assert!(size_of::<Wire>() == 0);

/// What a piece of received bytes is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// These of the bytes are plain text; an empty range if the rest of a piece has yet to come.
    Plain(Range<usize>),
}

impl Wire {
    /// Takes the next bytes that were received on the connection.
    #[inline]
    pub fn on_received(&mut self, bytes: &[u8]) -> Inbound {
        match self {
            Self::Plain => Inbound::Plain(0..bytes.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_wire_passes_every_byte_on_where_it_lies() {
        let bytes = b"HTTP/1.1 200 OK\r\n\r\n";
        for count in 0..=bytes.len() {
            let piece = &bytes[..count];
            assert_eq!(Wire::Plain.on_received(piece), Inbound::Plain(0..count));
        }
    }
}
