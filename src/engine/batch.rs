//! Requests that share a connection, pure: their order on it, and what its end means for each of them.
//!
//! A batch is what a connection carries at once: its requests leave together and are answered in order (pipelining,
//! RFC 9112 section 9.3.2). The user of the first request is in its `Connection`, the users behind it are here: with
//! batches of one request, a pool holds nothing here.

use crate::http::response::Phase;
use crate::metrics::outcome::Failure;

use super::connection::Detail;

/// The users behind the first one of each slot, in the order of their requests.
pub struct Batches {
    depth: usize,
    /// `depth - 1` places for each slot; the first `counts` of them are used.
    users: Vec<u32>,
    /// Users behind the first one of each slot.
    counts: Vec<u8>,
}

impl Batches {
    /// Batches of up to `depth` requests for each slot.
    pub fn new(slots: usize, depth: usize) -> Self {
        let places = depth - 1;
        assert!(places <= usize::from(u8::MAX));
        Self {
            depth,
            users: vec![0; slots * places],
            counts: vec![0; slots * places.min(1)],
        }
    }

    /// Bytes of memory for each slot with batches of this depth.
    pub fn bytes_each(depth: usize) -> usize {
        let places = depth - 1;
        places * size_of::<u32>() + places.min(1)
    }

    /// Most requests that a connection carries at once.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The users behind the first one of a slot.
    pub fn behind(&self, slot: u32) -> &[u32] {
        let count = self.counts.get(slot as usize).copied().unwrap_or(0);
        let from = slot as usize * (self.depth - 1);
        &self.users[from..][..usize::from(count)]
    }

    /// Appends a user. The slot must have room.
    pub fn push(&mut self, slot: u32, user: u32) {
        let count = &mut self.counts[slot as usize];
        let from = slot as usize * (self.depth - 1);
        self.users[from..][..self.depth - 1][usize::from(*count)] = user;
        *count += 1;
    }

    /// Removes and returns the first of the users behind.
    pub fn pop(&mut self, slot: u32) -> Option<u32> {
        let first = *self.behind(slot).first()?;
        self.remove(slot, 0);
        Some(first)
    }

    /// Removes the user at this place, counted from 0 for the first of the users behind.
    pub fn remove(&mut self, slot: u32, place: usize) {
        let from = slot as usize * (self.depth - 1);
        let count = &mut self.counts[slot as usize];
        let behind = &mut self.users[from..][..usize::from(*count)];
        behind.copy_within(place + 1.., place);
        *count -= 1;
    }
}

/// How a connection with requests on it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The attempt to open it failed.
    NeverOpened(Failure, Detail),
    /// It was being opened, or had to wait for that, when some requests reached their time limit.
    NotOpenYet(Failure, Detail),
    /// The first request failed.
    Broken {
        /// How the first request failed.
        failure: Failure,
        /// What is known about that failure.
        detail: Detail,
        /// The connection had brought an answer before.
        worked: bool,
    },
    /// The answer before theirs was announced as the last one.
    Announced,
    /// Some requests reached their time limit; the phase is that of the answer to the first.
    TimeOver(Phase),
}

/// A request that a connection carries when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// Its answer would have been next.
    pub is_first: bool,
    /// It was handed to the kernel.
    pub is_sent: bool,
    /// It has reached its time limit.
    pub is_over: bool,
    /// It may be sent a second time.
    pub is_repeatable: bool,
}

impl Ending {
    /// How a request fails by it; `None` when it is sent on another connection.
    ///
    /// A server that closes while requests are on their way has not seen them, or announces the close: sending them once
    /// more is allowed for idempotent methods (RFC 9110 section 9.2.2, RFC 9112 section 9.3.2).
    pub fn failure_of(self, request: Carried) -> Option<(Failure, Detail)> {
        let over = (Failure::Timeout, Detail::Phase(Phase::BeforeHead));
        let behind = match request.is_over {
            true => over,
            false => (Failure::PipelineBroken, Detail::Behind),
        };
        let is_unsent = !request.is_sent && !request.is_over;
        match self {
            Self::NeverOpened(failure, detail) => Some((failure, detail)),
            Self::NotOpenYet(failure, detail) => request.is_over.then_some((failure, detail)),
            _ if is_unsent => None,
            Self::Broken {
                failure,
                detail,
                worked,
            } => {
                let is_race = matches!(
                    failure,
                    Failure::ClosedBeforeHead | Failure::ResetBeforeHead
                );
                match request.is_first {
                    _ if is_race && worked && request.is_repeatable => None,
                    true => Some((failure, detail)),
                    false => Some(behind),
                }
            }
            Self::Announced => (!request.is_repeatable).then_some(behind),
            Self::TimeOver(phase) if request.is_first && request.is_over => {
                Some((Failure::Timeout, Detail::Phase(phase)))
            }
            Self::TimeOver(_) => Some(behind),
        }
    }
}

#[cfg(test)]
mod tests;
