use super::*;

const BY_HALF: Search = Search {
    from: 100.0,
    growth: Growth::Times(1.5),
    to: 100_000.0,
    resolution: Some(0.05),
    is_whole: false,
};
/// As users' own stress test goes: 300 users, 50 more each time.
const USERS: Search = Search {
    from: 300.0,
    growth: Growth::Add(50.0),
    to: 5_000.0,
    resolution: None,
    is_whole: true,
};

fn clear(level: f64, good: bool) -> Measured {
    Measured {
        level,
        good,
        is_noisy: false,
        is_believable: true,
    }
}

/// Searches a server given as level -> measurement, and checks what must hold on every path.
fn searched(search: Search, mut server: impl FnMut(f64) -> Measured) -> (End, Vec<Measured>) {
    let mut measured = Vec::new();
    loop {
        match search.next(&measured) {
            Next::Measure(level) => {
                assert!(measured.len() < MEASUREMENTS_MAX);
                assert!(level > 0.0 && level <= search.to);
                assert!(!search.is_whole || level.fract() == 0.0);
                measured.push(server(level));
            }
            Next::Done(end) => {
                if let End::Found {
                    last_good,
                    first_bad,
                } = end
                {
                    assert!(last_good < first_bad, "{end:?}");
                }
                return (end, measured);
            }
        }
    }
}

fn check(search: Search, server: impl FnMut(f64) -> Measured, expected: End) {
    let (end, measured) = searched(search, server);
    assert_eq!(end, expected, "{measured:?}");
}

/// The threshold lies in the bracket, and the bracket is as narrow as was asked for.
fn is_right(search: Search, end: End, threshold: f64) -> bool {
    match end {
        End::Found {
            last_good,
            first_bad,
        } => {
            let is_within = last_good <= threshold && threshold < first_bad;
            is_within && (first_bad - last_good) / last_good <= search.resolution.unwrap_or(9.0)
        }
        _ => false,
    }
}

fn random(seed: &mut u64) -> f64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = *seed;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

#[test]
fn a_knee_is_found_within_the_resolution() {
    // 20 ms up to 640 per second, 0.5 ms more for each beyond; the limit of 250 ms is passed at 1,100.
    let server = |level: f64| {
        let response_ms = 20.0 + 0.5 * (level - 640.0).max(0.0);
        Measured {
            is_noisy: (response_ms - 250.0).abs() < 25.0,
            ..clear(level, response_ms <= 250.0)
        }
    };
    let (end, measured) = searched(BY_HALF, server);
    assert!(is_right(BY_HALF, end, 1_100.0), "{end:?}");
    assert!(measured.len() <= 24, "{measured:?}");
}

#[test]
fn a_cliff_is_found_within_the_resolution_wherever_it_is() {
    for threshold in [100.0, 101.0, 149.9, 150.0, 777.0, 5_000.0, 99_000.0] {
        for search in [
            BY_HALF,
            Search {
                growth: Growth::Add(900.0),
                ..BY_HALF
            },
            Search {
                resolution: Some(0.001),
                ..BY_HALF
            },
            Search {
                is_whole: true,
                ..BY_HALF
            },
        ] {
            let (end, _) = searched(search, |level| clear(level, level <= threshold));
            let is_fine = is_right(search, end, threshold);
            assert!(is_fine, "{threshold} {search:?} {end:?}");
        }
    }
}

#[test]
fn a_clear_search_costs_one_window_each_good_level_two_each_bad_and_three_more_at_the_ends() {
    let (end, measured) = searched(BY_HALF, |level| clear(level, level <= 1_000.0));
    let levels: Vec<u64> = measured.iter().map(|one| one.level as u64).collect();
    let (growing, halving) = levels.split_at(8);
    assert_eq!(growing, [100, 150, 225, 337, 506, 759, 1_139, 1_139]);
    assert_eq!(
        halving,
        [930, 1_029, 1_029, 978, 1_003, 1_003, 978, 978, 1_003]
    );
    assert!(is_right(BY_HALF, end, 1_000.0), "{end:?}");
}

#[test]
fn users_own_stress_test_gives_the_last_good_and_the_first_bad_level() {
    let (end, measured) = searched(USERS, |level| clear(level, level < 520.0));
    let found = End::Found {
        last_good: 500.0,
        first_bad: 550.0,
    };
    assert_eq!(end, found);
    let levels: Vec<f64> = measured.iter().map(|one| one.level).collect();
    assert_eq!(levels, [300.0, 350.0, 400.0, 450.0, 500.0, 550.0, 550.0]);
}

#[test]
fn whole_levels_end_at_neighbours() {
    for growth in [Growth::Times(1.1), Growth::Times(3.0), Growth::Add(4.0)] {
        for threshold in 1..40 {
            let search = Search {
                from: 1.0,
                growth,
                to: 200.0,
                resolution: Some(0.0),
                is_whole: true,
            };
            let threshold = f64::from(threshold);
            let expected = End::Found {
                last_good: threshold,
                first_bad: threshold + 1.0,
            };
            check(search, |level| clear(level, level <= threshold), expected);
        }
    }
}

