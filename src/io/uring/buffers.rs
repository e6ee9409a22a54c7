//! The provided-buffer ring: memory that the kernel picks receive buffers from (`IORING_REGISTER_PBUF_RING`, Linux
//! 5.19).
//!
//! 1. We publish buffers at the tail. The kernel takes them at the head, one for each piece of data that arrives.
//! 2. A completion names its buffer. From then on the buffer is ours, until we publish it again.
//! 3. So a buffer is either the kernel's or ours, and a waiting connection owns none: 10,000 idle connections cost no
//!    buffers.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::Submitter;
use io_uring::types::BufRingEntry;

/// Alignment of the ring's first entry that the kernel demands: a page.
const PAGE_BYTES: usize = 4096;

/// Buffers shared with the kernel.
// INVARIANT: the kernel may write a buffer that is not `ours`; we neither read it nor publish it again.
pub(super) struct BufferRing {
    entries: NonNull<BufRingEntry>,
    /// The buffers, from the first page boundary in `allocated` on.
    data: NonNull<u8>,
    allocated: NonNull<u8>,
    /// By id: whether a completion has named the buffer and it has not been published since.
    ours: Box<[bool]>,
    count: u16,
    buffer_bytes: usize,
    tail: u16,
}

impl BufferRing {
    /// `count` buffers (a power of two) of `buffer_bytes` each, all published, but not registered with a ring yet.
    pub fn new(count: u16, buffer_bytes: usize) -> Self {
        assert!(count.is_power_of_two());
        let allocated = allocate(data_layout(count, buffer_bytes));
        let to_boundary = allocated.align_offset(PAGE_BYTES);
        assert!(to_boundary < PAGE_BYTES);
        let mut ring = Self {
            entries: allocate(entries_layout(count)).cast(),
            // SAFETY: less than a page further, and `data_layout` has a page more than the buffers take.
            data: unsafe { allocated.add(to_boundary) },
            allocated,
            ours: vec![true; usize::from(count)].into_boxed_slice(),
            count,
            buffer_bytes,
            tail: 0,
        };
        for id in 0..count {
            ring.publish(id);
        }
        ring.commit();
        ring
    }

    /// Registers the buffers with a ring as `group`.
    ///
    /// # Safety
    /// This object, wherever it is moved, must outlive the ring's last operation on the group.
    pub unsafe fn register(&self, submitter: &Submitter<'_>, group: u16) -> io::Result<()> {
        let address = self.entries.as_ptr() as u64;
        // SAFETY: the entries are page-aligned and `count` long by `entries_layout`, and live as long as the caller
        // promises. The buffers that they point to were allocated with them and are freed with them.
        unsafe { submitter.register_buf_ring_with_flags(address, self.count, group, 0) }
    }

    /// A completion has named this buffer: it is ours.
    pub fn take(&mut self, id: u16) {
        let was_ours = std::mem::replace(&mut self.ours[usize::from(id)], true);
        assert!(!was_ours, "the kernel named a buffer that is not published");
    }

    /// The bytes that arrived in a buffer of ours.
    pub fn received(&self, id: u16, bytes: usize) -> &[u8] {
        assert!(self.ours[usize::from(id)] && bytes <= self.buffer_bytes);
        // SAFETY: inside the allocation, which was zeroed, by the line above. The kernel does not write it: the buffer
        // is ours since `take`, and `publish`, which would give it back, needs `&mut self`.
        unsafe { std::slice::from_raw_parts(self.buffer(id), bytes) }
    }

    /// The same, to be changed in place.
    pub fn received_mut(&mut self, id: u16, bytes: usize) -> &mut [u8] {
        assert!(self.ours[usize::from(id)] && bytes <= self.buffer_bytes);
        // SAFETY: as in `received`. `&mut self` excludes any other slice of the buffer, and the pointer is derived from
        // the allocation's own, which may write.
        unsafe { std::slice::from_raw_parts_mut(self.buffer(id), bytes) }
    }

