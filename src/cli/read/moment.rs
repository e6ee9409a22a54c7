//! `--start-at`: a moment of the wall clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};

use crate::text::duration;

const DAY_S: u64 = 86_400;

/// Reads a moment: RFC 3339 (`2026-11-26T18:00:00Z`, an offset is allowed), `HH:MM:SS` in UTC (the nearest such moment,
/// past or to come: a process that is late must not wait for tomorrow), or `+30s` from `now`.
///
/// # Errors
/// With the forms that there are.
pub fn moment(text: &str, now: SystemTime) -> Result<SystemTime> {
    if let Some(after) = text.strip_prefix('+') {
        let after = duration::parse(after).with_context(|| format!("--start-at {text}"))?;
        return Ok(now + after);
    }
    let found = match time_of_day_s(text) {
        Some(second) => nearest(second, now),
        None => rfc_3339(text),
    };
    found.ok_or_else(|| {
        anyhow!(
            "--start-at {text}: give a moment as 2026-11-26T18:00:00Z, a time of day in UTC as 18:00:00, or +30s from now"
        )
    })
}

/// The second of the day of `HH:MM:SS`.
fn time_of_day_s(text: &str) -> Option<u64> {
    let mut fields = text.split(':').map(two_digits);
    let (hour, minute, second) = (fields.next()??, fields.next()??, fields.next()??);
    let is_whole = fields.next().is_none() && hour < 24 && minute < 60 && second < 60;
    is_whole.then_some(hour * 3_600 + minute * 60 + second)
}

fn two_digits(text: &str) -> Option<u64> {
    let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

/// The nearest moment at a second of the day.
fn nearest(second: u64, now: SystemTime) -> Option<SystemTime> {
    let now_s = now.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let today_s = now_s / DAY_S * DAY_S + second;
    let days = [today_s.checked_sub(DAY_S)?, today_s, today_s + DAY_S];
    let nearest_s = days.into_iter().min_by_key(|day_s| day_s.abs_diff(now_s))?;
    Some(UNIX_EPOCH + Duration::from_secs(nearest_s))
}

/// RFC 3339 (section 5.6), with `Z` or an offset.
fn rfc_3339(text: &str) -> Option<SystemTime> {
    if let Ok(moment) = humantime::parse_rfc3339(text) {
        return Some(moment);
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let (sign, offset) = offset.split_at_checked(1)?;
    let (hours, minutes) = offset.split_once(':')?;
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    let offset = Duration::from_secs(hours * 3_600 + minutes * 60);
    let local = humantime::parse_rfc3339(&format!("{local}Z")).ok()?;
    match (sign, hours < 24 && minutes < 60) {
        ("+", true) => local.checked_sub(offset),
        ("-", true) => local.checked_add(offset),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SystemTime {
        humantime::parse_rfc3339(text).expect("a time")
    }

    #[test]
    fn a_moment_is_a_time_with_its_zone_a_time_of_day_or_a_time_from_now() {
        let check = |text: &str, now: &str, expected: &str| {
            assert_eq!(moment(text, at(now)).ok(), Some(at(expected)), "{text}");
        };
        let noon = "2026-11-26T12:00:00Z";
        check("2026-11-26T18:00:00Z", noon, "2026-11-26T18:00:00Z");
        check("2026-11-26T18:00:00.25Z", noon, "2026-11-26T18:00:00.25Z");
        check("2026-11-26T18:00:00+02:00", noon, "2026-11-26T16:00:00Z");
        check("2026-11-26T18:00:00-00:30", noon, "2026-11-26T18:30:00Z");
        check("+30s", noon, "2026-11-26T12:00:30Z");
        check("13:00:00", noon, "2026-11-26T13:00:00Z");
        check("11:59:58", noon, "2026-11-26T11:59:58Z");
        check("00:00:10", "2026-11-26T23:59:50Z", "2026-11-27T00:00:10Z");
        check("23:59:50", "2026-11-26T00:00:10Z", "2026-11-25T23:59:50Z");
    }

    #[test]
    fn what_is_no_moment_is_refused_with_the_forms_there_are() {
        for text in [
            "",
            "soon",
            "25:00:00",
            "1:2:3",
            "12:00",
            "2026-11-26T18:00:00",
            "2026-11-26T18:00:00+25:00",
            "é+02:00",
        ] {
            let error = moment(text, UNIX_EPOCH + Duration::from_secs(DAY_S * 2));
            let error = error.expect_err(text).to_string();
            assert!(error.contains("+30s from now"), "{error}");
        }
        let error = moment("+soon", UNIX_EPOCH).expect_err("no duration");
        assert!(
            format!("{error:#}").starts_with("--start-at +soon"),
            "{error:#}"
        );
    }
}
