use super::*;
use crate::metrics::interval::Interval;
use crate::metrics::outcome::{Failure, Outcome};
use crate::metrics::recorder::{Recorder, Times as Moments};
use crate::metrics::series::Series;
use crate::metrics::summary::Summary;
use crate::record::build;
use crate::record::build::RunTime;
use crate::record::merge::drawn;
use crate::record::schema::{Generator, RunInfo, VerdictRecord};
use crate::scenario::model::{Carries, MetricLabel};

const SECOND_NS: u64 = 1_000_000_000;
pub(super) const SECONDS: u64 = 40;
/// Requests of each step in a second.
const PER_SECOND: u64 = 50;
/// The second step fails in this second, by two kinds in the one after.
const FAILING: u64 = 30;

/// A run of two steps for 40 s and a second of drain. The first 12 s answer in 9 ms, the others in 1 to 2 ms.
pub(super) fn record() -> Record {
    let mut recorder = Recorder::new(2, 0, 0);
    let mut series = Series::new(2);
    for second in 0..=SECONDS {
        let is_drain = second == SECONDS;
        let count = if is_drain { 1 } else { PER_SECOND };
        for (step, nth) in (0..2).flat_map(|step| (0..count).map(move |nth| (step, nth))) {
            recorder.on_started(step);
            let took_ns = match second < 12 {
                true => 9_000_000,
                false => 1_000_000 + nth * 20_000,
            };
            let intended_ns = second * SECOND_NS + nth * 10_000_000;
            let moments = Moments {
                intended_ns,
                submitted_ns: intended_ns + 100_000,
                done_ns: intended_ns + took_ns,
            };
            let outcome = match (step, second, nth) {
                (1, FAILING, _) => Outcome::Failed {
                    failure: Failure::Status,
                    status: 500,
                },
                (1, second, 0) if second == FAILING + 1 => Outcome::Failed {
                    failure: Failure::Timeout,
                    status: 0,
                },
                _ => Outcome::Success { status: 200 },
            };
            recorder.record(step, outcome, moments, 10, 100);
        }
        if second + 1 == SECONDS {
            recorder.on_load_ended();
        }
        let mut interval = recorder.swap_interval(Interval::new(2));
        interval.is_drain = is_drain;
        interval.users = 5;
        series.push((second + 1) * SECOND_NS, &interval);
    }
    let (counts, _) = recorder.into_parts();
    let label = |name: &str| MetricLabel {
        method: "GET".into(),
        name: name.into(),
        target: None,
        is_poll: false,
        hints: Vec::new(),
        carries: Carries::default(),
    };
    let generator = Generator {
        verdict: VerdictRecord {
            status: "VALID".into(),
            reasons: vec!["busiest shard 5 % busy".into()],
        },
        ..drawn::generator()
    };
    let time = RunTime {
        load_ns: SECONDS * SECOND_NS,
        drain_ns: SECOND_NS,
        open_at_load_end: 1,
    };
    let summary = Summary { counts, series };
    let labels = [label("/a"), label("/b")];
    build::record(run_info(), &labels, &[], &summary, time, generator)
}

fn run_info() -> RunInfo {
    let mut run = RunInfo {
        run_time_s: Some(SECONDS as f64),
        ..drawn::run_info()
    };
    run.load.iterations = None;
    run
}

#[test]
fn a_slice_of_everything_has_the_figures_of_the_run() {
    let whole = record();
    let part = slice(&whole, 0.0, None).expect("all of it");
    {
        let (part, whole) = (&part.totals, &whole.totals);
        assert_eq!(
            (part.requests, part.failures),
            (whole.requests, whole.failures)
        );
        assert_eq!(
            (part.rps, part.failures_per_s),
            (whole.rps, whole.failures_per_s)
        );
        assert_eq!(part.all_us, whole.all_us);
        assert_eq!(part.confidence, whole.confidence);
        assert_eq!(
            (part.rps_low, part.rps_high),
            (whole.rps_low, whole.rps_high)
        );
    }
    for (part, whole) in part.steps.iter().zip(&whole.steps) {
        assert_eq!(
            (part.requests, part.body_bytes),
            (whole.requests, whole.body_bytes)
        );
        assert_eq!((&part.all_us, part.rps), (&whole.all_us, whole.rps));
        assert_eq!(part.confidence, whole.confidence);
    }
    assert_eq!(part.steps[0].response_us, whole.steps[0].response_us);
    assert_eq!(part.steps[1].service_us, whole.steps[1].service_us);
    assert_eq!(part.totals.service_us, whole.totals.service_us);
    assert_eq!(
        part.totals.histograms.service,
        whole.totals.histograms.service
    );
    let bounds = whole.totals.service_us.bounds;
    assert!(bounds.p99_low.is_some(), "it has intervals");
    assert_eq!(part.series, whole.series);
    assert_eq!(part.errors, whole.errors);
}

