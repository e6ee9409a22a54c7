//! A hierarchical timer wheel: a million timers with exact times.
//!
//! 1. Time is cut into ticks of 2^14 ns (16 us). Level 0 has a slot for each of the next 128 ticks, level 1 one for each
//!    64 ticks of the next 8,192, and so on (Varghese and Lauck 1987, scheme 7).
//! 2. A timer is placed in the lowest level whose reach covers its distance, whatever the digits of its time.
//! 3. A slot of a higher level is emptied into the levels below while the wheel passes the slot before it, a few timers at
//!    a time: so a level reaches twice as far as a slot above it. The rest is moved at once when the wheel reaches it.
//! 4. A slot is a singly linked list through an array, and its occupancy is one bit: the next slot in use is found with a
//!    rotation and a count of zeroes for each level.
//! 5. Inside a tick the exact time is compared, so that no timer fires early.

const TICK_BITS: u32 = 14;
const DIGIT_BITS: u32 = 6;
/// Twice a digit: see 3.
const SLOTS: usize = 2 << DIGIT_BITS;
/// Enough levels to reach every time of 64 bits.
const LEVELS: usize = 9;
const NONE: u32 = u32::MAX;
/// Timers that one call moves to a lower level ahead of time. With a million users and waits of a minute, a slot of
/// level 3 holds 95,000 timers: moved at once, they would delay answers by some milliseconds every 4 s.
const MOVED_MAX: usize = 256;
const _: () = assert!(SLOTS == u128::BITS as usize);
const _: () = assert!(TICK_BITS + DIGIT_BITS * LEVELS as u32 >= u64::BITS);
const _: () = assert!(Timers::BYTES_PER_ID == 12);

/// Timers by id, one for each. A timer may be set again when it has fired or was cancelled.
pub struct Timers {
    /// The tick up to which everything has fired.
    tick: u64,
    heads: [[u32; SLOTS]; LEVELS],
    occupied: [u128; LEVELS],
    timers: Vec<Timer>,
    armed: usize,
}

/// A timer. Its parts lie beside each other, since they are needed together.
#[derive(Clone, Copy)]
struct Timer {
    /// In two halves of 32 bits: a `u64` would be aligned to 8 bytes and make the timer 16 bytes long.
    deadline_ns: [u32; 2],
    /// The next in its slot's list.
    next: u32,
}

impl Timer {
    const UNSET: Self = Self {
        deadline_ns: [0; 2],
        next: NONE,
    };
}

impl Timers {
    /// Bytes of memory for each id.
    pub const BYTES_PER_ID: usize = size_of::<Timer>();

    /// Timers with ids from 0 to below `ids`.
    pub fn new(ids: usize) -> Self {
        assert!(ids < NONE as usize);
        Self {
            tick: 0,
            heads: [[NONE; SLOTS]; LEVELS],
            occupied: [0; LEVELS],
            timers: vec![Timer::UNSET; ids],
            armed: 0,
        }
    }

    /// Timers that are set.
    pub fn len(&self) -> usize {
        self.armed
    }

    /// Whether no timer is set.
    pub fn is_empty(&self) -> bool {
        self.armed == 0
    }

    /// Sets a timer. A time that has passed fires at the next [`Timers::pop`].
    pub fn set(&mut self, id: u32, deadline_ns: u64) {
        let halves = [deadline_ns as u32, (deadline_ns >> 32) as u32];
        self.timers[id as usize].deadline_ns = halves;
        self.armed += 1;
        self.link(id);
    }

    /// Cancels a timer if it is set. It costs a walk along the list of its slot, so it is for rare occasions.
    pub fn cancel(&mut self, id: u32) {
        let tick = self.deadline_of(id) >> TICK_BITS;
        for level in 0..LEVELS {
            if self.unlink(level, slot_of(level, tick), id) {
                return;
            }
        }
        // A timer that was set to a past time is in the slot of the tick at which it was set.
        for slot in 0..SLOTS {
            if self.unlink(0, slot, id) {
                return;
            }
        }
    }

    /// Cancels all timers for which `keep` is false.
    pub fn retain(&mut self, keep: impl Fn(u32) -> bool) {
        for level in 0..LEVELS {
            for slot in 0..SLOTS {
                let ids: Vec<u32> = self.list(self.heads[level][slot]).collect();
                for id in ids.into_iter().filter(|&id| !keep(id)) {
                    self.unlink(level, slot, id);
                }
            }
        }
    }

    fn unlink(&mut self, level: usize, slot: usize, id: u32) -> bool {
        let mut before = NONE;
        let mut at = self.heads[level][slot];
        while at != NONE && at != id {
            before = at;
            at = self.timers[at as usize].next;
        }
        if at == NONE {
            return false;
        }
        let after = self.timers[id as usize].next;
        match before {
            NONE => self.heads[level][slot] = after,
            before => self.timers[before as usize].next = after,
        }
        if self.heads[level][slot] == NONE {
            self.occupied[level] &= !(1 << slot);
        }
        self.armed -= 1;
        true
    }

