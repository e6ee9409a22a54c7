//! HdrHistogram's V2 format, deflated (`AbstractHistogram.java`, `encodeIntoCompressedByteBuffer`): [`Latencies`] ->
//! bytes -> counts.
//!
//! The library can do both, by way of a histogram of all 23,552 counts and a new compressor for each. A record of 1,000
//! steps holds 4,000 of them and 1,000 more for each second; here only those counts are looked at that are not zero,
//! and a thread keeps its compressor. The library's bytes are the same to the last one: the tests hold them together.
//!
//! A stream is a cookie, a length and zlib around: a cookie, the length of the counts, fixed fields, and the counts by
//! index as zigzag numbers of 1 to 9 bytes. A negative one stands for so many counts of zero.

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::latencies::{COUNTS, DIGITS, Latencies, US_MAX};

/// Of V2 inside, with counts of variable length, and of a V2 that is deflated.
const COOKIE: u32 = 0x1c84_9303 | 0x10;
const COOKIE_DEFLATED: u32 = 0x1c84_9304 | 0x10;
/// Cookie and length of the deflated stream.
const OUTER_BYTES: usize = 8;
/// Cookie, length of the counts, index offset, digits, least, greatest, factor.
const INNER_BYTES: usize = 40;
/// Of one number at most.
const NUMBER_BYTES_MAX: usize = 9;
/// Of the whole, inflated: nothing longer is a histogram of these counts.
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

/// A compressor is some hundred kilobytes of tables: made once per thread.
struct Packer {
    compress: Compress,
    plain: Vec<u8>,
}

struct Unpacker {
    decompress: Decompress,
    plain: Vec<u8>,
}

/// To the format.
pub(super) fn pack(latencies: &Latencies) -> Vec<u8> {
    PACKER.with_borrow_mut(|packer| packer.pack(latencies))
}

/// From the format: each index with a count that is not zero.
///
/// # Errors
/// When the bytes are no histogram of times from 1 us to 1 h with three digits.
pub(super) fn unpack(bytes: &[u8], on_count: impl FnMut(usize, u64)) -> Result<(), String> {
    UNPACKER.with_borrow_mut(|unpacker| unpacker.unpack(bytes, on_count))
}

