//! The response decoder: bytes as they arrive -> Partial | Complete | Invalid, the same for every split of the bytes.
//!
//! 1. While the head is incomplete its bytes are collected. A head that arrives in one piece is not copied for that, and
//!    parsed only if its bytes differ from those of the last ones.
//! 2. The head decides the framing (RFC 9112 section 6.3). Interim answers (1xx) are counted and skipped.
//! 3. The body is counted and dropped, except for a prefix that the caller asks to keep.

use super::buffers::Buffers;
use super::chunked::Chunked;
use super::coding::Coding;
use super::head;
use super::head::Framing;
pub use super::head::{Expecting, HEAD_BYTES_MAX, each_field, field};
pub use super::invalid::Invalid;

/// Every answer begins with these bytes.
const PREFACE: &[u8] = b"HTTP/1.";

/// State of an answer after the bytes so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// The answer is incomplete.
    Partial,
    /// The final answer is complete.
    Complete(Answer),
    /// The bytes are no answer that HTTP/1.1 allows.
    Invalid(Invalid),
}

/// A complete final answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status code, 200 to 999.
    pub status: u16,
    /// Length of the body in bytes, without framing.
    pub body_bytes: u64,
    /// Whether the connection may carry another request (RFC 9112 section 9.3).
    pub keep_alive: bool,
    /// Interim answers (1xx) before the final one.
    pub interim: u32,
    /// Bytes of the last slice that belong to the answer. The rest of the slice was not asked for.
    pub consumed: usize,
}

/// How much of an answer has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No byte.
    BeforeHead,
    /// A part of the head.
    InHead,
    /// The head, and perhaps a part of the body.
    InBody,
}

/// What the decoder keeps of an answer, for the caller to check when it is complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Keep the head of the final answer.
    pub head: bool,
    /// Keep this many bytes of the body.
    pub body_bytes: usize,
}

impl Keep {
    /// Keeps the first `bytes` bytes of the body and no head.
    pub fn body(bytes: usize) -> Self {
        Self {
            head: false,
            body_bytes: bytes,
        }
    }
}

