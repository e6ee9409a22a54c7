//! HTTP/1.1 as bytes: values in, values out.
//!
//! Reading order:
//! - [`request`] renders a request from a template, with `values` (what fills its holes), `encoding` (how a value is
//!   written) and `secret_fields` (which fields carry secrets).
//! - [`response`] decodes an answer, with `head` (status, framing, keep-alive), `recent_heads` (heads that came before),
//!   `chunked` (the one framing that needs a state machine), [`buffers`] (memory for what is kept of an answer) and
//!   `invalid` (why bytes are no answer).
//! - [`decoding`] decodes a body for checks, by its [`coding`] (with `codings`: brotli and zstd, in builds that have them).
//! - [`cookies`] keeps a user's cookies, with `cookie_date` (when they expire).
//! - [`body`] tells text from binary data, for messages.

pub mod body;
pub mod buffers;
mod chunked;
pub mod coding;
#[cfg(feature = "codings")]
mod codings;
pub mod cookie_date;
pub mod cookies;
pub mod decoding;
mod encoding;
mod head;
mod invalid;
mod recent_heads;
pub mod request;
pub mod response;
mod secret_fields;
mod values;
