//! Setup and teardown: a line each.

use super::page::{Page, Paint};
use crate::record::schema::{OnceRecord, Record};
use crate::text::units::{counted, time};

pub(super) fn lines(page: &mut Page, record: &Record) {
    for (title, once) in [("Setup", &record.setup), ("Teardown", &record.teardown)] {
        if let Some(once) = once {
            page.paragraph(Paint::Nothing, &line(title, once));
        }
    }
}

fn line(title: &str, once: &OnceRecord) -> String {
    let requests = counted(once.requests, "request");
    let took = time(once.took_s * 1e6);
    let failed = once.errors.iter().map(|error| {
        format!(
            "; failed: {} {} ({}: {})",
            error.method, error.name, error.kind, error.detail
        )
    });
    let failed: String = failed.collect();
    format!("{title}: {requests} in {took}, in none of the figures{failed}")
}
