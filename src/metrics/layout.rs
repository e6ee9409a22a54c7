//! The layout of a histogram's counts: that of HdrHistogram, for times from 1 us to 1 h with three significant digits.
//!
//! Microseconds up to 2,047 have a count each, every further octave has 1,024: 23,552 counts in all.

/// Longest time told apart from longer ones, in microseconds: an hour.
pub(super) const US_MAX: u64 = 3_600_000_000;
/// Significant digits kept.
pub(super) const DIGITS: u8 = 3;
/// Counts in the first octaves, where each microsecond has its own: the power of two above 2 * 10^[`DIGITS`].
pub(super) const UNITS: u64 = 2_048;
/// Counts of each further octave, as a power of two: half of [`UNITS`].
const OCTAVE_BITS: u32 = UNITS.ilog2() - 1;
/// All counts.
pub(super) const COUNTS: usize = ((US_MAX.ilog2() - OCTAVE_BITS + 2) as usize) << OCTAVE_BITS;

/// The index of the count of a time in microseconds.
#[inline]
pub(super) fn index_of(us: u64) -> usize {
    let us = us.min(US_MAX);
    // How many of its lowest bits are not told apart.
    let coarse = (us | (UNITS - 1)).ilog2() - OCTAVE_BITS;
    ((u64::from(coarse) << OCTAVE_BITS) + (us >> coarse)) as usize
}

/// The least and the greatest time in microseconds that are counted at an index.
pub(super) fn range_of(index: usize) -> (u64, u64) {
    let coarse = (index >> OCTAVE_BITS).saturating_sub(1) as u32;
    let least = (index as u64 - (u64::from(coarse) << OCTAVE_BITS)) << coarse;
    (least, least + (1 << coarse) - 1)
}
