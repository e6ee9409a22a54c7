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

pub(super) fn read_wait(item: &Item<'_>) -> Result<Wait, ScenarioError> {
    Wait::parse(&item.text_or_number()?).map_err(|error| item.error(error.to_string()))
}

/// The contents of the file that an item names.
pub(super) fn read_file(item: &Item<'_>, context: &Context<'_>) -> Result<Shared, ScenarioError> {
    let name = item.text()?;
    (context.read)(name).map_err(|reason| item.error(format!("{name} cannot be read: {reason}")))
}
