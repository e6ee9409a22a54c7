//! A hierarchical timer wheel: who is to be woken when, for a million sleepers, with exact times.
//!
//! 1. Time is cut into ticks of 2^14 ns (16 us). Level 0 has a slot for each of the next 128 ticks, level 1 one for each
//!    64 ticks of the next 8,192, and so on (Varghese and Lauck 1987, scheme 7).
//! 2. A timer goes to the lowest level that reaches as far as it is ahead, whatever the digits of its time.
//! 3. A slot of a higher level is emptied into the levels below while the wheel goes through the slot before it, a few
//!    timers at a time: that is why a level reaches twice as far as a slot above it. What is left when the wheel comes
//!    to it goes at once.
//! 4. A slot is a singly linked list through an array, its occupancy one bit, so that the next slot in use is found
//!    with a rotation and a count of zeroes for each level.
//! 5. Inside a tick the exact time is compared, so that nobody is woken early.

const TICK_BITS: u32 = 14;
const DIGIT_BITS: u32 = 6;
/// Twice a digit: see 3.
const SLOTS: usize = 2 << DIGIT_BITS;
/// As many as reach every time that 64 bits can tell.
const LEVELS: usize = 9;
const NONE: u32 = u32::MAX;
/// Timers that one call moves to a lower level ahead of time. With a million users and waits of a minute, 95,000 stand
/// in a slot of level 3: moved at once, they would keep answers waiting for some milliseconds every 4 s.
const MOVED_MAX: usize = 256;
const _: () = assert!(SLOTS == u128::BITS as usize);
const _: () = assert!(TICK_BITS + DIGIT_BITS * LEVELS as u32 >= u64::BITS);
const _: () = assert!(Timers::BYTES_PER_ID == 12);

/// Timers by id. Each id has at most one; setting it again needs it to have fired or never been set.
pub struct Timers {
    /// The tick up to which everything has fired.
    tick: u64,
    heads: [[u32; SLOTS]; LEVELS],
    occupied: [u128; LEVELS],
    timers: Vec<Timer>,
    armed: usize,
}

/// What is kept of each: beside each other, since whoever touches one part needs the other.
#[derive(Clone, Copy)]
struct Timer {
    /// In two halves, so that it takes no more room than it needs.
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
    /// What each id takes.
    pub const BYTES_PER_ID: usize = size_of::<Timer>();

    /// Room for timers with ids from 0 to below `ids`.
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

    /// How many are set.
    pub fn len(&self) -> usize {
        self.armed
    }

    /// Whether none is set.
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

    /// Takes back a timer that is set, if it is. It costs a walk along its slot's list, so it is for rare occasions.
    pub fn cancel(&mut self, id: u32) {
        let tick = self.deadline_of(id) >> TICK_BITS;
        for level in 0..LEVELS {
            if self.unlink(level, slot_of(level, tick), id) {
                return;
            }
        }
        // A time that had passed when the timer was set stands where the wheel stood then.
        for slot in 0..SLOTS {
            if self.unlink(0, slot, id) {
                return;
            }
        }
    }

    /// Takes back all timers that are not to be kept.
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

