//! `opsurge scenarios`: what comes with the program, and what a scenario will send.

use std::fmt::Write;
use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime};

use anyhow::Result;

use crate::analysis::criteria::Purpose;
use crate::load::mix::Amount;
use crate::load::random::Keyed;
use crate::scenario::builtin::{BUILTIN, FORMAT};
use crate::scenario::feeder::{AtEnd, File, Order, Per, RowKey};
use crate::scenario::flow::{Flow, Rounds};
use crate::scenario::format::compile::{Context, compile};
use crate::scenario::kind::Kind;
use crate::scenario::model::{Repeat, Scenario, StepIndex};
use crate::scenario::wait::Wait;
use crate::text::duration;
use crate::text::printable::in_one_line;
use crate::text::units::{counted, grouped, level, percent};

use super::args::{ScenariosAction, ScenariosArgs};
use super::import;
use super::mix_table;
use super::mix_table::{Amounts, length_ns_of, name_of_task, share_of};
use super::read::options::shown_variable;
use super::read::values::{number, per_second};
use crate::session::exit::Exit;
use crate::session::output::say;
use crate::session::rules;
use crate::session::source::{Source, text_of_builtin};

/// Numbers of users that `check` computes rates for, when the scenario names none.
const USERS_SHOWN: [u64; 3] = [10, 100, 1_000];
/// Most numbers of users that rates are shown for, beside each other.
const COLUMNS_MAX: usize = 4;
/// Most users that rates can be asked for.
const USERS_MAX: u64 = 100_000_000;
/// User and seed whose requests are shown.
const USER_SHOWN: u64 = 0;
const SEED_SHOWN: u64 = 0;
/// Bytes of a request that are shown.
const SHOWN_BYTES: usize = 4_096;

/// Carries out the command.
pub fn scenarios(args: ScenariosArgs) -> Result<Exit> {
    match args.action.unwrap_or(ScenariosAction::List) {
        ScenariosAction::List => {
            for builtin in &BUILTIN {
                let scenario = compile(builtin.name, builtin.text, &Context::plain())?;
                say(format_args!(
                    "{:>2}  {:<14} {}",
                    builtin.number, builtin.name, scenario.about
                ));
            }
        }
        ScenariosAction::Show { name } => say(text_of_builtin(&name)?.1.trim_end()),
        ScenariosAction::Format => say(FORMAT.trim_end()),
        ScenariosAction::From { file } => return import::from(&file),
        ScenariosAction::Check {
            name,
            api_key_env,
            users,
            rate,
        } => {
            let users = number("--users", users.as_deref(), 1, USERS_MAX)?;
            let rate = per_second("--rate", rate.as_deref(), "iterations")?;
            let source = Source::named(&name)?;
            let context = Context {
                api_key: std::env::var(&api_key_env)
                    .ok()
                    .filter(|key| !key.is_empty()),
                api_key_env: shown_variable(&api_key_env),
                env: &|name| std::env::var(name).ok(),
                read: &|name| source.read(name),
                ..Context::plain()
            };
            let scenario =
                compile(&source.origin, &source.text, &context)?.bind("localhost:8000", "");
            let amounts = match rate {
                Some(per_s) => Amounts::Rate(per_s),
                None => Amounts::Users(users),
            };
            scenario
                .check_kinds(users.filter(|_| rate.is_none()), rate.is_some())
                .map_err(anyhow::Error::msg)?;
            let mut text = describe(&scenario, amounts);
            for (purpose, what) in [
                (Purpose::Stop, "ends a run"),
                (Purpose::Fail, "fails a run"),
                (Purpose::Require, "has to hold"),
            ] {
                for rule in rules::parse(purpose, &[], &scenario)? {
                    let _ = writeln!(text, "{what}: {}", rule.text);
                }
            }
            say(text.trim_end());
        }
    }
    Ok(Exit::OK)
}

/// What a scenario will send: the first request of each step, the mix, and the rate by number of users.
fn describe(scenario: &Scenario, amounts: Amounts) -> String {
    let valid = format!("{}: valid. {}", scenario.name, scenario.about);
    let mut text = valid.trim_end().to_owned() + "\n";
    for named in &scenario.targets {
        let _ = writeln!(text, "target {}: {}", named.name, named.target.url);
    }
    describe_rows(scenario, &mut text);
    describe_once(scenario.setup.as_deref(), "setup, once", &mut text);
    for kind in &scenario.kinds {
        describe_kind(scenario, kind, &mut text);
    }
    describe_once(scenario.teardown.as_deref(), "teardown, once", &mut text);
    match (scenario.has_kinds(), scenario.tasks.is_empty()) {
        (true, _) => mix_table::describe(scenario, amounts, &mut text),
        (false, false) => describe_rates(scenario, amounts, &mut text),
        (false, true) => {}
    }
    for span in &scenario.spans {
        let _ = writeln!(text, "measured as a whole: {span}");
    }
    text
}

