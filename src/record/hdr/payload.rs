//! Histograms of interval logs. V2 is read by the library, which knows no older version; V0 and V1 are read here.
//!
//! A payload is a cookie (its low byte: version, compressed or not, bytes per count), then either the length of a zlib
//! stream that holds a payload again, or fixed fields and the counts, all big-endian (`AbstractHistogram.java`,
//! `decodeFromByteBuffer`). V0 and V1 write every count of the array up to the greatest value, as words of 2, 4 or 8
//! bytes. V0 has no length and its counts go to the end.

use std::io::Read;

use flate2::read::ZlibDecoder;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;

/// The four bits of the cookie that hold the bytes per count.
const WORD_BITS: u32 = 0xf0;
const V0: u32 = 0x1c84_9308;
const V0_COMPRESSED: u32 = 0x1c84_9309;
const V1: u32 = 0x1c84_9301;
const V1_COMPRESSED: u32 = 0x1c84_9302;
const V2: u32 = 0x1c84_9303;
const V2_COMPRESSED: u32 = 0x1c84_9304;
/// Far more than a histogram of five digits needs. Without a bound, a small stream could inflate to any size.
const INFLATED_BYTES_MAX: u64 = 64 << 20;

/// The histogram of a payload of any version.
///
/// # Errors
/// With what is wrong with it.
pub(super) fn decode(bytes: &[u8]) -> Result<Histogram<u64>, String> {
    match Fields(bytes).u32()? & !WORD_BITS {
        V2 | V2_COMPRESSED => Deserializer::new()
            .deserialize(&mut &bytes[..])
            .map_err(|error| format!("its histogram is not V2: {error}")),
        V0_COMPRESSED | V1_COMPRESSED => {
            let mut fields = Fields(bytes);
            let (_, length) = (fields.u32()?, fields.u32()?);
            plain(&inflated(fields.take(length as usize)?)?)
        }
        V0 | V1 => plain(bytes),
        cookie => Err(format!("its histogram is of an unknown kind: {cookie:#x}")),
    }
}

fn inflated(stream: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    ZlibDecoder::new(stream)
        .take(INFLATED_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("its histogram cannot be inflated: {error}"))?;
    Ok(bytes)
}

fn plain(bytes: &[u8]) -> Result<Histogram<u64>, String> {
    let mut fields = Fields(bytes);
    let cookie = fields.u32()?;
    let payload_bytes = match cookie & !WORD_BITS {
        V0 => None,
        V1 => {
            let payload_bytes = fields.u32()?;
            if fields.u32()? != 0 {
                return Err("its histogram is shifted, which is not supported".into());
            }
            Some(payload_bytes as usize)
        }
        cookie => return Err(format!("its histogram is neither V0 nor V1: {cookie:#x}")),
    };
    let digits = fields.u32()?;
    let (least, greatest) = (fields.u64()?, fields.u64()?);
    // V0: the sum of the counts. V1: the factor of a histogram of fractions, 1.0 for whole numbers.
    let last = fields.u64()?;
    if payload_bytes.is_some() && last != 1.0_f64.to_bits() {
        return Err("its histogram is one of fractions, which is not supported".into());
    }
    let digits = u8::try_from(digits).unwrap_or(u8::MAX);
    let mut histogram = Histogram::new_with_bounds(least, greatest, digits)
        .map_err(|error| format!("its histogram has impossible bounds: {error}"))?;
    let word_bytes = match (cookie & WORD_BITS) >> 4 {
        word_bytes @ (2 | 4 | 8) => word_bytes as usize,
        other => return Err(format!("its histogram has counts of {other} bytes")),
    };
    let counts = fields.take(payload_bytes.unwrap_or(fields.0.len()))?;
    for (index, word) in counts.chunks(word_bytes).enumerate() {
        let count = word
            .iter()
            .fold(0, |count, byte| count << 8 | u64::from(*byte));
        if count > 0 {
            let beyond = || format!("its histogram has a count at {index}, beyond its bounds");
            let value = value_at(index as u64, least, digits).ok_or_else(beyond)?;
            histogram.record_n(value, count).map_err(|_| beyond())?;
        }
    }
    Ok(histogram)
}

