//! The steps of a scenario: read, checked against each other, compiled.

use std::collections::HashMap;
use std::ops::Range;

use crate::http::request::{Part, Template};
use crate::http::response::{Expecting, Keep};

use super::compile::{Context, read_duration, read_file, read_wait};
use super::expect::{Expect, Extract, From, Rule, StatusSet};
use super::place::{ScenarioError, did_you_mean};
use super::pointer::Pointer;
use super::scenario::{BODY_BYTES_KEPT, MetricLabel, OnFailure, Repeat, Step, StepIndex, Task};
use super::text::{self, Into, Texts, check_name};
use super::toml::{Item, Table};
use super::variables::Demands;
use super::wait::Wait;

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
/// Methods that do no harm when they are carried out twice (RFC 9110 section 9.2.2).
const IDEMPOTENT: [&str; 5] = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"];
/// Fields that the template itself decides.
const OWN_FIELDS: [&str; 3] = ["content-length", "transfer-encoding", "host"];
const STEPS_MAX: usize = 1_000;
/// Longest body from a file: each request that is under way has a buffer of its size.
const FILE_BYTES_MAX: usize = 1024 * 1024;
/// Room for an extracted value, when its step does not say how much it needs.
const EXTRACTED_BYTES: u64 = 1_024;
const EXTRACTED_BYTES_MAX: u64 = 16 * 1024;

/// Fields in order, with their items for error messages.
pub(super) type Headers<'s> = Vec<(&'s str, Item<'s>)>;

pub(super) fn read_headers<'s>(item: &Item<'s>) -> Result<Headers<'s>, ScenarioError> {
    let mut headers: Headers<'s> = Vec::new();
    for (name, span, value) in item.table()?.entries() {
        let error = |reason: String| Err(value.source.error(span.clone(), reason));
        if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            return error(format!("\"{name}\" is not a field name"));
        }
        if OWN_FIELDS.contains(&name.to_ascii_lowercase().as_str()) {
            return error(format!("{name} is set by opsurge itself"));
        }
        if headers
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name))
        {
            return error(format!(
                "{name} is there twice; letters' case makes no difference"
            ));
        }
        value.text()?;
        headers.push((name, value));
    }
    Ok(headers)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Start,
    Task,
    Stop,
}

pub(super) struct Compiler<'c, 's> {
    context: &'c Context<'c>,
    headers: Headers<'s>,
    pub texts: Texts<'c>,
    pub steps: Vec<Step>,
    pub metrics: Vec<MetricLabel>,
    pub spans: Spans<'s>,
    pub fresh_stride: usize,
}

/// Names of spans, and where they were said to begin and to end.
#[derive(Default)]
pub(super) struct Spans<'s>(Vec<(&'s str, [Option<Item<'s>>; 2])>);

impl<'s> Spans<'s> {
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| (*name).to_owned()).collect()
    }

    /// The index of a span of which one end (0 begins, 1 ends) is found now.
    fn at(&mut self, name: &'s str, end: usize, item: Item<'s>) -> Result<u16, ScenarioError> {
        let index = self.0.iter().position(|(known, _)| *known == name);
        let index = index.unwrap_or_else(|| {
            self.0.push((name, [None, None]));
            self.0.len() - 1
        });
        let place = &mut self.0[index].1[end];
        if place.is_some() {
            let what = ["begins", "ends"][end];
            return Err(item.error(format!("the span \"{name}\" {what} twice")));
        }
        *place = Some(item);
        Ok(index as u16)
    }

    fn check(&self) -> Result<(), ScenarioError> {
        for (name, ends) in &self.0 {
            let (item, missing) = match ends {
                [Some(begins), None] => (begins, "ends"),
                [None, Some(ends)] => (ends, "begins"),
                _ => continue,
            };
            let others = self.0.iter().map(|(other, _)| *other);
            let near = did_you_mean(name, others.filter(|other| other != name));
            return Err(item.error(format!("no step has {missing} = \"{name}\"{near}")));
        }
        Ok(())
    }
}

