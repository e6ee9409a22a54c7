//! What every form of report is: a function from the record to named bytes.

use anyhow::Result;

use crate::record::schema::Record;

/// One form of report. It sees the record alone: no file, no clock, no terminal.
pub trait Report {
    /// Makes the report, one output for each file of this form.
    ///
    /// # Errors
    /// When the record was changed by hand and holds a histogram or a time that cannot be read.
    fn outputs(&self, record: &Record) -> Result<Vec<Output>>;
}

/// One file of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// End of the file's name, behind the path that the user gave: `_stats.csv`. Empty for forms of a single file.
    pub suffix: &'static str,
    /// The file's content.
    pub bytes: Vec<u8>,
}
