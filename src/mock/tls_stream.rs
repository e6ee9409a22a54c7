//! The encrypted bytes of a connection, as text.

use std::cell::Cell;
use std::io::{self, ErrorKind, Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use rustls::ServerConnection;
use socket2::SockRef;
use tokio::net::{TcpStream, UnixStream};

#[cfg(target_env = "musl")]
use super::no_ring as tokio_uring;
use super::stream::Stream;
use super::tls::{HandshakeFault, TlsServer};

/// How long [`HandshakeFault::Slow`] holds the handshake back.
const SLOW: Duration = Duration::from_secs(1);
/// A fatal alert: internal_error (RFC 8446 section 6).
const ALERT: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];
/// Capacity of the buffers that bytes are read into.
const READ_BYTES: usize = 16 * 1024;

/// The text of an encrypted connection.
pub(super) struct TlsStream {
    below: Stream,
    tls: ServerConnection,
    /// Received records that are not taken yet.
    records: BytesMut,
    /// Tells whether a fault is played, when the client's first bytes are here: a connection that only tries whether
    /// there is a server meets none.
    faults: Option<Arc<TlsServer>>,
}

impl TlsStream {
    /// A connection whose handshake is to come.
    ///
    /// # Errors
    /// When rustls refuses its settings.
    pub fn new(below: Stream, server: &Arc<TlsServer>) -> io::Result<Self> {
        let mut tls = ServerConnection::new(server.config.clone()).map_err(io::Error::other)?;
        tls.set_buffer_limit(None);
        Ok(Self {
            below,
            tls,
            records: BytesMut::with_capacity(READ_BYTES),
            faults: Some(server.clone()),
        })
    }

    /// As [`Stream::handle`].
    pub fn handle(&self) -> Option<Rc<tokio_uring::net::TcpStream>> {
        self.below.handle()
    }

    /// Appends the text that has arrived to `buffer`; returns its length, 0 at the end of the stream. It may be dropped
    /// while it waits.
    pub async fn read(
        &mut self,
        scratch: &mut Vec<u8>,
        buffer: &mut BytesMut,
    ) -> io::Result<usize> {
        let before = buffer.len();
        loop {
            let is_over = self.take_records(buffer)?;
            self.flush().await?;
            if buffer.len() > before || is_over {
                return Ok(buffer.len() - before);
            }
            if self.below.read(scratch, &mut self.records).await? == 0 {
                return Ok(0);
            }
            if let Some(fault) = self.faults.take().and_then(|server| server.next_fault())
                && self.play(fault).await?
            {
                return Ok(0);
            }
        }
    }

    /// Decrypts what is here; whether the client has announced its end.
    fn take_records(&mut self, buffer: &mut BytesMut) -> io::Result<bool> {
        let mut text = [0; 4096];
        loop {
            match self.tls.reader().read(&mut text) {
                Ok(0) => return Ok(true),
                Ok(bytes) => {
                    buffer.extend_from_slice(&text[..bytes]);
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if self.records.is_empty() {
                return Ok(false);
            }
            let taken = self.tls.read_tls(&mut &self.records[..])?;
            self.records.advance(taken);
            // The alert that tells the client why is flushed by the next read.
            self.tls.process_new_packets().map_err(io::Error::other)?;
        }
    }

    /// Writes all of `out` and returns it empty.
    pub async fn write(&mut self, mut out: Vec<u8>) -> io::Result<Vec<u8>> {
        self.tls.writer().write_all(&out)?;
        self.flush().await?;
        out.clear();
        Ok(out)
    }

    /// Announces the end of our stream.
    pub async fn end(&mut self) -> io::Result<()> {
        self.tls.send_close_notify();
        self.flush().await
    }

    /// The connection ends by a reset when this is dropped. On tokio only.
    fn reset(&self) -> io::Result<()> {
        match &self.below {
            Stream::Tokio(stream) => SockRef::from(stream).set_linger(Some(Duration::ZERO)),
            Stream::Uring(_) => Ok(()),
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        let mut records = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut records)?;
        }
        if !records.is_empty() {
            self.below.write(records).await?;
        }
        Ok(())
    }

    /// Plays a fault; whether the connection ends with it.
    async fn play(&mut self, fault: HandshakeFault) -> io::Result<bool> {
        match fault {
            HandshakeFault::Slow => {
                tokio::time::sleep(SLOW).await;
                Ok(false)
            }
            HandshakeFault::Alert => {
                self.below.write(ALERT.to_vec()).await?;
                self.below.end().await.map(|()| true)
            }
            HandshakeFault::Cut => self.below.end().await.map(|()| true),
        }
    }
}

/// Carries the text of an encrypted connection to one in plain text, and back, until either ends: by a reset if
/// `is_reset` says so when the one in plain text ends.
pub(super) async fn carry(
    outer: TcpStream,
    inner: UnixStream,
    server: Arc<TlsServer>,
    is_reset: Rc<Cell<bool>>,
) {
    if let Err(error) = carry_text(outer, inner, &server, &is_reset).await {
        tracing::debug!("an encrypted connection to the stand-in ended: {error}");
    }
}

async fn carry_text(
    outer: TcpStream,
    inner: UnixStream,
    server: &Arc<TlsServer>,
    is_reset: &Cell<bool>,
) -> io::Result<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut outer = TlsStream::new(Stream::Tokio(outer), server)?;
    let (mut from_inner, mut to_inner) = inner.into_split();
    let (mut scratch, mut text) = (Vec::new(), BytesMut::with_capacity(READ_BYTES));
    let mut answers = BytesMut::with_capacity(READ_BYTES);
    loop {
        tokio::select! {
            read = outer.read(&mut scratch, &mut text) => {
                if read? == 0 {
                    return Ok(());
                }
                to_inner.write_all_buf(&mut text).await?;
            }
            read = from_inner.read_buf(&mut answers) => {
                // The inner connection may end by an error, where a request was not read.
                if is_reset.get() && !matches!(read, Ok(1..)) {
                    return outer.reset();
                }
                if read? == 0 {
                    return outer.end().await;
                }
                outer.write(answers.split().to_vec()).await?;
            }
        }
    }
}
