//! A connection without impairments: requests in, answers out.

use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Instant;

use bytes::{Buf, BytesMut};
use tokio::sync::watch;

use super::ops_core::OpsCore;
use super::request::{self, Read};
use super::stream::Stream;
use super::tls_stream::TlsStream;

/// Capacity of a connection's read buffer.
pub(super) const READ_BYTES: usize = 16 * 1024;
/// Capacity of the buffer that answers are rendered into.
const ANSWER_BYTES: usize = 1_024;
/// Memory of the stand-in for each connection, in bytes: one buffer that is read into, one that is parsed, and the
/// answers.
pub const CONNECTION_BYTES: usize = 2 * READ_BYTES + ANSWER_BYTES;

/// The text of a connection.
pub(super) enum Text {
    Plain(Stream),
    Encrypted(Box<TlsStream>),
}

impl Text {
    /// As [`Stream::read`].
    async fn read(&mut self, scratch: &mut Vec<u8>, buffer: &mut BytesMut) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(scratch, buffer).await,
            Self::Encrypted(stream) => stream.read(scratch, buffer).await,
        }
    }

    /// As [`Stream::write`].
    async fn write(&mut self, out: Vec<u8>) -> io::Result<Vec<u8>> {
        match self {
            Self::Plain(stream) => stream.write(out).await,
            Self::Encrypted(stream) => stream.write(out).await,
        }
    }
}

/// Serves a connection until it ends or the stand-in stops.
pub(super) async fn serve_connection(
    mut stream: Text,
    service: Rc<OpsCore>,
    mut stop: watch::Receiver<bool>,
) {
    service.counters.on_connection();
    // When the stand-in stops, a read that waits in the ring must be ended from outside: the ring waits for it.
    let handle = match &stream {
        Text::Plain(stream) => stream.handle(),
        Text::Encrypted(stream) => stream.handle(),
    };
    let mut conversation = std::pin::pin!(converse(&mut stream, &service));
    let result = tokio::select! {
        result = &mut conversation => result,
        _ = stop.wait_for(|stopped| *stopped) => match handle {
            Some(stream) => {
                // It fails when the client has ended the connection already.
                let _ = stream.shutdown(Shutdown::Both);
                conversation.await
            }
            None => Ok(()),
        },
    };
    log_end(result);
}

pub(super) fn log_end(result: io::Result<()>) {
    if let Err(error) = result {
        tracing::debug!("a connection to the stand-in ended: {error}");
    }
}

/// Answers requests until either side ends the connection. Answers to requests that arrive together leave together.
async fn converse(stream: &mut Text, service: &OpsCore) -> io::Result<()> {
    let mut scratch = Vec::with_capacity(READ_BYTES);
    let mut buffer = BytesMut::with_capacity(READ_BYTES);
    let mut out = Vec::with_capacity(ANSWER_BYTES);
    loop {
        if stream.read(&mut scratch, &mut buffer).await? == 0 {
            return Ok(());
        }
        let mut keep_alive = true;
        while keep_alive && !buffer.is_empty() {
            let began = Instant::now();
            match request::read(&buffer) {
                Read::Partial { expects_continue } => {
                    if expects_continue {
                        out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                    }
                    break;
                }
                Read::Bad(status) => {
                    let answered = service.refuse(status, began, &mut out);
                    service.counters.on_answer(answered);
                    keep_alive = false;
                }
                Read::Whole(request, length) => {
                    keep_alive = request.keep_alive;
                    let answered = service.answer(&request, began, &mut out);
                    service.counters.on_answer(answered);
                    buffer.advance(length);
                }
            }
        }
        if !out.is_empty() {
            out = stream.write(out).await?;
        }
        if !keep_alive {
            if let Text::Encrypted(stream) = stream {
                stream.end().await?;
            }
            return Ok(());
        }
    }
}
