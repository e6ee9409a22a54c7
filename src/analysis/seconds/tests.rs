use super::*;
use crate::metrics::effort::CoreWait;

const MS: u64 = 1_000_000;

/// A second of so many requests, at half a shard's strength, with nothing wrong.
pub fn calm_second(requests: u64) -> Interval {
    let mut interval = Interval::new(1);
    interval.working_ns = 500 * MS;
    interval.in_flight = 3;
    interval.effort.turn_ns_max = MS / 5;
    let step = &mut interval.steps[0];
    (step.requests, step.answers) = (requests, requests);
    (0..requests).for_each(|_| step.response.record(9 * MS / 10));
    interval
}

/// So many seconds of 100 requests each, each changed.
pub fn watched(seconds: u64, change: impl Fn(u64, &mut Interval)) -> Watched {
    let mut watched = Watched::default();
    for second in 0..seconds {
        let mut interval = calm_second(100);
        change(second, &mut interval);
        let place = (second * SECOND_NS, (second + 1) * SECOND_NS);
        watched.on_second(place, (true, false), &interval, Some(0.01), 0);
    }
    watched
}

fn calm() -> SecondEvidence {
    SecondEvidence {
        length_ns: SECOND_NS,
        working_ns: 500 * MS,
        requests: 1_000,
        response_p99_ns: MS,
        effort: Effort {
            turn_ns_max: MS / 5,
            ..Effort::default()
        },
        ..SecondEvidence::default()
    }
}

/// What is found in a calm second that was changed.
fn causes(change: impl FnOnce(&mut SecondEvidence)) -> Vec<Cause> {
    let mut second = calm();
    change(&mut second);
    let found = judge_second(&second);
    found.into_iter().map(|(cause, _)| cause).collect()
}

#[test]
fn each_threshold_has_two_sides() {
    assert_eq!(causes(|_| {}), []);
    assert_eq!(causes(|s| s.working_ns = 900 * MS), []);
    assert_eq!(causes(|s| s.working_ns = 901 * MS), [Cause::Busy]);
    let core = |waited_ns, wanted_ns| {
        causes(|s| {
            s.effort.core = CoreWait {
                waited_ns,
                wanted_ns,
            }
        })
    };
    assert_eq!(core(100 * MS, 500 * MS), []);
    assert_eq!(core(101 * MS, 500 * MS), [Cause::CoreTaken]);
    // Waits that could make nothing late, of a shard that hardly ran.
    assert_eq!(core(MS, MS + MS / 2), []);
    assert_eq!(causes(|s| s.steal_share = Some(0.05)), []);
    assert_eq!(causes(|s| s.steal_share = Some(0.06)), [Cause::Stolen]);
    assert_eq!(causes(|s| s.throttled_us = 1_000), []);
    assert_eq!(causes(|s| s.throttled_us = 1_001), [Cause::Throttled]);
    assert_eq!(causes(|s| s.effort.stopped_ns_max = 100 * MS), []);
    assert_eq!(
        causes(|s| s.effort.stopped_ns_max = 101 * MS),
        [Cause::Stopped]
    );
    assert_eq!(causes(|s| s.effort.waited_in_line = 10), []);
    assert_eq!(causes(|s| s.effort.waited_in_line = 11), [Cause::InLine]);
    assert_eq!(causes(|s| (s.due, s.behind) = (1_000, 10)), []);
    assert_eq!(causes(|s| (s.due, s.behind) = (1_000, 11)), [Cause::Behind]);
    assert_eq!(causes(|s| (s.due, s.behind) = (10, 5)), []);
}

