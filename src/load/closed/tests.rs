use super::*;

fn changes(load: &Closed, shard: usize, shards: usize) -> Vec<Change> {
    let mut changes = load.changes(Deal::new(load.users, load.users, shards), shard);
    let mut all = Vec::new();
    while let Some(change) = changes.peek(load) {
        all.push(change);
        changes.advance();
    }
    all
}

fn points(points: &[(u64, u64)]) -> Closed {
    let points = points.iter().map(|&(users, after_s)| Point {
        users,
        after_ns: after_s * SECOND_NS,
    });
    Closed::through(&points.collect::<Vec<_>>())
}

#[test]
fn a_spawn_rate_is_kept_to_the_nanosecond() {
    let load = Closed::at_rate(50, 10.0);
    let times: Vec<u64> = changes(&load, 0, 1)
        .iter()
        .map(|change| change.at_ns)
        .collect();
    assert_eq!(times[..4], [0, 100_000_000, 200_000_000, 300_000_000]);
    assert_eq!((times.len(), load.settled_ns()), (50, 5 * SECOND_NS));
    assert_eq!(load.iterations_of(0), None);
}

#[test]
fn a_ramp_begins_with_some_users_and_ends_with_all() {
    let load = points(&[(10, 0), (100, 180)]);
    let all = changes(&load, 0, 1);
    let at_ns = |user: usize| all[user].at_ns;
    assert_eq!((at_ns(0), at_ns(9)), (0, 900_000_000));
    assert_eq!(at_ns(54), SECOND_NS + 179 * SECOND_NS * 45 / 90);
    assert_eq!(at_ns(99), 180 * SECOND_NS);
}

/// How many there are at a time, by the changes.
fn users_at(all: &[Change], at_s: f64) -> i64 {
    let until = all
        .iter()
        .filter(|change| change.at_ns as f64 <= at_s * 1e9);
    until.map(|change| if change.comes { 1 } else { -1 }).sum()
}

#[test]
fn the_number_of_users_follows_the_line_up_and_down_on_every_shard() {
    let load = points(&[(100, 10), (100, 5), (20, 10), (60, 0), (60, 5), (0, 2)]);
    assert_eq!(load.users, 100);
    for shards in [1, 3, 7] {
        let mut all: Vec<Change> = (0..shards)
            .flat_map(|shard| {
                let of_shard = changes(&load, shard, shards);
                assert!(of_shard.is_sorted_by_key(|change| change.at_ns));
                of_shard
            })
            .collect();
        all.sort_by_key(|change| change.at_ns);
        for (at_s, users) in [
            (5.0, 50),
            (10.0, 100),
            (14.9, 100),
            (20.0, 60),
            (25.0, 21),
            (26.0, 60),
            (31.0, 30),
            (33.0, 0),
        ] {
            assert_eq!(
                users_at(&all, at_s),
                users,
                "at {at_s} s on {shards} shards"
            );
        }
        let mut present = [false; 100];
        for change in all {
            let seat = &mut present[change.user as usize];
            assert_ne!(*seat, change.comes, "{change:?}");
            *seat = change.comes;
        }
    }
}

#[test]
fn levels_are_where_the_number_of_users_stays() {
    let s = |all: &[(u64, u64)]| -> Vec<(u64, u64)> {
        let ends = all.iter();
        ends.map(|&(a, b)| (a * SECOND_NS, b.saturating_mul(SECOND_NS)))
            .collect()
    };
    let stairs = points(&[(10, 0), (10, 20), (20, 10), (20, 30), (5, 5)]);
    assert_eq!(stairs.levels(), s(&[(1, 20), (30, 60), (65, u64::MAX)]));
    assert_eq!(Closed::at_rate(50, 10.0).levels(), s(&[(5, u64::MAX)]));
}

#[test]
fn how_many_users_there_are_is_known_beforehand() {
    let load = points(&[(100, 10), (100, 5), (20, 10), (60, 0), (60, 5)]);
    let all = changes(&load, 0, 1);
    for at_s in [0.05, 0.55, 5.05, 9.95, 12.05, 20.07, 24.97, 25.51, 30.0] {
        let expected = users_at(&all, at_s) as u64;
        assert_eq!(load.users_at((at_s * 1e9) as u64), expected, "{at_s}");
    }
    // Two a second: the second one comes with the end of the first half second.
    let ramp = Closed::at_rate(10, 2.0);
    let of = [1, 500_000_000, 500_000_001, 60 * SECOND_NS];
    assert_eq!(of.map(|at_ns| ramp.users_at(at_ns)), [1, 1, 2, 10]);
}

