//! TOML text -> checked, compiled scenario. Every error carries file, line and column, and what would be right.

use std::time::Duration;

use ::toml::de::DeTable;

use crate::http::request::Shared;

use super::place::{ScenarioError, Source};
use super::request::read_headers;
use super::step::{Compiler, names_of_extracted};
use super::text::{Holes, Texts, check_name};
use super::toml::{Item, Table};
use crate::load::closed::{Point, Staircase};
use crate::load::open::RatePoint;
use crate::scenario::feeder;
use crate::scenario::feeder::{Feeder, Order};
use crate::scenario::members::label;
use crate::scenario::model::{Credentials, LoadDefaults, MetricLabel, RuleText, Scenario};
use crate::scenario::secrets::Secrets;
use crate::scenario::variables::Variables;
use crate::scenario::wait::Wait;
use crate::text::duration;
use crate::text::suggest::did_you_mean;

const USERS_MAX: u64 = 100_000_000;
/// Most iterations per second.
pub const RATE_MAX: f64 = 1e9;
/// Longest computed variable, in bytes.
const VARIABLE_BYTES_MAX: usize = 4_096;

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
    /// Gives the contents of a file that the scenario names, the same ones each time; the error is the reason.
    pub read: &'c dyn Fn(&str) -> Result<Shared, String>,
    /// Fields for every request, from the command line: names as typed, and values, with holes.
    pub headers: &'c [(String, String)],
    /// Methods beside those that a scenario can have are allowed.
    pub any_method: bool,
    /// Instead of the scenario's wait.
    pub wait: Option<Wait>,
    /// Instead of the pauses after steps.
    pub pause: Option<Wait>,
}

impl<'c> Context<'c> {
    /// For a target of this name, with nothing else given: no key, no environment, no files, no flags.
    pub fn plain(authority: &'c str) -> Self {
        Self {
            authority,
            base_path: "",
            api_key: None,
            api_key_env: "OPSCORE_API_KEY",
            env: &|_| None,
            read: &|_| Err("files are not read here".into()),
            headers: &[],
            any_method: false,
            wait: None,
            pause: None,
        }
    }
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
    let about = root.read("about", Item::text)?.unwrap_or_default();
    let key_default = root.read("api_key_default", Item::text)?;
    let feeder = root.read("csv", |item| read_feeder(item, context))?;
    let mut texts = Texts {
        holes: Holes {
            api_key: context.api_key.clone().or(key_default.map(str::to_owned)),
            api_key_env: context.api_key_env,
            env: context.env,
        },
        feeder: feeder.unwrap_or_default(),
        variables: Variables::default(),
        filled: Vec::new(),
        later: Vec::new(),
        present: String::new(),
        fresh: Vec::new(),
        fresh_bytes: 0,
        secrets: Secrets::default(),
        has_api_key: false,
        with_api_key: Vec::new(),
    };
    let start = root.read("start", Item::list)?.unwrap_or_default();
    let tasks = root.read("task", Item::list)?.unwrap_or_default();
    let stop = root.read("stop", Item::list)?.unwrap_or_default();
    let steps = [&start[..], &tasks, &stop].concat();
    texts.later = names_of_extracted(&steps)?;
    read_variables(&root, &mut texts)?;
    let headers = root.read("headers", read_headers)?.unwrap_or_default();
    let wait = root.read("wait", read_wait)?;
    let load = root.read("load", read_load)?.unwrap_or_default();
    let stop_when = root.read("stop_when", read_rules)?.unwrap_or_default();
    let fail_if = root.read("fail_if", read_rules)?.unwrap_or_default();
    let require = root.read("require", read_rules)?.unwrap_or_default();

