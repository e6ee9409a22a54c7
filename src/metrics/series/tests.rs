use super::*;
use crate::metrics::interval::StepInterval;

#[test]
fn a_rest_too_short_for_a_rate_joins_the_sample_before_it() {
    let mut series = Series::new(1);
    let mut interval = Interval::new(1);
    interval.steps[0].requests = 10;
    for end_ns in [1_000_000_000, 2_000_000_000, 2_000_400_000] {
        series.push(end_ns, &interval);
    }
    let [_, last] = &series.samples()[..] else {
        panic!("two samples");
    };
    assert_eq!(
        (last.end_ns, last.length_ns),
        (2_000_400_000, 1_000_400_000)
    );
    assert_eq!(last.all().requests, 20);
}

/// Pushes so many seconds of growing counts of two steps; what comes back holds each of them exactly once.
fn check_bounded(mut series: Series, seconds: u64) -> Vec<Sample> {
    let (capacity, samples_max) = (series.packed.capacity(), series.samples_max);
    let (mut requests, mut times) = (0, 0);
    for second in 1..=seconds {
        let mut interval = Interval::new(2);
        interval.users = second;
        interval.steps[1].requests = second;
        for time in 0..second % 50 {
            let ns = (second * 7919 + time * 104_729) % 1_000 * 100_000;
            interval.steps[(time % 2) as usize].response.record(ns);
            times += 1;
        }
        requests += second;
        series.push(second * 1_000_000_000, &interval);
    }
    assert_eq!(series.packed.capacity(), capacity, "the buffer has grown");
    let samples = series.samples();
    assert!(samples.len() <= samples_max, "{} samples", samples.len());
    let all: Vec<StepInterval> = samples.iter().map(Sample::all).collect();
    assert_eq!(all.iter().map(|all| all.requests).sum::<u64>(), requests);
    assert_eq!(
        all.iter().map(|all| all.response.count()).sum::<u64>(),
        times
    );
    let mut end_ns = 0;
    for sample in &samples {
        end_ns += sample.length_ns;
        assert_eq!(sample.end_ns, end_ns);
        assert_eq!(
            sample.users,
            end_ns / 1_000_000_000,
            "those at its last second"
        );
    }
    assert_eq!(end_ns, seconds * 1_000_000_000);
    samples
}

#[test]
fn a_full_series_becomes_coarser_and_loses_no_count() {
    check_bounded(Series::bounded(8, 1 << 20), 37);
}

#[test]
fn a_long_run_needs_no_more_memory_than_a_short_one() {
    let samples = check_bounded(Series::bounded(SAMPLES_MAX, 32 << 10), 1_000);
    assert!(samples.len() > 20, "{} samples", samples.len());
    let lengths = || samples.iter().map(|sample| sample.length_ns);
    let (least, most) = (lengths().min(), lengths().max());
    assert!(
        most <= least.map(|ns| ns * 128),
        "samples from {least:?} to {most:?}"
    );
}

#[test]
fn load_and_drain_are_never_joined() {
    let mut series = Series::bounded(3, 1 << 20);
    let mut interval = Interval::new(1);
    for end_ns in [1_000_000_000, 2_000_000_000, 2_400_000_000] {
        series.push(end_ns, &interval);
    }
    interval.is_drain = true;
    for end_ns in [2_500_000_000, 3_500_000_000, 4_500_000_000] {
        series.push(end_ns, &interval);
    }
    let samples = series.samples();
    let ends = samples.iter().map(|one| (one.end_ns, one.is_drain));
    let ends: Vec<_> = ends.collect();
    let drain = [(3_500_000_000, true), (4_500_000_000, true)];
    assert_eq!(ends, [&[(2_400_000_000, false)], &drain[..]].concat());
}

#[test]
fn a_sample_beyond_the_bound_is_kept() {
    let mut series = Series::bounded(8, 16);
    for second in 1..=5 {
        series.push(second * 1_000_000_000, &Interval::new(1));
    }
    let lengths = series.samples().into_iter().map(|sample| sample.length_ns);
    assert_eq!(lengths.sum::<u64>(), 5_000_000_000);
}

#[test]
fn the_evidence_of_each_second_is_kept_and_the_worst_of_joined_ones() {
    let interval = |causes: &[(Cause, f64)]| {
        let mut interval = Interval::new(1);
        for (cause, figure) in causes {
            interval.causes.add(*cause, *figure);
        }
        interval
    };
    let mut series = Series::new(1);
    series.push(1_000_000_000, &interval(&[(Cause::Busy, 0.95)]));
    series.push(2_000_000_000, &interval(&[]));
    series.push(
        3_000_000_000,
        &interval(&[(Cause::CoreTaken, 0.3), (Cause::Busy, 0.92)]),
    );
    series.push(3_100_000_000, &interval(&[(Cause::CoreTaken, 0.4)]));
    let samples = series.samples();
    let found = samples
        .iter()
        .map(|sample| sample.causes.found().collect::<Vec<_>>());
    assert_eq!(
        found.collect::<Vec<_>>(),
        [
            vec![(Cause::Busy, 0.95)],
            vec![],
            vec![(Cause::Busy, 0.92), (Cause::CoreTaken, 0.4)],
        ]
    );
}
