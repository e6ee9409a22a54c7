//! The job of `opsurge run`.

use anyhow::Result;

use crate::cli::args::RunArgs;
use crate::session::job::{Job, Judging};
use crate::session::run_judge::RunJudge;

use super::options::Options;

/// Reads the command line.
///
/// # Errors
/// What is wrong with it or with the scenario, and the cure.
pub fn job(args: &RunArgs) -> Result<Job> {
    let options = Options::from_args(args)?;
    let scenario = options.compile()?;
    let load = options.load(&scenario)?;
    options.check_settle(&load)?;
    let referee = options.referee(&scenario, &load)?;
    let judge = RunJudge {
        referee,
        precision: options.precision(&scenario)?,
        settle: options.settle,
        is_precise: false,
    };
    options.into_job(scenario, load, Judging::Rules(Box::new(judge)))
}