/// The least value that is counted at an index: buckets of doubling width, each but the first with half as many
/// sub-buckets as hold the digits.
fn value_at(index: u64, least: u64, digits: u8) -> Option<u64> {
    let sub_buckets = (2 * 10_u64.pow(u32::from(digits))).next_power_of_two();
    let half = sub_buckets / 2;
    let (bucket, sub_bucket) = match index < sub_buckets {
        true => (0, index),
        false => (index / half - 1, index % half + half),
    };
    let shift = u32::try_from(bucket).ok()? + least.ilog2();
    sub_bucket.checked_mul(1_u64.checked_shl(shift)?)
}

/// The bytes that have not been read yet.
struct Fields<'b>(&'b [u8]);

impl<'b> Fields<'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8], String> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or_else(|| "its histogram is cut".to_owned())?;
        self.0 = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, String> {
        let bytes = self.take(4)?;
        Ok(u32::from_be_bytes(bytes.try_into().expect("four of them")))
    }

    fn u64(&mut self) -> Result<u64, String> {
        let bytes = self.take(8)?;
        Ok(u64::from_be_bytes(bytes.try_into().expect("eight of them")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A V1 of 2-byte counts, as Java writes it.
    fn v1(histogram: &Histogram<u64>) -> Vec<u8> {
        let last = histogram
            .iter_recorded()
            .map(|step| step.value_iterated_to());
        let last = last.max().unwrap_or(0);
        let mut counts = Vec::new();
        for step in histogram.iter_all() {
            let count = u16::try_from(step.count_at_value()).expect("few");
            counts.extend(count.to_be_bytes());
            if step.value_iterated_to() >= last {
                break;
            }
        }
        let mut bytes = (V1 | 0x20).to_be_bytes().to_vec();
        bytes.extend((counts.len() as u32).to_be_bytes());
        bytes.extend(0_u32.to_be_bytes());
        bytes.extend(u32::from(histogram.sigfig()).to_be_bytes());
        bytes.extend(histogram.low().to_be_bytes());
        bytes.extend(histogram.high().to_be_bytes());
        bytes.extend(1.0_f64.to_be_bytes());
        bytes.extend(counts);
        bytes
    }

    #[test]
    fn the_older_layout_has_each_count_where_the_library_has_it() {
        for (least, digits) in [(1, 3), (1, 2), (1, 0), (1_000, 2), (7, 4)] {
            let mut histogram =
                Histogram::<u64>::new_with_bounds(least, 3_600_000_000, digits).expect("bounds");
            for exponent in 0..31 {
                for more in [0, 1, 77] {
                    histogram
                        .record((1 << exponent) + more * exponent)
                        .expect("within");
                }
            }
            assert!(decode(&v1(&histogram)).expect("it is one") == histogram);
        }
    }

    #[test]
    fn a_cut_or_foreign_payload_is_refused() {
        let mut histogram = Histogram::<u64>::new_with_bounds(1, 1_000, 1).expect("bounds");
        histogram.record(900).expect("within");
        let whole = v1(&histogram);
        for end in 0..whole.len() {
            assert!(decode(&whole[..end]).is_err(), "cut at {end}");
        }
        for (place, byte, part) in [
            (3, 0x31, "counts of 3 bytes"),
            (0, 0, "unknown kind"),
            (11, 1, "shifted"),
            (15, 9, "impossible bounds"),
            (32, 0, "fractions"),
        ] {
            let mut bytes = whole.clone();
            bytes[place] = byte;
            let error = decode(&bytes).expect_err("refused");
            assert!(error.contains(part), "{error}");
        }
    }
}
