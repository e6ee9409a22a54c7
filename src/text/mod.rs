//! How values are written for people and read from them: one way for each kind.
//!
//! | kind | written by |
//! |---|---|
//! | count | [`units::grouped`], with its noun [`units::counted`] |
//! | plain number | [`units::three_digits`] |
//! | rate | [`units::rate`] |
//! | share | [`units::percent`] |
//! | day of a date | [`calendar::days_since_1970`] |
//! | measured time | [`units::time`] |
//! | moment of a run | [`units::moment`] |
//! | size | [`units::bytes`] |
//! | duration that a person typed | [`duration::show`] |
//! | command line | [`shell::line`] |
//! | untrusted text | [`printable`] |
//! | lines of a terminal | `wrap`, by its `columns` |
//! | the nearest known name | [`suggest::did_you_mean`] |

pub mod calendar;
pub(crate) mod columns;
pub mod duration;
pub mod printable;
pub mod shell;
pub mod suggest;
pub mod units;
pub(crate) mod wrap;