impl Packer {
    fn pack(&mut self, latencies: &Latencies) -> Vec<u8> {
        let plain = &mut self.plain;
        plain.clear();
        put_head(plain);
        let mut next = 0;
        for (index, count) in latencies.recorded() {
            match index - next {
                0 => {}
                // A single one is written as the count that it is.
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

    /// Whether there was room for all.
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
        let not_one = || "not a V2 histogram".to_owned();
        let outer = bytes.get(..OUTER_BYTES).ok_or_else(not_one)?;
        let stream_bytes = u32_at(outer, 4) as usize;
        let stream = bytes[OUTER_BYTES..].get(..stream_bytes);
        let stream = stream.ok_or_else(|| format!("{}: it is cut", not_one()))?;
        if u32_at(outer, 0) != COOKIE_DEFLATED {
            return Err(not_one());
        }
        self.inflate(stream)
            .map_err(|reason| format!("{}: {reason}", not_one()))?;
        let mut head = Vec::with_capacity(INNER_BYTES);
        put_head(&mut head);
        let (found, counts) = self
            .plain
            .split_at_checked(INNER_BYTES)
            .ok_or_else(not_one)?;
        if found[..4] != head[..4] || found[8..] != head[8..] {
            return Err(format!(
                "{}: it is none of 1 us to 1 h with three digits",
                not_one()
            ));
        }
        let counts = counts.get(..u32_at(found, 4) as usize);
        let mut counts = Numbers(counts.ok_or_else(not_one)?);
        let mut index = 0_usize;
        while !counts.0.is_empty() {
            let number = counts.next().ok_or_else(not_one)?;
            let (step, count) = match u64::try_from(number) {
                Ok(count) => (1, count),
                Err(_) => (number.unsigned_abs() as usize, 0),
            };
            if step > COUNTS - index {
                return Err(format!("{}: it has too many counts", not_one()));
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

/// The fixed fields; the length of the counts is not known yet.
fn put_head(plain: &mut Vec<u8>) {
    plain.extend(COOKIE.to_be_bytes());
    plain.extend([0; 8]);
    plain.extend(u32::from(DIGITS).to_be_bytes());
    plain.extend(1_u64.to_be_bytes());
    plain.extend(US_MAX.to_be_bytes());
    plain.extend(1.0_f64.to_be_bytes());
}

/// Seven bits to a byte, the lowest first; the ninth byte has eight.
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

/// What is left to be read of the counts.
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
mod tests {
    use super::*;
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

    fn step(seed: &mut u64) -> u64 {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        *seed
    }

    /// So many times of a length drawn up to `bits` bits.
    fn drawn(seed: &mut u64, times: usize, bits: u32) -> Latencies {
        let mut latencies = Latencies::default();
        for _ in 0..times {
            let shift = 64 - bits + (step(seed) % u64::from(bits)) as u32;
            latencies.record(step(seed) >> shift.min(63));
        }
        latencies
    }

    fn check(latencies: &Latencies) {
        let bytes = latencies.to_v2_deflate();
        let mut theirs = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&latencies.to_histogram(), &mut theirs)
            .expect("written to memory");
        assert_eq!(bytes, theirs);
        let read: Histogram<u64> = Deserializer::new()
            .deserialize(&mut &bytes[..])
            .expect("the library reads it");
        assert_eq!(read, latencies.to_histogram());
        let mut back = Latencies::default();
        back.add_v2_deflate(&bytes, latencies.exact_ns())
            .expect("it is one");
        assert!(back.recorded().eq(latencies.recorded()));
        assert_eq!(
            (back.count(), back.exact_ns()),
            (latencies.count(), latencies.exact_ns())
        );
    }

    #[test]
    fn the_bytes_are_the_librarys_and_come_back() {
        check(&Latencies::default());
        let mut seed = 23;
        for bits in 1..=43 {
            for times in [1, 2, 3, 100, 3_000] {
                check(&drawn(&mut seed, times, bits));
            }
        }
    }

    #[test]
    fn counts_of_any_size_and_gaps_of_any_length_come_back() {
        let mut latencies = Latencies::default();
        let mut index = 0;
        for bits in 0..62 {
            latencies.add_at(index, 1 << bits);
            index += 1 + (bits * bits) % 700;
        }
        latencies.add_at(COUNTS - 1, 3);
        let bytes = latencies.to_v2_deflate();
        let mut found = Vec::new();
        unpack(&bytes, |index, count| found.push((index, count))).expect("it is one");
        assert!(found.into_iter().eq(latencies.recorded()));
    }

    #[test]
    fn damaged_bytes_are_refused_or_read_as_the_library_reads_them() {
        let mut seed = 5;
        let whole = drawn(&mut seed, 500, 30).to_v2_deflate();
        for end in 0..whole.len() {
            assert!(unpack(&whole[..end], |_, _| {}).is_err(), "cut at {end}");
        }
        for _ in 0..5_000 {
            let mut bytes = whole.clone();
            let at = step(&mut seed) as usize % bytes.len();
            bytes[at] ^= 1 << (step(&mut seed) % 8);
            let mut latencies = Latencies::default();
            if latencies.add_v2_deflate(&bytes, (0, 0, 0)).is_ok() {
                let theirs: Histogram<u64> = Deserializer::new()
                    .deserialize(&mut &bytes[..])
                    .expect("the library reads it");
                assert_eq!(latencies.to_histogram(), theirs);
            }
        }
    }

    #[test]
    fn a_small_stream_that_inflates_to_much_is_refused() {
        let mut packer = Compress::new(Compression::default(), true);
        let mut stream = Vec::with_capacity(1 << 16);
        let zeroes = vec![0; 10 << 20];
        packer
            .compress_vec(&zeroes, &mut stream, FlushCompress::Finish)
            .expect("it can be compressed");
        let mut bytes = COOKIE_DEFLATED.to_be_bytes().to_vec();
        bytes.extend((stream.len() as u32).to_be_bytes());
        bytes.extend(stream);
        let error = unpack(&bytes, |_, _| {}).expect_err("refused");
        assert!(error.contains("too long"), "{error}");
    }
}