#[test]
fn a_slice_has_the_seconds_that_lie_in_it_as_a_whole_and_their_figures() {
    let whole = record();
    let part = slice(&whole, 11.5, Some(20.2)).expect("eight seconds");
    let slice = part.slice.as_ref().expect("it is one");
    assert_eq!(
        (slice.from_s, slice.to_s, slice.of_s, slice.settled),
        (12.0, 20.0, 40.0, false)
    );
    assert_eq!(
        (part.series.len(), part.totals.requests),
        (8, 8 * 2 * PER_SECOND)
    );
    assert_eq!((part.totals.load_s, part.totals.drain_s), (8.0, 0.0));
    assert_eq!((part.totals.rps, part.steps[0].rps), (100.0, 50.0));
    assert!(part.totals.all_us.max.expect("times") < 2_000.0);
    assert!(whole.totals.all_us.p50.expect("times") > 1_000.0);
    // All answers of the first step had one status; the second had others, and which came when is not known.
    assert_eq!(
        part.steps[0].statuses,
        BTreeMap::from([("200".into(), 8 * PER_SECOND)])
    );
    assert!(part.steps[1].statuses.is_empty());
    assert!(
        slice.not_sliced.contains(&"statuses".to_owned()),
        "{:?}",
        slice.not_sliced
    );
    assert_eq!(
        (part.totals.bytes_sent, part.steps[0].client_us.count),
        (0, 0)
    );
    assert_eq!(part.totals.service_us.count, 8 * 2 * PER_SECOND);
    assert!(part.totals.service_us.max.expect("times") < 2_000.0);
    // Nothing failed in it.
    assert_eq!((part.totals.failures, part.errors.len()), (0, 0));
    assert_eq!(part.totals.response_us, part.totals.all_us);
}

#[test]
fn failures_are_kept_where_their_number_is_known() {
    let whole = record();
    let both = slice(&whole, 25.0, Some(35.0)).expect("both kinds");
    assert_eq!(both.errors, whole.errors);
    let first = slice(&whole, 25.0, Some((FAILING + 1) as f64)).expect("the first kind");
    let counts: Vec<(&str, u64)> = first
        .errors
        .iter()
        .map(|error| (error.kind.as_str(), error.count))
        .collect();
    assert_eq!(counts, [("status", PER_SECOND)]);
    assert_eq!(first.totals.failures, PER_SECOND);
    assert_eq!(
        first.totals.response_us.count, 0,
        "which times are those of failures is not known"
    );
    // A kind that straddles the slice, and is not the only one of its step, is named.
    let mut wide = whole.clone();
    wide.errors
        .iter_mut()
        .for_each(|error| (error.first_s, error.last_s) = (1.0, 39.0));
    let part = slice(&wide, 25.0, Some(35.0)).expect("ten seconds");
    assert!(part.errors.is_empty());
    let not_sliced = &part.slice.expect("it is one").not_sliced;
    assert!(
        not_sliced.contains(&"2 kinds of failures".to_owned()),
        "{not_sliced:?}"
    );
    // The only kind of its step is counted by the seconds.
    wide.errors.truncate(1);
    let part = slice(&wide, 25.0, Some((FAILING + 1) as f64)).expect("six seconds");
    assert_eq!(
        (part.errors[0].count, part.errors[0].first_s),
        (PER_SECOND, FAILING as f64)
    );
}

