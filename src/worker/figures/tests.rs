use super::*;
use crate::metrics::interval::Interval;
use crate::metrics::outcome::{Failure, Failures};
use crate::metrics::seconds::Status;

const SECOND_NS: u64 = 1_000_000_000;

/// A tick with the sums of steps of which each has some requests of 1.5 ms; the last of them failed.
fn tick(number: u64, requests: &[u64], failures: u64) -> Arc<Tick> {
    let steps = requests.iter().map(|&requests| {
        let mut step = StepInterval {
            requests,
            failures,
            body_bytes: 10 * requests,
            ..StepInterval::default()
        };
        step.failures_by_kind[Failure::Timeout] = failures;
        (0..requests).for_each(|_| step.response.record(1_500_000));
        step
    });
    let mut second = Interval::new(requests.len());
    second.users = 7;
    second.working_ns = SECOND_NS / 4;
    Arc::new(Tick {
        number,
        begin_ns: (number - 1) * SECOND_NS,
        end_ns: number * SECOND_NS,
        load_from_ns: Some(0),
        second,
        so_far: steps.collect(),
        failures: Failures::default(),
        level: None,
        verdict: Status::Valid,
    })
}

fn figures(steps: usize) -> Figures {
    Figures::new(
        (0..steps)
            .map(|step| ("GET".into(), format!("/{step}")))
            .collect(),
    )
}

fn report(figures: &mut Figures) -> Report {
    let mut report = Report {
        total: Row::total(100.0),
        ..Report::default()
    };
    figures.report_into(&mut report);
    report
}

#[test]
fn reports_add_up_to_the_sums_of_the_last_tick_even_when_ticks_are_missed() {
    let mut figures = figures(2);
    let (mut requests, mut failures, mut bytes, mut times) = (0, 0, 0, 0);
    let mut seconds = 0;
    // The third tick is missed.
    for (number, counts, failed) in [(1, [3, 0], 0), (2, [5, 2], 1), (4, [9, 2], 2)] {
        figures.on_tick(&tick(number, &counts, failed), 100.0 + number as f64);
        let report = report(&mut figures);
        requests += report.total.requests;
        failures += report.errors.iter().map(|row| row.occurrences).sum::<u64>();
        bytes += report.rows.iter().map(|row| row.body_bytes).sum::<u64>();
        times += report
            .total
            .times
            .iter()
            .map(|(_, count)| count)
            .sum::<u64>();
        seconds += report
            .total
            .by_second
            .iter()
            .map(|(_, count)| count)
            .sum::<u64>();
        let rows: u64 = report.rows.iter().map(|row| row.requests).sum();
        assert_eq!(report.total.requests, rows);
    }
    assert_eq!((requests, bytes, times, seconds), (11, 110, 11, 11));
    // Two of each step.
    assert_eq!(
        failures, 3,
        "the second step had no request after its first failure"
    );
    assert_eq!(
        report(&mut figures),
        Report {
            total: Row::total(100.0),
            ..Report::default()
        }
    );
}

#[test]
fn times_are_in_fractions_of_a_millisecond_and_the_seconds_are_those_of_the_clock() {
    let mut figures = figures(1);
    figures.on_tick(&tick(1, &[4], 1), 1_000.5);
    figures.on_tick(&tick(2, &[5], 1), 1_001.9);
    let report = report(&mut figures);
    let row = &report.rows[0];
    assert_eq!((row.method.as_str(), row.name.as_str()), ("GET", "/0"));
    assert_eq!(row.times, [(1.5, 5)]);
    assert_eq!(
        (row.min_ms, row.max_ms, row.total_ms),
        (Some(1.5), 1.5, 7.5)
    );
    // By the start that the first tick tells, however late the second one was read.
    assert_eq!(row.by_second, [(999, 4), (1_000, 1)]);
    assert_eq!(row.failures_by_second, [(999, 1)]);
    assert_eq!((row.start_s, row.last_s), (999.5, Some(1_001.5)));
    assert_eq!(report.errors[0].error, "timeout");
    assert_eq!((figures.users(), figures.cpu_percent()), (7, 25.0));
}

#[test]
fn without_requests_there_is_a_total_and_no_row() {
    let mut figures = figures(1);
    assert_eq!(report(&mut figures).total, Row::total(100.0));
    figures.on_tick(&tick(1, &[0], 0), 101.0);
    let report = report(&mut figures);
    assert!(report.rows.is_empty());
    assert_eq!((report.total.min_ms, report.total.max_ms), (None, 0.0));
}

#[test]
fn a_time_is_rounded_by_one_per_cent_at_most() {
    let mut keys = std::collections::BTreeSet::new();
    for us in 1..100_000_u64 {
        let rounded = rounded_us(us);
        assert!(rounded.abs_diff(us) * 100 <= us, "{us} -> {rounded}");
        keys.insert(rounded);
    }
    let of_decade = keys.range(10_000..100_000).count();
    assert!(of_decade <= 176, "{of_decade}");
    assert_eq!(
        [99, 250, 1_234, 4_117].map(rounded_us),
        [99, 252, 1_240, 4_120]
    );
}
