//! Provided receive buffers, for the responder and the floor.
//!
//! Not the crate's own `io::uring::buffers`: that one asserts who owns each buffer, which a floor must not pay for.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::Submitter;
use io_uring::types::BufRingEntry;

/// Ring entries need the alignment of a page, huge pages that of 2 MiB; the larger one serves both.
const ALIGNMENT_BYTES: usize = 2 << 20;

/// Receive buffers that the kernel picks from. Never freed: they live as long as the process.
pub struct Buffers {
    entries: NonNull<BufRingEntry>,
    data: NonNull<u8>,
    count: u16,
    buffer_bytes: usize,
    tail: u16,
}

impl Buffers {
    /// Registers `count` buffers, a power of two, with the ring as `group`.
    ///
    /// # Errors
    /// `io_uring_register` fails; with EINVAL before Linux 5.19.
    pub fn new(
        submitter: &Submitter<'_>,
        group: u16,
        count: u16,
        buffer_bytes: usize,
    ) -> io::Result<Self> {
        assert!(count.is_power_of_two() && buffer_bytes > 0);
        let mut buffers = Self {
            entries: allocate(usize::from(count) * size_of::<BufRingEntry>()).cast(),
            data: allocate(usize::from(count) * buffer_bytes),
            count,
            buffer_bytes,
            tail: 0,
        };
        let address = buffers.entries.as_ptr() as u64;
        // SAFETY: the entries are aligned, `count` long and never freed, and neither is what they point to.
        unsafe { submitter.register_buf_ring_with_flags(address, count, group, 0) }?;
        for id in 0..count {
            buffers.give_back(id);
        }
        buffers.commit();
        Ok(buffers)
    }

    /// Asks for pages of 2 MiB behind the buffers: fewer misses of the address cache, if it matters at all.
    ///
    /// # Errors
    /// What `madvise` says; EINVAL where the kernel has no transparent huge pages.
    #[allow(dead_code, reason = "one of the floor's switches")]
    pub fn ask_for_huge_pages(&self) -> io::Result<()> {
        let bytes = usize::from(self.count) * self.buffer_bytes;
        // SAFETY: the range is ours and stays allocated; the advice changes no contents.
        let advised =
            unsafe { libc::madvise(self.data.as_ptr().cast(), bytes, libc::MADV_HUGEPAGE) };
        match advised {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// What a completion says has arrived in buffer `id`.
    #[allow(dead_code, reason = "the floor does not look at what it receives")]
    pub fn received(&self, id: u16, bytes: usize) -> &[u8] {
        assert!(id < self.count && bytes <= self.buffer_bytes);
        // SAFETY: inside the allocation by the line above, zeroed, and not the kernel's: it named this buffer in the
        // completion that the caller holds, and `give_back` needs `&mut self`.
        unsafe { std::slice::from_raw_parts(self.buffer(id), bytes) }
    }

    /// The same, for decryption in place.
    pub fn received_mut(&mut self, id: u16, bytes: usize) -> &mut [u8] {
        assert!(id < self.count && bytes <= self.buffer_bytes);
        // SAFETY: as in `received`; nothing else refers to it, since this borrows all buffers.
        unsafe { std::slice::from_raw_parts_mut(self.buffer(id), bytes) }
    }

    /// Hands a buffer to the kernel, which sees it with the next [`Buffers::commit`].
    pub fn give_back(&mut self, id: u16) {
        assert!(id < self.count);
        let address = self.buffer(id) as u64;
        let at = usize::from(self.tail & (self.count - 1));
        // SAFETY: `at < count`. The kernel reads entries before the tail alone, and there are no more of them than
        // buffers, of which this one was not among them. The tail itself lies in a field that is not written here.
        let entry = unsafe { &mut *self.entries.as_ptr().add(at) };
        entry.set_addr(address);
        entry.set_len(self.buffer_bytes as u32);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Shows the kernel what was given back.
    pub fn commit(&self) {
        // SAFETY: the tail lies inside entry 0, aligned, and both sides access it atomically. Release: the entries are
        // written before the tail that uncovers them.
        unsafe {
            let tail = BufRingEntry::tail(self.entries.as_ptr()).cast_mut();
            AtomicU16::from_ptr(tail).store(self.tail, Ordering::Release);
        }
    }

    fn buffer(&self, id: u16) -> *mut u8 {
        // SAFETY: callers have checked `id < count`.
        unsafe { self.data.as_ptr().add(usize::from(id) * self.buffer_bytes) }
    }
}

fn allocate(bytes: usize) -> NonNull<u8> {
    let layout = Layout::from_size_align(bytes, ALIGNMENT_BYTES).expect("buffers fit memory");
    // SAFETY: the size is not zero: counts and sizes of buffers are not.
    let memory = unsafe { alloc_zeroed(layout) };
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout))
}
