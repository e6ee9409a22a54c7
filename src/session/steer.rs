//! The search while it goes on: steers the load from level to level, judges each one's window by itself.
//!
//! A level is ramp, settling time, window. What comes next is decided by [`Search::next`], a function of what was judged
//! so far, so that an interrupted search goes on from its record. All moments are whole seconds since the load began,
//! because the shards hand over their counts then. A change takes effect more than a second later, when every shard has
//! seen it.

use std::fmt;

use crate::analysis::breaking_point::{End, Measured, Next, Search, sustainable};
use crate::analysis::criteria::{Finding, Rule, Window};
use crate::analysis::failing::Failing;
use crate::analysis::seconds::judge_seconds;
use crate::analysis::trend::growth;
use crate::engine::plan::Plan;
use crate::engine::{Control, Second};
use crate::metrics::interval::{ArrivalsSoFar, Interval};
use crate::metrics::seconds::{Seconds, Status};
use crate::record::distribution::{packed, times};
use crate::record::schema::{LevelRecord, SearchRecord};
use crate::text::units::{counted, grouped, level as shown_level, percent, time};

const SECOND_NS: u64 = 1_000_000_000;
/// An open load's level does not hold when more than this share of what was due has piled up ...
const PILED_SHARE_MAX: f64 = 0.02;
/// ... and is more than what comes and goes by chance.
const PILED_MIN: f64 = 5.0;
/// The rule that a level breaks in which the server answers nothing.
const NO_ANSWER: &str = "no answer";
/// Longest wait for piled-up arrivals before the next level.
const RECOVERY_NS_MAX: u64 = 60 * SECOND_NS;

/// How a search goes, fixed before it begins.
#[derive(Debug)]
pub struct Course {
    /// Which levels.
    pub search: Search,
    /// They are iterations per second, else users.
    pub is_open: bool,
    /// A level that breaks one of these is bad.
    pub rules: Vec<Rule>,
    /// Users per second from one level to the next.
    pub spawn_rate: f64,
    /// From the end of that ramp to the window.
    pub settle_ns: u64,
    /// Length of the window, whole seconds.
    pub window_ns: u64,
}

impl Course {
    /// The kind of level, as records name it.
    pub fn level_is(&self) -> &'static str {
        match self.is_open {
            true => "rate",
            false => "users",
        }
    }

    /// The unit of levels.
    pub fn unit(&self) -> &'static str {
        match self.is_open {
            true => "iterations/s",
            false => "users",
        }
    }
}

/// The search while it goes on. All times are since the load began.
pub struct Steer<'p> {
    course: &'p Course,
    plan: &'p Plan,
    control: &'p Control,
    levels: Vec<LevelRecord>,
    stage: Stage,
    /// The level that was set last.
    set: f64,
    arrivals: ArrivalsSoFar,
    failing: Failing,
    /// Steps that failed every time until a level was judged, by metric: that ended the search.
    always_failed: Vec<usize>,
}

enum Stage {
    /// A level is set and measured.
    Measuring(Box<Measuring>),
    /// Waits until the arrivals that have piled up are worked off, or until this moment; then goes on with `next`.
    Recovering { next: f64, until_ns: u64 },
    /// No level is left to measure.
    Over,
}

struct Measuring {
    level: f64,
    from_ns: u64,
    to_ns: u64,
    /// How the arrivals stood when the window began.
    before: ArrivalsSoFar,
    halves: [Window; 2],
    good_by_second: Vec<f64>,
    /// Mean response times of the seconds in which something ended, in microseconds.
    mean_us_by_second: Vec<f64>,
    /// Its seconds, by how far each is to be believed.
    judged: Seconds,
}

impl<'p> Steer<'p> {
    /// A search that has measured these levels before, or none. The plan's load has to be one that is steered.
    pub fn new(
        course: &'p Course,
        plan: &'p Plan,
        control: &'p Control,
        levels: Vec<LevelRecord>,
    ) -> Self {
        Self {
            course,
            plan,
            control,
            levels,
            stage: Stage::Over,
            set: 0.0,
            arrivals: ArrivalsSoFar::default(),
            failing: Failing::new(plan.scenario.metrics.len()),
            always_failed: Vec::new(),
        }
    }

    fn next(&self) -> Next {
        let measured: Vec<Measured> = self.levels.iter().map(measured).collect();
        self.course.search.next(&measured)
    }

    /// Sets the first level, before the run; `false` when there is nothing to be measured.
    pub fn begin(&mut self) -> bool {
        match self.next() {
            Next::Done(_) => false,
            Next::Measure(level) => self.set(level, 0),
        }
    }

