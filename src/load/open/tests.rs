use super::*;

const S: u64 = 1_000_000_000;

fn open(rate: f64, points: &[(f64, u64)], arrivals: Arrivals) -> Open {
    let points = points.iter().map(|&(rate, after_s)| RatePoint {
        rate,
        after_ns: after_s * S,
    });
    Open::new(rate, &points.collect::<Vec<_>>(), arrivals, 840, 840)
}

fn deal(open: &Open, shards: usize) -> Deal {
    Deal::new(open.users_max, open.users_max, shards)
}

fn times(open: &Open, seed: u64, shards: usize, count: usize) -> Vec<u64> {
    let mut all = Vec::new();
    for shard in 0..shards {
        let mut schedule = open.schedule(
            Keyed::new(seed),
            Deal::new(open.users_max, open.users_max, shards),
            shard,
        );
        let mut of_shard = Vec::new();
        while let Some(at_ns) = schedule.peek(open).filter(|_| of_shard.len() < count) {
            of_shard.push(at_ns);
            schedule.advance(open);
        }
        assert!(of_shard.is_sorted());
        all.extend(of_shard);
    }
    all.sort_unstable();
    all.truncate(count);
    all
}

#[test]
fn constant_arrivals_are_exact_to_the_nanosecond_for_any_number_of_shards() {
    for shards in [1, 3, 7] {
        let load = open(5_000.0, &[], Arrivals::Constant);
        let expected: Vec<u64> = (0..10_000).map(|n| n * 200_000).collect();
        assert_eq!(times(&load, 1, shards, 10_000), expected);
        let thirds = times(&open(3.0, &[], Arrivals::Constant), 1, shards, 7);
        assert_eq!(thirds[..4], [0, 333_333_333, 666_666_666, S]);
    }
}

#[test]
fn a_rate_follows_its_line() {
    let load = open(
        10.0,
        &[(10.0, 10), (30.0, 10), (0.0, 0), (0.0, 5), (20.0, 0)],
        Arrivals::Constant,
    );
    let all = times(&load, 1, 1, 400);
    let within = |from_s: u64, to_s: u64| {
        let within = all
            .iter()
            .filter(|&&ns| (from_s * S..to_s * S).contains(&ns));
        within.count()
    };
    // 10 a second, then from 10 to 30: 75 in its first half, 125 in its second, then none, then 20 a second.
    assert_eq!(
        (within(0, 10), within(10, 15), within(15, 20)),
        (100, 75, 125)
    );
    assert_eq!((within(20, 25), within(25, 30)), (0, 100));
    assert_eq!(load.rate_max, 30.0);
    assert_eq!(
        load.levels(),
        [(0, 10 * S), (20 * S, 25 * S), (25 * S, u64::MAX)]
    );
    assert_eq!(
        times(&open(5.0, &[(0.0, 10)], Arrivals::Constant), 1, 1, 100).len(),
        25
    );
}

#[test]
fn a_steered_rate_follows_what_is_decided_while_it_runs() {
    for shards in [1usize, 3] {
        let load = Open::steered(100.0, Arrivals::Constant, 840, 840);
        let mut schedules: Vec<Schedule> = (0..shards)
            .map(|shard| load.schedule(Keyed::new(1), deal(&load, shards), shard))
            .collect();
        let mut due_before = |ns: u64| -> Vec<u64> {
            let mut due = Vec::new();
            for schedule in &mut schedules {
                while let Some(at_ns) = schedule.peek(&load).filter(|&at_ns| at_ns < ns) {
                    due.push(at_ns);
                    schedule.advance(&load);
                }
            }
            due.sort_unstable();
            due
        };
        assert!(due_before(1_000 * S).is_empty());
        // 10 a second from 1 s on; nothing is decided about its end before it has been followed for a while.
        assert!(load.steer(S, 0, 10.0));
        let tenths: Vec<u64> = (0..10).map(|n| S + n * S / 10).collect();
        assert_eq!(due_before(2 * S), tenths);
        // From 3 s on up to 30 within 2 s: 40 in them. Then nothing, then more than the greatest rate.
        assert!(load.steer(3 * S, 2 * S, 30.0));
        assert!(load.steer(6 * S, 0, 0.0) && load.steer(8 * S, 0, 500.0));
        assert_eq!(due_before(3 * S).len(), 10);
        assert_eq!(due_before(5 * S).len(), 40);
        assert_eq!(due_before(6 * S).len(), 30);
        assert_eq!(due_before(8 * S).len(), 0);
        assert_eq!(due_before(9 * S).len(), 100);
    }
}

