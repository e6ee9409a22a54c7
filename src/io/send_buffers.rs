//! Buffers that requests are rendered into, and which request each of them carries.
//!
//! A buffer belongs to the operation, not to the connection: when a connection is closed with its send under way, the
//! kernel may still read the buffer, so that it is free again only when that send's own completion has come.
//! The stack of free buffers hands out the one used last, which is still in the cache.
//!
//! Long stretches that all requests share are not in the buffers: a send notes where between its rendered bytes they
//! belong, and its bytes are then a list of pieces. They live as long as these buffers.

use std::io::IoSlice;
use std::sync::Arc;

use super::{ConnectionId, INSERTS_MAX, Insert};

/// Buffers are made in slabs of this many, so that none ever moves while the kernel reads it.
const SLAB_BUFFERS: usize = 64;
/// Rendered bytes before, between and after the inserts, and those.
pub(super) const PIECES_MAX: usize = 2 * INSERTS_MAX + 1;

pub(super) struct SendBuffers {
    slabs: Vec<Box<[u8]>>,
    sends: Vec<Send>,
    free: Vec<u32>,
    buffer_bytes: usize,
    shared: Vec<Arc<Vec<u8>>>,
    /// Of each send that has inserts; empty when nothing is shared.
    inserts: Vec<[Insert; INSERTS_MAX]>,
}

/// One request on its way.
#[derive(Clone, Copy, Default)]
pub(super) struct Send {
    pub connection: ConnectionId,
    /// Of the whole request, inserts included.
    pub offset: usize,
    /// Length of the whole request, inserts included.
    pub end: usize,
    /// How many inserts it has.
    pub inserts: u32,
    /// Length of what was rendered.
    rendered: u32,
}

/// What is left of a request, in order.
pub(super) struct Pieces<'b> {
    list: [IoSlice<'b>; PIECES_MAX],
    count: usize,
}

impl<'b> Pieces<'b> {
    pub fn as_slice(&self) -> &[IoSlice<'b>] {
        &self.list[..self.count]
    }

    /// Adds bytes, without the first `skip`, which is then counted down.
    fn push(&mut self, bytes: &'b [u8], skip: &mut usize) {
        let skipped = bytes.len().min(*skip);
        *skip -= skipped;
        if skipped < bytes.len() {
            self.list[self.count] = IoSlice::new(&bytes[skipped..]);
            self.count += 1;
        }
    }
}

impl SendBuffers {
    /// Room for `count` requests of up to `buffer_bytes` and what they share; more is made when it is needed.
    pub fn new(count: usize, buffer_bytes: usize, shared: Vec<Arc<Vec<u8>>>) -> Self {
        let mut buffers = Self {
            slabs: Vec::new(),
            sends: Vec::new(),
            free: Vec::new(),
            buffer_bytes: buffer_bytes.next_multiple_of(64),
            shared,
            inserts: Vec::new(),
        };
        while buffers.sends.len() < count {
            buffers.grow();
        }
        buffers
    }

    /// What `count` of them take.
    pub fn bytes(count: usize, buffer_bytes: usize) -> usize {
        count.next_multiple_of(SLAB_BUFFERS) * buffer_bytes.next_multiple_of(64)
    }

    fn grow(&mut self) {
        let first = self.sends.len() as u32;
        self.slabs
            .push(vec![0; self.buffer_bytes * SLAB_BUFFERS].into_boxed_slice());
        self.sends.extend([Send::default(); SLAB_BUFFERS]);
        if !self.shared.is_empty() {
            let none = [Insert::default(); INSERTS_MAX];
            self.inserts.extend([none; SLAB_BUFFERS]);
        }
        self.free.extend((first..first + SLAB_BUFFERS as u32).rev());
    }

    /// The buffer that [`SendBuffers::take`] will take next.
    pub fn next(&mut self) -> &mut [u8] {
        if self.free.is_empty() {
            self.grow();
        }
        let index = *self.free.last().expect("grow leaves free buffers");
        let (slab, range) = self.place(index);
        &mut self.slabs[slab][range]
    }

    /// Takes the buffer that [`SendBuffers::next`] showed, for a request of `bytes`.
    pub fn take(&mut self, connection: ConnectionId, bytes: usize) -> u32 {
        debug_assert!(bytes <= self.buffer_bytes);
        let index = self.free.pop().expect("next was called before take");
        self.sends[index as usize] = Send {
            connection,
            offset: 0,
            end: bytes,
            inserts: 0,
            rendered: bytes as u32,
        };
        index
    }

    /// The same for a request with shared bytes in it.
    pub fn take_around(
        &mut self,
        connection: ConnectionId,
        bytes: usize,
        inserts: &[Insert],
    ) -> u32 {
        let index = self.take(connection, bytes);
        self.inserts[index as usize][..inserts.len()].copy_from_slice(inserts);
        let lengths = inserts.iter().map(|it| self.shared[it.shared].len());
        let whole = bytes + lengths.sum::<usize>();
        let send = &mut self.sends[index as usize];
        send.inserts = inserts.len() as u32;
        send.end = whole;
        index
    }

    pub fn send(&self, index: u32) -> Send {
        self.sends[index as usize]
    }

    /// Notes that the kernel took `bytes` more; true when that was all.
    pub fn advance(&mut self, index: u32, bytes: u32) -> bool {
        let send = &mut self.sends[index as usize];
        send.offset = (send.offset + bytes as usize).min(send.end);
        send.offset == send.end
    }

