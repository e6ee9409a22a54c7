//! Which stretches of a run are judged, and by which rules: each level of the load by itself, once it has settled.
//!
//! 1. A level is a stretch in which the load stays the same. What comes in its settling time judges nobody.
//! 2. What is left of it is cut into windows, one after the other: each is judged by the rules that may end the run.
//! 3. All of what is left, with the answers that the end of the run waited for, is judged by the rules that a run has
//!    to keep. Nothing is averaged over two levels.

use crate::metrics::interval::Interval;

use super::criteria::{Finding, Rule, Window};

const SECOND_NS: u64 = 1_000_000_000;
/// Settling time when none is given: so much, or this part of a shorter level.
const SETTLE_NS: u64 = 5_000_000_000;
const SETTLE_PART: u64 = 4;

/// A stretch that is judged, in nanoseconds since the load began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Its beginning, a whole second.
    pub from_ns: u64,
    /// Its end; `u64::MAX` for none.
    pub to_ns: u64,
}

/// The settled parts of a load's levels, in order: `levels` are (begin, end), and the load ends at `load_ns`. A load
/// without any level (a ramp from the beginning to the end) is judged as if it were one.
pub fn settled(
    levels: &[(u64, u64)],
    load_ns: Option<u64>,
    settle_ns: Option<u64>,
) -> Vec<Stretch> {
    let load_ns = load_ns.unwrap_or(u64::MAX);
    let settle = |&(begin_ns, end_ns): &(u64, u64)| {
        let to_ns = end_ns.min(load_ns);
        let stays_ns = to_ns.saturating_sub(begin_ns);
        let settle_ns = settle_ns.unwrap_or(SETTLE_NS.min(stays_ns / SETTLE_PART));
        let from_ns = begin_ns
            .saturating_add(settle_ns)
            .next_multiple_of(SECOND_NS);
        (from_ns.saturating_add(SECOND_NS) <= to_ns).then_some(Stretch { from_ns, to_ns })
    };
    let stretches: Vec<Stretch> = levels.iter().filter_map(settle).collect();
    match stretches.is_empty() {
        false => stretches,
        true => settle(&(0, load_ns)).into_iter().collect(),
    }
}

/// Judges a run while it goes on.
#[derive(Debug)]
pub struct Referee {
    stretches: Vec<Stretch>,
    window_ns: u64,
    cases: Vec<Case>,
    /// The stretch that the run is in, or comes to next.
    present: usize,
    /// The part of it that the rules which end a run judge next.
    window: Part,
    /// All of it so far.
    whole: Part,
    /// The run from the beginning, for rules that no stretch was long enough for.
    everything: Part,
    steps: usize,
    /// Requests that were under way at the end of the second before.
    in_flight: u64,
}

#[derive(Debug)]
struct Part {
    window: Window,
    from_ns: u64,
    to_ns: u64,
    users: u64,
}

/// What a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It ends the run.
    Stop,
    /// It fails the run.
    Fail,
}

/// A rule and what it has said so far.
#[derive(Debug)]
pub struct Case {
    /// What it is for.
    pub purpose: Purpose,
    /// The rule.
    pub rule: Rule,
    /// Windows that it judged.
    pub windows: u64,
    /// The first one in which it was broken, else the last one that it judged.
    pub decided: Option<Judged>,
}

/// A judgement of a window.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What was found.
    pub finding: Finding,
    /// Begin of the window, since the load began.
    pub from_ns: u64,
    /// Its end.
    pub to_ns: u64,
    /// Users at its end.
    pub users: u64,
}

impl Referee {
    /// Judges so many steps in these stretches; windows are of `window_ns`, or of a shorter stretch's length.
    pub fn new(
        stretches: Vec<Stretch>,
        window_ns: u64,
        stop: Vec<Rule>,
        fail: Vec<Rule>,
        steps: usize,
    ) -> Self {
        let case = |purpose, rule| Case {
            purpose,
            rule,
            windows: 0,
            decided: None,
        };
        let stop = stop.into_iter().map(|rule| case(Purpose::Stop, rule));
        let fail = fail.into_iter().map(|rule| case(Purpose::Fail, rule));
        Self {
            stretches,
            window_ns,
            cases: stop.chain(fail).collect(),
            present: 0,
            window: Part::new(steps),
            whole: Part::new(steps),
            everything: Part::new(steps),
            steps,
            in_flight: 0,
        }
    }

