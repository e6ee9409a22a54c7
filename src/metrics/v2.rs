//! HdrHistogram's V2 format, deflated (`AbstractHistogram.java`, `encodeIntoCompressedByteBuffer`): counts -> bytes ->
//! counts.
//!
//! The library can do both, but builds a histogram of all 23,552 counts and a new compressor for each. A record of 1,000
//! steps holds 4,000 histograms, and 1,000 more for each second. Here only the counts above zero are visited, and each
//! thread keeps its compressor. The bytes are the same as the library's: the tests compare them.
//!
//! A stream is a cookie, a length, and zlib around: a cookie, the length of the counts, fixed fields, and the counts by
//! index as zigzag numbers of 1 to 9 bytes. A negative number `-n` stands for `n` counts of zero.

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::layout::{COUNTS, DIGITS, US_MAX};

/// Cookie of a plain V2 stream with counts of variable length.
const COOKIE: u32 = 0x1c84_9303 | 0x10;
/// Cookie of a deflated V2 stream.
const COOKIE_DEFLATED: u32 = 0x1c84_9304 | 0x10;
/// Length of the outer head: cookie, length of the deflated stream.
const OUTER_BYTES: usize = 8;
/// Length of the inner head: cookie, length of the counts, index offset, digits, least, greatest, factor.
const INNER_BYTES: usize = 40;
/// Longest number.
const NUMBER_BYTES_MAX: usize = 9;
/// Longest inflated stream that can be a histogram of these counts.
const INFLATED_BYTES_MAX: usize = INNER_BYTES + COUNTS * NUMBER_BYTES_MAX;

thread_local! {
    static PACKER: RefCell<Packer> = RefCell::new(Packer {
        compress: Compress::new(Compression::default(), true),
        plain: Vec::new(),
    });
    static UNPACKER: RefCell<Unpacker> = RefCell::new(Unpacker {
        decompress: Decompress::new(true),
        plain: Vec::new(),
    });
}

/// A compressor with its buffer. Its tables are some hundred kilobytes, so each thread makes one and keeps it.
struct Packer {
    compress: Compress,
    plain: Vec<u8>,
}

struct Unpacker {
    decompress: Decompress,
    plain: Vec<u8>,
}

/// Encodes the counts above zero, given with their indices in ascending order.
pub(super) fn pack(recorded: impl Iterator<Item = (usize, u64)>) -> Vec<u8> {
    PACKER.with_borrow_mut(|packer| packer.pack(recorded))
}

/// Decodes: calls `on_count` with each index that has a count above zero.
///
/// # Errors
/// When the bytes are not a histogram of times from 1 us to 1 h with three digits.
pub(super) fn unpack(bytes: &[u8], on_count: impl FnMut(usize, u64)) -> Result<(), String> {
    UNPACKER.with_borrow_mut(|unpacker| unpacker.unpack(bytes, on_count))
}

impl Packer {
    fn pack(&mut self, recorded: impl Iterator<Item = (usize, u64)>) -> Vec<u8> {
        let plain = &mut self.plain;
        plain.clear();
        put_head(plain);
        let mut next = 0;
        for (index, count) in recorded {
            match index - next {
                0 => {}
                // The library writes a single count of zero as it is.
                1 => put_number(plain, 0),
                zeroes => put_number(plain, -(zeroes as i64)),
            }
            put_number(plain, i64::try_from(count).unwrap_or(i64::MAX));
            next = index + 1;
        }
        if next == 0 {
            put_number(plain, 0);
        }
        let counts_bytes = (plain.len() - INNER_BYTES) as u32;
        plain[4..8].copy_from_slice(&counts_bytes.to_be_bytes());

        let mut bytes = Vec::with_capacity(OUTER_BYTES + plain.len() + 64);
        bytes.extend(COOKIE_DEFLATED.to_be_bytes());
        bytes.extend([0; 4]);
        self.compress.reset();
        while !self.compress_rest(&mut bytes) {
            bytes.reserve(bytes.capacity());
        }
        let stream_bytes = (bytes.len() - OUTER_BYTES) as u32;
        bytes[4..8].copy_from_slice(&stream_bytes.to_be_bytes());
        bytes
    }

    /// Compresses into the spare capacity of `bytes`; `false` when there was no room for all.
    fn compress_rest(&mut self, bytes: &mut Vec<u8>) -> bool {
        let from = self.compress.total_in() as usize;
        let status = self
            .compress
            .compress_vec(&self.plain[from..], bytes, FlushCompress::Finish);
        matches!(status, Ok(Status::StreamEnd))
    }
}

