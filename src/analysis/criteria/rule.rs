//! A rule: parsed, judged over a window, shown with its finding.

use crate::metrics::interval::StepInterval;

use super::groups::{Group, Groups, as_step, check_of_task};
use super::measure::{Measure, REQUESTS_MIN};
use super::names::{Scope, StepName, find, is_group, labels};
use super::window::Window;

/// The limits at which Ops-Core's own stress test stops: the average of any one step, and failures of all requests.
pub const OPS_CORE_RULES: [&str; 2] = ["*.avg>2s", "errors>5%"];

/// A value within this share of its limit, on either side, could as well have fallen on the other.
const NEAR_SHARE: f64 = 0.10;

/// What a broken rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The rule says what is bad; a broken rule ends the run.
    Stop,
    /// The rule says what is bad; a broken rule fails the run.
    Fail,
    /// The rule says what has to hold; a broken rule fails the run.
    Require,
}

/// A rule over the steps of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The rule as it was written.
    pub text: String,
    /// What it does when it is broken.
    pub purpose: Purpose,
    // INVARIANT: a step in the scope is an index of `labels`; the limit is in the measure's unit.
    scope: Scope,
    measure: Measure,
    comparison: Comparison,
    limit: f64,
    limit_text: String,
    labels: Vec<String>,
    /// The task or the kind of user that it judges, for people.
    group: Option<String>,
    is_of_work: bool,
}

/// The judgement of a rule on a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// The bad condition was met, or the required one was not.
    pub broken: bool,
    /// Microseconds, requests per second or a share from 0 to 1; `None` when there was too little to judge.
    pub value: Option<f64>,
    /// What the value is computed from.
    pub basis: Basis,
    /// The step that decided, by its metric; for `*` the worst; `None` for the work loop as a whole.
    pub step: Option<usize>,
    /// The value is within 10 % of the limit, on either side.
    pub near: bool,
}

/// What a value is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Requests that ended.
    Ended,
    /// Requests that ended, and some that were open or got no answer: the value is a lower bound.
    Open,
    /// Requests that were open throughout the window, in which none ended: the value is a lower bound.
    Silence {
        /// Length of the window.
        length_ns: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Above,
    AtLeast,
    Below,
    AtMost,
}

impl Purpose {
    /// The flag that gives such rules.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Stop => "--stop-when",
            Self::Fail => "--fail-if",
            Self::Require => "--require",
        }
    }
}

impl Rule {
    /// The same over the steps alone, without tasks and kinds of users.
    ///
    /// # Errors
    /// As [`Rule::parse_among`].
    pub fn parse(text: &str, purpose: Purpose, steps: &[StepName]) -> Result<Self, String> {
        Self::parse_among(text, purpose, steps, &Groups::default())
    }

    /// Parses a rule over the steps of a plan, which are in the order of their metrics. STEP is a name, `METHOD name`,
    /// any part of these that no other step shares, `*` for any single step of the work loop, `task:NAME` for a task as a
    /// whole, or `kind:NAME` for the requests of a kind of user.
    ///
    /// # Errors
    /// The offending part, the reason, and what would be right.
    pub fn parse_among(
        text: &str,
        purpose: Purpose,
        steps: &[StepName],
        groups: &Groups,
    ) -> Result<Self, String> {
        let text = text.trim();
        let in_rule = |why: String| format!("rule \"{text}\": {why}");
        let Some(at) = text.rfind(['<', '>']) else {
            return Err(in_rule(
                "a comparison is missing; write for example \"avg>2s\" or \"errors>5%\"".into(),
            ));
        };
        let (left, right) = text.split_at(at);
        let left = left.trim();
        let (comparison, value) = comparison(right);
        let (step, measure) = Measure::after_step(left).map_err(in_rule)?;
        let scope = scope(step, measure, steps, groups).map_err(in_rule)?;
        let (limit, limit_text) = measure.limit(value).map_err(in_rule)?;
        let rule = Self {
            text: text.to_owned(),
            purpose,
            is_of_work: scope.steps().iter().all(|&step| steps[step].is_work),
            scope,
            measure,
            comparison,
            limit,
            limit_text,
            labels: labels(steps),
            group: step.filter(|step| is_group(step)).map(group_label),
        };
        // A rate may be too low; every other measure is the better the lower it is.
        if measure == Measure::PerSecond || rule.is_upper() {
            return Ok(rule);
        }
        let (what, flag) = match purpose {
            Purpose::Require => ("says what is bad, not what has to hold", Purpose::Fail),
            flag => ("says what has to hold, not what is bad", flag),
        };
        let (flag, require) = (flag.flag(), Purpose::Require.flag());
        Err(in_rule(format!(
            "that {what}; give {flag} '{left}>{value}', or {require} '{left}<{value}'"
        )))
    }

