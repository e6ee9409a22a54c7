//! `opsurge merge`: records of several machines or parts into one.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};

use crate::record::files;
use crate::record::merge::align::{Align, align};
use crate::record::merge::together::refusal;
use crate::record::merge_runs::merged;
use crate::record::schema::Record;
use crate::report::console::{Console, Form};
use crate::session::exit::{Exit, cannot};
use crate::session::output::{columns, has_colour, note, print};

use super::args::{AlignChoice, MergeArgs};
use super::{results, stored};

/// Standard output as the place of the record.
const STDOUT: &str = "-";

/// Merges the records, prints the short report, and writes the merged record.
///
/// # Errors
/// When a file is not a record, the records do not belong together, or the merged one cannot be written.
pub fn run(args: &MergeArgs) -> Result<Exit> {
    let goes_to_stdout = args.output.as_os_str() == STDOUT;
    if !goes_to_stdout {
        results::check_places(&[(&Some(args.output.clone()), "-o")], None, false)?;
    }
    let parts = args.records.iter().map(|path| named(path));
    let parts: Vec<(String, Record)> = parts.collect::<Result<_>>()?;
    if let Some(reason) = refusal(&parts)
        && !args.force
    {
        bail!("{reason}; give records of one run, or --force to merge them all the same");
    }
    let alignment = align(&parts, args.align.map(Align::from))?;
    if let Some(text) = &alignment.note {
        note(format_args!("note: {text}"));
    }
    let record = merged(&parts, &alignment.offsets_s)?;
    let text = record.to_json();
    let mut console = Console {
        form: Form::Short,
        width: columns(std::io::stdout()),
        ..Console::default()
    };
    if goes_to_stdout {
        note(console.text(&record).trim_end());
        print(text);
        return Ok(Exit::OK);
    }
    let written = files::write(&args.output, text.as_bytes());
    if written.is_ok() {
        console.files = vec![format!("Record: {}", args.output.display())];
    }
    console.colour = has_colour();
    print(console.text(&record));
    cannot(written)?;
    Ok(Exit::OK)
}

/// A record with the name of its part: `part 2/4`, or the name of its file.
fn named(path: &Path) -> Result<(String, Record)> {
    let record = stored::record(path)?;
    let name = match record.run.part {
        Some(part) => format!("part {}/{}", part.index, part.of),
        None => name_of(path)?,
    };
    Ok((name, record))
}

fn name_of(path: &Path) -> Result<String> {
    let name = PathBuf::from(path.file_name().unwrap_or(path.as_os_str()));
    let name = name.to_str().map(str::to_owned);
    name.ok_or_else(|| anyhow!("{}: a file's name must be UTF-8", path.display()))
}

impl From<AlignChoice> for Align {
    fn from(choice: AlignChoice) -> Self {
        match choice {
            AlignChoice::Clock => Self::Clock,
            AlignChoice::Start => Self::Start,
        }
    }
}
