//! Flow: whether a step is sent at all, how often, and whether its task goes on after it.
//!
//! A step without any of it has no [`Flow`]. Repetitions and retries are counted among the user's values, in 4
//! bytes each.

use std::fmt;

use crate::http::request::Slot;

use super::counter::Counter;
use super::expect::{Reply, Rule, StatusSet};
use super::retry::Retry;
use super::wait::Wait;

/// What decides about a step, beside its answer's success.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flow {
    /// The step is sent when all of these hold, and passed over otherwise.
    pub when: Vec<Condition>,
    /// How it is repeated.
    pub repeat: Option<Repetition>,
    /// The failures that are sent again.
    pub retry: Option<Retry>,
    /// The success after which the user ends its task.
    pub end_task_if: Option<Until>,
    /// Its place among steps that are sent at once, if it is one of them.
    pub together: Option<Together>,
    /// The part of the passes that send it, as far as the scenario tells: from 0 to 1.
    pub share: f64,
}

/// Most steps that a user sends at once.
pub const PARTS_MAX: u16 = 16;

/// A step that is sent at once with others: they lie one after the other in the scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Together {
    /// Its place among them; 0 for the first.
    pub place: u16,
    /// Number of steps, from 2 to [`PARTS_MAX`].
    pub count: u16,
    /// Indices of the spans that end with the last of the answers; only the first step has them.
    pub ends: Vec<u16>,
}

/// A condition of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// The step before was passed over just now.
    Else,
    /// The user's draw falls into this share.
    Share(Share),
    /// A variable has such a value.
    Variable(Test),
}

/// A share of all passes, above 0 and below 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share(pub f64);

/// A test of a variable of the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// The variable's name.
    pub name: String,
    /// Its place among the user's values.
    pub slot: Slot,
    /// What it has to be.
    pub is: Is,
}

/// What a variable has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Is {
    /// Not empty.
    Set,
    /// Empty.
    Unset,
    /// This text.
    Equal(String),
    /// Another text.
    Other(String),
}

/// What an expected answer, and the user's values after it, have to be. All of it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Until {
    /// One of these statuses; any of them without an entry.
    pub statuses: StatusSet,
    /// Rules over head and body.
    pub rules: Vec<Rule>,
    /// Tests of variables, with the values that the answer gave.
    pub tests: Vec<Test>,
}

/// How a step is repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repetition {
    /// The place of the count.
    pub counter: Counter,
    /// Most times that the step is sent, the first one included; retries are not counted.
    pub times_max: u32,
    /// The success that ends it earlier.
    pub until: Option<Until>,
    /// From one time to the next.
    pub wait: Wait,
    /// Index of the step: a hop of it leads back there.
    pub home: u16,
}

/// How a pass repeats a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rounds {
    /// The place of the count.
    pub counter: Counter,
    /// Most times that the task is done, the first one included.
    pub times_max: u32,
    /// It ends earlier when all of these hold after its last step; empty for a fixed number.
    pub until: Vec<Test>,
    /// From the end of one time to the beginning of the next.
    pub wait: Wait,
}

/// What comes after a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The next step.
    Step,
    /// The same step again.
    Again,
    /// Nothing more of the task.
    EndOfTask,
}

impl Flow {
    /// Whether the step is sent. `is_else`: the step before was passed over just now. The draw is taken when it is needed.
    pub fn is_due(&self, values: &[u8], is_else: bool, draw: impl Fn() -> u64) -> bool {
        self.when.iter().all(|condition| match condition {
            Condition::Else => is_else,
            Condition::Share(share) => share.takes(draw()),
            Condition::Variable(test) => test.holds(values),
        })
    }

    /// The user arrives at the step: nothing has been counted yet.
    pub fn begin(&self, values: &mut [u8]) {
        if let Some(repeat) = &self.repeat {
            repeat.counter.set(values, 0);
        }
        self.begin_attempts(values);
    }

    /// The next request of the step is a first attempt.
    pub fn begin_attempts(&self, values: &mut [u8]) {
        if let Some(retry) = &self.retry {
            retry.begin(values);
        }
    }

    /// Number of steps that are sent at once, where this is the first of them.
    pub fn begins_together(&self) -> Option<u16> {
        let first = self.together.as_ref().filter(|it| it.place == 0);
        first.map(|it| it.count)
    }

