//! TOML text -> checked, compiled scenario. Every error carries file, line and column, and what would be right.

use std::time::Duration;

use ::toml::de::DeTable;
use serde_json::Value as Json;

use crate::http::request::{Part, Template};
use crate::http::response::Expecting;

use super::duration;
use super::place::{ScenarioError, Source, did_you_mean};
use super::scenario::{
    BodyRule, Expect, LoadDefaults, MetricLabel, OnGiveUp, Repeat, Scenario, Secrets, StatusSet,
    Step, StepIndex, Task, Wait,
};
use super::template::{self, Holes, Into, step_text};
use super::toml::{Item, Table};
use super::variables::Variables;

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
/// Methods that do no harm when they are carried out twice (RFC 9110 section 9.2.2).
const IDEMPOTENT: [&str; 5] = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"];
/// Fields that the template itself decides.
const OWN_FIELDS: [&str; 3] = ["content-length", "transfer-encoding", "host"];
/// Fields whose values are secrets.
const SECRET_FIELDS: [&str; 3] = ["authorization", "proxy-authorization", "cookie"];
const STEPS_MAX: usize = 1_000;
const USERS_MAX: u64 = 100_000_000;

/// What a scenario is compiled for.
pub struct Context<'c> {
    /// Value of the `Host` field.
    pub authority: &'c str,
    /// Put before every path; empty, or beginning with `/` and not ending in one.
    pub base_path: &'c str,
    /// The API key, if it is known.
    pub api_key: Option<String>,
    /// The environment variable that it comes from, for error messages.
    pub api_key_env: &'c str,
    /// Looks up an environment variable.
    pub env: &'c dyn Fn(&str) -> Option<String>,
    /// Fields for every request, from the command line; checked.
    pub headers: &'c [(String, String)],
    /// Instead of the scenario's wait.
    pub wait: Option<(Duration, Duration)>,
    /// Instead of the pauses after steps.
    pub pause: Option<Duration>,
}

/// Compiles a scenario's text; `origin` names it in errors.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn compile(origin: &str, text: &str, context: &Context<'_>) -> Result<Scenario, ScenarioError> {
    let source = Source { origin, text };
    let document = DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        source.error(span, error.message().replace('\n', ", "))
    })?;
    let root = Table::new(source, document.get_ref(), 0..0);
    let name = root.need("name", "name = \"checkout\"")?.text()?.to_owned();
    root.read("number", |item| item.integer(0..=999_999))?;
    let about = root.read("about", Item::text)?.unwrap_or_default();
    let key_default = root.read("api_key_default", Item::text)?;
    let variables = read_variables(&root)?;
    let headers = root.read("headers", read_headers)?.unwrap_or_default();
    let wait = root.read("wait", read_wait)?;
    let load = root.read("load", read_load)?.unwrap_or_default();

    let mut compiler = Compiler {
        context,
        headers,
        holes: Holes {
            api_key: context.api_key.clone().or(key_default.map(str::to_owned)),
            api_key_env: context.api_key_env,
            env: context.env,
        },
        steps: Vec::new(),
        metrics: Vec::new(),
        secrets: Secrets::default(),
        variables,
    };
    let mut start = Vec::new();
    for item in root.read("start", Item::list)?.unwrap_or_default() {
        start.push(compiler.step(&item, Role::Start)?.0);
    }
    let mut tasks = Vec::new();
    for item in root.read("task", Item::list)?.unwrap_or_default() {
        let (step, weight) = compiler.step(&item, Role::Task)?;
        tasks.push(Task { step, weight });
    }
    if start.is_empty() && tasks.is_empty() {
        return Err(root.error("it has no step; add [[task]] with method and path"));
    }
    root.finish()?;
    let wait = context.wait.or(wait).unwrap_or_default();
    Ok(Scenario {
        name,
        about: about.to_owned(),
        steps: compiler.steps,
        start,
        tasks,
        wait: Wait {
            min_ns: wait.0.as_nanos() as u64,
            max_ns: wait.1.as_nanos() as u64,
        },
        variables: compiler.variables,
        metrics: compiler.metrics,
        load,
        secrets: compiler.secrets,
        api_key_is_default: context.api_key.is_none() && key_default.is_some(),
    })
}

