//! The `[[users]]` tables: kinds of users with steps of their own. A file without them has one kind.

use crate::load::mix;
use crate::load::mix::Amount;
use crate::scenario::kind::Kind;
use crate::scenario::members::label;
use crate::scenario::model::{MetricLabel, Task};
use crate::scenario::wait::Wait;

use super::phase::Phase;
use super::place::ScenarioError;
use super::read::read_wait;
use super::step::Compiler;
use super::toml::{Item, Table};

/// Most kinds of users.
const KINDS_MAX: usize = 100;
/// Most users of a kind with `count`.
const COUNT_MAX: u64 = 100_000_000;
/// How far the sum of all shares may be from 100 %: three thirds of 33.3 %.
const SUM_TOLERANCE: f64 = 0.005;

/// The steps of a kind, unread.
#[derive(Default)]
pub(super) struct Steps<'s> {
    pub start: Vec<Item<'s>>,
    pub tasks: Vec<Item<'s>>,
    pub stop: Vec<Item<'s>>,
}

/// A kind as it stands in the file.
pub(super) struct Declared<'s> {
    name: String,
    amount: Amount,
    wait: Option<Wait>,
    pub steps: Steps<'s>,
}

impl<'s> Steps<'s> {
    /// All of them, in order.
    pub fn all(&self) -> impl Iterator<Item = Item<'s>> {
        let all = self.start.iter().chain(&self.tasks).chain(&self.stop);
        all.cloned()
    }

    fn read(table: &Table<'s>) -> Result<Self, ScenarioError> {
        Ok(Self {
            start: table.read("start", Item::list)?.unwrap_or_default(),
            tasks: table.read("task", Item::list)?.unwrap_or_default(),
            stop: table.read("stop", Item::list)?.unwrap_or_default(),
        })
    }
}

/// The kinds of users; `own` are the steps that stand outside of `[[users]]`.
pub(super) fn read_kinds<'s>(
    root: &Table<'s>,
    own: Steps<'s>,
    phase: Phase,
) -> Result<Vec<Declared<'s>>, ScenarioError> {
    let items = root.read("users", Item::list)?.unwrap_or_default();
    if items.is_empty() || phase != Phase::Load {
        return Ok(vec![Declared {
            name: String::new(),
            amount: Amount::Share(1.0),
            wait: None,
            steps: own,
        }]);
    }
    if let Some(step) = own.all().next() {
        return Err(step.error(
            "with [[users]], every step belongs to a kind of user: it stands in [[users.start]], [[users.task]] or [[users.stop]] below its kind",
        ));
    }
    if items.len() > KINDS_MAX {
        return Err(items[KINDS_MAX].error(format!("more than {KINDS_MAX} kinds of users")));
    }
    let mut kinds: Vec<Declared<'s>> = Vec::new();
    for item in &items {
        let kind = read_kind(item)?;
        if kinds.iter().any(|known| known.name == kind.name) {
            return Err(item.error(format!("two kinds of users are called {}", kind.name)));
        }
        kinds.push(kind);
    }
    let share = |kind: &Declared<'_>| match kind.amount {
        Amount::Share(share) => Some(share),
        Amount::Count(_) => None,
    };
    let shares: Vec<f64> = kinds.iter().filter_map(share).collect();
    let sum: f64 = shares.iter().sum();
    if !shares.is_empty() && (sum - 1.0).abs() > SUM_TOLERANCE {
        let percent = (sum * 1e4).round() / 100.0;
        return Err(items[0].error(format!(
            "the shares of all kinds are {percent}% together; they are to be 100% of the users that have no count"
        )));
    }
    Ok(kinds)
}

