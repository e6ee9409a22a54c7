//! Standard output and standard error. A reader that has gone (`| head`) ends nothing and is no error; any other
//! failure of standard output is one, and the command says so at its end.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::OnceLock;

use anyhow::{Result, anyhow};
use terminal_size::{Width, terminal_size_of};

use super::exit::{Exit, cannot};

/// Standard output shows colours: it is a terminal, and `NO_COLOR` is not set (<https://no-color.org>).
pub(crate) fn has_colour() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Columns of a line that goes to no terminal.
const COLUMNS: usize = 80;
/// The first failure of standard output. It belongs to the process, as standard output does.
static FAILURE: OnceLock<io::Error> = OnceLock::new();

/// A line on standard output.
pub(crate) fn say(line: impl std::fmt::Display) {
    print(format_args!("{line}\n"));
}

/// A text on standard output.
pub(crate) fn print(text: impl std::fmt::Display) {
    let mut stdout = io::stdout();
    let written = write!(stdout, "{text}").and_then(|()| stdout.flush());
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        // The first one counts.
        let _ = FAILURE.set(error);
    }
}

/// Columns of a line on standard output or standard error: COLUMNS, the terminal's width, or 80 where there is neither.
pub(crate) fn columns(stream: impl AsFd) -> usize {
    let given = std::env::var("COLUMNS").ok();
    let given = given.and_then(|columns| columns.trim().parse().ok());
    let terminal = || terminal_size_of(stream).map(|(Width(columns), _)| columns.into());
    let known = given.or_else(terminal);
    known.filter(|columns| *columns > 0).unwrap_or(COLUMNS)
}

/// A line on standard error, which has no place to report its own failures to.
pub(crate) fn note(line: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// The part of standard output that was lost until now, with the cure.
pub(crate) fn lost_so_far() -> Option<String> {
    FAILURE.get().map(lost)
}

/// The end of a command, unless something that it had to say got lost.
///
/// # Errors
/// When standard output did not take everything.
pub(crate) fn check(ended: Result<Exit>) -> Result<Exit> {
    match (ended?, FAILURE.get()) {
        (exit, None) => Ok(exit),
        (Exit::INTERRUPTED, Some(error)) => {
            note(format_args!("error: {}", lost(error)));
            Ok(Exit::INTERRUPTED)
        }
        (_, Some(error)) => cannot(Err(anyhow!(lost(error)))),
    }
}

/// The cause and the cure.
fn lost(error: &io::Error) -> String {
    format!("standard output could not be written: {error}; send it to a place that takes it")
}
