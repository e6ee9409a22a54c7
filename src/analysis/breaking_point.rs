//! Where a server breaks: which level to measure next, as a function of all that was measured so far.
//!
//! 1. Grow from `from` while levels are good; the first bad one and the last good one are the bracket.
//! 2. Halve the bracket until it is as narrow as the resolution asks for.
//! 3. A bad or noisy measurement is repeated: two of three decide a level.
//! 4. A misjudged level always ends up as one end of the bracket, since all later levels lie on its wrong side. So only
//!    the two ends are measured again, until one verdict leads by three; an end that is overturned reopens the bracket.
//!
//! Nothing is remembered between calls: the whole path is gone through again over the measurements, so that a search
//! goes on from its record, and with a finer resolution uses what a coarser one measured.

use super::student::t_95;

/// Measurements in one search; at a minute each this is more than three hours.
pub const MEASUREMENTS_MAX: usize = 200;
/// Halvings below a first level that is bad; the last is a thousandth of it.
pub const HALVINGS_MAX: usize = 10;

/// Lead of one verdict over the other at the ends of the bracket. With one verdict in ten wrong, a wrong one leads by
/// three once in 700 times, by two once in 80: of 10,000 searches, 97 % and 86 % found the threshold, in 25 and 20
/// measurements (`one_wrong_verdict_in_ten_is_survived`, with more seeds).
const LEAD_AT_ENDS: usize = 3;
/// Measurements of one level; odd, so that they decide.
const AT_LEVEL_MAX: usize = 9;
/// Good levels that turned out bad in a row, before the last good one is no longer asked again. A server that stays bad
/// once it was overloaded would overturn one after the other, down to the first.
const OVERTURNED_MAX: usize = 2;
/// Measurements at one level that the generator itself limited, before the search gives up.
const NOT_BELIEVABLE_MAX: usize = 2;
/// Levels are the same when they differ by less: a decimal text may bring a number back one bit off.
const SAME_LEVEL_SHARE: f64 = 1e-9;

const _: () = assert!(AT_LEVEL_MAX % 2 == 1 && AT_LEVEL_MAX >= LEAD_AT_ENDS);

/// What to search, and how finely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    /// First level, above 0.
    pub from: f64,
    /// From one good level to the next.
    pub growth: Growth,
    /// Highest level, not below the first.
    pub to: f64,
    /// The bracket is narrow enough when it is this share of its good end; none: it is not narrowed.
    pub resolution: Option<f64>,
    /// Levels are whole numbers, as users are.
    pub is_whole: bool,
}

/// From one good level to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Growth {
    /// More by that much, above 0; brackets are halved at their arithmetic mean.
    Add(f64),
    /// Times that much, above 1; brackets are halved at their geometric mean.
    Times(f64),
}

/// One window at one level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Users, or iterations per second.
    pub level: f64,
    /// No rule was broken.
    pub good: bool,
    /// The verdict stands near a limit, or the window's halves disagree.
    pub is_noisy: bool,
    /// The generator was not the limit; otherwise the verdict does not count.
    pub is_believable: bool,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// Measure a window at this level.
    Measure(f64),
    /// Nothing is left to measure.
    Done(End),
}

/// What a search found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    /// It breaks between the two; the first is always below the second.
    Found {
        /// Highest level that was good.
        last_good: f64,
        /// Lowest level above it that was bad.
        first_bad: f64,
    },
    /// It did not break up to here: the highest level, or as far as [`MEASUREMENTS_MAX`] measurements went.
    NeverBroke {
        /// Highest level that was measured.
        last_good: f64,
    },
    /// Once overloaded it stayed bad, down to the first level, which had been good before.
    DidNotRecover {
        /// Highest level that was good before.
        last_good: f64,
        /// Lowest level above it that was bad at once.
        first_bad: f64,
    },
    /// No level was good.
    BrokenFromTheStart {
        /// Lowest level that was measured.
        first_bad: f64,
    },
    /// The generator itself was the limit.
    NotBelievable {
        /// Highest level that was good.
        last_good: Option<f64>,
        /// The level that this machine could not generate.
        level: f64,
    },
}

impl Search {
    /// What to measure next, or what came out. The same measurements always give the same answer, and each prefix of a
    /// search's measurements the level of the one that followed. Measurements of levels off the path are ignored.
    pub fn next(&self, measured: &[Measured]) -> Next {
        let mut bracket = Bracket::default();
        match self.walk(measured, &mut bracket) {
            Next::Measure(level) if measured.len() >= MEASUREMENTS_MAX => {
                Next::Done(bracket.end(level))
            }
            next => next,
        }
    }

