//! Buffers that requests are rendered into, and which request each of them carries.
//!
//! A buffer belongs to the operation, not to the connection: when a connection is closed with its send under way, the
//! kernel may still read the buffer, so that it is free again only when that send's own completion has come.
//! The stack of free buffers hands out the one used last, which is still in the cache.

use super::ConnectionId;

/// Buffers are made in slabs of this many, so that none ever moves while the kernel reads it.
const SLAB_BUFFERS: usize = 64;

pub(super) struct SendBuffers {
    slabs: Vec<Box<[u8]>>,
    sends: Vec<Send>,
    free: Vec<u32>,
    buffer_bytes: usize,
}

/// One request on its way.
#[derive(Clone, Copy, Default)]
pub(super) struct Send {
    pub connection: ConnectionId,
    pub offset: u32,
    pub end: u32,
}

impl SendBuffers {
    /// Room for `count` requests of up to `buffer_bytes`; more is made when it is needed.
    pub fn new(count: usize, buffer_bytes: usize) -> Self {
        let mut buffers = Self {
            slabs: Vec::new(),
            sends: Vec::new(),
            free: Vec::new(),
            buffer_bytes: buffer_bytes.next_multiple_of(64),
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
            end: bytes as u32,
        };
        index
    }

    pub fn send(&self, index: u32) -> Send {
        self.sends[index as usize]
    }

    /// Notes that the kernel took `bytes` more; true when that was all.
    pub fn advance(&mut self, index: u32, bytes: u32) -> bool {
        let send = &mut self.sends[index as usize];
        send.offset = (send.offset + bytes).min(send.end);
        send.offset == send.end
    }

    /// What is still to be sent.
    pub fn rest(&self, index: u32) -> &[u8] {
        let send = self.sends[index as usize];
        let (slab, range) = self.place(index);
        &self.slabs[slab][range][send.offset as usize..send.end as usize]
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
        let mut buffers = SendBuffers::new(1, 100);
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
        let mut buffers = SendBuffers::new(1, 8);
        buffers.next()[..5].copy_from_slice(b"hello");
        let index = buffers.take(ConnectionId::default(), 5);
        assert!(!buffers.advance(index, 2));
        assert_eq!(buffers.rest(index), b"llo");
        assert!(buffers.advance(index, 3));
    }
}
