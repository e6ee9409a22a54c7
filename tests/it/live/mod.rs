//! What shows a run while it lasts.

mod web;
