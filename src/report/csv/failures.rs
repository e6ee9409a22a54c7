//! `_failures.csv`: a row per step and kind of failure.

use super::cells::quoted;
use super::moments;
use crate::record::schema::Record;

const HEAD: &str = "Method,Name,Error,Occurrences,First Seen,Last Seen";

/// The whole file. A moment that no calendar has is written as seconds since the start.
pub(super) fn table(record: &Record) -> String {
    let mut text = format!("{HEAD}\n");
    let start = moments::start(&record.run.started_at).ok();
    let seen = |s: f64| match start.and_then(|start| moments::after(start, s)) {
        Some(moment) => moments::rfc3339(moment),
        None => format!("{s:.3}"),
    };
    for error in &record.errors {
        let what = match error.detail.as_str() {
            "" => error.kind.clone(),
            detail => format!("{}: {detail}", error.kind),
        };
        let row = [
            quoted(&error.method),
            quoted(&error.name),
            quoted(&what),
            error.count.to_string(),
            seen(error.first_s),
            seen(error.last_s),
        ];
        text += &(row.join(",") + "\n");
    }
    text
}