    /// Steers to a level from a moment on that has not come yet; `false` when that cannot be done any more.
    fn set(&mut self, level: f64, begin_ns: u64) -> bool {
        let change = (level - self.set).abs();
        let ramp_ns = match self.course.is_open {
            true => SECOND_NS,
            false => ((change / self.course.spawn_rate).ceil() as u64).max(1) * SECOND_NS,
        };
        let load = &self.plan.load;
        let is_set = self.control.steer(load, begin_ns, ramp_ns, level);
        self.set = level;
        let from_ns = (begin_ns + ramp_ns + self.course.settle_ns).next_multiple_of(SECOND_NS);
        let steps = self.plan.scenario.metrics.len();
        self.stage = Stage::Measuring(Box::new(Measuring {
            level,
            from_ns,
            to_ns: from_ns + self.course.window_ns,
            before: ArrivalsSoFar::default(),
            halves: [Window::new(steps), Window::new(steps)],
            good_by_second: Vec::new(),
            mean_us_by_second: Vec::new(),
            judged: Seconds::default(),
        }));
        is_set
    }

    /// Takes a second of the run; whether the search is over.
    pub fn on_second(&mut self, second: &Second<'_>) -> bool {
        self.failing.add(second.interval);
        let Some(zero_ns) = second.load_from_ns else {
            return false;
        };
        let Some(begin_ns) = second.begin_ns.checked_sub(zero_ns) else {
            return false;
        };
        let end_ns = second.end_ns - zero_ns;
        let now_ns = second.now_ns.saturating_sub(zero_ns).max(end_ns);
        // A change takes effect in the second after next: every shard has seen it by then.
        let next_ns = (now_ns + 1).next_multiple_of(SECOND_NS) + SECOND_NS;
        let arrivals = std::mem::replace(&mut self.arrivals, second.interval.arrivals);
        match &mut self.stage {
            Stage::Over => return true,
            Stage::Recovering { next, until_ns } => {
                let is_idle = self.arrivals.waiting + self.arrivals.under_way == 0;
                if is_idle || now_ns >= *until_ns {
                    let next = *next;
                    return !self.set(next, next_ns);
                }
            }
            Stage::Measuring(measuring) => {
                if begin_ns >= measuring.from_ns && end_ns <= measuring.to_ns {
                    if measuring.good_by_second.is_empty() {
                        measuring.before = arrivals;
                    }
                    measuring.add(begin_ns, end_ns, second.interval);
                }
                if end_ns >= measuring.to_ns {
                    return self.judge(zero_ns, next_ns);
                }
            }
        }
        false
    }

