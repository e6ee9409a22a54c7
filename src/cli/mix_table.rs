//! The table of `scenarios check`: who does what how often, by kind of user and by task.

use std::fmt::Write;

use crate::load::mix;
use crate::load::mix::Amount;
use crate::scenario::kind::Kind;
use crate::scenario::model::{Scenario, Task};
use crate::scenario::wait::Wait;
use crate::text::columns::{columns, shortened};
use crate::text::printable::in_one_line;
use crate::text::units::{counted, grouped, level, percent, three_digits};

/// Users that are divided into kinds when neither the command line nor the scenario gives a number.
const USERS_SHOWN: u64 = 100;
/// Columns of a name, and of a figure behind a space: 60 in all.
const NAME_COLUMNS: usize = 20;
const CELL_COLUMNS: usize = 9;

/// The load that the table is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Amounts {
    /// So many users; `None` for those of the scenario, or 100.
    Users(Option<u64>),
    /// So many iterations per second.
    Rate(f64),
}

/// A row for each kind of user, and below it one for each of its tasks.
pub(super) fn describe(scenario: &Scenario, amounts: Amounts, text: &mut String) {
    let shares = scenario.amounts();
    let (users, by_kind) = match amounts {
        Amounts::Users(given) => {
            // Where nobody asked for a number, there are enough for the kinds with a count.
            let own = || scenario.load.users.unwrap_or(USERS_SHOWN);
            let users = given.unwrap_or_else(|| own().max(mix::counted(&shares)));
            (users, mix::per_kind(&shares, users))
        }
        Amounts::Rate(_) => (0, vec![0; shares.len()]),
    };
    let (head, legend) = match amounts {
        Amounts::Users(_) => ("users", format!("users: {} in all", grouped(users))),
        Amounts::Rate(per_s) => ("passes/s", format!("passes/s: {} in all", level(per_s))),
    };
    text.push('\n');
    let heads = ["part", head, "requests", "req/s"];
    row("kind, task", heads.map(str::to_owned), text);
    for (kind, users) in scenario.kinds.iter().zip(by_kind) {
        let passes = match (amounts, kind.amount) {
            (Amounts::Rate(per_s), Amount::Share(share)) => Some(per_s * share),
            (Amounts::Rate(_), Amount::Count(_)) => Some(0.0),
            (Amounts::Users(_), _) => passes_per_s(scenario, kind, users),
        };
        let amount = match amounts {
            Amounts::Users(_) => grouped(users),
            Amounts::Rate(_) => figure(passes.unwrap_or(0.0)),
        };
        describe_kind(scenario, kind, (amount, passes), text);
    }
    let what = match amounts {
        Amounts::Users(_) => "if every answer came at once",
        Amounts::Rate(_) => "at this rate",
    };
    let _ = writeln!(
        text,
        "{legend}; requests: of a pass of the work loop;\nreq/s: {what}"
    );
}

/// A kind and its tasks. `amount`: its users or its iterations per second; `passes`: iterations per second of all its
/// users, `None` where only the answers bound them.
fn describe_kind(
    scenario: &Scenario,
    kind: &Kind,
    (amount, passes): (String, Option<f64>),
    text: &mut String,
) {
    let tasks = scenario.tasks_of(kind);
    let of_tasks = tasks
        .iter()
        .map(|task| (share_of(tasks, task), requests_of(scenario, task)));
    let of_tasks: Vec<(f64, f64)> = of_tasks.collect();
    let requests: f64 = of_tasks.iter().map(|(share, all)| share * all).sum();
    let part = match kind.amount {
        Amount::Count(count) => counted(count, "user"),
        Amount::Share(share) => percent(share),
    };
    let per_s = |requests: f64| passes.map_or_else(|| "-".to_owned(), |all| figure(all * requests));
    row(
        &kind.name,
        [part, amount, figure(requests), per_s(requests)],
        text,
    );
    for (task, (share, requests)) in tasks.iter().zip(of_tasks) {
        let name = format!("  {}", label_of(scenario, task));
        let cells = [
            percent(share),
            String::new(),
            figure(requests),
            per_s(share * requests),
        ];
        row(&name, cells, text);
    }
}

fn row(name: &str, cells: [String; 4], text: &mut String) {
    let name = shortened(&in_one_line(name), NAME_COLUMNS);
    let blank = NAME_COLUMNS.saturating_sub(columns(&name));
    let cells: String = cells
        .iter()
        .map(|cell| format!(" {cell:>CELL_COLUMNS$}"))
        .collect();
    let _ = writeln!(text, "{name}{:blank$}{}", "", cells.trim_end());
}

fn figure(number: f64) -> String {
    match number > 0.0 {
        true => three_digits(number),
        false => "0".into(),
    }
}

