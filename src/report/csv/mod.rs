//! Locust's four CSV files, with exactly its columns, one more for the levels of a search, one for what was
//! watched, and one for the kinds of users.
//!
//! Times are milliseconds with microseconds as decimals. As in Locust, response times include those of failed requests,
//! the percentiles of the history are those of the last ten seconds, and the last row of `_stats.csv` is the aggregate
//! with an empty type.
//!
//! Reading order: `stats`, `history` (with `sums`), `failures`, `levels`, `watched`, `kinds`; `cells` and `moments` write
//! single values.

mod cells;
mod failures;
mod history;
mod kinds;
mod levels;
mod moments;
mod stats;
mod sums;
mod watched;

use anyhow::Result;

use super::output::{Output, Report};
use crate::record::schema::Record;

/// Name endings of a run's files, in the order in which they are written.
const RUN_SUFFIXES: [&str; 4] = [
    "_stats.csv",
    "_stats_history.csv",
    "_failures.csv",
    "_exceptions.csv",
];
/// Name ending of a search's table of levels.
const SEARCH_SUFFIX: &str = "_search.csv";
/// Name ending of the table of what was watched.
pub const WATCHED_SUFFIX: &str = "_watched.csv";
/// Name ending of the table of kinds of users.
pub const KINDS_SUFFIX: &str = "_users.csv";
const EXCEPTIONS: &str = "Count,Message,Traceback,Nodes\n";

/// The CSV files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Csv {
    /// The history has a row per step and second, not only the aggregate.
    pub full_history: bool,
}

impl Csv {
    /// Name endings of the files that a run, or a search, will have: known beforehand, so that their places can be
    /// checked.
    pub fn suffixes(is_search: bool) -> impl Iterator<Item = &'static str> {
        let search = is_search.then_some(SEARCH_SUFFIX);
        RUN_SUFFIXES.into_iter().chain(search)
    }
}

impl Report for Csv {
    fn outputs(&self, record: &Record) -> Result<Vec<Output>> {
        let texts = [
            stats::table(record)?,
            history::table(record, self.full_history)?,
            failures::table(record),
            // The generator raises none: what goes wrong in a run is a failure with a kind.
            EXCEPTIONS.to_owned(),
        ];
        let levels = record.search.as_ref().map(levels::table);
        let outputs = Self::suffixes(record.search.is_some()).zip(texts.into_iter().chain(levels));
        let watched = (!record.watched.is_empty()).then(|| watched::table(record));
        let outputs = outputs.chain(watched.map(|text| (WATCHED_SUFFIX, text)));
        let kinds = (!record.kinds.is_empty()).then(|| kinds::table(record));
        let outputs = outputs.chain(kinds.map(|text| (KINDS_SUFFIX, text)));
        Ok(outputs
            .map(|(suffix, text)| Output {
                suffix,
                bytes: text.into_bytes(),
            })
            .collect())
    }
}
