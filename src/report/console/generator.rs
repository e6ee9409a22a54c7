//! The generator: what this machine can do beside what the run needed (`opsurge calibrate`), and the stretches of the run
//! in which it, the machine or a limit casts doubt on the figures.

use super::page::{Colour, Page, Paint};
use crate::metrics::seconds::{Cause, Causes, Status};
use crate::record::schema::{CalibrationRecord, Record, SampleRecord};
use crate::text::units::{ago, counted, grouped, percent, rate, three_digits, time};

/// With less reserve than this, the short form warns.
const RESERVE_MIN: f64 = 3.0;
/// A longer stretch without a sample is the pause between two runs, in seconds.
const PAUSE_S_MIN: f64 = 0.5;
/// Doubtful stretches that are shown, the first ones.
const STRETCHES_MAX: usize = 20;

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

/// What the console says of the calibration: the reserve. `None` without one.
pub(in crate::report) fn reserve_of(record: &Record) -> Option<String> {
    let known = record.generator.calibration.as_ref()?;
    Some(reserve(known, known.times?))
}

/// Consecutive samples of the load with one verdict that is not VALID.
pub(in crate::report) struct Stretch<'r> {
    /// Its begin, in seconds since the start.
    pub from_s: f64,
    /// Its end, in seconds since the start.
    pub to_s: f64,
    /// Its verdict.
    pub verdict: &'r str,
    causes: Causes,
}

impl Stretch<'_> {
    /// Its causes of doubt with their worst figures, as phrases with commas between them.
    pub fn causes(&self) -> String {
        let found = self.causes.found();
        let phrases: Vec<String> = found.map(|(cause, figure)| shown(cause, figure)).collect();
        phrases.join(", ")
    }
}

/// `12 s to 18 s: GENERATOR-LIMITED, a shard worked 97 % of the time`, a line for each doubtful stretch.
pub(super) fn doubtful(page: &mut Page, record: &Record) {
    let stretches = stretches(&record.series);
    for stretch in stretches.iter().take(STRETCHES_MAX) {
        let causes = stretch.causes();
        let comma = if causes.is_empty() { "" } else { ", " };
        let text = format!(
            "DOUBTFUL: {} s to {} s: {}{comma}{causes}",
            second(stretch.from_s),
            second(stretch.to_s),
            stretch.verdict
        );
        page.paragraph(Paint::Words(Colour::Yellow, stretch.verdict), &text);
    }
    let left = stretches.len().saturating_sub(STRETCHES_MAX);
    if left > 0 {
        page.remark(&format!(
            "and {} more; the record's series has all",
            grouped(left as u64)
        ));
    }
}

/// The doubtful stretches of a series, in order.
pub(in crate::report) fn stretches(series: &[SampleRecord]) -> Vec<Stretch<'_>> {
    let mut stretches: Vec<Stretch<'_>> = Vec::new();
    let mut is_open = false;
    for sample in series.iter().filter(|sample| !sample.is_drain) {
        let is_doubtful = sample.verdict != Status::Valid.name();
        let last = stretches
            .last_mut()
            .filter(|last| is_open && last.verdict == sample.verdict)
            // Beyond a pause lies another run.
            .filter(|last| sample.t_s - sample.length_s - last.to_s < PAUSE_S_MIN);
        match last {
            _ if !is_doubtful => {}
            Some(last) => {
                last.to_s = sample.t_s;
                last.causes += &causes(sample);
            }
            None => stretches.push(Stretch {
                from_s: sample.t_s - sample.length_s,
                to_s: sample.t_s,
                verdict: &sample.verdict,
                causes: causes(sample),
            }),
        }
        is_open = is_doubtful;
    }
    stretches
}

fn causes(sample: &SampleRecord) -> Causes {
    let mut causes = Causes::default();
    for cause in Cause::ALL {
        if let Some(figure) = sample.causes.get(cause.name()) {
            causes.add(cause, *figure);
        }
    }
    causes
}

