//! Which stretches of a run are judged, and by which rules: each level of the load by itself, once it has settled.
//!
//! 1. A level is a stretch in which the load stays the same. Requests of its settling time are ignored by every rule.
//! 2. The rest is cut into windows, one after the other: each is judged by the rules that may end the run.
//! 3. The rest as a whole is judged by the rules that fail the run. Nothing is averaged over two levels.
//! 4. Start and stop steps come in ramps and at the end: rules that name one judge it over the whole run.
//! 5. The drain after the load's end is part of no window's length. What was open at the load's end and was answered in
//!    the drain, or got no answer in it, counts in the level that the load ended in.

use crate::metrics::interval::Interval;

use super::criteria::{Finding, Purpose, Rule, Window};
use super::failing::Failing;

const SECOND_NS: u64 = 1_000_000_000;
/// Settling time when none is given: so much, or this part of a shorter level.
const SETTLE_NS: u64 = 5_000_000_000;
const SETTLE_PART: u64 = 4;
/// The load ends no later than this after its planned end; what is later is a part of the load of its own.
const LATE_NS_MAX: u64 = SECOND_NS / 2;

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
    /// Some stretch was judged as a whole, and had enough in it.
    has_judged: bool,
    /// The part of it that the rules which end a run judge next.
    window: Part,
    /// All of it so far.
    whole: Part,
    /// The run from the beginning, for rules on start and stop steps, and for all when no stretch was long enough.
    everything: Part,
    failing: Failing,
    steps: usize,
}

#[derive(Debug)]
struct Part {
    window: Window,
    from_ns: u64,
    to_ns: u64,
    users: u64,
}

/// A rule and what it has said so far.
#[derive(Debug)]
pub struct Case {
    /// The rule.
    pub rule: Rule,
    /// Windows that it judged; those with too little to judge are not counted.
    pub windows: u64,
    /// The first window in which it was broken, else the last one that it judged, else the last one.
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
    /// Of a broken rule: steps that it judges and that failed every time since their first request, by metric.
    pub always_failed: Vec<usize>,
    /// It would have been broken without those steps too.
    pub without_them: bool,
}

impl Case {
    /// The rule was broken. What has to hold and could be judged in no window was not shown to hold: it is broken.
    pub fn is_broken(&self) -> bool {
        let decided = self.decided.as_ref();
        let was_shown = self.windows > 0 || self.rule.purpose != Purpose::Require;
        !was_shown || decided.is_some_and(|judged| judged.finding.broken)
    }
}

impl Referee {
    /// Judges so many steps in these stretches; windows are of `window_ns`, or of a shorter stretch's length.
    pub fn new(stretches: Vec<Stretch>, window_ns: u64, rules: Vec<Rule>, steps: usize) -> Self {
        let case = |rule| Case {
            rule,
            windows: 0,
            decided: None,
        };
        Self {
            stretches,
            window_ns,
            cases: rules.into_iter().map(case).collect(),
            present: 0,
            has_judged: false,
            window: Part::new(steps),
            whole: Part::new(steps),
            everything: Part::new(steps),
            failing: Failing::new(steps),
            steps,
        }
    }

    /// Takes a second in which users got ready for an open load: only rules on start steps judge it.
    pub fn on_preparation(&mut self, interval: &Interval) {
        self.failing.add(interval);
        self.everything.window.add(interval, 0);
    }

