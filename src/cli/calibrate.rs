//! `opsurge calibrate`: what this machine can generate for a scenario, and how fast an answer can be on it.

use anyhow::Result;

use crate::analysis::seconds::{BUSY_MAX, CORE_WAITED_MAX};
use crate::record::schema::Calibration;
use crate::session::calibrate::{Found, Phase, calibrate as carry_out};
use crate::session::calibration;
use crate::session::exit::{Exit, cannot};
use crate::session::output::{columns, note, print};
use crate::text::printable::in_one_line;
use crate::text::units::{counted, percent, rate, three_digits, time};
use crate::text::wrap::wrap;

use super::args::CalibrateArgs;
use super::read;

/// A narrower terminal is treated as one of this width.
const WIDTH_MIN: usize = 20;
const INDENT: &str = "  ";

/// Carries out the command.
pub fn calibrate(mut args: CalibrateArgs) -> Result<Exit> {
    let is_quiet = args.run.quiet;
    let job = read::calibrate::job(&mut args.run)?;
    let folder = calibration::folder();
    if let Some(folder) = &folder {
        cannot(calibration::check(folder))?;
    }
    let found = carry_out(job, &mut |phase| {
        if !is_quiet {
            note(match phase {
                Phase::Floor => "calibrating: one request at a time, for the floor of the latency",
                Phase::Ceiling => "calibrating: as many requests as possible, for the ceiling",
            });
        }
    })?;
    let Some(found) = found else {
        note("interrupted: nothing is kept");
        return Ok(Exit::INTERRUPTED);
    };
    let kept = folder.map(|folder| calibration::keep(&folder, &found.calibration));
    let kept = cannot(kept.transpose())?;
    let kept = kept.map(|path| path.display().to_string());
    print(text(&found, kept.as_deref(), columns(std::io::stdout())));
    Ok(Exit::OK)
}

fn text(found: &Found, kept: Option<&str>, width: usize) -> String {
    let it = &found.calibration;
    let mut paragraphs = vec![
        format!(
            "opsurge {}, scenario {} without its waits: {}, {}{}, {}{}",
            it.of.version,
            it.of.scenario,
            counted(it.shards as u64, "shard"),
            counted(it.of.connections, "connection"),
            match it.of.pipeline {
                1 => String::new(),
                depth => format!(", pipeline {depth}"),
            },
            it.of.backend,
            if it.of.is_encrypted { ", over TLS" } else { "" }
        ),
        String::new(),
        ceiling(it),
        format!("{INDENT}{}", limit(found)),
    ];
    if let (Some(p50), Some(p99)) = (it.floor_p50_us, it.floor_p99_us) {
        paragraphs.push(format!(
            "FLOOR: service p50 {}, p99 {}: one request at a time, answered at once",
            time(p50),
            time(p99)
        ));
    }
    if cfg!(debug_assertions) {
        paragraphs
            .push("NOTE: a debug build: its figures say nothing about a release build".into());
    }
    paragraphs.push(String::new());
    let mut lines: Vec<String> = Vec::new();
    for paragraph in &paragraphs {
        let first = if paragraph.starts_with(INDENT) {
            INDENT
        } else {
            ""
        };
        lines.extend(wrap(
            &in_one_line(paragraph),
            width.max(WIDTH_MIN),
            first,
            INDENT,
        ));
    }
    // A path that can be copied stays in one piece.
    lines.push(match kept {
        Some(path) => format!("Kept: {}", in_one_line(path)),
        None => "Not kept: neither XDG_CACHE_HOME nor HOME is set".into(),
    });
    let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    lines.join("\n") + "\n"
}