#[test]
fn a_settled_record_leaves_the_beginning_out_of_its_figures_and_keeps_the_series() {
    let whole = record();
    let part = settled(&whole, 12.0).expect("28 s are left");
    let slice = part.slice.as_ref().expect("it is one");
    assert_eq!(
        (slice.from_s, slice.to_s, slice.settled),
        (12.0, 40.0, true)
    );
    assert_eq!(part.series.len(), whole.series.len());
    let settling = part.series.iter().filter(|sample| sample.is_settling);
    assert_eq!(settling.count(), 12);
    let without = super::slice(&whole, 12.0, None).expect("the same part");
    assert_eq!(part.totals.all_us, without.totals.all_us);
    assert_eq!(part.totals.confidence, without.totals.confidence);
    assert_eq!(
        (part.totals.rps, part.totals.rps_low),
        (without.totals.rps, without.totals.rps_low)
    );
    // What is not known by second stays that of the whole run.
    assert_eq!(part.steps[1].statuses, whole.steps[1].statuses);
    assert_eq!(part.totals.bytes_received, whole.totals.bytes_received);
    assert_eq!(part.totals.client_us, whole.totals.client_us);
    // The whole run can still be had from it.
    let again = super::slice(&part, 0.0, None).expect("all of it");
    assert_eq!(again.totals.all_us, whole.totals.all_us);
    assert_eq!(again.totals.requests, whole.totals.requests);
}

#[test]
fn a_part_that_is_not_there_is_refused_with_what_there_is() {
    let whole = record();
    let check = |from_s: f64, to_s: Option<f64>, expected: &str| {
        let error = slice(&whole, from_s, to_s).expect_err("no such part");
        assert!(error.contains(expected), "{error}");
    };
    check(40.0, None, "the load lasted 40.0 s");
    check(
        20.0,
        Some(10.0),
        "it would end at 10.0 s and begin at 20.0 s",
    );
    check(
        20.2,
        Some(20.9),
        "no second of the load lies in it as a whole",
    );
    let error = settled(&whole, 40.0).expect_err("nothing is left");
    assert!(error.contains("the load lasted 40.0 s"), "{error}");
    let mut damaged = whole.clone();
    damaged.series[20].steps[0].response = "AAAA".into();
    assert!(
        slice(&damaged, 12.0, None)
            .expect_err("damaged")
            .starts_with("its series: ")
    );
}

#[test]
fn the_verdict_of_a_slice_is_that_of_its_seconds() {
    let mut whole = record();
    for sample in &mut whole.series {
        let is_bad = sample.t_s <= 10.0;
        let status = if is_bad { "MACHINE-DISTURBED" } else { "VALID" };
        sample.seconds = BTreeMap::from([(status.to_owned(), 1)]);
    }
    let verdict = &mut whole.generator.verdict;
    verdict.status = "MACHINE-DISTURBED".into();
    verdict.reasons = vec!["in 10 of 40 seconds, the hypervisor took the core".into()];
    let status_of = |whole: &Record, from_s| {
        let part = slice(whole, from_s, None).expect("a part");
        part.generator.verdict.status
    };
    assert_eq!(status_of(&whole, 10.0), "VALID");
    assert_eq!(status_of(&whole, 5.0), "MACHINE-DISTURBED");
    // A reason that is not about seconds holds for every part.
    whole.generator.verdict.reasons.push("a debug build".into());
    assert_eq!(status_of(&whole, 10.0), "MACHINE-DISTURBED");
}

#[test]
fn a_slow_beginning_is_found_with_the_p99_of_the_rest() {
    let whole = record();
    let found = whole.warm_up.clone().expect("twelve slow seconds");
    assert_eq!(found.settled_from_s, Some(12.0));
    assert!(found.mean_before_us.expect("slow") > 5.0 * found.mean_after_us.expect("the rest"));
    let rest = slice(&whole, 12.0, Some(40.0)).expect("the rest");
    assert_eq!(found.p99_after_us, rest.totals.all_us.p99);
    assert_eq!(rest.warm_up, None, "the rest is even");
    let mut staged = whole.clone();
    staged.run.load.stages = vec![crate::record::schema::StageRecord {
        users: 5,
        after_s: 1.0,
    }];
    assert_eq!(warm_up::of(&staged), None, "its level changes by intention");
}

#[test]
fn a_record_that_does_not_know_service_times_by_second_leaves_them_out() {
    let mut old = record();
    let steps = old.series.iter_mut().flat_map(|sample| &mut sample.steps);
    steps.for_each(|step| step.service.clear());
    let part = slice(&old, 12.0, None).expect("28 s");
    assert_eq!(part.totals.service_us, Times::default());
    let not_sliced = part.slice.expect("it is one").not_sliced;
    assert!(
        not_sliced.contains(&"service and client times".to_owned()),
        "{not_sliced:?}"
    );
    let part = settled(&old, 12.0).expect("28 s");
    let counts = (part.totals.service_us.count, old.totals.service_us.count);
    assert_eq!(counts.0, counts.1, "of the whole run");
}