    root.finish()?;
    if start.is_empty() && tasks.is_empty() {
        return Err(root.error("it has no step; add [[task]] with method and path"));
    }
    let mut compiler = Compiler::new(context, headers, texts);
    let (start, tasks, stop) = compiler.compile(&start, &tasks, &stop)?;
    let has_timeouts = compiler.steps.iter().any(|step| step.timeout_ns.is_some());
    let has_deadlines = compiler.steps.iter().any(|step| step.within_ns.is_some());
    let is_with_key =
        |label: &MetricLabel| matches!(label.carries.credentials, Credentials::ApiKey(_));
    let has_key = compiler.metrics.iter().any(is_with_key);
    Ok(Scenario {
        name: label(&name),
        about: label(about),
        has_own_timeouts: has_timeouts || has_deadlines,
        has_deadlines,
        steps: compiler.steps,
        start,
        tasks,
        stop,
        wait: context.wait.or(wait).unwrap_or_default(),
        variables: compiler.texts.variables,
        feeder: compiler.texts.feeder,
        fresh_stride: compiler.fresh_stride,
        metrics: compiler.metrics,
        spans: compiler.spans.names(),
        load,
        stop_when,
        fail_if,
        require,
        secrets: compiler.texts.secrets,
        api_key_is_default: has_key && context.api_key.is_none() && key_default.is_some(),
    })
}

fn read_feeder(item: &Item<'_>, context: &Context<'_>) -> Result<Feeder, ScenarioError> {
    let table = item.table()?;
    let file = table.need("file", "file = \"users.csv\"")?;
    let order = table.read("order", |item| match item.text()? {
        "in-turn" => Ok(Order::InTurn),
        "random" => Ok(Order::Random),
        other => {
            let near = did_you_mean(other, ["in-turn", "random"]);
            Err(item.error(format!("unknown order \"{other}\"{near}")))
        }
    })?;
    let delimiter = table.read("delimiter", read_delimiter)?;
    table.finish()?;
    let bytes = read_file(&file, context)?;
    let delimiter = delimiter.unwrap_or(feeder::DELIMITER);
    Feeder::parse(&bytes, order.unwrap_or_default(), delimiter)
        .map_err(|reason| file.error(format!("{}: {reason}", file.text().unwrap_or_default())))
}

fn read_delimiter(item: &Item<'_>) -> Result<u8, ScenarioError> {
    match item.text()?.as_bytes() {
        b"tab" => Ok(b'\t'),
        &[byte] if byte == b'\t' || byte.is_ascii_punctuation() && byte != b'"' => Ok(byte),
        _ => Err(item.error(
            "a delimiter is one character that is neither letter, digit, blank nor quote: for example \";\", or \"\\t\" for a tab",
        )),
    }
}

/// The contents of a file that the scenario names.
pub(super) fn read_file(item: &Item<'_>, context: &Context<'_>) -> Result<Shared, ScenarioError> {
    let name = item.text()?;
    (context.read)(name).map_err(|reason| item.error(format!("{name} cannot be read: {reason}")))
}

fn read_variables(root: &Table<'_>, texts: &mut Texts<'_>) -> Result<(), ScenarioError> {
    let Some(item) = root.get("variables") else {
        return Ok(());
    };
    let table = item.table()?;
    texts
        .later
        .extend(table.entries().map(|(name, _, _)| name.to_owned()));
    for (name, span, item) in table.entries() {
        check_name(name).map_err(|reason| item.source.error(span, reason))?;
        if item.text()?.len() > VARIABLE_BYTES_MAX {
            return Err(item.error("a variable is at most 4,096 bytes long"));
        }
        texts.has_api_key = false;
        let parts = texts.variable(&item)?;
        texts.variables.add(name, parts, &texts.feeder);
        if texts.has_api_key {
            texts.with_api_key.extend(texts.variables.find(name));
        }
        let added = texts.variables.find(name).map(|at| texts.variables.get(at));
        if added.is_some_and(|added| added.slot.bytes_max > usize::from(u16::MAX)) {
            return Err(item.error("with what its holes bring it may be longer than 65,535 bytes"));
        }
    }
    Ok(())
}

pub(super) fn read_wait(item: &Item<'_>) -> Result<Wait, ScenarioError> {
    Wait::parse(&item.text_or_number()?).map_err(|error| item.error(error.to_string()))
}

pub(super) fn read_duration(item: &Item<'_>) -> Result<u64, ScenarioError> {
    let parsed = duration::parse(&item.text_or_number()?);
    let parsed = parsed.map_err(|error| item.error(error.to_string()))?;
    Ok(Duration::as_nanos(&parsed) as u64)
}

fn read_rules(item: &Item<'_>) -> Result<Vec<RuleText>, ScenarioError> {
    let read = |item: &Item<'_>| Ok(RuleText::new(item.text()?.to_owned(), item.error("")));
    item.list()?.iter().map(read).collect()
}

