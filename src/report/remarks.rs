//! What has to be said beside the figures of a record that is not simply one whole run, a line each: for reports that have
//! no page of their own for it.

use super::console::{goals, parts, slice, spread, tls};
use crate::record::schema::Record;

/// What makes the figures those of less, or of other conditions, than a reader would think.
pub(super) fn warnings(record: &Record) -> Vec<String> {
    let tls = record.tls.iter().filter(|tls| tls.insecure);
    let not_verified = tls.map(|_| tls::NOT_VERIFIED.to_owned());
    not_verified.chain(slice::lines(record)).collect()
}

/// The warnings, and what runs, parts, goals and encryption add.
pub(super) fn all(record: &Record) -> Vec<String> {
    let mut lines = warnings(record);
    let runs = record.spread.iter();
    lines.extend(
        runs.map(|spread| spread::sentence(record, spread).replace("pooled above", "pooled here")),
    );
    lines.extend(parts::text(record));
    lines.extend(record.until.iter().map(goals::text));
    let is_cut = record.slice.as_ref().is_some_and(|slice| !slice.settled);
    let tls = record.tls.iter().filter(|_| !is_cut);
    lines.extend(tls.map(|tls| format!("TLS: {}; {}", tls::agreed(tls), tls::handshakes(tls))));
    lines
}
