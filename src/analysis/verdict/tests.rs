use super::*;
use crate::analysis::seconds::tests::{calm_second, watched};
use crate::metrics::effort::CoreWait;
use crate::metrics::interval::Interval;

const MS: u64 = 1_000_000;

fn calm() -> Evidence {
    Evidence {
        watched: watched(20, |_, _| {}),
        busiest: 0.5,
        turn_p99_us: 120.0,
        client_p99_us: 80.0,
        response_p99_us: 900.0,
        requests: 2_000,
        ..Evidence::default()
    }
}

fn check(evidence: &Evidence, status: Status, reason: &str) {
    let verdict = judge(evidence);
    assert_eq!(verdict.status, status, "{verdict:?}");
    assert!(verdict.reasons[0].contains(reason), "{verdict:?}");
}

fn with(change: impl FnOnce(&mut Evidence)) -> Evidence {
    let mut evidence = calm();
    change(&mut evidence);
    evidence
}

/// A run of so many seconds, of which the first `bad` are changed.
fn run_with(seconds: u64, bad: u64, change: impl Fn(&mut Interval)) -> Evidence {
    with(|e| {
        e.watched = watched(seconds, |second, interval| {
            if second < bad {
                change(interval);
            }
        });
    })
}

#[test]
fn a_calm_run_is_valid_and_says_why() {
    check(&calm(), Status::Valid, "50 % busy");
    assert_eq!(judge(&calm()).reasons.len(), 1);
}

#[test]
fn a_finding_on_the_whole_run_has_its_status_its_figure_and_a_cure() {
    let limited = Status::GeneratorLimited;
    check(&with(|e| e.overflows = 3), limited, "in 3 turns");
    check(&with(|e| e.client_limits = 9), limited, "9 requests");
    check(&with(|e| e.debug_build = true), limited, "use --release");
    let connections = Status::ConnectionsLimited;
    check(
        &with(|e| e.waited_in_line = 21),
        connections,
        "--connections",
    );
    check(&with(|e| e.waited_in_line = 20), Status::Valid, "50 %");
    let disturbed = Status::MachineDisturbed;
    check(&with(|e| e.cores_shared = true), disturbed, "share a core");
}

#[test]
fn more_than_one_second_in_twenty_concerns_the_run_and_fewer_are_listed() {
    let busy = |interval: &mut Interval| interval.working_ns = 950 * MS;
    let taken = |interval: &mut Interval| {
        interval.effort.core = CoreWait {
            waited_ns: 300 * MS,
            wanted_ns: 600 * MS,
        };
    };
    let stopped = |interval: &mut Interval| interval.effort.stopped_ns_max = 400 * MS;
    let disturbed = Status::MachineDisturbed;
    check(
        &run_with(20, 2, busy),
        Status::GeneratorLimited,
        "in 2 of 20 seconds, a shard worked more than 90 % of the time (at worst 95 %)",
    );
    check(
        &run_with(20, 2, taken),
        disturbed,
        "other programs had a shard's core for up to 50 %",
    );
    check(
        &run_with(20, 2, stopped),
        disturbed,
        "did not run for up to 400 ms",
    );
    for change in [&busy as &dyn Fn(&mut Interval), &taken, &stopped] {
        for (seconds, share) in [(20, "slowest 5 %"), (200, "slowest 0.5 %")] {
            let verdict = judge(&run_with(seconds, 1, change));
            assert_eq!(verdict.status, Status::Valid, "{verdict:?}");
            let [rests_on, listed] = &verdict.reasons[..] else {
                panic!("two reasons: {verdict:?}");
            };
            assert!(rests_on.contains("50 % busy"), "{verdict:?}");
            assert!(
                listed.starts_with(&format!("in 1 of {seconds} seconds")),
                "{listed}"
            );
            assert!(listed.contains(share), "{listed}");
        }
    }
}

#[test]
fn with_thirty_requests_lateness_is_a_count_and_not_evidence() {
    let few = |late: u64| {
        with(|e| {
            e.watched = watched(3, |_, interval| {
                interval.steps[0].requests = 10;
                interval.effort.late = late;
            });
            (e.requests, e.client_p99_us) = (30, 25_000.0);
        })
    };
    check(
        &few(1),
        Status::Valid,
        "30 requests: enough to see failures, too few for percentiles; 3 of 30 left more than 1 ms late",
    );
    check(&few(0), Status::Valid, "0 of 30 left more than 1 ms late");
    // Beside another reason, the count is listed too.
    let verdict = judge(&Evidence {
        cores_shared: true,
        ..few(1)
    });
    assert_eq!(verdict.status, Status::MachineDisturbed);
    assert_eq!(verdict.reasons[1], "3 of 30 left more than 1 ms late");
}

#[test]
fn lateness_blames_the_generator_only_for_its_own_work() {
    let late = |turn_ns_max: u64, requests: u64| {
        with(|e| {
            e.watched = watched(20, |_, interval| {
                interval.effort.late = 10;
                interval.effort.turn_ns_max = turn_ns_max;
            });
            (e.requests, e.client_p99_us) = (requests, 2_500.0);
        })
    };
    check(
        &late(2 * MS, 2_000),
        Status::GeneratorLimited,
        "requests left late while a turn of the generator's own work took up to 2.00 ms",
    );
    check(
        &late(MS / 10, 2_000),
        Status::MachineDisturbed,
        "more than 2.50 ms after they were due, and not by the generator's own work",
    );
    check(&late(MS / 10, 999), Status::Valid, "999 requests");
    let slow_service = Evidence {
        response_p99_us: 25_000.0,
        ..late(MS / 10, 2_000)
    };
    check(&slow_service, Status::Valid, "50 % busy");
}

