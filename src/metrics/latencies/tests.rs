use super::*;
use crate::metrics::layout::UNITS;

fn times() -> Vec<u64> {
    let mut seed = 9u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        1_000 + (seed >> (34 + seed % 20))
    };
    (0..5_000).map(|_| next()).collect()
}

fn library(times_ns: &[u64]) -> Histogram<u64> {
    let mut histogram = Histogram::new_with_bounds(1, US_MAX, DIGITS).expect("valid bounds");
    for ns in times_ns {
        histogram.saturating_record(((ns + 500) / 1_000).min(US_MAX));
    }
    histogram
}

fn ours(times_ns: &[u64]) -> Latencies {
    let mut latencies = Latencies::default();
    times_ns.iter().for_each(|&ns| latencies.record(ns));
    latencies
}

/// Counts, percentiles and bytes are those of the library.
fn check_against_the_library(times_ns: &[u64]) {
    let (ours, library) = (ours(times_ns), library(times_ns));
    assert_eq!(ours.count(), library.len());
    assert_eq!(ours.to_histogram(), library);
    let max_us = times_ns.iter().max().map_or(0.0, |&ns| ns as f64 / 1e3);
    for percent in [0.0, 0.1, 33.3, 50.0, 66.0, 90.0, 99.0, 99.9, 99.99, 100.0] {
        let theirs = library.value_at_quantile(percent / 100.0) as f64;
        assert_eq!(ours.percentile_us(percent), theirs.min(max_us), "{percent}");
    }
}

#[test]
fn every_octave_is_counted_where_the_library_counts_it() {
    let mut times_ns: Vec<u64> = (0..32)
        .map(|bits| 1_u64 << bits)
        .chain([UNITS, US_MAX])
        .flat_map(|us| [us - 1, us, us + 1])
        .flat_map(|us| [us * 1_000, us * 1_000 + 499, us * 1_000 + 500])
        .collect();
    for times_ns in times_ns.chunks(9) {
        check_against_the_library(times_ns);
    }
    check_against_the_library(&times_ns);
    times_ns.extend([0, 86_400_000_000_000]);
    check_against_the_library(&times_ns);
    check_against_the_library(&[]);
    check_against_the_library(&[0]);
    let last = index_of(u64::MAX);
    assert!(last < COUNTS && range_of(last).1 >= US_MAX);
    assert_eq!(library(&[]).distinct_values(), COUNTS);
}

#[test]
fn drawn_times_are_counted_as_the_library_counts_them() {
    check_against_the_library(&times());
    for length in [1, 2, 10, 100] {
        for part in times().chunks(length).take(50) {
            check_against_the_library(part);
        }
    }
}

#[test]
fn memory_is_taken_for_the_blocks_that_are_used_and_kept_when_cleared() {
    let mut latencies = Latencies::reserved();
    let reserved = latencies.counts.as_ptr();
    let used = |latencies: &Latencies| latencies.counts.len() / BLOCK;
    assert_eq!(used(&latencies), 0);
    // A millisecond and a half within one block, then an outlier.
    (1_408..1_536).for_each(|us| latencies.record(us * 1_000));
    assert_eq!(used(&latencies), 1);
    latencies.record(5_000_000_000);
    assert_eq!(used(&latencies), 2);
    latencies.clear();
    assert_eq!((used(&latencies), latencies.percentile_us(50.0)), (0, 0.0));
    // All that can be is within what was reserved.
    (0..COUNTS).for_each(|index| latencies.record(range_of(index).0 * 1_000));
    assert!(used(&latencies) <= BLOCKS && latencies.counts.as_ptr() == reserved);
    let of_counts = Size {
        bytes: 0,
        histograms: 1,
        histograms_max: 1,
    };
    let bytes = latencies.counts.capacity() * size_of::<u64>();
    assert_eq!(of_counts.bytes_max(), bytes);
}

#[test]
fn percentiles_agree_with_a_sorted_list_to_three_digits() {
    let mut sorted = times();
    let latencies = ours(&sorted);
    sorted.sort_unstable();
    for percent in [50.0, 66.0, 90.0, 99.0, 99.9, 100.0] {
        let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
        let exact_us = sorted[rank - 1] as f64 / 1_000.0;
        let found_us = latencies.percentile_us(percent);
        assert!(
            (found_us - exact_us).abs() <= exact_us * 0.001 + 1.0,
            "{found_us} {exact_us}"
        );
    }
    let sum: u64 = sorted.iter().sum();
    assert_eq!(latencies.mean_us(), sum as f64 / 5_000_000.0);
    assert_eq!(latencies.min_us(), sorted[0] as f64 / 1_000.0);
    assert_eq!(latencies.max_us(), sorted[4_999] as f64 / 1_000.0);
}

#[test]
fn adding_two_is_recording_all_in_one() {
    let (mut one, mut left, mut right) = <(Latencies, Latencies, Latencies)>::default();
    for (index, ns) in times().into_iter().enumerate() {
        one.record(ns);
        if index % 3 == 0 {
            &mut left
        } else {
            &mut right
        }
        .record(ns);
    }
    left += &right;
    assert_eq!(left.to_histogram(), one.to_histogram());
    assert_eq!((left.count(), left.exact_ns()), (5_000, one.exact_ns()));
    // Those that were cleared leave nothing behind.
    left.clear();
    left += &right;
    assert_eq!(left.to_histogram(), right.to_histogram());
}
