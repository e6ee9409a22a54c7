//! The two sides of a comparison: records, each of one run or of several inside, and whether they go together.

use anyhow::{Result, bail};

use crate::analysis::compare::RUNS_MIN;
use crate::record::comparison::{Comparison, is_comparable};
use crate::record::schema::Record;
use crate::report::console::compare::{Compared, text};
use crate::session::output::{columns, has_colour, print};
use crate::text::units::counted;

use super::stored;

/// The records of one side, each with its name.
pub type Side = Vec<(String, Record)>;

/// The records of a list of paths with commas between.
///
/// # Errors
/// When a file is not a record.
pub fn read(paths: &str) -> Result<Side> {
    let paths = paths.split(',').map(str::trim);
    let records = paths.map(|path| Ok((path.to_owned(), stored::record(path.as_ref())?)));
    records.collect()
}

/// The runs of a side, those inside its records.
fn runs(side: &Side) -> Vec<Record> {
    let runs = side.iter().flat_map(|(_, record)| record.single_runs());
    runs.cloned().collect()
}

/// What the sides need to be compared; `None` when nothing is missing.
pub fn missing(base: &Side, new: &Side) -> Option<String> {
    let counts = [("BASE", base), ("NEW", new)].map(|(name, side)| (name, runs(side).len()));
    let [(_, of_base), (_, of_new)] = counts;
    if is_comparable(of_base, of_new) {
        return None;
    }
    let has = counts.map(|(name, count)| format!("{name} has {}", counted(count as u64, "run")));
    let too_few = counts.into_iter().filter(|(_, count)| *count < RUNS_MIN);
    let needs = too_few.map(|(name, count)| format!("{} more of {name}", RUNS_MIN - count));
    let needs: Vec<String> = needs.collect();
    Some(format!(
        "{}: runs are compared one with one, or three and more of each (A.json,B.json,C.json, or a record of --repeat with its runs inside); make at least {}, for example by opsurge run --repeat 5 --json FILE",
        has.join(" and "),
        needs.join(" and ")
    ))
}

/// Figures of different scenarios, and those of searches, are not of the same thing.
///
/// # Errors
/// With the records that do not go together.
pub fn check_alike(base: &Side, new: &Side) -> Result<()> {
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

/// A run that stands twice on one side would pass for two runs.
///
/// # Errors
/// With the names of the records.
pub fn check_apart(base: &Side, new: &Side) -> Result<()> {
    for side in [base, new] {
        let runs = side.iter().flat_map(|(name, record)| {
            let runs = record.single_runs().iter();
            runs.map(move |run| (name, run))
        });
        let runs: Vec<(&String, &Record)> = runs.collect();
        for (at, (name, run)) in runs.iter().enumerate() {
            if let Some((other, _)) = runs[..at].iter().find(|(_, other)| other == run) {
                bail!("{other} and {name} are the same run: give each run once");
            }
        }
    }
    Ok(())
}

/// Prints the comparison; whether a figure became worse by more than the tolerance. `remarks`: what else is to be known
/// of the runs, a paragraph each.
pub fn show(base: &Side, new: &Side, tolerance: f64, remarks: Vec<String>) -> bool {
    let comparison = Comparison::new(&runs(base), &runs(new));
    let compared = Compared {
        base: named(base),
        new: named(new),
        tolerance,
        remarks,
    };
    let width = columns(std::io::stdout());
    print(text(&comparison, &compared, width, has_colour()));
    !comparison.regressions(tolerance).is_empty()
}

fn named(side: &Side) -> Vec<(String, &Record)> {
    let named = side.iter().map(|(name, record)| (name.clone(), record));
    named.collect()
}
