//! The encryption of one connection, pure: received records in, plain text and records out. The one file that drives
//! rustls's connection.
//!
//! 1. Records that lie whole in a received buffer are decrypted there, in place.
//! 2. What is left of a buffer after its last whole record is *carried*: kept until the rest has come, in a buffer that is
//!    lent from a pool.
//! 3. Plain text is appended to the caller's buffer: rustls hands out each record's text in a buffer of its own.
//! 4. Records to be sent, such as those of the handshake, are appended to another buffer of the caller.

use rustls::client::UnbufferedClientConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{Error, HandshakeKind, ProtocolVersion};

use super::certificate;
use super::client::{TlsClient, name_of};
use super::failure::failure_of;
use crate::io::TlsFailure;

/// Longest text in one record (RFC 8446 section 5.1).
pub(super) const RECORD_TEXT_MAX: usize = 16_384;
/// Bytes that a record has beside its text, at most: header, nonce and tag of TLS 1.2 take 29 (RFC 5288).
pub(super) const RECORD_OVERHEAD_MAX: usize = 32;
/// Length of a record's header: kind, version, length.
const HEADER_BYTES: usize = 5;
/// Most bytes that are carried. A handshake message has 64 KiB at most, in records that a server may cut as it likes.
const CARRIED_BYTES_MAX: usize = 256 * 1024;
/// Buffers in the pool, and the capacity of each: more are freed when they come back.
const POOLED_MAX: usize = 256;
const POOLED_BYTES_MAX: usize = 32 * 1024;

/// The encryption of one connection.
pub struct Session {
    tls: UnbufferedClientConnection,
    /// Received bytes that rustls still needs: records of an unfinished handshake message, and the beginning of a record
    /// that is cut.
    carried: Vec<u8>,
    /// Length of the whole records at the beginning of `carried`. rustls moves the parts of a handshake message together,
    /// over the headers between them, so they cannot be looked at again.
    whole_bytes: usize,
    state: State,
}

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The handshake is under way.
    InHandshake,
    /// Text can go both ways.
    Open,
    /// The peer has announced the end of its stream.
    PeerClosed,
    /// It failed, and is of no further use.
    Failed(TlsFailure),
}

/// What the two sides of a session agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// `TLS 1.2` or `TLS 1.3`.
    pub version: &'static str,
    /// The cipher suite's registered name.
    pub cipher: String,
    /// The protocol that the server chose (ALPN, RFC 7301); `None` when it chose none.
    pub protocol: Option<String>,
    /// When the server's certificate expires, in seconds since 1970; `None` when it cannot be read.
    pub not_after_s: Option<i64>,
}

/// Buffers for what is carried.
#[derive(Default)]
pub struct CarryPool(Vec<Vec<u8>>);

impl CarryPool {
    fn lend(&mut self) -> Vec<u8> {
        self.0.pop().unwrap_or_default()
    }

    fn take_back(&mut self, mut buffer: Vec<u8>) {
        if self.0.len() < POOLED_MAX && (1..=POOLED_BYTES_MAX).contains(&buffer.capacity()) {
            buffer.clear();
            self.0.push(buffer);
        }
    }
}

/// Where a session's bytes go.
pub struct Sinks<'s> {
    /// Plain text for HTTP.
    pub plain: &'s mut Vec<u8>,
    /// Records for the server.
    pub records: &'s mut Vec<u8>,
}

impl Session {
    /// Begins a handshake. [`Session::on_received`] with no bytes gives its first records.
    ///
    /// # Errors
    /// When the settings allow no handshake.
    pub fn new(client: &TlsClient) -> Result<Self, TlsFailure> {
        let tls = UnbufferedClientConnection::new(client.config().clone(), client.name().clone());
        Ok(Self {
            tls: tls.map_err(|error| failure_of(&error))?,
            carried: Vec::new(),
            whole_bytes: 0,
            state: State::InHandshake,
        })
    }

