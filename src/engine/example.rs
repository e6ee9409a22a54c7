//! The example that an error is reported with: short, printable, and without secrets. Off the hot path.

use crate::http::body::describe_binary;
use crate::http::response;
use crate::http::response::Invalid;
use crate::metrics::outcome::Failure;
use crate::metrics::recorder::Example;
use crate::scenario::expect::{Reply, Unmet};
use crate::scenario::model::{Scenario, Step};
use crate::scenario::secrets::Secrets;
use crate::text::printable::in_one_line;

use super::connection::Detail;
use super::requests::Phase;

/// Most bytes of a body that are shown.
pub const BYTES: usize = 256;

/// Bytes of a step's answer bodies that are kept: for its checks, and for an example.
pub fn body_bytes_of(step: &Step) -> usize {
    step.keep.body_bytes.max(BYTES)
}

/// The most bytes that a step of the scenario keeps.
pub fn body_bytes_max(scenario: &Scenario) -> usize {
    let steps = scenario.steps.iter();
    steps.map(body_bytes_of).max().unwrap_or(BYTES)
}

/// The example of an answer that counts as a failure: its status, the reason, then the first [`BYTES`] of its body.
/// `body_bytes` is the length of the whole body; `unmet` the expectation that failed.
pub fn of_reply(
    status: u16,
    unmet: Option<&Unmet<'_>>,
    reply: Reply<'_>,
    body_bytes: u64,
    secrets: &Secrets,
) -> Example {
    let shown = &reply.body[..reply.body.len().min(BYTES)];
    let encoding = response::field(reply.head, "content-encoding");
    let body = describe_binary(shown, body_bytes, encoding.as_deref()).unwrap_or_else(|| {
        let text = String::from_utf8_lossy(shown);
        match shown.len() < BYTES {
            true => secrets.mask(text.trim()),
            false => secrets.mask_cut(text.trim()),
        }
    });
    let reason = unmet.map(|unmet| in_one_line(&unmet.describe(secrets)));
    let text = match (&reason, in_one_line(&body)) {
        (None, body) if body.is_empty() => format!("{status} with an empty body"),
        (None, body) => format!("{status} {body}"),
        (Some(reason), body) if body.is_empty() => format!("{status} {reason}: the body is empty"),
        (Some(reason), body) => format!("{status} {reason}: {body}"),
    };
    Example { reason, text }
}

/// The example of a request that was open when the load ended, and had no answer when the drain ended.
pub fn of_unanswered(phase: Phase, open_ns: u64) -> String {
    let open_s = open_ns as f64 / 1e9;
    let state = match phase {
        Phase::Waiting => "it still waited for a connection",
        Phase::Again => "it was about to be sent again",
        Phase::Submitted | Phase::Resubmitted => "it had been sent",
    };
    format!("no answer after {open_s:.1} s, when the wait for open requests was over; {state}")
}

/// The example of a request that got no answer.
pub fn of_detail(failure: Failure, detail: Detail, secrets: &Secrets) -> String {
    match detail {
        Detail::None if failure == Failure::TaskTimeout => {
            "the time limit of its task passed before it was sent".into()
        }
        Detail::None if failure == Failure::NoRow => {
            "no row of a CSV file was left for it, and it was not sent".into()
        }
        Detail::None => failure.name().replace('-', " "),
        Detail::Errno(errno) => std::io::Error::from_raw_os_error(errno).to_string(),
        Detail::Tls(reason) => reason.to_string(),
        // The shown bytes may be cut within a secret.
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
