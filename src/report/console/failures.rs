//! What failed, with its cause: a paragraph for each step and kind of failure.

use super::page::{Colour, Page, Paint};
use crate::metrics::outcome::Failure;
use crate::record::schema::{ErrorRecord, Record, StepRecord};
use crate::text::columns::{columns, shortened};
use crate::text::units::{counted, grouped, percent};

/// Kinds of failure whose hint is a guess: that no answer came in time does not say why.
const WITHOUT_CAUSE: [Failure; 4] = [
    Failure::Timeout,
    Failure::WaitTimeout,
    Failure::ConnectTimeout,
    Failure::Unanswered,
];
/// Lines of an example, as a rule.
const EXAMPLE_LINES: usize = 2;
/// What its indents, its first words and its breaks at blanks take of them.
const EXAMPLE_MARGIN: usize = 24;
/// Least columns for what is shown of a body.
const BODY_WIDTH_MIN: usize = 40;

/// Whether failures are shown with an example of each.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Examples {
    Never,
    /// Where no likely cause is known.
    WithoutHint,
    Always,
}

/// The error that ended the run before its time.
pub(super) fn end_of_run(page: &mut Page, record: &Record) {
    if let Some(error) = &record.run.error {
        page.paragraph(
            Paint::Words(Colour::Red, "ERROR:"),
            &format!("ERROR: {error}"),
        );
    }
}

/// The failures that name their cause (a wrong key, a refused connection), and the others; most frequent first.
pub(in crate::report) fn by_cause(record: &Record) -> (Vec<&ErrorRecord>, Vec<&ErrorRecord>) {
    let names_cause = |error: &&ErrorRecord| {
        let mut without = WITHOUT_CAUSE.iter();
        error.hint.is_some() && without.all(|failure| failure.name() != error.kind)
    };
    record.errors.iter().partition(names_cause)
}

/// `FAILED: 50 of 200 POST /x answered 500 (25 %)`, with the likely cause and an example below.
pub(super) fn lines(page: &mut Page, record: &Record, errors: &[&ErrorRecord], examples: Examples) {
    for error in errors {
        page.paragraph(Paint::Whole(Colour::Red), &line(record, error));
        if let Some(hint) = &error.hint {
            page.remark(hint);
        }
        let is_shown = match examples {
            Examples::Never => false,
            Examples::WithoutHint => error.hint.is_none(),
            Examples::Always => true,
        };
        if is_shown {
            example(page, error);
        }
    }
}

/// An example of about two lines. It is never cut within its reason: what is cut is the body behind it.
pub(super) fn example(page: &mut Page, error: &ErrorRecord) {
    if error.detail.is_empty() {
        return;
    }
    let reason = error.reason.as_deref().unwrap_or_default();
    let end = error.detail.find(reason);
    let end = end.map_or(0, |at| at + reason.len());
    let (kept, body) = error.detail.split_at(end);
    let room = (EXAMPLE_LINES * page.width()).saturating_sub(EXAMPLE_MARGIN + columns(kept));
    let body = shortened(body, room.max(BODY_WIDTH_MIN));
    page.remark(&format!("for example: {kept}{body}"));
}

/// How many kinds of failure are not shown.
pub(super) fn rest<'e>(page: &mut Page, errors: impl Iterator<Item = &'e &'e ErrorRecord>) {
    let counts: Vec<u64> = errors.map(|error| error.count).collect();
    if !counts.is_empty() {
        let text = format!(
            "FAILED: {} of {}: --report full shows all",
            counted(counts.iter().sum(), "more request"),
            counted(counts.len() as u64, "other kind"),
        );
        page.paragraph(Paint::Whole(Colour::Red), &text);
    }
}

/// `FAILED: 50 of 200 POST /x answered 500 (25 %)`.
pub(in crate::report) fn line(record: &Record, error: &ErrorRecord) -> String {
    let is_same = |step: &&StepRecord| step.method == error.method && step.name == error.name;
    let step = record.steps.iter().find(is_same);
    let requests = step.map_or(0, |step| step.requests);
    let what = match (error.status, &error.reason) {
        (Some(status), _) if error.kind == Failure::GaveUp.name() => {
            format!(" gave up with {status}")
        }
        // The status was the expected one, or was not what the request failed by.
        (Some(_), Some(reason)) if error.kind != Failure::Status.name() => format!(": {reason}"),
        // That an error status was not expected goes without saying.
        (Some(status), Some(reason)) if status < 400 => format!(" answered {status} ({reason})"),
        (Some(status), _) => format!(" answered {status}"),
        (None, _) if error.kind == Failure::Unanswered.name() => " got no answer".into(),
        (None, _) => format!(" ended in {}", error.kind),
    };
    format!(
        "FAILED: {} of {} {} {}{what} ({})",
        grouped(error.count),
        grouped(requests),
        error.method,
        error.name,
        percent(error.count as f64 / requests.max(1) as f64),
    )
}