    /// Takes a second of the run, in times since the load began. Whether the run is to end.
    pub fn on_second(&mut self, begin_ns: u64, end_ns: u64, interval: &Interval) -> bool {
        if self.cases.is_empty() {
            return false;
        }
        self.failing.add(interval);
        if interval.is_drain {
            self.on_drain(interval);
            return false;
        }
        self.everything.add(begin_ns, end_ns, interval);
        while self.present + 1 < self.stretches.len()
            && begin_ns >= self.stretches[self.present].to_ns
        {
            self.close();
        }
        let Some(&stretch) = self.stretches.get(self.present) else {
            return false;
        };
        // The load may end a moment later than planned, or go on after its last level.
        if begin_ns >= stretch.to_ns && end_ns > stretch.to_ns + LATE_NS_MAX {
            self.close();
            return false;
        }
        let is_last = self.present + 1 == self.stretches.len();
        if begin_ns < stretch.from_ns || (end_ns > stretch.to_ns && !is_last) {
            return false;
        }
        let end_ns = end_ns.min(stretch.to_ns);
        for part in [&mut self.window, &mut self.whole] {
            part.add(begin_ns.min(end_ns), end_ns, interval);
        }
        let window_ns = self
            .window_ns
            .min((stretch.to_ns - stretch.from_ns) / SECOND_NS * SECOND_NS);
        if self.window.window.length_ns < window_ns {
            return false;
        }
        let window = std::mem::replace(&mut self.window, Part::new(self.steps));
        self.judge(&window, |rule| rule.purpose == Purpose::Stop)
    }

    /// After the load's end. What was waited for was open when the level ended that the load ended in: it counts there,
    /// also what a request of an earlier level came to that was open all that time.
    fn on_drain(&mut self, interval: &Interval) {
        for part in [&mut self.whole, &mut self.everything] {
            if part.window.length_ns > 0 {
                part.window.add(interval, 0);
            }
        }
    }

    /// What all rules have said, at the end of the run. One that ended before its load had settled is judged as it is.
    pub fn finish(mut self) -> Vec<Case> {
        self.close();
        let everything = std::mem::replace(&mut self.everything, Part::new(self.steps));
        if everything.window.length_ns > 0 {
            let has_judged = self.has_judged;
            self.judge(&everything, |rule| {
                rule.purpose != Purpose::Stop && !(has_judged && rule.is_of_work())
            });
        }
        let always = self.failing.always();
        for judged in self
            .cases
            .iter_mut()
            .filter_map(|case| case.decided.as_mut())
        {
            judged.always_failed.retain(|step| always.contains(step));
        }
        self.cases
    }

    /// The present stretch is over.
    fn close(&mut self) {
        let whole = std::mem::replace(&mut self.whole, Part::new(self.steps));
        self.window = Part::new(self.steps);
        if whole.window.length_ns > 0 {
            let judged = |cases: &[Case]| cases.iter().map(|case| case.windows).sum::<u64>();
            let before = judged(&self.cases);
            self.judge(&whole, |rule| {
                rule.purpose != Purpose::Stop && rule.is_of_work()
            });
            self.has_judged |= judged(&self.cases) > before;
        }
        self.present += 1;
    }