fn read_variables(root: &Table<'_>) -> Result<Variables, ScenarioError> {
    let mut variables = Variables::default();
    let Some(item) = root.get("variables") else {
        return Ok(variables);
    };
    for (name, _, item) in item.table()?.entries() {
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !plain || name == "api_key" {
            return Err(item.error(format!(
                "\"{name}\" cannot be a variable's name: letters, digits and _, and not api_key"
            )));
        }
        let parts = template::variable(&item)?;
        if item.text()?.len() > 4_096 {
            return Err(item.error("a variable is at most 4,096 bytes long"));
        }
        variables.add(name, parts);
    }
    Ok(variables)
}

fn read_wait(item: &Item<'_>) -> Result<(Duration, Duration), ScenarioError> {
    duration::parse_range(&item.text_or_number()?).map_err(|error| item.error(error.to_string()))
}

fn read_duration(item: &Item<'_>) -> Result<u64, ScenarioError> {
    let parsed = duration::parse(&item.text_or_number()?);
    let parsed = parsed.map_err(|error| item.error(error.to_string()))?;
    Ok(parsed.as_nanos() as u64)
}

fn read_load(item: &Item<'_>) -> Result<LoadDefaults, ScenarioError> {
    let table = item.table()?;
    let users = table.read("users", |item| item.integer(1..=USERS_MAX))?;
    let users_from = table.read("users_from", |item| item.integer(0..=users.unwrap_or(0)))?;
    let load = LoadDefaults {
        users,
        users_from: users_from.unwrap_or(0),
        ramp_ns: table.read("ramp", read_duration)?.unwrap_or(0),
        run_time_ns: table.read("run_time", read_duration)?,
    };
    table.finish()?;
    Ok(load)
}

/// Fields in order, with their items for error messages.
type Headers<'s> = Vec<(&'s str, Item<'s>)>;

fn read_headers<'s>(item: &Item<'s>) -> Result<Headers<'s>, ScenarioError> {
    let mut headers = Vec::new();
    for (name, span, value) in item.table()?.entries() {
        let error = |reason: String| Err(value.source.error(span.clone(), reason));
        if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            return error(format!("\"{name}\" is not a field name"));
        }
        if OWN_FIELDS.contains(&name.to_ascii_lowercase().as_str()) {
            return error(format!("{name} is set by opsurge itself"));
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
}

struct Compiler<'c, 's> {
    context: &'c Context<'c>,
    headers: Headers<'s>,
    holes: Holes<'c>,
    steps: Vec<Step>,
    metrics: Vec<MetricLabel>,
    secrets: Secrets,
    variables: Variables,
}