impl Unpacker {
    fn unpack(&mut self, bytes: &[u8], mut on_count: impl FnMut(usize, u64)) -> Result<(), String> {
        let wrong = || "not a V2 histogram".to_owned();
        let outer = bytes.get(..OUTER_BYTES).ok_or_else(wrong)?;
        let stream_bytes = u32_at(outer, 4) as usize;
        let stream = bytes[OUTER_BYTES..].get(..stream_bytes);
        let stream = stream.ok_or_else(|| format!("{}: it is cut", wrong()))?;
        if u32_at(outer, 0) != COOKIE_DEFLATED {
            return Err(wrong());
        }
        self.inflate(stream)
            .map_err(|reason| format!("{}: {reason}", wrong()))?;
        let mut head = Vec::with_capacity(INNER_BYTES);
        put_head(&mut head);
        let (found, counts) = self.plain.split_at_checked(INNER_BYTES).ok_or_else(wrong)?;
        if found[..4] != head[..4] || found[8..] != head[8..] {
            let reason = "its times are not from 1 us to 1 h with three digits";
            return Err(format!("{}: {reason}", wrong()));
        }
        let counts = counts.get(..u32_at(found, 4) as usize);
        let mut counts = Numbers(counts.ok_or_else(wrong)?);
        let mut index = 0_usize;
        while !counts.0.is_empty() {
            let number = counts.next().ok_or_else(wrong)?;
            let (step, count) = match u64::try_from(number) {
                Ok(count) => (1, count),
                Err(_) => (number.unsigned_abs() as usize, 0),
            };
            if step > COUNTS - index {
                return Err(format!("{}: it has too many counts", wrong()));
            }
            if count > 0 {
                on_count(index, count);
            }
            index += step;
        }
        Ok(())
    }

    fn inflate(&mut self, stream: &[u8]) -> Result<(), &'static str> {
        self.decompress.reset(true);
        self.plain.clear();
        self.plain.reserve(4 * stream.len() + INNER_BYTES);
        loop {
            let before = (self.decompress.total_in(), self.plain.len());
            let status = self.decompress.decompress_vec(
                &stream[before.0 as usize..],
                &mut self.plain,
                FlushDecompress::None,
            );
            let is_stuck = before == (self.decompress.total_in(), self.plain.len());
            match status {
                Ok(Status::StreamEnd) => return Ok(()),
                Err(_) => return Err("it cannot be inflated"),
                Ok(_) if self.plain.len() > INFLATED_BYTES_MAX => return Err("it is too long"),
                Ok(_) if self.plain.len() == self.plain.capacity() => {
                    self.plain.reserve(self.plain.capacity());
                }
                Ok(_) if is_stuck => return Err("it is cut"),
                Ok(_) => {}
            }
        }
    }
}

/// Writes the inner head, with 0 for the length of the counts, which is not known yet.
fn put_head(plain: &mut Vec<u8>) {
    plain.extend(COOKIE.to_be_bytes());
    plain.extend([0; 8]);
    plain.extend(u32::from(DIGITS).to_be_bytes());
    plain.extend(1_u64.to_be_bytes());
    plain.extend(US_MAX.to_be_bytes());
    plain.extend(1.0_f64.to_be_bytes());
}

/// Writes a zigzag number: seven bits to a byte, the lowest first; the ninth byte has eight.
fn put_number(plain: &mut Vec<u8>, number: i64) {
    let mut rest = (number << 1 ^ number >> 63) as u64;
    for _ in 1..NUMBER_BYTES_MAX {
        if rest < 0x80 {
            break;
        }
        plain.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    plain.push(rest as u8);
}

/// The encoded counts that are still to be read.
struct Numbers<'b>(&'b [u8]);

impl Numbers<'_> {
    fn next(&mut self) -> Option<i64> {
        let mut value = 0;
        for place in 0..NUMBER_BYTES_MAX {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            let is_last = byte < 0x80 || place + 1 == NUMBER_BYTES_MAX;
            let bits = if place + 1 == NUMBER_BYTES_MAX {
                byte
            } else {
                byte & 0x7f
            };
            value |= u64::from(bits) << (7 * place);
            if is_last {
                break;
            }
        }
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests;