#[test]
fn a_steered_load_follows_what_is_decided_while_it_runs() {
    let load = Closed::steered(100);
    for shards in [1, 3] {
        assert!((0..shards).all(|shard| changes(&load, shard, shards).is_empty()));
    }
    let mut first_of_three = load.changes(Deal::new(100, 100, 3), 0);
    assert_eq!(first_of_three.peek(&load), None);
    assert!(load.steer(SECOND_NS, SECOND_NS, 6));
    let next = first_of_three.peek(&load).expect("it is decided");
    assert_eq!((next.at_ns, next.user, next.comes), (SECOND_NS, 0, true));
    assert!(load.steer(10 * SECOND_NS, SECOND_NS, 2) && load.steer(20 * SECOND_NS, 0, 500));
    let mut all: Vec<Change> = (0..3).flat_map(|shard| changes(&load, shard, 3)).collect();
    all.sort_by_key(|change| change.at_ns);
    for (at_s, users) in [(0.5, 0), (1.4, 3), (9.0, 6), (11.0, 2), (20.0, 100)] {
        assert_eq!(users_at(&all, at_s), users, "at {at_s} s");
    }
    assert!(!Closed::at_rate(1, 1.0).steer(0, 0, 1));
}

#[test]
fn a_staircase_has_its_steps() {
    let stairs = Staircase {
        from: 300,
        step: 50,
        every_ns: 300 * SECOND_NS,
        users_max: 400,
    };
    let load = Closed::through(&stairs.points());
    let all = changes(&load, 0, 1);
    for (at_s, users) in [
        (1.0, 300),
        (299.0, 300),
        (301.0, 350),
        (599.0, 350),
        (602.0, 400),
    ] {
        assert_eq!(users_at(&all, at_s), users, "at {at_s}");
    }
    assert_eq!(load.users, 400);
}

#[test]
fn iterations_are_shared_out_completely() {
    for (users, all) in [(50, 100), (7, 100), (100, 7), (3, 3)] {
        let load = Closed::at_rate(users, 1.0).with_iterations(Some(all));
        let shares = (0..users).map(|user| u64::from(load.iterations_of(user).expect("bounded")));
        assert_eq!(shares.clone().sum::<u64>(), all);
        let busy = shares.filter(|&share| share > 0).count() as u64;
        assert_eq!(busy, load.users_at_once());
        assert_eq!(changes(&load, 0, 1).len() as u64, busy);
    }
}

#[test]
fn an_order_replaces_the_rest_of_the_line_on_every_shard() {
    for shards in [1, 3] {
        // 10 users at once, 100 more between 10 s and 20 s; ordered at 15 s: 30 within 2 s.
        let load = points(&[(10, 0), (10, 10), (110, 10), (0, 5)]).replaceable(110);
        assert!(!load.has_orders());
        assert_eq!(
            load.replace_rest(15 * SECOND_NS, 2 * SECOND_NS, 30),
            Some(30)
        );
        assert_eq!(load.replace_rest(40 * SECOND_NS, 0, 500), Some(110));
        assert!(load.has_orders() && !load.is_steered());
        let mut all: Vec<Change> = (0..shards)
            .flat_map(|shard| changes(&load, shard, shards))
            .collect();
        all.sort_by_key(|change| change.at_ns);
        for (at_s, users) in [
            (9.0, 10),
            (14.999, 59),
            (16.0, 44),
            (17.5, 30),
            (39.9, 30),
            (40.1, 110),
        ] {
            assert_eq!(users_at(&all, at_s), users, "{shards} {at_s}");
        }
        // User n is present while the line is above n: the last to come is the first to leave.
        let left: Vec<u64> = all
            .iter()
            .filter(|change| !change.comes)
            .map(|change| change.user)
            .collect();
        assert!(
            left.iter().rev().is_sorted() && left.last() == Some(&30),
            "{left:?}"
        );
    }
}

#[test]
fn a_shard_that_has_seen_the_line_takes_an_order_at_its_moment() {
    let load = Closed::at_rate(100, 10.0).replaceable(200);
    let mut seen = load.changes(Deal::new(load.room(), load.room(), 1), 0);
    for _ in 0..30 {
        seen.peek(&load).expect("100 are planned");
        seen.advance();
    }
    assert_eq!(seen.peek(&load).expect("one more").at_ns, 3 * SECOND_NS);
    assert!(!seen.is_outdated(&load));
    assert_eq!(load.replace_rest(3_500_000_000, SECOND_NS, 33), Some(33));
    assert!(seen.is_outdated(&load));
    let mut rest = Vec::new();
    while let Some(change) = seen.peek(&load) {
        rest.push((change.at_ns / 1_000_000, change.user, change.comes));
        seen.advance();
    }
    let expected = [
        (3_000, 30, true),
        (3_100, 31, true),
        (3_200, 32, true),
        (3_300, 33, true),
        (3_400, 34, true),
        (3_500, 34, false),
        (4_000, 33, false),
    ];
    assert_eq!(rest, expected);
    assert!(!seen.is_outdated(&load));
}

#[test]
fn a_fixed_number_of_iterations_and_a_search_take_no_orders() {
    let counted = Closed::at_rate(5, 5.0).with_iterations(Some(100));
    assert_eq!(counted.clone().replaceable(50), counted);
    assert_eq!(counted.replace_rest(SECOND_NS, 0, 1), None);
    assert_eq!(Closed::steered(5).replace_rest(SECOND_NS, 0, 1), None);
}
