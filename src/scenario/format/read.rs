//! Values that several tables of a scenario have: durations, waits, files.

use crate::http::request::Shared;
use crate::scenario::wait::Wait;
use crate::text::duration;

use super::context::Context;
use super::place::ScenarioError;
use super::toml::Item;

/// A duration in nanoseconds.
pub(super) fn read_duration(item: &Item<'_>) -> Result<u64, ScenarioError> {
    let parsed = duration::parse(&item.text_or_number()?);
    let parsed = parsed.map_err(|error| item.error(error.to_string()))?;
    Ok(parsed.as_nanos() as u64)
}

/// A duration of a step in nanoseconds: a large number needs its unit.
pub(super) fn read_short(item: &Item<'_>) -> Result<u64, ScenarioError> {
    check_unit(item)?;
    read_duration(item)
}

/// From this number on, a time without a unit is taken for a mistake: milliseconds, as other tools count.
const PLAIN_SECONDS_MAX: f64 = 600.0;

/// Refuses a short time that is a large number without a unit.
///
/// # Errors
/// What the number would mean, and how to write both meanings.
fn check_unit(item: &Item<'_>) -> Result<(), ScenarioError> {
    let text = item.text_or_number()?;
    match text.trim().parse::<f64>() {
        Ok(number) if number > PLAIN_SECONDS_MAX => Err(item.error(format!(
            "{text} without a unit is {text} seconds; write \"{text}ms\" or \"{text}s\""
        ))),
        _ => Ok(()),
    }
}

pub(super) fn read_wait(item: &Item<'_>) -> Result<Wait, ScenarioError> {
    check_unit(item)?;
    Wait::parse(&item.text_or_number()?).map_err(|error| item.error(error.to_string()))
}

/// Longest body from a file.
pub(super) const FILE_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// The contents of the file that an item names.
pub(super) fn read_file(item: &Item<'_>, context: &Context<'_>) -> Result<Shared, ScenarioError> {
    let name = item.text()?;
    (context.read)(name).map_err(|reason| item.error(format!("{name} cannot be read: {reason}")))
}