    fn judge(&mut self, part: &Part, is_asked: impl Fn(&Rule) -> bool) -> bool {
        let always = self.failing.always();
        let mut is_broken = false;
        let cases = self.cases.iter_mut();
        for case in cases.filter(|case| is_asked(&case.rule)) {
            let judged = part.judged(&case.rule, &always);
            is_broken |= judged.finding.broken;
            let is_judged = judged.finding.value.is_some();
            case.windows += u64::from(is_judged);
            let was = case.decided.as_ref().map(|was| &was.finding);
            let was_broken = was.is_some_and(|was| was.broken);
            let was_judged = was.is_some_and(|was| was.value.is_some());
            if !was_broken && (is_judged || !was_judged) {
                case.decided = Some(judged);
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

    fn add(&mut self, begin_ns: u64, end_ns: u64, interval: &Interval) {
        if self.window.length_ns == 0 {
            self.from_ns = begin_ns;
        }
        self.window.add(interval, end_ns.saturating_sub(begin_ns));
        self.to_ns = end_ns;
        self.users = interval.users;
    }

    fn judged(&self, rule: &Rule, always: &[usize]) -> Judged {
        let finding = rule.judge(&self.window);
        let judged = rule.steps().iter().copied();
        let always_failed = match finding.broken {
            true => judged.filter(|step| always.contains(step)).collect(),
            false => Vec::new(),
        };
        let without_them = rule.judge_without(&self.window, &always_failed).broken;
        Judged {
            finding,
            from_ns: self.from_ns,
            to_ns: self.to_ns,
            users: self.users,
            always_failed,
            without_them,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::criteria::StepName;

    const S: u64 = SECOND_NS;

    fn stretch(from_s: u64, to_s: u64) -> Stretch {
        Stretch {
            from_ns: from_s * S,
            to_ns: to_s.saturating_mul(S),
        }
    }

    fn rules(purpose: Purpose, texts: &[&str]) -> Vec<Rule> {
        let steps = [StepName {
            method: "GET".to_owned(),
            name: "/".to_owned(),
            is_work: true,
            is_poll: false,
        }];
        let rules = texts.iter().map(|text| Rule::parse(text, purpose, &steps));
        rules.map(|rule| rule.expect("a rule")).collect()
    }

    /// A second with 20 answers that took `ms` each, `failures` of them failures.
    fn second(ms: u64, failures: u64) -> Interval {
        let mut interval = Interval::new(1);
        interval.users = 7;
        interval.steps[0].requests = 20;
        interval.steps[0].answers = 20;
        interval.steps[0].failures = failures;
        for _ in 0..20 {
            interval.steps[0].response.record(ms * 1_000_000);
        }
        interval
    }

    fn drained(interval: Interval) -> Interval {
        Interval {
            is_drain: true,
            ..interval
        }
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
            let stop = rules(Purpose::Stop, &["avg>100ms", "errors>5%"]);
            Referee::new(vec![stretch(5, 60)], 10 * S, stop, 1)
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
        let fail = rules(Purpose::Fail, &["errors>5%", "max>3s"]);
        let stretches = vec![stretch(2, 10), stretch(12, 20)];
        let mut referee = Referee::new(stretches, 10 * S, fail, 1);
        // 10 % of the second level fail, which is 4 % of all; seconds between the levels judge nobody.
        let of = |end: u64| match end {
            11 | 12 => second(9_000, 20),
            13.. => second(10, 2),
            _ => second(10, 0),
        };
        assert_eq!(watch(&mut referee, 20, of), None);
        referee.on_second(20 * S, 24 * S, &drained(second(4_000, 0)));
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
        let case = |purpose| {
            let rules = rules(purpose, &["avg>1s"]);
            let mut referee = Referee::new(vec![stretch(5, u64::MAX)], 10 * S, rules, 1);
            assert_eq!(watch(&mut referee, 3, |_| second(2_000, 0)), None);
            referee.finish().remove(0)
        };
        assert!(case(Purpose::Fail).is_broken());
        assert!(case(Purpose::Stop).decided.is_none());
    }

    #[test]
    fn windows_are_no_longer_than_their_level() {
        let stop = rules(Purpose::Stop, &["avg>100ms"]);
        let stretches = vec![stretch(1, 4), stretch(5, 8)];
        let mut referee = Referee::new(stretches, 10 * S, stop, 1);
        let of = |end| second(if end > 5 { 200 } else { 50 }, 0);
        assert_eq!(watch(&mut referee, 20, of), Some(8));
    }

    #[test]
    fn a_window_without_an_answer_is_not_a_good_one() {
        // Answers for 4 s of 20 and then never again, with seven requests open.
        let hangs = |end: u64| match end {
            ..=4 => second(1, 0),
            _ => {
                let mut interval = Interval::new(1);
                (0..7).for_each(|_| interval.steps[0].open.record((end - 4) * S));
                interval
            }
        };
        let stretches = || vec![stretch(2, 20)];
        let stop = rules(Purpose::Stop, &["avg>2s"]);
        let mut referee = Referee::new(stretches(), 5 * S, stop, 1);
        // In the first window 3 s of silence are an average of 0.5 s; the second is silent throughout.
        assert_eq!(watch(&mut referee, 20, hangs), Some(12));
        let fail = rules(Purpose::Fail, &["p99>2s", "errors>1%", "p50>2s"]);
        let mut referee = Referee::new(stretches(), 5 * S, fail, 1);
        assert_eq!(watch(&mut referee, 20, hangs), None);
        // They got the whole drain and no answer: failures of the level that had them open.
        let mut unanswered = drained(Interval::new(1));
        (unanswered.steps[0].requests, unanswered.steps[0].failures) = (7, 7);
        (0..7).for_each(|_| unanswered.steps[0].response.record(21 * S));
        referee.on_second(20 * S, 25 * S, &unanswered);
        let cases = referee.finish();
        let broken: Vec<bool> = cases.iter().map(Case::is_broken).collect();
        assert_eq!(broken, [true, true, false]);
        let errors = cases[1].decided.as_ref().expect("judged");
        assert_eq!(errors.finding.value, Some(7.0 / 47.0));
        assert_eq!((errors.from_ns, errors.to_ns), (2 * S, 20 * S));
    }

    #[test]
    fn what_comes_after_the_end_of_the_load_is_in_no_rate() {
        let fail = rules(Purpose::Fail, &["rps<20"]);
        let mut referee = Referee::new(vec![stretch(2, 60)], 10 * S, fail, 1);
        for end in 1..=6 {
            referee.on_second((end - 1) * S, end * S, &second(1, 0));
        }
        // The last iteration ended the load in mid-second; nothing came in the 5 s of drain.
        let mut half = second(1, 0);
        half.steps[0].requests = 10;
        referee.on_second(6 * S, 6 * S + S / 2, &half);
        referee.on_second(6 * S + S / 2, 11 * S, &drained(Interval::new(1)));
        let case = referee.finish().remove(0);
        let judged = case.decided.expect("judged");
        assert_eq!(judged.finding.value, Some(20.0));
        assert_eq!(judged.to_ns, 6 * S + S / 2);
    }

    #[test]
    fn what_has_to_hold_must_have_been_shown_to() {
        let require = |of: &dyn Fn(u64) -> Interval| {
            let rules = rules(Purpose::Require, &["avg<1s"]);
            let stretches = vec![stretch(1, 10), stretch(11, 20)];
            let mut referee = Referee::new(stretches, 10 * S, rules, 1);
            assert_eq!(watch(&mut referee, 20, of), None);
            referee.finish().remove(0)
        };
        let held = require(&|_| second(500, 0));
        assert_eq!((held.is_broken(), held.windows), (false, 2));
        let broken = require(&|end| second(if end > 10 { 1_500 } else { 500 }, 0));
        assert_eq!(
            broken.decided.as_ref().map(|judged| judged.from_ns),
            Some(11 * S)
        );
        assert!(broken.is_broken());
        // A level with too few requests is passed over, unless there is no other.
        let one_level = require(&|end| match end {
            ..=10 => second(500, 0),
            _ => Interval::new(1),
        });
        assert_eq!((one_level.is_broken(), one_level.windows), (false, 1));
        let nothing = require(&|_| Interval::new(1));
        assert_eq!((nothing.is_broken(), nothing.windows), (true, 0));
    }

    #[test]
    fn windows_with_too_little_to_judge_are_not_counted_as_judged() {
        let fail = rules(Purpose::Fail, &["avg>1s", "rps<0.5"]);
        let mut referee = Referee::new(vec![stretch(1, 10)], 10 * S, fail, 1);
        let mut one = Interval::new(1);
        one.steps[0].requests = 1;
        one.steps[0].response.record(5 * S);
        assert_eq!(watch(&mut referee, 9, |_| one.clone()), None);
        let cases = referee.finish();
        assert_eq!((cases[0].windows, cases[1].windows), (0, 1));
        assert!(!cases[0].is_broken() && cases[0].decided.is_some());
    }

    #[test]
    fn a_step_that_failed_from_its_first_request_on_is_named_with_what_it_broke() {
        let step = |name: &str| StepName {
            method: "GET".to_owned(),
            name: name.to_owned(),
            is_work: true,
            is_poll: false,
        };
        let steps = [step("/good"), step("/broken")];
        let judged = |failures: u64, recovers: bool| {
            let fail = Rule::parse("errors>5%", Purpose::Fail, &steps).expect("a rule");
            let mut referee = Referee::new(vec![stretch(1, 10)], 10 * S, vec![fail], 2);
            let of = |_: u64| {
                let mut interval = Interval::new(2);
                (interval.steps[0].requests, interval.steps[0].failures) = (36, failures);
                (interval.steps[1].requests, interval.steps[1].failures) = (4, 4);
                interval
            };
            assert_eq!(watch(&mut referee, 10, of), None);
            if recovers {
                let mut well = Interval::new(2);
                well.steps[1].requests = 1;
                referee.on_second(10 * S, 11 * S, &drained(well));
            }
            referee.finish().remove(0).decided.expect("judged")
        };
        let alone = judged(0, false);
        assert_eq!((alone.always_failed, alone.without_them), (vec![1], false));
        let both = judged(9, false);
        assert_eq!((both.always_failed, both.without_them), (vec![1], true));
        assert!(judged(0, true).always_failed.is_empty());
    }

    #[test]
    fn a_load_that_goes_on_after_its_last_level_is_not_judged_there() {
        let fail = rules(Purpose::Fail, &["rps>21", "errors>1%"]);
        let mut referee = Referee::new(vec![stretch(2, 10)], 10 * S, fail, 1);
        // A ramp down to nothing in which all fail, and a drain in which the rest of it does.
        let of = |end| second(1, if end > 10 { 20 } else { 0 });
        assert_eq!(watch(&mut referee, 20, of), None);
        referee.on_second(20 * S, 22 * S, &drained(second(1, 20)));
        let cases = referee.finish();
        assert!(!cases[0].is_broken() && !cases[1].is_broken());
        assert_eq!((cases[0].windows, cases[1].windows), (1, 1));
    }

    #[test]
    fn rules_on_start_and_stop_steps_judge_the_whole_run() {
        let step = |name: &str, is_work| StepName {
            method: "GET".to_owned(),
            name: name.to_owned(),
            is_work,
            is_poll: false,
        };
        let steps = [step("/login", false), step("/work", true)];
        let fail = |text| Rule::parse(text, Purpose::Fail, &steps).expect("a rule");
        let rules = vec![fail("login.errors>5%"), fail("errors>5%")];
        let mut referee = Referee::new(vec![stretch(5, 20)], 10 * S, rules, 2);
        let logins = |count| {
            let mut interval = Interval::new(2);
            (interval.steps[0].requests, interval.steps[0].failures) = (count, 1);
            interval.steps[1].requests = 20;
            interval
        };
        // Before the load, in the ramp, and in the drain: one of five each.
        referee.on_preparation(&logins(5));
        let ramp = |end| {
            if end == 1 {
                logins(5)
            } else {
                second_of_work()
            }
        };
        assert_eq!(watch(&mut referee, 20, ramp), None);
        referee.on_second(20 * S, 21 * S, &drained(logins(5)));
        let cases = referee.finish();
        assert!(cases[0].is_broken() && !cases[1].is_broken());
        let login = cases[0].decided.as_ref().expect("judged");
        assert_eq!(login.finding.value, Some(0.2));
        assert_eq!((login.from_ns, login.to_ns), (0, 20 * S));
    }

    fn second_of_work() -> Interval {
        let mut interval = Interval::new(2);
        interval.steps[1].requests = 20;
        interval
    }
}
