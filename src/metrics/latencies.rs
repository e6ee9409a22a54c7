//! A distribution of times: an HdrHistogram of microseconds that takes memory as it needs it.
//!
//! The layout of the counts is HdrHistogram's: microseconds up to 2,047 have a count each, every further octave has
//! 1,024. That is 23,552 counts or 184 KB, of which the times of one step use a few per cent: they lie within a few
//! octaves. So the counts are kept in blocks of 128 (1 KB), and a block exists from the first time that falls into it.
//! With all counts at their places, a scenario of 1,000 steps took 4.6 GB.
//!
//! 1. `places` says for each block of the layout where its counts are, or that there are none yet.
//! 2. Blocks lie one behind the other in a vector, in the order in which they were first used. Where a shard counts, its
//!    capacity is that of all blocks from the start ([`Latencies::reserved`]): the allocator reserves addresses, the
//!    kernel gives memory for the pages that were written to. A new block on the hot path costs a page fault at most, no
//!    call of the allocator.
//! 3. To clear is to forget the blocks: their memory is used again.
//!
//! Against counts at their places in pages that the kernel gives when they are touched, this takes a third of the
//! memory (an outlier takes 1 KB where a page is 4), does not depend on fresh zeroes from the allocator, and costs one
//! more load per time counted. `cargo bench --bench hot_path -- 'record its outcome'` has the price of it.
//!
//! [`Size`] says what that comes to, as a rule and at most. Memory grows by 1 KB at a time with times of lengths that
//! had not been seen, ever more rarely, and no histogram ever takes more than 184 KB.

use std::ops::{AddAssign, Mul};

use hdrhistogram::Histogram;

use super::v2;

/// Longest time told apart from longer ones, in microseconds: an hour.
pub(super) const US_MAX: u64 = 3_600_000_000;
/// Significant digits kept.
pub(super) const DIGITS: u8 = 3;
/// Counts in the first octaves, up to which each microsecond has its own: the power of two above 2 * 10^[`DIGITS`].
const UNITS: u64 = 2_048;
/// Counts of each further octave, as a power of two: half of [`UNITS`].
const OCTAVE_BITS: u32 = UNITS.ilog2() - 1;
/// Counts that any time may fall into.
pub(super) const COUNTS: usize = ((US_MAX.ilog2() - OCTAVE_BITS + 2) as usize) << OCTAVE_BITS;
/// Counts of a block, as a power of two.
const BLOCK_BITS: u32 = 7;
const BLOCK: usize = 1 << BLOCK_BITS;
const BLOCKS: usize = COUNTS / BLOCK;
const _: () = assert!(COUNTS.is_multiple_of(BLOCK));
/// The place of a block that no time fell into yet; others are numbered from 1.
const NOWHERE: u8 = 0;
const _: () = assert!(BLOCKS <= u8::MAX as usize);

/// Times from 1 us to 1 h, to three digits, with exact sum, least and greatest beside them.
#[derive(Clone, Debug)]
pub struct Latencies {
    /// By block of the layout: the number of its block in `counts`, or `NOWHERE`.
    places: [u8; BLOCKS],
    // INVARIANT: a whole number of blocks; each is the place of exactly one block of the layout.
    counts: Vec<u64>,
    count: u64,
    sum_ns: u128,
    min_ns: u64,
    max_ns: u64,
}

/// What counters take of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Beside the counts of histograms.
    pub bytes: usize,
    /// Histograms that something is counted in as a rule.
    pub histograms: usize,
    /// All of them.
    pub histograms_max: usize,
}

impl Size {
    /// What they take as a rule. The times of a step lie within a few octaves: 16 blocks.
    pub fn bytes_usual(self) -> usize {
        self.bytes + self.histograms * 16 * BLOCK * size_of::<u64>()
    }

    /// What they take when times of every length were counted in each. They never take more.
    pub fn bytes_max(self) -> usize {
        self.bytes + self.histograms_max * COUNTS * size_of::<u64>()
    }
}

