//! `opsurge compare --run`: the same job against two hosts in turns, several times each, and the comparison of the two.
//!
//! The turns are base, new, new, base, base, new, ...: drift while the runs last (a warming machine, other load)
//! affects both sides equally.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::analysis::compare::RUNS_MIN;
use crate::record::files;
use crate::session::exit::{Exit, cannot};
use crate::session::output::{columns, note, print};
use crate::session::run::Finished;
use crate::session::series::Series;
use crate::text::duration;
use crate::text::printable::in_one_line;
use crate::text::units::counted;
use crate::text::wrap::wrap;

use super::args::{CompareArgs, RunArgs};
use super::compare::TOLERANCE_MAX;
use super::read::repeat::Repeat;
use super::read::values;
use super::repeated::{Repeated, causes};
use super::{results, sides};

/// Runs of each side without `--repeat`.
const RUNS: usize = 5;
/// Names of the sides, in lines and labels.
const NAMES: [&str; 2] = ["base", "new"];

/// Carries out the runs and prints the comparison.
///
/// # Errors
/// What is wrong with the command line; or when a host cannot be reached before the first run.
pub fn compare_runs(args: &CompareArgs) -> Result<Exit> {
    let tolerance = values::share("--tolerance", &args.tolerance, TOLERANCE_MAX)?;
    refuse_what_does_not_fit(&args.flags)?;
    let repeat = Repeat::from_args(&args.flags, RUNS_MIN as u64, RUNS)?;
    let places = [&args.json_base, &args.json_new];
    let flags = ["--json-base", "--json-new"];
    results::check_places(&[(places[0], flags[0]), (places[1], flags[1])], None, false)?;
    let mut series = Series::default();
    let sides = [&args.base, &args.new].map(|host| {
        let mut flags = args.flags.clone();
        flags.host = Some(host.clone());
        Repeated::new(flags)
    });
    let (sides, lost) = in_turns(sides, &repeat, &mut series)?;
    series.end();
    let mut finished = Vec::new();
    for (at, side) in sides.into_iter().enumerate() {
        let lost = lost.as_ref().filter(|lost| lost.side == at);
        finished.push(match side.records.is_empty() {
            true => None,
            false => Some(side.finish(&series, lost.map(|lost| &lost.error))?),
        });
    }
    // The records come first: standard output may take nothing.
    let written = finished
        .iter()
        .zip(places)
        .map(|(finished, path)| write(path, finished.as_ref()));
    let written: Vec<Result<()>> = written.collect();
    let compared = compared(&finished, lost.as_ref(), tolerance);
    written.into_iter().try_for_each(cannot)?;
    let interrupted = series.is_interrupted().then_some(Exit::INTERRUPTED);
    let not_carried_out = lost.map(|_| Exit::CANNOT);
    let of_sides = finished
        .iter()
        .flatten()
        .map(|finished| Exit(finished.ending.exit_code));
    Ok(Exit::gravest(
        of_sides
            .chain([compared])
            .chain(interrupted)
            .chain(not_carried_out),
    ))
}

/// A run that could not be carried out, after others were.
struct Lost {
    /// Place of its side in [`NAMES`].
    side: usize,
    label: String,
    error: anyhow::Error,
}

/// All runs, or as many as could be carried out before a signal or an error.
fn in_turns(
    mut sides: [Repeated; 2],
    repeat: &Repeat,
    series: &mut Series,
) -> Result<([Repeated; 2], Option<Lost>)> {
    let is_quiet = sides[0].args.quiet;
    sides[0].try_out(series)?;
    sides[1].args.seed = sides[0].args.seed;
    sides[1].args.start_at = None;
    sides[1].try_out(series)?;
    if !is_quiet {
        note(format_args!(
            "{} against each host in turns with the same job and seed, {} apart:",
            counted(repeat.runs as u64, "run"),
            duration::show(repeat.pause)
        ));
    }
    let turns = (0..repeat.runs).flat_map(|pair| match pair % 2 {
        0 => [(pair, 0), (pair, 1)],
        _ => [(pair, 1), (pair, 0)],
    });
    for (place, (pair, side)) in turns.enumerate() {
        if place > 0 {
            series.pause(repeat.pause);
        }
        if series.is_interrupted() {
            break;
        }
        let label = format!("{}, run {} of {}", NAMES[side], pair + 1, repeat.runs);
        if let Err(error) = sides[side].carry_out_next(series, &label, None) {
            if place == 0 {
                return Err(error);
            }
            return Ok((sides, Some(Lost { side, label, error })));
        }
    }
    Ok((sides, None))
}

fn write(path: &Option<PathBuf>, finished: Option<&Finished>) -> Result<()> {
    let (Some(path), Some(finished)) = (path, finished) else {
        return Ok(());
    };
    files::write(path, finished.record.to_json().as_bytes())?;
    note(format_args!("Record: {}", path.display()));
    Ok(())
}

/// Prints the comparison, as far as the runs allow one; its part of the exit code.
fn compared(finished: &[Option<Finished>], lost: Option<&Lost>, tolerance: f64) -> Exit {
    let lost = lost.map(|lost| format!("NOT CARRIED OUT: {}: {}", lost.label, causes(&lost.error)));
    let not_passed = finished.iter().zip(NAMES).filter_map(|(finished, name)| {
        let ending = &finished.as_ref()?.ending;
        let reasons = ending.reasons.join("; ");
        (!ending.passed).then(|| format!("RUNS OF {}: {reasons}", name.to_uppercase()))
    });
    let mut remarks: Vec<String> = lost.into_iter().chain(not_passed).collect();
    let side = |at: usize| -> sides::Side {
        let record = finished[at].iter().map(|finished| finished.record.clone());
        record.map(|record| (String::new(), record)).collect()
    };
    let (base, new) = (side(0), side(1));
    if let Some(missing) = sides::missing(&base, &new) {
        remarks.push(format!("NOT COMPARED: {missing}"));
        let width = columns(std::io::stdout());
        for line in remarks
            .iter()
            .flat_map(|remark| wrap(&in_one_line(remark), width, "", "  "))
        {
            print(format_args!("{line}\n"));
        }
        return Exit::OK;
    }
    match sides::show(&base, &new, tolerance, remarks) {
        false => Exit::OK,
        true => Exit::BROKEN,
    }
}

fn refuse_what_does_not_fit(args: &RunArgs) -> Result<()> {
    const HOSTS: &str = "give the two hosts as BASE and NEW";
    const RECORDS: &str = "give --json-base and --json-new, and opsurge report for the rest";
    for (is_given, flag, cure) in [
        (args.host.is_some(), "--host", HOSTS),
        (
            args.mock,
            "--mock",
            "start opsurge mock twice, and give its addresses as BASE and NEW",
        ),
        (args.sockets.unix_socket.is_some(), "--unix-socket", HOSTS),
        (args.json.is_some(), "--json", RECORDS),
        (args.csv.is_some(), "--csv", RECORDS),
        (args.html.is_some(), "--html", RECORDS),
        (args.hdr.is_some(), "--hdr", RECORDS),
        (args.web.web.is_some(), "--web", RECORDS),
        (
            args.ci.summary_markdown.is_some(),
            "--summary-markdown",
            RECORDS,
        ),
        (args.ci.summary_base.is_some(), "--summary-base", RECORDS),
        (args.ci.junit.is_some(), "--junit", RECORDS),
    ] {
        if is_given {
            bail!(
                "{flag} does not go with compare --run, which runs one job against two hosts; {cure}"
            );
        }
    }
    Ok(())
}