    /// Whether a level is good; none while that is open. One measurement decides when it is good and not noisy, else
    /// the majority of two or more. Those that are not believable do not count.
    pub fn verdict_of(&self, measured: &[Measured], level: f64) -> Option<bool> {
        Tally::of(measured, level).verdict()
    }

    /// Goes the whole path, up to the first level whose verdict is open.
    fn walk(&self, measured: &[Measured], bracket: &mut Bracket) -> Next {
        let mut level = Some(self.from);
        while let Some(at) = level {
            let tally = Tally::of(measured, at);
            match tally.verdict() {
                Some(true) => bracket.good = Some(at),
                Some(false) => bracket.bad = Some(at),
                None if tally.not_believable >= NOT_BELIEVABLE_MAX => {
                    return Next::Done(End::NotBelievable {
                        last_good: bracket.good,
                        level: at,
                    });
                }
                None => return Next::Measure(at),
            }
            if bracket.good.is_none()
                && let Some((last_good, first_bad)) = before_it_was_overloaded(measured, self.from)
            {
                return Next::Done(End::DidNotRecover {
                    last_good,
                    first_bad,
                });
            }
            level = self.after(bracket, at);
        }
        match self.doubtful_end(measured, bracket) {
            Some(level) => Next::Measure(level),
            None => Next::Done(bracket.end(self.from)),
        }
    }

    /// The end of a narrowed bracket that is to be measured again.
    fn doubtful_end(&self, measured: &[Measured], bracket: &Bracket) -> Option<f64> {
        self.resolution?;
        let (good, bad) = (bracket.good?, bracket.bad?);
        let is_open = |level| Tally::of(measured, level).is_open_at_ends();
        let is_stuck = overturned_in_a_row(measured) >= OVERTURNED_MAX;
        if !is_stuck && is_open(good) {
            return Some(good);
        }
        is_open(bad).then_some(bad)
    }

    /// The level after `at` was judged; none when the bracket is narrow enough or cannot be closed.
    fn after(&self, bracket: &mut Bracket, at: f64) -> Option<f64> {
        match (bracket.good, bracket.bad) {
            (Some(good), Some(bad)) => self.between(good, bad),
            (Some(good), None) => (good < self.to).then(|| self.grown(good)),
            (None, _) => {
                self.resolution?;
                let halved = self.rounded(at / 2.0);
                bracket.halvings += 1;
                let is_lower = halved > 0.0 && halved < at;
                (is_lower && bracket.halvings <= HALVINGS_MAX).then_some(halved)
            }
        }
    }

    fn grown(&self, level: f64) -> f64 {
        let grown = match self.growth {
            Growth::Add(more) => level + more,
            Growth::Times(factor) => level * factor,
        };
        assert!(grown > level, "{:?} does not grow {level}", self.growth);
        let least = match self.is_whole {
            true => level + 1.0,
            false => grown,
        };
        self.rounded(grown).max(least).min(self.to)
    }

    /// The middle of a bracket, if it is to be narrowed and a level is left in it.
    fn between(&self, good: f64, bad: f64) -> Option<f64> {
        if (bad - good) / good <= self.resolution? {
            return None;
        }
        let middle = match self.growth {
            Growth::Add(_) => good + (bad - good) / 2.0,
            Growth::Times(_) => (good * bad).sqrt(),
        };
        let middle = match self.is_whole {
            // A geometric mean may round down to the good end before the two are adjacent.
            true => middle.round().max(good + 1.0),
            false => middle,
        };
        (good < middle && middle < bad).then_some(middle)
    }

    fn rounded(&self, level: f64) -> f64 {
        match self.is_whole {
            true => level.round(),
            false => level,
        }
    }
}

/// What is known while the path is gone.
#[derive(Default)]
struct Bracket {
    good: Option<f64>,
    bad: Option<f64>,
    halvings: usize,
}

impl Bracket {
    fn end(&self, open_level: f64) -> End {
        match (self.good, self.bad) {
            (Some(last_good), Some(first_bad)) => End::Found {
                last_good,
                first_bad,
            },
            (Some(last_good), None) => End::NeverBroke { last_good },
            (None, Some(first_bad)) => End::BrokenFromTheStart { first_bad },
            (None, None) => End::NotBelievable {
                last_good: None,
                level: open_level,
            },
        }
    }
}

/// The measurements at one level.
#[derive(Clone, Copy, Default)]
struct Tally {
    good: usize,
    bad: usize,
    noisy: usize,
    not_believable: usize,
}

impl Tally {
    fn of(measured: &[Measured], level: f64) -> Self {
        let mut tally = Self::default();
        for one in measured.iter().filter(|one| is_same(one.level, level)) {
            tally.count(one);
        }
        tally
    }

