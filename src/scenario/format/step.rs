//! The steps of a scenario: read, checked against each other, compiled.

use std::collections::HashMap;
use std::ops::Range;

use crate::http::response::Expecting;
use crate::scenario::expect::{Expect, Extract, FoundIn, Rule, StatusSet};
use crate::scenario::links;
use crate::scenario::members::label;
use crate::scenario::model::{MetricLabel, OnFailure, Repeat, Step, StepIndex, Task};
use crate::scenario::variables::{Demands, Variables};
use crate::scenario::wait::Wait;
use crate::text::suggest::did_you_mean;

use super::answer::{
    keep, read_cookie_name, read_expect, read_field_name, read_hints, read_pointer, read_repeat,
};
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
const WHERE_FOUND: &str = "say where it is found: { json = \"/pointer/to/it\" }, { header = \"Name\" }, or a cookie by its name";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
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
        self.metrics_before = self.metrics.len();
        let role = match self.is_setup {
            true => Role::Setup,
            false => Role::Start,
        };
        for item in start {
            self.step(item, &item.table()?, role)?;
        }
        let start_range = first..self.steps.len() as StepIndex;
        // Values that start steps extract are there for all other steps; those of a task, for that task alone.
        let filled = self.requests.texts.filled.clone();
        let mut compiled = Vec::new();
        for item in tasks {
            compiled.push(self.task(item)?);
            self.requests.texts.filled.clone_from(&filled);
        }
        let first_stop = self.steps.len() as StepIndex;
        for item in stop {
            self.step(item, &item.table()?, Role::Stop)?;
        }
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
            follow.target = links::Target::new(own_host.as_deref());
        }
        let variables = &mut self.requests.texts.variables;
        for extract in self.steps.iter_mut().flat_map(|step| &mut step.extract) {
            let index = variables.find(&extract.name);
            let demands = index.and_then(|index| variables.demands(index));
            extract.demands = demands.map(|demands| *demands).unwrap_or_default();
            let is_link = extract.demands.as_link;
            extract.link = is_link.then(|| links::Target::new(own_host.as_deref()));
        }
        for Fallback {
            step,
            extract,
            item,
        } in &self.defaults
        {
            let extract = &self.steps[*step].extract[*extract];
            let text = extract.default.as_deref().unwrap_or_default();
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

    fn task(&mut self, item: &Item<'s>) -> Result<Task, ScenarioError> {
        let table = item.table()?;
        let weight =
            table.read("weight", |item| match item.integer(0..=1_000_000)? {
                0 => Err(item
                    .error("a task of weight 0 is never run; leave it out, or give it 1 or more")),
                weight => Ok(weight as u32),
            })?;
        let first = self.steps.len() as StepIndex;
        match table.read("step", Item::list)? {
            None => self.step(item, &table, Role::Task)?,
            Some(steps) => {
                if steps.is_empty() {
                    return Err(item.error("the task has no step; add [[task.step]]"));
                }
                let name = table.get("name");
                let within_ns = table.read("within", read_within)?;
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
                    self.step(step, &table, Role::Task)?;
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
                    for step in &mut self.steps[last..] {
                        step.ends.push(begins);
                    }
                }
            }
        }
        Ok(Task {
            steps: first..self.steps.len() as StepIndex,
            weight: weight.unwrap_or(1),
        })
    }

    fn step(
        &mut self,
        item: &Item<'s>,
        table: &Table<'s>,
        role: Role,
    ) -> Result<(), ScenarioError> {
        if self.steps.len() == STEPS_MAX {
            return Err(item.error(format!("more than {STEPS_MAX} steps")));
        }
        if role == Role::Task {
            table.get("weight");
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
        let name = label(table.read("name", Item::text)?.unwrap_or(path.text()?));
        let texts = &mut self.requests.texts;
        texts.fresh_bytes = 0;
        texts.iterates = role == Role::Task;
        texts.has_api_key = false;
        texts.present = format!("{method_name} {}", path.text()?);
        let Compiled {
            template,
            closes,
            carries,
        } = self
            .requests
            .compile(table, method_name, &path, Sent::AsWritten)?;
        let texts = &mut self.requests.texts;
        let fresh = std::mem::take(&mut texts.fresh);
        self.fresh_stride = self.fresh_stride.max(texts.fresh_bytes);
        let expect = table.read("expect", read_expect)?;
        let expect = expect.unwrap_or_else(|| Expect {
            statuses: StatusSet::success(),
            rules: Vec::new(),
        });
        let mut repeat = read_repeat(table, &expect)?;
        let failed = repeat.iter().filter_map(|repeat| repeat.failed.as_ref());
        let of_poll = failed.flat_map(|failed| &failed.rules);
        for rule in expect.rules.iter().chain(of_poll) {
            if let Rule::Equals(pointer, json) = rule {
                texts.secrets.add_member(pointer.name(), json);
            }
        }
        let extract = self.extract(table)?;
        let on_failure = self.on_failure(table, role, repeat.as_mut(), &extract)?;
        let mut keep = keep(&expect, repeat.as_ref(), &extract);
        keep.head |= self.requests.texts.jar.is_some() || table.get("follow").is_some();
        if method_name == "HEAD" && keep.body_bytes > 0 {
            return Err(method.error(
                "an answer to HEAD has no body (RFC 9110 section 9.3.2), and the step asks for something in it; ask for status and headers only",
            ));
        }
        let pause = table.read("pause", |item| match read_wait(item)? {
            Wait::Pacing { .. } => {
                Err(item.error("pacing goes from task to task; a pause is for example \"1s\""))
            }
            wait => Ok(wait),
        })?;
        let end = |key, end, spans: &mut Spans<'s>| {
            let Some(item) = table.get(key) else {
                return Ok(Vec::new());
            };
            let indices = one_or_several(&item)
                .into_iter()
                .map(|item| spans.at(item.text()?, end, item));
            indices.collect::<Result<Vec<u16>, ScenarioError>>()
        };
        let hints = table.read("hints", read_hints)?.unwrap_or_default();
        let step = Step {
            metric: self.metric(MetricLabel {
                method: method_name.to_owned(),
                name,
                is_poll: repeat.is_some(),
                hints,
                carries,
            }),
            shared_first: self.shared_count,
            template,
            closes,
            fresh,
            pause: match (pause, context.pause) {
                (Some(_), Some(instead)) => instead,
                (own, _) => own.unwrap_or_default(),
            },
            timeout_ns: table.read("timeout", |item| match read_short(item)? {
                0 => Err(item.error("a time limit of 0 lets no request finish")),
                timeout_ns => Ok(timeout_ns),
            })?,
            within_ns: match role {
                Role::Task => table.read("within", read_within)?,
                Role::Setup | Role::Start | Role::Stop => None,
            },
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
            begins: end("begins", 0, &mut self.spans)?,
            ends: end("ends", 1, &mut self.spans)?,
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
            let json = table.get("json");
            let from = match (json, table.get("header"), table.get("cookie")) {
                (Some(item), None, None) => FoundIn::Json(read_pointer(&item)?),
                (None, Some(item), None) => FoundIn::Header(read_field_name(&item)?),
                (None, None, Some(item)) => FoundIn::Cookie(read_cookie_name(&item)?),
                _ => return Err(item.error(WHERE_FOUND)),
            };
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
        for item in given.iter().flat_map(one_or_several) {
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

/// The elements of a list, or the item itself.
fn one_or_several<'s>(item: &Item<'s>) -> Vec<Item<'s>> {
    item.list().unwrap_or_else(|_| vec![item.clone()])
}

/// The time limit of a task, for all of its steps and pauses.
fn read_within(item: &Item<'_>) -> Result<u64, ScenarioError> {
    match read_duration(item)? {
        0 => Err(item.error("a task without time can do nothing; write for example \"5s\"")),
        within_ns => Ok(within_ns),
    }
}

/// All extracted values of steps: their names with their places, and their tables.
fn extracted<'s>(items: &[Item<'s>]) -> Result<Vec<Entry<'s>>, ScenarioError> {
    let mut all = Vec::new();
    for item in items {
        let inner = item.table()?.read("step", Item::list)?.unwrap_or_default();
        for item in inner.iter().chain([item]) {
            if let Some(extract) = item.table()?.get("extract") {
                all.extend(extract.table()?.entries());
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
