//! The terminal while the screen has it: no echo, no line editing, the alternate screen; and the way back, which every
//! exit takes: the end of the run, an error, a panic, a signal.
//!
//! Ctrl-C and Ctrl-\ stay with the kernel: they are signals here as everywhere, whatever the screen's thread is doing.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
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

/// Where frames go; `None` while the screen does not have the terminal. Held while a frame is written, which a terminal
/// that takes nothing can make last.
static OUTPUT: Mutex<Option<File>> = Mutex::new(None);
/// The modes before; `None` while the screen does not have the terminal. Never held while something is written.
static MODES: Mutex<Option<Modes>> = Mutex::new(None);

struct Modes {
    input: OwnedFd,
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
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    take_from(input, io::stdout().as_fd().try_clone_to_owned()?)
}

/// The same for the two ends of any terminal.
fn take_from(input: OwnedFd, output: OwnedFd) -> io::Result<()> {
    let mut output = File::from(output);
    let before = tcgetattr(&input)?;
    let modes = Modes { input, before };
    modes.set_raw()?;
    *locked(&MODES) = Some(modes);
    let entered = output.write_all(ENTER);
    *locked(&OUTPUT) = Some(output);
    entered
}

impl Modes {
    /// No echo, no lines, no translation of output; signals stay, but for the one that stops the process.
    fn set_raw(&self) -> io::Result<()> {
        let mut raw = self.before.clone();
        cfmakeraw(&mut raw);
        raw.local_flags |= LocalFlags::ISIG;
        raw.control_chars[SpecialCharacterIndices::VSUSP as usize] = NO_CHARACTER;
        Ok(tcsetattr(&self.input, SetArg::TCSANOW, &raw)?)
    }
}

fn locked<T>(mutex: &'static Mutex<T>) -> MutexGuard<'static, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the terminal again after the process was stopped and continued: a shell has set its own modes meanwhile.
///
/// # Errors
/// As [`take`].
pub fn take_again() -> io::Result<()> {
    match locked(&MODES).as_ref() {
        Some(modes) => modes.set_raw()?,
        None => return Ok(()),
    }
    write(ENTER).map(drop)
}

/// Writes a frame; `false` when the terminal has been given back.
///
/// # Errors
/// When the terminal has gone.
pub fn write(bytes: &[u8]) -> io::Result<bool> {
    match locked(&OUTPUT).as_mut() {
        Some(output) => output.write_all(bytes).map(|()| true),
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

/// Gives the terminal back as it was; a second call does nothing. It waits only a short time for a frame that is being
/// written: a terminal that takes nothing must not hold up the end of the process. Its modes are restored in any case.
pub fn give_back() {
    restore_modes();
    let until = Instant::now() + FRAME_WAIT;
    loop {
        match OUTPUT.try_lock() {
            Ok(mut output) => return leave_if_taken(&mut output),
            Err(TryLockError::Poisoned(output)) => return leave_if_taken(&mut output.into_inner()),
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(TryLockError::WouldBlock) => return,
        }
    }
}

/// The same, however long the terminal takes.
pub fn give_back_at_last() {
    restore_modes();
    if let Some(mut output) = locked(&OUTPUT).take() {
        // A terminal that has gone shows nothing any more.
        let _ = output.write_all(LEAVE);
    }
}

fn restore_modes() {
    if let Some(Modes { input, before }) = locked(&MODES).take() {
        // A terminal that has gone has no modes any more.
        let _ = tcsetattr(input, SetArg::TCSANOW, &before);
    }
}

/// Leaves the alternate screen, if the terminal takes that now: else [`give_back_at_last`] is left to do it.
fn leave_if_taken(output: &mut Option<File>) {
    let Some(file) = output else { return };
    let mut ready = [PollFd::new(file.as_fd(), PollFlags::POLLOUT)];
    let wait = PollTimeout::try_from(FRAME_WAIT).unwrap_or(PollTimeout::ZERO);
    if poll(&mut ready, wait).is_ok_and(|ready| ready > 0) {
        let _ = file.write_all(LEAVE);
        *output = None;
    }
}

#[cfg(test)]
mod tests;
