//! `opsurge compare`: what differs between two runs, or two sets of runs, and whether by more than the noise.

use anyhow::{Result, bail};

use crate::record::comparison::{Comparison, is_comparable};
use crate::record::schema::Record;
use crate::report::console::compare::{Compared, text};
use crate::session::exit::Exit;
use crate::session::output::{columns, has_colour, print};

use super::args::CompareArgs;
use super::read::values;
use super::stored;

/// Largest tolerance: 1,000 %.
const TOLERANCE_MAX: f64 = 10.0;

/// Prints the comparison.
///
/// # Errors
/// When a file is not a record, or the records do not go together.
pub fn compare(args: &CompareArgs) -> Result<Exit> {
    let tolerance = values::share("--tolerance", &args.tolerance, TOLERANCE_MAX)?;
    let base = read(&args.base)?;
    let new = read(&args.new)?;
    if !is_comparable(base.len(), new.len()) {
        bail!(
            "{} and {} records: give one of each, or three and more of each (A.json,B.json,C.json)",
            base.len(),
            new.len()
        );
    }
    for side in [&base, &new] {
        for (at, (name, record)) in side.iter().enumerate() {
            if let Some((other, _)) = side[..at].iter().find(|(_, other)| other == record) {
                bail!("{other} and {name} are the same run: give each run once");
            }
        }
    }
    if !args.force {
        check_alike(&base, &new)?;
    }
    let records = |side: &[(String, Record)]| -> Vec<Record> {
        side.iter().map(|(_, record)| record.clone()).collect()
    };
    let comparison = Comparison::new(&records(&base), &records(&new));
    let compared = Compared {
        base: named(&base),
        new: named(&new),
        tolerance,
    };
    let width = columns(std::io::stdout());
    print(text(&comparison, &compared, width, has_colour()));
    Ok(match comparison.regressions(tolerance).is_empty() {
        true => Exit::OK,
        false => Exit::BROKEN,
    })
}

/// The records of a list of paths with commas between, each with its path.
fn read(paths: &str) -> Result<Vec<(String, Record)>> {
    let paths = paths.split(',').map(str::trim);
    let records = paths.map(|path| Ok((path.to_owned(), stored::record(path.as_ref())?)));
    records.collect()
}

fn named(side: &[(String, Record)]) -> Vec<(String, &Record)> {
    let named = side.iter().map(|(name, record)| (name.clone(), record));
    named.collect()
}

/// Figures of different scenarios, and those of searches, are not of the same thing.
fn check_alike(base: &[(String, Record)], new: &[(String, Record)]) -> Result<()> {
    let (first_name, first) = &base[0];
    for (name, record) in base.iter().chain(new) {
        if record.search.is_some() {
            bail!(
                "{name} is the record of a search, whose load changes: compare runs, or give --force"
            );
        }
        if record.run.scenario != first.run.scenario {
            bail!(
                "{first_name} is a run of the scenario {}, {name} of {}: compare runs of one scenario, or give --force",
                first.run.scenario,
                record.run.scenario
            );
        }
    }
    Ok(())
}
