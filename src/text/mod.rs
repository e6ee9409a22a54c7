//! How values are written for people and read from them: one way for each kind.
//!
//! Reading order: [`units`] (counts, times, bytes), [`duration`] (times as people type them), [`printable`] (text of others),
//! [`suggest`] ("did you mean").

pub mod duration;
pub mod printable;
pub mod suggest;
pub mod units;
