//! rustls's unbuffered connection and nothing else, for the responder and the floor: records in, text out.
//!
//! Not the crate's own `wire`: a floor is measured beside it, and must not share its costs.

use std::io::{Read, Write};

use anyhow::{Context, Result, anyhow, ensure};
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, UnbufferedStatus};

/// Bytes that a record has beside its text, at most.
pub const RECORD_OVERHEAD_MAX: usize = 32;
/// Longest text in one record (RFC 8446 section 5.1).
const RECORD_TEXT_MAX: usize = 16_384;

/// One end of a connection: rustls has the same function for both, but no trait.
pub trait Side {
    type Data;

    fn process<'c, 'i>(&'c mut self, records: &'i mut [u8])
    -> UnbufferedStatus<'c, 'i, Self::Data>;
}

impl Side for UnbufferedClientConnection {
    type Data = ClientConnectionData;

    fn process<'c, 'i>(
        &'c mut self,
        records: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(records)
    }
}

impl Side for UnbufferedServerConnection {
    type Data = ServerConnectionData;

    fn process<'c, 'i>(
        &'c mut self,
        records: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(records)
    }
}

/// The encryption of one connection.
pub struct Encrypted<S> {
    side: S,
    /// Received bytes that rustls still needs: a cut record, or a part of the handshake.
    carried: Vec<u8>,
    is_open: bool,
}

impl<S: Side> Encrypted<S> {
    pub fn new(side: S) -> Self {
        Self {
            side,
            carried: Vec::new(),
            is_open: false,
        }
    }

    /// The handshake is done.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Takes received bytes, none to begin a client's handshake. Records to be sent are appended to `out`.
    ///
    /// # Errors
    /// What rustls says.
    pub fn receive(
        &mut self,
        bytes: &mut [u8],
        out: &mut Vec<u8>,
        mut on_text: impl FnMut(&[u8]),
    ) -> Result<()> {
        if self.carried.is_empty() {
            let used = self.take(bytes, out, &mut on_text)?;
            self.carried.extend_from_slice(&bytes[used..]);
            return Ok(());
        }
        let mut carried = std::mem::take(&mut self.carried);
        carried.extend_from_slice(bytes);
        let used = self.take(&mut carried, out, &mut on_text)?;
        carried.drain(..used);
        self.carried = carried;
        Ok(())
    }

    /// Appends text as records.
    ///
    /// # Errors
    /// When the handshake is not done, or the session can encrypt nothing any more.
    pub fn encrypt(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<()> {
        for piece in text.chunks(RECORD_TEXT_MAX) {
            let at = out.len();
            out.resize(at + piece.len() + RECORD_OVERHEAD_MAX, 0);
            let bytes = self.encrypt_into(piece, &mut out[at..])?;
            out.truncate(at + bytes);
        }
        Ok(())
    }

    /// Encrypts the text of one record. Returns the record's length.
    ///
    /// # Errors
    /// As [`Encrypted::encrypt`]; when `out` is too short.
    pub fn encrypt_into(&mut self, text: &[u8], out: &mut [u8]) -> Result<usize> {
        match self.side.process(&mut self.carried).state? {
            ConnectionState::WriteTraffic(mut traffic) => traffic
                .encrypt(text, out)
                .map_err(|error| anyhow!("{error}")),
            state => Err(anyhow!("nothing can be encrypted in the state {state:?}")),
        }
    }

    /// Gives rustls bytes that begin where it stopped. Returns how many of them it needs no more.
    fn take(
        &mut self,
        bytes: &mut [u8],
        out: &mut Vec<u8>,
        on_text: &mut impl FnMut(&[u8]),
    ) -> Result<usize> {
        let mut at = 0;
        loop {
            let UnbufferedStatus { mut discard, state } = self.side.process(&mut bytes[at..]);
            let mut is_done = false;
            match state.context("TLS")? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        on_text(record.payload);
                    }
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    let from = out.len();
                    if let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) {
                        out.resize(from + size.required_size, 0);
                        let bytes = data.encode(&mut out[from..])?;
                        out.truncate(from + bytes);
                    }
                }
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::WriteTraffic(_) => {
                    self.is_open = true;
                    is_done = true;
                }
                _ => is_done = true,
            }
            at += discard;
            if is_done {
                return Ok(at);
            }
        }
    }
}

impl Encrypted<UnbufferedClientConnection> {
    /// Does the handshake over a stream that blocks.
    ///
    /// # Errors
    /// The stream ends or fails; rustls refuses what came.
    pub fn shake_hands(&mut self, stream: &mut (impl Read + Write)) -> Result<()> {
        let mut piece = [0; 16 * 1024];
        let mut received = 0;
        loop {
            let mut out = Vec::new();
            self.receive(&mut piece[..received], &mut out, |_| {})?;
            stream.write_all(&out)?;
            if self.is_open {
                return Ok(());
            }
            received = stream.read(&mut piece)?;
            ensure!(
                received > 0,
                "the server closed the connection in the handshake"
            );
        }
    }
}
