//! Builds the best ring that the kernel grants. Each feature is used only where the kernel has it.
//!
//! Figures are CPU of the client process per request; those without a command are from `architecture.md`.
//!
//! - `SINGLE_ISSUER` (Linux 6.0) promises that one thread submits. It buys nothing by itself but is the condition for
//!   `DEFER_TASKRUN`. It costs freedom: the ring must be built on the thread that drives it.
//! - `DEFER_TASKRUN` (6.1) runs completions when we ask for them, instead of interrupting the thread anywhere. It buys
//!   8.0 to 9.3 us instead of 12.7 at 8,000 connections. It costs that completions run only in an enter that asks for
//!   events, so every enter does (`GETEVENTS`).
//! - `COOP_TASKRUN` (5.19) is the weaker form for kernels before 6.1. It buys that no interrupt is sent to a running
//!   thread; it costs that completions wait for the thread's next system call.
//! - `SUBMIT_ALL` (5.18) continues a batch after an operation that fails at once. It buys that one bad descriptor
//!   delays no other connection. It costs nothing here: errors are read from completions in any case.
//! - `CQSIZE` makes the completion queue longer than twice the submission queue. It buys that a busy turn does not
//!   overflow the queue; it costs 16 bytes for each entry. `CLAMP` reduces sizes above the kernel's maximum instead of
//!   failing. `dontfork` keeps the ring's memory out of child processes, which could write to the queues.
//! - Multishot receive (6.0) from a provided-buffer ring is armed once per connection instead of once per answer, and
//!   an idle connection holds no buffer. It buys 6.9 us instead of 7.9 for one-shot receive at 1,000 connections. It
//!   costs a turn for a connection whose data finds no buffer.
//!
//! Not used, since they gained nothing; `testbed/src/bin/floor.rs` has a switch for each. At 64 connections any run on
//! this machine takes 4.1 to 4.6 us, or near 6 when the machine is in a slow phase, which hid all other differences in
//! four interleaved rounds. The best of each: plain ring 4.10, sockets in the ring's own table 4.31, registered ring
//! descriptor 4.32, no completion for successful sends 4.44, all three 4.33, a wait for 16 completions or 30 us 4.57,
//! 64 receive buffers instead of 1,024 4.24. One enter a turn that waits, instead of one and, when nothing has
//! completed, a second: eight rounds, 0.83 to 1.37 of the CPU, 0.98 at the median. NAPI busy polling has no effect on
//! loopback, and huge pages no use for 4 MiB of buffers: neither was measured.

use std::io;

use io_uring::{IoUring, opcode};

use super::buffers::BufferRing;
use super::receive::{
    LARGE_BUFFER_BYTES, LARGE_BUFFERS, OneShot, Receive, SMALL_BUFFER_BYTES, SMALL_BUFFERS, Size,
};
use crate::io::config::DriverConfig;
use crate::io::driver::EVENTS_MAX;

/// Operations that one turn can submit without an extra system call. A turn of [`EVENTS_MAX`] events submits about one
/// for each, and users whose time has come submit as many again.
pub(super) const SUBMISSIONS_MAX: u32 = 2 * EVENTS_MAX as u32;
/// Bounds of the completion queue, in which each connection can have a send and a receive at once. The driver survives
/// an overflow (the kernel keeps the rest, `FEAT_NODROP`) and reports it.
const COMPLETIONS_MIN: u32 = 4096;
const COMPLETIONS_MAX: u32 = 65_536;

/// The features that a ring uses, newest first. Tests leave some out to run the older code paths on a newer kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// `SINGLE_ISSUER` and `DEFER_TASKRUN`, Linux 6.1.
    pub defer_taskrun: bool,
    /// Multishot receive from a provided-buffer ring, Linux 6.0.
    pub multishot: bool,
    /// `COOP_TASKRUN` and `SUBMIT_ALL`, Linux 5.19.
    pub coop_taskrun: bool,
}

impl Features {
    /// All features.
    pub const ALL: Self = Self {
        defer_taskrun: true,
        multishot: true,
        coop_taskrun: true,
    };
}

/// Length of the completion queue.
pub(super) fn completion_entries(config: &DriverConfig) -> u32 {
    (4 * config.slots as u32).clamp(COMPLETIONS_MIN, COMPLETIONS_MAX)
}

/// The best ring of `allowed` that the kernel grants, and the features that it has.
///
/// # Errors
/// The error of `io_uring_setup`, and `Unsupported` on kernels before 5.11, whose waits take no timeout.
pub(super) fn build_ring(
    completions: u32,
    allowed: Features,
) -> io::Result<(IoUring, Features, Receive)> {
    let (ring, mut features) = best_ring(completions, allowed)?;
    if !ring.params().is_feature_ext_arg() {
        let reason = "this kernel's io_uring cannot wait with a timeout; cure: Linux 5.11 or later";
        return Err(io::Error::new(io::ErrorKind::Unsupported, reason));
    }
    let receive = receive_mode(&ring, &mut features);
    Ok((ring, features, receive))
}

fn best_ring(completions: u32, allowed: Features) -> io::Result<(IoUring, Features)> {
    let without_defer = Features {
        defer_taskrun: false,
        ..allowed
    };
    let without_both = Features {
        coop_taskrun: false,
        ..without_defer
    };
    let mut outcome = Err(io::Error::from_raw_os_error(libc::EINVAL));
    for features in [allowed, without_defer, without_both] {
        let mut builder = IoUring::builder();
        builder.dontfork().setup_clamp().setup_cqsize(completions);
        if features.coop_taskrun {
            builder.setup_submit_all();
        }
        if features.defer_taskrun {
            builder.setup_single_issuer().setup_defer_taskrun();
        } else if features.coop_taskrun {
            builder.setup_coop_taskrun();
        }
        outcome = builder.build(SUBMISSIONS_MAX).map(|ring| (ring, features));
        // A kernel answers EINVAL to a flag that it does not know.
        let is_unknown_flag = matches!(&outcome, Err(e) if e.raw_os_error() == Some(libc::EINVAL));
        if !is_unknown_flag {
            break;
        }
    }
    outcome
}

/// Multishot from buffer rings where the kernel has both, otherwise one-shot.
fn receive_mode(ring: &IoUring, features: &mut Features) -> Receive {
    if features.multishot && knows_multishot(ring) {
        let small = BufferRing::new(SMALL_BUFFERS, SMALL_BUFFER_BYTES);
        let large = BufferRing::new(LARGE_BUFFERS, LARGE_BUFFER_BYTES);
        let submitter = ring.submitter();
        // SAFETY: both go into the same `Uring` as the ring, whose `Drop` waits for the last completion before it frees
        // them, or leaks them. Moving a `BufferRing` moves neither entries nor buffers: both are on the heap. When the
        // second cannot be registered both are freed at once, and no operation ever names the first.
        let registered = unsafe {
            small
                .register(&submitter, Size::Small as u16)
                .and_then(|()| large.register(&submitter, Size::Large as u16))
        };
        if registered.is_ok() {
            return Receive::Multishot([small, large]);
        }
    }
    features.multishot = false;
    Receive::OneShot(OneShot::default())
}

/// The kernel cannot be asked for multishot receive. Zero-copy send came with the same kernel (6.0) and has an opcode
/// that can be asked for.
fn knows_multishot(ring: &IoUring) -> bool {
    let mut probe = io_uring::Probe::new();
    ring.submitter().register_probe(&mut probe).is_ok() && probe.is_supported(opcode::SendZc::CODE)
}