    /// It is sent with a step before it.
    pub fn is_beside(&self) -> bool {
        self.together.as_ref().is_some_and(|it| it.place > 0)
    }

    /// Indices of the spans that end with the last answer of steps that are sent together, at the first of them.
    pub fn ends(&self) -> &[u16] {
        self.together.as_ref().map_or(&[], |it| &it.ends)
    }

    /// The present request of the step is a retry.
    pub fn is_retry(&self, values: &[u8]) -> bool {
        let retry = self.retry.as_ref();
        retry.is_some_and(|retry| retry.is_under_way(values))
    }

    /// What comes after an expected answer whose values have been stored. It counts a repetition.
    pub fn after_success(&self, status: u16, reply: Reply<'_>, values: &mut [u8]) -> Next {
        let ends = |until: &Option<Until>, values: &[u8]| {
            let until = until.as_ref();
            until.is_some_and(|until| until.is_met(status, reply, values))
        };
        if ends(&self.end_task_if, values) {
            return Next::EndOfTask;
        }
        match &self.repeat {
            Some(repeat) if !ends(&repeat.until, values) && repeat.count(values) => Next::Again,
            _ => Next::Step,
        }
    }
}

impl Flow {
    /// How often it is sent when it is sent at all; 1 where its answers decide.
    pub fn times(&self) -> f64 {
        let repeat = self.repeat.as_ref().filter(|it| it.until.is_none());
        repeat.map_or(1.0, |repeat| f64::from(repeat.times_max))
    }

    /// The waits between those times, in ns.
    pub fn waits_ns(&self) -> f64 {
        let wait_ns = self.repeat.as_ref().map_or(0, |it| it.wait.mean_ns());
        (self.times() - 1.0) * wait_ns as f64
    }
}

impl Flow {
    /// The rules over answers in it.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        let until = self.repeat.iter().filter_map(|it| it.until.as_ref());
        until.chain(&self.end_task_if).flat_map(|it| &it.rules)
    }

    /// The same rules in the same order.
    pub fn rules_mut(&mut self) -> impl Iterator<Item = &mut Rule> {
        let until = self.repeat.iter_mut().filter_map(|it| it.until.as_mut());
        let all = until.chain(&mut self.end_task_if);
        all.flat_map(|it| &mut it.rules)
    }
}

impl Share {
    /// Whether a draw of 64 uniform bits falls into the share.
    fn takes(self, draw: u64) -> bool {
        // 53 even bits as a number from 0 to below 1.
        (((draw >> 11) as f64) / (1u64 << 53) as f64) < self.0
    }
}

impl Test {
    /// Whether it holds for a user with these values.
    pub fn holds(&self, values: &[u8]) -> bool {
        let text = self.slot.text(values);
        match &self.is {
            Is::Set => !text.is_empty(),
            Is::Unset => text.is_empty(),
            Is::Equal(other) => text == other.as_bytes(),
            Is::Other(other) => text != other.as_bytes(),
        }
    }

    /// The variable is not empty when the test holds.
    pub fn means_set(&self) -> bool {
        match &self.is {
            Is::Set => true,
            Is::Equal(other) => !other.is_empty(),
            Is::Unset | Is::Other(_) => false,
        }
    }

    /// Exactly one of the two holds, whatever the values.
    pub fn is_opposite_of(&self, other: &Self) -> bool {
        let is = match (&self.is, &other.is) {
            (Is::Set, Is::Unset) | (Is::Unset, Is::Set) => true,
            (Is::Equal(one), Is::Other(two)) | (Is::Other(one), Is::Equal(two)) => one == two,
            _ => false,
        };
        is && self.slot == other.slot
    }
}

impl Until {
    fn is_met(&self, status: u16, reply: Reply<'_>, values: &[u8]) -> bool {
        (self.statuses.is_empty() || self.statuses.contains(status))
            && self.tests.iter().all(|test| test.holds(values))
            && self.rules.iter().all(|rule| rule.holds(reply))
    }
}

impl Repetition {
    /// Counts that the step was sent and answered; whether it is sent again.
    pub fn count(&self, values: &mut [u8]) -> bool {
        let count = self.counter.get(values) + 1;
        self.counter.set(values, count);
        count < self.times_max
    }
}

