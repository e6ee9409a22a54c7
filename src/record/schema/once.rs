//! Setup and teardown in the record: apart from every figure of the load.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::figures::ErrorRecord;

/// What the steps did that were carried out once for the whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnceRecord {
    /// How long they took together, in seconds.
    pub took_s: f64,
    /// Their requests with an outcome.
    pub requests: u64,
    /// Those that failed.
    pub failures: u64,
    /// By method and name, in the scenario's order.
    pub steps: Vec<OnceStepRecord>,
    /// By method, name, kind and status.
    pub errors: Vec<ErrorRecord>,
}

/// A step that was carried out once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnceStepRecord {
    /// HTTP method.
    pub method: String,
    /// Name of the step.
    pub name: String,
    /// Requests with an outcome; a poll has several.
    pub requests: u64,
    /// Those that failed.
    pub failures: u64,
    /// Answers by status.
    pub statuses: BTreeMap<String, u64>,
}
