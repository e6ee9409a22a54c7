//! Ties a completion to its operation: operation, index and generation packed into the ring's 64 bits of user data.

/// Identifies a connection: its slot, and which of the slot's successive connections it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ConnectionId {
    /// Index of the slot, from 0.
    pub slot: u32,
    /// Counts the connections of this slot. A completion with an older generation is stale.
    pub generation: u32,
}

/// The operations of a ring, and what the index of each means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Operation {
    /// Index: connection slot.
    Connect = 1,
    /// Index: connection slot. The kernel picks a small buffer.
    Receive = 2,
    /// Index: receive buffer, for which the driver notes the connection.
    ReceiveInto = 3,
    /// Index: send buffer, for which the driver notes the connection.
    Send = 4,
    /// Index: connection slot. The kernel picks a large buffer.
    ReceiveLarge = 5,
    /// Index: connection slot. Ends the slot's receive.
    Cancel = 6,
}

const INDEX_BITS: u32 = 28;
const GENERATION_BITS: u32 = 32;

/// Indices are below this bound, to leave room for operation and generation.
pub const INDEX_END: usize = 1 << INDEX_BITS;
const _: () = assert!(INDEX_BITS + GENERATION_BITS + 4 == 64);

/// Packs an operation into a completion's user data.
pub(super) fn pack(operation: Operation, index: u32, generation: u32) -> u64 {
    debug_assert!((index as usize) < INDEX_END);
    (operation as u64) << 60 | u64::from(index) << GENERATION_BITS | u64::from(generation)
}

/// Unpacks a completion's user data. `None` for a value that no [`pack`] has made.
pub(super) fn unpack(token: u64) -> Option<(Operation, u32, u32)> {
    let operation = match token >> 60 {
        1 => Operation::Connect,
        2 => Operation::Receive,
        3 => Operation::ReceiveInto,
        4 => Operation::Send,
        5 => Operation::ReceiveLarge,
        6 => Operation::Cancel,
        _ => return None,
    };
    let index = (token >> GENERATION_BITS) as u32 & (INDEX_END as u32 - 1);
    Some((operation, index, token as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_comes_back_with_its_index_and_generation() {
        let operations = [
            Operation::Connect,
            Operation::Receive,
            Operation::ReceiveInto,
            Operation::Send,
            Operation::ReceiveLarge,
            Operation::Cancel,
        ];
        for operation in operations {
            for index in [0, 1, 12_345, INDEX_END as u32 - 1] {
                for generation in [0, 1, u32::MAX] {
                    let token = pack(operation, index, generation);
                    assert_eq!(unpack(token), Some((operation, index, generation)));
                }
            }
        }
    }

    #[test]
    fn a_value_that_is_no_token_is_refused() {
        assert_eq!(unpack(0), None);
        assert_eq!(unpack(u64::MAX), None);
    }
}
