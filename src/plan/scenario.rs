//! The declarative model: what a user does, compiled. Nothing in it can be invalid any more.

use std::fmt;

use crate::http::request::Template;
use crate::http::response::Expecting;

use super::random::below;
use super::variables::Variables;

/// Index of a step in [`Scenario::steps`].
pub type StepIndex = u16;

/// A body kept to be looked at is cut at this length.
pub const BODY_BYTES_KEPT: usize = 64 * 1024;

/// What users do.
#[derive(Debug)]
pub struct Scenario {
    /// How it is called.
    pub name: String,
    /// What it is for, in a line.
    pub about: String,
    /// All steps, `start` and `tasks` index into it.
    pub steps: Vec<Step>,
    /// What a user does once, in order.
    pub start: Vec<StepIndex>,
    /// What a user does again and again, one drawn by weight each time.
    pub tasks: Vec<Task>,
    /// Between two tasks.
    pub wait: Wait,
    /// What is computed once per user.
    pub variables: Variables,
    /// Under which names requests are counted; steps point into it.
    pub metrics: Vec<MetricLabel>,
    /// The load it is made for.
    pub load: LoadDefaults,
    /// What must not be shown anywhere.
    pub secrets: Secrets,
    /// The key was not given; the scenario's own default is used.
    pub api_key_is_default: bool,
}

/// One request and what is expected of its answer.
#[derive(Debug)]
pub struct Step {
    /// Index into [`Scenario::metrics`].
    pub metric: u16,
    /// The request.
    pub template: Template,
    /// What counts as a success.
    pub expect: Expect,
    /// After the step.
    pub pause_ns: u64,
    /// For a poll: when to ask again, and for how long.
    pub repeat: Option<Repeat>,
    /// Sending it twice does no harm (RFC 9110 section 9.2.2).
    pub idempotent: bool,
    /// What its answer's body depends on.
    pub expecting: Expecting,
}

/// A step of the work loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// Which step.
    pub step: StepIndex,
    /// Its share is this over the sum of all.
    pub weight: u32,
}

/// What counts as a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// One of these statuses.
    pub statuses: StatusSet,
    /// And a body that this rule holds for.
    pub body: Option<BodyRule>,
}

/// What a body has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyRule {
    /// JSON, but not `null`.
    NotNull,
}

/// A poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// From one attempt to the next.
    pub every_ns: u64,
    /// From the first attempt's due time; no attempt begins after it.
    pub give_up_after_ns: u64,
    /// Statuses that mean "ask again", beside an expected status whose body does not fit.
    pub not_yet: StatusSet,
    /// What then.
    pub on_give_up: OnGiveUp,
}

/// What a user does when its patience is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnGiveUp {
    /// Its next step.
    #[default]
    GoOn,
    /// Nothing more.
    Stop,
}

/// Method and name under which requests are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricLabel {
    /// The method.
    pub method: String,
    /// The name, without ids.
    pub name: String,
    /// It is polled.
    pub is_poll: bool,
}

/// A wait, drawn evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Shortest.
    pub min_ns: u64,
    /// Longest.
    pub max_ns: u64,
}

/// The load that a scenario is made for; flags come before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadDefaults {
    /// Users at the peak.
    pub users: Option<u64>,
    /// Users at the start.
    pub users_from: u64,
    /// From the start to the peak.
    pub ramp_ns: u64,
    /// In all.
    pub run_time_ns: Option<u64>,
}

impl Scenario {
    /// The task that a draw falls on.
    pub fn pick(&self, draw: u64) -> StepIndex {
        let sum: u64 = self.tasks.iter().map(|task| u64::from(task.weight)).sum();
        let mut at = below(draw, sum);
        for task in &self.tasks {
            match at.checked_sub(u64::from(task.weight)) {
                Some(rest) => at = rest,
                None => return task.step,
            }
        }
        unreachable!("the draw is below the sum of the weights")
    }

    /// Length of the longest request, in bytes.
    pub fn request_bytes_max(&self) -> usize {
        let lengths = self.steps.iter().map(|step| step.template.bytes_max());
        lengths.max().unwrap_or_default()
    }
}

impl Step {
    /// How much of the answer's body has to be kept to judge it.
    pub fn body_bytes_kept(&self) -> usize {
        self.expect.body.map_or(0, |_| BODY_BYTES_KEPT)
    }
}

impl BodyRule {
    /// Whether a body is as it should be.
    pub fn holds(self, body: &[u8]) -> bool {
        match self {
            Self::NotNull => !matches!(body.trim_ascii(), b"" | b"null"),
        }
    }
}

impl Wait {
    /// The wait that a draw falls on.
    pub fn draw(self, draw: u64) -> u64 {
        self.min_ns + below(draw, (self.max_ns - self.min_ns).saturating_add(1))
    }
}

/// A set of status codes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusSet([u64; 10]);

impl StatusSet {
    /// 200 to 299.
    pub fn success() -> Self {
        (200..300).collect()
    }

    /// Whether it holds a status.
    #[inline]
    pub fn contains(&self, status: u16) -> bool {
        let word = self.0.get(usize::from(status / 64));
        word.is_some_and(|word| word >> (status % 64) & 1 == 1)
    }
}

impl FromIterator<u16> for StatusSet {
    /// Statuses from 600 on do not exist and are left out.
    fn from_iter<I: IntoIterator<Item = u16>>(statuses: I) -> Self {
        let mut set = Self::default();
        for status in statuses.into_iter().filter(|&status| status < 600) {
            set.0[usize::from(status / 64)] |= 1 << (status % 64);
        }
        set
    }
}

/// Texts that must not be shown anywhere.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// Adds one. Texts below four characters are left: masking them would eat ordinary text.
    pub fn add(&mut self, secret: &str) {
        if secret.len() >= 4 && !self.0.iter().any(|known| known == secret) {
            self.0.push(secret.to_owned());
        }
    }

    /// The text without them.
    pub fn mask(&self, text: &str) -> String {
        self.0
            .iter()
            .fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_set_holds_what_was_put_in() {
        let set: StatusSet = [200, 202, 404, 599].into_iter().collect();
        for status in 0..1_100 {
            assert_eq!(
                set.contains(status),
                [200, 202, 404, 599].contains(&status),
                "{status}"
            );
        }
        assert!(StatusSet::success().contains(204) && !StatusSet::success().contains(300));
    }

    #[test]
    fn null_is_told_from_every_other_body() {
        for body in ["null", " null\n", ""] {
            assert!(!BodyRule::NotNull.holds(body.as_bytes()), "{body:?}");
        }
        for body in ["{}", "nullable", "\"null\"", "0"] {
            assert!(BodyRule::NotNull.holds(body.as_bytes()), "{body:?}");
        }
    }

    #[test]
    fn a_wait_reaches_both_its_ends() {
        let wait = Wait {
            min_ns: 5,
            max_ns: 7,
        };
        assert_eq!((wait.draw(0), wait.draw(u64::MAX)), (5, 7));
    }

    #[test]
    fn secrets_are_masked_and_not_shown_by_debug() {
        let mut secrets = Secrets::default();
        secrets.add("s3cret");
        assert_eq!(secrets.mask("key s3cret!"), "key ***!");
        assert!(!format!("{secrets:?}").contains("s3cret"));
    }
}