    /// Judges a window of the same steps.
    pub fn judge(&self, window: &Window) -> Finding {
        self.judge_without(window, &[])
    }

    /// Judges a window as if these steps were not in the plan.
    pub fn judge_without(&self, window: &Window, left_out: &[usize]) -> Finding {
        assert_eq!(window.steps.len(), self.labels.len(), "steps of one plan");
        let steps = self.scope.steps().iter().copied();
        let steps: Vec<usize> = steps.filter(|step| !left_out.contains(step)).collect();
        let of_step = |&step: &usize| {
            let in_load = window.requests_in_load(&[step]);
            let (value, basis) = self.value(&window.steps[step], in_load, window.length_ns);
            self.finding(Some(step), value, basis)
        };
        let nothing = || self.finding(None, None, Basis::Ended);
        match self.scope {
            Scope::All(_) => {
                let in_load = window.requests_in_load(&steps);
                let (value, basis) = self.value(&window.sum(&steps), in_load, window.length_ns);
                self.finding(None, value, basis)
            }
            Scope::Task(span) => {
                let of_task = as_step(window.spans.get(span));
                let (value, basis) = self.value(&of_task, of_task.requests, window.length_ns);
                self.finding(None, value, basis)
            }
            Scope::Step(_) => steps.first().map_or_else(nothing, of_step),
            Scope::Any(_) => steps
                .iter()
                .map(of_step)
                .filter(|finding| finding.value.is_some())
                .reduce(|worst, other| match self.is_worse(&other, &worst) {
                    true => other,
                    false => worst,
                })
                .unwrap_or_else(nothing),
        }
    }

    /// Whether it judges the work loop; otherwise it names a start or stop step.
    pub fn is_of_work(&self) -> bool {
        self.is_of_work
    }

    /// The steps that it judges, by metric.
    pub fn steps(&self) -> &[usize] {
        self.scope.steps()
    }

    /// The display name of a step, by its metric.
    pub fn label(&self, step: usize) -> &str {
        &self.labels[step]
    }

    /// A finding as a sentence with units: `avg of POST …/workflow was 2.31 s, the limit is 2 s`.
    pub fn show(&self, finding: &Finding) -> String {
        let of = match (finding.step, &self.scope) {
            _ if self.group.is_some() => self.group.as_deref().unwrap_or_default(),
            (Some(index), _) | (None, &Scope::Step(index)) => self.label(index),
            (None, Scope::Any(_)) => "any single step",
            (None, Scope::All(steps)) if steps.len() < self.labels.len() => "the work loop",
            (None, Scope::All(_) | Scope::Task(_)) => "all requests",
        };
        let measure = self.measure.name();
        let bound = match self.is_upper() {
            true => "the limit is",
            false => "the lower limit is",
        };
        let limit = &self.limit_text;
        let Some(value) = finding.value else {
            let what = match (self.measure, &self.scope) {
                (_, Scope::Task(_)) => "passes",
                (Measure::GaveUp, _) => "polls ended",
                _ => "requests",
            };
            let not_shown = match self.purpose {
                Purpose::Require => ", so it was not shown to hold",
                Purpose::Stop | Purpose::Fail => "",
            };
            return format!(
                "{measure} of {of}: fewer than {REQUESTS_MIN} {what}, too few to judge{not_shown}; {bound} {limit}"
            );
        };
        let was = match self.measure {
            Measure::Failures => "were",
            _ => "was",
        };
        let value = self.measure.show(value);
        match finding.basis {
            Basis::Ended => format!("{measure} of {of} {was} {value}, {bound} {limit}"),
            Basis::Open => format!(
                "{measure} of {of} {was} >= {value} with what had no answer, {bound} {limit}"
            ),
            Basis::Silence { length_ns } => format!(
                "{measure} of {of} {was} >= {value}: no answer for {}, {bound} {limit}",
                self.measure.show(length_ns as f64 / 1e3)
            ),
        }
    }