/// Iterations per second of so many users, when every answer comes at once; `None` without waits and pauses.
fn passes_per_s(scenario: &Scenario, kind: &Kind, users: u64) -> Option<f64> {
    let tasks = scenario.tasks_of(kind);
    let length_ns = tasks
        .iter()
        .map(|task| share_of(tasks, task) * length_ns_of(scenario, task));
    let (length_ns, wait_ns): (f64, f64) = (length_ns.sum(), kind.wait.mean_ns() as f64);
    let pass_ns = match kind.wait {
        Wait::Pacing { .. } => wait_ns.max(length_ns),
        _ => wait_ns + length_ns,
    };
    match tasks.is_empty() {
        true => Some(0.0),
        false => (pass_ns > 0.0).then(|| users as f64 * 1e9 / pass_ns),
    }
}

/// Mean length of a task in ns, when every answer comes at once.
pub(super) fn length_ns_of(scenario: &Scenario, task: &Task) -> f64 {
    let steps = &scenario.steps[usize::from(task.steps.start)..usize::from(task.steps.end)];
    let own = steps.iter().filter(|step| !step.is_hop);
    task.length_ns(own.map(|step| step.mean_ns(0)).sum())
}

/// Requests of a task in an iteration, without redirects.
fn requests_of(scenario: &Scenario, task: &Task) -> f64 {
    let steps = &scenario.steps[usize::from(task.steps.start)..usize::from(task.steps.end)];
    let own = steps.iter().filter(|step| !step.is_hop);
    task.mean_rounds() * own.map(|step| step.mean_times()).sum::<f64>()
}

/// A task's part of all passes, from 0 to 1.
pub(super) fn share_of(tasks: &[Task], task: &Task) -> f64 {
    let weights = tasks.iter().map(|task| f64::from(task.weight));
    f64::from(task.weight) / weights.sum::<f64>()
}

/// The name of a task of several steps.
pub(super) fn name_of_task<'s>(scenario: &'s Scenario, task: &Task) -> Option<&'s str> {
    task.span.map(|span| &*scenario.spans[usize::from(span)])
}

/// The task's name, or its first step.
fn label_of(scenario: &Scenario, task: &Task) -> String {
    if let Some(name) = name_of_task(scenario, task) {
        return name.to_owned();
    }
    let first = &scenario.steps[usize::from(task.steps.start)];
    let metric = &scenario.metrics[usize::from(first.metric)];
    let more = match task.steps.len() > 1 && !scenario.steps[usize::from(task.steps.end) - 1].is_hop
    {
        true => " ...",
        false => "",
    };
    format!("{} {}{more}", metric.method, metric.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::format::compile::{Context, compile};

    const SHOP: &str = r#"
        name = "shop"
        wait = "1s"
        [[users]]
        name = "browser"
        share = "70%"
        [[users.task]]
        method = "GET"
        path = "/items"
        [[users]]
        name = "buyer"
        share = "30%"
        wait = "4s"
        [[users.task]]
        name = "order"
        weight = 3
        repeat = { times = 2, wait = "1s" }
        [[users.task.step]]
        method = "PUT"
        path = "/cart"
        [[users.task.step]]
        method = "POST"
        path = "/orders"
        when = "50%"
        [[users.task]]
        method = "GET"
        path = "/offers"
        "#;
    const CLERKS: &str = r#"
        [[users]]
        name = "clerk"
        count = 2
        wait = "0s"
        [[users.task]]
        method = "GET"
        path = "/orders/today"
        "#;

    fn check(text: &str, amounts: Amounts, expected: &str) {
        let scenario = compile("shop.toml", text, &Context::plain()).expect("valid");
        let mut shown = String::new();
        describe(&scenario, amounts, &mut shown);
        assert_eq!(shown, expected, "{shown}");
        assert!(
            shown.lines().all(|line| line.chars().count() <= 60),
            "{shown}"
        );
    }

    #[test]
    fn users_are_divided_and_their_requests_follow_from_weights_and_waits() {
        let text = SHOP.to_owned() + CLERKS;
        // A buyer's iteration takes 4 s and three times of four 1 s more between the two orders.
        check(
            &text,
            Amounts::Users(Some(12)),
            r#"
kind, task                part     users  requests     req/s
browser                   70 %         7      1.00      7.00
  GET /items             100 %                1.00      7.00
buyer                     30 %         3      2.50      1.58
  order                   75 %                3.00      1.42
  GET /offers             25 %                1.00     0.158
clerk                  2 users         2      1.00         -
  GET /orders/today      100 %                1.00         -
users: 12 in all; requests: of a pass of the work loop;
req/s: if every answer came at once
"#,
        );
    }

    #[test]
    fn a_rate_of_iterations_is_divided_by_share() {
        check(
            SHOP,
            Amounts::Rate(50.0),
            r#"
kind, task                part  passes/s  requests     req/s
browser                   70 %      35.0      1.00      35.0
  GET /items             100 %                1.00      35.0
buyer                     30 %      15.0      2.50      37.5
  order                   75 %                3.00      33.8
  GET /offers             25 %                1.00      3.75
passes/s: 50 in all; requests: of a pass of the work loop;
req/s: at this rate
"#,
        );
    }
}
