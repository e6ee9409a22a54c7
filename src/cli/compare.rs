//! `opsurge compare`: what differs between two runs, or two sets of runs, and whether by more than the noise.

use anyhow::{Result, bail};

use crate::session::exit::Exit;

use super::args::CompareArgs;
use super::read::values;
use super::sides;

/// Largest tolerance: 1,000 %.
pub(super) const TOLERANCE_MAX: f64 = 10.0;

/// Prints the comparison.
///
/// # Errors
/// When a file is not a record, or the records do not go together.
pub fn compare(args: &CompareArgs) -> Result<Exit> {
    let tolerance = values::share("--tolerance", &args.tolerance, TOLERANCE_MAX)?;
    let base = sides::read(&args.base)?;
    let new = sides::read(&args.new)?;
    if let Some(missing) = sides::missing(&base, &new) {
        bail!("{missing}");
    }
    sides::check_apart(&base, &new)?;
    if !args.force {
        sides::check_alike(&base, &new)?;
    }
    Ok(match sides::show(&base, &new, tolerance, Vec::new()) {
        false => Exit::OK,
        true => Exit::BROKEN,
    })
}