impl Rounds {
    /// Counts that the task was done; whether it is done again.
    pub fn goes_on(&self, values: &mut [u8]) -> bool {
        let is_met = !self.until.is_empty() && self.until.iter().all(|test| test.holds(values));
        let count = self.counter.get(values) + 1;
        self.counter.set(values, count);
        !is_met && count < self.times_max
    }

    /// How often the task is done; 1 where the user's values decide.
    pub fn times(&self) -> f64 {
        match self.until.is_empty() {
            true => f64::from(self.times_max),
            false => 1.0,
        }
    }
}

/// `else`, `in 10% of all cases`, or a test.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Else => f.write_str("the step before was passed over"),
            Self::Share(share) => write!(f, "drawn, {}", crate::text::units::percent(share.0)),
            Self::Variable(test) => test.fmt(f),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.is {
            Is::Set => write!(f, "{name} is set"),
            Is::Unset => write!(f, "{name} is not set"),
            Is::Equal(text) => write!(f, "{name} is \"{text}\""),
            Is::Other(text) => write!(f, "{name} is not \"{text}\""),
        }
    }
}

/// The conditions, joined by "and".
impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = (!self.statuses.is_empty()).then(|| format!("status {}", self.statuses));
        let rules = self.rules.iter().map(ToString::to_string);
        let tests = self.tests.iter().map(ToString::to_string);
        let all: Vec<String> = status.into_iter().chain(rules).chain(tests).collect();
        f.write_str(&all.join(" and "))
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::Facts;
    use super::super::pattern::Caches;
    use super::*;

    const SLOT: Slot = Slot {
        offset: 0,
        bytes_max: 8,
        fixed: false,
    };

    fn test(is: Is) -> Test {
        Test {
            name: "x".to_owned(),
            slot: SLOT,
            is,
        }
    }

    fn values(text: &str) -> Vec<u8> {
        let mut values = vec![0; SLOT.stride() + Counter::BYTES];
        SLOT.store(text.as_bytes(), &mut values);
        values
    }

    #[test]
    fn a_variable_is_set_when_it_is_not_empty() {
        let check = |is: Is, expected: [bool; 3]| {
            let test = test(is);
            assert_eq!(
                ["", "a", "b"].map(|text| test.holds(&values(text))),
                expected,
                "{test}"
            );
        };
        check(Is::Set, [false, true, true]);
        check(Is::Unset, [true, false, false]);
        check(Is::Equal("a".to_owned()), [false, true, false]);
        check(Is::Other("a".to_owned()), [true, false, true]);
        let [set, unset] = [Is::Set, Is::Unset].map(test);
        assert!(set.is_opposite_of(&unset) && !set.is_opposite_of(&set));
    }

    #[test]
    fn a_share_is_that_part_of_all_draws() {
        for share in [0.001, 0.1, 0.5, 0.999] {
            let step = u64::MAX / 100_000;
            let taken = (0..100_000).filter(|nth| Share(share).takes(nth * step));
            let part = taken.count() as f64 / 100_000.0;
            assert!((part - share).abs() < 1e-4, "{share}: {part}");
        }
    }

    #[test]
    fn a_repetition_ends_at_its_bound_or_when_its_condition_holds() {
        let flow = |times_max, until| Flow {
            repeat: Some(Repetition {
                counter: Counter {
                    offset: SLOT.stride(),
                },
                times_max,
                until,
                wait: Wait::default(),
                home: 0,
            }),
            ..Flow::default()
        };
        let caches = Caches::default();
        let nothing = Reply {
            head: b"",
            body: b"",
            facts: &Facts::plain(&caches),
        };
        let story = |flow: &Flow, text: &str| {
            let mut values = values(text);
            flow.begin(&mut values);
            (0..4)
                .take_while(|_| flow.after_success(200, nothing, &mut values) == Next::Again)
                .count()
        };
        assert_eq!(story(&flow(3, None), ""), 2);
        let until = Until {
            tests: vec![test(Is::Unset)],
            ..Until::default()
        };
        assert_eq!(story(&flow(3, Some(until.clone())), "next"), 2);
        assert_eq!(story(&flow(3, Some(until.clone())), ""), 0);
        let ends = Flow {
            end_task_if: Some(until),
            ..flow(3, None)
        };
        assert_eq!(
            ends.after_success(200, nothing, &mut values("")),
            Next::EndOfTask
        );
        assert_eq!(
            ends.after_success(200, nothing, &mut values("a")),
            Next::Again
        );
    }
}
