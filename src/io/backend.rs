//! Which driver a run uses, and what each keeps per connection.

use super::epoll::Epoll;
use super::uring::Uring;

/// Which driver a run asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// io_uring where it is available, otherwise epoll.
    #[default]
    Auto,
    /// io_uring or an error.
    Uring,
    /// epoll.
    Epoll,
}

/// Memory that a driver keeps for each connection, in bytes.
pub fn connection_bytes(backend: Backend) -> usize {
    match backend {
        Backend::Epoll => Epoll::CONNECTION_BYTES,
        Backend::Uring | Backend::Auto => Uring::CONNECTION_BYTES,
    }
}
