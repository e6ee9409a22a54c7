//! The one example that an error is reported with: short, printable, and without secrets. Off the hot path.

use crate::http::response::Phase;
use crate::metrics::outcome::Failure;
use crate::plan::scenario::Secrets;

use super::connection::Detail;

/// What the server said along with an unexpected status, or instead of the expected content.
pub fn of_body(status: u16, body: &[u8], secrets: &Secrets) -> String {
    let text = String::from_utf8_lossy(body);
    let text = secrets.mask(text.trim());
    if text.is_empty() {
        return format!("{status} with an empty body");
    }
    let escaped: String = text.chars().flat_map(visible).collect();
    format!("{status} {escaped}")
}

/// What is known of a request that got no answer.
pub fn of_detail(failure: Failure, detail: Detail) -> String {
    match detail {
        Detail::None => failure.name().replace('-', " "),
        Detail::Errno(errno) => std::io::Error::from_raw_os_error(errno).to_string(),
        Detail::Invalid(invalid) => invalid.to_string(),
        Detail::Phase(Phase::BeforeHead) => "no byte of an answer had come".into(),
        Detail::Phase(Phase::InHead) => "the head of the answer had begun".into(),
        Detail::Phase(Phase::InBody) => "the body of the answer had begun".into(),
    }
}

fn visible(character: char) -> impl Iterator<Item = char> {
    let control = character.is_control();
    let escaped = control.then(|| character.escape_default());
    let plain = (!control).then_some(character);
    escaped.into_iter().flatten().chain(plain)
}