    /// How far it is.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether the handshake resumed an earlier session; `None` before it is done.
    pub fn is_resumed(&self) -> Option<bool> {
        let kind = self.tls.handshake_kind()?;
        Some(kind == HandshakeKind::Resumed)
    }

    /// What the two sides agreed on, once the handshake is done.
    pub fn agreed(&self) -> Agreed {
        let version = match self.tls.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS 1.3",
        };
        let suite = self.tls.negotiated_cipher_suite();
        let protocol = self.tls.alpn_protocol();
        let certificates = self.tls.peer_certificates();
        let first = certificates.and_then(<[_]>::first);
        Agreed {
            version,
            cipher: suite.as_ref().map(name_of).unwrap_or_default(),
            protocol: protocol.map(|name| String::from_utf8_lossy(name).into_owned()),
            not_after_s: first.and_then(|der| certificate::not_after_s(der)),
        }
    }

    /// Takes received bytes, which it changes. Afterwards [`Session::state`] tells how far it is.
    pub fn on_received(&mut self, bytes: &mut [u8], pool: &mut CarryPool, sinks: &mut Sinks<'_>) {
        let mut used = 0;
        while !self.carried.is_empty() && used < bytes.len() && self.is_alive() {
            let missing = missing_bytes(&self.carried[self.whole_bytes..]);
            let missing = missing.min(bytes.len() - used);
            self.carried.extend_from_slice(&bytes[used..used + missing]);
            used += missing;
            self.take_carried(pool, sinks);
        }
        if self.carried.is_empty() && self.is_alive() {
            let rest = &mut bytes[used..];
            let whole = whole_bytes(rest);
            let consumed = self.take(rest, sinks);
            if consumed < rest.len() && self.is_alive() {
                self.carried = pool.lend();
                self.carried.extend_from_slice(&rest[consumed..]);
                self.whole_bytes = whole - consumed;
            }
        }
    }

    /// Keeps received bytes for a later [`Session::take_carried`].
    pub fn carry(&mut self, bytes: &[u8], pool: &mut CarryPool) {
        if self.carried.is_empty() {
            self.carried = pool.lend();
        }
        self.carried.extend_from_slice(bytes);
    }

    /// Takes what was carried.
    pub fn take_carried(&mut self, pool: &mut CarryPool, sinks: &mut Sinks<'_>) {
        let mut carried = std::mem::take(&mut self.carried);
        self.whole_bytes += whole_bytes(&carried[self.whole_bytes..]);
        let consumed = self.take(&mut carried, sinks);
        carried.drain(..consumed);
        self.whole_bytes = self.whole_bytes.saturating_sub(consumed);
        if carried.len() > CARRIED_BYTES_MAX {
            self.state = State::Failed(TlsFailure::Misbehaved);
        }
        match carried.is_empty() || !self.is_alive() {
            true => pool.take_back(carried),
            false => self.carried = carried,
        }
    }

    /// Encrypts text into a buffer that has room for it and `RECORD_OVERHEAD_MAX` for each record, and for what else
    /// is due, such as the answer to a change of keys. Returns the length.
    ///
    /// # Errors
    /// When the session can encrypt nothing any more, or the buffer is too short; nothing was written then.
    pub fn encrypt(&mut self, text: &[u8], out: &mut [u8]) -> Result<usize, TlsFailure> {
        if let State::Failed(failure) = self.state {
            return Err(failure);
        }
        let mut written = 0;
        loop {
            // rustls counts in the bytes that it has not let go of yet.
            let UnbufferedStatus { state, .. } = self.tls.process_tls_records(&mut self.carried);
            match state.map_err(|error| failure_of(&error))? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    let encrypted = traffic.encrypt(text, &mut out[written..]);
                    return match encrypted {
                        Ok(bytes) => Ok(written + bytes),
                        Err(EncryptError::InsufficientSize(_)) => Err(TlsFailure::Misbehaved),
                        Err(EncryptError::EncryptExhausted) => Err(TlsFailure::KeysUsedUp),
                    };
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    let encoded = data.encode(&mut out[written..]);
                    written += encoded.map_err(|_| TlsFailure::Misbehaved)?;
                }
                ConnectionState::TransmitTlsData(data) => data.done(),
                // The peer's end of the stream leaves ours open.
                ConnectionState::PeerClosed => {}
                _ => return Err(TlsFailure::Misbehaved),
            }
        }
    }

    /// The record that announces the end of our stream (RFC 8446 section 6.1). Returns its length, 0 when there is none
    /// to send.
    pub fn close(&mut self, out: &mut [u8]) -> usize {
        if !matches!(self.state, State::Open | State::PeerClosed) {
            return 0;
        }
        let UnbufferedStatus { state, .. } = self.tls.process_tls_records(&mut self.carried);
        match state {
            Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                traffic.queue_close_notify(out).unwrap_or(0)
            }
            _ => 0,
        }
    }

    fn is_alive(&self) -> bool {
        matches!(self.state, State::InHandshake | State::Open)
    }

    /// Gives rustls bytes that begin where it stopped. Returns how many of them it needs no more.
    fn take(&mut self, bytes: &mut [u8], sinks: &mut Sinks<'_>) -> usize {
        let mut at = 0;
        loop {
            let status = self.tls.process_tls_records(&mut bytes[at..]);
            let mut discard = status.discard;
            match status.state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(Ok(record)) = traffic.next_record() {
                        discard += record.discard;
                        sinks.plain.extend_from_slice(record.payload);
                    }
                    // The usual answer: one record, and nothing to send. Asking rustls once more would cost 25 ns.
                    let is_all = at + discard == bytes.len() && self.state == State::Open;
                    if is_all && !self.tls.wants_write() {
                        return bytes.len();
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    append(sinks.records, |out| data.encode(out));
                }
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.state = State::PeerClosed,
                Ok(ConnectionState::WriteTraffic(_)) => {
                    if self.state == State::InHandshake {
                        self.state = State::Open;
                    }
                    return at + discard;
                }
                Ok(_) => return at + discard,
                Err(error) => {
                    self.on_error(&error, sinks.records);
                    return at + discard;
                }
            }
            at += discard;
        }
    }

    /// The session failed. The alert that tells the server why is the last thing to be sent. Without one, rustls would
    /// look at received bytes again, and must not.
    fn on_error(&mut self, error: &Error, records: &mut Vec<u8>) {
        self.state = State::Failed(failure_of(error));
        while self.tls.wants_write() {
            match self.tls.process_tls_records(&mut []).state {
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    append(records, |out| data.encode(out));
                }
                _ => return,
            }
        }
    }
}

