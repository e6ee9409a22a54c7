//! The record as a whole, and its text.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::figures::{ErrorRecord, PollRecord, SpanRecord, StepRecord, Totals};
use super::generator::{Generator, StandIn};
use super::judged::{GoalRecord, RuleRecord, SearchRecord};
use super::kinds::KindRecord;
use super::once::OnceRecord;
use super::part::{SliceRecord, WarmUpRecord};
use super::run::RunInfo;
use super::series::SampleRecord;
use super::spread::SpreadRecord;
use super::tls::TlsRecord;
use super::watched::WatchedRecord;

/// The version of the schema that is written, and the only one that is read.
pub const SCHEMA: &str = "opsurge.record/1";

/// Everything that is known of a run after its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: String,
    /// What was done, and on what.
    pub run: RunInfo,
    /// No request failed, no rule of `--fail-if` and `--require` was broken, and nothing else went wrong.
    /// `--exit-code-on-error` does not change it.
    pub passed: bool,
    /// Exit code of the command, as far as it was known when the record was written.
    pub exit_code: u8,
    /// Why the run did not pass, and which rules could not be judged.
    pub reasons: Vec<String>,
    /// The part of the run that the figures are of; `None` when they are of all of it.
    #[serde(default)]
    pub slice: Option<SliceRecord>,
    /// A beginning that differs from the rest, or a trend; `None` when neither was found.
    #[serde(default)]
    pub warm_up: Option<WarmUpRecord>,
    /// The sums over all steps.
    pub totals: Totals,
    /// By method and name, in the scenario's order.
    pub steps: Vec<StepRecord>,
    /// By polled step.
    pub polls: Vec<PollRecord>,
    /// By span of steps that the scenario measures as a whole.
    pub spans: Vec<SpanRecord>,
    /// By method, name, kind and status; most frequent first.
    pub errors: Vec<ErrorRecord>,
    /// What the generator itself did, and whether its figures can be believed.
    pub generator: Generator,
    /// How connections were encrypted; `None` for plain HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsRecord>,
    /// By kind of user, in the scenario's order; empty where there is only one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<KindRecord>,
    /// What the scenario's setup did before the load; `None` without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup: Option<OnceRecord>,
    /// What its teardown did after the load; `None` without one, or when it was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teardown: Option<OnceRecord>,
    /// By rule of `--stop-when`, `--fail-if` and `--require`.
    pub rules: Vec<RuleRecord>,
    /// By goal of `--until`.
    #[serde(default)]
    pub until: Vec<GoalRecord>,
    /// The search for the breaking point; `None` for a run.
    pub search: Option<SearchRecord>,
    /// What the embedded stand-in counted; `None` without one.
    pub stand_in: Option<StandIn>,
    /// What ran beside the load: the generator first, then the service, and what `--watch` named; empty with `--watch none`.
    #[serde(default)]
    pub watched: Vec<WatchedRecord>,
    /// The run second by second; in a long run, several seconds are joined into one sample.
    pub series: Vec<SampleRecord>,
    /// The runs of `--repeat` in their order, each whole: the figures outside are those of all of them together. Empty
    /// for a single run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<Record>,
    /// What differs between `runs`; `None` for a single run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<SpreadRecord>,
}

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    /// When the text is not JSON, or of a schema that this version does not read.
    pub fn parse(text: &str) -> Result<Self, String> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
        match value["schema"].as_str() {
            Some(SCHEMA) => serde_json::from_value(value).map_err(|error| error.to_string()),
            found => Err(format!(
                "its schema is {}, and this version understands {SCHEMA}",
                found.unwrap_or("missing")
            )),
        }
    }

    /// The runs that this record holds: those inside, or itself.
    pub fn single_runs(&self) -> &[Self] {
        match &self.runs[..] {
            [] => std::slice::from_ref(self),
            runs => runs,
        }
    }

    /// The record as it is written: one JSON object, with a newline at its end.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("all its keys are texts");
        text.push('\n');
        text
    }
}
