//! A distribution of times: an HdrHistogram of microseconds, with exact sum, least and greatest beside it.

use std::ops::AddAssign;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

/// Longest time told apart from longer ones, in microseconds: an hour.
const US_MAX: u64 = 3_600_000_000;
/// Significant digits kept.
const DIGITS: u8 = 3;

/// Times from 1 us to 1 h, to three digits. About 190 KB; recording allocates nothing.
#[derive(Clone, Debug)]
pub struct Latencies {
    histogram: Histogram<u64>,
    sum_ns: u128,
    min_ns: u64,
    max_ns: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        let mut histogram = Histogram::new_with_bounds(1, US_MAX, DIGITS)
            .expect("1 us to 1 h in 3 digits is within what the library can do");
        // Touches its pages: else each new outlier takes one more from the kernel, and the process seems to leak a few
        // MiB an hour.
        histogram.reset();
        Self {
            histogram,
            sum_ns: 0,
            min_ns: u64::MAX,
            max_ns: 0,
        }
    }
}

impl Latencies {
    /// What one takes.
    pub fn bytes() -> usize {
        size_of::<Self>() + Self::default().histogram.distinct_values() * size_of::<u64>()
    }

    /// Counts a time; longer ones than an hour as an hour.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        self.histogram.saturating_record((ns + 500) / 1_000);
        self.sum_ns += u128::from(ns);
        self.min_ns = self.min_ns.min(ns);
        self.max_ns = self.max_ns.max(ns);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// The exact mean in microseconds, 0 for none.
    pub fn mean_us(&self) -> f64 {
        match self.count() {
            0 => 0.0,
            count => self.sum_ns as f64 / count as f64 / 1_000.0,
        }
    }

    /// The exact least in microseconds, 0 for none.
    pub fn min_us(&self) -> f64 {
        match self.count() {
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
        let value = self.histogram.value_at_quantile(percent / 100.0);
        (value as f64).min(self.max_us())
    }

    /// How many of the counted lie above that percentile.
    pub fn above(&self, percent: f64) -> f64 {
        self.count() as f64 * (1.0 - percent / 100.0)
    }

    /// In microseconds, to three digits.
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }

    /// Back to none, keeping the memory.
    pub fn clear(&mut self) {
        self.histogram.reset();
        self.sum_ns = 0;
        self.min_ns = u64::MAX;
        self.max_ns = 0;
    }

    /// HdrHistogram's V2 format, deflated: any HdrHistogram library reads it.
    pub fn to_v2_deflate(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&self.histogram, &mut bytes)
            .expect("writing to memory succeeds");
        bytes
    }

    /// Back from [`Latencies::to_v2_deflate`], with the exact values that the format does not hold.
    ///
    /// # Errors
    /// When the bytes are no such histogram.
    pub fn from_v2_deflate(
        bytes: &[u8],
        sum_ns: u128,
        min_ns: u64,
        max_ns: u64,
    ) -> Result<Self, String> {
        let loaded: Histogram<u64> = Deserializer::new()
            .deserialize(&mut &bytes[..])
            .map_err(|error| format!("not a V2 histogram: {error}"))?;
        let mut latencies = Self::default();
        latencies
            .histogram
            .add(loaded)
            .map_err(|error| error.to_string())?;
        latencies.sum_ns = sum_ns;
        latencies.min_ns = min_ns;
        latencies.max_ns = max_ns;
        Ok(latencies)
    }

    /// The exact sum, least and greatest, in nanoseconds.
    pub fn exact_ns(&self) -> (u128, u64, u64) {
        (self.sum_ns, self.min_ns, self.max_ns)
    }
}

impl AddAssign<&Self> for Latencies {
    fn add_assign(&mut self, other: &Self) {
        self.histogram
            .add(&other.histogram)
            .expect("all have the same bounds");
        self.sum_ns += other.sum_ns;
        self.min_ns = self.min_ns.min(other.min_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
    }
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

    #[test]
    fn percentiles_agree_with_a_sorted_list_to_three_digits() {
        let mut sorted = times();
        let mut latencies = Latencies::default();
        for &ns in &sorted {
            latencies.record(ns);
        }
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
        assert_eq!(left.histogram, one.histogram);
        assert_eq!(left.exact_ns(), one.exact_ns());
    }

    #[test]
    fn the_wire_format_comes_back_with_the_same_counts() {
        let mut latencies = Latencies::default();
        for ns in times() {
            latencies.record(ns);
        }
        let (sum_ns, min_ns, max_ns) = latencies.exact_ns();
        let bytes = latencies.to_v2_deflate();
        let back = Latencies::from_v2_deflate(&bytes, sum_ns, min_ns, max_ns).expect("it is one");
        assert_eq!(back.histogram, latencies.histogram);
        assert!(Latencies::from_v2_deflate(b"no", 0, 0, 0).is_err());
    }
}
