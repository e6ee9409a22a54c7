//! Finds the requests in the bytes of a connection, and their kinds, at next to no cost. Pure.
//!
//! 1. A load generator sends the same shape again and again: the same number of bytes, a head that ends at the same place
//!    with the same lines, a path with the same end.
//! 2. So the shape of the last parsed request is tried first: three comparisons of a few bytes.
//! 3. Only a request of another shape is searched for its blank line and its content-length.
//! 4. An incomplete request waits in the connection's [`Partial`].

/// The kind of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any other request.
    Plain,
    /// Ops-Core: an agent registers.
    Register,
    /// Ops-Core: an agent's state is read.
    ReadState,
    /// Ops-Core: a workflow is started.
    Workflow,
    /// The number of requests answered so far is asked for; this one is not counted.
    Count,
}

/// An incomplete request.
#[derive(Debug, Default)]
pub struct Partial {
    /// The bytes of its head, while that is incomplete.
    head: Vec<u8>,
    /// Number of bytes of its body that have yet to come, and its kind.
    body: Option<(usize, Kind)>,
}

/// Finds requests, and remembers the shape of the last one.
#[derive(Debug, Default)]
pub struct Finder {
    shape: Option<Shape>,
}

/// Bytes at the end of the first line that are compared: `/workflow HTTP/1.1` fits, a user's id does not.
const PATH_END_BYTES: usize = 18;

#[derive(Debug)]
struct Shape {
    kind: Kind,
    request_bytes: usize,
    method: [u8; 4],
    /// End of the first line, which ends in `path_end`.
    line_bytes: usize,
    path_end: [u8; PATH_END_BYTES],
    /// End of the head, which ends in `head_end`: from its content-length on.
    head_bytes: usize,
    head_end: Vec<u8>,
}

struct Head {
    head_bytes: usize,
    body_bytes: usize,
    kind: Kind,
}

impl Finder {
    /// Calls `on_request` for each request that ends in `bytes`, in their order.
    pub fn find(&mut self, partial: &mut Partial, bytes: &[u8], on_request: &mut impl FnMut(Kind)) {
        let mut rest = bytes;
        if let Some((left, kind)) = partial.body {
            if rest.len() < left {
                partial.body = Some((left - rest.len(), kind));
                return;
            }
            partial.body = None;
            on_request(kind);
            rest = &rest[left..];
        }
        if !partial.head.is_empty() {
            let mut joined = std::mem::take(&mut partial.head);
            joined.extend_from_slice(rest);
            self.find(partial, &joined, on_request);
            return;
        }
        while !rest.is_empty() {
            if let Some(shape) = self.shape.as_ref().filter(|shape| shape.fits(rest)) {
                on_request(shape.kind);
                rest = &rest[shape.request_bytes..];
                continue;
            }
            let Some(head) = read_head(rest) else {
                partial.head.extend_from_slice(rest);
                return;
            };
            let request_bytes = head.head_bytes + head.body_bytes;
            if rest.len() < request_bytes {
                partial.body = Some((request_bytes - rest.len(), head.kind));
                return;
            }
            on_request(head.kind);
            self.shape = Shape::of(&rest[..request_bytes], &head);
            rest = &rest[request_bytes..];
        }
    }
}

impl Shape {
    fn of(request: &[u8], head: &Head) -> Option<Self> {
        let line_bytes = request.windows(2).position(|two| two == b"\r\n")?;
        let fields = &request[..head.head_bytes];
        // Without a content-length, only the blank line at the end of the head is compared.
        let end_from = content_length_at(fields).unwrap_or(head.head_bytes - 4);
        Some(Self {
            kind: head.kind,
            request_bytes: request.len(),
            method: request[..4].try_into().ok()?,
            line_bytes,
            path_end: request[..line_bytes].last_chunk().copied()?,
            head_bytes: head.head_bytes,
            head_end: fields[end_from..].to_vec(),
        })
    }

    fn fits(&self, bytes: &[u8]) -> bool {
        bytes.len() >= self.request_bytes
            && bytes[..4] == self.method
            && bytes[..self.line_bytes].ends_with(&self.path_end)
            && bytes[..self.head_bytes].ends_with(&self.head_end)
    }
}

fn read_head(bytes: &[u8]) -> Option<Head> {
    let head_bytes = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = &bytes[..head_bytes];
    let digits = content_length_at(head).map_or(&b""[..], |at| &head[at + CONTENT_LENGTH.len()..]);
    let body_bytes = digits
        .iter()
        .skip_while(|&&byte| byte == b' ')
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |sum, digit| 10 * sum + usize::from(digit - b'0'));
    let kind = kind_of(head);
    Some(Head {
        head_bytes,
        body_bytes,
        kind,
    })
}

const CONTENT_LENGTH: &[u8] = b"\r\ncontent-length:";

fn content_length_at(head: &[u8]) -> Option<usize> {
    head.windows(CONTENT_LENGTH.len())
        .position(|window| window.eq_ignore_ascii_case(CONTENT_LENGTH))
}

fn kind_of(head: &[u8]) -> Kind {
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|&byte| byte == b' ');
    let method = words.next().unwrap_or_default();
    let path = words.next().unwrap_or_default();
    match method {
        b"POST" if path.ends_with(b"/agent/notify") => Kind::Register,
        b"POST" if path.ends_with(b"/workflow") => Kind::Workflow,
        b"GET" if path.ends_with(b"/state") => Kind::ReadState,
        b"GET" if path == b"/answered" => Kind::Count,
        _ => Kind::Plain,
    }
}