    /// The level's window is full.
    fn judge(&mut self, zero_ns: u64, next_ns: u64) -> bool {
        let Stage::Measuring(measuring) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return true;
        };
        let level = self.record(&measuring, zero_ns);
        let was_good = level.good;
        self.levels.push(level);
        self.always_failed = self.failing.always();
        if !self.always_failed.is_empty() {
            return true;
        }
        let Next::Measure(next) = self.next() else {
            return true;
        };
        let load = &self.plan.load;
        if was_good || !load.is_open() {
            return !self.set(next, next_ns);
        }
        self.stage = Stage::Recovering {
            next,
            until_ns: next_ns + RECOVERY_NS_MAX,
        };
        !self.control.steer(load, next_ns, 0, 0.0)
    }

    fn record(&self, measuring: &Measuring, zero_ns: u64) -> LevelRecord {
        let whole = measuring.whole();
        let verdict = self.verdict(&whole, measuring);
        let halves = measuring.halves.each_ref();
        let halves =
            halves.map(|half| self.course.rules.iter().any(|rule| rule.judge(half).broken));
        let all = whole.all();
        let window_s = whole.length_ns as f64 / 1e9;
        let response = times(&all.response);
        LevelRecord {
            level: measuring.level,
            from_s: (zero_ns + measuring.from_ns) as f64 / 1e9,
            window_s,
            rps: all.requests as f64 / window_s,
            good_rps: (all.requests - all.failures) as f64 / window_s,
            good_rps_by_second: measuring.good_by_second.clone(),
            failure_ratio: all.failures as f64 / all.requests.max(1) as f64,
            mean_us: response.mean,
            p50_us: response.p50,
            p99_us: response.p99,
            max_us: response.max,
            good: verdict.broken.is_none(),
            judged: verdict.is_judged,
            noisy: verdict.is_near || halves[0] != halves[1],
            believable: judge_seconds(&measuring.judged) != Status::GeneratorLimited,
            rule: verdict.broken,
            says: verdict.says,
            histogram: packed(&all.response),
        }
    }

    /// The first rule that is broken, else that an open load's iterations pile up, else that latency grows, else what the
    /// rules found.
    fn verdict(&self, window: &Window, measuring: &Measuring) -> LevelVerdict {
        let rules = self.course.rules.iter();
        let findings: Vec<(&Rule, Finding)> =
            rules.map(|rule| (rule, rule.judge(window))).collect();
        let piled = match self.course.is_open {
            true => measuring.piled(self.arrivals),
            false => Piled::default(),
        };
        let is_judged = findings.iter().any(|(_, finding)| finding.value.is_some());
        let grown = growth(&measuring.mean_us_by_second);
        let is_near = findings.iter().any(|(_, finding)| finding.near) || piled.is_near();
        let broken = findings.iter().find(|(_, finding)| finding.broken);
        let silence = measuring.silence(window);
        let is_judged = is_judged || silence.is_some();
        let (broken, says) = match (silence, broken, grown) {
            (Some(says), ..) => (Some(NO_ANSWER.into()), says),
            (None, Some((rule, finding)), _) => (Some(rule.text.clone()), rule.show(finding)),
            (None, None, _) if piled.is_too_much() => {
                (Some("rate not met".into()), piled.to_string())
            }
            (None, None, Some(growth)) => {
                let says = format!(
                    "the mean response time grew within the window, from {} in its first third to {} in its last",
                    time(growth.from),
                    time(growth.to)
                );
                (Some("latency grows".into()), says)
            }
            (None, None, None) => {
                let says = findings.iter().map(|(rule, finding)| rule.show(finding));
                (None, says.collect::<Vec<_>>().join("; "))
            }
        };
        LevelVerdict {
            broken,
            says,
            is_near,
            is_judged,
        }
    }

    /// No level is left to measure.
    pub fn is_over(&self) -> bool {
        matches!(self.next(), Next::Done(_))
    }

    /// Steps that failed every time from their first request on, by metric: what they break says nothing about load, so
    /// that they end the search.
    pub fn always_failed(&self) -> &[usize] {
        &self.always_failed
    }

    /// The lowest bad level is bad because the server stopped answering.
    pub fn is_hung(&self, first_bad: Option<f64>) -> bool {
        let mut levels = self.levels.iter();
        levels
            .any(|level| Some(level.level) == first_bad && level.rule.as_deref() == Some(NO_ANSWER))
    }

    /// The search found the level that it was for.
    pub fn has_found(&self) -> bool {
        let found = self.found();
        self.is_over() && found.last_good.is_some() && !self.is_hung(found.first_bad)
    }

    /// How it goes.
    pub fn course(&self) -> &'p Course {
        self.course
    }

    /// The level that was set last: users, or iterations per second.
    pub fn level(&self) -> f64 {
        self.set
    }

    /// The levels measured, in order.
    pub fn levels(&self) -> &[LevelRecord] {
        &self.levels
    }

    /// The result so far.
    pub fn found(&self) -> SearchRecord {
        let unit = self.course.unit();
        let (last_good, first_bad, ended) = match self.next() {
            _ if !self.always_failed.is_empty() => {
                let ended = "not found: a step failed every time from its first request";
                (None, None, ended.into())
            }
            Next::Measure(_) => {
                let good = self.levels.iter().filter(|level| level.good);
                let last_good = good.map(|level| level.level).reduce(f64::max);
                (
                    last_good,
                    None,
                    "the search was ended before it found it".into(),
                )
            }
            Next::Done(End::Found {
                last_good,
                first_bad,
            }) => (
                Some(last_good),
                Some(first_bad),
                format!(
                    "{} {unit} hold, {} do not",
                    shown_level(last_good),
                    shown_level(first_bad)
                ),
            ),
            Next::Done(End::NeverBroke { last_good }) => (
                Some(last_good),
                None,
                format!(
                    "not found: the highest level ({} {unit}) still holds; give a higher --to",
                    shown_level(last_good)
                ),
            ),
            Next::Done(End::DidNotRecover {
                last_good,
                first_bad,
            }) => (
                Some(last_good),
                Some(first_bad),
                format!(
                    "{} {unit} held until {} overloaded it; since then not even {} do: it does not recover by itself",
                    shown_level(last_good),
                    shown_level(first_bad),
                    shown_level(self.course.search.from)
                ),
            ),
            Next::Done(End::BrokenFromTheStart { first_bad }) => (
                None,
                Some(first_bad),
                format!(
                    "not found: the lowest level tried ({} {unit}) does not hold; give a lower --from",
                    shown_level(first_bad)
                ),
            ),
            Next::Done(End::NotBelievable { last_good, level }) => (
                last_good,
                None,
                format!(
                    "not found: at {} {unit} the generator itself was the limit (a shard above 90 % busy); give it more cores",
                    shown_level(level)
                ),
            ),
        };
        let is_last_good = |level: &&LevelRecord| level.good && Some(level.level) == last_good;
        let mut at_last_good = self.levels.iter().filter(is_last_good);
        let (last_good, ended) = match last_good {
            Some(level) if !at_last_good.any(|level| level.judged) => (
                None,
                format!(
                    "not found: too few requests came in the window at {} {unit} to judge it; give a longer --every",
                    shown_level(level)
                ),
            ),
            _ => (last_good, ended),
        };
        let is_hung = self.is_hung(first_bad);
        let ended = match is_hung {
            true => format!(
                "{ended}; the server stopped answering there: it hung, which need not be the load's doing, so look at its log"
            ),
            false => ended,
        };
        let good_seconds: Vec<f64> = self
            .levels
            .iter()
            .filter(|level| level.good && Some(level.level) == last_good)
            .flat_map(|level| level.good_rps_by_second.iter().copied())
            .collect();
        let at_first_bad = self
            .levels
            .iter()
            .filter(|level| Some(level.level) == first_bad && !is_hung)
            .map(|level| level.good_rps)
            .reduce(f64::max);
        let rate = sustainable(&good_seconds, at_first_bad);
        SearchRecord {
            level_is: self.course.level_is().into(),
            rules: self
                .course
                .rules
                .iter()
                .map(|rule| rule.text.clone())
                .collect(),
            levels: self.levels.clone(),
            last_good,
            first_bad,
            window_s: self.course.window_ns as f64 / 1e9,
            settle_s: self.course.settle_ns as f64 / 1e9,
            sustainable_rps: rate.as_ref().map(|rate| rate.rps),
            sustainable_rps_low: rate.as_ref().and_then(|rate| rate.low),
            sustainable_rps_high: rate.as_ref().and_then(|rate| rate.high),
            ended,
        }
    }
}

