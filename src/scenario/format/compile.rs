//! TOML text -> compiled scenario. Every error carries file, line and column, and what would be right.

use std::ops::RangeInclusive;

use ::toml::de::DeTable;

use crate::scenario::cookies::Cookies;
use crate::scenario::members::label;
use crate::scenario::model::{Credentials, LoadDefaults, MetricLabel, RuleText, Scenario};
use crate::scenario::secrets::Secrets;
use crate::scenario::variables::Variables;

use super::csv::read_feeder;
use super::fields::read_headers;
use super::holes::{Holes, Texts, check_name};
use super::kinds::{Steps, all_counted, check_any, compile_kinds, name_apart, read_kinds};
use super::load_table::read_load;
use super::phase::{Phase, SetupValues};
use super::place::{ScenarioError, Source};
use super::read::read_wait;
use super::request::Requests;
use super::step::{Compiler, names_of_extracted};
use super::targets::read_targets;
use super::toml::{Item, Table};

pub use super::context::Context;
pub use super::load_table::{RATE_MAX, parse_rate_stage, parse_stage};

/// Longest text of a computed variable, in bytes.
const VARIABLE_BYTES_MAX: usize = 4_096;

/// Bytes of a user's cookies, with 11 for each beside its texts.
const JAR_BYTES: usize = 512;
const JAR_BYTES_ALLOWED: RangeInclusive<u64> = 64..=32_768;

/// Compiles a scenario's text; `origin` names it in errors. The result is not bound to a target: [`Scenario::bind`].
///
/// # Errors
/// The first error in the text, with its place.
pub fn compile(origin: &str, text: &str, context: &Context<'_>) -> Result<Scenario, ScenarioError> {
    let source = Source { origin, text };
    let document = DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        source.error(span, error.message().replace('\n', ", "))
    })?;
    let root = || Table::new(source, document.get_ref(), 0..0);
    let once = |phase: Phase, key| match root().get(key) {
        None => Ok(None),
        Some(item) if item.list()?.is_empty() => Ok(None),
        Some(_) => Ok(Some(Box::new(compile_phase(&root(), phase, context)?))),
    };
    Ok(Scenario {
        setup: once(Phase::Setup, "setup")?,
        teardown: once(Phase::Teardown, "teardown")?,
        ..compile_phase(&root(), Phase::Load, context)?
    })
}

