//! The steps that a user sends at once: a step with `together`, a list of steps.
//!
//! They become steps that lie one after the other. The first has what belongs to all of them: conditions, the pause, the
//! spans that begin; and the steps after it are passed over when the user goes on.

use crate::scenario::flow::{Condition, Flow, PARTS_MAX, Together};
use crate::scenario::model::StepIndex;

use super::place::ScenarioError;
use super::step::{Compiler, Role, read_pause, read_within};
use super::toml::{Item, Table};

/// Keys that stand in each of the steps, and not beside `together`.
const KEYS_OF_PARTS: [&str; 17] = [
    "method",
    "path",
    "query",
    "headers",
    "drop_headers",
    "auth",
    "accept_encoding",
    "json",
    "text",
    "form",
    "multipart",
    "file",
    "expect",
    "hints",
    "extract",
    "timeout",
    "on_failure",
];

/// Keys that stand beside `together`, and not in one of the steps.
const KEYS_OF_ALL: [(&str, &str); 6] = [
    ("when", "when is about all of them"),
    ("pause", "the pause comes after the last of their answers"),
    ("begins", "a span begins with all of them"),
    ("ends", "a span ends with the last of their answers"),
    ("within", "within is the time of a whole task"),
    ("weight", "the weight is that of a task"),
];

/// Keys of steps that stand on their own.
const KEYS_ALONE: [(&str, &str); 4] = [
    ("repeat", "a step that is sent several times"),
    ("retry", "a step that is sent again"),
    ("retry_every", "a poll"),
    ("follow", "a step that follows redirects"),
];

/// The values of answers that one of the steps uses and extracts.
struct Part<'s> {
    item: Item<'s>,
    used: Vec<usize>,
    extracted: Vec<String>,
}

