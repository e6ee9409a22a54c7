//! A kind of user: steps of its own, a wait of its own, and a part of the users.

use std::ops::Range;

use super::wait::Wait;
use crate::load::mix::Amount;

/// A kind of user. A scenario without `[[users]]` has one, without a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Kind {
    /// Its name; empty for the only kind.
    pub name: String,
    /// How many of the users are of it.
    pub amount: Amount,
    /// The steps that a user runs once, in order, by index into those of the scenario.
    pub start: Range<u16>,
    /// Its tasks among those of the scenario.
    pub tasks: Range<usize>,
    /// The steps that a user runs before it leaves, in order.
    pub stop: Range<u16>,
    /// The wait between two tasks.
    pub wait: Wait,
    /// Its metrics among those of the scenario.
    pub metrics: Range<u16>,
}
