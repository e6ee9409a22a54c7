//! Setup and teardown: the steps that a scenario carries out once for a whole run, by a user of their own.
//!
//! 1. `set_up` runs the steps of `[[setup]]` before the load. It takes the values that they extract, and compiles the
//!    scenario again with these in the place of `{{setup.NAME}}`: to the users they are constants, which cost nothing.
//! 2. The load runs.
//! 3. `tear_down` runs the steps of `[[teardown]]`, after an interruption too, for [`TEARDOWN_NS_MAX`] at most.
//!
//! Both are runs of the engine of their own, with one user and one shard: none of their requests is in a figure of the
//! load.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};

use crate::engine;
use crate::engine::plan::{Connections, Lifetime, Plan};
use crate::engine::{Control, Order, Run, Setup};
use crate::load::Load;
use crate::load::closed::Closed;
use crate::metrics::recorder::StepCounts;
use crate::record::once;
use crate::record::schema::OnceRecord;
use crate::scenario::model::{OnFailure, Scenario, Step};

use super::exit::cannot;
use super::output::note;
use super::prepare::Prepared;

/// Longest time of a teardown, its drain not included.
const TEARDOWN_NS_MAX: u64 = 30_000_000_000;

/// Carries out the setup, where the scenario has one, and gives the scenario its values. Returns what it did.
///
/// # Errors
/// A step of the setup failed; nothing was measured.
pub(super) fn set_up(prepared: &mut Prepared) -> Result<Option<OnceRecord>> {
    let Some(scenario) = prepared.plan.scenario.setup.take() else {
        prepared.teardown = teardown_of(prepared);
        return Ok(None);
    };
    let plan = plan_of(prepared, *scenario, None);
    let control = Arc::new(Control::default());
    prepared.signals.turn_to(control.clone());
    let ran = run(prepared, &plan, &control)?;
    prepared.signals.turn_to(prepared.control.clone());
    let record = once::record(&plan.scenario.metrics, &ran.summary, lasted_ns(&ran));
    if prepared.signals.interrupted() {
        // The load ends before it begins. What the setup has made so far is not known.
        return Ok(Some(record));
    }
    if let Some(reason) = failed(&plan.scenario, &ran) {
        return cannot(Err(anyhow!(
            "the setup failed, and nothing was measured: {reason}"
        )));
    }
    if let Some(text) = prepared.text.take() {
        let scenario = text
            .compile_with(&values_of(&plan.scenario, &ran))
            .context("a value of the setup cannot be used");
        let target = &prepared.target;
        prepared.plan.scenario = cannot(scenario)?
            .bind(&target.authority, target.base_path())
            .over_tls(prepared.setup.tls.is_some());
    }
    prepared.teardown = teardown_of(prepared);
    Ok(Some(record))
}

/// Carries out the teardown, where the scenario has one and the setup came to its end. Returns what it did.
pub(super) fn tear_down(prepared: &Prepared) -> Option<OnceRecord> {
    let plan = prepared.teardown.as_ref()?;
    if prepared.control.order() == Order::StopNow && prepared.signals.interrupted() {
        note("the teardown is left out: the run was to stop at once");
        return None;
    }
    let control = Arc::new(Control::default());
    prepared.signals.turn_anew(control.clone());
    match run(prepared, plan, &control) {
        Ok(ran) => Some(once::record(
            &plan.scenario.metrics,
            &ran.summary,
            lasted_ns(&ran),
        )),
        Err(error) => {
            note(format_args!(
                "the teardown could not be carried out: {error:#}"
            ));
            None
        }
    }
}

fn teardown_of(prepared: &mut Prepared) -> Option<Plan> {
    let scenario = prepared.plan.scenario.teardown.take()?;
    Some(plan_of(prepared, *scenario, Some(TEARDOWN_NS_MAX)))
}

fn plan_of(prepared: &Prepared, scenario: Scenario, run_time_ns: Option<u64>) -> Plan {
    let of_run = &prepared.plan;
    Plan {
        scenario,
        load: Load::Closed(Closed::at_rate(1, 1e9)),
        run_time_ns,
        timeout_ns: of_run.timeout_ns,
        drain_ns: of_run.drain_ns,
        spins: false,
        seed: of_run.seed,
        connections: Connections::PerUser,
        lifetime: Lifetime::default(),
        shards: 1,
        addresses: of_run.addresses.clone(),
    }
}

fn run(prepared: &Prepared, plan: &Plan, control: &Control) -> Result<Run> {
    let setup = Setup {
        cores: vec![None],
        ..prepared.setup.clone()
    };
    cannot(engine::run(plan, &setup, control, &mut |_| {}))
}

fn lasted_ns(ran: &Run) -> u64 {
    ran.load_ns + ran.drain_ns
}

/// The values that the steps have extracted, by name.
fn values_of(scenario: &Scenario, ran: &Run) -> Vec<(String, String)> {
    let extracted = scenario.variables.extracted_by_name();
    let text = |slot: crate::http::request::Slot| match ran.first_values.is_empty() {
        true => String::new(),
        false => String::from_utf8_lossy(slot.text(&ran.first_values)).into_owned(),
    };
    extracted
        .map(|(name, slot)| (name.to_owned(), text(slot)))
        .collect()
}

/// Why a setup has not come to its end; `None` when it has.
fn failed(scenario: &Scenario, ran: &Run) -> Option<String> {
    if let Some(death) = ran.deaths.first() {
        return Some(format!("a shard panicked: {}", death.reason));
    }
    let counts = &ran.summary.counts.steps;
    let own = scenario.steps.iter().filter(|step| !step.is_hop);
    let mut of_steps = own.map(|step| (step, &counts[usize::from(step.metric)]));
    let (step, counts) = of_steps.find(|(step, counts)| has_failed(step, counts))?;
    let label = &scenario.metrics[usize::from(step.metric)];
    let errors = counts.errors.iter().filter(|error| error.count > 0);
    let why = errors.max_by_key(|error| error.last_ns).map_or_else(
        || "it was not sent, or had no answer as expected".to_owned(),
        |error| format!("{}: {}", error.failure.name(), error.example.text),
    );
    Some(format!("{} {}: {why}", label.method, label.name))
}

fn has_failed(step: &Step, counts: &StepCounts) -> bool {
    match (&step.repeat, step.on_failure) {
        (_, OnFailure::GoOn) => false,
        (Some(_), _) => counts.ready.count() == 0,
        (None, _) => counts.failures > 0 || counts.requests == 0,
    }
}
