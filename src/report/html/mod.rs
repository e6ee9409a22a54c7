//! The report as one HTML file: no network, no library, the record inside.
//!
//! Everything is there without JavaScript but the crosshair. Reading order: `page` (the sections), `charts`
//! (the charts of a record), `live` (both for a run that lasts), `overlay` (two records); the sections: `verdict`, `numbers`,
//! `runs`, `steps`, `waits`, `errors`, `watched`, `conditions`, `download`; the charts: `over_time` (with `level`), `heat`,
//! `curve`, `levels`; what they are
//! made of: `run` and `columns` (the series), `bands`, `chart`, `axis`, `drawing`, `units`; `shell` (the frame of a page).

mod axis;
mod bands;
mod chart;
mod charts;
mod columns;
mod conditions;
mod connections;
mod curve;
mod download;
mod drawing;
mod errors;
mod heat;
mod kinds;
mod level;
mod levels;
mod live;
mod numbers;
mod over_time;
mod overlay;
mod page;
mod run;
mod runs;
mod shell;
mod steps;
mod units;
mod verdict;
mod waits;
mod watched;

use anyhow::Result;

use super::output::{Output, Report};
use crate::record::schema::Record;

pub use chart::Chart;
pub use charts::{Charts, charts};
pub use live::{LIVE_POLICY, LiveControl, LiveRun, live_page, live_parts};
pub use overlay::{Named, page as overlay};

/// The HTML report of one record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Html;

impl Report for Html {
    fn outputs(&self, record: &Record) -> Result<Vec<Output>> {
        Ok(vec![Output {
            suffix: "",
            bytes: page::page(record)?.into_bytes(),
        }])
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod whole_tests;
