//! `opsurge run --repeat N`: the same run several times, pooled, with its spread from run to run.

use anyhow::Result;

use crate::session::exit::Exit;
use crate::session::output::note;
use crate::session::series::Series;
use crate::text::duration;
use crate::text::units::counted;

use super::args::RunArgs;
use super::read::repeat::Repeat;
use super::repeated::Repeated;
use super::run::write_out;

/// Least number of runs: one is no repetition.
const RUNS_MIN: u64 = 2;

/// Carries out the runs. What was measured is reported when a later run cannot be carried out, or a signal comes.
///
/// # Errors
/// What is wrong with the command line; or when the first run could not be carried out.
pub fn run(args: &RunArgs) -> Result<Exit> {
    let repeat = Repeat::from_args(args, RUNS_MIN, RUNS_MIN as usize)?;
    let mut runs = Repeated::new(args.clone());
    let mut series = Series::default();
    let mut lost = None;
    let heading = heading(&repeat);
    for number in 1..=repeat.runs {
        if number > 1 {
            series.pause(repeat.pause);
        }
        if series.is_interrupted() {
            break;
        }
        let label = format!("run {number} of {}", repeat.runs);
        match runs.carry_out_next(&mut series, &label, Some(&heading)) {
            Err(error) if number == 1 => return Err(error),
            Err(error) => {
                lost = Some(error);
                break;
            }
            Ok(()) => {}
        }
    }
    series.end();
    if series.is_interrupted() && !args.quiet {
        note(format_args!(
            "no further run begins: {} of {} in the report",
            runs.records.len(),
            repeat.runs
        ));
    }
    let finished = runs.finish(&series, lost.as_ref())?;
    let ending = finished.ending.clone();
    ending.exit(write_out(finished))
}

fn heading(repeat: &Repeat) -> String {
    format!(
        "{} of the same job and seed, {} apart:",
        counted(repeat.runs as u64, "run"),
        duration::show(repeat.pause)
    )
}