#[test]
fn a_server_that_stays_bad_once_overloaded_gives_an_honest_bracket() {
    for search in [
        BY_HALF,
        Search {
            growth: Growth::Add(100.0),
            ..BY_HALF
        },
        USERS,
    ] {
        // Breaks above 1,000; then only levels up to this are good again.
        for recovers_at in [0.0, 50.0, 300.0, 700.0, 990.0] {
            let mut is_overloaded = false;
            let (end, measured) = searched(search, |level| {
                is_overloaded = match is_overloaded {
                    true => level > recovers_at,
                    false => level > 1_000.0,
                };
                clear(level, !is_overloaded)
            });
            let End::Found { last_good, .. } = end else {
                panic!("{recovers_at} {end:?} {measured:?}");
            };
            assert!(last_good <= 1_000.0, "{recovers_at} {end:?}");
            assert!(measured.len() <= 80, "{} measurements", measured.len());
        }
    }
}

#[test]
fn one_wrong_verdict_in_ten_is_survived() {
    let mut right = 0;
    let mut measurements = 0;
    for seed in 0..100 {
        let mut state = seed;
        let threshold = 150.0 + 3_000.0 * random(&mut state);
        let (end, measured) = searched(BY_HALF, |level| {
            let is_flipped = random(&mut state) < 0.1;
            clear(level, (level <= threshold) != is_flipped)
        });
        right += usize::from(is_right(BY_HALF, end, threshold));
        measurements += measured.len();
    }
    assert!(right >= 95, "only {right} of 100 found");
    assert!(measurements <= 3_500, "{measurements} measurements");
}

#[test]
fn bad_and_noisy_verdicts_are_measured_again_and_two_of_three_decide() {
    let verdict = |verdicts: &str| {
        let measured: Vec<Measured> = verdicts
            .chars()
            .map(|one| Measured {
                good: "gG".contains(one),
                is_noisy: "GB".contains(one),
                is_believable: one != 'x',
                level: 100.0,
            })
            .collect();
        BY_HALF.verdict_of(&measured, 100.0)
    };
    for open in ["", "x", "xx", "b", "G", "B", "gb", "bg", "Gxb"] {
        assert_eq!(verdict(open), None, "{open}");
    }
    for good in ["g", "xg", "GG", "Gg", "Gbg", "bgg", "gbg"] {
        assert_eq!(verdict(good), Some(true), "{good}");
    }
    for bad in ["bb", "bB", "bxb", "bgb", "Gbb", "gbb"] {
        assert_eq!(verdict(bad), Some(false), "{bad}");
    }
    assert_eq!(BY_HALF.next(&[clear(100.0, false)]), Next::Measure(100.0));
    assert_eq!(BY_HALF.verdict_of(&[clear(100.0, true)], 150.0), None);
}

#[test]
fn a_server_that_never_breaks_is_measured_up_to_the_highest_level() {
    let search = Search {
        to: 1_000.0,
        ..BY_HALF
    };
    let end = End::NeverBroke { last_good: 1_000.0 };
    check(search, |level| clear(level, true), end);
    let slow = Search {
        growth: Growth::Add(1.0),
        ..BY_HALF
    };
    let end = End::NeverBroke { last_good: 299.0 };
    check(slow, |level| clear(level, true), end);
}

#[test]
fn a_first_level_that_is_bad_is_halved_until_one_is_good() {
    let (end, _) = searched(BY_HALF, |level| clear(level, level <= 7.0));
    assert!(is_right(BY_HALF, end, 7.0), "{end:?}");
    let never = End::BrokenFromTheStart {
        first_bad: 100.0 / 1_024.0,
    };
    check(BY_HALF, |level| clear(level, false), never);
    let whole = Search {
        is_whole: true,
        from: 5.0,
        ..BY_HALF
    };
    let never = End::BrokenFromTheStart { first_bad: 1.0 };
    check(whole, |level| clear(level, false), never);
    let at_once = End::BrokenFromTheStart { first_bad: 300.0 };
    check(USERS, |level| clear(level, false), at_once);
}

#[test]
fn a_level_that_this_machine_cannot_generate_ends_the_search() {
    let limit = |at: f64| {
        move |level: f64| Measured {
            is_believable: level < at,
            ..clear(level, true)
        }
    };
    let (end, measured) = searched(BY_HALF, limit(300.0));
    let last_good = Some(225.0);
    assert_eq!(
        end,
        End::NotBelievable {
            last_good,
            level: 337.5
        }
    );
    assert_eq!(measured.len(), 5, "the last twice");
    let never = End::NotBelievable {
        last_good: None,
        level: 100.0,
    };
    check(BY_HALF, limit(50.0), never);
}