#[test]
fn late_requests_are_the_generators_fault_only_beside_long_turns_of_its_own() {
    let late = |late, turn_ns_max, change: fn(&mut SecondEvidence)| {
        causes(|s| {
            (s.effort.late, s.effort.turn_ns_max) = (late, turn_ns_max);
            change(s);
        })
    };
    assert_eq!(late(11, 2 * MS, |_| {}), [Cause::LongTurns]);
    assert_eq!(late(10, 2 * MS, |_| {}), [], "1 % may");
    assert_eq!(late(500, MS, |_| {}), [], "no turn was long");
    assert_eq!(late(9, 2 * MS, |s| s.requests = 20), [], "by chance");
    assert_eq!(late(11, 2 * MS, |s| s.lines_are_long = true), []);
    // For a slow service it is a small part.
    assert_eq!(late(11, 2 * MS, |s| s.response_p99_ns = 21 * MS), []);
    // What the quota or the hypervisor took may have been taken in the middle of the turn.
    let throttled = late(11, 2 * MS, |s| s.throttled_us = 1_500);
    assert_eq!(throttled, [Cause::Throttled]);
    let stolen = late(11, 2 * MS, |s| s.steal_share = Some(0.06));
    assert_eq!(stolen, [Cause::Stolen]);
    let tick = late(11, 2 * MS, |s| s.steal_share = Some(0.01));
    assert_eq!(tick, [Cause::LongTurns]);
}

#[test]
fn a_second_has_its_gravest_status_and_the_run_counts_every_cause() {
    let watched = watched(10, |second, interval| {
        if second < 2 {
            interval.working_ns = 990 * MS;
            interval.effort.stopped_ns_max = (second + 1) * 150 * MS;
        }
        if second == 5 {
            interval.effort.waited_in_line = 50;
        }
    });
    let judged = watched.judged;
    assert_eq!(judged[Status::GeneratorLimited], 2);
    assert_eq!(judged[Status::MachineDisturbed], 0);
    assert_eq!(judged[Status::ConnectionsLimited], 1);
    assert_eq!((judged[Status::Valid], judged.count()), (7, 10));
    let stopped = watched.found(Cause::Stopped);
    assert_eq!((stopped.seconds, stopped.worst), (2, 300e6));
    assert!(watched.is_doubted_for(Status::MachineDisturbed));
}

#[test]
fn a_stretch_of_several_seconds_counts_as_many_and_a_short_rest_as_none() {
    let mut watched = Watched::default();
    let mut stopped = calm_second(10);
    (stopped.effort.stopped_ns_max, stopped.working_ns) = (2_000 * MS, 10 * MS);
    for (place, interval) in [
        ((0, SECOND_NS), &calm_second(10)),
        ((SECOND_NS, 4 * SECOND_NS), &stopped),
        ((4 * SECOND_NS, 4 * SECOND_NS + 300 * MS), &calm_second(10)),
    ] {
        watched.on_second(place, (true, false), interval, None, 0);
    }
    assert_eq!(watched.judged[Status::MachineDisturbed], 3);
    assert_eq!(watched.judged.count(), 4);
    // A run of less than that is judged all the same.
    let mut short = Watched::default();
    short.on_second((0, 50 * MS), (true, false), &stopped, None, 0);
    assert_eq!(short.judged[Status::MachineDisturbed], 1);
}

#[test]
fn a_level_is_judged_as_a_run_is() {
    let of = |limited, valid| {
        let mut seconds = Seconds::default();
        seconds[Status::GeneratorLimited] = limited;
        seconds[Status::Valid] = valid;
        judge_seconds(&seconds)
    };
    assert_eq!(of(1, 19), Status::Valid);
    assert_eq!(of(1, 18), Status::GeneratorLimited);
    assert_eq!(judge_seconds(&Seconds::default()), Status::Valid);
}

#[test]
fn an_iteration_takes_what_littles_law_says() {
    // 20 users under way, 40 iterations over each second: half a second each.
    let watched = watched(10, |second, interval| {
        interval.arrivals.under_way = 20;
        interval.arrivals.begun = 20 + 40 * (second + 1);
    });
    assert_eq!(watched.iteration_s(), Some(0.5));
}

#[test]
fn the_seconds_of_a_silence_are_marked_from_the_fifth_on() {
    let watched = watched(10, |second, interval| {
        if second >= 2 {
            *interval = calm_second(0);
        }
    });
    assert_eq!(watched.judged[Status::NoProgress], 4);
    let silence = watched.silence(10 * SECOND_NS, MS).expect("eight seconds");
    assert_eq!(silence.from_ns, 2 * SECOND_NS);
}