    /// Puts a buffer of ours at the tail. The kernel sees it after the next [`BufferRing::commit`].
    pub fn publish(&mut self, id: u16) {
        let was_ours = std::mem::replace(&mut self.ours[usize::from(id)], false);
        assert!(was_ours, "a buffer is published once");
        let address = self.buffer(id) as u64;
        let at = usize::from(self.tail & (self.count - 1));
        // SAFETY: `at < count`, so the entry is inside the allocation, which was zeroed (an entry is plain numbers).
        // The kernel reads only entries between head and tail. This one is at the tail, and since there are as many
        // entries as buffers, of which one was ours, the kernel has taken its previous content. The kernel may read the
        // tail inside entry 0 at any time, but no setter below writes that field, and only this method writes entries.
        let entry = unsafe { &mut *self.entries.as_ptr().add(at) };
        entry.set_addr(address);
        entry.set_len(self.buffer_bytes as u32);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Shows the published buffers to the kernel.
    pub fn commit(&self) {
        // SAFETY: the tail lies in the first entry's reserved field, inside the allocation and aligned for u16. Its
        // pointer is derived from the allocation's own, which may write. Both sides access it atomically, and no
        // reference to an entry is alive here. Release: the entries are written before the tail that makes them
        // visible.
        unsafe {
            let tail = BufRingEntry::tail(self.entries.as_ptr()).cast_mut();
            AtomicU16::from_ptr(tail).store(self.tail, Ordering::Release);
        }
    }

    fn buffer(&self, id: u16) -> *mut u8 {
        assert!(id < self.count);
        // SAFETY: `id < count` by the line above, so the result is inside the allocation (`data_layout`).
        unsafe { self.data.as_ptr().add(usize::from(id) * self.buffer_bytes) }
    }
}

impl Drop for BufferRing {
    fn drop(&mut self) {
        // SAFETY: both were allocated with these layouts in `new`, whose numbers never change. No other pointer to them
        // is in use: slices borrow `self`, and the kernel has finished with them (`register`'s caller).
        unsafe {
            dealloc(self.entries.as_ptr().cast(), entries_layout(self.count));
            dealloc(
                self.allocated.as_ptr(),
                data_layout(self.count, self.buffer_bytes),
            );
        }
    }
}

fn entries_layout(count: u16) -> Layout {
    let bytes = usize::from(count) * size_of::<BufRingEntry>();
    Layout::from_size_align(bytes, PAGE_BYTES).expect("at most 32,768 entries of 16 bytes")
}

/// One page more than the buffers take, so that they can begin at a page boundary. The allocator is not asked to align
/// them: it clears aligned memory by hand, which makes all of it resident, while untouched fresh pages cost nothing (4
/// MiB per shard for large buffers that are not used).
fn data_layout(count: u16, buffer_bytes: usize) -> Layout {
    let bytes = usize::from(count) * buffer_bytes + PAGE_BYTES;
    Layout::from_size_align(bytes, align_of::<u64>()).expect("buffers fit the address space")
}

fn allocate(layout: Layout) -> NonNull<u8> {
    // SAFETY: no layout has size zero, since neither count nor buffer size is zero.
    let memory = unsafe { alloc_zeroed(layout) };
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Acts as the kernel: takes the entry at `head` and writes into its buffer.
    fn kernel_receives(ring: &BufferRing, head: u16, bytes: &[u8]) -> u16 {
        // SAFETY: the test owns the ring and is its only reader and writer; entries and buffers are inside it.
        unsafe {
            let tail = BufRingEntry::tail(ring.entries.as_ptr()).cast_mut();
            let tail = AtomicU16::from_ptr(tail).load(Ordering::Acquire);
            assert_ne!(head, tail, "a buffer is published");
            let entry = &*ring
                .entries
                .as_ptr()
                .add(usize::from(head & (ring.count - 1)));
            assert!(bytes.len() <= entry.len() as usize);
            let buffer = ring.buffer(entry.bid());
            assert_eq!(buffer as u64, entry.addr());
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), buffer, bytes.len());
            entry.bid()
        }
    }

    #[test]
    fn buffers_go_round_after_the_16_bit_tail_wraps() {
        let mut ring = BufferRing::new(4, 64);
        for round in 0..70_000u32 {
            let text = round.to_le_bytes();
            let id = kernel_receives(&ring, round as u16, &text);
            ring.take(id);
            assert_eq!(ring.received(id, 4), text);
            ring.received_mut(id, 4).reverse();
            assert_eq!(ring.received(id, 4), round.to_be_bytes());
            ring.publish(id);
            ring.commit();
        }
    }

    #[test]
    fn every_buffer_can_be_out_at_once() {
        let mut ring = BufferRing::new(8, 16);
        let ids: Vec<u16> = (0..8)
            .map(|head| kernel_receives(&ring, head, &[head as u8]))
            .collect();
        for (head, &id) in ids.iter().enumerate() {
            ring.take(id);
            assert_eq!(ring.received(id, 1), [head as u8]);
        }
        for id in ids {
            ring.publish(id);
        }
        ring.commit();
        kernel_receives(&ring, 8, b"again");
    }

    fn panics(call: impl FnOnce()) -> bool {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err()
    }

    #[test]
    fn a_buffer_of_the_kernel_can_be_neither_read_nor_published() {
        let mut ring = BufferRing::new(2, 16);
        assert!(panics(|| drop(ring.received(1, 1).to_vec())));
        assert!(panics(|| ring.received_mut(1, 1).fill(0)));
        assert!(panics(|| ring.publish(1)));
        ring.take(0);
        assert!(panics(|| ring.take(0)));
        assert!(panics(|| drop(ring.received(0, 17).to_vec())));
        ring.publish(0);
        assert!(panics(|| ring.publish(0)));
    }
}