#[test]
fn a_search_goes_on_from_any_cut_with_the_level_that_followed() {
    for seed in 0..50 {
        let mut state = seed;
        let (end, measured) = searched(BY_HALF, |level| Measured {
            is_noisy: random(&mut state) < 0.2,
            is_believable: random(&mut state) < 0.9,
            ..clear(level, (level <= 900.0) != (random(&mut state) < 0.1))
        });
        for (cut, followed) in measured.iter().enumerate() {
            let next = BY_HALF.next(&measured[..cut]);
            assert_eq!(
                next,
                Next::Measure(followed.level),
                "seed {seed}, cut {cut}"
            );
        }
        let one_bit_off = measured.iter().map(|one| Measured {
            level: one.level.next_up(),
            ..*one
        });
        for read_back in [measured.clone(), one_bit_off.collect()] {
            assert_eq!(BY_HALF.next(&read_back), Next::Done(end));
        }
    }
}

#[test]
fn a_finer_search_uses_what_a_coarser_one_measured() {
    let server = |level: f64| clear(level, level <= 1_000.0);
    let (_, mut measured) = searched(BY_HALF, server);
    let coarse = measured.len();
    let fine = Search {
        resolution: Some(0.01),
        ..BY_HALF
    };
    while let Next::Measure(level) = fine.next(&measured) {
        measured.push(server(level));
    }
    assert!(measured.len() - coarse <= 9, "{measured:?}");
}

#[test]
fn any_history_leads_to_an_end() {
    for seed in 0..2_000 {
        let mut state = seed;
        let mut draw = |below: f64| random(&mut state) * below;
        let is_whole = draw(1.0) < 0.5;
        let search = Search {
            from: (1.0 + draw(50.0)).round(),
            growth: match draw(1.0) < 0.5 {
                true => Growth::Add(0.1 + draw(100.0)),
                false => Growth::Times(1.01 + draw(3.0)),
            },
            to: 51.0 + draw(1_000.0).round(),
            resolution: (draw(1.0) < 0.7).then(|| draw(0.2)),
            is_whole,
        };
        let bad_share = draw(1.0);
        let doubt = draw(0.5);
        let mut measured: Vec<Measured> = Vec::new();
        let mut ends = None;
        // Sometimes a measurement off the path, and levels that come back one bit off.
        while ends.is_none() && measured.len() <= MEASUREMENTS_MAX {
            let level = match search.next(&measured) {
                Next::Done(end) => {
                    ends = Some(end);
                    continue;
                }
                Next::Measure(level) if draw(1.0) < 0.9 => level * (1.0 + f64::EPSILON),
                Next::Measure(_) => (1.0 + draw(200.0)).round(),
            };
            measured.push(Measured {
                level,
                good: draw(1.0) > bad_share,
                is_noisy: draw(1.0) < doubt,
                is_believable: draw(1.0) > doubt,
            });
        }
        match ends {
            Some(End::Found {
                last_good,
                first_bad,
            }) => {
                assert!(last_good < first_bad, "seed {seed}");
                assert_eq!(
                    search.verdict_of(&measured, last_good),
                    Some(true),
                    "seed {seed}"
                );
                assert_eq!(
                    search.verdict_of(&measured, first_bad),
                    Some(false),
                    "seed {seed}"
                );
            }
            Some(_) => {}
            None => panic!("seed {seed}: no end after {} measurements", measured.len()),
        }
    }
}

#[test]
fn the_sustainable_rate_has_its_uncertainty() {
    let seconds = [98.0, 102.0, 100.0, 96.0, 104.0];
    // Standard deviation sqrt(10), standard error sqrt(2), four degrees of freedom.
    let spread = 2.7764 * 2.0_f64.sqrt();
    let rate = sustainable(&seconds, Some(20.0)).expect("five seconds");
    assert_eq!(rate.rps, 100.0);
    let is_near = |found: Option<f64>, expected: f64| {
        let found = found.expect("a bound");
        assert!((found - expected).abs() < 1e-3, "{rate:?}");
    };
    is_near(rate.low, 100.0 - spread);
    is_near(rate.high, 100.0 + spread);
    let high = sustainable(&seconds, Some(130.0))
        .expect("five seconds")
        .high;
    assert_eq!(high, Some(130.0));
    // Nothing broke: there is no upper bound.
    let bound = sustainable(&seconds, None).expect("five seconds");
    assert_eq!((bound.low, bound.high), (rate.low, None));
    let one = sustainable(&[100.0], Some(90.0)).expect("a second");
    assert_eq!((one.rps, one.low, one.high), (100.0, None, None));
    assert_eq!(sustainable(&[], None), None);
    let low = sustainable(&[0.0, 9.0], None).and_then(|rate| rate.low);
    assert_eq!(low, Some(0.0));
}

#[test]
fn intervals_of_few_seconds_cover_the_truth_as_often_as_they_say() {
    for count in [2, 3, 5, 15] {
        let mut covered = 0;
        for seed in 0..2_000 {
            let mut state = seed;
            // Sums of twelve even draws are all but normally distributed.
            let mut normal = || (0..12).map(|_| random(&mut state)).sum::<f64>() - 6.0;
            let seconds: Vec<f64> = (0..count).map(|_| 100.0 + 5.0 * normal()).collect();
            let rate = sustainable(&seconds, Some(0.0)).expect("seconds");
            covered += usize::from(rate.low <= Some(100.0) && rate.high >= Some(100.0));
        }
        assert!((1_870..=1_930).contains(&covered), "{count}: {covered}");
    }
}
