use super::*;
use crate::metrics::latencies::Latencies;
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
