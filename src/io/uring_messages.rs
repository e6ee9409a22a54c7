//! Requests in pieces, as `sendmsg` takes them: a header and its list of pieces for each send.
//!
//! They stay where they are until the send is over. The kernels that we know read both when they take the entry
//! (`FEAT_SUBMIT_STABLE`), but its documentation promises it only where it says so.

use std::io::IoSlice;

use super::send_buffers::PIECES_MAX;

/// By the index of the send. Made when an index carries such a request for the first time.
#[derive(Default)]
#[expect(
    clippy::vec_box,
    reason = "the list grows while the kernel reads messages: they must not move"
)]
pub(super) struct Messages(Vec<Box<Message>>);

struct Message {
    header: libc::msghdr,
    pieces: [libc::iovec; PIECES_MAX],
}

impl Message {
    fn empty() -> Self {
        // SAFETY: both are plain numbers and pointers of the C library, for which zero and null are values.
        unsafe { std::mem::zeroed() }
    }
}

impl Messages {
    /// Writes down the pieces of a send; what it returns stays valid until the next call for the same index, and so
    /// long as this object lives. The bytes of the pieces are the caller's to keep.
    pub fn fill(&mut self, index: u32, pieces: &[IoSlice<'_>]) -> *const libc::msghdr {
        while self.0.len() <= index as usize {
            self.0.push(Box::new(Message::empty()));
        }
        let message = &mut *self.0[index as usize];
        for (place, piece) in message.pieces.iter_mut().zip(pieces) {
            *place = libc::iovec {
                iov_base: piece.as_ptr().cast_mut().cast(),
                iov_len: piece.len(),
            };
        }
        message.header.msg_iov = message.pieces.as_mut_ptr();
        message.header.msg_iovlen = pieces.len() as _;
        &raw const message.header
    }
}
