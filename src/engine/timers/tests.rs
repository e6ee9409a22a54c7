//! The wheel beside a sorted set, and its bounds.

use super::*;
use std::collections::BTreeSet;

fn step(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

/// Runs the wheel and a sorted set side by side; both have to fire the same ids at the same times.
fn check(seed: u64, range_bits: u32) {
    let mut seed = seed;
    let mut timers = Timers::new(200);
    let mut naive: BTreeSet<(u64, u32)> = BTreeSet::new();
    let mut free: Vec<u32> = (0..200).collect();
    let mut now_ns = 0;
    for _ in 0..20_000 {
        if !step(&mut seed).is_multiple_of(3)
            && let Some(id) = free.pop()
        {
            let deadline_ns = now_ns + (step(&mut seed) >> (64 - range_bits));
            timers.set(id, deadline_ns);
            naive.insert((deadline_ns, id));
        }
        // Some are cancelled before they fire, one at a time or many at once.
        if step(&mut seed).is_multiple_of(5)
            && let Some((deadline_ns, id)) = naive.pop_last()
        {
            timers.cancel(id);
            timers.cancel(id);
            free.push(id);
            assert!(deadline_ns >= now_ns);
        }
        if step(&mut seed).is_multiple_of(500) {
            timers.retain(|id| !id.is_multiple_of(3));
            naive.retain(|&(_, id)| {
                let stays = !id.is_multiple_of(3);
                free.extend((!stays).then_some(id));
                stays
            });
        }
        match (step(&mut seed) % 4, timers.next_ns()) {
            (0, Some(next_ns)) => now_ns = now_ns.max(next_ns),
            (1, _) => now_ns += step(&mut seed) >> (64 - range_bits),
            _ => now_ns += 1,
        }
        let first = naive.first().map(|&(deadline_ns, _)| deadline_ns);
        assert!(timers.next_ns() <= first, "never late");
        let mut fired = BTreeSet::new();
        while let Some(id) = timers.pop(now_ns) {
            fired.insert(id);
        }
        let rest = naive.split_off(&(now_ns + 1, 0));
        let due = std::mem::replace(&mut naive, rest);
        assert_eq!(fired, due.iter().map(|&(_, id)| id).collect());
        assert_eq!(timers.len(), naive.len());
        free.extend(fired);
    }
}

#[test]
fn it_fires_what_a_sorted_set_fires() {
    for seed in 1..6 {
        for range_bits in [8, 15, 21, 28, 36, 45] {
            check(seed, range_bits);
        }
    }
}

#[test]
fn a_slot_of_a_higher_level_is_empty_before_the_wheel_comes_to_it() {
    let mut seed = 7;
    let mut timers = Timers::new(50_000);
    let far_ns = |seed: &mut u64| 20_000_000_000 + step(seed) % 10_000_000_000;
    for id in 0..50_000 {
        timers.set(id, far_ns(&mut seed));
    }
    let mut held_max = 0;
    for now_ns in (0..40_000_000_000).step_by(1_000_000) {
        for level in 2..LEVELS {
            let shift = DIGIT_BITS * level as u32;
            let now_tick = now_ns >> TICK_BITS;
            if now_tick >> shift > timers.tick >> shift {
                let head = timers.heads[level][slot_of(level, now_tick)];
                held_max = timers.list(head).count().max(held_max);
            }
        }
        while let Some(id) = timers.pop(now_ns) {
            timers.set(id, now_ns + far_ns(&mut seed));
        }
    }
    assert!(held_max <= MOVED_MAX, "{held_max} moved at once");
}

#[test]
fn the_next_time_is_exact_within_a_millisecond() {
    let mut timers = Timers::new(2);
    timers.set(0, 900_123);
    timers.set(1, 900_124);
    assert_eq!(timers.next_ns(), Some(900_123));
    assert_eq!(timers.pop(900_122), None);
    assert_eq!(timers.pop(900_123), Some(0));
    assert_eq!(timers.next_ns(), Some(900_124));
}

#[test]
fn waiting_for_the_next_time_again_and_again_comes_to_an_hour_in_few_steps() {
    let mut timers = Timers::new(1);
    let hour_ns = 3_600_000_000_000;
    timers.set(0, hour_ns);
    let mut steps = 0;
    let mut now_ns = 0;
    while timers.pop(now_ns).is_none() {
        now_ns = timers.next_ns().expect("it has not fired");
        steps += 1;
    }
    assert_eq!(now_ns, hour_ns);
    assert!(steps <= LEVELS, "{steps} steps");
}

#[test]
fn a_time_in_the_past_fires_at_once() {
    let mut timers = Timers::new(2);
    timers.set(0, 50_000_000);
    assert_eq!(timers.pop(60_000_000), Some(0));
    timers.set(1, 10);
    assert_eq!(timers.pop(60_000_000), Some(1));
    assert!(timers.is_empty());
}
