//! Low priority for tests that compute for seconds: other tests measure real time on the same cores.

/// Does the work of a test on a thread of the lowest priority. Its threads and processes inherit the priority.
///
/// A priority belongs to a thread and cannot be raised again. The test's own thread, which may run other tests later,
/// keeps its priority.
pub fn in_background<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let done = std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            lower_priority();
            work()
        });
        worker.join()
    });
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[expect(unsafe_code, reason = "nix has no setpriority")]
fn lower_priority() {
    const LOWEST: i32 = 19;
    // On Linux, 0 is the calling thread.
    // SAFETY: the call takes no pointers.
    let lowered = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, LOWEST) };
    assert_eq!(lowered, 0, "priority may always be lowered");
}