/// The three parts of a scenario, by index into its steps.
type Parts = (Range<StepIndex>, Vec<Task>, Range<StepIndex>);

impl<'c, 's> Compiler<'c, 's> {
    pub fn new(context: &'c Context<'c>, headers: Headers<'s>, texts: Texts<'c>) -> Self {
        Self {
            context,
            headers,
            texts,
            steps: Vec::new(),
            metrics: Vec::new(),
            spans: Spans::default(),
            fresh_stride: 0,
        }
    }

    pub fn compile(
        &mut self,
        start: &[Item<'s>],
        tasks: &[Item<'s>],
        stop: &[Item<'s>],
    ) -> Result<Parts, ScenarioError> {
        self.declare_extracted(&[start, tasks, stop].concat())?;
        for item in start {
            self.step(item, &item.table()?, Role::Start)?;
        }
        let start_range = 0..self.steps.len() as StepIndex;
        // What the start steps took out of answers is there for all others; what a task did, for that task alone.
        let filled = self.texts.filled.clone();
        let mut compiled = Vec::new();
        for item in tasks {
            compiled.push(self.task(item)?);
            self.texts.filled.clone_from(&filled);
        }
        let first_stop = self.steps.len() as StepIndex;
        for item in stop {
            self.step(item, &item.table()?, Role::Stop)?;
        }
        self.spans.check()?;
        for extract in self.steps.iter_mut().flat_map(|step| &mut step.extract) {
            let index = self.texts.variables.find(&extract.name);
            let demands = index.and_then(|index| self.texts.variables.demands(index));
            extract.demands = demands.map(|demands| *demands).unwrap_or_default();
        }
        Ok((
            start_range,
            compiled,
            first_stop..self.steps.len() as StepIndex,
        ))
    }

    /// Makes room for all values that are taken out of answers, so that a step before can be told from a step after.
    fn declare_extracted(&mut self, items: &[Item<'s>]) -> Result<(), ScenarioError> {
        let mut rooms: HashMap<&str, (u64, Item<'s>)> = HashMap::new();
        let mut names = Vec::new();
        for item in items {
            let table = item.table()?;
            let inner = table.read("step", Item::list)?.unwrap_or_default();
            for item in inner.iter().chain([item]) {
                let Some(extract) = item.table()?.get("extract") else {
                    continue;
                };
                for (name, _, item) in extract.table()?.entries() {
                    check_name(&item, name)?;
                    if self.texts.variables.find(name).is_some() {
                        return Err(item.error(format!(
                            "[variables] has a {name} already; choose another name"
                        )));
                    }
                    let bytes = item
                        .table()?
                        .read("max", |item| item.integer(1..=EXTRACTED_BYTES_MAX));
                    let bytes = bytes?.unwrap_or(EXTRACTED_BYTES);
                    if !rooms.contains_key(name) {
                        names.push(name);
                    }
                    let room = rooms.entry(name).or_insert((bytes, item));
                    room.0 = room.0.max(bytes);
                }
            }
        }
        for name in names {
            let bytes = rooms[name].0 as usize;
            self.texts.variables.add_extracted(name, bytes);
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
                table.finish()?;
                for step in &steps {
                    self.step(step, &step.table()?, Role::Task)?;
                }
                // A named task is a span of its own.
                if let Some(name) = name {
                    let text = name.text()?;
                    let last = self.steps.len() - 1;
                    let begins = self.spans.at(text, 0, name.clone())?;
                    self.spans.at(text, 1, name)?;
                    self.steps[usize::from(first)].begins.push(begins);
                    self.steps[last].ends.push(begins);
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
        if !METHODS.contains(&method_name) {
            let upper = method_name.to_ascii_uppercase();
            let near = did_you_mean(&upper, METHODS);
            return Err(method.error(format!("unknown method \"{method_name}\"{near}")));
        }
        let path = table.need("path", "path = \"/health\"")?;
        let name = table.read("name", Item::text)?.unwrap_or(path.text()?);
        self.texts.fresh_bytes = 0;
        let template = self.template(table, method_name, &path)?;
        let fresh = std::mem::take(&mut self.texts.fresh);
        self.fresh_stride = self.fresh_stride.max(self.texts.fresh_bytes);
        let repeat = read_repeat(table)?;
        let expect = table.read("expect", read_expect)?;
        let expect = expect.unwrap_or_else(|| Expect {
            statuses: StatusSet::success(),
            rules: Vec::new(),
        });
        let extract = self.extract(table)?;
        let on_failure = self.on_failure(table, role, repeat.is_some(), &extract)?;
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
            let items = item.list().unwrap_or_else(|_| vec![item.clone()]);
            let indices = items
                .into_iter()
                .map(|item| spans.at(item.text()?, end, item));
            indices.collect::<Result<Vec<u16>, ScenarioError>>()
        };
        let step = Step {
            metric: self.metric(method_name, name, repeat.is_some()),
            template,
            fresh,
            pause: match (pause, self.context.pause) {
                (Some(_), Some(instead)) => instead,
                (own, _) => own.unwrap_or_default(),
            },
            timeout_ns: table.read("timeout", |item| match read_duration(item)? {
                0 => Err(item.error("a time limit of 0 lets no request finish")),
                timeout_ns => Ok(timeout_ns),
            })?,
            repeat,
            on_failure,
            idempotent: IDEMPOTENT.contains(&method_name),
            expecting: match method_name {
                "HEAD" => Expecting::Head,
                _ => Expecting::Body,
            },
            keep: keep(&expect, &extract),
            begins: end("begins", 0, &mut self.spans)?,
            ends: end("ends", 1, &mut self.spans)?,
            expect,
            extract,
        };
        table.finish()?;
        self.steps.push(step);
        Ok(())
    }

    /// What is taken out of the answer. When every failure ends the way to later steps, they can rely on it.
    fn extract(&mut self, table: &Table<'s>) -> Result<Vec<Extract>, ScenarioError> {
        let Some(item) = table.get("extract") else {
            return Ok(Vec::new());
        };
        let mut extracts = Vec::new();
        for (name, _, item) in item.table()?.entries() {
            let table = item.table()?;
            table.get("max");
            let json = table.get("json");
            let from = match (json, table.get("header")) {
                (Some(item), None) => From::Json(read_pointer(&item)?),
                (None, Some(item)) => From::Header(read_field_name(&item)?),
                _ => {
                    return Err(item.error(
                        "say where it is found: { json = \"/pointer/to/it\" } or { header = \"Name\" }",
                    ));
                }
            };
            table.finish()?;
            let index = self.texts.variables.find(name);
            let index = index.ok_or_else(|| item.error("it has not been declared"))?;
            extracts.push(Extract {
                name: name.to_owned(),
                slot: self.texts.variables.get(index).slot,
                from,
                // What is asked of it is known when all steps have been read.
                demands: Demands::default(),
            });
        }
        Ok(extracts)
    }

    fn on_failure(
        &mut self,
        table: &Table<'s>,
        role: Role,
        is_poll: bool,
        extract: &[Extract],
    ) -> Result<OnFailure, ScenarioError> {
        let (key, other) = match is_poll {
            true => ("on_give_up", "on_failure"),
            false => ("on_failure", "on_give_up"),
        };
        if let Some(item) = table.get(other) {
            return Err(item.error(match is_poll {
                true => "a poll asks again after a failure; say with on_give_up what is to be done at the end of its patience",
                false => "it needs retry_every beside it, for example retry_every = \"1s\"; for a step that is not repeated, say on_failure",
            }));
        }
        let wish = table.read(key, |item| match (item.text()?, role) {
            ("go-on", _) => Ok(OnFailure::GoOn),
            ("stop", _) => Ok(OnFailure::Stop),
            ("end-task", Role::Task) => Ok(OnFailure::EndTask),
            (other, _) => {
                let near = did_you_mean(other, ["go-on", "stop", "end-task"]);
                Err(item.error(format!(
                    "unknown ending \"{other}\"{near} (end-task is for tasks alone)"
                )))
            }
        })?;
        let on_failure = wish.unwrap_or(match role {
            _ if extract.is_empty() => OnFailure::GoOn,
            Role::Start | Role::Stop => OnFailure::Stop,
            Role::Task => OnFailure::EndTask,
        });
        if on_failure != OnFailure::GoOn {
            let names = extract.iter().map(|extract| extract.name.as_str());
            let filled: Vec<usize> = names
                .filter_map(|name| self.texts.variables.find(name))
                .collect();
            self.texts.filled.extend(filled);
        }
        Ok(on_failure)
    }

    /// Steps with the same method and name are counted together.
    fn metric(&mut self, method: &str, name: &str, is_poll: bool) -> u16 {
        let known = |label: &MetricLabel| label.method == method && label.name == name;
        if let Some(index) = self.metrics.iter().position(known) {
            self.metrics[index].is_poll |= is_poll;
            return index as u16;
        }
        self.metrics.push(MetricLabel {
            method: method.to_owned(),
            name: name.to_owned(),
            is_poll,
        });
        self.metrics.len() as u16 - 1
    }

    fn template(
        &mut self,
        table: &Table<'s>,
        method: &str,
        path: &Item<'s>,
    ) -> Result<Template, ScenarioError> {
        let target = path.text()?;
        if !target.starts_with('/') {
            return Err(path.error(format!("a path begins with /; write \"/{target}\"")));
        }
        let literal = |text: String| Part::Literal(text.into_bytes());
        let mut head = vec![literal(format!("{method} {}", self.context.base_path))];
        let parts = self.texts.step(path, target, Into::Path)?;
        for part in &parts {
            let Part::Literal(text) = part else { continue };
            let text = String::from_utf8_lossy(text);
            if let Some(wrong) = text.chars().find(|&c| !text::is_path_character(c)) {
                let encoded = String::from_utf8_lossy(&text::percent_encoded(&wrong.to_string()))
                    .into_owned();
                return Err(path.error(format!(
                    "a path cannot have the character {wrong:?}; write {encoded}"
                )));
            }
        }
        head.extend(parts);
        if let Some(query) = table.get("query") {
            let first = if target.contains('?') { '&' } else { '?' };
            head.extend(self.pairs(&query, first)?);
        }
        head.push(literal(format!(
            " HTTP/1.1\r\nHost: {}\r\n",
            self.context.authority
        )));
        let (body, content_type) = self.body(table)?;
        let fields = self.fields(table, content_type)?;
        head.extend(fields);
        let body = match (body, method) {
            (None, "POST" | "PUT" | "PATCH") => Some(Vec::new()),
            (body, _) => body,
        };
        Ok(Template::new(head, body))
    }

    /// `name=value&name=value`, with `first` before it unless that is `&` and nothing was before.
    fn pairs(&mut self, item: &Item<'s>, first: char) -> Result<Vec<Part>, ScenarioError> {
        let mut parts = Vec::new();
        let mut separator = first;
        for (name, _, item) in item.table()?.entries() {
            let mut text = match separator {
                '\0' => Vec::new(),
                separator => vec![separator as u8],
            };
            text.extend(text::percent_encoded(name));
            text.push(b'=');
            parts.push(Part::Literal(text));
            parts.extend(
                self.texts
                    .step(&item, &item.text_or_number()?, Into::Form)?,
            );
            separator = '&';
        }
        Ok(parts)
    }

    /// The fields of a step: the program's own, the scenario's without those dropped, the step's, the command line's.
    /// A later one replaces an earlier one of the same name.
    fn fields(
        &mut self,
        table: &Table<'s>,
        content_type: Option<&str>,
    ) -> Result<Vec<Part>, ScenarioError> {
        let user_agent = concat!("opsurge/", env!("CARGO_PKG_VERSION"));
        let mut fields = vec![field("User-Agent", user_agent)];
        if let Some(content_type) = content_type {
            fields.push(field("Content-Type", content_type));
        }
        let mut dropped = Vec::new();
        for item in table.read("drop_headers", Item::list)?.unwrap_or_default() {
            let name = item.text()?;
            let is_known = |known: &str| known.eq_ignore_ascii_case(name);
            if !self.headers.iter().any(|(known, _)| is_known(known)) {
                let near = did_you_mean(name, self.headers.iter().map(|(known, _)| *known));
                return Err(item.error(format!("[headers] has no {name} to be dropped{near}")));
            }
            dropped.push(name);
        }
        let own = table.read("headers", read_headers)?.unwrap_or_default();
        for (name, item) in self.headers.clone().into_iter().chain(own) {
            if !dropped
                .iter()
                .any(|dropped| dropped.eq_ignore_ascii_case(name))
            {
                let text = item.text()?;
                if let Some(wrong) = text.chars().find(|&c| !text::is_header_character(c)) {
                    return Err(item.error(format!("a header cannot have the character {wrong:?}")));
                }
                // What holes bring is known to be secret by itself, where it is.
                if !text.contains("{{") {
                    self.texts.secrets.add_field(name, text);
                }
                let value = self.texts.step(&item, text, Into::Header)?;
                replace(&mut fields, (name.to_owned(), value));
            }
        }
        for (name, value) in self.context.headers {
            self.texts.secrets.add_field(name, value);
            replace(&mut fields, field(name, value));
        }
        let mut parts = Vec::new();
        for (name, value) in fields {
            parts.push(Part::Literal(format!("{name}: ").into_bytes()));
            parts.extend(value);
            parts.push(Part::Literal(b"\r\n".to_vec()));
        }
        Ok(parts)
    }

    /// A step's body and its type.
    fn body(
        &mut self,
        table: &Table<'s>,
    ) -> Result<(Option<Vec<Part>>, Option<&'static str>), ScenarioError> {
        let kinds = ["json", "text", "form", "file"];
        let mut given = kinds.map(|kind| table.get(kind)).into_iter().zip(kinds);
        let Some((item, kind)) = given.find_map(|(item, kind)| Some((item?, kind))) else {
            return Ok((None, None));
        };
        if let Some((second, other)) = given.find_map(|(item, kind)| Some((item?, kind))) {
            return Err(second.error(format!("a step has one body: {kind} or {other}, not both")));
        }
        let (parts, content_type) = match kind {
            "json" => {
                let text = match item.text() {
                    Ok(text) => {
                        text::check_json(&item, text)?;
                        text.to_owned()
                    }
                    Err(_) => item.json()?.to_string(),
                };
                (
                    self.texts.step(&item, &text, Into::Json)?,
                    Some("application/json"),
                )
            }
            "form" => {
                let parts = self.pairs(&item, '\0')?;
                (parts, Some("application/x-www-form-urlencoded"))
            }
            "text" => (self.texts.step(&item, item.text()?, Into::Text)?, None),
            _ => {
                let bytes = read_file(&item, self.context)?;
                if bytes.len() > FILE_BYTES_MAX {
                    return Err(
                        item.error("the file is larger than 1 MiB, the most that a body can have")
                    );
                }
                let is_json = item.text()?.ends_with(".json");
                (
                    vec![Part::Literal(bytes)],
                    is_json.then_some("application/json"),
                )
            }
        };
        Ok((Some(parts), content_type))
    }
}

type Field = (String, Vec<Part>);

fn field(name: &str, value: &str) -> Field {
    (
        name.to_owned(),
        vec![Part::Literal(value.as_bytes().to_vec())],
    )
}

fn replace(fields: &mut Vec<Field>, field: Field) {
    match fields
        .iter_mut()
        .find(|(name, _)| name.eq_ignore_ascii_case(&field.0))
    {
        Some(before) => *before = field,
        None => fields.push(field),
    }
}

/// How much of an answer has to be kept to judge it.
fn keep(expect: &Expect, extract: &[Extract]) -> Keep {
    let of_rules = expect
        .rules
        .iter()
        .map(|rule| matches!(rule, Rule::Header(_)));
    let of_extract = extract
        .iter()
        .map(|extract| matches!(extract.from, From::Header(_)));
    let in_head: Vec<bool> = of_rules.chain(of_extract).collect();
    Keep {
        head: in_head.contains(&true),
        body_bytes: match in_head.contains(&false) {
            true => BODY_BYTES_KEPT,
            false => 0,
        },
    }
}

fn read_pointer(item: &Item<'_>) -> Result<Pointer, ScenarioError> {
    Pointer::parse(item.text()?).map_err(|reason| item.error(reason))
}

fn read_field_name(item: &Item<'_>) -> Result<String, ScenarioError> {
    let name = item.text()?;
    match http::HeaderName::from_bytes(name.as_bytes()) {
        Ok(_) => Ok(name.to_owned()),
        Err(_) => Err(item.error(format!("\"{name}\" is not a field name"))),
    }
}

fn read_expect(item: &Item<'_>) -> Result<Expect, ScenarioError> {
    let table = item.table()?;
    let statuses = table.read("status", read_statuses)?;
    let mut rules = Vec::new();
    if let Some(item) = table.get("body") {
        match item.text()? {
            "not-null" => rules.push(Rule::NotNull),
            other => {
                let near = did_you_mean(other, ["not-null"]);
                return Err(item.error(format!("unknown rule \"{other}\"{near}")));
            }
        }
    }
    if let Some(item) = table.get("json") {
        for (name, span, value) in item.table()?.entries() {
            let pointer = Pointer::parse(name);
            let pointer = pointer.map_err(|reason| item.source.error(span, reason))?;
            rules.push(Rule::Equals(pointer, value.json()?));
        }
    }
    for item in table.read("exists", Item::list)?.unwrap_or_default() {
        rules.push(Rule::Exists(read_pointer(&item)?));
    }
    for item in table.read("headers", Item::list)?.unwrap_or_default() {
        rules.push(Rule::Header(read_field_name(&item)?));
    }
    table.finish()?;
    Ok(Expect {
        statuses: statuses.unwrap_or_else(StatusSet::success),
        rules,
    })
}

fn read_statuses(item: &Item<'_>) -> Result<StatusSet, ScenarioError> {
    let items = item.list()?;
    if items.is_empty() {
        return Err(item.error("the list of statuses is empty; write for example [200, 202]"));
    }
    items
        .iter()
        .map(|item| item.integer(200..=599).map(|status| status as u16))
        .collect()
}

fn read_repeat(table: &Table<'_>) -> Result<Option<Repeat>, ScenarioError> {
    let every = table.get("retry_every");
    let patience = table.get("give_up_after");
    let not_yet = table.get("not_yet");
    let Some(every) = every else {
        return match patience.or(not_yet) {
            Some(item) => {
                Err(item.error("it needs retry_every beside it, for example retry_every = \"1s\""))
            }
            None => Ok(None),
        };
    };
    let every_ns = read_duration(&every)?;
    if every_ns == 0 {
        return Err(every.error("a poll needs time between its attempts; write for example \"1s\""));
    }
    let Some(patience) = patience else {
        return Err(
            every.error("it needs give_up_after beside it, for example give_up_after = \"15s\"")
        );
    };
    let not_yet = not_yet.as_ref().map(read_statuses).transpose()?;
    Ok(Some(Repeat {
        every_ns,
        give_up_after_ns: read_duration(&patience)?,
        not_yet: not_yet.unwrap_or_default(),
    }))
}
