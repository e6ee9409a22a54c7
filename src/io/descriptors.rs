//! How many descriptors a driver has open.

use super::driver::EVENTS_MAX;
use super::lingering::{LINGERING_MAX, lingering_max};

/// Most descriptors of a driver whose connections have left their slots: those closed in one turn, and those that wait
/// for their FIN. The next connections of those slots may be open already.
pub const CLOSING_MAX: usize = EVENTS_MAX + LINGERING_MAX;

/// Most descriptors that a driver with this many slots has open.
pub fn descriptors(slots: usize) -> usize {
    slots + slots.min(EVENTS_MAX) + lingering_max(slots)
}
