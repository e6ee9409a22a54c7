//! The steps of a scenario: read, checked against each other, compiled.

use std::collections::HashMap;
use std::ops::Range;

use crate::http::response::Expecting;
use crate::metrics::outcome::Failure;
use crate::scenario::expect::{Expect, Extract, StatusSet};
use crate::scenario::flow::{Condition, Flow, Is, Test};
use crate::scenario::links;
use crate::scenario::members::label;
use crate::scenario::model::{MetricLabel, OnFailure, Repeat, Step, StepIndex, Task};
use crate::scenario::variables::{Demands, Variables};
use crate::scenario::wait::Wait;
use crate::text::suggest::did_you_mean;

use super::answer::{keep, read_expect, read_hints, read_repeat};
use super::flow::{
    Around, check_tasks, read_flow, read_rounds, read_task_when, read_when, tests, tests_of, untils,
};
use super::found::{WHERE_FOUND, read_found_in};
use super::holes::check_name;
use super::place::ScenarioError;
use super::read::{read_duration, read_short, read_wait};
use super::request::{Compiled, Requests, Sent};
use super::spans::Spans;
use super::toml::{Entry, Item, Table};

/// Methods of scenarios.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
/// Methods with the same effect when they are carried out twice (RFC 9110 section 9.2.2).
pub(super) const IDEMPOTENT: [&str; 5] = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"];
/// Most steps of a scenario.
pub(super) const STEPS_MAX: usize = 1_000;
/// Room for an extracted value whose step does not give a max.
const EXTRACTED_BYTES: u64 = 1_024;
/// Most room for an extracted value.
const EXTRACTED_BYTES_MAX: u64 = 16 * 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Setup,
    Start,
    Task,
    Stop,
}

/// The default of an extracted value: where it stands, and the step and extract that it belongs to.
struct Fallback<'s> {
    step: usize,
    extract: usize,
    item: Item<'s>,
}

/// Compiles the steps of a scenario.
pub(super) struct Compiler<'c, 's> {
    pub requests: Requests<'c, 's>,
    pub steps: Vec<Step>,
    pub metrics: Vec<MetricLabel>,
    pub spans: Spans<'s>,
    pub fresh_stride: usize,
    /// Metrics of the kinds of users before the present one.
    metrics_before: usize,
    /// The start steps are those of the setup.
    pub is_setup: bool,
    /// Shared stretches in the requests of the steps so far.
    shared_count: u32,
    /// Checked at the end, when all places are known where their values stand.
    defaults: Vec<Fallback<'s>>,
    /// The conditions of the present task.
    task_when: Vec<Test>,
    /// The variables that the steps of the present part extract, as far as they have been compiled.
    extracted: Vec<String>,
    /// The step before has a condition that `else` can follow, with its share of the passes.
    alternative: Option<f64>,
}

/// The three parts of a scenario, by index into its steps.
type Parts = (Range<StepIndex>, Vec<Task>, Range<StepIndex>);

impl<'c, 's> Compiler<'c, 's> {
    pub fn new(requests: Requests<'c, 's>) -> Self {
        Self {
            requests,
            steps: Vec::new(),
            metrics: Vec::new(),
            spans: Spans::default(),
            fresh_stride: 0,
            metrics_before: 0,
            is_setup: false,
            shared_count: 0,
            defaults: Vec::new(),
            task_when: Vec::new(),
            extracted: Vec::new(),
            alternative: None,
        }
    }

