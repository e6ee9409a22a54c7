//! Whether the wall clock is synchronised.

use std::mem::MaybeUninit;

/// The kernel's account of the wall clock (adjtimex(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallClock {
    /// A time service disciplines it.
    pub is_synchronised: bool,
    /// Bound of its error in microseconds, as the time service estimates it.
    pub error_us_max: u64,
}

/// The present state; `None` where a seccomp rule forbids to ask.
pub fn wall_clock() -> Option<WallClock> {
    // SAFETY: `timex` is made of integers, for which all bits zero is a value; zero `modes` asks and sets nothing.
    let mut timex: libc::timex = unsafe { MaybeUninit::zeroed().assume_init() };
    // SAFETY: the pointer is to a `timex` of this frame, which the kernel fills before the call returns.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    (state >= 0).then(|| WallClock {
        is_synchronised: timex.status & libc::STA_UNSYNC == 0,
        error_us_max: u64::try_from(timex.maxerror).unwrap_or(0),
    })
}