impl AddAssign for Size {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.histograms += other.histograms;
        self.histograms_max += other.histograms_max;
    }
}

impl Mul<usize> for Size {
    type Output = Self;

    fn mul(self, count: usize) -> Self {
        Self {
            bytes: count * self.bytes,
            histograms: count * self.histograms,
            histograms_max: count * self.histograms_max,
        }
    }
}

impl Default for Latencies {
    /// None yet, and without memory for any: it grows as it counts.
    fn default() -> Self {
        Self {
            places: [NOWHERE; BLOCKS],
            counts: Vec::new(),
            count: 0,
            sum_ns: 0,
            min_ns: u64::MAX,
            max_ns: 0,
        }
    }
}

impl Latencies {
    /// What those of one that is [`Latencies::reserved`] and hardly used take: the page where the allocator notes their
    /// length, which the first blocks lie in.
    pub(super) const BYTES_RESERVED: usize = 4_096;

    /// None yet, with the addresses of all counts: recording never calls the allocator.
    pub fn reserved() -> Self {
        Self {
            counts: Vec::with_capacity(COUNTS),
            ..Self::default()
        }
    }

    /// Counts a time; longer ones than an hour as an hour.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        let index = index_of((ns + 500) / 1_000);
        let place = match self.places[index >> BLOCK_BITS] {
            NOWHERE => self.add_block(index >> BLOCK_BITS),
            place => place,
        };
        self.counts[at(place) + index % BLOCK] += 1;
        self.count += 1;
        self.sum_ns += u128::from(ns);
        self.min_ns = self.min_ns.min(ns);
        self.max_ns = self.max_ns.max(ns);
    }

    /// The place of a block that had none.
    #[cold]
    fn add_block(&mut self, block: usize) -> u8 {
        let length = self.counts.len() + BLOCK;
        self.counts.resize(length, 0);
        let place = (length / BLOCK) as u8;
        self.places[block] = place;
        place
    }

    /// Adds to the count at an index of the layout, and to that of all.
    pub(super) fn add_at(&mut self, index: usize, count: u64) {
        let block = index >> BLOCK_BITS;
        let place = match self.places[block] {
            NOWHERE => self.add_block(block),
            place => place,
        };
        let sum = &mut self.counts[at(place) + index % BLOCK];
        *sum = sum.saturating_add(count);
        self.count = self.count.saturating_add(count);
    }

    /// The blocks that there are, by their place in the layout, ascending.
    fn blocks(&self) -> impl Iterator<Item = (usize, &[u64])> {
        let places = self.places.iter().enumerate();
        places
            .filter(|(_, place)| **place != NOWHERE)
            .map(|(block, &place)| (block, &self.counts[at(place)..at(place) + BLOCK]))
    }

    /// Indexes of the layout whose counts are not zero, with those, ascending.
    pub(super) fn recorded(&self) -> impl Iterator<Item = (usize, u64)> {
        self.blocks().flat_map(|(block, counts)| {
            let counts = counts.iter().enumerate();
            counts
                .filter(|(_, count)| **count > 0)
                .map(move |(index, &count)| (block * BLOCK + index, count))
        })
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The exact mean in microseconds, 0 for none.
    pub fn mean_us(&self) -> f64 {
        match self.count {
            0 => 0.0,
            count => self.sum_ns as f64 / count as f64 / 1_000.0,
        }
    }

    /// The exact least in microseconds, 0 for none.
    pub fn min_us(&self) -> f64 {
        match self.count {
            0 => 0.0,
            _ => self.min_ns as f64 / 1_000.0,
        }
    }

    /// The exact greatest in microseconds, 0 for none.
    pub fn max_us(&self) -> f64 {
        self.max_ns as f64 / 1_000.0
    }

    /// The time that `percent` of all do not exceed, in microseconds, to three digits; never beyond the greatest.
    pub fn percentile_us(&self, percent: f64) -> f64 {
        let quantile = (percent / 100.0).min(1.0);
        let rank = (quantile * self.count as f64).ceil().max(1.0) as u64;
        let mut before = 0;
        for (block, counts) in self.blocks() {
            let sum: u64 = counts.iter().sum();
            if before + sum < rank {
                before += sum;
                continue;
            }
            for (index, count) in counts.iter().enumerate() {
                before += count;
                if before >= rank {
                    let (least, greatest) = range_of(block * BLOCK + index);
                    let value = if quantile == 0.0 { least } else { greatest };
                    return (value as f64).min(self.max_us());
                }
            }
        }
        0.0
    }

    /// How many of the counted lie above that percentile.
    pub fn above(&self, percent: f64) -> f64 {
        self.count as f64 * (1.0 - percent / 100.0)
    }

    /// The same counts in the library's form, in microseconds, to three digits.
    pub fn to_histogram(&self) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, US_MAX, DIGITS)
            .expect("1 us to 1 h in 3 digits is within what the library can do");
        for (index, count) in self.recorded() {
            histogram
                .record_n(range_of(index).0, count)
                .expect("the library has the same layout");
        }
        histogram
    }

    /// Back to none, keeping the memory.
    pub fn clear(&mut self) {
        self.places = [NOWHERE; BLOCKS];
        self.counts.clear();
        self.count = 0;
        self.sum_ns = 0;
        self.min_ns = u64::MAX;
        self.max_ns = 0;
    }

    /// HdrHistogram's V2 format, deflated: any HdrHistogram library reads it.
    pub fn to_v2_deflate(&self) -> Vec<u8> {
        v2::pack(self)
    }

    /// Adds what [`Latencies::to_v2_deflate`] and [`Latencies::exact_ns`] gave.
    ///
    /// # Errors
    /// When the bytes are no such histogram; what was read of them until then has been added.
    pub fn add_v2_deflate(
        &mut self,
        bytes: &[u8],
        (sum_ns, min_ns, max_ns): (u128, u64, u64),
    ) -> Result<(), String> {
        v2::unpack(bytes, |index, count| self.add_at(index, count))?;
        self.sum_ns += sum_ns;
        self.min_ns = self.min_ns.min(min_ns);
        self.max_ns = self.max_ns.max(max_ns);
        Ok(())
    }

    /// The exact sum, least and greatest, in nanoseconds; `u64::MAX` is the least of none.
    pub fn exact_ns(&self) -> (u128, u64, u64) {
        (self.sum_ns, self.min_ns, self.max_ns)
    }
}

