//! `opsurge report`: any report of a run again, from its record.

use anyhow::Result;

use crate::record::files;
use crate::report::console::Console;
use crate::report::csv::Csv;
use crate::session::exit::{Exit, cannot};
use crate::session::output::{columns, has_colour, print};

use super::args::ReportArgs;
use super::{ci, results, stored};

/// Prints the report and writes the files that were asked for.
///
/// # Errors
/// When the file is not a record, or a report cannot be written.
pub fn report(args: &ReportArgs) -> Result<Exit> {
    let record = stored::record(&args.record)?;
    let is_search = record.search.is_some();
    let singles = [
        (&args.json, "--json"),
        (&args.ci.summary_markdown, "--summary-markdown"),
        (&args.ci.junit, "--junit"),
    ];
    results::check_places(&singles, args.csv.as_deref(), is_search)?;
    let for_servers = ci::of_report(&args.ci, &record.run.scenario, is_search)?;
    let mut lines = Vec::new();
    let json = args.json.as_ref().map(|path| {
        files::write(path, record.to_json().as_bytes())?;
        Ok(format!("Record: {}", path.display()))
    });
    let csv = args.csv.as_ref().map(|prefix| {
        let csv = Csv {
            full_history: args.csv_full_history,
        };
        results::write_csv(&csv, prefix, &record)
    });
    let mut written = Ok(());
    for line in [json, csv].into_iter().flatten() {
        match line {
            Ok(line) => lines.push(line),
            Err(error) => written = written.and(Err(error)),
        }
    }
    written = written.and(ci::write(&for_servers, &record, &mut lines));
    let console = Console {
        form: args.report.into(),
        width: columns(std::io::stdout()),
        colour: has_colour(),
        quiet: args.quiet,
        files: lines,
    };
    print(console.text(&record));
    cannot(written)?;
    Ok(Exit::OK)
}