    /// Takes a second of the run, in times since the load began. Whether the run is to end.
    pub fn on_second(&mut self, begin_ns: u64, end_ns: u64, interval: &Interval) -> bool {
        let in_flight = std::mem::replace(&mut self.in_flight, interval.in_flight);
        if self.cases.is_empty() {
            return false;
        }
        self.everything.add(begin_ns, end_ns, interval, in_flight);
        while self.present + 1 < self.stretches.len()
            && begin_ns >= self.stretches[self.present].to_ns
        {
            self.close();
        }
        let Some(&stretch) = self.stretches.get(self.present) else {
            return false;
        };
        if begin_ns >= stretch.to_ns {
            // Answers that the end of the run waited for: they belong to the level that asked for them.
            if self.whole.window.length_ns > 0 {
                self.whole.window.add(interval, 0, 0);
            }
            return false;
        }
        // The run's last second may end later than the load, with those answers in it.
        let is_last = self.present + 1 == self.stretches.len();
        if begin_ns < stretch.from_ns || (end_ns > stretch.to_ns && !is_last) {
            return false;
        }
        let end_ns = end_ns.min(stretch.to_ns);
        for part in [&mut self.window, &mut self.whole] {
            part.add(begin_ns, end_ns, interval, in_flight);
        }
        let window_ns = self
            .window_ns
            .min((stretch.to_ns - stretch.from_ns) / SECOND_NS * SECOND_NS);
        if self.window.window.length_ns < window_ns {
            return false;
        }
        let window = std::mem::replace(&mut self.window, Part::new(self.steps));
        self.judge(Purpose::Stop, &window)
    }

    /// What all rules have said, at the end of the run. One that ended before its load had settled is judged as it is.
    pub fn finish(mut self) -> Vec<Case> {
        self.close();
        let everything = std::mem::replace(&mut self.everything, Part::new(self.steps));
        let was_judged = |case: &Case| case.purpose == Purpose::Stop || case.windows > 0;
        if everything.window.length_ns > 0 && !self.cases.iter().all(was_judged) {
            self.judge(Purpose::Fail, &everything);
        }
        self.cases
    }

    /// The present stretch is over.
    fn close(&mut self) {
        let whole = std::mem::replace(&mut self.whole, Part::new(self.steps));
        self.window = Part::new(self.steps);
        if whole.window.length_ns > 0 {
            self.judge(Purpose::Fail, &whole);
        }
        self.present += 1;
    }

    fn judge(&mut self, purpose: Purpose, part: &Part) -> bool {
        let mut is_broken = false;
        for case in self.cases.iter_mut().filter(|case| case.purpose == purpose) {
            let finding = case.rule.judge(&part.window);
            is_broken |= finding.broken;
            case.windows += 1;
            let was_broken = case.decided.as_ref().is_some_and(|was| was.finding.broken);
            if !was_broken {
                case.decided = Some(Judged {
                    finding,
                    from_ns: part.from_ns,
                    to_ns: part.to_ns,
                    users: part.users,
                });
            }
        }
        is_broken
    }
}

impl Part {
    fn new(steps: usize) -> Self {
        Self {
            window: Window::new(steps),
            from_ns: 0,
            to_ns: 0,
            users: 0,
        }
    }