    /// The value of the measure over these requests, and what it is computed from.
    fn value(&self, step: &StepInterval, in_load: u64, length_ns: u64) -> (Option<f64>, Basis) {
        let length_us = length_ns as f64 / 1e3;
        // A silence needs no minimum of requests: one open throughout the window is enough.
        let oldest_us = step.response.max_us().max(step.open.max_us());
        let is_silent = length_ns > 0 && step.answers == 0 && oldest_us >= length_us;
        if is_silent && self.measure == Measure::Failures && step.requests > 0 {
            let share = step.failures as f64 / step.requests as f64;
            return (Some(share), Basis::Ended);
        }
        let ended = self.measure.of_ended(step, in_load, length_ns);
        let basis_of_ended = match ended.is_some_and(|value| self.measure.is_bound(value, step)) {
            true => Basis::Open,
            false => Basis::Ended,
        };
        if !self.measure.is_time() || (step.open.is_empty() && !is_silent) {
            return (ended, basis_of_ended);
        }
        let mut all = step.response.clone();
        all += &step.open;
        let (with_open, basis) = match is_silent {
            true => {
                let of_ages = self.measure.of_times(&all, 1);
                (
                    of_ages.map(|us| us.max(length_us)),
                    Basis::Silence { length_ns },
                )
            }
            false => (self.measure.of_times(&all, REQUESTS_MIN), Basis::Open),
        };
        match (ended, with_open) {
            (Some(ended), Some(bound)) if bound > ended => (Some(bound), basis),
            // A lower bound below the limit shows nothing.
            (None, Some(bound)) if self.is_bad(bound) => (Some(bound), basis),
            _ => (ended, basis_of_ended),
        }
    }

    fn finding(&self, step: Option<usize>, value: Option<f64>, basis: Basis) -> Finding {
        let is_near = |value: f64| {
            // With a limit of 0, as in errors>0, only 0 itself would be near, and every clean window is 0.
            self.limit > 0.0 && (value - self.limit).abs() <= NEAR_SHARE * self.limit
        };
        Finding {
            broken: value.is_some_and(|value| self.is_bad(value)),
            value,
            basis,
            step,
            near: value.is_some_and(is_near),
        }
    }

    fn is_bad(&self, value: f64) -> bool {
        self.comparison.holds(value, self.limit) != (self.purpose == Purpose::Require)
    }

    /// Whether values above the limit are bad.
    fn is_upper(&self) -> bool {
        self.comparison.is_above() != (self.purpose == Purpose::Require)
    }

    fn is_worse(&self, one: &Finding, other: &Finding) -> bool {
        match self.is_upper() {
            true => one.value > other.value,
            false => one.value < other.value,
        }
    }
}

impl Comparison {
    fn is_above(self) -> bool {
        matches!(self, Self::Above | Self::AtLeast)
    }

    fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Above => value > limit,
            Self::AtLeast => value >= limit,
            Self::Below => value < limit,
            Self::AtMost => value <= limit,
        }
    }
}

/// Splits `>= 2s` into its comparison and its value.
fn comparison(text: &str) -> (Comparison, &str) {
    let is_above = text.starts_with('>');
    let after = text[1..].trim_start();
    match (is_above, after.strip_prefix('=')) {
        (true, None) => (Comparison::Above, after),
        (true, Some(value)) => (Comparison::AtLeast, value.trim_start()),
        (false, None) => (Comparison::Below, after),
        (false, Some(value)) => (Comparison::AtMost, value.trim_start()),
    }
}

/// The steps that a rule judges. Only polls can give up: a rule on that for other steps would never be broken.
fn scope(
    step: Option<&str>,
    measure: Measure,
    steps: &[StepName],
    groups: &Groups,
) -> Result<Scope, String> {
    let is_judged = |index: &usize| {
        let step = &steps[*index];
        step.is_work && (measure != Measure::GaveUp || step.is_poll)
    };
    let judged = || (0..steps.len()).filter(is_judged).collect();
    let scope = match step {
        None => Scope::All(judged()),
        Some("*") => Scope::Any(judged()),
        Some(text) if is_group(text) => match groups.find(text)? {
            Group::Task(span) => {
                check_of_task(measure, text)?;
                Scope::Task(span)
            }
            Group::Kind(own) => Scope::All(own.to_vec()),
        },
        Some(step) => Scope::Step(find(step, steps)?),
    };
    let is_poll = |&index: &usize| steps[index].is_poll;
    if measure != Measure::GaveUp || (scope.steps().iter().any(is_poll)) {
        return Ok(scope);
    }
    let polls: Vec<usize> = (0..steps.len()).filter(is_poll).collect();
    let labels = labels(steps);
    let what = match &scope {
        Scope::Step(step) => format!("{} is not a poll", labels[*step]),
        Scope::All(_) | Scope::Any(_) | Scope::Task(_) => "the work loop has no poll".to_owned(),
    };
    Err(match polls.first() {
        None => "only a polled step can give up, and the scenario has none".to_owned(),
        Some(poll) => format!(
            "only a polled step can give up, and {what}; write \"{}.gave-up\"",
            labels[*poll]
        ),
    })
}

/// `task "order"` for `task:order`.
fn group_label(text: &str) -> String {
    let (what, name) = text.split_once(':').unwrap_or((text, ""));
    format!("{what} \"{}\"", name.trim())
}

#[cfg(test)]
mod tests;