    pub fn compile(
        &mut self,
        start: &[Item<'s>],
        tasks: &[Item<'s>],
        stop: &[Item<'s>],
    ) -> Result<Parts, ScenarioError> {
        let first = self.steps.len() as StepIndex;
        // Every kind of user has its own values and its own names.
        self.requests.texts.filled.clear();
        self.begin_part();
        self.metrics_before = self.metrics.len();
        let role = match self.is_setup {
            true => Role::Setup,
            false => Role::Start,
        };
        for item in start {
            let table = item.table()?;
            self.step(item, &table, role, table.get("when"))?;
        }
        let start_range = first..self.steps.len() as StepIndex;
        // Values that start steps extract are there for all other steps; those of a task, for that task alone.
        let filled = self.requests.texts.filled.clone();
        let mut compiled = Vec::new();
        for item in tasks {
            self.begin_part();
            compiled.push(self.task(item)?);
            self.requests.texts.filled.clone_from(&filled);
        }
        check_tasks(tasks, &compiled)?;
        self.begin_part();
        let first_stop = self.steps.len() as StepIndex;
        for item in stop {
            let table = item.table()?;
            self.step(item, &table, Role::Stop, table.get("when"))?;
        }
        self.clear_in(&mut compiled, &filled);
        Ok((
            start_range,
            compiled,
            first_stop..self.steps.len() as StepIndex,
        ))
    }

    /// Checks and completes the steps of all kinds of users.
    pub fn finish(&mut self) -> Result<(), ScenarioError> {
        self.spans.check()?;
        let own_host = self.requests.texts.own_host.clone();
        for follow in self
            .steps
            .iter_mut()
            .filter_map(|step| step.follow.as_mut())
        {
            let byte = self.requests.texts.variables.find_target_byte(None);
            let target = links::Target::new(own_host.as_deref());
            follow.target = target.beside(&self.requests.targets, byte);
        }
        let targets = &self.requests.targets;
        let variables = &mut self.requests.texts.variables;
        for extract in self.steps.iter_mut().flat_map(|step| &mut step.extract) {
            let index = variables.find(&extract.name);
            let demands = index.and_then(|index| variables.demands(index));
            extract.demands = demands.map(|demands| *demands).unwrap_or_default();
            let is_link = extract.demands.as_link;
            let byte = index.and_then(|index| variables.find_target_byte(Some(index)));
            extract.link = is_link.then(|| {
                let target = links::Target::new(own_host.as_deref());
                target.beside(targets, byte)
            });
        }
        for Fallback {
            step,
            extract,
            item,
        } in &self.defaults
        {
            let extract = &self.steps[*step].extract[*extract];
            let text = extract.default.as_deref().unwrap_or_default();
            if text.is_empty() && extract.demands.as_link && extract.demands.not_empty {
                return Err(item.error(format!(
                    "the default of {{{{{name}}}}} is empty, and the path of a step begins with it; give that step when = {{ set = \"{name}\" }}",
                    name = extract.name
                )));
            }
            let checked = extract.check(text.as_bytes());
            checked.map_err(|why| {
                item.error(format!("the default of {{{{{}}}}} {why}", extract.name))
            })?;
        }
        Ok(())
    }

    /// Declares all extracted values before the first step, so that a hole for one that is not filled yet gets its own
    /// error.
    pub fn declare_extracted(&mut self, items: &[Item<'s>]) -> Result<(), ScenarioError> {
        let variables: &mut Variables = &mut self.requests.texts.variables;
        let mut rooms: HashMap<&str, u64> = HashMap::new();
        let mut names = Vec::new();
        for (name, span, item) in extracted(items)? {
            let error = |reason| item.source.error(span.clone(), reason);
            check_name(name).map_err(error)?;
            if variables.find(name).is_some() {
                return Err(error(format!(
                    "[variables] has a {name} already; choose another name"
                )));
            }
            let table = item.table().map_err(|_| item.error(WHERE_FOUND))?;
            let bytes = table.read("max", |item| item.integer(1..=EXTRACTED_BYTES_MAX));
            let bytes = bytes?.unwrap_or(EXTRACTED_BYTES);
            if !rooms.contains_key(name) {
                names.push(name);
            }
            let room = rooms.entry(name).or_insert(bytes);
            *room = bytes.max(*room);
        }
        for name in names {
            variables.add_extracted(name, rooms[name] as usize);
        }
        Ok(())
    }

    fn begin_part(&mut self) {
        self.extracted.clear();
        self.alternative = None;
    }

    /// A task begins with the values unset that its steps extract, as far as conditions look at them and no start step
    /// has set them.
    fn clear_in(&self, tasks: &mut [Task], filled: &[usize]) {
        let variables = &self.requests.texts.variables;
        let of_steps = self.steps.iter().filter_map(|step| step.flow.as_deref());
        let of_tasks = tasks.iter().flat_map(|task| {
            let rounds = task.repeat.iter().flat_map(|rounds| &rounds.until);
            task.when.iter().chain(rounds)
        });
        let tested = of_steps.flat_map(tests).chain(of_tasks);
        let tested: Vec<String> = tested.map(|test| test.name.clone()).collect();
        for task in tasks {
            let steps = &self.steps[usize::from(task.steps.start)..usize::from(task.steps.end)];
            let own = steps.iter().flat_map(|step| &step.extract);
            let mut names: Vec<&String> = own.map(|extract| &extract.name).collect();
            names.sort_unstable();
            names.dedup();
            let is_kept = |name: &String| task.when.iter().any(|test| test.name == *name);
            names.retain(|name| tested.contains(*name) && !is_kept(name));
            let found = names.iter().filter_map(|name| variables.find(name));
            let cleared = found.filter(|index| !filled.contains(index));
            task.clears = cleared.map(|index| variables.get(index).slot).collect();
        }
    }

    fn task(&mut self, item: &Item<'s>) -> Result<Task, ScenarioError> {
        let table = item.table()?;
        let weight =
            table.read("weight", |item| match item.integer(0..=1_000_000)? {
                0 => Err(item
                    .error("a task of weight 0 is never run; leave it out, or give it 1 or more")),
                weight => Ok(weight as u32),
            })?;
        let when = table.read("when", |item| {
            read_task_when(item, &self.requests.texts.variables)
        })?;
        self.task_when = when.unwrap_or_default();
        let texts = &mut self.requests.texts;
        let set = set_by(&self.task_when, &texts.variables);
        texts.filled.extend(set);
        let first = self.steps.len() as StepIndex;
        let (mut span, mut repeat) = (None, None);
        match table.read("step", Item::list)? {
            None => {
                self.step(item, &table, Role::Task, None)?;
                // Steps that are sent at once are measured as a whole under the task's name.
                let first = &self.steps[usize::from(first)];
                let ends = first.flow.as_ref().map_or(&[][..], |flow| flow.ends());
                span = first.begins.iter().copied().find(|it| ends.contains(it));
            }
            Some(steps) => {
                if steps.is_empty() {
                    return Err(item.error("the task has no step; add [[task.step]]"));
                }
                let name = table.get("name");
                let within_ns = table.read("within", read_within)?;
                repeat = table.read("repeat", |item| {
                    read_rounds(item, &mut self.requests.texts.variables)
                })?;
                if let Some(method) = table.get("method").or(table.get("path")) {
                    return Err(method.error(
                        "the task has steps of its own; method, path and what belongs to them stand in [[task.step]]",
                    ));
                }
                table.finish()?;
                for step in &steps {
                    let table = step.table()?;
                    if let Some(within) = table.get("within") {
                        return Err(within.error(
                            "within is the time of a whole task and stands in its [[task]]; the time limit of a step is timeout",
                        ));
                    }
                    self.step(step, &table, Role::Task, table.get("when"))?;
                }
                if self.steps[usize::from(first)..].iter().all(is_optional) {
                    return Err(item.error(
                        "every step of the task has when, so a pass may send nothing; leave one without it, or write when = \"else\" in the step after one with when",
                    ));
                }
                for step in &mut self.steps[usize::from(first)..] {
                    step.within_ns = within_ns;
                }
                // A named task is a span too.
                if let Some(name) = name {
                    let text = name.text()?;
                    let is_own = |step: &Step| !step.is_hop;
                    let last = self
                        .steps
                        .iter()
                        .rposition(is_own)
                        .unwrap_or(usize::from(first));
                    let begins = self.spans.at(text, 0, name.clone())?;
                    self.spans.at(text, 1, name)?;
                    self.steps[usize::from(first)].begins.push(begins);
                    // The last step's answer may be that of one of its hops.
                    match self.group_of(last) {
                        Some(group) => group.ends.push(begins),
                        None => {
                            for step in &mut self.steps[last..] {
                                step.ends.push(begins);
                            }
                        }
                    }
                    span = Some(begins);
                }
            }
        }
        Ok(Task {
            steps: first..self.steps.len() as StepIndex,
            weight: weight.unwrap_or(1),
            when: std::mem::take(&mut self.task_when),
            clears: Vec::new(),
            span,
            repeat: repeat.map(Box::new),
        })
    }

    fn step(
        &mut self,
        item: &Item<'s>,
        table: &Table<'s>,
        role: Role,
        when: Option<Item<'s>>,
    ) -> Result<(), ScenarioError> {
        if role == Role::Task {
            table.get("weight");
        }
        let when = self.when(when.as_ref())?;
        match table.read("together", read_parts)? {
            Some(parts) => self.together(item, table, &parts, role, when),
            None => self.request(item, table, role, when),
        }
    }

    /// A step with one request; with its conditions, and the part of the passes that send it.
    pub(super) fn request(
        &mut self,
        item: &Item<'s>,
        table: &Table<'s>,
        role: Role,
        (when, share): (Vec<Condition>, f64),
    ) -> Result<(), ScenarioError> {
        if self.steps.len() == STEPS_MAX {
            return Err(item.error(format!("more than {STEPS_MAX} steps")));
        }
        if table.get("method").is_none() {
            table.refuse_foreign()?;
        }
        let method = table.need("method", "method = \"GET\"")?;
        let method_name = method.text()?;
        let context = self.requests.context;
        if !METHODS.contains(&method_name) && !context.any_method {
            let upper = method_name.to_ascii_uppercase();
            let near = did_you_mean(&upper, METHODS);
            return Err(method.error(format!("unknown method \"{method_name}\"{near}")));
        }
        let path = table.need("path", "path = \"/health\"")?;
        let certain = self.requests.texts.filled.clone();
        let named = table.get("name");
        let texts = &mut self.requests.texts;
        let set = set_by(tests_of(&when), &texts.variables);
        texts.filled.extend(set);
        texts.link = None;
        texts.used.clear();
        texts.fresh_bytes = 0;
        texts.iterates = role == Role::Task;
        texts.has_api_key = false;
        texts.present = format!("{method_name} {}", path.text()?);
        let Compiled {
            target,
            template,
            elsewhere,
            closes,
            carries,
        } = self
            .requests
            .compile(table, method_name, &path, Sent::AsWritten)?;
        let target_name = self.target_name(target);
        let name = match (&named, &target_name) {
            (Some(item), _) => label(item.text()?),
            (None, Some(target)) => label(&format!("{target}{}", path.text()?)),
            (None, None) => label(path.text()?),
        };
        if self.is_name_of_another_target(method_name, &name, target_name.as_deref()) {
            return Err(named.as_ref().unwrap_or(&path).error(format!(
                "requests to another target are counted as {method_name} {name}; give one of the steps a name of its own"
            )));
        }
        let texts = &mut self.requests.texts;
        let fresh = std::mem::take(&mut texts.fresh);
        self.fresh_stride = self.fresh_stride.max(texts.fresh_bytes);
        let expect = table.read("expect", read_expect)?;
        let expect = expect.unwrap_or_else(|| Expect {
            statuses: StatusSet::success(),
            rules: Vec::new(),
        });
        let mut repeat = read_repeat(table, &expect)?;
        let around = Around {
            expect: &expect,
            variables: &mut texts.variables,
            home: self.steps.len() as StepIndex,
            is_poll: repeat.is_some(),
            is_of_task: role == Role::Task,
            share,
        };
        let is_optional = !when.is_empty();
        let mut flow = read_flow(table, when, around)?;
        let repetition = flow.as_mut().and_then(|flow| flow.repeat.as_mut());
        if let (Some(repetition), Some(instead)) = (repetition, context.pause)
            && repetition.wait != Wait::default()
        {
            repetition.wait = instead;
        }
        let failed = repeat.iter().filter_map(|repeat| repeat.failed.as_ref());
        let of_poll = failed.flat_map(|failed| &failed.rules);
        let of_flow = untils(flow.as_deref()).flat_map(|until| &until.rules);
        for rule in expect.rules.iter().chain(of_poll).chain(of_flow) {
            if let Some((name, json)) = rule.member() {
                texts.secrets.add_member(name, json);
            }
        }
        let extract = self.extract(table)?;
        let on_failure = self.on_failure(table, role, repeat.as_mut(), &extract)?;
        self.demand_link(flow.as_deref(), on_failure, &extract);
        if is_optional {
            self.requests.texts.filled = certain;
        }
        let names = extract.iter().map(|extract| extract.name.clone());
        self.extracted.extend(names);
        let of_flow = untils(flow.as_deref()).flat_map(|until| &until.rules);
        let mut keep = keep(&expect, repeat.as_ref(), of_flow, &extract);
        let is_retried = flow.as_ref().is_some_and(|flow| flow.retry.is_some());
        keep.head |= is_retried;
        keep.head |= self.requests.texts.jar.is_some() || table.get("follow").is_some();
        if method_name == "HEAD" && keep.body_bytes > 0 {
            return Err(method.error(
                "an answer to HEAD has no body (RFC 9110 section 9.3.2), and the step asks for something in it; ask for status and headers only",
            ));
        }
        let pause = read_pause(table, context.pause)?;
        let hints = table.read("hints", read_hints)?.unwrap_or_default();
        let step = Step {
            metric: self.metric(MetricLabel {
                method: method_name.to_owned(),
                name,
                target: target_name,
                is_poll: repeat.is_some(),
                hints,
                carries,
            }),
            shared_first: self.shared_count,
            target,
            template,
            elsewhere,
            closes,
            fresh,
            pause,
            timeout_ns: table.read("timeout", |item| match read_short(item)? {
                0 => Err(item.error("a time limit of 0 lets no request finish")),
                timeout_ns => Ok(timeout_ns),
            })?,
            within_ns: match role {
                Role::Task => table.read("within", read_within)?,
                Role::Setup | Role::Start | Role::Stop => None,
            },
            flow,
            follow: None,
            is_hop: false,
            hops_left: 0,
            on_failure,
            idempotent: IDEMPOTENT.contains(&method_name),
            expecting: match method_name {
                "HEAD" => Expecting::Head,
                "CONNECT" => Expecting::Connect,
                _ => Expecting::Body,
            },
            keep,
            repeat,
            begins: self.spans.read(table, "begins", 0)?,
            ends: self.spans.read(table, "ends", 1)?,
            expect,
            extract,
        };
        let follow = table.get("follow");
        table.finish()?;
        self.push(step);
        match follow {
            Some(follow) => self.add_hops(&follow, table, method_name, &path),
            None => Ok(()),
        }
    }

    /// The conditions of a step, and the part of the passes that send it.
    fn when(&mut self, item: Option<&Item<'s>>) -> Result<(Vec<Condition>, f64), ScenarioError> {
        let alternative = self.alternative.take();
        let Some(item) = item else {
            return Ok((Vec::new(), 1.0));
        };
        let when = read_when(item, &self.requests.texts.variables)?;
        if when.contains(&Condition::Else) {
            return match alternative {
                Some(share) => Ok((when, 1.0 - share)),
                None => Err(item.error(
                    "else belongs to a step right after one with when = \"10%\" or a test of a variable",
                )),
            };
        }
        let share = when.iter().find_map(|condition| match condition {
            Condition::Share(share) => Some(share.0),
            _ => None,
        });
        // Without a share, how often the variable is so is not known: each of the two is taken to be sent.
        self.alternative = Some(share.unwrap_or(0.0));
        Ok((when, share.unwrap_or(1.0)))
    }

    /// The value of an answer that the present step's path begins with may be empty where a condition has been looked at
    /// before each request.
    fn demand_link(&mut self, flow: Option<&Flow>, on_failure: OnFailure, extract: &[Extract]) {
        let texts = &mut self.requests.texts;
        let Some(link) = texts.link else {
            return;
        };
        let name = texts.variables.get(link).name.clone();
        let means_set = |test: &Test| test.name == name && test.means_set();
        let is_new = extract.iter().any(|extract| extract.name == name);
        let by_task = self.task_when.iter().any(means_set) && !self.extracted.contains(&name);
        let by_step = flow.is_some_and(|flow| tests_of(&flow.when).any(means_set));
        let repeat = flow.and_then(|flow| flow.repeat.as_ref());
        // Each repetition takes the value from the answer before it.
        let is_kept = !is_new
            || repeat.is_none_or(|repeat| {
                let until = repeat.until.as_ref();
                let ends = until.is_some_and(|until| {
                    matches!(&until.tests[..], [test] if test.name == name && test.is == Is::Unset)
                        && until.rules.is_empty()
                        && until.statuses.is_empty()
                });
                ends && (extract.len() == 1 || on_failure != OnFailure::GoOn)
            });
        // A failed attempt may have stored it, and another value may have been missing.
        let retries = flow.and_then(|flow| flow.retry.as_ref());
        let is_kept = is_kept
            && (extract.len() == 1
                || !is_new
                || retries.is_none_or(|it| !it.failures.contains(&Failure::Expectation)));
        if let Some(demands) = texts.variables.demands(link) {
            demands.not_empty |= !(is_kept && (by_task || by_step));
        }
    }

    pub(super) fn push(&mut self, mut step: Step) {
        step.shared_first = self.shared_count;
        self.shared_count += step.template.shared().len() as u32;
        self.steps.push(step);
    }

    /// The values that a step extracts from its answer.
    fn extract(&mut self, table: &Table<'s>) -> Result<Vec<Extract>, ScenarioError> {
        let Some(item) = table.get("extract") else {
            return Ok(Vec::new());
        };
        let mut extracts = Vec::new();
        for (name, _, item) in item.table()?.entries() {
            let table = item.table()?;
            table.get("max");
            let default = table.get("default");
            let from = read_found_in(&table, &item)?;
            table.finish()?;
            let variables = &self.requests.texts.variables;
            let index = variables.find(name);
            let index = index.ok_or_else(|| item.error("it has not been declared"))?;
            let text = default.as_ref().map(Item::text_or_number).transpose()?;
            if let (Some(item), true) = (&default, text.iter().any(|it| it.contains("{{"))) {
                return Err(item.error("holes are not filled in a default; it is a text"));
            }
            if let Some(item) = default {
                self.defaults.push(Fallback {
                    step: self.steps.len(),
                    extract: extracts.len(),
                    item,
                });
            }
            extracts.push(Extract {
                name: name.to_owned(),
                default: text,
                slot: variables.get(index).slot,
                from,
                // Known when all steps have been compiled.
                demands: Demands::default(),
                link: None,
            });
        }
        Ok(extracts)
    }

    /// What the user does after a failure. When every failure keeps it from later steps, those can rely on the values
    /// that this step extracts.
    fn on_failure(
        &mut self,
        table: &Table<'s>,
        role: Role,
        mut repeat: Option<&mut Repeat>,
        extract: &[Extract],
    ) -> Result<OnFailure, ScenarioError> {
        let is_poll = repeat.is_some();
        let (key, other) = match is_poll {
            true => ("on_give_up", "on_failure"),
            false => ("on_failure", "on_give_up"),
        };
        if let Some(item) = table.get(other) {
            return Err(item.error(match is_poll {
                true => "a poll asks again after a failure; say with on_give_up what to do when give_up_after is over",
                false => "it needs retry_every beside it, for example retry_every = \"1s\"; for a step that is not repeated, say on_failure",
            }));
        }
        let mut chosen = None;
        let given = table.get(key);
        for item in given.iter().flat_map(Item::one_or_several) {
            if item.text()? == "fail" {
                let Some(repeat) = &mut repeat else {
                    return Err(item.error("fail is for on_give_up: what fails here counts as a failure anyway; the user can go-on, stop, or in a task end-task"));
                };
                repeat.give_up_fails = true;
            } else if chosen
                .replace(read_on_failure(&item, role, is_poll)?)
                .is_some()
            {
                return Err(item.error("the user can do one thing; beside fail there is one of go-on, stop and end-task"));
            }
        }
        let on_failure = chosen.unwrap_or(match role {
            Role::Setup => OnFailure::Stop,
            _ if extract.is_empty() => OnFailure::GoOn,
            Role::Start | Role::Stop => OnFailure::Stop,
            Role::Task => OnFailure::EndTask,
        });
        if on_failure != OnFailure::GoOn {
            let names = extract.iter().map(|extract| extract.name.as_str());
            let texts = &mut self.requests.texts;
            let filled = names.filter_map(|name| texts.variables.find(name));
            texts.filled.extend(filled);
        }
        Ok(on_failure)
    }

    /// The name of a target; `None` for that of the run.
    fn target_name(&self, target: u16) -> Option<String> {
        let at = usize::from(target).checked_sub(1)?;
        Some(self.requests.targets[at].name.clone())
    }

    /// Whether requests of this method and name that go to another target are counted already.
    fn is_name_of_another_target(&self, method: &str, name: &str, target: Option<&str>) -> bool {
        let mut own = self.metrics[self.metrics_before..].iter();
        own.any(|known| {
            known.method == method && known.name == name && known.target.as_deref() != target
        })
    }

    /// Steps of a kind of user with the same method and name are counted together.
    pub(super) fn metric(&mut self, label: MetricLabel) -> u16 {
        let same = |known: &MetricLabel| known.method == label.method && known.name == label.name;
        let own = &mut self.metrics[self.metrics_before..];
        if let Some(index) = own.iter().position(same) {
            let known = &mut own[index];
            known.is_poll |= label.is_poll;
            // The first of two hints for a status is shown.
            known.hints.extend(label.hints);
            return (self.metrics_before + index) as u16;
        }
        self.metrics.push(label);
        self.metrics.len() as u16 - 1
    }
}

/// The wait after a step; `instead` replaces one that it has.
pub(super) fn read_pause(table: &Table<'_>, instead: Option<Wait>) -> Result<Wait, ScenarioError> {
    let own = table.read("pause", |item| match read_wait(item)? {
        Wait::Pacing { .. } => {
            Err(item.error("pacing goes from task to task; a pause is for example \"1s\""))
        }
        wait => Ok(wait),
    })?;
    Ok(match (own, instead) {
        (Some(_), Some(instead)) => instead,
        (own, _) => own.unwrap_or_default(),
    })
}

/// One ending of `on_failure` or `on_give_up`.
fn read_on_failure(item: &Item<'_>, role: Role, is_poll: bool) -> Result<OnFailure, ScenarioError> {
    match (item.text()?, role) {
        ("go-on", _) => Ok(OnFailure::GoOn),
        ("stop", _) => Ok(OnFailure::Stop),
        ("end-task", Role::Task) => Ok(OnFailure::EndTask),
        ("end-task", _) => {
            Err(item.error("end-task is for steps of a [[task]]; here the user can go-on or stop"))
        }
        (other, _) => {
            let endings = ["go-on", "stop", "end-task", "fail"];
            let known = &endings[..endings.len() - usize::from(!is_poll)];
            let near = did_you_mean(other, known.iter().copied());
            let reason = format!("unknown ending \"{other}\"{near} ({})", known.join(", "));
            Err(item.error(reason))
        }
    }
}

/// The variables that have a value when all of these tests hold.
fn set_by<'t>(tests: impl IntoIterator<Item = &'t Test>, variables: &Variables) -> Vec<usize> {
    let set = tests.into_iter().filter(|test| test.means_set());
    set.filter_map(|test| variables.find(&test.name)).collect()
}

/// A step that a pass may leave out with nothing in its place.
fn is_optional(step: &Step) -> bool {
    let when = step.flow.as_ref().map_or(&[][..], |flow| &flow.when);
    !when.is_empty() && !when.contains(&Condition::Else)
}

/// The time limit of a task, for all of its steps and pauses.
pub(super) fn read_within(item: &Item<'_>) -> Result<u64, ScenarioError> {
    match read_duration(item)? {
        0 => Err(item.error("a task without time can do nothing; write for example \"5s\"")),
        within_ns => Ok(within_ns),
    }
}

/// The steps that are sent at once.
fn read_parts<'s>(item: &Item<'s>) -> Result<Vec<Item<'s>>, ScenarioError> {
    let wrong = |item: &Item<'_>| {
        item.error(
            "together is a list of steps: together = [{ method = \"GET\", path = \"/app.css\" }, { method = \"GET\", path = \"/app.js\" }]",
        )
    };
    let parts = item.list().map_err(|_| wrong(item))?;
    match parts.iter().find(|part| part.table().is_err()) {
        Some(part) => Err(wrong(part)),
        None => Ok(parts),
    }
}

/// All extracted values of steps: their names with their places, and their tables.
fn extracted<'s>(items: &[Item<'s>]) -> Result<Vec<Entry<'s>>, ScenarioError> {
    let mut all = Vec::new();
    for item in items {
        let inner = item.table()?.read("step", Item::list)?.unwrap_or_default();
        for step in inner.iter().chain([item]) {
            let parts = step.table()?.read("together", read_parts)?;
            for item in parts.iter().flatten().chain([step]) {
                if let Some(extract) = item.table()?.get("extract") {
                    all.extend(extract.table()?.entries());
                }
            }
        }
    }
    Ok(all)
}

/// The names of all extracted values of steps.
pub(super) fn names_of_extracted(items: &[Item<'_>]) -> Result<Vec<String>, ScenarioError> {
    let all = extracted(items)?.into_iter();
    Ok(all.map(|(name, _, _)| name.to_owned()).collect())
}