impl<'s> Compiler<'_, 's> {
    /// Adds the steps of `parts`, which are sent at once.
    pub(super) fn together(
        &mut self,
        item: &Item<'s>,
        table: &Table<'s>,
        parts: &[Item<'s>],
        role: Role,
        (when, share): (Vec<Condition>, f64),
    ) -> Result<(), ScenarioError> {
        check_count(item, parts)?;
        check_keys_beside(table)?;
        check_alone(table)?;
        let count = parts.len() as StepIndex;
        let first = self.steps.len();
        let pause = read_pause(table, self.requests.context.pause)?;
        let within_ns = match role {
            Role::Task => table.read("within", read_within)?,
            Role::Setup | Role::Start | Role::Stop => None,
        };
        let mut begins = self.spans.read(table, "begins", 0)?;
        let mut ends = self.spans.read(table, "ends", 1)?;
        if let Some(name) = table.get("name") {
            // With a name, they are measured as a whole.
            let text = name.text()?;
            begins.push(self.spans.at(text, 0, name.clone())?);
            ends.push(self.spans.at(text, 1, name)?);
        }
        table.finish()?;
        self.parts(parts, role, (&when, share))?;
        for (place, step) in (0..).zip(&mut self.steps[first..]) {
            step.within_ns = within_ns;
            let alone = || Flow {
                share,
                ..Flow::default()
            };
            let flow = step.flow.get_or_insert_with(|| Box::new(alone()));
            flow.together = Some(Together {
                place,
                count,
                ends: Vec::new(),
            });
        }
        let first = &mut self.steps[first];
        first.pause = pause;
        first.begins = begins;
        first.hops_left = count - 1;
        if let Some(together) = first.flow.as_mut().and_then(|it| it.together.as_mut()) {
            together.ends = ends;
        }
        Ok(())
    }

    /// Compiles steps that are sent at once. None of them can use what another one extracts; all later steps can.
    fn parts(
        &mut self,
        items: &[Item<'s>],
        role: Role,
        (when, share): (&[Condition], f64),
    ) -> Result<(), ScenarioError> {
        let before = self.requests.texts.filled.clone();
        let mut after = before.clone();
        let mut parts: Vec<Part<'s>> = Vec::new();
        for item in items {
            let table = item.table()?;
            check_keys_of_part(&table)?;
            check_alone(&table)?;
            self.requests.texts.filled.clone_from(&before);
            self.request(item, &table, role, (when.to_vec(), share))?;
            let texts = &self.requests.texts;
            after.extend(texts.filled.iter().filter(|it| !before.contains(*it)));
            let own = self.steps.last().into_iter().flat_map(|step| &step.extract);
            parts.push(Part {
                item: item.clone(),
                used: texts.used.clone(),
                extracted: own.map(|extract| extract.name.clone()).collect(),
            });
        }
        self.requests.texts.filled = after;
        self.check_values(&parts)
    }

    /// The order of the answers must not decide what a value is.
    fn check_values(&self, parts: &[Part<'s>]) -> Result<(), ScenarioError> {
        let variables = &self.requests.texts.variables;
        for (nth, part) in parts.iter().enumerate() {
            for name in &part.extracted {
                if parts[..nth]
                    .iter()
                    .any(|other| other.extracted.contains(name))
                {
                    return Err(part.item.part(name).error(format!(
                        "two steps of this together extract {name}, and the later answer would decide; give the values two names"
                    )));
                }
            }
            let others = parts.iter().enumerate().filter(|(other, _)| *other != nth);
            for name in others.flat_map(|(_, other)| &other.extracted) {
                if variables
                    .find(name)
                    .is_some_and(|index| part.used.contains(&index))
                {
                    return Err(part.item.part(&format!("{{{{{name}")).error(format!(
                        "another step of this together extracts {name}, and its answer may come before or after this request; write this step after them"
                    )));
                }
            }
        }
        Ok(())
    }

    /// The steps that are sent at once with a step, at the first of them; `None` for a step on its own.
    pub(super) fn group_of(&mut self, step: usize) -> Option<&mut Together> {
        let place = self.steps[step].flow.as_ref()?.together.as_ref()?.place;
        let first = &mut self.steps[step - usize::from(place)];
        first.flow.as_mut()?.together.as_mut()
    }
}

fn check_count(item: &Item<'_>, parts: &[Item<'_>]) -> Result<(), ScenarioError> {
    match parts.len() {
        0 | 1 => Err(item.error(
            "together is for two steps or more; a single step has method and path of its own",
        )),
        count if count > usize::from(PARTS_MAX) => Err(parts[usize::from(PARTS_MAX)].error(
            format!("{count} steps at once, and a user sends at most {PARTS_MAX}; write the others in a step after them"),
        )),
        _ => Ok(()),
    }
}

/// Refuses keys of a request beside `together`.
fn check_keys_beside(table: &Table<'_>) -> Result<(), ScenarioError> {
    let entries = table.entries();
    let mut wrong = entries.filter(|(key, _, _)| KEYS_OF_PARTS.contains(key));
    match wrong.next() {
        None => Ok(()),
        Some((key, span, item)) => Err(item.source.error(
            span,
            format!(
                "{key} stands in each step of together; beside it there are name, when, pause, begins and ends"
            ),
        )),
    }
}

/// Refuses keys that are about all steps in one of them.
fn check_keys_of_part(table: &Table<'_>) -> Result<(), ScenarioError> {
    for (key, why) in KEYS_OF_ALL {
        if let Some(item) = table.get(key) {
            return Err(item.error(format!("{why}; it does not stand in one step of together")));
        }
    }
    match table.get("together") {
        Some(inner) => Err(inner.error(
            "the steps of together have no together of their own; write all of them in one list",
        )),
        None => Ok(()),
    }
}

/// Refuses what a step does only on its own.
fn check_alone(table: &Table<'_>) -> Result<(), ScenarioError> {
    for (key, what) in KEYS_ALONE {
        if let Some(item) = table.get(key) {
            return Err(item.error(format!(
                "{what} is not sent together with others; write it as a step of its own, before or after them"
            )));
        }
    }
    Ok(())
}
