//! A distribution of times: an HdrHistogram of microseconds that takes memory only for the counts in use.
//!
//! The 23,552 counts of HdrHistogram's layout (`layout`) are 184 KB, of which the times of one step use a few per
//! cent: they lie within a few octaves. So the counts are kept in blocks of 128 (1 KB), and a block exists from the
//! first time that falls into it. With every count at a fixed place, a scenario of 1,000 steps took 4.6 GB.
//!
//! 1. `places` says for each block of the layout where its counts are, or that there are none yet.
//! 2. Blocks lie one behind the other in a vector, in the order of their first use. On a shard, the vector has capacity
//!    for all blocks from the start ([`Latencies::reserved`]): the allocator reserves addresses, the kernel gives memory
//!    for the pages that are written to. A new block on the hot path costs a page fault at most, no call of the
//!    allocator.
//! 3. To clear is to forget the blocks; their memory is used again.
//!
//! Compared with fixed places in pages that the kernel gives when they are touched, this takes a third of the memory
//! (an outlier takes 1 KB where a page is 4), does not depend on fresh zeroes from the allocator, and costs one more
//! load per time counted. Its price: `cargo bench --bench hot_path -- 'record its outcome'`.
//!
//! [`Size`] gives the memory that is usual and the most there can be. Memory grows by 1 KB for each new range of times,
//! ever more rarely, and no histogram takes more than 184 KB.

use std::ops::{AddAssign, Mul};

use hdrhistogram::Histogram;

use super::layout::{COUNTS, DIGITS, US_MAX, index_of, range_of};
use super::v2;

/// Counts of a block, as a power of two.
const BLOCK_BITS: u32 = 7;
const BLOCK: usize = 1 << BLOCK_BITS;
const BLOCKS: usize = COUNTS / BLOCK;
const _: () = assert!(COUNTS.is_multiple_of(BLOCK));
/// The place of a block that has no counts yet; the others are numbered from 1.
const NOWHERE: u8 = 0;
const _: () = assert!(BLOCKS <= u8::MAX as usize);

/// Times from 1 us to 1 h, to three digits, with their exact sum, least and greatest.
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

/// Memory that counters take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Bytes without the counts of histograms.
    pub bytes: usize,
    /// Histograms that usually count something.
    pub histograms: usize,
    /// All histograms.
    pub histograms_max: usize,
}

impl Size {
    /// Usual memory in bytes. The times of a step lie within a few octaves: 16 blocks.
    pub fn bytes_usual(self) -> usize {
        self.bytes + self.histograms * 16 * BLOCK * size_of::<u64>()
    }

    /// Most memory in bytes: every histogram has counted times of every length.
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
    /// Empty, without memory for counts: it allocates as it counts.
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
    /// Memory of a [`Latencies::reserved`] one that is hardly used, in bytes: the page where the allocator notes the
    /// length of the reservation, which also holds the first blocks.
    pub(super) const BYTES_RESERVED: usize = 4_096;

    /// Empty, with addresses for all counts: recording never calls the allocator.
    pub fn reserved() -> Self {
        Self {
            counts: Vec::with_capacity(COUNTS),
            ..Self::default()
        }
    }

    /// Counts a time; one longer than an hour counts as an hour, and at its full length in sum and greatest.
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

    /// Gives a place to a block that had none.
    #[cold]
    fn add_block(&mut self, block: usize) -> u8 {
        let length = self.counts.len() + BLOCK;
        self.counts.resize(length, 0);
        let place = (length / BLOCK) as u8;
        self.places[block] = place;
        place
    }

    /// Adds to the count at an index of the layout, and to the total.
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

    /// The blocks in use with their index in the layout, ascending.
    fn blocks(&self) -> impl Iterator<Item = (usize, &[u64])> {
        let places = self.places.iter().enumerate();
        places
            .filter(|(_, place)| **place != NOWHERE)
            .map(|(block, &place)| (block, &self.counts[at(place)..at(place) + BLOCK]))
    }

    /// The counts above zero with their index in the layout, ascending.
    pub(super) fn recorded(&self) -> impl Iterator<Item = (usize, u64)> {
        self.blocks().flat_map(|(block, counts)| {
            let counts = counts.iter().enumerate();
            counts
                .filter(|(_, count)| **count > 0)
                .map(move |(index, &count)| (block * BLOCK + index, count))
        })
    }

    /// Each count above zero with the greatest time in microseconds that it may stand for, ascending.
    pub fn counts_us(&self) -> impl Iterator<Item = (u64, u64)> {
        let recorded = self.recorded();
        recorded.map(|(index, count)| (range_of(index).1, count))
    }

    /// Number of times counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether no time was counted.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The exact mean in microseconds, 0 without any time.
    pub fn mean_us(&self) -> f64 {
        match self.count {
            0 => 0.0,
            count => self.sum_ns as f64 / count as f64 / 1_000.0,
        }
    }

    /// The exact least in microseconds, 0 without any time.
    pub fn min_us(&self) -> f64 {
        match self.count {
            0 => 0.0,
            _ => self.min_ns as f64 / 1_000.0,
        }
    }

    /// The exact greatest in microseconds, 0 without any time.
    pub fn max_us(&self) -> f64 {
        self.max_ns as f64 / 1_000.0
    }

    /// The time that `percent` (0 to 100) of all do not exceed, in microseconds, to three digits; never beyond the
    /// exact greatest, 0 without any time.
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

    /// Number of times that are longer than a time in microseconds, as far as three digits tell them apart.
    pub fn count_above(&self, us: f64) -> u64 {
        let index = index_of(us as u64);
        let blocks = self.blocks();
        let above = blocks.map(|(block, counts)| {
            let first = (index + 1).saturating_sub(block * BLOCK).min(counts.len());
            counts[first..].iter().sum::<u64>()
        });
        above.sum()
    }

    /// Expected number of times above a percentile (0 to 100): with few of them the percentile is weak.
    pub fn above(&self, percent: f64) -> f64 {
        self.count as f64 * (1.0 - percent / 100.0)
    }

    /// The same counts as a histogram of the `hdrhistogram` crate, in microseconds.
    pub fn to_histogram(&self) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, US_MAX, DIGITS)
            .expect("the library can do 1 us to 1 h in 3 digits");
        for (index, count) in self.recorded() {
            histogram
                .record_n(range_of(index).0, count)
                .expect("the library has the same layout");
        }
        histogram
    }

    /// Empties it and keeps the memory.
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
        v2::pack(self.recorded())
    }

    /// Adds the times of another one, given as its [`Latencies::to_v2_deflate`] and [`Latencies::exact_ns`].
    ///
    /// # Errors
    /// When the bytes are not such a histogram; the counts read before the error have been added.
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

    /// The exact sum, least and greatest, in nanoseconds; the least is `u64::MAX` without any time.
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

/// Index into `counts` of a block's first count.
#[inline]
fn at(place: u8) -> usize {
    (usize::from(place) - 1) * BLOCK
}

#[cfg(test)]
mod tests;
