//! Is io_uring to be had here? And if not, which rule says no, and what would change that: in one line.

use std::io;

use super::clock::Clock;
use super::uring::{Features, Uring};
use super::{Backend, DriverConfig};

/// The driver that a run will use, and why it is not the faster one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Never [`Backend::Auto`].
    pub backend: Backend,
    /// Cause and cure when io_uring was wanted and is not to be had.
    pub note: Option<String>,
}

/// Decides between the drivers by building one ring of the size that the run needs.
///
/// # Errors
/// The cause and the cure when io_uring was demanded and is not to be had.
pub fn choose(wanted: Backend, config: &DriverConfig) -> Result<Choice, String> {
    if wanted == Backend::Epoll {
        return Ok(Choice {
            backend: Backend::Epoll,
            note: None,
        });
    }
    match (Uring::new(config, Clock::start(), Features::ALL), wanted) {
        (Ok(_), _) => Ok(Choice {
            backend: Backend::Uring,
            note: None,
        }),
        (Err(error), Backend::Uring) => Err(explain(&error, disabled_by_sysctl())),
        (Err(error), _) => Ok(Choice {
            backend: Backend::Epoll,
            note: Some(explain(&error, disabled_by_sysctl())),
        }),
    }
}

/// `kernel.io_uring_disabled`: 0 allowed, 1 only for privileged processes and the group of
/// `kernel.io_uring_group`, 2 for nobody (Linux 6.6).
fn disabled_by_sysctl() -> Option<u8> {
    let text = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok()?;
    text.trim().parse().ok()
}

fn explain(error: &io::Error, sysctl: Option<u8>) -> String {
    match (error.raw_os_error(), sysctl) {
        (Some(libc::EPERM), Some(value @ 1..)) => format!(
            "io_uring is switched off here: kernel.io_uring_disabled = {value}; cure: sysctl -w kernel.io_uring_disabled=0"
        ),
        (Some(libc::EPERM | libc::EACCES), _) => "io_uring is forbidden by a seccomp rule or security module, as in most \
             containers; cure: allow io_uring_setup, io_uring_enter and io_uring_register \
             (docker run --security-opt seccomp=unconfined)"
            .into(),
        (Some(libc::ENOSYS), _) => {
            "this kernel has no io_uring, or a seccomp rule hides it; cure: Linux 5.11 or later, built with CONFIG_IO_URING"
                .into()
        }
        (Some(libc::ENOMEM), _) => {
            "the ring does not fit the limit of locked memory; cure: ulimit -l unlimited (LimitMEMLOCK= of a service)".into()
        }
        (Some(libc::EMFILE | libc::ENFILE), _) => {
            "no descriptor is left for the ring; cure: ulimit -n 65536".into()
        }
        _ => format!("io_uring cannot be had: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::Sockets;

    fn check(errno: i32, sysctl: Option<u8>, cause: &str, cure: &str) {
        let text = explain(&io::Error::from_raw_os_error(errno), sysctl);
        assert!(text.contains(cause), "{text}");
        assert!(text.contains(cure), "{text}");
        assert!(!text.contains('\n'), "one line: {text}");
    }

    #[test]
    fn each_refusal_names_its_cause_and_its_cure() {
        check(
            libc::EPERM,
            Some(2),
            "kernel.io_uring_disabled = 2",
            "sysctl -w",
        );
        check(libc::EPERM, Some(0), "seccomp", "--security-opt");
        check(libc::EPERM, None, "seccomp", "--security-opt");
        check(libc::ENOSYS, None, "no io_uring", "Linux 5.11");
        check(libc::ENOMEM, None, "locked memory", "ulimit -l");
        check(libc::EMFILE, None, "descriptor", "ulimit -n");
    }

    #[test]
    fn epoll_is_taken_without_asking_for_a_ring() {
        let config = DriverConfig {
            addresses: Vec::new(),
            sockets: Sockets::default(),
            slots: 1,
            rendered_bytes_max: 64,
            shared: Vec::new(),
        };
        let choice = choose(Backend::Epoll, &config).expect("epoll needs nothing");
        assert_eq!(choice.backend, Backend::Epoll);
        assert_eq!(choice.note, None);
    }
}
