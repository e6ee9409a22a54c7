//! A connection's socket, plain or encrypted, which never blocks.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The text of a connection.
pub(super) enum CannedStream {
    Plain(TcpStream),
    Encrypted(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl CannedStream {
    /// Encrypted with `tls`, plain without.
    ///
    /// # Errors
    /// When the socket cannot be made non-blocking, or rustls refuses its settings.
    pub fn new(socket: TcpStream, tls: Option<&Arc<ServerConfig>>) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let Some(config) = tls else {
            return Ok(Self::Plain(socket));
        };
        let mut server = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
        server.set_buffer_limit(None);
        Ok(Self::Encrypted(Box::new(StreamOwned::new(server, socket))))
    }

    pub fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Encrypted(stream) => &stream.sock,
        }
    }

    /// Records wait for the socket to take them.
    pub fn has_unsent(&self) -> bool {
        matches!(self, Self::Encrypted(stream) if stream.conn.wants_write())
    }

    /// A read of `count` of `room` bytes has left nothing in the socket. What comes later is another event (epoll(7));
    /// records bring their text piece by piece.
    pub fn is_empty_after(&self, count: usize, room: usize) -> bool {
        matches!(self, Self::Plain(_)) && count < room
    }

    /// Ends our side of the stream, announced when it is encrypted.
    pub fn end(&mut self) -> io::Result<()> {
        if let Self::Encrypted(stream) = self {
            stream.conn.send_close_notify();
            self.flush()?;
        }
        self.socket().shutdown(Shutdown::Write)
    }
}

impl Read for CannedStream {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(to),
            Self::Encrypted(stream) => stream.read(to),
        }
    }
}

impl Write for CannedStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Encrypted(stream) => stream.write(bytes),
        }
    }

    /// Hands over what the socket takes; the rest waits until it can be written to again.
    fn flush(&mut self) -> io::Result<()> {
        let Self::Encrypted(stream) = self else {
            return Ok(());
        };
        match stream.flush() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            flushed => flushed,
        }
    }
}