impl<'s> Compiler<'_, 's> {
    /// Reads a step; returns its index and weight.
    fn step(&mut self, item: &Item<'s>, role: Role) -> Result<(StepIndex, u32), ScenarioError> {
        let table = item.table()?;
        let method = table.need("method", "method = \"GET\"")?;
        let method_name = method.text()?;
        if !METHODS.contains(&method_name) {
            let upper = method_name.to_ascii_uppercase();
            let near = did_you_mean(&upper, METHODS);
            return Err(method.error(format!("unknown method \"{method_name}\"{near}")));
        }
        let path = table.need("path", "path = \"/health\"")?;
        let name = table.read("name", Item::text)?.unwrap_or(path.text()?);
        let weight = match role {
            Role::Start => 1,
            Role::Task => table
                .read("weight", |item| item.integer(1..=1_000_000))?
                .unwrap_or(1),
        };
        let template = self.template(&table, method_name, &path)?;
        let repeat = read_repeat(&table)?;
        let step = Step {
            metric: self.metric(method_name, name, repeat.is_some()),
            template,
            expect: table.read("expect", read_expect)?.unwrap_or(Expect {
                statuses: StatusSet::success(),
                body: None,
            }),
            pause_ns: match (table.read("pause", read_duration)?, self.context.pause) {
                (Some(_), Some(instead)) => instead.as_nanos() as u64,
                (own, _) => own.unwrap_or(0),
            },
            repeat,
            idempotent: IDEMPOTENT.contains(&method_name),
            expecting: match method_name {
                "HEAD" => Expecting::Head,
                _ => Expecting::Body,
            },
        };
        table.finish()?;
        if self.steps.len() == STEPS_MAX {
            return Err(item.error(format!("more than {STEPS_MAX} steps")));
        }
        self.steps.push(step);
        Ok((self.steps.len() as StepIndex - 1, weight as u32))
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
        let allowed = |c: &char| template::is_path_character(*c) || "{} ".contains(*c);
        if let Some(wrong) = target.chars().find(|c| !allowed(c)) {
            return Err(path.error(format!(
                "a path cannot have the character {wrong:?}; percent-encode it"
            )));
        }
        let (body, is_json) = self.body(table)?;
        let body = match (body, method) {
            (None, "POST" | "PUT" | "PATCH") => Some(Vec::new()),
            (body, _) => body,
        };
        let literal = |text: String| Part::Literal(text.into_bytes());
        let mut head = vec![literal(format!("{method} {}", self.context.base_path))];
        let parts = self.text(path, target, Into::Path)?;
        for part in &parts {
            if matches!(part, Part::Literal(text) if text.contains(&b' ')) {
                return Err(path.error("a path cannot have a space; write %20"));
            }
        }
        head.extend(parts);
        head.push(literal(format!(
            " HTTP/1.1\r\nHost: {}\r\n",
            self.context.authority
        )));
        let fields = self.fields(table, is_json)?;
        head.extend(fields);
        Ok(Template::new(head, body))
    }

    /// The fields of a step: the program's own, the scenario's without those dropped, the step's, the command line's.
    /// A later one replaces an earlier one of the same name.
    fn fields(&mut self, table: &Table<'s>, is_json: bool) -> Result<Vec<Part>, ScenarioError> {
        let user_agent = concat!("opsurge/", env!("CARGO_PKG_VERSION"));
        let mut fields = vec![field("User-Agent", user_agent)];
        if is_json {
            fields.push(field("Content-Type", "application/json"));
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
                if let Some(wrong) = text.chars().find(|&c| !template::is_header_character(c)) {
                    return Err(item.error(format!("a header cannot have the character {wrong:?}")));
                }
                let value = self.text(&item, text, Into::Header)?;
                replace(&mut fields, (name.to_owned(), value));
            }
        }
        for (name, value) in self.context.headers {
            if SECRET_FIELDS.contains(&name.to_ascii_lowercase().as_str()) {
                self.secrets.add(value);
            }
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

    /// A step's body and whether it is JSON.
    fn body(&mut self, table: &Table<'s>) -> Result<(Option<Vec<Part>>, bool), ScenarioError> {
        match (table.get("json"), table.get("text")) {
            (Some(_), Some(text)) => Err(text.error("a step has json or text, not both")),
            (None, None) => Ok((None, false)),
            (None, Some(item)) => {
                let parts = self.text(&item, item.text()?, Into::Text)?;
                Ok((Some(parts), false))
            }
            (Some(item), None) => {
                let json = match item.text() {
                    Ok(text) => serde_json::from_str::<Json>(text)
                        .map_err(|error| item.error(format!("not JSON: {error}")))?,
                    Err(_) => item.json()?,
                };
                let parts = self.text(&item, &json.to_string(), Into::Json)?;
                Ok((Some(parts), true))
            }
        }
    }

    fn text(
        &mut self,
        item: &Item<'_>,
        text: &str,
        into: Into,
    ) -> Result<Vec<Part>, ScenarioError> {
        step_text(
            item,
            text,
            into,
            &self.variables,
            &self.holes,
            &mut self.secrets,
        )
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

fn read_expect(item: &Item<'_>) -> Result<Expect, ScenarioError> {
    let table = item.table()?;
    let statuses = table.read("status", read_statuses)?;
    let body = table.read("body", |item| match item.text()? {
        "not-null" => Ok(BodyRule::NotNull),
        other => {
            let near = did_you_mean(other, ["not-null"]);
            Err(item.error(format!("unknown rule \"{other}\"{near}")))
        }
    })?;
    table.finish()?;
    Ok(Expect {
        statuses: statuses.unwrap_or_else(StatusSet::success),
        body,
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
    let then = table.get("on_give_up");
    let Some(every) = every else {
        return match patience.or(not_yet).or(then) {
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
    Ok(Some(Repeat {
        every_ns,
        give_up_after_ns: read_duration(&patience)?,
        not_yet: not_yet
            .as_ref()
            .map(read_statuses)
            .transpose()?
            .unwrap_or_default(),
        on_give_up: match then.as_ref().map(|item| (item, item.text())) {
            None => OnGiveUp::default(),
            Some((_, Ok("go-on"))) => OnGiveUp::GoOn,
            Some((_, Ok("stop"))) => OnGiveUp::Stop,
            Some((item, Ok(other))) => {
                let near = did_you_mean(other, ["go-on", "stop"]);
                return Err(item.error(format!("unknown ending \"{other}\"{near}")));
            }
            Some((_, Err(error))) => return Err(error),
        },
    }))
}