/// The Kolmogorov-Smirnov test of gaps against the exponential distribution: beyond 1.358 / sqrt(n) the chance is
/// below 5 % (Smirnov 1948).
fn are_exponential(times_ns: &[u64], mean_ns: f64) -> bool {
    let pairs = times_ns.windows(2);
    let mut gaps: Vec<f64> = pairs.map(|pair| (pair[1] - pair[0]) as f64).collect();
    gaps.sort_by(f64::total_cmp);
    let count = gaps.len() as f64;
    let distances = gaps.iter().enumerate().map(|(index, gap)| {
        let expected = 1.0 - (-gap / mean_ns).exp();
        let (below, above) = (index as f64 / count, (index + 1) as f64 / count);
        (expected - below).abs().max((above - expected).abs())
    });
    distances.fold(0.0, f64::max) < 1.358 / count.sqrt()
}

#[test]
fn poisson_gaps_are_exponential_over_all_shards_and_on_each() {
    let load = open(1_000.0, &[], Arrivals::Poisson);
    assert!(are_exponential(&times(&load, 11, 1, 1_001), 1e6));
    for shards in [1, 4] {
        let refused = (0..100).filter(|&seed| {
            let mut schedule = load.schedule(Keyed::new(seed), deal(&load, shards), 0);
            let mut own = Vec::new();
            while own.len() < 1_001 {
                own.push(schedule.peek(&load).expect("it goes on"));
                schedule.advance(&load);
            }
            !are_exponential(&own, 1e6 * shards as f64)
        });
        // Five are expected.
        assert!((1..=10).contains(&refused.count()));
    }
}

#[test]
fn poisson_arrivals_are_the_same_for_any_number_of_shards() {
    let load = open(1_000.0, &[], Arrivals::Poisson);
    let alone = times(&load, 7, 1, 1_001);
    for shards in [2, 5, 40] {
        assert!(times(&load, 7, shards, 1_001) == alone);
    }
    assert!(times(&load, 8, 1, 1_001) != alone);
}

#[test]
fn poisson_arrivals_keep_their_rate() {
    let all = times(&open(1_000.0, &[], Arrivals::Poisson), 3, 1, 100_000);
    let last_s = *all.last().expect("some") as f64 / 1e9;
    // One standard deviation is 0.3 %.
    assert!((99.0..101.0).contains(&last_s), "{last_s}");
}

#[test]
fn an_order_replaces_the_rest_of_the_rate_for_any_number_of_shards() {
    for (arrivals, shards) in [
        (Arrivals::Constant, 1),
        (Arrivals::Constant, 7),
        (Arrivals::Poisson, 3),
    ] {
        // From 0 to 200 per second within 20 s; at 10 s it is 100, and 500 arrivals have come.
        let ramp = open(0.0, &[(200.0, 20), (50.0, 20)], arrivals).replaceable(1_000.0);
        assert_eq!(ramp.replace_rest(10 * S, 20.0), Some(20.0));
        assert_eq!(ramp.replace_rest(20 * S, 0.0), Some(0.0));
        assert_eq!(ramp.replace_rest(30 * S, 1e9), Some(1_000.0));
        let rates = [5, 15, 25, 35].map(|at_s| ramp.rate_at(at_s * S));
        assert_eq!(rates, [50.0, 20.0, 0.0, 1_000.0]);
        let all = times(&ramp, 3, shards, 1_600);
        let within = |from_s: u64, to_s: u64| {
            let within = all
                .iter()
                .filter(|&&ns| (from_s * S..to_s * S).contains(&ns));
            within.count() as f64
        };
        let spread = match arrivals {
            Arrivals::Constant => 1.0,
            Arrivals::Poisson => 100.0,
        };
        assert!((within(0, 10) - 500.0).abs() <= spread, "{arrivals:?}");
        assert!((within(10, 20) - 200.0).abs() <= spread, "{arrivals:?}");
        assert_eq!(within(20, 30), 0.0, "{arrivals:?}");
        assert!(within(30, 31) >= 800.0, "{arrivals:?}");
    }
}

#[test]
fn a_fixed_rate_takes_no_orders() {
    assert_eq!(
        open(5.0, &[], Arrivals::Constant).replace_rest(S, 1.0),
        None
    );
}
