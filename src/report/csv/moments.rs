//! Moments of a run as calendars write them.
//!
//! A moment is the time since 1970, so that nothing here can read a clock.

use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result};

/// The first second since 1970 that RFC 3339 cannot write.
const YEAR_10000_S: u64 = 253_402_300_800;

/// When a run started, since 1970, from the record's `started_at`.
///
/// # Errors
/// When that is not a time in RFC 3339 form.
pub(super) fn start(started_at: &str) -> Result<Duration> {
    let start = humantime::parse_rfc3339(started_at)
        .context("the record's started_at is not an RFC 3339 time")?;
    // RFC 3339 as it is parsed here begins with the year 1970.
    Ok(start.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// So many seconds after a start; `None` when no calendar has that moment, as in a record that was changed by hand.
pub(super) fn after(start: Duration, s: f64) -> Option<Duration> {
    let moment = start.checked_add(Duration::try_from_secs_f64(s).ok()?)?;
    (moment.as_secs() < YEAR_10000_S).then_some(moment)
}

/// A moment of [`after`] in RFC 3339 form, in UTC, to the millisecond.
pub(super) fn rfc3339(moment: Duration) -> String {
    humantime::format_rfc3339_millis(UNIX_EPOCH + moment).to_string()
}