    fn count(&mut self, one: &Measured) {
        match (one.is_believable, one.good) {
            (false, _) => self.not_believable += 1,
            (true, true) => self.good += 1,
            (true, false) => self.bad += 1,
        }
        self.noisy += usize::from(one.is_believable && one.is_noisy);
    }

    fn verdict(self) -> Option<bool> {
        match (self.good, self.bad) {
            (1, 0) if self.noisy == 0 => Some(true),
            (good, bad) if good + bad < 2 || good == bad => None,
            (good, bad) => Some(good > bad),
        }
    }

    /// An end of the bracket with this tally is to be measured again.
    fn is_open_at_ends(self) -> bool {
        let has_room = self.good + self.bad < AT_LEVEL_MAX;
        let is_close = self.good.abs_diff(self.bad) < LEAD_AT_ENDS;
        is_close && has_room && self.not_believable < NOT_BELIEVABLE_MAX
    }
}

/// Goes through the measurements that count in their order, with each level's verdict before and after it.
fn for_each_verdict(
    measured: &[Measured],
    mut tell: impl FnMut(&Measured, Option<bool>, Option<bool>),
) {
    let mut levels: Vec<(f64, Tally, Option<bool>)> = Vec::new();
    for one in measured.iter().filter(|one| one.is_believable) {
        let known = levels.iter().position(|level| is_same(level.0, one.level));
        let index = known.unwrap_or_else(|| {
            levels.push((one.level, Tally::default(), None));
            levels.len() - 1
        });
        let (_, tally, believed) = &mut levels[index];
        tally.count(one);
        let before = *believed;
        *believed = tally.verdict().or(before);
        tell(one, before, *believed);
    }
}

/// Levels that were believed good and then turned out bad, one after the other without a good measurement since.
fn overturned_in_a_row(measured: &[Measured]) -> usize {
    let mut row = 0;
    for_each_verdict(measured, |one, before, after| {
        if one.good {
            row = 0;
        }
        row += usize::from(before == Some(true) && after == Some(false));
    });
    row
}

/// The highest level that was good at first and the lowest above it that was bad at first, if that from which the
/// search began was good at first.
fn before_it_was_overloaded(measured: &[Measured], from: f64) -> Option<(f64, f64)> {
    let (mut good, mut bad, mut from_was_good) = (Vec::new(), Vec::new(), false);
    for_each_verdict(measured, |one, before, after| match (before, after) {
        (None, Some(true)) => {
            from_was_good |= is_same(one.level, from);
            good.push(one.level);
        }
        (None, Some(false)) => bad.push(one.level),
        _ => {}
    });
    let last_good = good
        .into_iter()
        .reduce(f64::max)
        .filter(|_| from_was_good)?;
    let above = bad.into_iter().filter(|&level| level > last_good);
    Some((last_good, above.reduce(f64::min)?))
}

fn is_same(one: f64, other: f64) -> bool {
    (one - other).abs() <= SAME_LEVEL_SHARE * one.abs().max(other.abs())
}

/// What a server sustains, in requests answered without failure per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// The estimate.
    pub rps: f64,
    /// It is hardly lower than this; none when one second tells nothing of their spread.
    pub low: Option<f64>,
    /// It is hardly higher than this; none when that is not known, since nothing broke: `rps` is a lower bound then.
    pub high: Option<f64>,
}

/// The sustainable rate, from the seconds of the last good level's windows and what was still answered without failure
/// per second at the first bad level, if there is one. None without any second.
///
/// The estimate is the mean over the seconds. Its lower bound is as many standard errors below as Student's t distribution
/// has for 95 % and n - 1 degrees of freedom. Its upper bound is as far above, or the first bad level's rate where that is
/// higher: the server did answer that much, so its capacity lies somewhere up to there. Seconds that depend on each other,
/// as under a slow oscillation, spread the mean more than this.
pub fn sustainable(per_second_good: &[f64], rps_first_bad: Option<f64>) -> Option<Rate> {
    if per_second_good.is_empty() {
        return None;
    }
    let count = per_second_good.len() as f64;
    let rps = per_second_good.iter().sum::<f64>() / count;
    if per_second_good.len() == 1 {
        let (low, high) = (None, None);
        return Some(Rate { rps, low, high });
    }
    let squares: f64 = per_second_good.iter().map(|one| (one - rps).powi(2)).sum();
    let standard_error = (squares / (count - 1.0) / count).sqrt();
    let half_width = t_95(per_second_good.len() - 1) * standard_error;
    Some(Rate {
        rps,
        low: Some((rps - half_width).max(0.0)),
        high: rps_first_bad.map(|bad| (rps + half_width).max(bad)),
    })
}

#[cfg(test)]
mod tests {
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
            // Now and then a measurement that nobody asked for, and levels that come back one bit off.
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
}