impl AddAssign<&Self> for Latencies {
    fn add_assign(&mut self, other: &Self) {
        for (block, more) in other.blocks() {
            let place = match self.places[block] {
                NOWHERE => self.add_block(block),
                place => place,
            };
            let counts = &mut self.counts[at(place)..at(place) + BLOCK];
            for (count, more) in counts.iter_mut().zip(more) {
                *count += more;
            }
        }
        self.count += other.count;
        self.sum_ns += other.sum_ns;
        self.min_ns = self.min_ns.min(other.min_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
    }
}

/// Where the block of this number begins.
#[inline]
fn at(place: u8) -> usize {
    (usize::from(place) - 1) * BLOCK
}

/// The index in the layout of a time in microseconds.
#[inline]
fn index_of(us: u64) -> usize {
    let us = us.min(US_MAX);
    // How many of its lowest bits are not told apart.
    let coarse = (us | (UNITS - 1)).ilog2() - OCTAVE_BITS;
    ((u64::from(coarse) << OCTAVE_BITS) + (us >> coarse)) as usize
}

/// The least and the greatest time in microseconds that are counted at an index.
fn range_of(index: usize) -> (u64, u64) {
    let coarse = (index >> OCTAVE_BITS).saturating_sub(1) as u32;
    let least = (index as u64 - (u64::from(coarse) << OCTAVE_BITS)) << coarse;
    (least, least + (1 << coarse) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
