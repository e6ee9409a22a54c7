//! The share of a load that one process makes, where several processes make it together.

/// One of several parts; [`Part::WHOLE`] where one process makes the whole load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    // INVARIANT: index < of.
    index: u64,
    of: u64,
}

impl Part {
    /// The only part of a load.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// Part `number`, counted from 1, of `of`; `None` when there is no such part.
    pub fn new(number: u64, of: u64) -> Option<Self> {
        let index = number.checked_sub(1)?;
        (index < of).then_some(Self { index, of })
    }

    /// Its number, from 1.
    pub fn number(self) -> u64 {
        self.index + 1
    }

    /// Its place, from 0.
    pub fn index(self) -> u64 {
        self.index
    }

    /// Number of parts.
    pub fn of(self) -> u64 {
        self.of
    }

    /// Whether it is the only one.
    pub fn is_whole(self) -> bool {
        self.of == 1
    }
}

impl Default for Part {
    fn default() -> Self {
        Self::WHOLE
    }
}
