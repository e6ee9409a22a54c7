//! `retry`: the failures of a step that are sent again.

use std::time::Duration;

use crate::metrics::outcome::Failure;
use crate::scenario::counter::Counted;
use crate::scenario::expect::Expect;
use crate::scenario::retry::Retry;
use crate::scenario::variables::Variables;
use crate::text::duration;
use crate::text::suggest::did_you_mean;

use super::place::ScenarioError;
use super::toml::Item;

/// Most retries of a request.
const TIMES_MAX: u64 = 100;
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));
const EXAMPLE: &str = "retry = { times = 3, on = [429, 503, \"timeout\"] }";

/// Names for several kinds of failure at once.
const GROUPS: [(&str, &[Failure]); 3] = [
    (
        "connect",
        &[
            Failure::ConnectRefused,
            Failure::ConnectTimeout,
            Failure::ConnectFailed,
        ],
    ),
    (
        "reset",
        &[
            Failure::ResetBeforeHead,
            Failure::ResetInHead,
            Failure::ResetInBody,
        ],
    ),
    (
        "closed",
        &[
            Failure::ClosedBeforeHead,
            Failure::ClosedInHead,
            Failure::Incomplete,
        ],
    ),
];

/// Failures that no second attempt can mend, or that have a status.
const NEVER: [Failure; 6] = [
    Failure::Status,
    Failure::ClientLimit,
    Failure::Unanswered,
    Failure::GaveUp,
    Failure::TaskTimeout,
    Failure::NoRow,
];

pub(super) fn read_retry(
    item: &Item<'_>,
    expect: &Expect,
    variables: &mut Variables,
) -> Result<Retry, ScenarioError> {
    let table = item.table().map_err(|_| {
        item.error(format!(
            "say how often, and after which failures: {EXAMPLE}"
        ))
    })?;
    let times = table.need("times", "times = 3")?;
    let on = table.get("on");
    let Some(on) = on else {
        return Err(item.error(format!(
            "it needs the failures that are sent again: {EXAMPLE}"
        )));
    };
    let backoff = table.read("backoff", read_backoff)?;
    table.finish()?;
    let (first, longest) = backoff.unwrap_or(BACKOFF);
    let mut retry = Retry {
        counter: variables.counter(Counted::Retries),
        times_max: times.integer(1..=TIMES_MAX)? as u32,
        statuses: std::iter::empty().collect(),
        failures: Vec::new(),
        backoff_ns: first.as_nanos() as u64,
        backoff_ns_max: longest.as_nanos() as u64,
    };
    let mut statuses = Vec::new();
    for item in on.list()? {
        match item.text() {
            Ok(name) => match name.strip_suffix("xx").map(str::parse::<u16>) {
                Some(Ok(class @ 3..=5)) => statuses.extend(class * 100..class * 100 + 100),
                _ => retry
                    .failures
                    .extend(named(name).map_err(|reason| item.error(reason))?),
            },
            Err(_) => {
                let status = item.integer(200..=999)? as u16;
                if expect.statuses.contains(status) {
                    return Err(item.error(format!(
                        "status {status} is a success of this step (expect; default: 2xx), and only failures are sent again"
                    )));
                }
                statuses.push(status);
            }
        }
    }
    statuses.retain(|status| !expect.statuses.contains(*status));
    retry.statuses = statuses.into_iter().collect();
    match retry.statuses.is_empty() && retry.failures.is_empty() {
        true => Err(on.error(format!("the list is empty; write for example {EXAMPLE}"))),
        false => Ok(retry),
    }
}

/// The failures of a name.
fn named(name: &str) -> Result<Vec<Failure>, String> {
    if let Some((_, failures)) = GROUPS.iter().find(|(group, _)| *group == name) {
        return Ok(failures.to_vec());
    }
    let allowed = || Failure::ALL.into_iter().filter(|it| !NEVER.contains(it));
    if let Some(failure) = allowed().find(|failure| failure.name() == name) {
        return Ok(vec![failure]);
    }
    if name.parse::<u16>().is_ok() {
        return Err(format!("a status is a number without quotes; write {name}"));
    }
    let names = || {
        GROUPS
            .iter()
            .map(|(group, _)| *group)
            .chain(allowed().map(Failure::name))
    };
    let near = did_you_mean(name, names());
    Err(format!(
        "there is no failure \"{name}\" to send again{near} (statuses such as 503 or \"5xx\", or names as in the report: timeout, connect, reset, closed, expectation)"
    ))
}

/// The longest wait before the first retry, and before any: `200ms..10s`, or one for both.
fn read_backoff(item: &Item<'_>) -> Result<(Duration, Duration), ScenarioError> {
    let range = duration::parse_range(&item.text_or_number()?);
    let range = range.map_err(|error| item.error(error.to_string()))?;
    match range.0.is_zero() {
        true => Err(item.error(
            "a retry without a wait only adds load; write for example backoff = \"200ms..10s\"",
        )),
        false => Ok(range),
    }
}
