//! The limit of open descriptors.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the soft limit of open descriptors to `wanted`, or as far as it may go, and returns it.
///
/// # Errors
/// That of `getrlimit`. A limit that cannot be raised is not an error: the caller compares.
pub fn raise_descriptor_limit(wanted: u64) -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft >= wanted {
        return Ok(soft);
    }
    // Root may raise the hard limit too; any process may go up to it.
    for (new_soft, new_hard) in [(wanted, hard.max(wanted)), (wanted.min(hard), hard)] {
        if setrlimit(Resource::RLIMIT_NOFILE, new_soft, new_hard).is_ok() {
            return Ok(new_soft);
        }
    }
    Ok(soft)
}
