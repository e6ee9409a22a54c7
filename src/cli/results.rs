//! The files that a command writes: their places checked beforehand, the CSV files and the page written.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::record::files;
use crate::record::schema::Record;
use crate::report::csv::{Csv, KINDS_SUFFIX, WATCHED_SUFFIX};
use crate::report::html::Html;
use crate::report::output::Report;

/// Makes sure that every file can be written where it is wanted, and that no two share a place. `singles` are single files
/// with the flags that name them; `csv` is the prefix of the CSV files.
///
/// # Errors
/// With the flag, the reason and the cure.
pub fn check_places(
    singles: &[(&Option<PathBuf>, &'static str)],
    csv: Option<&Path>,
    is_search: bool,
) -> Result<()> {
    let single = singles
        .iter()
        .filter_map(|(path, flag)| Some(((*path).clone()?, *flag)));
    let tables = csv.into_iter().flat_map(|prefix| {
        let suffixes = Csv::suffixes(is_search).chain([WATCHED_SUFFIX, KINDS_SUFFIX]);
        suffixes.map(move |suffix| (files::with_suffix(prefix, suffix), "--csv"))
    });
    let places: Vec<_> = single.chain(tables).collect();
    for (path, flag) in &places {
        files::check_writable(path, flag)?;
    }
    files::check_apart(&places)
}

/// Writes the CSV files; the line that says where they are.
///
/// # Errors
/// When a histogram of the record cannot be read, or a file cannot be written.
pub fn write_csv(csv: &Csv, prefix: &Path, record: &Record) -> Result<String> {
    for output in csv.outputs(record)? {
        files::write(&files::with_suffix(prefix, output.suffix), &output.bytes)?;
    }
    Ok(format!(
        "CSV: {}_stats.csv and its companions",
        prefix.display()
    ))
}

/// Writes the report as a page; the line that says where it is.
///
/// # Errors
/// When a histogram of the record cannot be read, or the file cannot be written.
pub fn write_html(path: &Path, record: &Record) -> Result<String> {
    for output in Html.outputs(record)? {
        files::write(path, &output.bytes)?;
    }
    Ok(format!("HTML: {}", path.display()))
}
