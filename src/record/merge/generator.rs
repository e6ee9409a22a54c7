//! What the generators of all parts did, and whether the figures can be believed.

use crate::metrics::latencies::Latencies;
use crate::metrics::seconds::Status;
use crate::record::distribution::{add_packed, packed, times};
use crate::record::schema::{
    CalibrationRecord, Generator, GeneratorHistograms, Times, VerdictRecord,
};

use super::error::MergeError;
use super::figures::{Parts, gravity};

/// CPU times are added up, shards stand one after the other, the largest resident memory is that of one process. The
/// verdict is the gravest of the parts, with the findings of all.
///
/// # Errors
/// When a histogram cannot be read.
pub(super) fn generator(parts: &Parts<'_>) -> Result<Generator, MergeError> {
    let generators = || parts.records().map(|record| &record.generator);
    let (turns, turn_us) = added(parts, "turn", |generator| {
        (&generator.histograms.turn, &generator.turn_us)
    })?;
    let (connects, connect_us) = added(parts, "connect", |generator| {
        (&generator.histograms.connect, &generator.connect_us)
    })?;
    Ok(Generator {
        cpu_user_s: generators().map(|generator| generator.cpu_user_s).sum(),
        cpu_system_s: generators().map(|generator| generator.cpu_system_s).sum(),
        rss_max_bytes: generators()
            .map(|generator| generator.rss_max_bytes)
            .max()
            .unwrap_or(0),
        turn_us,
        connect_us,
        screen_cpu_s: generators()
            .filter_map(|generator| generator.screen_cpu_s)
            .reduce(|one, other| one + other),
        histograms: GeneratorHistograms {
            turn: packed(&turns),
            connect: packed(&connects),
        },
        shards: generators()
            .flat_map(|generator| generator.shards.clone())
            .collect(),
        verdict: VerdictRecord {
            status: gravest(generators().map(|generator| generator.verdict.status.as_str())),
            reasons: parts.said(|record| &record.generator.verdict.reasons),
        },
        calibration: least_reserve(generators()),
    })
}

/// The calibration of the part that had the least to spare.
fn least_reserve<'g>(generators: impl Iterator<Item = &'g Generator>) -> Option<CalibrationRecord> {
    let times = |found: &CalibrationRecord| found.times.unwrap_or(f64::INFINITY);
    let found = generators.filter_map(|generator| generator.calibration.clone());
    found.min_by(|one, other| times(one).total_cmp(&times(other)))
}

/// One distribution of all generators. Records of before generators kept their histograms leave it unknown.
fn added(
    parts: &Parts<'_>,
    place: &str,
    of: impl Fn(&Generator) -> (&String, &Times),
) -> Result<(Latencies, Times), MergeError> {
    let mut sum = Latencies::default();
    for part in parts.iter() {
        let (histogram, figures) = of(&part.record.generator);
        if histogram.is_empty() && figures.count > 0 {
            return Ok((Latencies::default(), Times::default()));
        }
        add_packed(&mut sum, histogram, figures)
            .map_err(|reason| MergeError::unreadable(part.name, place, &reason))?;
    }
    let figures = times(&sum);
    Ok((sum, figures))
}

/// The gravest of several statuses.
pub(super) fn gravest<'s>(statuses: impl Iterator<Item = &'s str>) -> String {
    let gravest = statuses.min_by_key(|status| gravity(status));
    gravest.unwrap_or(Status::Valid.name()).to_owned()
}
