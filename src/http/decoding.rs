//! Coded bodies decoded, for checks and for values to extract; up to a bound.
//!
//! gzip and deflate use their memory again: they allocate with the first body, and when one is longer than all before
//! it. br and zstd allocate for each body.

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::coding::{Coding, DECODED_BYTES_MAX, Stop, Undecodable};

/// First bytes of a gzip member, with the one method that there is (RFC 1952 section 2.3).
const GZIP_MAGIC: &[u8] = b"\x1f\x8b\x08";
/// Checksum and length behind a gzip member.
const GZIP_TRAILER_BYTES: usize = 8;

/// A decoder, and the body that it decoded last.
#[derive(Debug, Default)]
pub struct BodyDecoder {
    body: Vec<u8>,
    inflater: Option<Box<Decompress>>,
}

impl BodyDecoder {
    /// Decodes a body of which `coded` was kept; [`BodyDecoder::body`] has the result. When its length, `bytes`, is
    /// greater, that is the beginning of the body.
    ///
    /// # Errors
    /// Why it cannot be decoded. The result is then the beginning that could be.
    pub fn decode(&mut self, coding: Coding, coded: &[u8], bytes: u64) -> Result<(), Undecodable> {
        self.body.clear();
        let decoded = match coding {
            Coding::Identity => {
                self.body.extend_from_slice(coded);
                Ok(())
            }
            // RFC 9110 section 8.4: an empty body is not coded.
            _ if coded.is_empty() => Ok(()),
            Coding::Gzip => self.gunzip(coded),
            Coding::Deflate => {
                let format = Format::of(coded);
                self.inflate(coded, format).map(|_| ())
            }
            #[cfg(feature = "codings")]
            Coding::Br => super::codings::unbrotli(coded, &mut self.body),
            #[cfg(feature = "codings")]
            Coding::Zstd => super::codings::unzstd(coded, &mut self.body),
            #[cfg(not(feature = "codings"))]
            Coding::Br | Coding::Zstd => return Err(Undecodable::NotBuilt(coding)),
            Coding::Other => return Err(Undecodable::Unknown),
        };
        let is_cut = bytes > coded.len() as u64;
        match decoded {
            Err(Stop::Unfinished) if is_cut => Ok(()),
            Err(Stop::Unfinished) => Err(Undecodable::Unfinished(coding)),
            Err(Stop::Corrupt) => Err(Undecodable::Corrupt(coding)),
            Err(Stop::TooLarge) => Err(Undecodable::TooLarge),
            Ok(()) => Ok(()),
        }
    }

    /// The body that was decoded last.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// All members of a gzip stream (RFC 1952 section 2.2).
    fn gunzip(&mut self, coded: &[u8]) -> Result<(), Stop> {
        let mut rest = coded;
        while !rest.is_empty() {
            rest = after_gzip_head(rest)?;
            let start = self.body.len();
            rest = &rest[self.inflate(rest, Format::Raw)?..];
            let Some((trailer, behind)) = rest.split_at_checked(GZIP_TRAILER_BYTES) else {
                return Err(Stop::Unfinished);
            };
            let mut sum = Crc::new();
            sum.update(&self.body[start..]);
            if trailer != [sum.sum().to_le_bytes(), sum.amount().to_le_bytes()].concat() {
                return Err(Stop::Corrupt);
            }
            rest = behind;
        }
        Ok(())
    }

    /// Appends the inflated bytes to the body; returns how many coded bytes were used.
    fn inflate(&mut self, coded: &[u8], format: Format) -> Result<usize, Stop> {
        let has_head = format == Format::Zlib;
        let inflater = self
            .inflater
            .get_or_insert_with(|| Box::new(Decompress::new(has_head)));
        inflater.reset(has_head);
        loop {
            let used = inflater.total_in() as usize;
            // One byte of room beyond the bound shows that there is more.
            if self.body.len() > DECODED_BYTES_MAX {
                return Err(Stop::TooLarge);
            }
            if self.body.len() == self.body.capacity() {
                let more = self.body.len().max(4 * coded.len());
                self.body
                    .reserve_exact(more.min(DECODED_BYTES_MAX + 1 - self.body.len()));
            }
            let before = (used, self.body.len());
            let rest = &coded[used..];
            let status = inflater.decompress_vec(rest, &mut self.body, FlushDecompress::None);
            let after = (inflater.total_in() as usize, self.body.len());
            match status {
                Err(_) => return Err(Stop::Corrupt),
                Ok(Status::StreamEnd) if after.1 > DECODED_BYTES_MAX => return Err(Stop::TooLarge),
                Ok(Status::StreamEnd) => return Ok(after.0),
                Ok(_) if after == before && after.0 == coded.len() => return Err(Stop::Unfinished),
                Ok(_) if after == before && after.1 < self.body.capacity() => {
                    return Err(Stop::Corrupt);
                }
                Ok(_) => {}
            }
        }
    }
}

/// What is around deflated bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// A head and a checksum (RFC 1950).
    Zlib,
    /// Nothing (RFC 1951).
    Raw,
}

impl Format {
    /// Bytes of zlib begin with the method 8, and a multiple of 31 in two bytes (RFC 1950 section 2.2).
    fn of(coded: &[u8]) -> Self {
        match coded {
            &[method, flags, ..]
                if method & 15 == 8 && u16::from_be_bytes([method, flags]) % 31 == 0 =>
            {
                Self::Zlib
            }
            _ => Self::Raw,
        }
    }
}

/// What follows the head of a gzip member (RFC 1952 section 2.3).
fn after_gzip_head(coded: &[u8]) -> Result<&[u8], Stop> {
    const HEAD_CHECKSUM: u8 = 2;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    let length = coded.len().min(GZIP_MAGIC.len());
    if coded[..length] != GZIP_MAGIC[..length] {
        return Err(Stop::Corrupt);
    }
    let flags = *coded.get(3).ok_or(Stop::Unfinished)?;
    let mut rest = coded.get(10..).ok_or(Stop::Unfinished)?;
    if flags & EXTRA != 0 {
        let bytes = rest.first_chunk().ok_or(Stop::Unfinished)?;
        let length = usize::from(u16::from_le_bytes(*bytes));
        rest = rest.get(2 + length..).ok_or(Stop::Unfinished)?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let end = rest.iter().position(|&byte| byte == 0);
            rest = &rest[end.ok_or(Stop::Unfinished)? + 1..];
        }
    }
    if flags & HEAD_CHECKSUM != 0 {
        rest = rest.get(2..).ok_or(Stop::Unfinished)?;
    }
    Ok(rest)
}

#[cfg(test)]
mod tests;
