//! `opsurge scenarios`: what comes with the program, and what a scenario will send.

use std::fmt::Write;
use std::time::SystemTime;

use anyhow::Result;

use crate::plan::compile::{Context, compile};
use crate::plan::scenario::Scenario;
use crate::plan::wait::Wait;
use crate::plan::{BUILTIN, FORMAT};
use crate::report::units::grouped;

use super::args::{ScenariosAction, ScenariosArgs};
use super::source::{Source, text_of_builtin};
use super::{Exit, say};

/// Numbers of users that `check` computes rates for, when the scenario names none.
const USERS_SHOWN: [u64; 3] = [10, 100, 1_000];
/// Bytes of a request that are shown.
const SHOWN_BYTES: usize = 4_096;

/// Carries out the command.
pub fn scenarios(args: ScenariosArgs) -> Result<Exit> {
    match args.action.unwrap_or(ScenariosAction::List) {
        ScenariosAction::List => {
            for builtin in &BUILTIN {
                let scenario = compile(builtin.name, builtin.text, &Context::plain("localhost"))?;
                say(format_args!(
                    "{:>2}  {:<14} {}",
                    builtin.number, builtin.name, scenario.about
                ));
            }
        }
        ScenariosAction::Show { name } => say(text_of_builtin(&name)?.1.trim_end()),
        ScenariosAction::Format => say(FORMAT.trim_end()),
        ScenariosAction::Check { name, api_key_env } => {
            let source = Source::named(&name)?;
            let context = Context {
                api_key: std::env::var(&api_key_env)
                    .ok()
                    .filter(|key| !key.is_empty()),
                api_key_env: &api_key_env,
                env: &|name| std::env::var(name).ok(),
                read: &|name| source.read(name),
                ..Context::plain("localhost:8000")
            };
            let scenario = compile(&source.origin, &source.text, &context)?;
            say(describe(&scenario).trim_end());
        }
    }
    Ok(Exit::OK)
}

/// What a scenario will send: the first request of each step, the mix, and the rate by number of users.
fn describe(scenario: &Scenario) -> String {
    let mut text = format!("{}: valid. {}\n", scenario.name, scenario.about);
    for (title, range) in [("start", &scenario.start), ("stop", &scenario.stop)] {
        if title == "stop" {
            describe_tasks(scenario, &mut text);
        }
        for index in range.clone() {
            let _ = writeln!(text, "\n== {title}: {}", name_of(scenario, index));
            show_request(scenario, index, &mut text);
        }
    }
    if !scenario.tasks.is_empty() {
        describe_rates(scenario, &mut text);
    }
    for span in &scenario.spans {
        let _ = writeln!(text, "measured as a whole: {span}");
    }
    text
}

fn describe_tasks(scenario: &Scenario, text: &mut String) {
    let sum: u64 = scenario
        .tasks
        .iter()
        .map(|task| u64::from(task.weight))
        .sum();
    for task in &scenario.tasks {
        let share = 100.0 * f64::from(task.weight) / sum as f64;
        for index in task.steps.clone() {
            let _ = writeln!(
                text,
                "\n== task ({share:.4} %): {}",
                name_of(scenario, index)
            );
            show_request(scenario, index, text);
        }
    }
}

/// How many requests per second so many users make, at most: as if every answer came at once.
fn describe_rates(scenario: &Scenario, text: &mut String) {
    let wait_s = scenario.wait.mean_ns() as f64 / 1e9;
    let sum: f64 = scenario
        .tasks
        .iter()
        .map(|task| f64::from(task.weight))
        .sum();
    let (mut pause_s, mut requests) = (0.0, 0.0);
    for task in &scenario.tasks {
        let share = f64::from(task.weight) / sum;
        let steps = &scenario.steps[usize::from(task.steps.start)..usize::from(task.steps.end)];
        let pauses: u64 = steps.iter().map(|step| step.pause.mean_ns()).sum();
        pause_s += share * pauses as f64 / 1e9;
        requests += share * steps.len() as f64;
    }
    let pass_s = match scenario.wait {
        Wait::Pacing { .. } => wait_s.max(pause_s),
        _ => wait_s + pause_s,
    };
    let _ = write!(text, "\nwait between tasks: {}", scenario.wait);
    if pass_s == 0.0 {
        text.push_str(": as many requests as the answers allow\n");
        return;
    }
    text.push_str("; requests per second in the work loop, at most:\n");
    let own = scenario.load.users;
    let users: Vec<u64> = own.map_or(USERS_SHOWN.to_vec(), |users| vec![users]);
    for users in users {
        let rate = users as f64 * requests / pass_s;
        let _ = writeln!(text, "  {:>9} users: {rate:.1}/s", grouped(users));
    }
}

fn name_of(scenario: &Scenario, index: u16) -> String {
    let label = &scenario.metrics[usize::from(scenario.steps[usize::from(index)].metric)];
    let poll = if label.is_poll {
        " (asked again until it succeeds)"
    } else {
        ""
    };
    format!("{} {}{poll}", label.method, label.name)
}

/// The request that the first user sends first, its secrets masked; what answers will bring stands as `<name>`.
fn show_request(scenario: &Scenario, index: u16, text: &mut String) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let wall_ns = now.unwrap_or_default().as_nanos() as u64;
    let request = scenario.first_request(index, 0, 0, wall_ns);
    let shown = String::from_utf8_lossy(&request[..request.len().min(SHOWN_BYTES)]).into_owned();
    for line in scenario.secrets.mask(&shown).lines() {
        let _ = writeln!(text, "{line}");
    }
    if request.len() > SHOWN_BYTES {
        let rest = (request.len() - SHOWN_BYTES) as u64;
        let _ = writeln!(text, "... and {} bytes more", grouped(rest));
    }
}