    /// Takes a timer whose time has come by `now_ns`.
    pub fn pop(&mut self, now_ns: u64) -> Option<u32> {
        let now_tick = now_ns >> TICK_BITS;
        loop {
            if let Some(id) = self.pop_due(now_ns) {
                return Some(id);
            }
            let next = self.next_slot();
            let Some((level, tick)) = next.filter(|&(_, tick)| tick <= now_tick) else {
                // Nothing is due before the next slot, so the wheel may stand at any tick before it.
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

    /// Where a timer belongs as the wheel stands.
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

    /// Unlinks the first timer of the present tick whose exact time has come.
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

    /// The slot in use that begins first, the highest of several, as its level and the tick at which it begins.
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

    /// Timers of slots that come next go to the levels below, up to a bound.
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

    /// Up to `count` timers of a slot of a higher level go to the levels below. Returns how many did.
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
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn step(seed: &mut u64) -> u64 {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        *seed
    }

    /// Runs the wheel and a sorted set side by side; both have to fire the same ids at the same times.
    fn check(seed: u64, range_bits: u32) {
        let mut seed = seed;
        let mut timers = Timers::new(200);
        let mut naive: BTreeSet<(u64, u32)> = BTreeSet::new();
        let mut free: Vec<u32> = (0..200).collect();
        let mut now_ns = 0;
        for _ in 0..20_000 {
            if !step(&mut seed).is_multiple_of(3)
                && let Some(id) = free.pop()
            {
                let deadline_ns = now_ns + (step(&mut seed) >> (64 - range_bits));
                timers.set(id, deadline_ns);
                naive.insert((deadline_ns, id));
            }
            // Some are taken back before they fire, one at a time or many at once.
            if step(&mut seed).is_multiple_of(5)
                && let Some((deadline_ns, id)) = naive.pop_last()
            {
                timers.cancel(id);
                timers.cancel(id);
                free.push(id);
                assert!(deadline_ns >= now_ns);
            }
            if step(&mut seed).is_multiple_of(500) {
                timers.retain(|id| !id.is_multiple_of(3));
                naive.retain(|&(_, id)| {
                    let stays = !id.is_multiple_of(3);
                    free.extend((!stays).then_some(id));
                    stays
                });
            }
            match (step(&mut seed) % 4, timers.next_ns()) {
                (0, Some(next_ns)) => now_ns = now_ns.max(next_ns),
                (1, _) => now_ns += step(&mut seed) >> (64 - range_bits),
                _ => now_ns += 1,
            }
            let first = naive.first().map(|&(deadline_ns, _)| deadline_ns);
            assert!(timers.next_ns() <= first, "never late");
            let mut fired = BTreeSet::new();
            while let Some(id) = timers.pop(now_ns) {
                fired.insert(id);
            }
            let rest = naive.split_off(&(now_ns + 1, 0));
            let due = std::mem::replace(&mut naive, rest);
            assert_eq!(fired, due.iter().map(|&(_, id)| id).collect());
            assert_eq!(timers.len(), naive.len());
            free.extend(fired);
        }
    }

    #[test]
    fn it_fires_what_a_sorted_set_fires() {
        for seed in 1..6 {
            for range_bits in [8, 15, 21, 28, 36, 45] {
                check(seed, range_bits);
            }
        }
    }

    #[test]
    fn a_slot_of_a_higher_level_is_empty_before_the_wheel_comes_to_it() {
        let mut seed = 7;
        let mut timers = Timers::new(50_000);
        let far_ns = |seed: &mut u64| 20_000_000_000 + step(seed) % 10_000_000_000;
        for id in 0..50_000 {
            timers.set(id, far_ns(&mut seed));
        }
        let mut held_max = 0;
        for now_ns in (0..40_000_000_000).step_by(1_000_000) {
            for level in 2..LEVELS {
                let shift = DIGIT_BITS * level as u32;
                let now_tick = now_ns >> TICK_BITS;
                if now_tick >> shift > timers.tick >> shift {
                    let head = timers.heads[level][slot_of(level, now_tick)];
                    held_max = timers.list(head).count().max(held_max);
                }
            }
            while let Some(id) = timers.pop(now_ns) {
                timers.set(id, now_ns + far_ns(&mut seed));
            }
        }
        assert!(held_max <= MOVED_MAX, "{held_max} moved at once");
    }

    #[test]
    fn the_next_time_is_exact_within_a_millisecond() {
        let mut timers = Timers::new(2);
        timers.set(0, 900_123);
        timers.set(1, 900_124);
        assert_eq!(timers.next_ns(), Some(900_123));
        assert_eq!(timers.pop(900_122), None);
        assert_eq!(timers.pop(900_123), Some(0));
        assert_eq!(timers.next_ns(), Some(900_124));
    }

    #[test]
    fn waiting_for_the_next_time_again_and_again_comes_to_an_hour_in_few_steps() {
        let mut timers = Timers::new(1);
        let hour_ns = 3_600_000_000_000;
        timers.set(0, hour_ns);
        let mut steps = 0;
        let mut now_ns = 0;
        while timers.pop(now_ns).is_none() {
            now_ns = timers.next_ns().expect("it has not fired");
            steps += 1;
        }
        assert_eq!(now_ns, hour_ns);
        assert!(steps <= LEVELS, "{steps} steps");
    }

    #[test]
    fn a_time_in_the_past_fires_at_once() {
        let mut timers = Timers::new(2);
        timers.set(0, 50_000_000);
        assert_eq!(timers.pop(60_000_000), Some(0));
        timers.set(1, 10);
        assert_eq!(timers.pop(60_000_000), Some(1));
        assert!(timers.is_empty());
    }
}
