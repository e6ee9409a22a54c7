//! Whether io_uring is available here; if not, which rule forbids it and what would change that, in one line.

use std::fmt;
use std::io;

use super::backend::Backend;
use super::clock::Clock;
use super::config::DriverConfig;
use super::uring::{Features, Uring};

/// The driver that a run will use, and why it is not io_uring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Never [`Backend::Auto`].
    pub backend: Backend,
    /// When io_uring was wanted and is not available.
    pub refusal: Option<Refusal>,
}

/// Why io_uring is not available.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rule or limit that forbids it.
    pub cause: String,
    /// What would make it available, where that is known.
    pub cure: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cure {
            Some(cure) => write!(f, "{}; cure: {cure}", self.cause),
            None => f.write_str(&self.cause),
        }
    }
}

/// Chooses a driver. Whether io_uring is available is tried by building one ring of the size that the run needs.
///
/// # Errors
/// Cause and cure, when io_uring was demanded and is not available.
pub fn choose(wanted: Backend, config: &DriverConfig) -> Result<Choice, Refusal> {
    if wanted == Backend::Epoll {
        return Ok(Choice {
            backend: Backend::Epoll,
            refusal: None,
        });
    }
    match (Uring::new(config, Clock::start(), Features::ALL), wanted) {
        (Ok(_), _) => Ok(Choice {
            backend: Backend::Uring,
            refusal: None,
        }),
        (Err(error), Backend::Uring) => Err(explain(&error, disabled_by_sysctl())),
        (Err(error), _) => Ok(Choice {
            backend: Backend::Epoll,
            refusal: Some(explain(&error, disabled_by_sysctl())),
        }),
    }
}

/// `kernel.io_uring_disabled` (Linux 6.6): 0 allows io_uring to all processes, 1 to privileged ones and the group in
/// `kernel.io_uring_group`, 2 to none.
fn disabled_by_sysctl() -> Option<u8> {
    let text = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok()?;
    text.trim().parse().ok()
}

fn explain(error: &io::Error, sysctl: Option<u8>) -> Refusal {
    let (cause, cure) = match (error.raw_os_error(), sysctl) {
        (Some(libc::EPERM), Some(value @ 1..)) => (
            format!("io_uring is switched off on this machine: kernel.io_uring_disabled = {value}"),
            Some("sysctl -w kernel.io_uring_disabled=0"),
        ),
        (Some(libc::EPERM | libc::EACCES), _) => (
            "io_uring is forbidden by a seccomp rule or security module, as in most containers"
                .into(),
            Some(
                "allow io_uring_setup, io_uring_enter and io_uring_register \
                 (docker run --security-opt seccomp=unconfined)",
            ),
        ),
        (Some(libc::ENOSYS), _) => (
            "this kernel has no io_uring, or a seccomp rule hides it".into(),
            Some("Linux 5.11 or later, built with CONFIG_IO_URING"),
        ),
        (Some(libc::ENOMEM), _) => (
            "the ring exceeds the limit on locked memory".into(),
            Some("ulimit -l unlimited (LimitMEMLOCK= of a service)"),
        ),
        (Some(libc::EMFILE | libc::ENFILE), _) => (
            "no descriptor is free for the ring".into(),
            Some("ulimit -n 65536"),
        ),
        _ => (format!("io_uring is not available: {error}"), None),
    };
    Refusal {
        cause,
        cure: cure.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::Sockets;

    fn check(errno: i32, sysctl: Option<u8>, cause: &str, cure: &str) {
        let text = explain(&io::Error::from_raw_os_error(errno), sysctl).to_string();
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
    fn epoll_is_chosen_without_building_a_ring() {
        let config = DriverConfig {
            addresses: Vec::new(),
            sockets: Sockets::default(),
            slots: 1,
            rendered_bytes_max: 64,
            shared: Vec::new(),
        };
        let choice = choose(Backend::Epoll, &config).expect("epoll is always available");
        assert_eq!(choice.backend, Backend::Epoll);
        assert_eq!(choice.refusal, None);
    }
}
