//! `--settle`: the figures of a run are those after its settling time.

use crate::analysis::precision::Settle;
use crate::record::schema::Record;
use crate::record::slice::settled;

use super::output::note;

/// The record without the settling time in its figures. A run that ended before it keeps the figures that it has.
pub fn without_settling(record: Record, settle: Option<Settle>) -> Record {
    let found_s = || {
        record
            .warm_up
            .as_ref()
            .and_then(|found| found.settled_from_s)
    };
    let from_s = match settle {
        None => None,
        Some(Settle::Time(ns)) => Some(ns as f64 / 1e9),
        Some(Settle::Auto) => found_s(),
    };
    let Some(from_s) = from_s.filter(|from_s| *from_s > 0.0) else {
        return record;
    };
    match settled(&record, from_s) {
        Ok(record) => record,
        Err(why) => {
            note(format_args!(
                "note: --settle: {why}; the figures are of the whole run"
            ));
            record
        }
    }
}