/// The steps of a kind of user.
fn describe_kind(scenario: &Scenario, kind: &Kind, text: &mut String) {
    let is_own = |index: &StepIndex| !scenario.steps[usize::from(*index)].is_hop;
    let of_kind = match scenario.has_kinds() {
        true => format!("{}: ", kind.name),
        false => String::new(),
    };
    if scenario.has_kinds() {
        let amount = match kind.amount {
            Amount::Count(count) => counted(count, "user"),
            Amount::Share(share) => format!("{} of the users", percent(share)),
        };
        let _ = writeln!(
            text,
            "\n{}: {amount}, wait between tasks {}",
            kind.name, kind.wait
        );
    }
    for index in kind.start.clone().filter(is_own) {
        describe_step(scenario, index, &format!("{of_kind}start"), text);
    }
    for task in scenario.tasks_of(kind) {
        let share = percent(share_of(scenario.tasks_of(kind), task));
        let title = match name_of_task(scenario, task) {
            Some(name) => format!("{of_kind}task \"{name}\" {share}"),
            None => format!("{of_kind}task {share}"),
        };
        let title = match scenario.steps[usize::from(task.steps.start)].within_ns {
            Some(ns) => format!("{title}, within {}", time_shown(ns)),
            None => title,
        };
        let title = match &task.when[..] {
            [] => title,
            tests => format!("{title}, when {}", joined(tests)),
        };
        let title = match &task.repeat {
            None => title,
            Some(rounds) => format!("{title}, {}", rounds_shown(rounds)),
        };
        let count = task.steps.clone().filter(is_own).count();
        for (nth, index) in task.steps.clone().filter(is_own).enumerate() {
            let title = match count {
                1 => title.clone(),
                _ => format!("{title}, step {} of {count}", nth + 1),
            };
            describe_step(scenario, index, &title, text);
        }
    }
    for index in kind.stop.clone().filter(is_own) {
        describe_step(scenario, index, &format!("{of_kind}stop"), text);
    }
}

/// The steps of the setup or the teardown, where there is one.
fn describe_once(once: Option<&Scenario>, title: &str, text: &mut String) {
    for (once, index) in once
        .into_iter()
        .flat_map(|once| once.start.clone().map(move |index| (once, index)))
        .filter(|(once, index)| !once.steps[usize::from(*index)].is_hop)
    {
        describe_step(once, index, title, text);
    }
}

/// The rows of the CSV files, how they are given out, and those that the scenario's own load leaves.
fn describe_rows(scenario: &Scenario, text: &mut String) {
    let stages = scenario.load.points();
    let users = stages.iter().map(|point| point.users);
    let users = users.chain(scenario.load.users).max();
    for file in scenario.feeder.files() {
        describe_file(file, users, text);
    }
}

fn describe_file(file: &File, users: Option<u64>, text: &mut String) {
    let rows = match file.rows.count() {
        1 => "1 row".to_owned(),
        rows => format!("{} rows", grouped(rows as u64)),
    };
    let order = match (file.order, file.per) {
        (Order::InTurn, Per::User) => "one for each user, in turn",
        (Order::Random, Per::User) => "drawn for each user",
        (Order::InTurn, Per::Iteration) => "one for each iteration, in turn",
        (Order::Random, Per::Iteration) => "drawn for each iteration",
    };
    let end = match file.at_end {
        AtEnd::Again => "",
        AtEnd::Stop => "; each is used once, then users leave",
        AtEnd::Fail => "; each is used once, then users leave, which counts as a failure",
    };
    let name = match file.name.as_str() {
        "" => String::new(),
        name => format!(" {name}"),
    };
    let columns = file.rows.columns().join(", ");
    let _ = writeln!(text, "CSV file{name}: {rows} of {columns}; {order}{end}");
    if let Some(left) = users.and_then(|users| file.rows_left(users)) {
        let _ = writeln!(text, "{}", rows_left_shown(&left));
    }
}

