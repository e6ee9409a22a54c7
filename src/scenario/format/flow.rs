//! Flow of a step: `when`, `repeat`, `retry` and `end_task_if`; `when` and `repeat` of a task.

use crate::scenario::counter::Counted;
use crate::scenario::expect::Expect;
use crate::scenario::flow::{Condition, Flow, Is, Repetition, Rounds, Share, Test, Until};
use crate::scenario::model::{StepIndex, Task};
use crate::scenario::variables::Variables;
use crate::scenario::wait::Wait;
use crate::text::suggest::did_you_mean;

use super::answer::{read_rules, read_statuses};
use super::place::ScenarioError;
use super::read::read_wait;
use super::retry::read_retry;
use super::toml::{Item, Table};

/// Most times that a step is sent.
const TIMES_MAX: u64 = 1_000_000;
const CONDITION: &str = "a condition is a share of the passes such as \"10%\", \"else\" after a step with when, or a test of a variable: { set = \"token\" }, { unset = \"token\" }, { equals = { plan = \"gold\" } } or { differs = { plan = \"gold\" } }";

/// The conditions of `when`: all of them hold for a step that is sent.
pub(super) fn read_when(
    item: &Item<'_>,
    variables: &Variables,
) -> Result<Vec<Condition>, ScenarioError> {
    if let Ok(text) = item.text() {
        return match text.trim() {
            "else" => Ok(vec![Condition::Else]),
            _ => Ok(vec![Condition::Share(read_share(item)?)]),
        };
    }
    let table = item.table().map_err(|_| item.error(CONDITION))?;
    let share = table.read("share", read_share)?.map(Condition::Share);
    let tests = read_tests(&table, variables)?;
    table.finish()?;
    let tests = tests.into_iter().map(Condition::Variable);
    let all: Vec<Condition> = tests.chain(share).collect();
    match all.is_empty() {
        true => Err(item.error(CONDITION)),
        false => Ok(all),
    }
}

/// A share of the passes: `10%`, `0.5%`.
fn read_share(item: &Item<'_>) -> Result<Share, ScenarioError> {
    let text = item.text()?;
    let Some(number) = text.trim().strip_suffix('%') else {
        return Err(item.error(CONDITION));
    };
    match number.trim().parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent < 100.0 => Ok(Share(percent / 100.0)),
        Ok(_) => Err(item.error(format!(
            "\"{text}\": a share is above 0% and below 100%; a step that is always sent has no when"
        ))),
        Err(_) => Err(item.error(CONDITION)),
    }
}

/// `set`, `unset`, `equals` and `differs`.
fn read_tests(table: &Table<'_>, variables: &Variables) -> Result<Vec<Test>, ScenarioError> {
    let mut tests = Vec::new();
    for (key, is) in [("set", Is::Set), ("unset", Is::Unset)] {
        let names = table.get(key);
        for item in names.iter().flat_map(Item::one_or_several) {
            let test = test(item.text()?, is.clone(), variables);
            tests.push(test.map_err(|reason| item.error(reason))?);
        }
    }
    for key in ["equals", "differs"] {
        let Some(item) = table.get(key) else {
            continue;
        };
        let compared = item.table().map_err(|_| {
            let example = format!("{key} = {{ plan = \"gold\" }}");
            item.error(format!(
                "{key} has variables and their texts; write for example {example}"
            ))
        })?;
        for (name, span, value) in compared.entries() {
            let text = value.text_or_number()?;
            if text.contains("{{") {
                return Err(value.error(
                    "a variable is compared with this text, and holes in it are not filled",
                ));
            }
            let is = match key {
                "equals" => Is::Equal(text),
                _ => Is::Other(text),
            };
            let test = test(name, is, variables);
            tests.push(test.map_err(|reason| item.source.error(span, reason))?);
        }
    }
    Ok(tests)
}

/// A test of the variable of this name. The error is the reason.
fn test(name: &str, is: Is, variables: &Variables) -> Result<Test, String> {
    let Some(index) = variables.find(name) else {
        let cure = match name {
            name if name.starts_with("csv.") || name.starts_with("cookie.") => {
                format!("; give it a name: [variables] with plan = \"{{{{{name}}}}}\"")
            }
            name if name.contains("{{") => {
                "; a variable stands here by its name, without braces".to_owned()
            }
            name => did_you_mean(name, variables.names()),
        };
        return Err(format!(
            "there is no variable \"{name}\"{cure} (variables are those of [variables], and values of extract)"
        ));
    };
    Ok(Test {
        name: name.to_owned(),
        slot: variables.get(index).slot,
        is,
    })
}

