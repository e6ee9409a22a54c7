//! What was judged: rules, goals, and the levels of a search.

use serde::{Deserialize, Serialize};

/// A rule, and the window that decided it: the one that broke it, or came nearest to it last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleRecord {
    /// `stop-when`, `fail-if` or `require`.
    pub kind: String,
    /// The rule as it was given.
    pub rule: String,
    /// A window showed what is bad; for `require`, what must hold did not, or was never shown to hold.
    pub broken: bool,
    /// Windows that were judged; those with too few requests are not counted.
    pub windows: u64,
    /// Begin of the window that decided, in seconds since the start; `None` when no window was judged.
    pub from_s: Option<f64>,
    /// End of that window, in seconds since the start.
    pub to_s: Option<f64>,
    /// Users in that window.
    pub users: Option<u64>,
    /// What was measured in that window: microseconds, requests per second, or a share of 0 to 1.
    pub value: Option<f64>,
    /// The same as a sentence.
    pub says: String,
    /// Steps that failed every time from their first request on, when the rule was broken and there are any.
    pub note: Option<String>,
    /// The part of a merged record that the rule judged; `None` in a record of one run.
    #[serde(default)]
    pub part: Option<String>,
}

/// A goal of `--until`, and how well its figure is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GoalRecord {
    /// The goal as it was given.
    pub goal: String,
    /// The figure is known as well as was asked.
    pub reached: bool,
    /// The figure: microseconds, or requests per second; `None` when nothing was measured.
    pub value: Option<f64>,
    /// Lower end of its 95 % interval.
    pub low: Option<f64>,
    /// Upper end of the interval; `None` when the run does not bound it.
    pub high: Option<f64>,
    /// Half the width of the interval over the figure: 0.05 is ±5 %.
    pub half_width: Option<f64>,
    /// Independent samples that would know a percentile equally well; `None` for means and rates.
    pub effective_samples: Option<f64>,
    /// How often the run was looked at: after 20 s of load, then each time it had lasted 1.25 times as long.
    pub looks: u64,
    /// Load that the figure rests on, in seconds.
    pub load_s: f64,
    /// Load that the goal would about take, in seconds; `None` when it was reached, or when nothing says how long.
    pub would_take_s: Option<f64>,
    /// The same as a sentence.
    pub says: String,
    /// The part of a merged record that the goal was for; `None` in a record of one run.
    #[serde(default)]
    pub part: Option<String>,
}

/// A search for the breaking point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchRecord {
    /// What a level counts: `users` or `rate` (iterations per second).
    pub level_is: String,
    /// The rules that a level must not break.
    pub rules: Vec<String>,
    /// Each measurement, in the order in which they were made.
    pub levels: Vec<LevelRecord>,
    /// The highest level that held.
    pub last_good: Option<f64>,
    /// The lowest level that did not hold.
    pub first_bad: Option<f64>,
    /// Length of a level's window in seconds, as asked for.
    pub window_s: f64,
    /// Time between the end of a level's ramp and its window, in seconds.
    pub settle_s: f64,
    /// Requests per second answered without failure at `last_good`.
    pub sustainable_rps: Option<f64>,
    /// Lower end of its 95 % interval.
    pub sustainable_rps_low: Option<f64>,
    /// Upper end of its 95 % interval; `None` when no level broke, so that `sustainable_rps` is a lower bound.
    pub sustainable_rps_high: Option<f64>,
    /// How the search ended, as a sentence.
    pub ended: String,
}

/// One measurement of one level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LevelRecord {
    /// Users, or iterations per second.
    pub level: f64,
    /// Begin of the window, in seconds since the start.
    pub from_s: f64,
    /// Length of the window in seconds.
    pub window_s: f64,
    /// Requests with an outcome per second.
    pub rps: f64,
    /// Requests without failure per second.
    pub good_rps: f64,
    /// Requests without failure in each second of the window.
    pub good_rps_by_second: Vec<f64>,
    /// Failures over requests, 0 to 1.
    pub failure_ratio: f64,
    /// Mean response time of all requests with an outcome in the window, failures included, in microseconds.
    pub mean_us: Option<f64>,
    /// Median of these times.
    pub p50_us: Option<f64>,
    /// 99th percentile of these times.
    pub p99_us: Option<f64>,
    /// Greatest of these times.
    pub max_us: Option<f64>,
    /// No rule was broken, nothing piled up, and latency did not grow.
    pub good: bool,
    /// The window held enough requests for a rule to judge it.
    pub judged: bool,
    /// The result is near the limit, or the halves of the window disagree.
    pub noisy: bool,
    /// The generator was not the limit.
    pub believable: bool,
    /// The rule that was broken.
    pub rule: Option<String>,
    /// What was measured against the rules, as a sentence.
    pub says: String,
    /// The response times as a whole: HdrHistogram V2, deflated, base64; microseconds.
    pub histogram: String,
}
