//! The CSV files of a record.

use std::path::Path;

use anyhow::Result;

use crate::record::files;
use crate::record::schema::Record;
use crate::report::csv::Csv;
use crate::report::output::Report;

/// Writes them; the line that says where they are.
///
/// # Errors
/// When a histogram of the record cannot be read, or a file cannot be written.
pub fn write(csv: &Csv, prefix: &Path, record: &Record) -> Result<String> {
    for output in csv.outputs(record)? {
        files::write(&files::with_suffix(prefix, output.suffix), &output.bytes)?;
    }
    Ok(format!(
        "CSV: {}_stats.csv and its three companions",
        prefix.display()
    ))
}
