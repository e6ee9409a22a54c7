//! Whether the run is to be believed, with every finding and its cure.

use super::page::{Colour, Page, Paint};
use crate::metrics::seconds::Status;
use crate::record::schema::Record;
use crate::text::units::counted;

pub(super) fn is_valid(record: &Record) -> bool {
    record.generator.verdict.status == Status::Valid.name()
}

/// `VERDICT: MACHINE-DISTURBED - ...`, with so many findings.
pub(super) fn paragraph(page: &mut Page, record: &Record, findings_max: usize) {
    let verdict = &record.generator.verdict;
    let colour = match is_valid(record) {
        true => Colour::Green,
        false => Colour::Yellow,
    };
    let mut findings = verdict.reasons.iter();
    let first = findings.next().map_or("", String::as_str);
    page.paragraph(
        Paint::Words(colour, &verdict.status),
        &format!("VERDICT: {} - {first}", verdict.status),
    );
    for finding in findings.by_ref().take(findings_max - 1) {
        page.remark(&format!("and {finding}"));
    }
    let left = findings.count() as u64;
    if left > 0 {
        let left = counted(left, "more finding");
        page.remark(&format!("and {left}: --report full shows all"));
    }
}
