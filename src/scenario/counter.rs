//! Counters of a user: 4 bytes among its values.

/// The place of a counter among a user's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// In bytes.
    pub offset: usize,
}

/// What is counted. A user is at one step at a time, so all steps share one counter of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// The times that a step was sent by `repeat`.
    Times,
    /// Retries of a request.
    Retries,
    /// The times that a task was done by `repeat`.
    Rounds,
}

impl Counter {
    /// Bytes of a counter.
    pub const BYTES: usize = size_of::<u32>();

    /// The count.
    pub fn get(self, values: &[u8]) -> u32 {
        let mut bytes = [0; Self::BYTES];
        bytes.copy_from_slice(&values[self.offset..self.offset + Self::BYTES]);
        u32::from_le_bytes(bytes)
    }

    /// Sets the count.
    pub fn set(self, values: &mut [u8], count: u32) {
        values[self.offset..self.offset + Self::BYTES].copy_from_slice(&count.to_le_bytes());
    }
}