/// What ends a repetition or a task: an expected answer with all of this.
fn read_until(
    item: &Item<'_>,
    expect: &Expect,
    variables: &Variables,
) -> Result<Until, ScenarioError> {
    let example = "{ json = { \"/state\" = \"done\" } }, { status = [200] }, { unset = \"next\" } or { equals = { state = \"done\" } }";
    let table = item.table().map_err(|_| {
        item.error(format!(
            "write what the answer or a variable is then: {example}"
        ))
    })?;
    let status = table.get("status");
    let statuses = status.as_ref().map(read_statuses).transpose()?;
    let statuses = statuses.unwrap_or_default();
    let until = Until {
        rules: read_rules(&table)?,
        tests: read_tests(&table, variables)?,
        statuses,
    };
    table.finish()?;
    let unexpected = until
        .statuses
        .iter()
        .find(|it| !expect.statuses.contains(*it));
    if let (Some(status), Some(unexpected)) = (status, unexpected) {
        return Err(status.error(format!(
            "status {unexpected} is a failure of this step, and only a success is looked at here; write what is a success, for example expect = {{ status = [200, {unexpected}] }}"
        )));
    }
    match until == Until::default() {
        true => Err(item.error(format!("it says nothing; write for example {example}"))),
        false => Ok(until),
    }
}

/// What a step's flow is read with.
pub(super) struct Around<'a> {
    pub expect: &'a Expect,
    pub variables: &'a mut Variables,
    /// Index of the step.
    pub home: StepIndex,
    pub is_poll: bool,
    pub is_of_task: bool,
    /// The part of the passes that send it.
    pub share: f64,
}

/// The flow of a step with these conditions; `None` when it is sent always and once.
pub(super) fn read_flow(
    table: &Table<'_>,
    when: Vec<Condition>,
    around: Around<'_>,
) -> Result<Option<Box<Flow>>, ScenarioError> {
    let end_task_if = table.get("end_task_if");
    if let Some(item) = end_task_if.as_ref().filter(|_| !around.is_of_task) {
        return Err(item.error(
            "end_task_if is for steps of a [[task]]; a user that has failed leaves with on_failure = \"stop\"",
        ));
    }
    let share = around.share;
    let read = |item: &Item<'_>| read_until(item, around.expect, around.variables);
    let end_task_if = end_task_if.as_ref().map(read).transpose()?;
    let repeat = table.get("repeat");
    if let Some(item) = repeat.as_ref().filter(|_| around.is_poll) {
        return Err(item.error(
            "a poll is repeated until it succeeds; leave out repeat, or retry_every and what belongs to it",
        ));
    }
    let retry = table.get("retry");
    if let Some(item) = retry.as_ref().filter(|_| around.is_poll) {
        return Err(item.error(
            "a poll asks again after a failure anyway; leave out retry, or retry_every and what belongs to it",
        ));
    }
    let retry = match retry {
        None => None,
        Some(item) => Some(read_retry(&item, around.expect, around.variables)?),
    };
    let repeat = match repeat {
        None => None,
        Some(item) => Some(read_repetition(&item, around)?),
    };
    if when.is_empty() && repeat.is_none() && retry.is_none() && end_task_if.is_none() {
        return Ok(None);
    }
    Ok(Some(Box::new(Flow {
        when,
        repeat,
        retry,
        end_task_if,
        together: None,
        share,
    })))
}

fn read_repetition(item: &Item<'_>, around: Around<'_>) -> Result<Repetition, ScenarioError> {
    let read = |item: &Item<'_>| read_until(item, around.expect, around.variables);
    let (times_max, until, wait) = read_times(item, "the step is sent", read)?;
    Ok(Repetition {
        counter: around.variables.counter(Counted::Times),
        times_max,
        until,
        wait,
        home: around.home,
    })
}

/// How a task is repeated.
pub(super) fn read_rounds(
    item: &Item<'_>,
    variables: &mut Variables,
) -> Result<Rounds, ScenarioError> {
    let read = |item: &Item<'_>| read_round_until(item, variables);
    let (times_max, until, wait) = read_times(item, "the task is done", read)?;
    Ok(Rounds {
        counter: variables.counter(Counted::Rounds),
        times_max,
        until: until.unwrap_or_default(),
        wait,
    })
}

/// What ends the repetition of a task: tests of variables.
fn read_round_until(item: &Item<'_>, variables: &Variables) -> Result<Vec<Test>, ScenarioError> {
    let example = "{ unset = \"next\" } or { equals = { state = \"done\" } }";
    let table = item
        .table()
        .map_err(|_| item.error(format!("write what a variable is then: {example}")))?;
    for key in ["status", "json", "exists", "headers"] {
        if let Some(of_answer) = table.get(key) {
            return Err(of_answer.error(format!(
                "the repetition of a task looks at variables, not at an answer: take the value with extract in a step, and write for example {example}; or repeat the step"
            )));
        }
    }
    let tests = read_tests(&table, variables)?;
    table.finish()?;
    match tests.is_empty() {
        true => Err(item.error(format!("it says nothing; write for example {example}"))),
        false => Ok(tests),
    }
}

