//! The one example that an error is reported with: short, printable, and without secrets. Off the hot path.

use crate::http::response::{self, Invalid};
use crate::metrics::outcome::Failure;
use crate::plan::expect::Unmet;
use crate::plan::place::in_one_line;
use crate::plan::secrets::Secrets;

use super::connection::Detail;
use super::requests::Phase;

/// Bytes of a body that are shown.
pub const BYTES: usize = 256;

/// What the server said along with an unexpected status, or instead of the expected content.
pub fn of_reply(status: u16, unmet: Option<&Unmet<'_>>, body: &[u8], secrets: &Secrets) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(BYTES)]);
    let text = match body.len() < BYTES {
        true => secrets.mask(text.trim()),
        false => secrets.mask_cut(text.trim()),
    };
    let lack = unmet.map_or_else(String::new, |unmet| format!(" {}:", unmet.said(secrets)));
    if text.is_empty() {
        return match unmet {
            None => format!("{status} with an empty body"),
            Some(_) => format!("{status}{lack} the body is empty"),
        };
    }
    let escaped = in_one_line(&text);
    format!("{status}{lack} {escaped}")
}

/// What is known of a request that was open when the load ended, and had no answer when the drain did.
pub fn of_unanswered(phase: Phase, drain_ns: u64) -> String {
    let drain_s = drain_ns as f64 / 1e9;
    let stood = match phase {
        Phase::Waiting => "it still waited for a connection",
        Phase::Again => "it was to be sent again",
        Phase::Submitted | Phase::Resubmitted => "it had been sent",
    };
    format!("no answer {drain_s:.1} s after the load had ended; {stood}")
}

/// What is known of a request that got no answer.
pub fn of_detail(failure: Failure, detail: Detail, secrets: &Secrets) -> String {
    match detail {
        Detail::None => failure.name().replace('-', " "),
        Detail::Errno(errno) => std::io::Error::from_raw_os_error(errno).to_string(),
        // Its first bytes are shown, and they may be cut within a secret.
        Detail::Invalid(Invalid::NotHttp(shown_bytes, count)) => {
            let shown = String::from_utf8_lossy(&shown_bytes[..usize::from(count)]);
            match secrets.mask_cut(&shown) {
                masked if masked.contains("***") => {
                    format!("not HTTP/1: \"{}\"", masked.escape_debug())
                }
                _ => Invalid::NotHttp(shown_bytes, count).to_string(),
            }
        }
        Detail::Invalid(invalid) => invalid.to_string(),
        Detail::BackingOff => {
            "earlier attempts to connect had failed, and the next was not due within the time limit"
                .into()
        }
        Detail::Behind => "its connection ended with another request on it".into(),
        Detail::Phase(response::Phase::BeforeHead) => "no byte of an answer had come".into(),
        Detail::Phase(response::Phase::InHead) => "the head of the answer had begun".into(),
        Detail::Phase(response::Phase::InBody) => "the body of the answer had begun".into(),
    }
}
