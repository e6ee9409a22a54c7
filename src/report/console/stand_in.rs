//! What the embedded stand-in counted, beside what the run counted.

use super::page::{Colour, Page, Paint};
use crate::record::schema::{Record, StandIn};
use crate::text::units::grouped;

/// What explains failures: other counts than the run's, and faults made on purpose.
pub(super) fn short(page: &mut Page, record: &Record) {
    if let Some(stand_in) = &record.stand_in {
        if !stand_in.agrees {
            counts(page, stand_in);
        }
        if !stand_in.faults.is_empty() {
            page.paragraph(Paint::Nothing, &format!("Stand-in: {}", faults(stand_in)));
        }
    }
}

pub(super) fn full(page: &mut Page, record: &Record) {
    if let Some(stand_in) = &record.stand_in {
        counts(page, stand_in);
        if !stand_in.faults.is_empty() {
            page.remark(&faults(stand_in));
        }
    }
}

fn counts(page: &mut Page, stand_in: &StandIn) {
    let count = grouped(stand_in.answers.values().sum());
    let (paint, text) = match stand_in.agrees {
        true => (
            Paint::Nothing,
            format!("Stand-in: it counted the same {count} answers, by endpoint and status"),
        ),
        false => (
            Paint::Whole(Colour::Yellow),
            format!(
                "Stand-in: it counted {count} answers, and not the same ones (some were still under way)"
            ),
        ),
    };
    page.paragraph(paint, &text);
}

fn faults(stand_in: &StandIn) -> String {
    let faults = stand_in.faults.iter();
    let faults: Vec<String> = faults
        .map(|(name, count)| format!("{} {name}", grouped(*count)))
        .collect();
    format!("faults on purpose: {}", faults.join(", "))
}
