//! Where received bytes land: in buffers that the kernel picks (multishot), or in one per armed receive (before 6.0).

use std::os::fd::RawFd;

use io_uring::types::Fd;
use io_uring::{opcode, squeue};

use super::buffers::BufferRing;
use crate::io::driver::{EVENTS_MAX, Received};
use crate::io::token::{self, ConnectionId, Operation};

/// Small buffers: enough for four turns, so that no connection waits for one; Ops-Core's answers are below 1 KiB.
pub(super) const SMALL_BUFFERS: u16 = 4 * EVENTS_MAX as u16;
pub(super) const SMALL_BUFFER_BYTES: usize = 4096;
/// Large buffers, for connections with long answers; without such they are never touched and take no memory. CPU of the
/// process per byte, relative to wrk's (`scripts/bench.sh --bodies 4 8 64`, medians): for answers of 1 MiB 0.64 at 8
/// connections and 0.56 at 64, for 64 KiB 0.58 and 0.64; with the small buffers alone 0.9 to 1.2. A few of them stay in
/// the cache: with 256 of them answers of 1 MiB took 1.7 times as much. A connection that finds none gets its bytes a
/// turn later.
pub(super) const LARGE_BUFFERS: u16 = 64;
pub(super) const LARGE_BUFFER_BYTES: usize = 65_536;

const _: () = assert!(SMALL_BUFFERS.is_power_of_two());
const _: () = assert!(SMALL_BUFFERS as usize >= EVENTS_MAX);
const _: () = assert!(LARGE_BUFFERS.is_power_of_two());

/// Which group of provided buffers. Its number is the group's for the kernel, and the upper half of
/// [`Received::buffer`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Size {
    #[default]
    Small,
    Large,
}

impl Size {
    pub fn operation(self) -> Operation {
        match self {
            Self::Small => Operation::Receive,
            Self::Large => Operation::ReceiveLarge,
        }
    }

    pub fn other(self) -> Self {
        match self {
            Self::Small => Self::Large,
            Self::Large => Self::Small,
        }
    }

    /// Whether the fill level of a buffer of this size argues for the other size: a full small one, or a large one
    /// whose bytes fit a small one.
    pub fn is_wrong_for(self, bytes: usize) -> bool {
        match self {
            Self::Small => bytes == SMALL_BUFFER_BYTES,
            Self::Large => bytes <= SMALL_BUFFER_BYTES,
        }
    }

    /// The name of the first `bytes` bytes in buffer `id` of this group.
    pub fn received(self, id: u16, bytes: u32) -> Received {
        Received {
            buffer: (self as u32) << 16 | u32::from(id),
            bytes,
        }
    }
}

/// Where received bytes land.
pub(super) enum Receive {
    /// The kernel picks a buffer of the ring for a [`Size`] when data is there.
    Multishot([BufferRing; 2]),
    /// Each armed receive has a buffer of its own.
    OneShot(OneShot),
}

/// A buffer for each armed receive, by index.
#[derive(Default)]
pub(super) struct OneShot {
    buffers: Vec<Box<[u8]>>,
    connections: Vec<ConnectionId>,
    /// Whether the bytes were reported and not released since. Other buffers are free, or the kernel's to write.
    ours: Vec<bool>,
    free: Vec<u32>,
}

impl Receive {
    /// The entry that arms a receive on this socket. Its memory stays in place until the completion was handled:
    /// provided buffers as long as this object, a buffer of its own until [`OneShot::free`] or `release`.
    pub fn arm(&mut self, connection: ConnectionId, fd: RawFd, size: Size) -> squeue::Entry {
        match self {
            Self::Multishot(_) => {
                let token = token::pack(size.operation(), connection.slot, connection.generation);
                opcode::RecvMulti::new(Fd(fd), size as u16)
                    .build()
                    .user_data(token)
            }
            Self::OneShot(one_shot) => {
                let (index, buffer) = one_shot.take(connection);
                let token = token::pack(Operation::ReceiveInto, index, 0);
                opcode::Recv::new(Fd(fd), buffer.as_mut_ptr(), buffer.len() as u32)
                    .build()
                    .user_data(token)
            }
        }
    }

    /// Shows the kernel the buffers that were released.
    pub fn commit(&self) {
        if let Self::Multishot(rings) = self {
            rings.iter().for_each(BufferRing::commit);
        }
    }

    /// A completion has named a provided buffer.
    pub fn take(&mut self, size: Size, id: u16) {
        if let Self::Multishot(rings) = self {
            rings[size as usize].take(id);
        }
    }

    /// Gives back a provided buffer whose bytes are not reported.
    pub fn publish(&mut self, size: Size, id: u16) {
        if let Self::Multishot(rings) = self {
            rings[size as usize].publish(id);
        }
    }

    pub fn bytes(&self, received: Received) -> &[u8] {
        match self {
            Self::Multishot(rings) => {
                let ring = &rings[(received.buffer >> 16) as usize];
                ring.received(received.buffer as u16, received.bytes as usize)
            }
            Self::OneShot(one_shot) => {
                assert!(one_shot.ours[received.buffer as usize]);
                &one_shot.buffers[received.buffer as usize][..received.bytes as usize]
            }
        }
    }

    pub fn bytes_mut(&mut self, received: Received) -> &mut [u8] {
        match self {
            Self::Multishot(rings) => {
                let ring = &mut rings[(received.buffer >> 16) as usize];
                ring.received_mut(received.buffer as u16, received.bytes as usize)
            }
            Self::OneShot(one_shot) => {
                assert!(one_shot.ours[received.buffer as usize]);
                &mut one_shot.buffers[received.buffer as usize][..received.bytes as usize]
            }
        }
    }

    pub fn release(&mut self, received: Received) {
        match self {
            Self::Multishot(rings) => {
                rings[(received.buffer >> 16) as usize].publish(received.buffer as u16);
            }
            Self::OneShot(one_shot) => {
                let ours = &mut one_shot.ours[received.buffer as usize];
                assert!(std::mem::replace(ours, false), "a buffer is released once");
                one_shot.free.push(received.buffer);
            }
        }
    }
}

impl OneShot {
    fn take(&mut self, connection: ConnectionId) -> (u32, &mut [u8]) {
        let index = self.free.pop().unwrap_or_else(|| {
            self.buffers
                .push(vec![0; SMALL_BUFFER_BYTES].into_boxed_slice());
            self.connections.push(connection);
            self.ours.push(false);
            self.buffers.len() as u32 - 1
        });
        self.connections[index as usize] = connection;
        (index, &mut self.buffers[index as usize])
    }

    /// The connection whose receive has this buffer.
    pub fn connection(&self, index: u32) -> ConnectionId {
        self.connections[index as usize]
    }

    /// A completed receive brought bytes: the buffer is ours until it is released.
    pub fn report(&mut self, index: u32, bytes: u32) -> Received {
        self.ours[index as usize] = true;
        Received {
            buffer: index,
            bytes,
        }
    }

    /// A completed receive brought no bytes to report.
    pub fn free(&mut self, index: u32) {
        self.free.push(index);
    }
}
