//! Bytes -> requests. Every input is checked and bounded.

use httparse::Status;

const FIELDS_MAX: usize = 64;
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Longest body, in bytes.
pub(super) const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A complete request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request<'b> {
    pub method: &'b str,
    pub path: &'b str,
    pub authorization: Option<&'b [u8]>,
    pub body: Body<'b>,
    pub keep_alive: bool,
}

/// The body of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body<'b> {
    /// Borrowed from the read buffer.
    InPlace(&'b [u8]),
    /// Joined from chunks.
    Joined(Vec<u8>),
}

impl Body<'_> {
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::InPlace(bytes) => bytes,
            Self::Joined(bytes) => bytes,
        }
    }
}

/// What is at the start of a buffer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read<'b> {
    /// An incomplete request; the client may be waiting for a `100 Continue`.
    Partial { expects_continue: bool },
    /// A request, and its length in bytes.
    Whole(Request<'b>, usize),
    /// No request. It is answered with this status, and the bytes after it are not read.
    Bad(u16),
}

/// Reads the first request of a buffer.
pub(super) fn read(bytes: &[u8]) -> Read<'_> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut head = httparse::Request::new(&mut fields);
    let body_at = match head.parse(bytes) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if bytes.len() <= HEAD_BYTES_MAX => {
            return Read::Partial {
                expects_continue: false,
            };
        }
        Ok(Status::Partial) | Err(_) => return Read::Bad(400),
    };
    let (Some(method), Some(path)) = (head.method, head.path) else {
        return Read::Bad(400);
    };
    let mut length = 0;
    let mut chunked = false;
    let mut expects_continue = false;
    let mut authorization = None;
    let mut keep_alive = head.version == Some(1);
    for field in head.headers.iter() {
        if field.name.eq_ignore_ascii_case("content-length") {
            match std::str::from_utf8(field.value)
                .ok()
                .and_then(|text| text.parse().ok())
            {
                Some(parsed) => length = parsed,
                None => return Read::Bad(400),
            }
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = field.value.eq_ignore_ascii_case(b"chunked");
        } else if field.name.eq_ignore_ascii_case("connection") {
            keep_alive = match field.value {
                value if value.eq_ignore_ascii_case(b"close") => false,
                value if value.eq_ignore_ascii_case(b"keep-alive") => true,
                _ => keep_alive,
            };
        } else if field.name.eq_ignore_ascii_case("authorization") {
            authorization = Some(field.value);
        } else if field.name.eq_ignore_ascii_case("expect") {
            expects_continue = field.value.eq_ignore_ascii_case(b"100-continue");
        }
    }
    if length > BODY_BYTES_MAX {
        return Read::Bad(413);
    }
    let rest = &bytes[body_at..];
    let (body, body_bytes) = match chunked {
        true => match join_chunks(rest) {
            Ok(Some((body, used))) => (Body::Joined(body), used),
            Ok(None) => return Read::Partial { expects_continue },
            Err(status) => return Read::Bad(status),
        },
        false if rest.len() < length => return Read::Partial { expects_continue },
        false => (Body::InPlace(&rest[..length]), length),
    };
    let request = Request {
        method,
        path,
        authorization,
        body,
        keep_alive,
    };
    Read::Whole(request, body_at + body_bytes)
}

/// A chunked body, and its length on the wire in bytes; `None` while it is incomplete; an error is the status of the
/// answer.
fn join_chunks(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, u16> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let (line, size) = match httparse::parse_chunk_size(&bytes[at..]) {
            Ok(Status::Complete((line, size))) => (line, size as usize),
            Ok(Status::Partial) => return Ok(None),
            Err(_) => return Err(400),
        };
        at += line;
        if body.len() + size > BODY_BYTES_MAX {
            return Err(413);
        }
        let Some(data) = bytes.get(at..at + size + 2) else {
            return Ok(None);
        };
        if !data.ends_with(b"\r\n") {
            return Err(400);
        }
        at += data.len();
        body.extend_from_slice(&data[..size]);
        if size == 0 {
            return Ok(Some((body, at)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks that every proper prefix is partial, and the whole has this method, path and body.
    fn check(text: &str, method: &str, path: &str, body: &str) {
        for end in 0..text.len() {
            let read = read(&text.as_bytes()[..end]);
            assert!(matches!(read, Read::Partial { .. }), "{end}: {read:?}");
        }
        let more = format!("{text}GET /next");
        let Read::Whole(request, used) = read(more.as_bytes()) else {
            panic!("{text} is complete");
        };
        assert_eq!((request.method, request.path), (method, path));
        assert_eq!(request.body.bytes(), body.as_bytes());
        assert_eq!(used, text.len());
    }

    #[test]
    fn a_request_is_partial_at_every_prefix_and_complete_at_its_end() {
        check(
            "GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET",
            "/health",
            "",
        );
        let sized = "POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
        check(sized, "POST", "/a", "abc");
        let chunked = "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        check(chunked, "POST", "/a", "abc");
    }

    #[test]
    fn bytes_that_are_no_request_are_refused() {
        assert_eq!(read(b"\x16\x03\x01 nonsense\r\n\r\n"), Read::Bad(400));
        let huge = b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n";
        assert_eq!(read(huge), Read::Bad(413));
        let minus = b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n";
        assert_eq!(read(minus), Read::Bad(400));
        let waits = b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
        let expects_continue = true;
        assert_eq!(read(waits), Read::Partial { expects_continue });
    }
}
