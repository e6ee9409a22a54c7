//! The offsets of records on a common time axis: by their wall clocks, or by their common start.
//!
//! Latencies never cross machines: an error of a clock moves the seconds of one part against those of another, and nothing
//! else.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use crate::record::schema::{MachineInfo, Record};
use crate::text::units::time;

use super::error::MergeError;

/// Clocks that may differ by no more than this are trusted without a word.
const SILENT_US_MAX: u64 = 50_000;
/// Clocks that may differ by more than this are not used.
const USABLE_US_MAX: u64 = 500_000;

/// How records get their places on the common time axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// By the wall clock: the differences of their `started_at`.
    Clock,
    /// By the start: all started at the same moment, apart from what `--start-at` says that they were late.
    Start,
}

/// The places of records on the common time axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Alignment {
    /// By record: its start, in seconds since that of the earliest.
    pub offsets_s: Vec<f64>,
    /// How the offsets were found.
    pub by: Align,
    /// What has to be said about it: how exact the clocks were, or why they were not used.
    pub note: Option<String>,
}

/// The offsets of records. Without `asked`, by the wall clock where the clocks are good enough, else by the start.
///
/// # Errors
/// When a `started_at` is not an RFC 3339 time and the wall clock is to be used.
pub fn align(parts: &[(String, Record)], asked: Option<Align>) -> Result<Alignment, MergeError> {
    let doubt = doubt(parts);
    let by = asked.unwrap_or(match &doubt {
        Some(Doubt::NotUsable(_)) => Align::Start,
        _ => Align::Clock,
    });
    let offsets_s = match by {
        Align::Clock => offsets_by_clock(parts)?,
        Align::Start => parts.iter().map(|(_, record)| late_s(record)).collect(),
    };
    let note = match (by, doubt) {
        (_, None) | (Align::Start, Some(Doubt::Inexact(_))) => None,
        (Align::Start, Some(Doubt::NotUsable(_))) if asked.is_some() => None,
        (Align::Start, Some(Doubt::NotUsable(why))) => Some(format!(
            "{why}: the seconds are joined by the common start instead; --align clock takes the clocks all the same"
        )),
        (Align::Clock, Some(Doubt::Inexact(why) | Doubt::NotUsable(why))) => Some(format!(
            "{why}: the seconds of the parts may be shifted against each other by that much; no latency is touched by it"
        )),
    };
    Ok(Alignment {
        offsets_s,
        by,
        note,
    })
}

/// A reason to doubt the wall clocks.
enum Doubt {
    /// They are good enough, and it has to be said how good.
    Inexact(String),
    /// They cannot be used.
    NotUsable(String),
}

fn doubt(parts: &[(String, Record)]) -> Option<Doubt> {
    let machines = machines(parts);
    let kernels: BTreeSet<&str> = machines
        .iter()
        .map(|(_, machine)| machine.boot_id.as_str())
        .collect();
    if kernels.len() == 1 && !kernels.contains("") {
        // All on one machine: there is one clock.
        return None;
    }
    let mut worst: Option<(u64, &str)> = None;
    for (name, machine) in machines {
        let Some(clock) = machine.clock else {
            return Some(Doubt::NotUsable(format!(
                "{name} does not say how exact its machine's clock was"
            )));
        };
        if !(clock.start.is_synchronised && clock.end.is_synchronised) {
            return Some(Doubt::NotUsable(format!(
                "the clock of {name}'s machine was not synchronised (start chronyd or systemd-timesyncd there)"
            )));
        }
        let error_us = clock.start.error_us_max.max(clock.end.error_us_max);
        if worst.is_none_or(|(most_us, _)| error_us > most_us) {
            worst = Some((error_us, name));
        }
    }
    let (error_us, name) = worst?;
    let shown = format!(
        "the clock of {name}'s machine may have been wrong by {}",
        time(error_us as f64)
    );
    match error_us {
        error_us if error_us > USABLE_US_MAX => Some(Doubt::NotUsable(shown)),
        error_us if error_us > SILENT_US_MAX => Some(Doubt::Inexact(shown)),
        _ => None,
    }
}

/// The machines of all parts, those of merged records included, each with the name of its part.
fn machines(parts: &[(String, Record)]) -> Vec<(&str, &MachineInfo)> {
    let machines = parts.iter().flat_map(|(name, record)| {
        let own = record.run.parts.is_empty();
        let own = own.then_some((name.as_str(), &record.run.machine));
        let merged = record.run.parts.iter();
        own.into_iter()
            .chain(merged.map(|part| (part.name.as_str(), &part.machine)))
    });
    machines.collect()
}

fn offsets_by_clock(parts: &[(String, Record)]) -> Result<Vec<f64>, MergeError> {
    let starts: Result<Vec<Duration>, MergeError> = parts
        .iter()
        .map(|(name, record)| {
            let text = &record.run.started_at;
            let since = humantime::parse_rfc3339(text)
                .ok()
                .and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
            since.ok_or_else(|| {
                MergeError(format!(
                    "{name}: its started_at, \"{text}\", is not an RFC 3339 time; --align start does without it"
                ))
            })
        })
        .collect();
    let starts = starts?;
    let earliest = starts.iter().min().copied().unwrap_or_default();
    let starts = starts.into_iter();
    Ok(starts
        .map(|start| (start - earliest).as_secs_f64())
        .collect())
}

/// How much later than its `--start-at` a run started, in seconds.
fn late_s(record: &Record) -> f64 {
    let start_at = record.run.start_at.as_ref();
    start_at.map_or(0.0, |start_at| start_at.late_s)
}