    fn add(&mut self, begin_ns: u64, end_ns: u64, interval: &Interval, in_flight: u64) {
        if self.window.length_ns == 0 {
            self.from_ns = begin_ns;
        }
        self.window
            .add(interval, end_ns.saturating_sub(begin_ns), in_flight);
        self.to_ns = end_ns;
        self.users = interval.users;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = SECOND_NS;

    fn stretch(from_s: u64, to_s: u64) -> Stretch {
        Stretch {
            from_ns: from_s * S,
            to_ns: to_s.saturating_mul(S),
        }
    }

    fn rules(texts: &[&str]) -> Vec<Rule> {
        let steps = [("GET".to_owned(), "/".to_owned())];
        let rules = texts.iter().map(|text| Rule::parse(text, &steps));
        rules.map(|rule| rule.expect("a rule")).collect()
    }

    /// A second with 20 answers that took `ms` each, `failures` of them failures.
    fn second(ms: u64, failures: u64) -> Interval {
        let mut interval = Interval::new(1);
        interval.users = 7;
        interval.steps[0].requests = 20;
        interval.steps[0].failures = failures;
        for _ in 0..20 {
            interval.steps[0].response.record(ms * 1_000_000);
        }
        interval
    }

    /// Shows the referee a run of so many seconds; the second at whose end it wanted it to end.
    fn watch(referee: &mut Referee, seconds: u64, of: impl Fn(u64) -> Interval) -> Option<u64> {
        (1..=seconds).find(|&end| referee.on_second((end - 1) * S, end * S, &of(end)))
    }

    #[test]
    fn a_level_is_judged_from_when_it_has_settled_to_its_end() {
        let max = u64::MAX;
        let check = |levels: &[(u64, u64)], load_s, settle_s: Option<u64>, expected: &[Stretch]| {
            let levels: Vec<(u64, u64)> = levels
                .iter()
                .map(|&(a, b)| (a * S, b.saturating_mul(S)))
                .collect();
            let found = settled(&levels, load_s, settle_s.map(|s| s * S));
            assert_eq!(found, expected);
        };
        check(&[(10, max)], Some(60 * S), None, &[stretch(15, 60)]);
        check(&[(10, max)], Some(22 * S), None, &[stretch(13, 22)]);
        check(
            &[(10, 20), (25, max)],
            None,
            Some(2),
            &[stretch(12, 20), stretch(27, max)],
        );
        // What is too short is left out; a load that never stays is one level.
        check(
            &[(10, 12), (20, max)],
            Some(40 * S),
            Some(2),
            &[stretch(22, 40)],
        );
        check(&[(300, max)], Some(300 * S), None, &[stretch(5, 300)]);
        check(&[(3, max)], Some(4 * S), Some(4), &[]);
        assert_eq!(settled(&[(S / 2, max)], None, Some(0)), [stretch(1, max)]);
    }

    #[test]
    fn a_run_ends_with_the_first_window_that_breaks_a_rule_and_not_before_the_load_has_settled() {
        let referee = || {
            let stop = rules(&["avg>100ms", "errors>5%"]);
            Referee::new(vec![stretch(5, 60)], 10 * S, stop, Vec::new(), 1)
        };
        let mut slow_start = referee();
        let slow = |end| second(if end <= 5 { 5_000 } else { 90 }, 0);
        assert_eq!(watch(&mut slow_start, 60, slow), None);
        let [times, errors] = &slow_start.finish()[..] else {
            panic!("two rules");
        };
        assert_eq!((times.windows, errors.windows), (5, 5));
        let last = times.decided.as_ref().expect("judged");
        assert_eq!((last.from_ns, last.to_ns, last.users), (45 * S, 55 * S, 7));

        let mut later = referee();
        // A window from 25 to 35 s holds seven such seconds of ten.
        let slower = |end| second(if end > 28 { 200 } else { 90 }, 0);
        assert_eq!(watch(&mut later, 60, slower), Some(35));
        let cases = later.finish();
        let decided = cases[0].decided.as_ref().expect("judged");
        assert!(
            decided.finding.broken && !cases[1].decided.as_ref().expect("judged").finding.broken
        );
        assert_eq!((decided.from_ns, decided.to_ns), (25 * S, 35 * S));
        let mean = decided.finding.value.expect("a value");
        assert!((mean - 167_000.0).abs() < 1.0, "{mean}");
    }

    #[test]
    fn what_a_run_has_to_keep_is_judged_level_by_level_with_the_answers_that_came_last() {
        let fail = rules(&["errors>5%", "max>3s"]);
        let stretches = vec![stretch(2, 10), stretch(12, 20)];
        let mut referee = Referee::new(stretches, 10 * S, Vec::new(), fail, 1);
        // 10 % of the second level fail, which is 4 % of all; seconds between the levels judge nobody.
        let of = |end: u64| match end {
            11 | 12 => second(9_000, 20),
            13.. => second(10, 2),
            _ => second(10, 0),
        };
        assert_eq!(watch(&mut referee, 20, of), None);
        referee.on_second(20 * S, 24 * S, &second(4_000, 0));
        let cases = referee.finish();
        let decided: Vec<&Judged> = cases
            .iter()
            .filter_map(|case| case.decided.as_ref())
            .collect();
        assert!(decided[0].finding.broken && decided[1].finding.broken);
        assert_eq!((decided[0].from_ns, decided[0].to_ns), (12 * S, 20 * S));
        assert_eq!(decided[1].finding.value, Some(4e6));
        assert_eq!(cases[0].windows, 2);
    }

    #[test]
    fn a_run_that_ended_before_its_load_settled_is_judged_as_it_is() {
        let case = |purpose_is_fail: bool| {
            let (stop, fail) = match purpose_is_fail {
                true => (Vec::new(), rules(&["avg>1s"])),
                false => (rules(&["avg>1s"]), Vec::new()),
            };
            let mut referee = Referee::new(vec![stretch(5, u64::MAX)], 10 * S, stop, fail, 1);
            assert_eq!(watch(&mut referee, 3, |_| second(2_000, 0)), None);
            referee.finish().remove(0)
        };
        assert!(case(true).decided.expect("judged").finding.broken);
        assert!(case(false).decided.is_none());
    }

    #[test]
    fn windows_are_no_longer_than_their_level() {
        let stop = rules(&["avg>100ms"]);
        let stretches = vec![stretch(1, 4), stretch(5, 8)];
        let mut referee = Referee::new(stretches, 10 * S, stop, Vec::new(), 1);
        let of = |end| second(if end > 5 { 200 } else { 50 }, 0);
        assert_eq!(watch(&mut referee, 20, of), Some(8));
    }
}
