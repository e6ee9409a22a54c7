//! What the figures are of: a part of the run, and whether its beginning was slower than the rest.

use std::fmt::Write;
use std::time::Duration;

use super::page::{Colour, Page, Paint};
use crate::record::schema::{Record, SliceRecord, WarmUpRecord};
use crate::text::duration;
use crate::text::units::{percent, three_digits, time};

/// `PART: 12.0 s to 60.0 s of 60.0 s of load`, and what is not known of it.
pub(super) fn line(page: &mut Page, record: &Record) {
    let Some(slice) = &record.slice else {
        return;
    };
    page.paragraph(
        Paint::Words(Colour::Yellow, keyword(slice)),
        &slice_text(slice),
    );
}

/// Everything that the console says of the part, the warm-up and the drift, as lines.
pub(in crate::report) fn lines(record: &Record) -> Vec<String> {
    let slice = record.slice.as_ref();
    let from_s = slice.map_or(0.0, |slice| slice.from_s);
    let found = record.warm_up.as_ref();
    let lines = [
        slice.map(slice_text),
        found.and_then(|found| beginning(found, from_s)),
        found.and_then(drift),
    ];
    lines.into_iter().flatten().collect()
}

fn keyword(slice: &SliceRecord) -> &'static str {
    match slice.settled {
        true => "SETTLED:",
        false => "PART:",
    }
}

fn slice_text(slice: &SliceRecord) -> String {
    format!("{} {}", keyword(slice), said(slice))
}

fn said(slice: &SliceRecord) -> String {
    let (from, to, of) = (
        three_digits(slice.from_s),
        three_digits(slice.to_s),
        three_digits(slice.of_s),
    );
    let rest = slice.not_sliced.join(", ");
    match (slice.settled, rest.is_empty()) {
        (true, true) => format!("the first {from} s of {of} s of load are in no figure"),
        (true, false) => format!(
            "the first {from} s of {of} s of load are in no figure but these, which are of the whole run: {rest}"
        ),
        (false, true) => format!("{from} s to {to} s of {of} s of load"),
        (false, false) => {
            format!(
                "{from} s to {to} s of {of} s of load; not known by second, and left out: {rest}"
            )
        }
    }
}

/// `WARM-UP: in the first 12.0 s the answers were slower (mean 3.20 ms, then 1.10 ms); ...`, and a trend of the rest.
pub(super) fn warm_up(page: &mut Page, record: &Record) {
    let Some(found) = &record.warm_up else {
        return;
    };
    let from_s = record.slice.as_ref().map_or(0.0, |slice| slice.from_s);
    if let Some(text) = beginning(found, from_s) {
        page.paragraph(Paint::Words(Colour::Yellow, "WARM-UP:"), &text);
    }
    if let Some(text) = drift(found) {
        page.paragraph(Paint::Words(Colour::Yellow, "DRIFT:"), &text);
    }
}

fn drift(found: &WarmUpRecord) -> Option<String> {
    let drift = found.drift?;
    let how = match drift > 0.0 {
        true => "slower",
        false => "faster",
    };
    Some(format!(
        "DRIFT: within the second half of the load{} the answers became {} {how}, so that no figure holds for longer; run longer, or find what changes",
        of_part(found),
        percent(drift.abs())
    ))
}

/// A slice leaves out the beginning of one run; where runs or parts have several, each must leave out its own.
fn cure(found: &WarmUpRecord, settled_s: f64) -> String {
    match found.part {
        Some(_) => {
            "opsurge run --settle auto leaves out the beginning of each run, which here".into()
        }
        None => format!(
            "opsurge report RECORD --from {}",
            duration::show(Duration::from_secs_f64((settled_s * 1e3).round() / 1e3))
        ),
    }
}

/// ` of run 2`, where what was found is that of one run or part.
fn of_part(found: &WarmUpRecord) -> String {
    let part = found.part.as_ref();
    part.map_or(String::new(), |part| format!(" of {part}"))
}

/// `from_s`: load time that the figures leave out already.
fn beginning(found: &WarmUpRecord, from_s: f64) -> Option<String> {
    let Some(settled_s) = found.settled_from_s else {
        return Some(format!(
            "WARM-UP: the first half of the load{} is unlike the second throughout: the run had not settled; run longer",
            of_part(found)
        ));
    };
    let (before, after) = (found.mean_before_us?, found.mean_after_us?);
    let how = match before > after {
        true => "slower",
        false => "faster",
    };
    let first = match from_s > 0.0 {
        true => format!("up to {} s", three_digits(settled_s)),
        false => format!("in the first {} s", three_digits(settled_s)),
    };
    let mut text = format!(
        "WARM-UP: {first}{} the answers were {how} (mean {}, then {}); {}",
        of_part(found),
        time(before),
        time(after),
        cure(found, settled_s)
    );
    if let Some(p99) = found.p99_after_us {
        let _ = write!(text, " leaves p99 at {}", time(p99));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_beginning_is_said_with_the_command_that_leaves_it_out() {
        let found = WarmUpRecord {
            settled_from_s: Some(12.0),
            mean_before_us: Some(3_200.0),
            mean_after_us: Some(1_100.0),
            p99_after_us: Some(4_700.0),
            drift: None,
            part: None,
        };
        let of_run = WarmUpRecord {
            part: Some("run 2".into()),
            ..found.clone()
        };
        assert_eq!(
            beginning(&of_run, 0.0).expect("said"),
            "WARM-UP: in the first 12.0 s of run 2 the answers were slower (mean 3.20 ms, then 1.10 ms); opsurge run --settle auto leaves out the beginning of each run, which here leaves p99 at 4.70 ms"
        );
        assert_eq!(
            beginning(&found, 0.0).expect("said"),
            "WARM-UP: in the first 12.0 s the answers were slower (mean 3.20 ms, then 1.10 ms); opsurge report RECORD --from 12s leaves p99 at 4.70 ms"
        );
        let faster = WarmUpRecord {
            mean_before_us: Some(500.0),
            ..found.clone()
        };
        assert!(
            beginning(&faster, 2.0)
                .expect("said")
                .contains("up to 12.0 s the answers were faster")
        );
        let never = WarmUpRecord {
            settled_from_s: None,
            ..found
        };
        assert!(
            beginning(&never, 0.0)
                .expect("said")
                .contains("had not settled")
        );
    }
}
