//! `opsurge report`: any report of a run again, from its record.

use std::path::Path;

use anyhow::{Result, anyhow};

use crate::record::files;
use crate::record::schema::Record;
use crate::record::slice::slice;
use crate::report::console::Console;
use crate::report::csv::Csv;
use crate::report::html::{self, Named};
use crate::session::exit::{Exit, cannot};
use crate::session::output::{columns, has_colour, print, say};

use super::args::ReportArgs;
use super::read::values::time;
use super::{ci, results, stored};

/// Prints the report and writes the files that were asked for.
///
/// # Errors
/// When the file is not a record, or a report cannot be written.
pub fn report(args: &ReportArgs) -> Result<Exit> {
    let record = part_of(stored::record(&args.record)?, &args.record, args)?;
    let is_search = record.search.is_some();
    let singles = [
        (&args.json, "--json"),
        (&args.html, "--html"),
        (&args.ci.summary_markdown, "--summary-markdown"),
        (&args.ci.junit, "--junit"),
    ];
    results::check_places(&singles, args.csv.as_deref(), is_search)?;
    if let (Some(other), Some(path)) = (&args.other, &args.html) {
        return overlay(&record, other, path, args);
    }
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
    let page = args.html.as_ref();
    let page = page.map(|path| results::write_html(path, &record));
    let mut written = Ok(());
    for line in [json, csv, page].into_iter().flatten() {
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

/// Writes the page of two records.
fn overlay(record: &Record, other: &Path, page: &Path, args: &ReportArgs) -> Result<Exit> {
    let other_record = part_of(stored::record(other)?, other, args)?;
    let (name, other_name) = (
        args.record.display().to_string(),
        other.display().to_string(),
    );
    let base = Named {
        name: &name,
        record,
    };
    let new = Named {
        name: &other_name,
        record: &other_record,
    };
    let text = html::overlay(base, new)?;
    cannot(files::write(page, text.as_bytes()))?;
    say(format_args!("HTML: {}", page.display()));
    Ok(Exit::OK)
}

/// The record, or the part of it that `--from` and `--to` name.
fn part_of(record: Record, path: &Path, args: &ReportArgs) -> Result<Record> {
    let from = time("--from", args.from.as_deref())?;
    let to = time("--to", args.to.as_deref())?;
    if from.is_none() && to.is_none() {
        return Ok(record);
    }
    let flags = [("--from", &args.from), ("--to", &args.to)];
    let given = flags
        .iter()
        .filter_map(|(flag, text)| Some(format!("{flag} {}", text.as_ref()?)));
    let given: Vec<String> = given.collect();
    let from_s = from.unwrap_or_default().as_secs_f64();
    slice(&record, from_s, to.map(|to| to.as_secs_f64())).map_err(|reason| {
        anyhow!(
            "{}: there is no such part of {}: {reason}",
            given.join(" "),
            path.display()
        )
    })
}