/// A repetition: its bound, what ends it earlier, and the wait between two times. `what` happens each time.
fn read_times<'s, T>(
    item: &Item<'s>,
    what: &str,
    read_until: impl Fn(&Item<'s>) -> Result<T, ScenarioError>,
) -> Result<(u32, Option<T>, Wait), ScenarioError> {
    let (mut until, mut wait) = (None, None);
    let times_max = match item.table() {
        Err(_) => item.integer(2..=TIMES_MAX).map_err(|error| {
            let cure = "write repeat = 3, or { times = 3, wait = \"1s\" }, or { until = { unset = \"next\" }, max = 50 }";
            item.error(format!("{}; {cure}", error.reason))
        })?,
        Ok(table) => {
            let times = table.get("times");
            let max = table.get("max");
            until = table.read("until", read_until)?;
            wait = table.read("wait", read_between)?;
            table.finish()?;
            let bound = match (&times, &until, &max) {
                (Some(times), None, None) => times,
                (None, Some(_), Some(max)) => max,
                (None, Some(_), None) => {
                    return Err(item.error(format!(
                        "it needs max beside until, the most times that {what}, for example max = 50",
                    )));
                }
                (Some(times), _, _) => {
                    return Err(times.error(
                        "times is a fixed number; with until, the bound is max",
                    ));
                }
                (None, None, _) => {
                    return Err(item.error(
                        "write how often, times = 3, or what ends it, until = { unset = \"next\" } with max = 50",
                    ));
                }
            };
            bound.integer(2..=TIMES_MAX)?
        }
    };
    Ok((times_max as u32, until, wait.unwrap_or_default()))
}

fn read_between(item: &Item<'_>) -> Result<Wait, ScenarioError> {
    match read_wait(item)? {
        Wait::Pacing { .. } => Err(item.error(
            "pacing goes from task to task; the wait between two times is for example \"1s\"",
        )),
        wait => Ok(wait),
    }
}

/// The rules of a flow that look at an answer.
pub(super) fn untils(flow: Option<&Flow>) -> impl Iterator<Item = &Until> {
    let flow = flow.into_iter();
    flow.flat_map(|flow| {
        let repeat = flow
            .repeat
            .as_ref()
            .and_then(|repeat| repeat.until.as_ref());
        repeat.into_iter().chain(&flow.end_task_if)
    })
}

/// The variables that a flow tests.
pub(super) fn tests(flow: &Flow) -> impl Iterator<Item = &Test> {
    tests_of(&flow.when).chain(untils(Some(flow)).flat_map(|until| &until.tests))
}

/// The tests of variables among conditions.
pub(super) fn tests_of(when: &[Condition]) -> impl Iterator<Item = &Test> {
    when.iter().filter_map(|condition| match condition {
        Condition::Variable(test) => Some(test),
        Condition::Else | Condition::Share(_) => None,
    })
}

/// The conditions of a task.
pub(super) fn read_task_when(
    item: &Item<'_>,
    variables: &Variables,
) -> Result<Vec<Test>, ScenarioError> {
    let mut tests = Vec::new();
    for condition in read_when(item, variables)? {
        match condition {
            Condition::Variable(test) => tests.push(test),
            Condition::Share(_) => {
                return Err(item.error(
                    "how often a task is drawn is its weight; a share is for the steps of a task",
                ));
            }
            Condition::Else => {
                return Err(item.error(
                    "else is for the steps of a task; a task is drawn among those whose when holds",
                ));
            }
        }
    }
    Ok(tests)
}

/// Checks that a user always has a task that it may do.
pub(super) fn check_tasks(items: &[Item<'_>], tasks: &[Task]) -> Result<(), ScenarioError> {
    let alone = |task: &Task| match &task.when[..] {
        [test] => Some(test.clone()),
        _ => None,
    };
    let single: Vec<Test> = tasks.iter().filter_map(alone).collect();
    let has_opposite = |test: &Test| single.iter().any(|other| test.is_opposite_of(other));
    let always = tasks.iter().any(|task| task.when.is_empty()) || single.iter().any(has_opposite);
    match items.first() {
        Some(item) if !always => Err(item.error(
            "every task has when, so a user may have none to do; leave one without it, or write one with the opposite",
        )),
        _ => Ok(()),
    }
}
