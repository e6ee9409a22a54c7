//! The users of a shard, awake or asleep: one seat each, and flat arrays of what the plan keeps of a user beside it.

use crate::engine::plan::Plan;
use crate::engine::requests::NO_REQUEST;
use crate::engine::timers::Timers;
use crate::engine::user::{Tally, User};
use crate::load::deal::Numbers;

/// A span that is not open.
const NO_SPAN: u64 = u64::MAX;

/// A user, awake or asleep; or a companion, which carries one of the requests that a user sends at once.
///
/// | bytes of an idle user | |
/// |---|---|
/// | 24 | its state ([`User`]) |
/// | 8 | the rest of its seat |
/// | 12 | its place in the timer wheel |
/// | 8 | each span of the scenario |
/// | 16 | [`Tally`], where the plan needs it |
/// | 2 | its kind, where there are several |
/// | 32 | each companion, and 16 for all of them |
///
/// Its variables come on top. A user with a request under way, or in the waiting line, takes
/// [`Requests::BYTES_EACH`](crate::engine::requests::Requests::BYTES_EACH) and its place in the line more.
#[derive(Clone)]
pub(super) struct Seat {
    pub user: User,
    /// The place of its request among the shard's, else `NO_REQUEST`.
    pub request: u32,
    /// Another user takes the seat: as soon as this one has left, or, if it has, when its timer fires.
    pub is_retaken: bool,
    /// In an open load: the user has not been ready for an arrival yet.
    pub is_preparing: bool,
}

/// Bytes of a companion.
pub(crate) const SEAT_BYTES: usize = size_of::<Seat>();
const _: () = assert!(SEAT_BYTES == 32);

impl Seat {
    /// A seat that nothing uses yet.
    fn vacant() -> Self {
        Self {
            user: User::new(0),
            request: NO_REQUEST,
            is_retaken: false,
            is_preparing: false,
        }
    }
}

/// Bytes that each user takes beside its variables, spans and tally.
pub(crate) const USER_BYTES: usize = size_of::<Seat>() + Timers::BYTES_PER_ID;
const _: () = assert!(USER_BYTES + size_of::<Tally>() <= 64);

/// The seats of a shard. A user is named by the index of its seat.
pub(super) struct Seats {
    seats: Vec<Seat>,
    /// Seats of users that were ever taken: the first ones.
    taken: usize,
    seats_max: usize,
    /// One for each seat, or none at all when the plan needs none.
    tallies: Vec<Tally>,
    /// All users' variables, `variables_stride` bytes for each seat.
    variables: Vec<u8>,
    variables_stride: usize,
    /// When the open spans of each user began, `spans` of them for each seat.
    spans_since_ns: Vec<u64>,
    spans: usize,
    /// Numbers of the first users of the seats in the whole run.
    numbers: Numbers,
    /// The kind of each seat's users; empty where there is only one.
    kinds: Vec<u16>,
    /// Seats of all shards.
    seats_of_run: u64,
    /// Users that ever took a seat.
    pub came: usize,
    /// Users that have left their seats.
    pub left: usize,
    /// Users that have left because a step had failed, while the load lasted.
    pub left_on_failure: u64,
}

impl Seats {
    /// Reserves memory for all users that a shard of the plan can have.
    pub fn new(plan: &Plan, shard: usize) -> Self {
        let seats_max = plan.users_of_shard(shard);
        // Those of companions lie behind them, and there from the start.
        let companions = seats_max * (plan.scenario.parts_max() - 1);
        let mut seats = Vec::with_capacity(seats_max + companions);
        if companions > 0 {
            seats.resize(seats_max + companions, Seat::vacant());
        }
        let tallies_max = match plan.keeps_tallies() {
            true => seats_max,
            false => 0,
        };
        let variables_stride = plan.scenario.variables.stride();
        let spans = plan.scenario.spans.len();
        Self {
            seats,
            taken: 0,
            seats_max,
            tallies: Vec::with_capacity(tallies_max),
            variables: vec![0; seats_max * variables_stride],
            variables_stride,
            spans_since_ns: vec![NO_SPAN; seats_max * spans],
            spans,
            numbers: plan.deal().numbers(shard),
            kinds: plan.kinds_of_shard(shard),
            seats_of_run: plan.load.users_max(),
            came: 0,
            left: 0,
            left_on_failure: 0,
        }
    }

    /// Seats that a user ever took.
    pub fn len(&self) -> usize {
        self.taken
    }

    /// Whether a user can take a seat that had none before.
    pub fn has_room(&self) -> bool {
        self.taken < self.seats_max
    }

