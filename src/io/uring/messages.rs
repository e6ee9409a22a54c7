//! Sends in pieces, as `sendmsg` takes them: a header and a list of pieces for each.
//!
//! Both stay in place until the send has completed. Kernels with `FEAT_SUBMIT_STABLE` read them when they take the
//! entry; without it the documentation does not promise that.

use std::io::IoSlice;

use crate::io::send_buffers::PIECES_MAX;

/// The messages, by index of the send; allocated when an index is used for the first time.
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
        // SAFETY: both fields are plain numbers and pointers of the C library, for which zero and null are valid.
        unsafe { std::mem::zeroed() }
    }
}

impl Messages {
    /// Stores the pieces of a send. The result is valid until the next call for the same index, while this object
    /// lives. The caller keeps the bytes of the pieces.
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