fn read_kind<'s>(item: &Item<'s>) -> Result<Declared<'s>, ScenarioError> {
    let table = item.table()?;
    let name_item = table.need("name", "name = \"browser\"")?;
    let name = label(name_item.text()?);
    if name.is_empty() || name.contains('/') {
        return Err(name_item.error("a kind of user has a name without /, for example \"browser\""));
    }
    let amount = match (table.get("share"), table.get("count")) {
        (Some(share), None) => Amount::Share(read_share(&share)?),
        (None, Some(count)) => Amount::Count(count.integer(1..=COUNT_MAX)?),
        (Some(_), Some(count)) => {
            return Err(count.error("a kind has a share of the users or a count of them, not both"));
        }
        (None, None) => {
            return Err(
                item.error("how many users are of this kind? Write share = \"30%\", or count = 5")
            );
        }
    };
    let wait = table.read("wait", read_wait)?;
    let steps = Steps::read(&table)?;
    table.finish()?;
    if steps.start.is_empty() && steps.tasks.is_empty() {
        return Err(item.error(format!(
            "the users {name} have no step; add [[users.task]] below them"
        )));
    }
    Ok(Declared {
        name,
        amount,
        wait,
        steps,
    })
}

/// `30%` as 0.3.
fn read_share(item: &Item<'_>) -> Result<f64, ScenarioError> {
    let example = "a share is a percentage above 0, for example \"30%\"";
    let text = item.text_or_number()?;
    let Some(number) = text.trim().strip_suffix('%') else {
        return Err(item.error(example));
    };
    match number.trim().parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(percent / 100.0),
        _ => Err(item.error(example)),
    }
}

/// Refuses a scenario without a step.
pub(super) fn check_any(root: &Table<'_>, declared: &[Declared<'_>]) -> Result<(), ScenarioError> {
    let has_steps =
        |kind: &Declared<'_>| !kind.steps.start.is_empty() || !kind.steps.tasks.is_empty();
    match declared.iter().any(has_steps) {
        true => Ok(()),
        false => Err(root.error("it has no step; add [[task]] with method and path")),
    }
}

/// Compiles the steps of all kinds. Returns the kinds, and the tasks of all of them.
pub(super) fn compile_kinds<'s>(
    compiler: &mut Compiler<'_, 's>,
    declared: &[Declared<'s>],
    wait_given: Option<Wait>,
    wait_default: Wait,
) -> Result<(Vec<Kind>, Vec<Task>), ScenarioError> {
    let mut kinds = Vec::new();
    let mut all: Vec<Task> = Vec::new();
    for kind in declared {
        let (tasks_before, metrics_before) = (all.len(), compiler.metrics.len() as u16);
        let steps = &kind.steps;
        let (start, tasks, stop) = compiler.compile(&steps.start, &steps.tasks, &steps.stop)?;
        all.extend(tasks);
        kinds.push(Kind {
            name: kind.name.clone(),
            amount: kind.amount,
            start,
            tasks: tasks_before..all.len(),
            stop,
            wait: wait_given.or(kind.wait).unwrap_or(wait_default),
            metrics: metrics_before..compiler.metrics.len() as u16,
        });
    }
    Ok((kinds, all))
}

/// Puts the kind before the names that several kinds have: `browser/items` for `/items`.
pub(super) fn name_apart(metrics: &mut [MetricLabel], kinds: &[Kind]) {
    let before: Vec<(String, String)> = metrics
        .iter()
        .map(|metric| (metric.method.clone(), metric.name.clone()))
        .collect();
    for kind in kinds {
        for metric in kind.metrics.clone().map(usize::from) {
            let same = before.iter().filter(|name| **name == before[metric]);
            if same.count() > 1 {
                let name = &before[metric].1;
                let slash = if name.starts_with('/') { "" } else { "/" };
                metrics[metric].name = format!("{}{slash}{name}", kind.name);
            }
        }
    }
}

/// The number of users, where all kinds have a count.
pub(super) fn all_counted(kinds: &[Kind]) -> Option<u64> {
    let amounts: Vec<Amount> = kinds.iter().map(|kind| kind.amount).collect();
    let has_shares = amounts.iter().any(|it| matches!(it, Amount::Share(_)));
    (!has_shares).then(|| mix::counted(&amounts))
}
