//! What a record says of its own parts: a slow beginning, and what was left out of the figures.

use serde::{Deserialize, Serialize};

/// How the response times changed in the course of the load, found by the rule of `analysis::warm_up`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WarmUpRecord {
    /// Load time from which the seconds are like those of the second half, in seconds; `None` when the load never came to
    /// that, and 0 when its beginning is like the rest.
    pub settled_from_s: Option<f64>,
    /// Mean response time before that, in microseconds; `None` without such a part.
    pub mean_before_us: Option<f64>,
    /// Mean response time from then on.
    pub mean_after_us: Option<f64>,
    /// 99th percentile of the response times from then on, failures included.
    pub p99_after_us: Option<f64>,
    /// How the mean changed within the second half of the load: 0.2 is 20 % slower at its end. `None` when it did not.
    pub drift: Option<f64>,
    /// The run of `--repeat`, or the part of a merged record, that this was found in: `run 2`. The worst of them, where they
    /// did not begin together; `None` when it is of the whole record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
}

/// The part of a run that the figures of a record are of. The seconds of its series say which requests ended in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SliceRecord {
    /// Its begin, in seconds of load time: the end of a sample of the series.
    pub from_s: f64,
    /// Its end, in seconds of load time.
    pub to_s: f64,
    /// Load time of the whole run, in seconds; of several runs or parts, with the pauses between them.
    pub of_s: f64,
    /// It was made by `run --settle`: the series is whole, and marks the samples before the slice. Otherwise it was made by
    /// `report --from --to`, and the series has the samples of the slice alone.
    pub settled: bool,
    /// Figures that are not known by second. With `settled` they are of the whole run, else they are left out: empty, or 0.
    pub not_sliced: Vec<String>,
}
