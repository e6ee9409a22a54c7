//! The rate of the load's seconds, for the record itself and for comparisons of records.

use crate::analysis::confidence::Mean;

use super::schema::SampleRecord;

/// A sample shorter than this part of the longest is the rest of the load, and no second for a rate.
const WHOLE_MIN: f64 = 0.9;
/// Times of a record are rounded by less than this, in seconds.
const ROUNDING_S: f64 = 1e-6;

/// The mean rate of the load's whole seconds with its interval, by the requests that `requests_of` counts in each; the load
/// began `load_from_s` after the start. The preparation of an open load, the settling time, the drain, and what is left of the load's last second are no such seconds.
pub(super) fn of_load(
    series: &[SampleRecord],
    load_from_s: f64,
    requests_of: impl Fn(&SampleRecord) -> u64,
) -> Option<Mean> {
    let is_load = |sample: &&SampleRecord| {
        !sample.is_drain
            && !sample.is_settling
            && sample.t_s - sample.length_s >= load_from_s - ROUNDING_S
    };
    let load = || series.iter().filter(is_load);
    // The last one is the rest of a second, or a second with such a rest, and not what the others are measured by.
    let others = load().count().saturating_sub(1).max(1);
    let lengths = load().take(others).map(|sample| sample.length_s);
    let longest_s = lengths.fold(0.0, f64::max);
    let whole = load().filter(|sample| sample.length_s >= WHOLE_MIN * longest_s);
    let rates: Vec<f64> = whole
        .map(|sample| requests_of(sample) as f64 / sample.length_s)
        .collect();
    Mean::of(&rates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::interval::Interval;
    use crate::metrics::series::Series;
    use crate::record::build::sample_record;

    const SECOND_NS: u64 = 1_000_000_000;

    fn interval(requests: u64, is_drain: bool) -> Interval {
        let mut interval = Interval::new(1);
        interval.is_drain = is_drain;
        interval.steps[0].requests = requests;
        interval
    }

    #[test]
    fn the_rate_is_bounded_by_the_whole_seconds_of_the_load_alone() {
        let mut series = Series::new(1);
        // Two seconds of preparation, twenty of load, the rest of one, and the drain.
        series.push(SECOND_NS, &interval(1, false));
        series.push(2 * SECOND_NS, &interval(1, false));
        for second in 3..=22 {
            series.push(second * SECOND_NS, &interval(98 + 4 * (second % 2), false));
        }
        series.push(22 * SECOND_NS + 600_000_000, &interval(5, false));
        series.push(24 * SECOND_NS, &interval(7, true));
        let samples: Vec<SampleRecord> = series.samples().iter().map(sample_record).collect();
        let rate = |samples| of_load(samples, 2.0, |sample| sample.steps[0].requests);
        let found = rate(&samples).expect("twenty seconds");
        assert_eq!(found.value, 100.0);
        assert!(found.low > 98.0 && found.high < 102.0, "{found:?}");
        assert!(rate(&samples[..3]).is_none(), "one second");
    }

    /// Short of half a second, the rest of the load is joined to its last second.
    #[test]
    fn a_last_second_with_the_rest_of_the_load_leaves_the_others_whole() {
        let mut series = Series::new(1);
        for second in 1..=10 {
            series.push(second * SECOND_NS, &interval(100, false));
        }
        series.push(10 * SECOND_NS + 400_000_000, &interval(40, false));
        let samples: Vec<SampleRecord> = series.samples().iter().map(sample_record).collect();
        let found = of_load(&samples, 0.0, |sample| sample.steps[0].requests);
        assert!((found.expect("ten seconds").value - 100.0).abs() < 1e-9);
    }
}
