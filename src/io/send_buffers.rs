//! Buffers that requests are rendered into, and the state of the send from each of them.
//!
//! A buffer belongs to a send, not to a connection: when a connection is closed during a send, the kernel may still
//! read the buffer, so it is free again only after that send's own completion. The free list is a stack, so that the
//! buffer used last, which is still in the cache, is used next.
//!
//! Long stretches that requests share are not copied into the buffers. A send stores the offsets in its rendered bytes
//! at which they are inserted, and is then a list of pieces. The shared bytes live as long as the buffers.

use std::io::IoSlice;
use std::sync::Arc;

use super::driver::{INSERTS_MAX, Insert};
use super::token::ConnectionId;

/// Buffers are allocated in slabs of this many, so that none ever moves while the kernel reads it.
const SLAB_BUFFERS: usize = 64;
/// Buffer sizes are a multiple of this many bytes, a cache line.
const ALIGNMENT_BYTES: usize = 64;
/// Most pieces of a send: the inserts, and the rendered bytes before, between and after them.
pub(super) const PIECES_MAX: usize = 2 * INSERTS_MAX + 1;

/// The send buffers of a driver. Index `i` names a buffer and the send from it.
pub(super) struct SendBuffers {
    slabs: Vec<Box<[u8]>>,
    sends: Vec<Send>,
    free: Vec<u32>,
    buffer_bytes: usize,
    shared: Vec<Arc<Vec<u8>>>,
    /// The inserts of each send; empty when no bytes are shared.
    inserts: Vec<[Insert; INSERTS_MAX]>,
}

/// A send: one batch of requests on its way.
#[derive(Clone, Copy, Default)]
pub(super) struct Send {
    pub connection: ConnectionId,
    /// Bytes that the kernel has taken, inserts included.
    pub offset: usize,
    /// Length in bytes, inserts included.
    pub end: usize,
    /// Number of inserts.
    pub inserts: u32,
    /// Length of the rendered bytes.
    rendered: u32,
}

/// The bytes of a send that the kernel has not taken, in order.
pub(super) struct Pieces<'b> {
    list: [IoSlice<'b>; PIECES_MAX],
    count: usize,
}

impl<'b> Pieces<'b> {
    pub fn as_slice(&self) -> &[IoSlice<'b>] {
        &self.list[..self.count]
    }

    /// Adds bytes without the first `skip` of them, and reduces `skip` by the bytes left out.
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
    /// Room for `count` sends of up to `buffer_bytes` rendered bytes each; more room is allocated when it is needed.
    pub fn new(count: usize, buffer_bytes: usize, shared: Vec<Arc<Vec<u8>>>) -> Self {
        let mut buffers = Self {
            slabs: Vec::new(),
            sends: Vec::new(),
            free: Vec::new(),
            buffer_bytes: buffer_bytes.next_multiple_of(ALIGNMENT_BYTES),
            shared,
            inserts: Vec::new(),
        };
        while buffers.sends.len() < count {
            buffers.grow();
        }
        buffers
    }

    /// Memory that `count` buffers take, in bytes.
    pub fn bytes(count: usize, buffer_bytes: usize) -> usize {
        count.next_multiple_of(SLAB_BUFFERS) * buffer_bytes.next_multiple_of(ALIGNMENT_BYTES)
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

    /// The buffer that the next [`SendBuffers::take`] will take.
    pub fn next(&mut self) -> &mut [u8] {
        if self.free.is_empty() {
            self.grow();
        }
        let index = *self.free.last().expect("grow leaves free buffers");
        let (slab, range) = self.place(index);
        &mut self.slabs[slab][range]
    }

    /// Takes the buffer that [`SendBuffers::next`] returned, for a send of its first `bytes` bytes; returns its index.
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

    /// Like [`SendBuffers::take`], for a send with shared bytes inserted.
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

    /// Notes that the kernel took `bytes` more bytes; true when it has taken all.
    pub fn advance(&mut self, index: u32, bytes: u32) -> bool {
        let send = &mut self.sends[index as usize];
        send.offset = (send.offset + bytes as usize).min(send.end);
        send.offset == send.end
    }

    /// The bytes still to be sent, for a send without inserts.
    pub fn rest(&self, index: u32) -> &[u8] {
        let send = self.sends[index as usize];
        debug_assert_eq!(send.inserts, 0);
        let (slab, range) = self.place(index);
        &self.slabs[slab][range][send.offset..send.end]
    }

    /// The bytes still to be sent.
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

    /// The slab of a buffer, and its range in the slab.
    fn place(&self, index: u32) -> (usize, std::ops::Range<usize>) {
        let index = index as usize;
        let start = index % SLAB_BUFFERS * self.buffer_bytes;
        (index / SLAB_BUFFERS, start..start + self.buffer_bytes)
    }
}

#[cfg(test)]
mod tests;
