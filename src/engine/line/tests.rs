//! The line beside a plain list, and the bounds of a sweep.

use super::*;

fn step(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

/// Runs the line beside a plain vector that is swept at once; both have to do the same.
#[test]
fn a_line_whose_users_leave_anywhere_agrees_with_a_plain_list() {
    const USERS: u32 = 300;
    let mut seed = 31;
    let mut line = Line::new(USERS as usize);
    let capacity = line.users.capacity();
    let mut naive: Vec<u32> = Vec::new();
    let mut outside: Vec<u32> = (0..USERS).collect();
    let (mut interrupted, mut most_in_gap) = (0, 0);
    for _ in 0..50_000 {
        match step(&mut seed) % 8 {
            0..=3 if !outside.is_empty() => {
                let user = outside.swap_remove(step(&mut seed) as usize % outside.len());
                line.push(user);
                naive.push(user);
            }
            4 => {
                assert_eq!(line.first(), naive.first().copied());
                let first = (!naive.is_empty()).then(|| naive.remove(0));
                assert_eq!(line.pop(), first);
                outside.extend(first);
            }
            _ => {
                let leaves = |user: u32, seed| (u64::from(user) * seed) % 11 < 3;
                let key = step(&mut seed) >> 40;
                let (visits_max, leaving_max) = (step(&mut seed) % 50, step(&mut seed) % 9);
                let mut visited = Vec::new();
                let is_over = line.sweep(visits_max as usize, leaving_max as usize, |user| {
                    visited.push(user);
                    leaves(user, key)
                });
                assert!(visited.len() as u64 <= visits_max);
                assert_ne!(is_over, line.is_being_swept());
                interrupted += usize::from(!is_over);
                let left: Vec<u32> = visited
                    .into_iter()
                    .filter(|&user| leaves(user, key))
                    .collect();
                assert!(left.len() as u64 <= leaving_max);
                naive.retain(|user| !left.contains(user));
                outside.extend(left);
            }
        }
        most_in_gap = most_in_gap.max(line.unvisited - line.kept);
        assert!(line.iter().eq(naive.iter().copied()));
        assert_eq!(line.first(), naive.first().copied());
    }
    assert!(
        interrupted > 1_000 && most_in_gap > 10,
        "{interrupted} {most_in_gap}"
    );
    assert_eq!(line.users.capacity(), capacity, "the ring has grown");
}

#[test]
fn a_sweep_visits_each_user_once_however_many_leave() {
    const USERS: u32 = 80_000;
    let mut line = Line::new(USERS as usize);
    (0..USERS).for_each(|user| line.push(user));
    let (mut visits, mut turns) = (0, 0);
    let mut is_over = false;
    while !is_over {
        is_over = line.sweep(10_000, 1_000, |user| {
            visits += 1;
            user % 2 == 0
        });
        turns += 1;
    }
    // The last user stays: it is visited one turn after the last 1,000 left.
    assert_eq!((visits, turns), (80_000, 41));
    assert!(line.iter().eq((0..USERS).filter(|user| user % 2 == 1)));
}
