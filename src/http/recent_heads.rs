//! Heads of the last answers: a server sends the same bytes again and again, with the same date for a second. Comparing
//! takes a twentieth of the instructions of parsing, which is a third of a request's.
//!
//! A head that arrives in one piece, and whose bytes were parsed before, means what it meant then: the result depends on
//! these bytes and on what is expected, and on nothing else.

use super::head::{Expecting, Head};

/// Heads that are kept. A head's place is chosen by the length of the bytes that it came in: answers of one kind have one
/// length, those of different kinds seldom the same.
const PLACES: usize = 8;
/// Longest head that is kept, in bytes: all places together fit the first-level cache.
const BYTES_MAX: usize = 512;
/// After this many heads in a row that were not seen before, only one in as many is kept: a server that numbers its
/// answers costs a failing comparison, not a copy.
const UNSEEN_MAX: u32 = 64;

/// The heads of the last answers.
#[derive(Debug, Default)]
pub(super) struct RecentHeads {
    places: [Place; PLACES],
    /// Heads since the last one that was seen before.
    unseen: u32,
}

#[derive(Debug, Default)]
struct Place {
    /// Empty before the first head.
    bytes: Vec<u8>,
    expecting: Expecting,
    parsed: Head,
}

impl RecentHeads {
    /// Memory for the heads is allocated here.
    pub fn new() -> Self {
        let mut heads = Self::default();
        for place in &mut heads.places {
            place.bytes.reserve_exact(BYTES_MAX);
        }
        heads
    }

    /// The head at the start of `received`, if its bytes were parsed before.
    #[inline]
    pub fn find(&mut self, received: &[u8], expecting: Expecting) -> Option<Head> {
        let place = &self.places[received.len() % PLACES];
        let is_same = !place.bytes.is_empty()
            && place.expecting == expecting
            && received.starts_with(&place.bytes);
        if !is_same {
            return None;
        }
        self.unseen = 0;
        Some(place.parsed)
    }

    /// Keeps a head that was not found at the start of `received`.
    pub fn keep(&mut self, received: &[u8], expecting: Expecting, parsed: Head) {
        self.unseen = self.unseen.wrapping_add(1);
        let is_seldom = self.unseen > UNSEEN_MAX && !self.unseen.is_multiple_of(UNSEEN_MAX);
        if is_seldom || parsed.bytes > BYTES_MAX {
            return;
        }
        let place = &mut self.places[received.len() % PLACES];
        place.bytes.clear();
        place.bytes.extend_from_slice(&received[..parsed.bytes]);
        place.expecting = expecting;
        place.parsed = parsed;
    }
}

#[cfg(test)]
mod tests {
    use super::super::head;
    use super::*;

    fn parsed(received: &[u8], expecting: Expecting) -> Head {
        let head = head::parse(received, expecting).ok().flatten();
        head.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(received)))
    }

    #[test]
    fn only_the_very_same_bytes_are_found_and_only_for_the_same_kind_of_request() {
        let first = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: 1\r\n\r\nfirst";
        let mut heads = RecentHeads::new();
        assert_eq!(heads.find(first, Expecting::Body), None);
        let head = parsed(first, Expecting::Body);
        heads.keep(first, Expecting::Body, head);
        assert_eq!(heads.find(first, Expecting::Body), Some(head));
        assert_eq!(heads.find(first, Expecting::Head), None);
        // Another body with the same head; then each byte of the head is another.
        let mut other = *first;
        other[first.len() - 1] = b'!';
        assert_eq!(heads.find(&other, Expecting::Body), Some(head));
        for at in 0..head.bytes {
            let mut other = *first;
            other[at] ^= 1;
            assert_eq!(heads.find(&other, Expecting::Body), None, "byte {at}");
        }
        // Bytes that lack the end of the head.
        for cut in 0..head.bytes {
            let place = first.len() % PLACES;
            if cut % PLACES == place {
                assert_eq!(heads.find(&first[..cut], Expecting::Body), None);
            }
        }
    }

    #[test]
    fn heads_that_never_come_again_are_seldom_copied_and_long_ones_never() {
        let mut heads = RecentHeads::new();
        let answer =
            |id: u32| format!("HTTP/1.1 204 No Content\r\nX-Request: {id:08}\r\n\r\n").into_bytes();
        let mut kept = 0;
        for id in 0..64_000 {
            let received = answer(id);
            assert_eq!(heads.find(&received, Expecting::Body), None);
            let head = parsed(&received, Expecting::Body);
            heads.keep(&received, Expecting::Body, head);
            kept += u32::from(heads.places[received.len() % PLACES].bytes == received);
        }
        assert!((64..=1_100).contains(&kept), "{kept}");
        // One that comes again is found before long, and counts from then on.
        let again = answer(7);
        let head = parsed(&again, Expecting::Body);
        let found = (0..=UNSEEN_MAX).find(|_| {
            let is_found = heads.find(&again, Expecting::Body) == Some(head);
            heads.keep(&again, Expecting::Body, head);
            is_found
        });
        assert!(found.is_some());

        let mut heads = RecentHeads::new();
        let long = [
            b"HTTP/1.1 200 OK\r\nX: ".as_slice(),
            &[b'x'; BYTES_MAX],
            b"\r\nContent-Length: 0\r\n\r\n",
        ]
        .concat();
        heads.keep(&long, Expecting::Body, parsed(&long, Expecting::Body));
        assert_eq!(heads.find(&long, Expecting::Body), None);
        assert!(
            heads
                .places
                .iter()
                .all(|it| it.bytes.capacity() == BYTES_MAX)
        );
    }
}
