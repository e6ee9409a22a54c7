//! Which slot a user gets, and when it waits.

use super::*;

#[test]
fn a_user_without_a_free_connection_gets_the_next_one_that_is_released() {
    let mut pool = Pool::shared(1, 1, 3, 1);
    assert_eq!(pool.acquire(0, 0), Some(0));
    assert_eq!(pool.acquire(1, 0), None);
    assert_eq!(pool.acquire(2, 0), None);
    assert_eq!(pool.line_ref(0).first(), Some(1));
    assert_eq!(pool.next_for(0), None, "it is in use");
    for (user, next) in [(0, Some(1)), (1, Some(2)), (2, None)] {
        assert!(pool.leave(0, user));
        assert_eq!(pool.next_for(0), next);
        next.iter().for_each(|&next| pool.join(0, next));
    }
    assert_eq!(pool.acquire(1, 0), Some(0));
}

#[test]
fn the_connection_used_last_is_used_first() {
    let mut pool = Pool::shared(3, 1, 3, 1);
    for slot in 0..3 {
        assert_eq!(pool.acquire(slot, 0), Some(slot));
    }
    for slot in [0, 2, 1] {
        pool.leave(slot, slot);
        assert_eq!(pool.next_for(slot), None);
    }
    assert_eq!(pool.acquire(7, 0), Some(1));
}

#[test]
fn a_slot_that_backs_off_takes_nothing_from_the_line_until_its_pause_is_over() {
    let mut pool = Pool::shared(1, 1, 2, 1);
    pool.acquire(0, 0);
    pool.connections[0].state = State::BackingOff;
    pool.leave(0, 0);
    assert_eq!(pool.next_for(0), None);
    assert_eq!(pool.acquire(1, 0), None);
    pool.connections[0].state = State::Closed;
    assert_eq!(pool.next_for(0), Some(1));

    let mut own = Pool::per_user(2, 1);
    own.connections[1].state = State::BackingOff;
    assert_eq!(own.acquire(1, 0), Some(1));
    assert_eq!(own.connections[1].user, 1);
}

#[test]
fn connections_are_filled_one_after_the_other_and_then_there_is_a_line() {
    let mut pool = Pool::shared(2, 1, 9, 3);
    let slots: Vec<_> = (0..7).map(|user| pool.acquire(user, 0)).collect();
    let [first, second] = [Some(0), Some(1)];
    assert_eq!(
        slots,
        [first, first, first, second, second, second, None],
        "the seventh finds no slot"
    );
    assert!([0, 1, 2] == [0, 1, 2].map(|place| pool.user_at(0, place)));
    assert_eq!(pool.filled(), None);
    // A batch that is under way takes no more users, even after some have left it.
    pool.connections[0].state = State::Busy;
    assert!(!pool.leave(0, 0));
    assert_eq!(pool.next_for(0), None);
    assert!(!pool.leave(0, 2) && pool.leave(0, 1));
    pool.connections[0].state = State::Idle;
    assert_eq!(pool.next_for(0), Some(6));
    pool.join(0, 6);
    assert_eq!(pool.next_for(0), None);
    // The slot is filled until the turn is over.
    assert_eq!(pool.acquire(7, 0), Some(0));
    assert_eq!(pool.filled(), Some(0));
    assert_eq!(pool.acquire(8, 0), None);
    assert_eq!(pool.next_for(0), Some(8), "it has not been sent yet");
}

#[test]
fn each_target_has_its_own_slots_and_its_own_line() {
    let mut own = Pool::per_user(3, 2);
    assert_eq!(own.acquire(1, 0), Some(1));
    assert_eq!(own.acquire(2, 1), Some(5));
    assert_eq!((own.target_of(5), own.place_of(5)), (1, 2));
    assert_eq!(own.own_slots(1).collect::<Vec<_>>(), [1, 4]);

    let mut pool = Pool::shared(1, 2, 4, 1);
    assert_eq!(pool.acquire(0, 0), Some(0));
    assert_eq!(
        pool.acquire(1, 1),
        Some(1),
        "the other target's slot is free"
    );
    assert_eq!([pool.acquire(2, 0), pool.acquire(3, 1)], [None, None]);
    assert!(pool.leave(1, 1));
    assert_eq!(
        pool.next_for(1),
        Some(3),
        "not the first user of the other line"
    );
    assert_eq!(pool.line_ref(0).first(), Some(2));
    assert_eq!(pool.free_for_line(0), None);
    assert_eq!(pool.own_slots(0).count(), 0);

    // A batch takes users of its own target only.
    let mut pool = Pool::shared(1, 2, 4, 2);
    assert_eq!(pool.acquire(0, 1), Some(1));
    assert_eq!(pool.acquire(1, 0), Some(0));
    assert_eq!(pool.acquire(2, 1), Some(1));
    assert_eq!(pool.filled(), Some(0));
    assert_eq!(pool.filled(), None);
}

#[test]
fn backoff_doubles_to_its_bound_and_never_vanishes() {
    for random in [0, u64::MAX / 2, u64::MAX] {
        assert!(backoff_ns(1, random) >= BACKOFF_NS_MIN / 2);
        assert!(backoff_ns(1, random) <= BACKOFF_NS_MIN);
        assert!(backoff_ns(3, random) >= 2 * BACKOFF_NS_MIN);
        assert!(backoff_ns(u32::MAX, random) <= BACKOFF_NS_MAX);
    }
}