    /// Removes and returns a timer that is due by `now_ns`.
    pub fn pop(&mut self, now_ns: u64) -> Option<u32> {
        let now_tick = now_ns >> TICK_BITS;
        loop {
            if let Some(id) = self.pop_due(now_ns) {
                return Some(id);
            }
            let next = self.next_slot();
            let Some((level, tick)) = next.filter(|&(_, tick)| tick <= now_tick) else {
                // Nothing is due before the next slot, so the wheel may be at any tick before it.
                self.tick = self.tick.max(now_tick);
                self.move_ahead();
                return None;
            };
            if level == 0 && tick == self.tick {
                self.move_ahead();
                return None;
            }
            self.tick = self.tick.max(tick);
            if level > 0 {
                self.spread(level, slot_of(level, tick), usize::MAX);
            }
        }
    }

    /// No timer fires before this time. Exact when the next one is within 64 ticks (1 ms), else early.
    pub fn next_ns(&self) -> Option<u64> {
        let (level, tick) = self.next_slot()?;
        if level > 0 {
            return Some(tick << TICK_BITS);
        }
        self.list(self.heads[0][slot_of(0, tick)])
            .map(|id| self.deadline_of(id))
            .min()
    }

    fn deadline_of(&self, id: u32) -> u64 {
        let [low, high] = self.timers[id as usize].deadline_ns;
        u64::from(low) | u64::from(high) << 32
    }

    fn list(&self, head: u32) -> impl Iterator<Item = u32> {
        let some = |id: u32| (id != NONE).then_some(id);
        std::iter::successors(some(head), move |&id| some(self.timers[id as usize].next))
    }

    /// Level and slot of a timer at the wheel's present tick.
    fn place(&self, id: u32) -> (usize, usize) {
        let tick = (self.deadline_of(id) >> TICK_BITS).max(self.tick);
        let reaches = |level: &usize| {
            let shift = DIGIT_BITS * *level as u32;
            (tick >> shift) - (self.tick >> shift) < SLOTS as u64
        };
        let level = (0..LEVELS).find(reaches).expect("the last one reaches all");
        (level, slot_of(level, tick))
    }

    fn link(&mut self, id: u32) {
        let (level, slot) = self.place(id);
        self.timers[id as usize].next = self.heads[level][slot];
        self.heads[level][slot] = id;
        self.occupied[level] |= 1 << slot;
    }

    /// Unlinks the first timer of the present tick that is due by its exact time.
    fn pop_due(&mut self, now_ns: u64) -> Option<u32> {
        let slot = slot_of(0, self.tick);
        let mut before = NONE;
        let mut id = self.heads[0][slot];
        while id != NONE {
            let after = self.timers[id as usize].next;
            if self.deadline_of(id) <= now_ns {
                if before == NONE {
                    self.heads[0][slot] = after;
                } else {
                    self.timers[before as usize].next = after;
                }
                if self.heads[0][slot] == NONE {
                    self.occupied[0] &= !(1 << slot);
                }
                self.armed -= 1;
                return Some(id);
            }
            before = id;
            id = after;
        }
        None
    }

    /// The slot in use that begins first, in the highest level if there are several: its level, and its first tick.
    fn next_slot(&self) -> Option<(usize, u64)> {
        let slots = (0..LEVELS).filter_map(|level| {
            let shift = DIGIT_BITS * level as u32;
            let here = self.tick >> shift;
            let ahead = self.occupied[level].rotate_right(slot_of(level, self.tick) as u32);
            let is_used = ahead != 0;
            is_used.then(|| (level, (here + u64::from(ahead.trailing_zeros())) << shift))
        });
        slots.min_by_key(|&(level, tick)| (tick, LEVELS - level))
    }

    /// Moves timers of the next slots to the levels below, up to a bound.
    fn move_ahead(&mut self) {
        let mut left = MOVED_MAX;
        for level in 1..LEVELS {
            let next = (self.tick >> (DIGIT_BITS * level as u32)) + 1;
            let slot = next as usize % SLOTS;
            if self.occupied[level] >> slot & 1 == 1 {
                left -= self.spread(level, slot, left);
            }
        }
    }

    /// Moves up to `count` timers of a slot of a higher level to the levels below. Returns the number moved.
    fn spread(&mut self, level: usize, slot: usize, count: usize) -> usize {
        let mut moved = 0;
        while moved < count && self.heads[level][slot] != NONE {
            let id = self.heads[level][slot];
            self.heads[level][slot] = self.timers[id as usize].next;
            self.link(id);
            moved += 1;
        }
        if self.heads[level][slot] == NONE {
            self.occupied[level] &= !(1 << slot);
        }
        moved
    }
}

/// The slot of a level that a tick falls into.
fn slot_of(level: usize, tick: u64) -> usize {
    (tick >> (DIGIT_BITS * level as u32)) as usize % SLOTS
}

#[cfg(test)]
mod tests;
