//! `opsurge report`: any report of a run again, from its record.

use std::io::IsTerminal;

use anyhow::Result;

use crate::record::files;
use crate::report::console::Console;
use crate::report::csv::Csv;
use crate::session::exit::{Exit, cannot};
use crate::session::output::{columns, print};

use super::args::ReportArgs;
use super::{stored, tables};

/// Prints the report and writes the files that were asked for.
///
/// # Errors
/// When the file is not a record, or a report cannot be written.
pub fn report(args: &ReportArgs) -> Result<Exit> {
    let record = stored::record(&args.record)?;
    let json = args.json.iter().map(|path| (path.clone(), "--json"));
    let csv = args.csv.iter().flat_map(|prefix| {
        let suffixes = Csv::suffixes(record.search.is_some());
        suffixes.map(move |suffix| (files::with_suffix(prefix, suffix), "--csv"))
    });
    let places: Vec<_> = json.chain(csv).collect();
    for (path, flag) in &places {
        files::check_writable(path, flag)?;
    }
    files::check_apart(&places)?;
    let mut lines = Vec::new();
    let json = args.json.as_ref().map(|path| {
        files::write(path, record.to_json().as_bytes())?;
        Ok(format!("Record: {}", path.display()))
    });
    let csv = args.csv.as_ref().map(|prefix| {
        let csv = Csv {
            full_history: args.csv_full_history,
        };
        tables::write(&csv, prefix, &record)
    });
    let mut written = Ok(());
    for line in [json, csv].into_iter().flatten() {
        match line {
            Ok(line) => lines.push(line),
            Err(error) => written = written.and(Err(error)),
        }
    }
    let console = Console {
        form: args.report.into(),
        width: columns(std::io::stdout()),
        colour: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        quiet: args.quiet,
        files: lines,
    };
    print(console.text(&record));
    cannot(written)?;
    Ok(Exit::OK)
}