/// A finding with the figure that crossed its threshold, as records have it.
fn shown(cause: Cause, figure: f64) -> String {
    match cause {
        Cause::Silent => format!("no answer, the oldest request open for {}", time(figure)),
        Cause::Busy => format!("a shard worked {} of the time", percent(figure)),
        Cause::LongTurns => format!("a turn of its own work took {}", time(figure)),
        Cause::Behind => format!(
            "{} iterations were due and not begun",
            grouped(figure as u64)
        ),
        Cause::InLine => format!("{} of requests waited for a connection", percent(figure)),
        Cause::CoreTaken => format!(
            "a shard waited for its core {} of the time",
            percent(figure)
        ),
        Cause::Stolen => format!("the hypervisor took {} of the machine", percent(figure)),
        Cause::Throttled => format!("the CPU quota stopped it for {}", time(figure)),
        Cause::Stopped => format!("a shard did not run for {}", time(figure)),
    }
}

/// A moment, without a point where it is a whole second.
fn second(s: f64) -> String {
    let tenths = (s * 10.0).round() / 10.0;
    match tenths.fract() == 0.0 {
        true => format!("{tenths:.0}"),
        false => format!("{tenths:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(end_s: f64, verdict: &str, causes: &serde_json::Value) -> SampleRecord {
        serde_json::from_value(serde_json::json!({
            "t_s": end_s, "length_s": 1.0, "is_drain": end_s > 9.0, "users": 1, "rps": 1.0, "failures_per_s": 0.0,
            "p50_us": null, "p95_us": null, "p99_us": null, "max_us": null, "busy": 0.1, "core_waited": 0.0,
            "turn_us_max": 0.0, "stopped_us_max": 0.0, "late": 0, "verdict": verdict, "seconds": {},
            "causes": causes, "steps": []
        }))
        .expect("a sample")
    }

    #[test]
    fn neighbouring_seconds_of_one_verdict_are_one_stretch_with_its_worst_figures() {
        let taken = |share: f64| serde_json::json!({ "core_waited": share, "unknown": 1.0 });
        let none = serde_json::json!({});
        let series = [
            sample(1.0, "VALID", &none),
            sample(2.0, "MACHINE-DISTURBED", &taken(0.3)),
            sample(3.0, "MACHINE-DISTURBED", &taken(0.43)),
            sample(
                4.0,
                "GENERATOR-LIMITED",
                &serde_json::json!({ "busy": 0.97, "turn_us": 1_500.0 }),
            ),
            sample(5.0, "VALID", &none),
            sample(6.0, "MACHINE-DISTURBED", &taken(0.25)),
            sample(10.0, "MACHINE-DISTURBED", &taken(0.25)),
        ];
        let found: Vec<String> = stretches(&series)
            .iter()
            .map(|it| {
                let causes = it.causes.found();
                let causes: String = causes
                    .map(|(cause, figure)| format!(", {}", shown(cause, figure)))
                    .collect();
                format!(
                    "{} to {}: {}{causes}",
                    second(it.from_s),
                    second(it.to_s),
                    it.verdict
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                "1 to 3: MACHINE-DISTURBED, a shard waited for its core 43 % of the time",
                "3 to 4: GENERATOR-LIMITED, a shard worked 97 % of the time, a turn of its own work took 1.50 ms",
                "5 to 6: MACHINE-DISTURBED, a shard waited for its core 25 % of the time",
            ]
        );
    }

    #[test]
    fn a_reserve_is_told_with_its_age_and_a_lower_bound_as_one() {
        let known = |is_at_least| CalibrationRecord {
            made_at: "2026-11-23T10:00:00Z".into(),
            age_s: 260_000.0,
            shards: 1,
            ceiling_rps: 182_345.0,
            is_at_least,
            needed_rps: 4_447.0,
            times: None,
            floor_p50_us: None,
            floor_p99_us: None,
        };
        assert_eq!(
            reserve(&known(false), 41.0),
            "this box can generate 41 times what this run needed (opsurge calibrate, 3 days ago): 182,345/s against 4,447/s in its busiest second, by 1 shard"
        );
        assert!(reserve(&known(true), 1.52).contains("can generate at least 1.5 times"));
        assert!(reserve(&known(false), 1.52).contains("can generate only 1.5 times"));
    }
}
