//! Users of a slot stay in order, and each end of a connection fails the right requests.

use super::*;

#[test]
fn users_stay_in_order_when_one_leaves() {
    let mut batches = Batches::new(2, 4);
    for user in [10, 11, 12] {
        batches.push(1, user);
    }
    assert!(batches.behind(0).is_empty());
    assert_eq!(batches.behind(1), [10, 11, 12]);
    batches.remove(1, 1);
    assert_eq!(batches.behind(1), [10, 12]);
    assert_eq!(batches.pop(1), Some(10));
    batches.push(1, 13);
    batches.push(1, 14);
    assert_eq!(batches.behind(1), [12, 13, 14]);
    for user in [12, 13, 14] {
        assert_eq!(batches.pop(1), Some(user));
    }
    assert_eq!(batches.pop(1), None);
}

#[test]
fn batches_of_one_hold_nothing() {
    let mut batches = Batches::new(1_000_000, 1);
    assert!(batches.behind(999_999).is_empty());
    assert_eq!(batches.pop(999_999), None);
    assert_eq!(batches.users.capacity() + batches.counts.capacity(), 0);
}

const FIRST: Carried = Carried {
    is_first: true,
    is_sent: true,
    is_over: false,
    is_repeatable: false,
};
const BEHIND: Carried = Carried {
    is_first: false,
    ..FIRST
};

/// Checks how the first request and one behind it fail: first when they may not be repeated, then when they may.
fn check(ending: Ending, expected: [Option<Failure>; 4]) {
    let repeatable = |request| Carried {
        is_repeatable: true,
        ..request
    };
    let requests = [FIRST, BEHIND, repeatable(FIRST), repeatable(BEHIND)];
    let failures = requests.map(|request| ending.failure_of(request).map(|(kind, _)| kind));
    assert_eq!(failures, expected, "{ending:?}");
}

fn broken(failure: Failure, worked: bool) -> Ending {
    Ending::Broken {
        failure,
        detail: Detail::None,
        worked,
    }
}

#[test]
fn only_a_race_sends_again_and_only_repeatable_requests() {
    let behind = Some(Failure::PipelineBroken);
    for race in [Failure::ClosedBeforeHead, Failure::ResetBeforeHead] {
        check(broken(race, true), [Some(race), behind, None, None]);
        check(
            broken(race, false),
            [Some(race), behind, Some(race), behind],
        );
    }
    for kind in [Failure::Incomplete, Failure::InvalidResponse] {
        check(broken(kind, true), [Some(kind), behind, Some(kind), behind]);
    }
    check(Ending::Announced, [behind, behind, None, None]);
}

#[test]
fn a_connection_that_was_never_opened_fails_all_its_requests_alike() {
    let refused = Failure::ConnectRefused;
    let never = Ending::NeverOpened(refused, Detail::None);
    check(never, [Some(refused); 4]);
}

#[test]
fn each_request_has_its_own_time_limit() {
    let (behind, over) = (Failure::PipelineBroken, Failure::Timeout);
    let is_over = |request| Carried {
        is_over: true,
        ..request
    };
    let kind = |ending: Ending, request| ending.failure_of(request).map(|(kind, _)| kind);
    let ending = Ending::TimeOver(Phase::InBody);
    check(ending, [Some(behind); 4]);
    assert_eq!(
        ending.failure_of(is_over(FIRST)),
        Some((over, Detail::Phase(Phase::InBody)))
    );
    assert_eq!(kind(ending, is_over(BEHIND)), Some(over));
    let invalid = broken(Failure::InvalidResponse, true);
    assert_eq!(kind(invalid, is_over(BEHIND)), Some(over));
    let opening = Ending::NotOpenYet(Failure::ConnectTimeout, Detail::None);
    check(opening, [None; 4]);
    assert_eq!(
        kind(opening, is_over(BEHIND)),
        Some(Failure::ConnectTimeout)
    );
}

#[test]
fn a_request_that_was_not_sent_does_not_fail_with_those_that_were() {
    let unsent = Carried {
        is_sent: false,
        ..BEHIND
    };
    for ending in [
        broken(Failure::InvalidResponse, true),
        Ending::Announced,
        Ending::TimeOver(Phase::BeforeHead),
    ] {
        assert_eq!(ending.failure_of(unsent), None);
    }
}
