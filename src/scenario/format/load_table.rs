//! The `[load]` table: the users that a scenario is made for. And stages, as flags and scenarios give them.

use crate::load::closed::{Point, Staircase};
use crate::load::open::RatePoint;
use crate::scenario::model::LoadDefaults;
use crate::text::duration;

use super::place::ScenarioError;
use super::read::read_duration;
use super::toml::Item;

/// Most users.
const USERS_MAX: u64 = 100_000_000;
/// Most iterations per second.
pub const RATE_MAX: f64 = 1e9;

pub(super) fn read_load(item: &Item<'_>) -> Result<LoadDefaults, ScenarioError> {
    let table = item.table()?;
    let users = table.read("users", |item| item.integer(1..=USERS_MAX))?;
    let from = table.get("users_from");
    let users_from = from
        .as_ref()
        .map(|item| item.integer(0..=users.unwrap_or(USERS_MAX)));
    let users_from = users_from.transpose()?;
    let ramp_ns = table.read("ramp", read_duration)?;
    let run_time_ns = table.read("run_time", read_duration)?;
    let stages = table.get("stages");
    let points = stages.as_ref().map(read_stages).transpose()?;
    let step = table.read("step", |item| item.integer(1..=USERS_MAX))?;
    let every_ns = table.read("every", read_duration)?;
    let needs_users = from.or(table.get("ramp")).or(table.get("every"));
    table.finish()?;
    if let Some(stages) = &stages
        && (users.is_some() || needs_users.is_some() || step.is_some())
    {
        return Err(stages.error(
            "stages give the users alone; leave users, users_from, ramp, step and every out",
        ));
    }
    if let (Some(item), None) = (needs_users, users) {
        return Err(item.error("it needs the number of users at the peak beside it: users = 100"));
    }
    let staircase = match (step, every_ns, users) {
        (None, None, _) => None,
        (Some(step), Some(every_ns), Some(users_max)) if every_ns > 0 && ramp_ns.is_none() => {
            Some(Staircase {
                from: users_from.unwrap_or(step),
                step,
                every_ns,
                users_max,
            })
        }
        _ => {
            return Err(item.error(
                "a staircase needs users (its top), users_from, step and every, and no ramp: for example { users_from = 300, step = 50, every = \"5m\", users = 5000 }",
            ));
        }
    };
    Ok(LoadDefaults {
        users,
        users_from: users_from.unwrap_or(0),
        ramp_ns: ramp_ns.unwrap_or(0),
        run_time_ns,
        stages: points.unwrap_or_default(),
        staircase,
    })
}

fn read_stages(item: &Item<'_>) -> Result<Vec<Point>, ScenarioError> {
    let points: Vec<Point> = item
        .list()?
        .iter()
        .map(|item| parse_stage(item.text()?).map_err(|reason| item.error(reason)))
        .collect::<Result<_, _>>()?;
    match points.iter().any(|point| point.users > 0) {
        true => Ok(points),
        false => Err(item.error("no stage has users; write for example [\"10:0s\", \"500:5m\"]")),
    }
}

/// Parses `USERS:DURATION`: the number of users that is reached in a straight line after this time; `10:0s` at once.
///
/// # Errors
/// The reason, and what would be right.
pub fn parse_stage(text: &str) -> Result<Point, String> {
    let (users, after_ns) = stage_parts(text, "users", "500:5m")?;
    let users: u64 = users.parse().map_err(|_| {
        refuse_stage(
            text,
            "it does not begin with a whole number of users",
            "500:5m",
        )
    })?;
    if users > USERS_MAX {
        let why = "that is more than 100,000,000 users";
        return Err(refuse_stage(text, why, "500:5m"));
    }
    Ok(Point { users, after_ns })
}

/// Parses `RATE:DURATION`: the iterations per second that are reached in a straight line after this time; `100:0s` at once.
///
/// # Errors
/// The reason, and what would be right.
pub fn parse_rate_stage(text: &str) -> Result<RatePoint, String> {
    let (rate, after_ns) = stage_parts(text, "rate", "1500:5m")?;
    match rate.parse::<f64>() {
        Ok(rate) if (0.0..=RATE_MAX).contains(&rate) => Ok(RatePoint { rate, after_ns }),
        _ => Err(refuse_stage(
            text,
            "it does not begin with iterations per second, from 0 to 1e9",
            "1500:5m",
        )),
    }
}

/// Splits a stage into its level and its time in nanoseconds.
fn stage_parts<'t>(text: &'t str, what: &str, example: &str) -> Result<(&'t str, u64), String> {
    let Some((level, after)) = text.split_once(':') else {
        let why = format!("it has no colon between {what} and duration");
        return Err(refuse_stage(text, &why, example));
    };
    let after =
        duration::parse(after).map_err(|error| refuse_stage(text, &error.to_string(), example))?;
    Ok((level.trim(), after.as_nanos() as u64))
}

fn refuse_stage(text: &str, why: &str, example: &str) -> String {
    format!("\"{text}\" is not a stage: {why}; write for example {example}")
}
