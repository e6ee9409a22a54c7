//! In place of tokio-uring on musl, where it does not compile: it takes `msg_controllen` for a `usize`, which musl declares
//! as a `u32`. The stand-in then runs on tokio, as it does where io_uring is forbidden. Nothing here is ever called but
//! [`start`], and that only when a ring is demanded.

use std::io::Result;

/// The future of a thread is dropped: there is no ring to run it on.
///
/// # Errors
/// Always.
pub(super) fn start(_future: impl Future<Output = Result<()>>) -> Result<()> {
    Err(net::unsupported())
}

pub(super) fn spawn(_task: impl Future<Output = ()> + 'static) {}

pub(super) mod net {
    use std::io::{Error, ErrorKind, Result};
    use std::net::{Shutdown, SocketAddr};

    pub fn unsupported() -> Error {
        Error::new(
            ErrorKind::Unsupported,
            "this build of the stand-in has no io_uring",
        )
    }

    pub struct TcpListener;

    impl TcpListener {
        pub fn from_std(_listener: std::net::TcpListener) -> Self {
            Self
        }

        pub async fn accept(&self) -> Result<(TcpStream, SocketAddr)> {
            Err(unsupported())
        }
    }

    pub struct TcpStream;

    impl TcpStream {
        pub fn from_std(_stream: std::net::TcpStream) -> Self {
            Self
        }

        pub fn set_nodelay(&self, _is_on: bool) -> Result<()> {
            Err(unsupported())
        }

        pub async fn read(&self, buffer: Vec<u8>) -> (Result<usize>, Vec<u8>) {
            (Err(unsupported()), buffer)
        }

        pub async fn write_all(&self, bytes: Vec<u8>) -> (Result<()>, Vec<u8>) {
            (Err(unsupported()), bytes)
        }

        pub fn shutdown(&self, _how: Shutdown) -> Result<()> {
            Err(unsupported())
        }
    }
}
