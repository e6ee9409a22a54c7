//! The head of an answer -> status, framing, and whether the connection may be used again.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use httparse::{Header, ParserConfig, Response, Status};

use super::coding::Coding;
use super::invalid::Invalid;

/// Longest head accepted: status line, all fields and the empty line.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Most fields accepted in a head.
const FIELDS_MAX: usize = 256;

/// What the decoder has to know of the request (RFC 9110 section 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expecting {
    /// An answer with its body.
    #[default]
    Body,
    /// The answer to HEAD: no body, whatever its fields say.
    Head,
    /// The answer to CONNECT: no body when it is 2xx.
    Connect,
}

/// What ends a body (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
    #[default]
    UntilClose,
}

/// A complete head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub status: u16,
    pub framing: Framing,
    /// Whether the connection may carry another request (RFC 9112 section 9.3).
    pub keep_alive: bool,
    pub coding: Coding,
    /// Length of the head in bytes, the empty line included.
    pub bytes: usize,
}

/// The fields that decide framing, keep-alive and coding.
#[derive(Default)]
struct Fields {
    /// Value of `Content-Length`, and how many digits it was written in.
    length: Option<(u64, usize)>,
    transfer_encoding: bool,
    chunked_last: bool,
    close: bool,
    keep_alive: bool,
    coding: Coding,
}

/// Reads the head at the start of `bytes`. `None` while it is incomplete.
pub(super) fn parse(bytes: &[u8], expecting: Expecting) -> Result<Option<Head>, Invalid> {
    let mut storage = [const { MaybeUninit::<Header<'_>>::uninit() }; FIELDS_MAX];
    let mut response = Response::new(&mut []);
    let parsed = parser().parse_response_with_uninit_headers(&mut response, bytes, &mut storage);
    let length = match parsed {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if bytes.len() > HEAD_BYTES_MAX => return Err(Invalid::HeadTooLong),
        Ok(Status::Partial) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if length > HEAD_BYTES_MAX {
        return Err(Invalid::HeadTooLong);
    }
    let status = response.code.unwrap_or_default();
    // HTTP defines no class from 600 on, but such a status is an answer all the same (RFC 9110 section 15).
    if !(100..=999).contains(&status) {
        return Err(Invalid::Status);
    }
    let mut fields = Fields::default();
    for header in response.headers.iter() {
        fields.read(header)?;
    }
    let is_http_1_1 = response.version == Some(1);
    let is_tunnel = expecting == Expecting::Connect && matches!(status, 200..=299);
    let is_bodiless =
        is_tunnel || expecting == Expecting::Head || matches!(status, 100..=199 | 204 | 304);
    let framing = match fields.length {
        _ if is_bodiless => Framing::Length(0),
        _ if fields.chunked_last => Framing::Chunked,
        _ if fields.transfer_encoding => Framing::UntilClose,
        Some((length, _)) => Framing::Length(length),
        None => Framing::UntilClose,
    };
    // Both framings at once are a way to smuggle responses (RFC 9112 section 6.3, rule 3), and so is a transfer coding
    // from a server that claims HTTP/1.0 (section 6.1). The bytes after such an answer cannot be trusted.
    let is_suspicious = fields.transfer_encoding && (fields.length.is_some() || !is_http_1_1);
    let is_offered = !fields.close && (is_http_1_1 || fields.keep_alive);
    let keep_alive = is_offered && !is_suspicious && !is_tunnel && framing != Framing::UntilClose;
    Ok(Some(Head {
        status,
        framing,
        keep_alive,
        coding: fields.coding,
        bytes: length,
    }))
}

fn parser() -> ParserConfig {
    let mut config = ParserConfig::default();
    // A client replaces a fold by a space and does not refuse it (RFC 9112 section 5.2).
    config.allow_obsolete_multiline_headers_in_responses(true);
    config
}

/// The value of the first field with this name in a complete head, without blanks around it. The lines of a folded
/// value are joined by a space (RFC 9112 section 5.2).
pub fn field<'h>(head: &'h [u8], name: &str) -> Option<Cow<'h, [u8]>> {
    let mut storage = [const { MaybeUninit::<Header<'_>>::uninit() }; FIELDS_MAX];
    let mut response = Response::new(&mut []);
    let parsed = parser().parse_response_with_uninit_headers(&mut response, head, &mut storage);
    parsed.ok()?;
    let named = |header: &&Header<'_>| header.name.eq_ignore_ascii_case(name);
    let found = response.headers.iter().find(named)?;
    let value = found.value.trim_ascii();
    if !value.contains(&b'\n') {
        return Some(Cow::Borrowed(value));
    }
    let lines: Vec<&[u8]> = value
        .split(|&byte| byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .collect();
    Some(Cow::Owned(lines.join(&b' ')))
}

/// The values of all fields with this name in a complete head, in order, without blanks around them. A folded value is left
/// out.
pub fn each_field<'h>(head: &'h [u8], name: &str, mut each: impl FnMut(&'h [u8])) {
    let mut storage = [const { MaybeUninit::<Header<'_>>::uninit() }; FIELDS_MAX];
    let mut response = Response::new(&mut []);
    let parsed = parser().parse_response_with_uninit_headers(&mut response, head, &mut storage);
    if parsed.is_err() {
        return;
    }
    let named = |header: &&Header<'_>| header.name.eq_ignore_ascii_case(name);
    for header in response.headers.iter().filter(named) {
        if !header.value.contains(&b'\n') {
            each(header.value.trim_ascii());
        }
    }
}

impl Fields {
    fn read(&mut self, header: &Header<'_>) -> Result<(), Invalid> {
        let (name, value) = (header.name, header.value);
        // The length is compared first: few names have one of these lengths, so few are compared byte by byte.
        match name.len() {
            14 if name.eq_ignore_ascii_case("content-length") => self.read_length(value)?,
            17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                self.transfer_encoding = true;
                let last = tokens(value).last().unwrap_or_default();
                self.chunked_last = last.eq_ignore_ascii_case(b"chunked");
            }
            16 if name.eq_ignore_ascii_case("content-encoding") => {
                self.coding = self.coding.and(value);
            }
            10 if name.eq_ignore_ascii_case("connection") => {
                for token in tokens(value) {
                    self.close |= token.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// One number, or the same number several times in the same digits (RFC 9110 section 8.6).
    fn read_length(&mut self, value: &[u8]) -> Result<(), Invalid> {
        for token in value.split(|&byte| byte == b',') {
            let digits = token.trim_ascii();
            let length = (number(digits).ok_or(Invalid::ContentLength)?, digits.len());
            if self.length.is_some_and(|before| before != length) {
                return Err(Invalid::ContentLengthConflict);
            }
            self.length = Some(length);
        }
        Ok(())
    }
}

/// The members of a comma-separated list, without empty ones (RFC 9110 section 5.6.1).
fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|&byte| byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|token| !token.is_empty())
}

/// Decimal digits and nothing else.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |sum, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folded_field_is_one_line() {
        let head =
            b"HTTP/1.1 200 OK\r\nA: b\r\nX-Id:  one\r\n  two\r\n\t three \r\nB: \r\n c\r\n\r\n";
        let found =
            |name| field(head, name).map(|value| String::from_utf8_lossy(&value).into_owned());
        assert_eq!(found("x-id").as_deref(), Some("one two three"));
        assert_eq!(found("A").as_deref(), Some("b"));
        assert_eq!(found("B").as_deref(), Some("c"));
        assert_eq!(found("C"), None);
    }
}
