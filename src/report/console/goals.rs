//! The goals of `--until`, and how well their figures are known.

use super::page::{Colour, Page, Paint};
use crate::record::schema::{GoalRecord, Record};

/// A paragraph for each goal. A goal that was not reached is no failure: it says what it would take.
pub(super) fn lines(page: &mut Page, record: &Record) {
    for goal in &record.until {
        let (colour, keyword) = match goal.reached {
            true => (Colour::Green, "KNOWN:"),
            false => (Colour::Yellow, "NOT KNOWN:"),
        };
        page.paragraph(Paint::Words(colour, keyword), &text(goal));
    }
}

/// `KNOWN: --until 'p99 within 5%': ...`.
pub(in crate::report) fn text(goal: &GoalRecord) -> String {
    let keyword = match goal.reached {
        true => "KNOWN:",
        false => "NOT KNOWN:",
    };
    let part = goal.part.as_ref();
    let part = part.map_or(String::new(), |part| format!(" in {part}"));
    format!("{keyword} --until '{}'{part}: {}", goal.goal, goal.says)
}