struct LevelVerdict {
    broken: Option<String>,
    says: String,
    is_near: bool,
    is_judged: bool,
}

/// Iterations of an open load that have piled up in a window.
#[derive(Clone, Copy, Default)]
struct Piled {
    count: f64,
    /// Iterations that were due.
    due: f64,
}

impl Piled {
    fn share(self) -> f64 {
        self.count / self.due.max(1.0)
    }

    fn is_too_much(self) -> bool {
        self.share() > PILED_SHARE_MAX && self.count > PILED_MIN
    }

    fn is_near(self) -> bool {
        self.share() > PILED_SHARE_MAX / 2.0 && self.share() < PILED_SHARE_MAX * 2.0
    }
}

impl fmt::Display for Piled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "of {} iterations that were due, {} piled up ({})",
            grouped(self.due as u64),
            grouped(self.count as u64),
            percent(self.share())
        )
    }
}

impl Measuring {
    fn add(&mut self, begin_ns: u64, end_ns: u64, interval: &Interval) {
        let middle_ns = self.from_ns + (self.to_ns - self.from_ns) / 2;
        let half = usize::from(begin_ns >= middle_ns);
        let length_ns = end_ns - begin_ns;
        self.halves[half].add(interval, length_ns);
        let all = interval.all();
        if !all.response.is_empty() {
            self.mean_us_by_second.push(all.response.mean_us());
        }
        let good = (all.requests - all.failures) as f64;
        self.good_by_second
            .push(good * SECOND_NS as f64 / length_ns.max(1) as f64);
        self.judged += &interval.judged;
    }

    fn whole(&self) -> Window {
        let mut whole = self.halves[0].clone();
        whole.join(&self.halves[1]);
        whole
    }

    /// The server answered nothing throughout the window, with requests open: how that is said.
    fn silence(&self, whole: &Window) -> Option<String> {
        let all = whole.all();
        let is_silent = all.answers == 0 && all.open.max_us() * 1e3 >= whole.length_ns as f64;
        is_silent.then(|| {
            format!(
                "no answer for {}, with {} open",
                time(whole.length_ns as f64 / 1e3),
                counted(all.open.count(), "request")
            )
        })
    }

    /// Iterations that have piled up since the window began.
    fn piled(&self, now: ArrivalsSoFar) -> Piled {
        let open = |at: ArrivalsSoFar| (at.waiting + at.under_way + at.dropped) as f64;
        Piled {
            count: open(now) - open(self.before),
            due: now.due.saturating_sub(self.before.due) as f64,
        }
    }
}

fn measured(level: &LevelRecord) -> Measured {
    Measured {
        level: level.level,
        good: level.good,
        is_noisy: level.noisy,
        is_believable: level.believable,
    }
}