fn read_load(item: &Item<'_>) -> Result<LoadDefaults, ScenarioError> {
    let table = item.table()?;
    let users = table.read("users", |item| item.integer(1..=USERS_MAX))?;
    let from = table.get("users_from");
    let users_from = from
        .as_ref()
        .map(|item| item.integer(0..=users.unwrap_or(USERS_MAX)));
    let users_from = users_from.transpose()?;
    let ramp_ns = table.read("ramp", read_duration)?;
    let run_time_ns = table.read("run_time", read_duration)?;
    let stages = table.get("stages");
    let points = stages.as_ref().map(read_stages).transpose()?;
    let step = table.read("step", |item| item.integer(1..=USERS_MAX))?;
    let every_ns = table.read("every", read_duration)?;
    let alone = from.or(table.get("ramp")).or(table.get("every"));
    table.finish()?;
    if let Some(stages) = &stages
        && (users.is_some() || alone.is_some() || step.is_some())
    {
        return Err(stages.error(
            "stages say all about the users; leave users, users_from, ramp, step and every out",
        ));
    }
    if let (Some(item), None) = (alone, users) {
        return Err(item.error("it needs the number of users at the peak beside it: users = 100"));
    }
    let staircase = match (step, every_ns, users) {
        (None, None, _) => None,
        (Some(step), Some(every_ns), Some(users_max)) if every_ns > 0 && ramp_ns.is_none() => {
            Some(Staircase {
                from: users_from.unwrap_or(step),
                step,
                every_ns,
                users_max,
            })
        }
        _ => {
            return Err(item.error(
                "a staircase needs users (its top), users_from, step and every, and no ramp: for example { users_from = 300, step = 50, every = \"5m\", users = 5000 }",
            ));
        }
    };
    Ok(LoadDefaults {
        users,
        users_from: users_from.unwrap_or(0),
        ramp_ns: ramp_ns.unwrap_or(0),
        run_time_ns,
        stages: points.unwrap_or_default(),
        staircase,
    })
}

fn read_stages(item: &Item<'_>) -> Result<Vec<Point>, ScenarioError> {
    let points: Vec<Point> = item
        .list()?
        .iter()
        .map(|item| parse_stage(item.text()?).map_err(|reason| item.error(reason)))
        .collect::<Result<_, _>>()?;
    match points.iter().any(|point| point.users > 0) {
        true => Ok(points),
        false => Err(item.error("no stage has users; write for example [\"10:0s\", \"500:5m\"]")),
    }
}

/// `USERS:DURATION`: the number of users that is reached in a straight line after this time; `10:0s` at once.
///
/// # Errors
/// With what would be right.
pub fn parse_stage(text: &str) -> Result<Point, String> {
    let (users, after_ns) = stage_parts(text, "users", "500:5m")?;
    let users: u64 = users.parse().map_err(|_| {
        refuse_stage(
            text,
            "it does not begin with a whole number of users",
            "500:5m",
        )
    })?;
    if users > USERS_MAX {
        let why = "that is more than 100,000,000 users";
        return Err(refuse_stage(text, why, "500:5m"));
    }
    Ok(Point { users, after_ns })
}

/// `RATE:DURATION`: the iterations per second that are reached in a straight line after this time; `100:0s` at once.
///
/// # Errors
/// With what would be right.
pub fn parse_rate_stage(text: &str) -> Result<RatePoint, String> {
    let (rate, after_ns) = stage_parts(text, "rate", "1500:5m")?;
    match rate.parse::<f64>() {
        Ok(rate) if (0.0..=RATE_MAX).contains(&rate) => Ok(RatePoint { rate, after_ns }),
        _ => Err(refuse_stage(
            text,
            "it does not begin with iterations per second, from 0 to 1e9",
            "1500:5m",
        )),
    }
}

fn stage_parts<'t>(text: &'t str, what: &str, example: &str) -> Result<(&'t str, u64), String> {
    let Some((level, after)) = text.split_once(':') else {
        let why = format!("it has no colon between {what} and duration");
        return Err(refuse_stage(text, &why, example));
    };
    let after =
        duration::parse(after).map_err(|error| refuse_stage(text, &error.to_string(), example))?;
    Ok((level.trim(), after.as_nanos() as u64))
}

fn refuse_stage(text: &str, why: &str, example: &str) -> String {
    format!("\"{text}\" is not a stage: {why}; write for example {example}")
}
