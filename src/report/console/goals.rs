//! The goals of `--until`, and how well their figures are known.

use super::page::{Colour, Page, Paint};
use crate::record::schema::Record;

/// A paragraph for each goal. A goal that was not reached is no failure: it says what it would take.
pub(super) fn lines(page: &mut Page, record: &Record) {
    for goal in &record.until {
        let (colour, keyword) = match goal.reached {
            true => (Colour::Green, "KNOWN:"),
            false => (Colour::Yellow, "NOT KNOWN:"),
        };
        let part = goal.part.as_ref();
        let part = part.map_or(String::new(), |part| format!(" in {part}"));
        let text = format!("{keyword} --until '{}'{part}: {}", goal.goal, goal.says);
        page.paragraph(Paint::Words(colour, keyword), &text);
    }
}
