//! Standard output and standard error. A reader that has gone (`| head`) ends nothing and is no error; any other
//! failure of standard output is one, and the command says so at its end.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Result, anyhow};
use terminal_size::{Width, terminal_size_of};

use super::exit::{Exit, cannot};
use crate::text::wrap::wrap;

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
///
/// It waits for a screen that is still open: what is printed on the alternate screen would be lost with it.
pub(crate) fn print(text: impl std::fmt::Display) {
    let closed = closing().take();
    if let Some(closed) = closed {
        // A thread that has panicked has closed the screen too.
        let _ = closed.recv();
    }
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

/// A line on standard error, which has no place to report its own failures to; on a terminal it is broken between words.
/// While a screen has the terminal, the line is kept for the time after it.
pub(crate) fn note(line: impl std::fmt::Display) {
    let line = match io::stderr().is_terminal() {
        true => fitted(&line.to_string(), columns(io::stderr())),
        false => line.to_string(),
    };
    write_or_hold(line);
}

fn write_or_hold(line: String) {
    if let Some(held) = held().as_mut() {
        match held.lines.len() < HELD_MAX {
            true => held.lines.push(line),
            false => held.lost += 1,
        }
        return;
    }
    // Not under the lock: standard error may take nothing for a while.
    let _ = writeln!(io::stderr(), "{line}");
}

/// A text whose lines have at most `width` columns. What continues a line is indented by two columns more than it.
fn fitted(text: &str, width: usize) -> String {
    // Clearing a line takes no column.
    let (clear, text) = match text.strip_prefix(CLEAR_LINE) {
        Some(rest) => (CLEAR_LINE, rest),
        None => ("", text),
    };
    let lines = text.split('\n').flat_map(|line| {
        let begin = line.len() - line.trim_start_matches(' ').len();
        let begin = begin.min(width / 2);
        let indent = " ".repeat((begin + 2).min(width.saturating_sub(1)));
        match line.chars().count() <= width {
            true => vec![line.to_owned()],
            false => wrap(
                line,
                width.max(1),
                &indent[..begin.min(indent.len())],
                &indent,
            ),
        }
    });
    let lines: Vec<String> = lines.collect();
    clear.to_owned() + &lines.join("\n")
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
    held.lines.into_iter().for_each(write_or_hold);
    if held.lost > 0 {
        write_or_hold(format!("and {} lines more", held.lost));
    }
}

/// The screen that is being closed by [`release_after`], if the caller did not wait for its end.
static CLOSING: Mutex<Option<Receiver<()>>> = Mutex::new(None);

fn closing() -> MutexGuard<'static, Option<Receiver<()>>> {
    CLOSING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Closes the screen and prints what was kept, on a thread of its own: a terminal that takes nothing must not keep a
/// record from being written. Returns what `close` returns, if that is known within `wait`; [`print()`] waits for the rest.
pub(crate) fn release_after<T: Send + 'static>(
    close: impl FnOnce() -> T + Send + 'static,
    wait: Duration,
) -> Option<T> {
    let ((give, given), (end, ended)) = (channel(), channel());
    let body = move || {
        let closed = close();
        release();
        // The other sides may have stopped waiting.
        let _ = give.send(closed);
        let _ = end.send(());
    };
    if std::thread::Builder::new().spawn(body).is_err() {
        before_exit();
        release();
        return None;
    }
    let closed = given.recv_timeout(wait).ok();
    if closed.is_none() {
        *closing() = Some(ended);
    }
    closed
}

/// The process was stopped and continued since it was asked for.
static CONTINUED: AtomicBool = AtomicBool::new(false);

/// The process was continued after a stop, in which a shell may have changed the terminal.
pub(crate) fn on_continued() {
    CONTINUED.store(true, Ordering::Relaxed);
}

/// Whether the process was continued since the last call.
pub(crate) fn take_continued() -> bool {
    CONTINUED.swap(false, Ordering::Relaxed)
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
    let (done, is_done) = channel();
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
        // As it is: programs read it.
        write_or_hold(String::from_utf8_lossy(bytes).trim_end().to_owned());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_broken_between_words_and_keeps_what_fits() {
        let check = |text: &str, expected: &str| assert_eq!(fitted(text, 20), expected);
        check("note: it fits", "note: it fits");
        check("\nnote: a b\n  c", "\nnote: a b\n  c");
        check(
            "note: this one is wider than 20 columns",
            "note: this one is\n  wider than 20\n  columns",
        );
        check(
            "  indented and wider than that",
            "  indented and wider\n    than that",
        );
        let clear = format!("{CLEAR_LINE}a level of 12345678");
        assert_eq!(fitted(&clear, 20), clear, "clearing takes no column");
        for width in 1..60 {
            let text = fitted("  memory: about 4.20 MB (20 users at 44 B)\nnext", width);
            let is_wide = |line: &str| line.chars().count() > width.max(3);
            assert!(!text.lines().any(is_wide), "{width}: {text}");
        }
    }
}