/// Decodes the answers on one connection, one after the other.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    expecting: Expecting,
    status: u16,
    keep_alive: bool,
    coding: Coding,
    interim: u32,
    body_bytes: u64,
    keep: Keep,
    /// The kept head.
    head: Vec<u8>,
    /// The kept prefix of the body.
    body: Vec<u8>,
    /// The part of an incomplete head that earlier slices brought.
    carry: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the head of an interim or the final answer.
    Head,
    /// In a body with this many bytes still to come.
    Length(u64),
    /// In a body that the end of the stream ends.
    UntilClose,
    Chunked(Chunked),
    /// Before the first answer, or after a complete or an invalid one.
    Over,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder that expects nothing; [`Decoder::start`] is called before its first answer.
    pub fn new() -> Self {
        Self {
            state: State::Over,
            expecting: Expecting::Body,
            status: 0,
            keep_alive: false,
            coding: Coding::Identity,
            interim: 0,
            body_bytes: 0,
            keep: Keep::default(),
            head: Vec::new(),
            body: Vec::new(),
            carry: Vec::new(),
        }
    }

    /// Expects the answer to a request that was sent. What was kept of the previous answer is dropped.
    pub fn start(&mut self, expecting: Expecting, keep: Keep) {
        self.state = State::Head;
        self.expecting = expecting;
        self.interim = 0;
        self.body_bytes = 0;
        self.keep = keep;
        self.head.clear();
        self.body.clear();
        self.carry.clear();
    }

    /// Decodes bytes that arrived. What is kept of them is stored in memory lent by `buffers`. After `Complete` or
    /// `Invalid`, [`Decoder::start`] is the next call.
    pub fn on_bytes(&mut self, bytes: &[u8], buffers: &mut Buffers) -> Decoded {
        let mut consumed = 0;
        match self.advance(bytes, &mut consumed, buffers) {
            Err(invalid) => {
                self.state = State::Over;
                Decoded::Invalid(invalid)
            }
            Ok(()) if self.state == State::Over => Decoded::Complete(self.answer(consumed)),
            Ok(()) => Decoded::Partial,
        }
    }

    /// The peer has closed. This completes a body that only the close ends; any other incomplete answer stays
    /// `Partial`.
    pub fn on_close(&mut self) -> Decoded {
        match self.state {
            State::UntilClose => {
                self.state = State::Over;
                Decoded::Complete(self.answer(0))
            }
            // A head is parsed at each line end, so an unfinished last line has not been parsed yet.
            State::Head if !self.carry.is_empty() => match head::parse(&self.carry, self.expecting)
            {
                Err(invalid) => Decoded::Invalid(invalid),
                Ok(_) => Decoded::Partial,
            },
            _ => Decoded::Partial,
        }
    }

    /// Returns the memory that holds what was kept.
    pub fn give_back(&mut self, buffers: &mut Buffers) {
        for kept in [&mut self.head, &mut self.body, &mut self.carry] {
            buffers.take_back(kept);
        }
    }

    /// The kept head of the final answer.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// The kept prefix of the body, without framing.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// How the body is coded.
    pub fn coding(&self) -> Coding {
        self.coding
    }

    /// How much of the answer has arrived.
    pub fn phase(&self) -> Phase {
        match self.state {
            State::Head if self.carry.is_empty() && self.interim == 0 => Phase::BeforeHead,
            State::Head => Phase::InHead,
            _ => Phase::InBody,
        }
    }

    /// Interim answers (1xx) so far.
    pub fn interim(&self) -> u32 {
        self.interim
    }

    fn answer(&self, consumed: usize) -> Answer {
        Answer {
            status: self.status,
            body_bytes: self.body_bytes,
            keep_alive: self.keep_alive,
            interim: self.interim,
            consumed,
        }
    }

    fn advance(
        &mut self,
        bytes: &[u8],
        consumed: &mut usize,
        buffers: &mut Buffers,
    ) -> Result<(), Invalid> {
        while self.state != State::Over {
            let rest = &bytes[*consumed..];
            if self.state == State::Length(0) {
                self.state = State::Over;
                break;
            }
            if rest.is_empty() {
                break;
            }
            *consumed += match self.state {
                State::Head => self.on_head(rest, buffers)?,
                State::Length(left) => {
                    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    self.state = State::Length(left - taken as u64);
                    self.take(&rest[..taken], buffers)
                }
                State::UntilClose => self.take(rest, buffers),
                State::Chunked(mut chunked) => {
                    let step = chunked.step(rest)?;
                    self.state = match chunked.is_over() {
                        true => State::Over,
                        false => State::Chunked(chunked),
                    };
                    if step.is_data {
                        self.take(&rest[..step.consumed], buffers);
                    }
                    step.consumed
                }
                State::Over => 0,
            };
        }
        Ok(())
    }

    fn take(&mut self, data: &[u8], buffers: &mut Buffers) -> usize {
        self.body_bytes += data.len() as u64;
        let room = self.keep.body_bytes.saturating_sub(self.body.len());
        if room > 0 {
            buffers.lend(&mut self.body);
            self.body.extend_from_slice(&data[..data.len().min(room)]);
        }
        data.len()
    }

    /// Reads the head at the start of `bytes`. `None` while it is incomplete.
    fn read_head(
        &self,
        bytes: &[u8],
        buffers: &mut Buffers,
    ) -> Result<Option<head::Head>, Invalid> {
        if let Some(head) = buffers.recent_heads.find(bytes, self.expecting) {
            return Ok(Some(head));
        }
        check_preface(bytes)?;
        let head = head::parse(bytes, self.expecting)?;
        if let Some(head) = head {
            buffers.recent_heads.keep(bytes, self.expecting, head);
        }
        Ok(head)
    }

    /// Takes bytes of a head; returns how many were taken.
    fn on_head(&mut self, bytes: &[u8], buffers: &mut Buffers) -> Result<usize, Invalid> {
        if self.carry.is_empty() {
            return match self.read_head(bytes, buffers)? {
                Some(head) => {
                    if self.keep.head {
                        buffers.lend(&mut self.head);
                        replace(&mut self.head, &bytes[..head.bytes]);
                    }
                    self.on_whole_head(&head).map(|()| head.bytes)
                }
                None => {
                    buffers.lend(&mut self.carry);
                    self.carry_over(bytes)
                }
            };
        }
        let before = self.carry.len();
        self.carry_over(bytes)?;
        check_preface(&self.carry)?;
        // Parsed only at a line end: a head in single bytes then costs lines times length, not length squared.
        if !bytes.contains(&b'\n') {
            return Ok(bytes.len());
        }
        match head::parse(&self.carry, self.expecting)? {
            Some(head) => {
                if self.keep.head {
                    buffers.lend(&mut self.head);
                    replace(&mut self.head, &self.carry[..head.bytes]);
                }
                self.on_whole_head(&head)?;
                buffers.take_back(&mut self.carry);
                Ok(head.bytes - before)
            }
            None => Ok(bytes.len()),
        }
    }

    fn carry_over(&mut self, bytes: &[u8]) -> Result<usize, Invalid> {
        self.carry.extend_from_slice(bytes);
        // The last slice may hold the rest of the head and much of the body, so it does not count here.
        let is_too_long = self.carry.len() - bytes.len() > HEAD_BYTES_MAX;
        match is_too_long {
            true => Err(Invalid::HeadTooLong),
            false => Ok(bytes.len()),
        }
    }

    fn on_whole_head(&mut self, head: &head::Head) -> Result<(), Invalid> {
        match head.status {
            101 => return Err(Invalid::UpgradeUnasked),
            100..=199 => {
                self.interim = self.interim.saturating_add(1);
                return Ok(());
            }
            _ => {}
        }
        self.status = head.status;
        self.keep_alive = head.keep_alive;
        self.coding = head.coding;
        self.state = match head.framing {
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Chunked(Chunked::START),
            Framing::UntilClose => State::UntilClose,
        };
        Ok(())
    }
}

/// Stores a head; that of an interim answer may be there already.
fn replace(kept: &mut Vec<u8>, head: &[u8]) {
    kept.clear();
    kept.extend_from_slice(head);
}

/// Refuses at its first wrong byte a stream that does not begin with `HTTP/1.`: a TLS record, an SSH banner, an HTTP/2
/// frame.
fn check_preface(bytes: &[u8]) -> Result<(), Invalid> {
    let length = bytes.len().min(PREFACE.len());
    match bytes[..length] == PREFACE[..length] {
        true => Ok(()),
        false => Err(Invalid::not_http(bytes)),
    }
}

#[cfg(test)]
mod tests;
