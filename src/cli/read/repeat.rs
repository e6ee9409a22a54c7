//! How often, and with which pauses: `run --repeat`, `compare --run`.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::cli::args::RunArgs;

use super::values::{number, time};

/// Most runs of a command.
const RUNS_MAX: u64 = 100;
/// Pause between two runs without `--repeat-pause`.
const PAUSE: Duration = Duration::from_secs(5);

/// Several runs of one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    pub runs: usize,
    /// Pause between two of them.
    pub pause: Duration,
}

impl Repeat {
    /// Reads the flags; `runs_min` is the least number that the command takes, `runs` the one without a flag.
    ///
    /// # Errors
    /// With the flag and what would do instead.
    pub fn from_args(args: &RunArgs, runs_min: u64, runs: usize) -> Result<Self> {
        let given = number("--repeat", args.repeat.as_deref(), runs_min, RUNS_MAX)?;
        let pause = time("--repeat-pause", args.repeat_pause.as_deref())?;
        if args.part.is_some() {
            bail!(
                "--part does not go with several runs: the parts would drift apart from run to run; start each run of all parts by --start-at, merge the parts of each, and compare the merged records"
            );
        }
        if args.hdr.is_some() {
            bail!(
                "--hdr is the log of one run; leave it out: the record (--json) has the seconds of each run of --repeat"
            );
        }
        if args.web.web.is_some() {
            bail!("--web shows one run; leave it out, or leave --repeat out");
        }
        Ok(Self {
            runs: given.map_or(runs, |given| given as usize),
            pause: pause.unwrap_or(PAUSE),
        })
    }
}

/// A single run has no pause between runs.
///
/// # Errors
/// When `--repeat-pause` is given alone.
pub fn refuse_pause_alone(args: &RunArgs) -> Result<()> {
    if args.repeat_pause.is_some() && args.repeat.is_none() {
        bail!(
            "--repeat-pause is the pause between the runs of --repeat; add for example --repeat 5"
        );
    }
    Ok(())
}
