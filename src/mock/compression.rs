//! Bodies of answers, compressed: for trying out clients that decode.

use std::io::Write;

use flate2::Compression as Level;
use flate2::write::{GzEncoder, ZlibEncoder};

/// How the stand-in codes the bodies of its answers (RFC 9110 section 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952.
    Gzip,
    /// RFC 1950.
    Deflate,
    /// RFC 8878.
    #[cfg(feature = "codings")]
    Zstd,
}

impl Compression {
    /// The value of `Content-Encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            #[cfg(feature = "codings")]
            Self::Zstd => "zstd",
        }
    }

    /// The coded bytes of a body.
    pub(super) fn encode(self, body: &[u8]) -> Vec<u8> {
        const WRITES: &str = "writing to memory succeeds";
        match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Level::default());
                encoder.write_all(body).expect(WRITES);
                encoder.finish().expect(WRITES)
            }
            Self::Deflate => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Level::default());
                encoder.write_all(body).expect(WRITES);
                encoder.finish().expect(WRITES)
            }
            #[cfg(feature = "codings")]
            Self::Zstd => {
                ruzstd::encoding::compress_to_vec(body, ruzstd::encoding::CompressionLevel::Fastest)
            }
        }
    }
}
