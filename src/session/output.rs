//! Standard output and standard error. A reader that has gone (`| head`) ends nothing and is no error; any other
//! failure of standard output is one, and the command says so at its end.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

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

/// Lines for standard error that are kept while a screen has the terminal.
const HELD_MAX: usize = 200;
/// Those lines; `None` while they go straight to standard error.
static HELD: Mutex<Option<Held>> = Mutex::new(None);
/// Gives the terminal back before the process ends at once.
static BEFORE_EXIT: OnceLock<fn()> = OnceLock::new();
/// How long that may take.
const BEFORE_EXIT_WAIT: Duration = Duration::from_millis(200);

#[derive(Default)]
struct Held {
    lines: Vec<String>,
    /// Lines that the screen has shown.
    shown: usize,
    /// Lines beyond [`HELD_MAX`].
    lost: usize,
}

/// A line on standard error, which has no place to report its own failures to. While a screen has the terminal, the line
/// is kept for the time after it.
pub(crate) fn note(line: impl std::fmt::Display) {
    if let Some(held) = held().as_mut() {
        match held.lines.len() < HELD_MAX {
            true => held.lines.push(line.to_string()),
            false => held.lost += 1,
        }
        return;
    }
    // Not under the lock: standard error may take nothing for a while.
    let _ = writeln!(io::stderr(), "{line}");
}

/// From now on a screen has the terminal: lines for standard error are kept.
pub(crate) fn hold() {
    held().get_or_insert_default();
}

/// The screen is closed: what was kept is printed.
pub(crate) fn release() {
    let Some(held) = held().take() else {
        return;
    };
    held.lines.iter().for_each(note);
    if held.lost > 0 {
        note(format_args!("and {} lines more", held.lost));
    }
}

/// The newest line that was kept and not asked for yet.
pub(crate) fn newest_held() -> Option<String> {
    let mut held = held();
    let held = held.as_mut().filter(|held| held.shown < held.lines.len())?;
    held.shown = held.lines.len();
    let line = held.lines.last()?.trim_start_matches(CLEAR_LINE);
    line.trim().lines().next().map(str::to_owned)
}

/// To the left edge, and the line cleared: before a line that replaces the one of progress.
pub(crate) const CLEAR_LINE: &str = "\r\x1b[K";

fn held() -> MutexGuard<'static, Option<Held>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What [`before_exit`] calls.
pub(crate) fn set_before_exit(give_back: fn()) {
    // The same function each time.
    let _ = BEFORE_EXIT.set(give_back);
}

/// Gives the terminal back, for a process that is about to end at once. A terminal that takes nothing holds it up for a
/// short time only.
pub(crate) fn before_exit() {
    let Some(give_back) = BEFORE_EXIT.get() else {
        return;
    };
    let (done, is_done) = std::sync::mpsc::channel();
    let spawned = std::thread::Builder::new().spawn(move || {
        give_back();
        let _ = done.send(());
    });
    if spawned.is_ok() {
        let _ = is_done.recv_timeout(BEFORE_EXIT_WAIT);
    }
}

/// Log lines on their way to standard error: kept as [`note`] keeps them.
pub(crate) struct LogLine;

impl Write for LogLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        note(String::from_utf8_lossy(bytes).trim_end());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