/// The rows that no user gets.
pub(super) fn rows_left_shown(left: &RangeInclusive<u64>) -> String {
    let users = match left.start() - 1 {
        1 => "1 user".to_owned(),
        users => format!("{} users", grouped(users)),
    };
    let rows = match left.start() == left.end() {
        true => format!("row {} of the CSV file is", grouped(*left.end())),
        false => format!(
            "rows {} to {} of the CSV file are",
            grouped(*left.start()),
            grouped(*left.end())
        ),
    };
    format!("with {users}, {rows} not used")
}

/// How often each request is made by so many users, at most: as if every answer came at once.
fn describe_rates(scenario: &Scenario, amounts: Amounts, text: &mut String) {
    let wait_s = scenario.wait.mean_ns() as f64 / 1e9;
    let mut pause_s = 0.0;
    let mut per_pass = vec![0.0; scenario.metrics.len()];
    for task in &scenario.tasks {
        let share = share_of(&scenario.tasks, task);
        let steps = &scenario.steps[usize::from(task.steps.start)..usize::from(task.steps.end)];
        pause_s += share * length_ns_of(scenario, task) / 1e9;
        for step in steps.iter().filter(|step| !step.is_hop) {
            let times = task.mean_rounds() * step.mean_times();
            per_pass[usize::from(step.metric)] += share * times;
        }
    }
    let pass_s = match scenario.wait {
        Wait::Pacing { .. } => wait_s.max(pause_s),
        _ => wait_s + pause_s,
    };
    let _ = write!(text, "\nwait between tasks: {}; ", scenario.wait);
    let users = match amounts {
        Amounts::Rate(_) => Vec::new(),
        _ if pass_s == 0.0 => Vec::new(),
        Amounts::Users(Some(given)) => vec![given],
        Amounts::Users(None) => users_shown(scenario),
    };
    text.push_str(match (amounts, users.is_empty()) {
        (Amounts::Rate(_), _) => {
            "requests per second of the work loop at this rate of iterations:\n"
        }
        (_, true) => "as many requests as the answers allow:\n",
        (_, false) => "requests per second in the work loop, if every answer came at once:\n",
    });
    let sum: f64 = per_pass.iter().sum();
    let mut row = |name: &str, share: &str, cells: Vec<String>| {
        let cells: String = cells.iter().map(|cell| format!("{cell:>16}")).collect();
        let _ = writeln!(text, "  {name:<40} {share:>8}{cells}");
    };
    let titles = users.iter().map(|&n| counted(n, "user"));
    let at_rate = match amounts {
        Amounts::Rate(per_s) => Some(per_s),
        Amounts::Users(_) => None,
    };
    let titles = titles.chain(at_rate.map(|per_s| format!("at {}/s", level(per_s))));
    row("", "share", titles.collect());
    let rates = |requests: f64| {
        let of_users = users.iter().map(|&n| n as f64 / pass_s);
        let passes = of_users.chain(at_rate);
        passes
            .map(|passes| format!("{:.1}/s", passes * requests))
            .collect()
    };
    for (label, &requests) in scenario.metrics.iter().zip(&per_pass) {
        if requests > 0.0 {
            let name = format!("{} {}", label.method, label.name);
            row(&name, &percent(requests / sum), rates(requests));
        }
    }
    if !users.is_empty() || at_rate.is_some() {
        row("all", "", rates(sum));
    }
}

/// Numbers of users that the scenario's own load goes through, as many as fit beside each other.
fn users_shown(scenario: &Scenario) -> Vec<u64> {
    let load = &scenario.load;
    let stages = load.stages.iter().map(|point| point.users);
    let mut users: Vec<u64> = stages.chain(load.users).chain([load.users_from]).collect();
    users.retain(|&users| users > 0);
    users.sort_unstable();
    users.dedup();
    match users.len() {
        0 => USERS_SHOWN.to_vec(),
        1..=COLUMNS_MAX => users,
        _ => vec![users[0], users[users.len() - 1]],
    }
}

/// When a poll is asked again, and how it ends.
fn poll_shown(repeat: &Repeat) -> String {
    let mut text = format!(
        "asked again every {} until it succeeds, for {}",
        time_shown(repeat.every_ns),
        time_shown(repeat.give_up_after_ns)
    );
    if let Some(failed) = &repeat.failed {
        let statuses = Some(&failed.statuses).filter(|statuses| !statuses.is_empty());
        let statuses = statuses.map(|statuses| format!("status {statuses}"));
        let rules = failed.rules.iter().map(ToString::to_string);
        let ends: Vec<String> = statuses.into_iter().chain(rules).collect();
        text += &format!("; failed at once by {}", ends.join(", or "));
    }
    if repeat.give_up_fails {
        text += "; giving up is a failure";
    }
    text
}

