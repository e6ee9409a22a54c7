//! Steps by name: the ones that a rule means, and their display names in findings.

use crate::text::suggest::did_you_mean;

/// Before the name of a task, and of a kind of user.
const GROUP_PREFIXES: [&str; 2] = ["task:", "kind:"];

/// A step as rules see it. Steps are in the order of their metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepName {
    /// The HTTP method.
    pub method: String,
    /// The name, without ids.
    pub name: String,
    /// It belongs to the work loop: rules without a step judge it.
    pub is_work: bool,
    /// It is a poll, so that it can give up.
    pub is_poll: bool,
}

/// The steps that a rule judges, by metric.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scope {
    /// Their requests together.
    All(Vec<usize>),
    /// Each step by itself; the worst decides.
    Any(Vec<usize>),
    /// One step.
    Step(usize),
    /// A task as a whole, by its span.
    Task(usize),
}

impl Scope {
    pub fn steps(&self) -> &[usize] {
        match self {
            Self::All(steps) | Self::Any(steps) => steps,
            Self::Step(step) => std::slice::from_ref(step),
            Self::Task(_) => &[],
        }
    }
}

impl StepName {
    fn in_full(&self) -> String {
        format!("{} {}", self.method, self.name)
    }
}

/// Whether a text names a task or a kind of user, and not a step.
pub(super) fn is_group(text: &str) -> bool {
    GROUP_PREFIXES.iter().any(|prefix| text.starts_with(prefix))
}

/// The one step that a text means: `METHOD name`, the name, the last segment of the name, or any part of `METHOD name`
/// that no other step shares.
pub(super) fn find(text: &str, steps: &[StepName]) -> Result<usize, String> {
    let is_meant: [fn(&StepName, &str) -> bool; 4] = [
        |step, text| step.in_full() == text,
        |step, text| step.name == text,
        |step, text| last_segment(&step.name) == text,
        |step, text| step.in_full().contains(text),
    ];
    for is_meant in is_meant {
        let found: Vec<usize> = (0..steps.len())
            .filter(|&index| is_meant(&steps[index], text))
            .collect();
        match found[..] {
            [] => {}
            [one] => return Ok(one),
            _ => {
                let names = found.iter().map(|&index| steps[index].in_full());
                let names = names.collect::<Vec<_>>().join("\", \"");
                return Err(format!(
                    "\"{text}\" could be any of \"{names}\"; write one of these in full"
                ));
            }
        }
    }
    let full_names: Vec<String> = steps.iter().map(StepName::in_full).collect();
    let names = steps
        .iter()
        .flat_map(|step| [last_segment(&step.name), &step.name]);
    let near = did_you_mean(text, names.chain(full_names.iter().map(String::as_str)));
    let known = full_names.join("\", \"");
    Err(format!(
        "there is no step \"{text}\"{near}; there are \"{known}\""
    ))
}

fn last_segment(name: &str) -> &str {
    name.trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or(name)
}

/// The display names of steps: `POST …/workflow` where only one step has that label, else the full name.
pub fn labels(steps: &[StepName]) -> Vec<String> {
    let short = |step: &StepName| match last_segment(&step.name) {
        last if step.name.matches('/').count() > 1 => format!("{} …/{last}", step.method),
        _ => step.in_full(),
    };
    let all: Vec<String> = steps.iter().map(short).collect();
    let is_unique = |label: &String| all.iter().filter(|other| *other == label).count() == 1;
    all.iter()
        .zip(steps)
        .map(|(label, step)| match is_unique(label) {
            true => label.clone(),
            false => step.in_full(),
        })
        .collect()
}
