//! The generator beside what this machine can do: the calibration that `opsurge calibrate` kept.

use super::page::{Colour, Page, Paint};
use crate::record::schema::{CalibrationRecord, Record};
use crate::text::units::{ago, counted, rate, three_digits, time};

/// With less reserve than this, the short form warns.
const RESERVE_MIN: f64 = 3.0;

/// The whole: reserve and floor.
pub(super) fn calibration(page: &mut Page, record: &Record) {
    let Some(known) = &record.generator.calibration else {
        return;
    };
    if let Some(times) = known.times {
        page.paragraph(
            Paint::Nothing,
            &format!("calibration: {}", reserve(known, times)),
        );
    }
    if let (Some(p50), Some(p99)) = (known.floor_p50_us, known.floor_p99_us) {
        let floor = format!(
            "an answer that is there at once takes this box p50 {}, p99 {}",
            time(p50),
            time(p99)
        );
        page.remark(&floor);
    }
}

/// A warning when the reserve is small; a lower bound of it warns of nothing.
pub(super) fn small_reserve(page: &mut Page, record: &Record) {
    let known = record.generator.calibration.as_ref();
    let Some((known, times)) = known.and_then(|known| Some((known, known.times?))) else {
        return;
    };
    if times < RESERVE_MIN && !known.is_at_least {
        let text = format!(
            "NOTE: {}: the times may contain its own queue; give the generator more cores, or spread the load over more machines",
            reserve(known, times)
        );
        page.paragraph(Paint::Words(Colour::Yellow, "NOTE:"), &text);
    }
}

/// `this box can generate 41 times what this run needed (opsurge calibrate, 3 days ago): ...`.
fn reserve(known: &CalibrationRecord, times: f64) -> String {
    let at_least = if known.is_at_least { "at least " } else { "" };
    let only = if times < RESERVE_MIN && !known.is_at_least {
        "only "
    } else {
        ""
    };
    let shown = match times {
        times if times >= 9.95 => three_digits(times.round()).replace(".0", ""),
        times => format!("{times:.1}"),
    };
    format!(
        "this box can generate {at_least}{only}{shown} times what this run needed (opsurge calibrate, {}): {} against {} in its busiest second, by {}",
        ago(known.age_s),
        rate(known.ceiling_rps),
        rate(known.needed_rps),
        counted(known.shards as u64, "shard")
    )
}
