//! HTTP/1.1 as bytes, pure: [`request`] renders what goes out, [`response`] decodes what comes back
//! (with `head` for the fields that decide its framing, `chunked` for the one framing that needs a machine, and
//! [`buffers`] for what is kept of it); [`body`] tells text from what no screen shows.

pub mod body;
pub mod buffers;
mod chunked;
mod head;
pub mod request;
pub mod response;
