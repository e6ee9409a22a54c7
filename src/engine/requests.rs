//! Requests under way, apart from the users that wait for them: most of a million users are asleep and have none.
//!
//! The place that became free last is used first: it is still in the cache, and no more places are touched than there
//! ever were requests under way at once. Address space for all users is reserved before the run; memory is used for the
//! touched part.

use super::connection::{NO_SLOT, NO_USER};

/// The place of a user without a request under way.
pub const NO_REQUEST: u32 = u32::MAX;
/// The place of a user whose own request has ended, while others that it sent at once are under way.
pub const OTHERS_UNDER_WAY: u32 = u32::MAX - 1;

/// A user's request, from the moment when it wants to send it.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// When the user wanted to send it: its time limit counts from here, with the waiting line and the connect.
    /// [`Requests::delay`] moves it when the generator itself was held up.
    pub begun_ns: u64,
    /// When it was handed to the kernel.
    pub submitted_ns: u64,
    /// The user that sends it; `NO_USER` when the request is over.
    pub user: u32,
    /// Slot of its connection; `NO_SLOT` before it has one.
    pub slot: u32,
    /// How far the request is.
    pub phase: Phase,
}

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not sent yet: the user is in the waiting line, or its connection is being opened, or its batch filled.
    Waiting,
    /// Handed to the kernel.
    Submitted,
    /// Sent without an answer, and about to be sent once more.
    Again,
    /// Handed to the kernel for the second time.
    Resubmitted,
}

/// The requests under way of one shard.
pub struct Requests {
    places: Vec<Request>,
    free: Vec<u32>,
}

impl Requests {
    /// Bytes of memory for each request, with the number of its place.
    pub const BYTES_EACH: usize = size_of::<Request>() + size_of::<u32>();

    /// Reserves a place for each request that may be under way at once.
    pub fn new(users_max: usize) -> Self {
        assert!(users_max < OTHERS_UNDER_WAY as usize);
        Self {
            places: Vec::with_capacity(users_max),
            free: Vec::with_capacity(users_max),
        }
    }

    /// A user wants to send a request. Returns the request's place.
    pub fn begin(&mut self, user: u32, begun_ns: u64) -> u32 {
        let request = Request {
            begun_ns,
            submitted_ns: 0,
            user,
            slot: NO_SLOT,
            phase: Phase::Waiting,
        };
        match self.free.pop() {
            Some(place) => {
                self.places[place as usize] = request;
                place
            }
            None => {
                self.places.push(request);
                self.places.len() as u32 - 1
            }
        }
    }

    /// The request at a place is over. Returns what it was.
    pub fn end(&mut self, place: u32) -> Request {
        self.free.push(place);
        let request = &mut self.places[place as usize];
        let ended = *request;
        request.user = NO_USER;
        ended
    }

    /// A turn was held up while it began or submitted requests. The server had no part in that time, so the time limits of
    /// those requests begin that much later. Response times do not change: they count from the intended moment.
    pub fn delay(&mut self, turn_from_ns: u64, submitted_ns: u64, late_ns: u64) {
        for request in &mut self.places {
            if request.begun_ns == turn_from_ns || request.submitted_ns == submitted_ns {
                request.begun_ns += late_ns;
            }
        }
    }

    /// Requests under way.
    pub fn count(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Users with a request under way. Visits as many places as there ever were requests under way at once.
    pub fn users(&self) -> impl Iterator<Item = u32> {
        let users = self.places.iter().map(|request| request.user);
        users.filter(|&user| user != NO_USER)
    }

    /// The request at a place; `None` where there is none.
    pub fn get(&self, place: u32) -> Option<&Request> {
        self.places.get(place as usize)
    }

    /// The request at a place, mutable; `None` where there is none.
    pub fn get_mut(&mut self, place: u32) -> Option<&mut Request> {
        self.places.get_mut(place as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_more_places_than_requests_were_under_way_at_once() {
        let mut requests = Requests::new(1_000);
        let mut under_way = Vec::new();
        for round in 0..1_000u64 {
            under_way.push((requests.begin(round as u32, round), round));
            if round % 7 != 0 || round > 100 {
                let (place, begun_ns) = under_way.remove(round as usize % under_way.len());
                assert_eq!(requests.end(place).begun_ns, begun_ns);
            }
            for &(place, begun_ns) in &under_way {
                assert_eq!(requests.get(place).expect("under way").begun_ns, begun_ns);
            }
        }
        let mut users: Vec<u64> = requests.users().map(u64::from).collect();
        users.sort_unstable();
        under_way.sort_unstable_by_key(|&(_, begun_ns)| begun_ns);
        assert!(users.iter().eq(under_way.iter().map(|(_, user)| user)));
        assert_eq!(requests.places.len(), under_way.len() + 1);
        assert!(requests.get(NO_REQUEST).is_none());
    }
}
