//! The values that a request is rendered with: texts of bounded length, each at a fixed offset of a byte array.

/// Bytes in front of a text that hold its length.
const LENGTH_BYTES: usize = 2;

/// A place in an array of values: a length (u16, little endian) and room for a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Offset of the slot in the array, in bytes.
    pub offset: usize,
    /// Longest text that it holds, in bytes.
    pub bytes_max: usize,
    /// Every user's text has the same length.
    pub fixed: bool,
}

impl Slot {
    /// Bytes that the slot takes in the array.
    pub fn stride(self) -> usize {
        LENGTH_BYTES + self.bytes_max
    }

    /// Writes a text to the slot.
    pub fn store(self, text: &[u8], values: &mut [u8]) {
        assert!(text.len() <= usize::from(u16::MAX));
        self.store_with(values, |out| {
            out[..text.len()].copy_from_slice(text);
            text.len()
        });
    }

    /// Writes a text to the slot: `write` gets the room for it and returns the length that it used.
    #[inline]
    pub fn store_with(self, values: &mut [u8], write: impl FnOnce(&mut [u8]) -> usize) {
        let place = &mut values[self.offset..self.offset + self.stride()];
        let (length, text) = place.split_at_mut(LENGTH_BYTES);
        length.copy_from_slice(&(write(text) as u16).to_le_bytes());
    }

    /// Changes the bytes in the slot: `edit` gets the room for them and their length, and returns the new length.
    pub fn edit(self, values: &mut [u8], edit: impl FnOnce(&mut [u8], usize) -> usize) {
        let length = self.text(values).len();
        self.store_with(values, |room| edit(room, length));
    }

    /// The text in the slot.
    #[inline]
    pub fn text(self, values: &[u8]) -> &[u8] {
        let length = u16::from_le_bytes([values[self.offset], values[self.offset + 1]]);
        let start = self.offset + LENGTH_BYTES;
        &values[start..start + usize::from(length)]
    }
}

/// Which array holds a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The user's values: the same for all its requests.
    User(Slot),
    /// The values made for this one request.
    Fresh(Slot),
}

impl Place {
    /// Its place in that array.
    pub fn slot(self) -> Slot {
        match self {
            Self::User(slot) | Self::Fresh(slot) => slot,
        }
    }

    #[inline]
    pub(super) fn text(self, values: Values<'_>) -> &[u8] {
        match self {
            Self::User(slot) => slot.text(values.user),
            Self::Fresh(slot) => slot.text(values.fresh),
        }
    }
}

/// The values that a request is rendered with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Values<'v> {
    /// The array that [`Place::User`] refers to.
    pub user: &'v [u8],
    /// The array that [`Place::Fresh`] refers to.
    pub fresh: &'v [u8],
}
