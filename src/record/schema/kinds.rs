//! Kinds of users in the record.

use serde::{Deserialize, Serialize};

use super::distribution::Times;

/// What the users of a kind did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KindRecord {
    /// Its name.
    pub name: String,
    /// Its share of the users that have no count, above 0, up to 1; `None` for a kind with a count.
    pub share: Option<f64>,
    /// Its number of users in the scenario; `None` for a kind with a share.
    pub count: Option<u64>,
    /// Its users that came in the whole run, without those that took another's place; `None` in a slice, and while the
    /// run lasts.
    pub users: Option<u64>,
    /// Its users that are present, in the record of a run that lasts; `None` at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub present: Option<u64>,
    /// Passes of the work loop that they began in the whole run; `None` in a slice, and while the run lasts.
    pub iterations: Option<u64>,
    /// Its steps, as `METHOD name`; each step is of one kind.
    pub steps: Vec<String>,
    /// Requests with an outcome, failures included.
    pub requests: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Requests with an outcome within the load time, per second of it.
    pub rps: f64,
    /// Times of `all_us` from this value on are lower bounds, in microseconds: the least of its steps.
    pub bound_from_us: Option<f64>,
    /// Due to answered, for requests that did not fail.
    pub response_us: Times,
    /// Due to answered or failed, for all requests.
    pub all_us: Times,
}
