//! Facts about an answer beside its bytes, for what is checked in it and extracted from it.

use crate::load::random::{Keyed, Stream, below};

use super::pattern::Caches;

/// Facts about an answer beside its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'f> {
    /// From the moment when its request was due to its end.
    pub took_ns: u64,
    /// The end of the body was not kept.
    pub is_cut: bool,
    /// Source of random choices.
    pub random: Keyed,
    /// Number of the user.
    pub user: u64,
    /// Number of the user's request, from 1.
    pub request: u32,
    /// Number of the target that the request went to.
    pub own_target: u16,
    /// Path and query of the request, where they are needed: relative links go on from there.
    pub target: &'f [u8],
    /// Memory of patterns.
    pub caches: &'f Caches,
}

impl<'f> Facts<'f> {
    /// Those of an answer that no run received: it took no time, and is the first of the first user.
    pub fn plain(caches: &'f Caches) -> Self {
        Self {
            took_ns: 0,
            is_cut: false,
            random: Keyed::new(0),
            user: 0,
            request: 1,
            own_target: 0,
            target: b"",
            caches,
        }
    }

    /// A number below `bound`: the same whenever it is drawn for the same answer, so that several values can be taken from
    /// one element of a list.
    pub fn below(&self, bound: usize) -> usize {
        let draw = self
            .random
            .draw(self.user, Stream::Answer, self.request.into());
        below(draw, bound as u64) as usize
    }
}
