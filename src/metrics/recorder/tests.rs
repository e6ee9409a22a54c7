use super::*;

fn times(intended_ns: u64, submitted_ns: u64, done_ns: u64) -> Times {
    Times {
        intended_ns,
        submitted_ns,
        done_ns,
    }
}

#[test]
fn the_three_clocks_are_kept_apart() {
    let mut recorder = Recorder::new(1, 0, 0);
    recorder.on_started(0);
    let outcome = Outcome::Success { status: 202 };
    recorder.record(0, outcome, times(1_000_000, 3_000_000, 8_000_000), 7, 100);
    recorder.on_over();
    let step = &recorder.counts.steps[0];
    assert_eq!(step.service.max_us(), 5_000.0);
    assert_eq!(step.response.max_us(), 7_000.0);
    assert_eq!(step.client.max_us(), 2_000.0);
    assert_eq!(
        (step.requests, step.failures, step.statuses[202]),
        (1, 0, 1)
    );
    assert!(step.failed.is_empty());
}

#[test]
fn failures_have_a_histogram_and_an_example_of_their_own() {
    let mut recorder = Recorder::new(1, 0, 1_000);
    for (done_ns, text) in [(2_000_000, "first"), (9_000_000, "second")] {
        recorder.on_started(0);
        let (failure, status) = (Failure::Status, 500);
        recorder.example(0, failure, status, || text.to_owned());
        let outcome = Outcome::Failed { failure, status };
        recorder.record(0, outcome, times(0, 0, done_ns), 0, 0);
    }
    let step = &recorder.counts.steps[0];
    assert!(step.response.is_empty());
    assert_eq!(step.failed.count(), 2);
    let [error] = &step.errors[..] else {
        panic!("one kind");
    };
    assert_eq!(
        (error.count, error.first_ns, error.last_ns),
        (2, 1_999_000, 8_999_000)
    );
    assert_eq!(error.example.text, "first");
    assert_eq!(step.statuses[500], 2);
}

#[test]
fn not_yet_is_neither_success_nor_failure_but_a_request() {
    let mut recorder = Recorder::new(1, 0, 0);
    recorder.record(0, Outcome::NotYet { status: 404 }, times(0, 0, 1), 0, 0);
    let step = &recorder.counts.steps[0];
    assert_eq!(
        (step.requests, step.failures, step.statuses[404]),
        (1, 0, 1)
    );
}

#[test]
fn a_request_cut_off_counts_at_its_age_and_has_no_outcome() {
    let mut recorder = Recorder::new(1, 0, 0);
    recorder.on_started(0);
    recorder.cut_off(0, times(1_000_000, 1_000_000, 6_000_000));
    let step = &recorder.counts.steps[0];
    assert_eq!((step.sent, step.requests, step.cut_off), (1, 0, 1));
    assert_eq!(step.failed.max_us(), 5_000.0);
}

#[test]
fn intervals_are_handed_over_without_losing_a_count() {
    let mut recorder = Recorder::new(2, 0, 0);
    let mut sum = Interval::new(2);
    for second in 0..5 {
        for step in 0..2 {
            for _ in 0..=second {
                let outcome = Outcome::Success { status: 200 };
                recorder.record(step, outcome, times(0, 0, 5_000), 3, 9);
            }
        }
        sum += &recorder.swap_interval(Interval::new(2));
    }
    let all = sum.all();
    assert_eq!(
        (all.requests, all.body_bytes, all.response.count()),
        (30, 90, 30)
    );
}

#[test]
fn service_times_are_counted_once_in_the_run_and_once_in_their_second() {
    let mut recorder = Recorder::new(1, 0, 0);
    let mut seconds = Interval::new(1);
    let outcome = Outcome::Success { status: 200 };
    for second in 1..=3 {
        recorder.record(0, outcome, times(0, 1_000, second * 1_000_000), 0, 0);
        assert_eq!(recorder.slowest_ns(), second * 1_000_000 - 1_000);
        if second < 3 {
            seconds += &recorder.swap_interval(Interval::new(1));
        }
    }
    // The last second is not handed over, and the counts are asked for twice.
    recorder.on_over();
    assert_eq!(recorder.counts.steps[0].service.count(), 3);
    let (counts, last) = recorder.into_parts();
    seconds += &last;
    let (of_run, of_seconds) = (&counts.steps[0].service, &seconds.steps[0].service);
    assert_eq!(of_run.count(), 3);
    assert_eq!(of_run.exact_ns(), of_seconds.exact_ns());
}
