//! What waits to be sent on an encrypted connection: records that are made, then the rest of a message that is not
//! encrypted yet.

use std::sync::Arc;

use super::session::{RECORD_OVERHEAD_MAX, RECORD_TEXT_MAX, Session};
use crate::io::{INSERTS_MAX, Insert, TlsFailure};

/// Room in a send buffer for what rustls may put before a record of text: the answer to a change of keys.
pub(super) const SPARE_BYTES: usize = 256;

/// What waits to be sent on a connection.
#[derive(Default)]
pub(super) struct Outgoing {
    /// Records, in order. They come before the message: it is encrypted after them.
    pub records: Vec<u8>,
    /// Length of the records that went out already.
    sent_bytes: usize,
    message: Option<Box<Message>>,
}

/// A batch of requests whose text did not fit one send buffer, or came while another send was under way.
struct Message {
    rendered: Vec<u8>,
    inserts: [Insert; INSERTS_MAX],
    inserts_count: usize,
    /// Bytes of the whole text that are encrypted, inserts included.
    done_bytes: usize,
}

/// The text of a batch: rendered bytes, with shared bytes inserted.
#[derive(Clone, Copy)]
pub(super) struct Text<'t> {
    pub rendered: &'t [u8],
    pub inserts: &'t [Insert],
    pub shared: &'t [Arc<Vec<u8>>],
}

impl<'t> Text<'t> {
    /// Length in bytes, inserts included.
    pub fn bytes(self) -> usize {
        let inserted = self.inserts.iter().map(|it| self.shared[it.shared].len());
        self.rendered.len() + inserted.sum::<usize>()
    }

    /// Its length when it is encrypted, at most: each piece begins a record.
    pub fn sealed_bytes_max(self) -> usize {
        let pieces = 2 * self.inserts.len() + 1;
        let records = self.bytes() / RECORD_TEXT_MAX + pieces;
        self.bytes() + records * RECORD_OVERHEAD_MAX
    }

    /// The rest, from `from` on, of the piece that lies there; `None` at the end.
    fn piece(self, from: usize) -> Option<&'t [u8]> {
        let (mut begin, mut at) = (0, 0);
        for insert in self.inserts {
            for piece in [
                &self.rendered[at..insert.at],
                &self.shared[insert.shared][..],
            ] {
                if from < begin + piece.len() {
                    return Some(&piece[from - begin..]);
                }
                begin += piece.len();
            }
            at = insert.at;
        }
        let last = &self.rendered[at..];
        (from < begin + last.len()).then(|| &last[from - begin..])
    }

    /// Encrypts from `from` on into `out`, as much as has room. Returns how far the text and the records came.
    fn seal(
        self,
        session: &mut Session,
        mut from: usize,
        out: &mut [u8],
    ) -> Result<(usize, usize), TlsFailure> {
        let mut written = 0;
        while let Some(piece) = self.piece(from) {
            let room = (out.len() - written).saturating_sub(RECORD_OVERHEAD_MAX + SPARE_BYTES);
            let length = piece.len().min(RECORD_TEXT_MAX).min(room);
            if length == 0 {
                break;
            }
            written += session.encrypt(&piece[..length], &mut out[written..])?;
            from += length;
        }
        Ok((from, written))
    }
}

impl Outgoing {
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.message.is_none()
    }

    /// The records that wait, as far as they have not gone out.
    pub fn unsent_records(&self) -> &[u8] {
        &self.records[self.sent_bytes..]
    }

    /// Encrypts all of a text behind the records that wait, when it has room in `out`. Returns the length of it all;
    /// `None` when it has no room: nothing has happened then.
    pub fn seal_at_once(
        &mut self,
        session: &mut Session,
        text: Text<'_>,
        out: &mut [u8],
    ) -> Result<Option<usize>, TlsFailure> {
        let waiting = self.records.len() - self.sent_bytes;
        let needed = waiting + text.sealed_bytes_max() + SPARE_BYTES;
        if self.message.is_some() || needed > out.len() {
            return Ok(None);
        }
        let at = self.take_records(out);
        let (_, written) = text.seal(session, 0, &mut out[at..])?;
        Ok(Some(at + written))
    }

    /// Keeps a text to be encrypted piece by piece.
    pub fn keep(&mut self, text: Text<'_>) {
        let mut inserts = [Insert::default(); INSERTS_MAX];
        inserts[..text.inserts.len()].copy_from_slice(text.inserts);
        self.message = Some(Box::new(Message {
            rendered: text.rendered.to_vec(),
            inserts,
            inserts_count: text.inserts.len(),
            done_bytes: 0,
        }));
    }

    /// Keeps a text that is sent as it is, behind what waits.
    pub fn keep_as_it_is(&mut self, text: Text<'_>) {
        self.records.reserve(text.bytes());
        let mut from = 0;
        while let Some(piece) = text.piece(from) {
            self.records.extend_from_slice(piece);
            from += piece.len();
        }
    }

    /// Fills a send buffer with what waits. Returns the length.
    pub fn fill(
        &mut self,
        session: &mut Session,
        shared: &[Arc<Vec<u8>>],
        out: &mut [u8],
    ) -> Result<usize, TlsFailure> {
        let mut written = self.take_records(out);
        if let Some(message) = self.message.as_mut().filter(|_| self.records.is_empty()) {
            let text = Text {
                rendered: &message.rendered,
                inserts: &message.inserts[..message.inserts_count],
                shared,
            };
            let (done, sealed) = text.seal(session, message.done_bytes, &mut out[written..])?;
            written += sealed;
            message.done_bytes = done;
            if done == text.bytes() {
                self.message = None;
            }
        }
        Ok(written)
    }

    /// Moves the records that wait into a send buffer, as many bytes as it has room for.
    pub fn take_records(&mut self, out: &mut [u8]) -> usize {
        let waiting = &self.records[self.sent_bytes..];
        let bytes = waiting.len().min(out.len());
        out[..bytes].copy_from_slice(&waiting[..bytes]);
        self.sent_bytes += bytes;
        if self.sent_bytes == self.records.len() {
            // Few connections have records to send after their handshake: their memory is not kept.
            self.records = Vec::new();
            self.sent_bytes = 0;
        }
        bytes
    }
}
