//! What build servers read: the summary in Markdown, JUnit XML, GitHub's annotations.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::record::files;
use crate::record::schema::Record;
use crate::report::annotations::Annotations;
use crate::report::junit::Junit;
use crate::report::markdown::{Base, Markdown};
use crate::report::output::Report;
use crate::session::job::CiOutputs;
use crate::session::output::note;

use super::args::CiArgs;
use super::stored;

/// How much worse than the base a figure may become until the summary calls it a regression: `compare`'s own default.
const TOLERANCE: f64 = 0.05;

/// The flags of `run` and `search`, and what GitHub's runner sets for the steps of a job.
///
/// # Errors
/// When the base is no record, or not one to compare with.
pub fn of_run(args: &CiArgs, scenario: &str, is_search: bool) -> Result<CiOutputs> {
    let step_summary = variable("GITHUB_STEP_SUMMARY").map(PathBuf::from);
    let has_annotations = variable("GITHUB_ACTIONS").is_some_and(|value| value == "true");
    let has_summary = args.summary_markdown.is_some();
    let step_summary = step_summary.filter(|_| !has_summary);
    if args.summary_base.is_some() && !has_summary && step_summary.is_none() {
        bail!("--summary-base: no summary is asked for; add --summary-markdown FILE");
    }
    Ok(CiOutputs {
        step_summary,
        has_annotations,
        ..outputs(args, scenario, is_search)?
    })
}

/// The flags of `report`.
///
/// # Errors
/// When the base is no record, or not one to compare with.
pub fn of_report(args: &CiArgs, scenario: &str, is_search: bool) -> Result<CiOutputs> {
    if args.summary_base.is_some() && args.summary_markdown.is_none() {
        bail!("--summary-base: no summary is asked for; add --summary-markdown FILE");
    }
    outputs(args, scenario, is_search)
}

fn outputs(args: &CiArgs, scenario: &str, is_search: bool) -> Result<CiOutputs> {
    let base = args.summary_base.as_deref();
    let base = base.map(|path| base_of(path, scenario, is_search));
    Ok(CiOutputs {
        summary: args.summary_markdown.clone(),
        base: base.transpose()?,
        junit: args.junit.clone(),
        ..CiOutputs::default()
    })
}

/// Figures of different scenarios, and those of searches, are not of the same thing.
fn base_of(path: &Path, scenario: &str, is_search: bool) -> Result<(String, Box<Record>)> {
    let shown = path.display();
    let record = stored::record(path).context("--summary-base")?;
    if is_search || record.search.is_some() {
        bail!("--summary-base {shown}: the load of a search changes; compare runs");
    }
    if record.run.scenario != scenario {
        bail!(
            "--summary-base {shown} is a run of the scenario {}, and this one is of {scenario}; compare runs of one scenario",
            record.run.scenario
        );
    }
    Ok((shown.to_string(), Box::new(record)))
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Writes the files, and says where they are.
///
/// # Errors
/// The first that could not be written; the others are.
pub fn write(outputs: &CiOutputs, record: &Record, lines: &mut Vec<String>) -> Result<()> {
    let markdown = Markdown {
        base: outputs.base.as_ref().map(|(name, record)| Base {
            name,
            record,
            tolerance: TOLERANCE,
        }),
    };
    let mut written = Ok(());
    let reports: [(&Option<PathBuf>, &str, &dyn Report); 2] = [
        (&outputs.summary, "Summary", &markdown),
        (&outputs.junit, "JUnit XML", &Junit),
    ];
    for (path, what, report) in reports {
        let Some(path) = path else { continue };
        let one = bytes(report, record).and_then(|bytes| files::write(path, &bytes));
        match one {
            Ok(()) => lines.push(format!("{what}: {}", path.display())),
            Err(error) => written = written.and(Err(error)),
        }
    }
    if let Some(path) = &outputs.step_summary {
        let appended = bytes(&markdown, record).and_then(|bytes| append(path, &bytes));
        match appended {
            Ok(()) => lines.push(format!("Summary: appended to {}", path.display())),
            // It was not asked for by a flag: the run's exit code does not depend on it.
            Err(error) => note(format_args!("note: no summary for this job: {error:#}")),
        }
    }
    written
}

/// Writes GitHub's annotations to standard error, which its runner reads like standard output.
pub fn annotate(outputs: &CiOutputs, record: &Record) {
    if !outputs.has_annotations {
        return;
    }
    match bytes(&Annotations, record) {
        Ok(bytes) => note(String::from_utf8_lossy(&bytes).trim_end()),
        Err(error) => note(format_args!("note: no annotations: {error:#}")),
    }
}

fn bytes(report: &dyn Report, record: &Record) -> Result<Vec<u8>> {
    let outputs = report.outputs(record)?;
    Ok(outputs
        .into_iter()
        .flat_map(|output| output.bytes)
        .collect())
}

fn append(path: &Path, bytes: &[u8]) -> Result<()> {
    let opened = OpenOptions::new().append(true).create(true).open(path);
    let written = opened.and_then(|mut file| file.write_all(bytes));
    written.with_context(|| format!("{} could not be written", path.display()))
}