/// `CEILING: 182,345/s (181,002 to 183,688), 182,345/s per core, 5.31 us of CPU per request`.
fn ceiling(it: &Calibration) -> String {
    let at_least = if it.is_at_least { "at least " } else { "" };
    let interval = match (it.ceiling_rps_low, it.ceiling_rps_high) {
        (Some(low), Some(high)) => format!(" ({} to {})", three_digits(low), three_digits(high)),
        _ => String::new(),
    };
    format!(
        "CEILING: {at_least}{}{interval}, {} per core, {} us of CPU per request",
        rate(it.ceiling_rps),
        rate(it.ceiling_rps / it.shards.max(1) as f64),
        three_digits(it.cpu_us_per_request)
    )
}

/// What kept the rate from being higher.
fn limit(found: &Found) -> String {
    let it = &found.calibration;
    let busy = format!(
        "its busiest core worked {} of the time, the responder's {}",
        percent(it.busy),
        percent(it.responder_busy)
    );
    match (found.cores_shared, it.is_at_least) {
        (true, _) => format!(
            "generator and responder, or several shards, share a core: with cores of its own the generator can do more; {busy}"
        ),
        (false, false) => {
            format!(
                "the generator was the limit, which is what is wanted here: {busy}; without any idle time it would make {}",
                rate(it.ceiling_rps / it.busy)
            )
        }
        (false, true) if it.responder_busy > BUSY_MAX => {
            format!("the responder was the limit, and the generator can do more: {busy}")
        }
        (false, true) if it.core_waited > CORE_WAITED_MAX => format!(
            "other programs had a core of the generator for {} of the time, which raises the floor too: {busy}; stop them and calibrate again",
            percent(it.core_waited)
        ),
        (false, true) => format!(
            "neither the generator nor the responder was the limit: {busy}; give more users or --connections"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::schema::{CALIBRATION_SCHEMA, Calibrated};

    fn found(busy: f64, responder_busy: f64) -> Found {
        Found {
            calibration: Calibration {
                schema: CALIBRATION_SCHEMA.into(),
                of: Calibrated {
                    cpu: "a processor".into(),
                    cores: 2,
                    kernel: "6.18".into(),
                    version: "0.1.0".into(),
                    scenario: "shop".into(),
                    checksum: "0".into(),
                    connections: 50,
                    pipeline: 1,
                    backend: "io_uring".into(),
                    is_encrypted: false,
                },
                shards: 2,
                made_at: "2026-11-23T10:00:00Z".into(),
                ceiling_rps: 200_000.0,
                ceiling_rps_low: Some(198_000.0),
                ceiling_rps_high: Some(202_000.0),
                is_at_least: busy <= BUSY_MAX,
                cpu_us_per_request: 5.0,
                busy,
                core_waited: 0.0,
                responder_busy,
                floor_p50_us: Some(30.0),
                floor_p99_us: Some(60.0),
            },
            cores_shared: false,
        }
    }

    #[test]
    fn the_ceiling_stands_with_its_interval_and_with_what_was_the_limit() {
        let shown = |busy, responder| text(&found(busy, responder), Some("/x/y.json"), 400);
        let limited = shown(0.99, 0.8);
        for part in [
            "CEILING: 200,000/s (198,000 to 202,000), 100,000/s per core, 5.00 us of CPU per request\n",
            "  the generator was the limit, which is what is wanted here: its busiest core worked 99 % of the time, the responder's \
             80 %; without any idle time it would make 202,020/s\n",
            "FLOOR: service p50 30 us, p99 60 us",
            "\nKept: /x/y.json\n",
        ] {
            assert!(limited.contains(part), "{part} in {limited}");
        }
        assert!(shown(0.8, 0.99).contains("CEILING: at least 200,000/s"));
        assert!(shown(0.8, 0.99).contains("the responder was the limit"));
        assert!(shown(0.5, 0.5).contains("give more users or --connections"));
    }

    #[test]
    fn no_line_is_wider_than_the_page() {
        for width in [60, 80, 120] {
            let text = text(&found(0.99, 0.8), None, width);
            assert!(
                text.lines().all(|line| line.chars().count() <= width),
                "{text}"
            );
        }
    }
}
