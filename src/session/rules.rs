//! The rules of a run: read against its scenario and its load, and their findings put into its record.

use anyhow::{Result, anyhow, bail};

use crate::analysis::criteria::{Groups, Purpose, Rule, StepName, labels};
use crate::analysis::windows::{Case, Referee, settled};
use crate::record::schema::{Record, RuleRecord};
use crate::scenario::model::{RuleText, Scenario};

use super::job::JobLoad;

/// Reads the rules of a flag against the scenario's steps, or those of the scenario itself when there are none.
pub fn parse(purpose: Purpose, given: &[String], scenario: &Scenario) -> Result<Vec<Rule>> {
    let (steps, groups) = (step_names(scenario), groups(scenario));
    let read = |text: &str| Rule::parse_among(text, purpose, &steps, &groups);
    if given.is_empty() {
        let own = match purpose {
            Purpose::Stop => &scenario.stop_when,
            Purpose::Fail => &scenario.fail_if,
            Purpose::Require => &scenario.require,
        };
        let read = |rule: &RuleText| read(&rule.text).map_err(|reason| rule.error(reason).into());
        return own.iter().map(read).collect();
    }
    let rules = given.iter().map(|text| read(text));
    rules
        .collect::<Result<_, _>>()
        .map_err(|reason| anyhow!("{} {reason}", purpose.flag()))
}

/// The scenario's steps as rules name them.
pub fn step_names(scenario: &Scenario) -> Vec<StepName> {
    let metrics = scenario.metrics.iter().zip(scenario.work_metrics());
    metrics
        .map(|(metric, is_work)| StepName {
            method: metric.method.clone(),
            name: metric.name.clone(),
            is_work,
            is_poll: metric.is_poll,
        })
        .collect()
}

/// The scenario's tasks and kinds of users as rules name them.
fn groups(scenario: &Scenario) -> Groups {
    let is_work = scenario.work_metrics();
    let tasks = scenario.tasks.iter().filter_map(|task| {
        let span = usize::from(task.span?);
        Some((scenario.spans[span].clone(), span))
    });
    let kinds = scenario.kinds.iter().filter(|_| scenario.has_kinds());
    let kinds = kinds.map(|kind| {
        let own: Vec<usize> = kind.metrics.clone().map(usize::from).collect();
        let judged = own.iter().copied().filter(|metric| is_work[*metric]);
        let judged: Vec<usize> = judged.collect();
        let steps = if judged.is_empty() { own } else { judged };
        (kind.name.clone(), steps)
    });
    let single = scenario.tasks.iter().filter(|task| task.steps.len() == 1);
    let name_of = |first: u16| {
        let metric = scenario.steps[usize::from(first)].metric;
        scenario.metrics[usize::from(metric)].name.clone()
    };
    Groups {
        tasks: tasks.collect(),
        kinds: kinds.collect(),
        single: single.map(|task| name_of(task.steps.start)).collect(),
    }
}

/// The judge of a run's windows.
///
/// # Errors
/// When flags give rules and the run is too short for them, with the cure. `are_given`: a flag gives a rule.
pub fn referee(
    rules: Vec<Rule>,
    are_given: bool,
    load: &JobLoad,
    window_ns: u64,
    settle_ns: Option<u64>,
    steps: usize,
) -> Result<Referee> {
    let stretches = settled(&load.load.levels(), load.run_time_ns, settle_ns);
    if stretches.is_empty() && are_given {
        bail!(
            "--stop-when, --fail-if and --require judge what comes after the ramp and --settle, and the run ends before: give a longer --run-time or a shorter --settle"
        );
    }
    let referee = Referee::new(stretches, window_ns, rules, steps);
    Ok(referee.with_load(load.run_time_ns, settle_ns))
}

/// Puts what the rules said into the record; the load began `load_from_ns` after the run's start.
pub fn put_into(record: &mut Record, referee: Referee, load_from_ns: u64) {
    let cases = referee.finish();
    let rules = cases
        .iter()
        .map(|case| rule_record(case, record, load_from_ns));
    record.rules = rules.collect();
}

fn rule_record(case: &Case, record: &Record, load_from_ns: u64) -> RuleRecord {
    let decided = case.decided.as_ref();
    let at_s = |ns: u64| (load_from_ns + ns) as f64 / 1e9;
    let always_failed = decided.map_or(&[][..], |judged| &judged.always_failed);
    let names = always_failed.iter().map(|&step| {
        let step = always_failed_shown(record, step, case.rule.label(step));
        match decided.is_some_and(|judged| judged.without_them) {
            true => format!("{step}; the rule is broken without it too"),
            false => format!("{step}: this break says nothing about load"),
        }
    });
    let names: Vec<String> = names.collect();
    RuleRecord {
        kind: case.rule.purpose.flag().trim_start_matches('-').into(),
        rule: case.rule.text.clone(),
        broken: case.is_broken(),
        windows: case.windows,
        from_s: decided.map(|judged| at_s(judged.from_ns)),
        to_s: decided.map(|judged| at_s(judged.to_ns)),
        users: decided.map(|judged| judged.users),
        value: decided.and_then(|judged| judged.finding.value),
        says: match (decided, case.rule.purpose) {
            (Some(judged), _) => case.rule.show(&judged.finding),
            (None, Purpose::Require) => {
                "never judged, so it was not shown to hold: the run ended before a window was full"
                    .into()
            }
            (None, _) => "never judged: the run ended before a window was full".into(),
        },
        note: (!names.is_empty()).then(|| names.join("; ")),
        part: None,
    }
}

/// `POST …/workflow failed every time from its first request (500)`, with what its failures were.
fn always_failed_shown(record: &Record, step: usize, label: &str) -> String {
    let step = &record.steps[step];
    let errors = record.errors.iter();
    let of_step = errors.filter(|error| error.method == step.method && error.name == step.name);
    let causes = of_step.map(|error| match error.status {
        Some(status) => status.to_string(),
        None => error.kind.clone(),
    });
    let mut causes: Vec<String> = causes.collect();
    causes.dedup();
    format!(
        "{label} failed every time from its first request ({})",
        causes.join(", ")
    )
}

/// Why a search ends at its first level, when these steps, by metric, have failed every time.
pub fn search_ended_by(record: &Record, steps: &[StepName], always: &[usize]) -> String {
    let labels = labels(steps);
    let steps = always
        .iter()
        .map(|&step| always_failed_shown(record, step, &labels[step]));
    format!(
        "not found: {}: a break would say nothing about load; mend that first, or search with a scenario without it",
        steps.collect::<Vec<_>>().join("; ")
    )
}