/// The steps of one phase of a run, as a scenario.
fn compile_phase(
    root: &Table<'_>,
    phase: Phase,
    context: &Context<'_>,
) -> Result<Scenario, ScenarioError> {
    let name = root.need("name", "name = \"checkout\"")?.text()?.to_owned();
    let about = root.read("about", Item::text)?.unwrap_or_default();
    let key_default = root.read("api_key_default", Item::text)?;
    let feeder = root.read("csv", |item| read_feeder(item, context))?;
    let targets = read_targets(root, context)?;
    let mut texts = Texts {
        holes: Holes {
            api_key: context.api_key.clone().or(key_default.map(str::to_owned)),
            api_key_env: context.api_key_env,
            env: context.env,
            setup: SetupValues {
                names: Vec::new(),
                values: context.setup,
                phase,
            },
        },
        feeder: feeder.unwrap_or_default(),
        variables: Variables::default(),
        filled: Vec::new(),
        used: Vec::new(),
        link: None,
        later: Vec::new(),
        iterates: false,
        present: String::new(),
        fresh: Vec::new(),
        fresh_bytes: 0,
        jar: None,
        jars: Vec::new(),
        own_host: None,
        secrets: Secrets::default(),
        has_api_key: false,
        with_api_key: Vec::new(),
    };
    let start = root.read("start", Item::list)?.unwrap_or_default();
    let tasks = root.read("task", Item::list)?.unwrap_or_default();
    let stop = root.read("stop", Item::list)?.unwrap_or_default();
    let setup = root.read("setup", Item::list)?.unwrap_or_default();
    let teardown = root.read("teardown", Item::list)?.unwrap_or_default();
    texts.holes.setup.names = names_of_extracted(&setup)?;
    let (start, tasks, stop) = match phase {
        Phase::Load => (start, tasks, stop),
        Phase::Setup => (setup, Vec::new(), Vec::new()),
        Phase::Teardown => (teardown, Vec::new(), Vec::new()),
    };
    let declared = read_kinds(root, Steps { start, tasks, stop }, phase)?;
    let steps: Vec<Item<'_>> = declared.iter().flat_map(|kind| kind.steps.all()).collect();
    texts.later = names_of_extracted(&steps)?;
    if let Some(bytes) = root.read("cookies", read_cookies)?.flatten() {
        let jars = 0..=targets.len();
        texts.jars = jars.map(|_| texts.variables.add_jar(bytes)).collect();
        texts.jar = texts.jars.first().copied();
    }
    read_variables(root, &mut texts)?;
    let headers = root.read("headers", read_headers)?.unwrap_or_default();
    let auth = root.get("auth");
    let accept_encoding = root.get("accept_encoding");
    let wait = root.read("wait", read_wait)?;
    let load = root.read("load", read_load)?.unwrap_or_default();
    let stop_when = root.read("stop_when", read_rules)?.unwrap_or_default();
    let fail_if = root.read("fail_if", read_rules)?.unwrap_or_default();
    let require = root.read("require", read_rules)?.unwrap_or_default();

    root.finish()?;
    check_any(root, &declared)?;
    let mut compiler = Compiler::new(Requests {
        context,
        headers,
        auth,
        accept_encoding,
        targets,
        texts,
    });
    compiler.is_setup = phase == Phase::Setup;
    compiler.declare_extracted(&steps)?;
    let wait = context.wait.or(wait).unwrap_or_default();
    let (kinds, tasks) = compile_kinds(&mut compiler, &declared, context.wait, wait)?;
    compiler.finish()?;
    name_apart(&mut compiler.metrics, &kinds);
    let Requests { texts, targets, .. } = compiler.requests;
    let has_timeouts = compiler.steps.iter().any(|step| step.timeout_ns.is_some());
    let has_deadlines = compiler.steps.iter().any(|step| step.within_ns.is_some());
    let is_with_key =
        |label: &MetricLabel| matches!(label.carries.credentials, Credentials::ApiKey(_));
    let has_key = compiler.metrics.iter().any(is_with_key);
    let mut scenario = Scenario {
        name: label(&name),
        about: label(about),
        has_own_timeouts: has_timeouts || has_deadlines,
        has_deadlines,
        steps: compiler.steps,
        start: match &kinds[..] {
            [only] => only.start.clone(),
            _ => 0..0,
        },
        tasks,
        stop: match &kinds[..] {
            [only] => only.stop.clone(),
            _ => 0..0,
        },
        wait: match &kinds[..] {
            [only] => only.wait,
            _ => wait,
        },
        cookies: texts.jars.first().map(|jar| {
            let cookies = Cookies::new(*jar, texts.own_host.clone());
            cookies.beside(&targets, &texts.jars[1..])
        }),
        targets,
        variables: texts.variables,
        feeder: texts.feeder,
        fresh_stride: compiler.fresh_stride,
        metrics: compiler.metrics,
        spans: compiler.spans.names(),
        load: LoadDefaults {
            users: load.users.or(all_counted(&kinds)),
            ..load
        },
        kinds,
        stop_when,
        fail_if,
        require,
        setup: None,
        teardown: None,
        secrets: texts.secrets,
        api_key_is_default: has_key && context.api_key.is_none() && key_default.is_some(),
    };
    scenario.number_patterns();
    Ok(scenario.bind_named())
}

/// Bytes of each user's cookies: `true`, `false` or `{ bytes = 4096 }`.
fn read_cookies(item: &Item<'_>) -> Result<Option<usize>, ScenarioError> {
    if let Ok(table) = item.table() {
        let bytes = table.need("bytes", "bytes = 4096")?;
        table.finish()?;
        return Ok(Some(bytes.integer(JAR_BYTES_ALLOWED)? as usize));
    }
    match item.flag() {
        Some(is_on) => Ok(is_on.then_some(JAR_BYTES)),
        None => Err(item.error("write true, or { bytes = 4096 } for more than 512 bytes a user")),
    }
}

fn read_variables(root: &Table<'_>, texts: &mut Texts<'_>) -> Result<(), ScenarioError> {
    let Some(item) = root.get("variables") else {
        return Ok(());
    };
    let table = item.table()?;
    texts
        .later
        .extend(table.entries().map(|(name, _, _)| name.to_owned()));
    let setup = &texts.holes.setup;
    let mut unknown: Vec<&str> = Vec::new();
    let in_setup = setup.phase == Phase::Setup;
    for (name, span, item) in table.entries() {
        // A variable with values of the setup is none of the setup's own.
        let text = item.text()?;
        let needs = |name: &&str| text.contains(&format!("{{{{{name}}}}}"));
        if in_setup && (text.contains("{{setup.") || unknown.iter().any(needs)) {
            unknown.push(name);
            continue;
        }
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
            return Err(
                item.error("with the values of its holes it may be longer than 65,535 bytes")
            );
        }
    }
    Ok(())
}

fn read_rules(item: &Item<'_>) -> Result<Vec<RuleText>, ScenarioError> {
    let read = |item: &Item<'_>| Ok(RuleText::new(item.text()?.to_owned(), item.error("")));
    item.list()?.iter().map(read).collect()
}
