//! The runs of one job, one after the other, and what becomes of them together.

use anyhow::{Result, anyhow};

use crate::record::repeat::pooled;
use crate::record::schema::Record;
use crate::report::console::spread::run_line;
use crate::session::ending::Facts;
use crate::session::job::{Gates, Outputs};
use crate::session::output::{columns, note};
use crate::session::run::Finished;
use crate::session::series::Series;

use super::announce::announce;
use super::args::RunArgs;
use super::{read, run};

/// The runs of one job so far.
pub struct Repeated {
    /// The job. It has a seed from the first run on, which all runs share.
    pub args: RunArgs,
    pub records: Vec<Record>,
    /// Known from the first run on.
    rest: Option<(Gates, Outputs)>,
}

impl Repeated {
    pub fn new(args: RunArgs) -> Self {
        Self {
            args,
            records: Vec::new(),
            rest: None,
        }
    }

    /// Prepares a run without carrying it out: the job is read, the target tried, the seed fixed.
    ///
    /// # Errors
    /// What is wrong with the job, or a refusal of the target, with the cure.
    pub fn try_out(&mut self, series: &mut Series) -> Result<()> {
        let job = read::run::job(&self.args)?;
        self.args.seed = Some(job.traffic.limits.seed);
        series.prepare(job).map(drop)
    }

    /// Carries out the next run and says in a line what it did; the first one is announced as a single run is, below the
    /// heading. No run is begun when a signal has come meanwhile.
    ///
    /// # Errors
    /// When it could not be prepared or could not begin.
    pub fn carry_out_next(
        &mut self,
        series: &mut Series,
        label: &str,
        heading: Option<&str>,
    ) -> Result<()> {
        let job = read::run::job(&self.args)?;
        self.args.seed = Some(job.traffic.limits.seed);
        let gates = job.gates;
        let is_quiet = job.outputs.quiet;
        let session = series.prepare(job)?;
        if series.is_interrupted() && !self.records.is_empty() {
            // The signal came while the run was prepared: it would end before its first request.
            return Ok(());
        }
        if !is_quiet && self.records.is_empty() {
            heading.into_iter().for_each(note);
            announce(&session);
        }
        let finished = run::carried(session, |_, _| None)?;
        if !is_quiet {
            let width = columns(std::io::stderr());
            note(run_line(label, &finished.record, width).trim_end());
        }
        // Only the first run waits for --start-at.
        self.args.start_at = None;
        self.records.push(finished.record);
        self.rest = Some((gates, finished.outputs));
        Ok(())
    }

    /// All runs as one. `lost`: why a further run could not be carried out.
    ///
    /// # Errors
    /// When there is no run, or the records cannot be pooled.
    pub fn finish(self, series: &Series, lost: Option<&anyhow::Error>) -> Result<Finished> {
        let (gates, outputs) = self.rest.ok_or_else(|| anyhow!("no run was carried out"))?;
        let next = self.records.len() + 1;
        let mut record = pooled(self.records)?;
        if let Some(error) = lost {
            record.run.ended_by = "error".into();
            record.run.error = Some(format!(
                "run {next} could not be carried out: {}",
                causes(error)
            ));
        } else if series.is_interrupted() && record.run.ended_by != "error" {
            record.run.ended_by = "signal".into();
        }
        let facts = facts(&record, &gates, series.is_interrupted());
        let ending = facts.ending();
        ending.put_into(&mut record);
        Ok(Finished {
            record,
            ending,
            log: None,
            outputs,
        })
    }
}

/// The facts of all runs together. A run without a request is one that went wrong, however well the others went.
fn facts(record: &Record, gates: &Gates, interrupted: bool) -> Facts {
    let facts = Facts::of(record, gates, interrupted);
    let is_empty = |run: &Record| run.totals.requests == 0;
    let empty = record.runs.iter().position(is_empty);
    let nothing = empty.map(|at| {
        format!(
            "run {}: nothing was measured: no request has an outcome",
            at + 1
        )
    });
    Facts {
        failed: facts.failed.or(nothing),
        ..facts
    }
}

/// The causes of an error in a line, without the mark of the exit code.
pub fn causes(error: &anyhow::Error) -> String {
    let skipped = usize::from(error.is::<crate::session::exit::CannotCarryOut>());
    let causes: Vec<String> = error
        .chain()
        .skip(skipped)
        .map(ToString::to_string)
        .collect();
    causes.join(": ")
}