#[test]
fn the_generator_is_not_blamed_for_requests_that_waited_for_a_connection_to_open() {
    let evidence = with(|e| {
        e.watched = watched(20, |_, interval| {
            interval.effort.late = 100;
            interval.effort.slow_connects = 100;
        });
        e.client_p99_us = 20_000.0;
    });
    check(&evidence, Status::Valid, "had waited for a connection");
}

fn open(change: impl FnOnce(&mut Arrivals)) -> Evidence {
    with(|e| {
        e.arrivals = Arrivals {
            due: 10_000,
            never_begun: 2_000,
            waited: 4_000,
            rate: 500.0,
            iteration_s: Some(0.01),
            users_max: 100,
            users_left: 0,
        };
        change(&mut e.arrivals);
    })
}

#[test]
fn a_rate_that_is_not_met_names_its_cause() {
    let not_met = Status::RateNotMet;
    let slow = open(|a| a.iteration_s = Some(2.1));
    check(
        &slow,
        not_met,
        "2,000 of 10,000 iterations that were due were never begun (20 %)",
    );
    check(
        &slow,
        not_met,
        "500/s x 2.10 s for an iteration needs 1,050 users, 100 are allowed: give -u 1100",
    );
    check(
        &open(|a| a.users_left = 7),
        not_met,
        "7 users left because a request failed",
    );
    check(&open(|_| {}), not_met, "give more than -u 100");
    let line = Evidence {
        waited_in_line: 500,
        ..open(|_| {})
    };
    check(&line, not_met, "give more --connections");
    // The wait is part of an iteration's time: more users would only make the line longer.
    let slow_line = Evidence {
        waited_in_line: 500,
        ..open(|a| a.iteration_s = Some(2.1))
    };
    check(
        &slow_line,
        not_met,
        "the users waited for a free connection",
    );
    let hung = Evidence {
        silence: Some(silence(None)),
        ..open(|a| a.iteration_s = Some(9.0))
    };
    let verdict = judge(&hung);
    assert_eq!(verdict.status, Status::NoProgress);
    assert!(
        verdict.reasons[1].contains("a server that did not answer"),
        "{verdict:?}"
    );
    let own = Evidence {
        watched: run_with(20, 20, |interval| interval.working_ns = 990 * MS).watched,
        ..open(|a| a.iteration_s = Some(2.1))
    };
    let verdict = judge(&own);
    assert_eq!(verdict.status, Status::GeneratorLimited);
    assert!(
        verdict.reasons[1].contains("the generator itself was the limit"),
        "{verdict:?}"
    );
}

#[test]
fn one_in_a_thousand_may_be_missing_and_one_in_a_hundred_may_wait() {
    let of = |never_begun, waited| {
        open(|a| (a.never_begun, a.waited, a.iteration_s) = (never_begun, waited, Some(1.0)))
    };
    check(&of(10, 0), Status::Valid, "50 % busy");
    check(&of(11, 0), Status::RateNotMet, "11 of 10,000");
    check(&of(0, 100), Status::Valid, "50 % busy");
    check(
        &of(0, 101),
        Status::ConnectionsLimited,
        "1.01 % of iterations waited for a free user",
    );
    let search = Evidence {
        is_search: true,
        ..of(2_000, 4_000)
    };
    check(&search, Status::Valid, "50 % busy");
}

fn silence(to_ns: Option<u64>) -> Silence {
    Silence {
        from_ns: 4_000 * MS,
        to_ns,
        open: 10,
        answers_per_s: Some(1_250.0),
        p99_ns: 8 * MS,
    }
}

#[test]
fn a_server_that_hung_is_the_first_reason() {
    let hung = |silence| {
        with(|e| {
            e.silence = Some(silence);
            e.debug_build = true;
        })
    };
    let no = Status::NoProgress;
    check(
        &hung(silence(None)),
        no,
        "no answer from 4.0 s on, with 10 requests open at the end; until then 1,250/s, p99 8.00 ms",
    );
    check(
        &hung(silence(Some(11_000 * MS))),
        no,
        "no answer from 4.0 s to 11.0 s; until then 1,250/s",
    );
    let never = Silence {
        answers_per_s: None,
        ..silence(None)
    };
    check(&hung(never), no, "no answer at all");
}

#[test]
fn the_gravest_finding_is_the_status_and_all_are_listed_by_gravity() {
    let evidence = with(|e| {
        e.cores_shared = true;
        e.waited_in_line = 1_000;
        e.arrivals.due = 100;
        e.arrivals.never_begun = 50;
        e.client_limits = 1;
        e.silence = Some(silence(None));
    });
    let verdict = judge(&evidence);
    assert_eq!(verdict.status, Status::NoProgress);
    let begins = [
        "no answer",
        "1 request failed",
        "50 of 100",
        "50 % of requests",
        "generator and target",
    ];
    let given: Vec<&String> = verdict.reasons.iter().collect();
    assert_eq!(given.len(), begins.len(), "{given:?}");
    for (reason, begin) in given.iter().zip(begins) {
        assert!(reason.starts_with(begin), "{reason} / {begin}");
    }
}

#[test]
fn a_run_without_an_outcome_has_measured_nothing() {
    let evidence = with(|e| {
        e.watched = watched(3, |_, interval| *interval = calm_second(0));
        e.requests = 0;
    });
    check(&evidence, Status::Valid, "nothing was measured");
}

#[test]
fn users_to_give_are_rounded_up_to_two_digits() {
    for (needed, given) in [
        (0.2, 1),
        (7.2, 8),
        (80.0, 80),
        (1_050.0, 1_100),
        (99_001.0, 100_000),
    ] {
        assert_eq!(two_digits_up(needed), given, "{needed}");
    }
}
