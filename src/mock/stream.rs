//! The bytes of a connection, on either runtime.

use std::io;
use std::net::Shutdown;
use std::rc::Rc;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[cfg(target_env = "musl")]
use super::no_ring as tokio_uring;

/// A connection on either runtime.
pub(super) enum Stream {
    Uring(Rc<tokio_uring::net::TcpStream>),
    Tokio(tokio::net::TcpStream),
}

impl Stream {
    /// Appends the bytes that have arrived to `buffer`; returns their number, 0 at the end of the stream.
    pub async fn read(
        &mut self,
        scratch: &mut Vec<u8>,
        buffer: &mut BytesMut,
    ) -> io::Result<usize> {
        match self {
            Self::Uring(stream) => {
                let (result, filled) = stream.read(std::mem::take(scratch)).await;
                *scratch = filled;
                let count = result?;
                buffer.extend_from_slice(&scratch[..count]);
                Ok(count)
            }
            Self::Tokio(stream) => stream.read_buf(buffer).await,
        }
    }

    /// Writes all of `out` and returns it empty.
    pub async fn write(&mut self, out: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut out = match self {
            Self::Uring(stream) => {
                let (result, out) = stream.write_all(out).await;
                result?;
                out
            }
            Self::Tokio(stream) => {
                stream.write_all(&out).await?;
                out
            }
        };
        out.clear();
        Ok(out)
    }

    /// A way to end the connection while a read waits in the ring, which waits for it; `None` where the read can be
    /// dropped.
    pub fn handle(&self) -> Option<Rc<tokio_uring::net::TcpStream>> {
        match self {
            Self::Uring(stream) => Some(stream.clone()),
            Self::Tokio(_) => None,
        }
    }

    /// No more bytes are written.
    pub async fn end(&mut self) -> io::Result<()> {
        match self {
            Self::Uring(stream) => stream.shutdown(Shutdown::Write),
            Self::Tokio(stream) => stream.shutdown().await,
        }
    }
}
