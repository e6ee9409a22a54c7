//! The steps that follow a step's redirects.

use crate::http::response::Expecting;
use crate::scenario::follow::{Follow, is_redirect};
use crate::scenario::links;
use crate::scenario::model::{MetricLabel, Step, StepIndex};
use crate::scenario::value::Value;

use super::place::ScenarioError;
use super::request::Sent;
use super::step::{Compiler, IDEMPOTENT, STEPS_MAX};
use super::toml::{Item, Table};

/// Most redirects that a step follows.
const HOPS_MAX: u64 = 10;
impl<'s> Compiler<'_, 's> {
    /// Adds the steps that follow redirects of the last step.
    pub(super) fn add_hops(
        &mut self,
        follow: &Item<'s>,
        table: &Table<'s>,
        method: &str,
        path: &Item<'s>,
    ) -> Result<(), ScenarioError> {
        let count = follow.integer(1..=HOPS_MAX)? as StepIndex;
        let first = self.steps.len() - 1;
        let step = self.steps[first].clone();
        if step.repeat.is_some() {
            return Err(
                follow.error("a poll does not follow redirects; its answer is looked at as it is")
            );
        }
        if let Some(status) = step.expect.statuses.iter().find(|it| is_redirect(*it)) {
            return Err(follow.error(format!(
                "expect awaits status {status}, and follow takes redirects on to another answer; expect describes the last one"
            )));
        }
        let is_get = matches!(method, "GET" | "HEAD");
        let methods: &[(&str, bool)] = match is_get {
            true => &[(method, false)],
            false => &[("GET", false), (method, true)],
        };
        let per_hop = methods.len() as StepIndex;
        if self.steps.len() + usize::from(count * per_hop) > STEPS_MAX {
            return Err(follow.error(format!(
                "more than {STEPS_MAX} steps, with those for redirects"
            )));
        }
        let link = self.requests.texts.variables.link();
        // `place`: the step's own among those of its hop.
        let next = |place: StepIndex, keeps: bool| {
            Some(Box::new(Follow {
                link,
                target: links::Target::default(),
                get: per_hop - place,
                kept: keeps.then_some(per_hop + 1 - place),
                is_post: method == "POST",
            }))
        };
        self.steps[first].follow = next(per_hop - 1, !is_get);
        self.steps[first].hops_left = count * per_hop;
        let name = format!(
            "{} (redirected)",
            self.metrics[usize::from(step.metric)].name
        );
        for hop in 1..=count {
            for (place, &(method, keeps_body)) in (0..).zip(methods) {
                let texts = &mut self.requests.texts;
                texts.fresh_bytes = 0;
                let sent = Sent::Redirected { link, keeps_body };
                let compiled = self.requests.compile(table, method, path, sent)?;
                let texts = &mut self.requests.texts;
                self.fresh_stride = self.fresh_stride.max(texts.fresh_bytes);
                let mut fresh = std::mem::take(&mut texts.fresh);
                if keeps_body {
                    for fresh in &mut fresh {
                        fresh.value = Value::Earlier(Box::new(fresh.value.clone()), hop);
                    }
                }
                let metric = self.metric(MetricLabel {
                    method: method.to_owned(),
                    name: name.clone(),
                    target: None,
                    is_poll: false,
                    hints: Vec::new(),
                    carries: compiled.carries,
                });
                let is_last = hop == count;
                self.push(Step {
                    metric,
                    target: compiled.target,
                    template: compiled.template,
                    elsewhere: compiled.elsewhere,
                    closes: compiled.closes,
                    fresh,
                    begins: Vec::new(),
                    follow: next(place, keeps_body).filter(|_| !is_last),
                    is_hop: true,
                    hops_left: (count - hop + 1) * per_hop - 1 - place,
                    idempotent: IDEMPOTENT.contains(&method),
                    expecting: match method {
                        "HEAD" => Expecting::Head,
                        _ => Expecting::Body,
                    },
                    ..step.clone()
                });
            }
        }
        Ok(())
    }
}
