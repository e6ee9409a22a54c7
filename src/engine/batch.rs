//! Requests that share a connection, pure: who is behind whom on it, and what its end means for each of them.
//!
//! A batch is what a connection carries at once: its requests leave together and are answered in order (pipelining,
//! RFC 9112 section 9.3.2). The first of them stands in its `Connection`, those behind it here; so a pool whose batches
//! are of one request holds nothing here.

use crate::http::response::Phase;
use crate::metrics::outcome::Failure;

use super::connection::Detail;

/// The users behind the first one of each slot, in the order of their requests.
pub struct Batches {
    depth: usize,
    /// `depth - 1` places for each slot.
    users: Vec<u32>,
    /// How many of its places a slot uses.
    counts: Vec<u8>,
}

impl Batches {
    /// Batches of up to `depth` requests for so many slots.
    pub fn new(slots: usize, depth: usize) -> Self {
        let places = depth - 1;
        assert!(places <= usize::from(u8::MAX));
        Self {
            depth,
            users: vec![0; slots * places],
            counts: vec![0; slots * places.min(1)],
        }
    }

    /// What each slot takes with batches of such a depth.
    pub fn bytes_each(depth: usize) -> usize {
        let places = depth - 1;
        places * size_of::<u32>() + places.min(1)
    }

    /// Requests that a connection carries at once, at most.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Those behind the first one of a slot.
    pub fn behind(&self, slot: u32) -> &[u32] {
        let count = self.counts.get(slot as usize).copied().unwrap_or(0);
        let from = slot as usize * (self.depth - 1);
        &self.users[from..][..usize::from(count)]
    }

    /// A user comes last. There has to be room.
    pub fn push(&mut self, slot: u32, user: u32) {
        let count = &mut self.counts[slot as usize];
        let from = slot as usize * (self.depth - 1);
        self.users[from..][..self.depth - 1][usize::from(*count)] = user;
        *count += 1;
    }

    /// The first of those behind comes to the front.
    pub fn pop(&mut self, slot: u32) -> Option<u32> {
        let first = *self.behind(slot).first()?;
        self.remove(slot, 0);
        Some(first)
    }

    /// The one at this place, counted from 0 for the first of those behind, is behind nobody any more.
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
    /// It could not be opened.
    NeverOpened(Failure, Detail),
    /// It was being opened, or had to wait for that, and the time of some was over.
    NotOpenYet(Failure, Detail),
    /// The first request failed; `worked` is whether the connection had brought an answer before.
    Broken {
        /// How the first one failed.
        failure: Failure,
        /// What is known of that.
        detail: Detail,
        /// Answers had come on it.
        worked: bool,
    },
    /// The answer before them was announced to be the last.
    Announced,
    /// The time of some was over; the answer to the first had come so far.
    TimeOver(Phase),
}

/// A request that a connection carries when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// Its answer would have been the next.
    pub is_first: bool,
    /// It was handed to the kernel.
    pub is_sent: bool,
    /// Its own time is over.
    pub is_over: bool,
    /// It may be sent a second time.
    pub is_repeatable: bool,
}

impl Ending {
    /// How a request fails by it; `None` when it is to be sent on another connection.
    ///
    /// A server that closes while requests are on their way has not seen them, or says so: sending them once more is
    /// allowed for idempotent methods (RFC 9110 section 9.2.2, RFC 9112 section 9.3.2).
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
mod tests {
    use super::*;

    #[test]
    fn users_stay_in_their_order_whoever_leaves() {
        let mut batches = Batches::new(2, 4);
        for user in [10, 11, 12] {
            batches.push(1, user);
        }
        assert!(batches.behind(0).is_empty());
        assert_eq!(batches.behind(1), [10, 11, 12]);
        batches.remove(1, 1);
        assert_eq!(batches.behind(1), [10, 12]);
        assert_eq!(batches.pop(1), Some(10));
        batches.push(1, 13);
        batches.push(1, 14);
        assert_eq!(batches.behind(1), [12, 13, 14]);
        for user in [12, 13, 14] {
            assert_eq!(batches.pop(1), Some(user));
        }
        assert_eq!(batches.pop(1), None);
    }

    #[test]
    fn batches_of_one_hold_nothing() {
        let mut batches = Batches::new(1_000_000, 1);
        assert!(batches.behind(999_999).is_empty());
        assert_eq!(batches.pop(999_999), None);
        assert_eq!(batches.users.capacity() + batches.counts.capacity(), 0);
    }

    const FIRST: Carried = Carried {
        is_first: true,
        is_sent: true,
        is_over: false,
        is_repeatable: false,
    };
    const BEHIND: Carried = Carried {
        is_first: false,
        ..FIRST
    };

    /// How the first request, and one behind it, fail; each when it may not and when it may be repeated.
    fn check(ending: Ending, expected: [Option<Failure>; 4]) {
        let repeatable = |request| Carried {
            is_repeatable: true,
            ..request
        };
        let requests = [FIRST, BEHIND, repeatable(FIRST), repeatable(BEHIND)];
        let failures = requests.map(|request| ending.failure_of(request).map(|(kind, _)| kind));
        assert_eq!(failures, expected, "{ending:?}");
    }

    fn broken(failure: Failure, worked: bool) -> Ending {
        Ending::Broken {
            failure,
            detail: Detail::None,
            worked,
        }
    }

    #[test]
    fn only_a_race_sends_again_and_only_what_may_be() {
        let behind = Some(Failure::PipelineBroken);
        for race in [Failure::ClosedBeforeHead, Failure::ResetBeforeHead] {
            check(broken(race, true), [Some(race), behind, None, None]);
            check(
                broken(race, false),
                [Some(race), behind, Some(race), behind],
            );
        }
        for kind in [Failure::Incomplete, Failure::InvalidResponse] {
            check(broken(kind, true), [Some(kind), behind, Some(kind), behind]);
        }
        check(Ending::Announced, [behind, behind, None, None]);
    }

    #[test]
    fn what_could_not_be_opened_fails_all_alike() {
        let refused = Failure::ConnectRefused;
        let never = Ending::NeverOpened(refused, Detail::None);
        check(never, [Some(refused); 4]);
    }

    #[test]
    fn time_is_over_for_each_by_itself() {
        let (behind, over) = (Failure::PipelineBroken, Failure::Timeout);
        let is_over = |request| Carried {
            is_over: true,
            ..request
        };
        let kind = |ending: Ending, request| ending.failure_of(request).map(|(kind, _)| kind);
        let ending = Ending::TimeOver(Phase::InBody);
        check(ending, [Some(behind); 4]);
        assert_eq!(
            ending.failure_of(is_over(FIRST)),
            Some((over, Detail::Phase(Phase::InBody)))
        );
        assert_eq!(kind(ending, is_over(BEHIND)), Some(over));
        let invalid = broken(Failure::InvalidResponse, true);
        assert_eq!(kind(invalid, is_over(BEHIND)), Some(over));
        let opening = Ending::NotOpenYet(Failure::ConnectTimeout, Detail::None);
        check(opening, [None; 4]);
        assert_eq!(
            kind(opening, is_over(BEHIND)),
            Some(Failure::ConnectTimeout)
        );
    }

    #[test]
    fn what_was_not_sent_yet_is_not_failed_by_those_that_were() {
        let unsent = Carried {
            is_sent: false,
            ..BEHIND
        };
        for ending in [
            broken(Failure::InvalidResponse, true),
            Ending::Announced,
            Ending::TimeOver(Phase::BeforeHead),
        ] {
            assert_eq!(ending.failure_of(unsent), None);
        }
    }
}