    /// Users that have come and not left.
    pub fn active(&self) -> usize {
        self.came - self.left
    }

    /// All seats, those of companions too.
    pub fn iter(&self) -> impl Iterator<Item = &Seat> {
        self.seats.iter()
    }

    /// The seat of a user; `None` if none ever took it.
    pub fn get(&self, id: u32) -> Option<&Seat> {
        self.seats[..self.taken].get(id as usize)
    }

    #[inline]
    pub fn seat(&self, id: u32) -> &Seat {
        &self.seats[id as usize]
    }

    #[inline]
    pub fn seat_mut(&mut self, id: u32) -> &mut Seat {
        &mut self.seats[id as usize]
    }

    /// A user takes a new seat, or the seat of a user that has left.
    pub fn occupy(&mut self, id: u32, user: User, tally: Option<Tally>, is_preparing: bool) {
        let seat = Seat {
            user,
            request: NO_REQUEST,
            is_retaken: false,
            is_preparing,
        };
        put(&mut self.seats, id, seat);
        self.taken = self.taken.max(id as usize + 1);
        if let Some(tally) = tally {
            put(&mut self.tallies, id, tally);
        }
        let at = id as usize * self.spans;
        self.spans_since_ns[at..at + self.spans].fill(NO_SPAN);
        self.came += 1;
    }

    #[inline]
    pub fn tally(&self, id: u32) -> Option<&Tally> {
        self.tallies.get(id as usize)
    }

    /// A user's state, its tally where the plan needs one, and its variables.
    #[inline]
    pub fn parts_mut(&mut self, id: u32) -> (&mut User, Option<&mut Tally>, &mut [u8]) {
        let user = &mut self.seats[id as usize].user;
        let at = id as usize * self.variables_stride;
        let values = &mut self.variables[at..at + self.variables_stride];
        (user, self.tallies.get_mut(id as usize), values)
    }

    /// Users that had the seat before its present one.
    #[inline]
    pub fn predecessors(&self, id: u32) -> u32 {
        self.tally(id).map_or(0, |tally| tally.predecessors)
    }

    /// The number in the whole run of the first user of a seat.
    #[inline]
    pub fn number_of_first(&self, id: u32) -> u64 {
        self.numbers.of(id)
    }

    /// The number in the whole run of the user in a seat.
    #[inline]
    pub fn number(&self, id: u32) -> u64 {
        self.number_after(id, self.predecessors(id))
    }

    /// The number that the user in a seat has in the whole run when so many had the seat before it.
    #[inline]
    pub fn number_after(&self, id: u32, predecessors: u32) -> u64 {
        self.numbers.of(id) + u64::from(predecessors) * self.seats_of_run
    }

    /// The kind of a seat's users, as index into those of the scenario.
    #[inline]
    pub fn kind(&self, id: u32) -> usize {
        self.kinds
            .get(id as usize)
            .map_or(0, |kind| usize::from(*kind))
    }

    /// Makes a seat that no user ever took one for users of a kind.
    pub fn set_kind(&mut self, id: u32, kind: usize) {
        if let Some(place) = self.kinds.get_mut(id as usize) {
            *place = kind as u16;
        }
    }

    /// A user's variables.
    #[inline]
    pub fn values(&self, id: u32) -> &[u8] {
        let at = id as usize * self.variables_stride;
        &self.variables[at..at + self.variables_stride]
    }

    /// The variables of the user with number 0; empty when it is not of this shard, or never came.
    pub fn first_values(&self) -> Vec<u8> {
        match self.taken == 0 || self.numbers.of(0) != 0 {
            true => Vec::new(),
            false => self.values(0).to_vec(),
        }
    }

    #[inline]
    pub fn values_mut(&mut self, id: u32) -> &mut [u8] {
        let at = id as usize * self.variables_stride;
        &mut self.variables[at..at + self.variables_stride]
    }

    /// A span of a user begins.
    pub fn begin_span(&mut self, id: u32, span: usize, since_ns: u64) {
        self.spans_since_ns[id as usize * self.spans + span] = since_ns;
    }

    /// Ends a span of a user; when it began, if it was open.
    pub fn end_span(&mut self, id: u32, span: usize) -> Option<u64> {
        let since_ns = &mut self.spans_since_ns[id as usize * self.spans + span];
        let since_ns = std::mem::replace(since_ns, NO_SPAN);
        (since_ns != NO_SPAN).then_some(since_ns)
    }
}

/// Replaces the item of a user, or appends that of the next one.
fn put<T>(items: &mut Vec<T>, id: u32, item: T) {
    match items.get_mut(id as usize) {
        Some(place) => *place = item,
        None => items.push(item),
    }
}
