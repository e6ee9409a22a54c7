//! Which stretches of a run are judged, and by which rules: each level of the load by itself, once it has settled.
//!
//! 1. A level is a stretch of constant load. Every rule ignores the requests of its settling time.
//! 2. The rest is cut into consecutive windows: each is judged by the rules that may end the run.
//! 3. The rest as a whole is judged by the rules that fail the run. Nothing is averaged over two levels.
//! 4. Start and stop steps come in ramps and at the end: rules that name one judge it over the whole run.
//! 5. An order during the run begins a new level: the present one ends there, and those that were planned do not come.
//! 6. The drain after the load's end is part of no window's length. Requests open at the load's end, answered in the
//!    drain or not, count in the level in which the load ended.

use crate::metrics::interval::Interval;

use super::criteria::{Finding, Purpose, Rule, Window};
use super::failing::Failing;

const SECOND_NS: u64 = 1_000_000_000;
/// Settling time when none is given.
const SETTLE_NS: u64 = 5_000_000_000;
/// The settling time is at most this part of a level: 1 / 4.
const SETTLE_PART: u64 = 4;
/// The load ends no later than this after its planned end. A second that reaches beyond belongs to a later part of the
/// load.
const LATE_NS_MAX: u64 = SECOND_NS / 2;

/// A stretch that is judged, in nanoseconds since the load began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Its beginning, a whole second.
    pub from_ns: u64,
    /// Its end; `u64::MAX` when it is open.
    pub to_ns: u64,
}

/// The settled parts of a load's levels, in order. `levels` are (beginning, end), and the load ends at `load_ns`. A load
/// without any level (a ramp from the beginning to the end) is judged as if it were one.
pub fn settled(
    levels: &[(u64, u64)],
    load_ns: Option<u64>,
    settle_ns: Option<u64>,
) -> Vec<Stretch> {
    let settle = |&(begin_ns, end_ns): &(u64, u64)| {
        let to_ns = end_ns.min(load_ns.unwrap_or(u64::MAX));
        settled_part(begin_ns, to_ns, settle_ns)
    };
    let stretches: Vec<Stretch> = levels.iter().filter_map(settle).collect();
    match stretches.is_empty() {
        false => stretches,
        true => settle(&(0, u64::MAX)).into_iter().collect(),
    }
}

/// The settled part of one level; `None` when it is shorter than a second.
fn settled_part(begin_ns: u64, to_ns: u64, settle_ns: Option<u64>) -> Option<Stretch> {
    let stays_ns = to_ns.saturating_sub(begin_ns);
    let settle_ns = settle_ns.unwrap_or(SETTLE_NS.min(stays_ns / SETTLE_PART));
    let from_ns = begin_ns
        .saturating_add(settle_ns)
        .checked_next_multiple_of(SECOND_NS)?;
    (from_ns.saturating_add(SECOND_NS) <= to_ns).then_some(Stretch { from_ns, to_ns })
}

/// Judges a run by its rules, second by second.
#[derive(Debug)]
pub struct Referee {
    stretches: Vec<Stretch>,
    window_ns: u64,
    cases: Vec<Case>,
    /// Index of the stretch that the run is in, or reaches next.
    present: usize,
    /// A stretch was judged as a whole, and had enough requests to be judged.
    has_judged: bool,
    /// The window of the present stretch that is not complete yet.
    window: Part,
    /// The present stretch so far.
    whole: Part,
    /// The run from the beginning, for rules on start and stop steps, and for all when no stretch was long enough.
    everything: Part,
    failing: Failing,
    steps: usize,
    /// Planned end of the load.
    load_ns: Option<u64>,
    /// Settling time that was given.
    settle_ns: Option<u64>,
}

#[derive(Debug)]
struct Part {
    window: Window,
    from_ns: u64,
    to_ns: u64,
    users: u64,
}

/// A rule and its judgements so far.
#[derive(Debug)]
pub struct Case {
    /// The rule.
    pub rule: Rule,
    /// Windows that it judged, without those with too few requests to judge.
    pub windows: u64,
    /// The first window in which it was broken, else the last one that it judged, else the last one.
    pub decided: Option<Judged>,
}

/// The judgement of a rule on a window.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The finding.
    pub finding: Finding,
    /// Beginning of the window, since the load began.
    pub from_ns: u64,
    /// End of the window, since the load began.
    pub to_ns: u64,
    /// Users at its end.
    pub users: u64,
    /// For a broken rule: steps that it judges and that failed every time since their first request, by metric.
    pub always_failed: Vec<usize>,
    /// The rule would be broken without those steps too.
    pub without_them: bool,
}

impl Case {
    /// Whether the rule was broken. A required rule that no window could judge was not shown to hold: it is broken.
    pub fn is_broken(&self) -> bool {
        let decided = self.decided.as_ref();
        let was_shown = self.windows > 0 || self.rule.purpose != Purpose::Require;
        !was_shown || decided.is_some_and(|judged| judged.finding.broken)
    }
}

impl Referee {
    /// A referee for so many steps and these stretches. Windows are of `window_ns`, or of a shorter stretch's length.
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
            load_ns: None,
            settle_ns: None,
        }
    }

    /// The same with the load's planned end and the settling time that was given, for levels that orders begin.
    #[must_use]
    pub fn with_load(self, load_ns: Option<u64>, settle_ns: Option<u64>) -> Self {
        Self {
            load_ns,
            settle_ns,
            ..self
        }
    }

    /// An order changes the load from `begin_ns` on, which lies ahead, and its change is complete after `ramp_ns`: the
    /// rest of the plan is replaced by one level. Times are since the load began.
    pub fn on_order(&mut self, begin_ns: u64, ramp_ns: u64) {
        let begins_before = |stretch: &Stretch| stretch.from_ns < begin_ns;
        let kept = self.stretches.iter().take_while(|it| begins_before(it));
        // Those that are over stay: `present` counts them.
        let kept = kept.count().max(self.present.min(self.stretches.len()));
        self.stretches.truncate(kept);
        if let Some(last) = self.stretches.last_mut() {
            last.to_ns = last.to_ns.min(begin_ns);
        }
        let to_ns = self.load_ns.unwrap_or(u64::MAX);
        let level_ns = begin_ns.saturating_add(ramp_ns);
        self.stretches
            .extend(settled_part(level_ns, to_ns, self.settle_ns));
    }

    /// Takes a second in which users are prepared for an open load: only rules on start steps judge it.
    pub fn on_preparation(&mut self, interval: &Interval) {
        self.failing.add(interval);
        self.everything.window.add(interval, 0);
    }

    /// Takes a second of the run, in times since the load began. Returns whether a rule ends the run.
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
        // Only the end of the load comes late, not that of a level before an order.
        let ends_load = self.load_ns.is_none_or(|load_ns| stretch.to_ns >= load_ns);
        let is_last = ends_load && self.present + 1 == self.stretches.len();
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

    /// Takes a second of the drain. Its requests were open when the last level ended, and count in it, even those that
    /// were sent in an earlier level.
    fn on_drain(&mut self, interval: &Interval) {
        for part in [&mut self.whole, &mut self.everything] {
            if part.window.length_ns > 0 {
                part.window.add(interval, 0);
            }
        }
    }

    /// The judgements of all rules, at the end of the run. A run that ended before its load had settled is judged over
    /// its whole length.
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

    /// Judges the present stretch, which is over, as a whole, and goes to the next.
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

    /// Judges a part by some rules; returns whether it breaks one of them.
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
mod tests;