/// Appends what `encode` writes, once its length is known.
fn append(records: &mut Vec<u8>, mut encode: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>) {
    let at = records.len();
    if let Err(EncodeError::InsufficientSize(size)) = encode(&mut []) {
        records.resize(at + size.required_size, 0);
        let written = encode(&mut records[at..]).unwrap_or(0);
        records.truncate(at + written);
    }
}

/// The length of the record that begins here, once its header is here.
fn record_bytes(record: &[u8]) -> Option<usize> {
    let header = record.first_chunk::<HEADER_BYTES>()?;
    Some(HEADER_BYTES + usize::from(u16::from_be_bytes([header[3], header[4]])))
}

/// The length of the whole records that stand first.
fn whole_bytes(records: &[u8]) -> usize {
    let mut at = 0;
    while let Some(length) = record_bytes(&records[at..])
        && at + length <= records.len()
    {
        at += length;
    }
    at
}

/// How many bytes a record lacks that is cut, or its header.
fn missing_bytes(cut: &[u8]) -> usize {
    record_bytes(cut).unwrap_or(HEADER_BYTES) - cut.len()
}

/// The length of text when it is encrypted, at most.
pub(super) fn sealed_bytes_max(text: usize) -> usize {
    text + text.div_ceil(RECORD_TEXT_MAX) * RECORD_OVERHEAD_MAX
}

#[cfg(test)]
mod tests;
