//! The terminal while the screen has it: no echo, no line editing, the alternate screen; and the way back, which every
//! exit takes: the end of the run, an error, a panic, a signal.
//!
//! Ctrl-C and Ctrl-\ stay with the kernel: they are signals here as everywhere, whatever the screen's thread is doing.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use nix::sys::termios::{
    LocalFlags, SetArg, SpecialCharacterIndices, Termios, cfmakeraw, tcgetattr, tcsetattr,
};
use terminal_size::{Height, Width, terminal_size_of};

/// Enters the alternate screen, hides the cursor.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[2J";
/// Ends colours, shows the cursor, leaves the alternate screen.
const LEAVE: &[u8] = b"\x1b[0m\x1b[?25h\x1b[?1049l";
/// How long the way back waits for a frame that is being written.
const FRAME_WAIT: Duration = Duration::from_millis(100);
/// A character that stands for "none" (`_POSIX_VDISABLE` of Linux).
const NO_CHARACTER: u8 = 0;

/// What was there before; `None` while the screen does not have the terminal. Held while a frame is written.
static TAKEN: Mutex<Option<Taken>> = Mutex::new(None);

struct Taken {
    output: File,
    before: Termios,
}

/// A terminal can show the screen: input, output and error are one, and it obeys escape sequences.
pub fn is_able() -> bool {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    let are_terminals =
        io::stdin().is_terminal() && io::stdout().is_terminal() && io::stderr().is_terminal();
    are_terminals && !is_dumb
}

/// Takes the terminal; [`give_back`] must follow.
///
/// # Errors
/// When the terminal refuses its modes, or takes nothing.
pub fn take() -> io::Result<()> {
    let mut output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let before = tcgetattr(io::stdin())?;
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    set_raw(&before)?;
    let entered = output.write_all(ENTER);
    *taken = Some(Taken { output, before });
    entered
}

/// No echo, no lines, no translation of output; signals stay, but for the one that stops the process.
fn set_raw(before: &Termios) -> io::Result<()> {
    let mut raw = before.clone();
    cfmakeraw(&mut raw);
    raw.local_flags |= LocalFlags::ISIG;
    raw.control_chars[SpecialCharacterIndices::VSUSP as usize] = NO_CHARACTER;
    Ok(tcsetattr(io::stdin(), SetArg::TCSANOW, &raw)?)
}

/// Takes the terminal again after the process was stopped and continued: a shell has set its own modes meanwhile.
///
/// # Errors
/// As [`take`].
pub fn take_again() -> io::Result<()> {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    match taken.as_mut() {
        Some(taken) => {
            set_raw(&taken.before)?;
            taken.output.write_all(ENTER)
        }
        None => Ok(()),
    }
}

/// Writes a frame; `false` when the terminal has been given back.
///
/// # Errors
/// When the terminal has gone.
pub fn write(bytes: &[u8]) -> io::Result<bool> {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    match taken.as_mut() {
        Some(taken) => taken.output.write_all(bytes).map(|()| true),
        None => Ok(false),
    }
}

/// Columns and lines of the terminal.
pub fn size() -> (u16, u16) {
    match terminal_size_of(io::stdout()) {
        Some((Width(columns), Height(lines))) if columns > 0 && lines > 0 => (columns, lines),
        _ => (80, 24),
    }
}

/// Gives the terminal back as it was; a second call does nothing. It waits for a frame that is being written, for a short
/// time: a terminal that takes nothing must not hold up the end of the process.
pub fn give_back() {
    let until = Instant::now() + FRAME_WAIT;
    loop {
        match TAKEN.try_lock() {
            Ok(mut taken) => return restore(taken.take()),
            Err(TryLockError::Poisoned(taken)) => return restore(taken.into_inner().take()),
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(TryLockError::WouldBlock) => return,
        }
    }
}

fn restore(taken: Option<Taken>) {
    if let Some(Taken { mut output, before }) = taken {
        // A terminal that has gone has no modes any more.
        let _ = output.write_all(LEAVE);
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &before);
    }
}
