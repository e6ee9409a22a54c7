//! Numbers and times of flags.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use crate::scenario::format::compile::RATE_MAX;
use crate::text::duration;
use crate::text::units::{grouped, percent};

/// A duration flag.
///
/// # Errors
/// With the flag and what would do instead.
pub fn time(flag: &'static str, text: Option<&str>) -> Result<Option<Duration>> {
    text.map(duration::parse).transpose().context(flag)
}

/// A whole number within bounds.
///
/// # Errors
/// With the flag and the bounds.
pub fn number(flag: &str, text: Option<&str>, min: u64, max: u64) -> Result<Option<u64>> {
    let Some(text) = text else {
        return Ok(None);
    };
    match u64::from_str(text) {
        Ok(number) if (min..=max).contains(&number) => Ok(Some(number)),
        _ => Err(anyhow!(
            "{flag} {text}: give a whole number from {min} to {}",
            grouped(max)
        )),
    }
}

/// A share from 0 to a bound: `5%` or `0.05`.
///
/// # Errors
/// With the flag and the bounds.
pub fn share(flag: &str, text: &str, max: f64) -> Result<f64> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse(),
    };
    match share {
        Ok(share) if (0.0..=max).contains(&share) => Ok(share),
        _ => Err(anyhow!(
            "{flag} {text}: give a share from 0 to {}, for example 5%",
            percent(max)
        )),
    }
}

/// So many of `what` per second.
///
/// # Errors
/// With the flag and the bounds.
pub fn per_second(flag: &str, text: Option<&str>, what: &str) -> Result<Option<f64>> {
    let Some(text) = text else {
        return Ok(None);
    };
    match f64::from_str(text) {
        Ok(rate) if (1e-6..=RATE_MAX).contains(&rate) => Ok(Some(rate)),
        _ => Err(anyhow!(
            "{flag} {text}: give {what} per second, above 0 and at most 1e9, for example 10"
        )),
    }
}
