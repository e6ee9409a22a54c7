//! Load models: when each request is due.

mod open;
mod orders;
