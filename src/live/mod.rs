//! The run while it lasts, for people.

pub mod line;
pub mod page;
pub mod screen;
