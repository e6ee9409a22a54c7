//! The process as a whole: ignored signals, and an exit that waits for nothing.

use nix::sys::signal::{SigHandler, Signal, signal};

/// Ignores SIGXFSZ, so that a write beyond the limit on a file's size (`ulimit -f`) fails with EFBIG. By default the
/// signal ends the process, without a report and with half a file left behind. The standard library ignores SIGPIPE
/// likewise.
pub fn ignore_file_size_signal() {
    // SAFETY: an ignored signal runs no handler of ours, and no code of this process expects SIGXFSZ.
    let ignored = unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) };
    debug_assert!(ignored.is_ok(), "SIGXFSZ can be ignored");
}

/// Whether this process was started with the signal ignored, as `nohup` does with SIGHUP.
pub fn ignores(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    is_in_mask(&status, signal)
}

/// `SigIgn: 0000000000001000`, hexadecimal, bit 0 for signal 1 (proc_pid_status(5)).
fn is_in_mask(status: &str, signal: Signal) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal as u32 - 1) & 1 == 1)
}

/// Lowers the priority of the calling thread for the rest of its life: where it has no core of its own, others come first.
/// A thread of niceness 10 gets a tenth of the time of one of niceness 0 that wants the same core (sched(7)).
pub fn lower_priority_of_thread() {
    const NICENESS: libc::c_int = 10;
    // SAFETY: the call takes three numbers. Linux applies it to the calling thread alone (setpriority(2), "C library/kernel
    // differences"); lowering is always allowed.
    let lowered = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS) };
    debug_assert_eq!(lowered, 0, "a lower priority is always granted");
}

/// Ends the process at once, for the case that its main thread is stuck in a write: flushes nothing, waits for no lock,
/// joins no thread.
pub fn exit_now(code: u8) -> ! {
    // SAFETY: `_exit` takes a number and does not return.
    unsafe { libc::_exit(i32::from(code)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read_bit_by_bit() {
        let status = "Name:\topsurge\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000004002\n";
        assert!(is_in_mask(status, Signal::SIGHUP));
        assert!(is_in_mask(status, Signal::SIGPIPE));
        assert!(!is_in_mask(status, Signal::SIGINT));
        assert!(!is_in_mask("Name:\topsurge\n", Signal::SIGHUP));
    }
}