    /// What is still to be sent of a request without inserts.
    pub fn rest(&self, index: u32) -> &[u8] {
        let send = self.sends[index as usize];
        debug_assert_eq!(send.inserts, 0);
        let (slab, range) = self.place(index);
        &self.slabs[slab][range][send.offset..send.end]
    }

    /// What is still to be sent.
    pub fn pieces(&self, index: u32) -> Pieces<'_> {
        let send = self.sends[index as usize];
        let (slab, range) = self.place(index);
        let rendered = &self.slabs[slab][range][..send.rendered as usize];
        let mut pieces = Pieces {
            list: [IoSlice::new(&[]); PIECES_MAX],
            count: 0,
        };
        let mut skip = send.offset;
        let mut at = 0;
        for nth in 0..send.inserts as usize {
            let insert = self.inserts[index as usize][nth];
            pieces.push(&rendered[at..insert.at], &mut skip);
            pieces.push(&self.shared[insert.shared], &mut skip);
            at = insert.at;
        }
        pieces.push(&rendered[at..], &mut skip);
        pieces
    }

    pub fn release(&mut self, index: u32) {
        self.free.push(index);
    }

    fn place(&self, index: u32) -> (usize, std::ops::Range<usize>) {
        let index = index as usize;
        let start = index % SLAB_BUFFERS * self.buffer_bytes;
        (index / SLAB_BUFFERS, start..start + self.buffer_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_not_handed_out_again_before_its_release() {
        let mut buffers = SendBuffers::new(1, 100, Vec::new());
        let mut taken = Vec::new();
        for slot in 0..200 {
            buffers.next()[0] = slot as u8;
            let connection = ConnectionId {
                slot,
                generation: 7,
            };
            taken.push(buffers.take(connection, 1));
        }
        for (slot, &index) in taken.iter().enumerate() {
            assert_eq!(buffers.rest(index), [slot as u8]);
            assert_eq!(buffers.send(index).connection.slot, slot as u32);
            buffers.release(index);
        }
        assert_eq!(buffers.free.len(), buffers.sends.len());
    }

    #[test]
    fn a_short_write_leaves_the_rest() {
        let mut buffers = SendBuffers::new(1, 8, Vec::new());
        buffers.next()[..5].copy_from_slice(b"hello");
        let index = buffers.take(ConnectionId::default(), 5);
        assert!(!buffers.advance(index, 2));
        assert_eq!(buffers.rest(index), b"llo");
        assert!(buffers.advance(index, 3));
    }

    /// Takes a request whose rendered bytes are `a-b`, in short writes of each possible length twice.
    fn check_pieces(inserts: &[Insert], expected: &[u8]) {
        let shared = [&b"SHARED"[..], b"X", b"LONGER STILL"].map(|text| Arc::new(text.to_vec()));
        let mut buffers = SendBuffers::new(1, 8, shared.to_vec());
        for first in 0..=expected.len() {
            for second in first..=expected.len() {
                buffers.next()[..3].copy_from_slice(b"a-b");
                let index = buffers.take_around(ConnectionId::default(), 3, inserts);
                for (from, to) in [(0, first), (first, second)] {
                    let is_all = buffers.advance(index, (to - from) as u32);
                    assert_eq!(is_all, to == expected.len());
                    let pieces = buffers.pieces(index);
                    assert!(pieces.as_slice().iter().all(|piece| !piece.is_empty()));
                    let left: Vec<u8> = pieces
                        .as_slice()
                        .iter()
                        .flat_map(|it| it.to_vec())
                        .collect();
                    assert_eq!(left, expected[to..]);
                }
                buffers.release(index);
            }
        }
    }

    /// Several requests with bodies of a gigabyte, as `--pipeline` sends them; nobody looks at the bytes.
    #[test]
    fn what_is_sent_together_may_be_longer_than_32_bits_can_tell() {
        const SHARED_BYTES: usize = 1 << 30;
        let shared = Arc::new(vec![0; SHARED_BYTES]);
        let mut buffers = SendBuffers::new(1, 8, vec![shared]);
        buffers.next();
        let inserts = [Insert { at: 1, shared: 0 }; INSERTS_MAX];
        let index = buffers.take_around(ConnectionId::default(), 2, &inserts);
        // What the kernel takes at once.
        let at_once = i32::MAX as u32 & !4095;
        let mut left = INSERTS_MAX * SHARED_BYTES + 2;
        while left > 0 {
            let pieces = buffers.pieces(index);
            let lengths = pieces.as_slice().iter().map(|piece| piece.len());
            assert_eq!(lengths.sum::<usize>(), left);
            let bytes = at_once.min(u32::try_from(left).unwrap_or(u32::MAX));
            left -= bytes as usize;
            assert_eq!(buffers.advance(index, bytes), left == 0);
        }
    }

    #[test]
    fn a_short_write_at_every_boundary_leaves_the_rest_of_the_pieces() {
        let insert = |at, shared| Insert { at, shared };
        check_pieces(&[], b"a-b");
        check_pieces(&[insert(3, 0)], b"a-bSHARED");
        check_pieces(&[insert(0, 0)], b"SHAREDa-b");
        check_pieces(
            &[insert(1, 2), insert(1, 1), insert(3, 0)],
            b"aLONGER STILLX-bSHARED",
        );
    }
}