/// How often a pass does a task.
fn rounds_shown(rounds: &Rounds) -> String {
    let times = grouped(u64::from(rounds.times_max));
    let mut text = match &rounds.until[..] {
        [] => format!("done {times} times"),
        tests => format!("done until {}, at most {times} times", joined(tests)),
    };
    if rounds.wait != Wait::default() {
        let _ = write!(text, ", {} apart", rounds.wait);
    }
    text
}

/// When a step is sent, how often, and what ends its task: a line for each.
fn flow_shown(flow: &Flow) -> String {
    let mut text = String::new();
    match &flow.together {
        Some(it) if it.place == 0 => {
            let others = counted(u64::from(it.count - 1), "step");
            let _ = writeln!(text, "sent at once with the next {others}");
        }
        Some(_) => text.push_str("sent at once with the step before\n"),
        None => {}
    }
    if !flow.when.is_empty() && !flow.is_beside() {
        let _ = writeln!(text, "sent when {}, else passed over", joined(&flow.when));
    }
    if let Some(repeat) = &flow.repeat {
        let times = grouped(u64::from(repeat.times_max));
        let _ = write!(text, "sent ");
        let _ = match &repeat.until {
            None => write!(text, "{times} times"),
            Some(until) => write!(text, "again until {until}, at most {times} times"),
        };
        if repeat.wait != Wait::default() {
            let _ = write!(text, ", {} apart", repeat.wait);
        }
        text.push('\n');
    }
    if let Some(retry) = &flow.retry {
        let _ = writeln!(text, "sent {retry}");
    }
    if let Some(until) = &flow.end_task_if {
        let _ = writeln!(text, "ends the task if {until}");
    }
    text
}

fn joined(conditions: &[impl ToString]) -> String {
    let all: Vec<String> = conditions.iter().map(ToString::to_string).collect();
    all.join(" and ")
}

fn time_shown(ns: u64) -> String {
    duration::show(Duration::from_nanos(ns))
}

/// A step's title, and the request that the first user sends first: its secrets masked, `<name>` for what answers bring.
fn describe_step(scenario: &Scenario, index: StepIndex, title: &str, text: &mut String) {
    let step = &scenario.steps[usize::from(index)];
    let label = &scenario.metrics[usize::from(step.metric)];
    let _ = writeln!(text, "\n== {title}: {} {}", label.method, label.name);
    if let Some(repeat) = &step.repeat {
        let _ = writeln!(text, "{}", poll_shown(repeat));
    }
    if let Some(flow) = &step.flow {
        text.push_str(&flow_shown(flow));
    }
    if step.follow.is_some() {
        let _ = writeln!(
            text,
            "follows redirects; they count under \"{} (redirected)\"",
            label.name
        );
    }
    for extract in &step.extract {
        let default = extract.default.as_ref();
        let default = default.map(|text| format!(", else \"{text}\""));
        let (name, default) = (&extract.name, default.unwrap_or_default());
        let _ = writeln!(text, "takes {{{{{name}}}}}: {}{default}", extract.from);
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let wall_ns = now.unwrap_or_default().as_nanos() as u64;
    let request = scenario.first_request(index, USER_SHOWN, SEED_SHOWN, wall_ns);
    let shown =
        String::from_utf8_lossy(&request[..request.len().min(SHOWN_BYTES)]).replace('\r', "");
    // A value taken from an answer is shown as `<name>` (percent-encoded in a path): a hole, not a secret.
    let names: Vec<&str> = scenario.variables.names().collect();
    let with_holes = names.iter().fold(shown, |text, name| {
        let text = text.replace(&format!("%3C{name}%3E"), &format!("{{{{{name}}}}}"));
        text.replace(&format!("<{name}>"), &format!("{{{{{name}}}}}"))
    });
    let secrets = scenario.secrets_of_row(RowKey::first(USER_SHOWN, Keyed::new(SEED_SHOWN)));
    let masked = secrets.mask_own(&with_holes);
    let shown = names.iter().fold(masked, |text, name| {
        text.replace(&format!("{{{{{name}}}}}"), &format!("<{name}>"))
    });
    let (request_line, rest) = shown.split_once('\n').unwrap_or((&shown, ""));
    for line in request_line.lines().chain(rest.trim_end().lines()) {
        let _ = writeln!(text, "{}", in_one_line(line));
    }
    if request.len() > SHOWN_BYTES {
        let rest = (request.len() - SHOWN_BYTES) as u64;
        let _ = writeln!(text, "... and {} bytes more", grouped(rest));
    }
}
