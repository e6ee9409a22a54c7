//! The response decoder: bytes as they come -> Partial | Complete | Invalid, the same for every split of them.
//!
//! 1. While the head is incomplete its bytes are carried over; a head that comes in one piece is never copied.
//! 2. The head decides the framing (RFC 9112 section 6.3); interim answers (1xx) are counted and passed over.
//! 3. The body is counted and dropped, but for a prefix that the caller asked to keep.

use std::borrow::Cow;
use std::fmt;

use super::buffers::Buffers;
use super::chunked::Chunked;
use super::head;
use super::head::Framing;
pub use super::head::HEAD_BYTES_MAX;

/// Every answer begins with these bytes; the first that differs ends it.
const PREFACE: &[u8] = b"HTTP/1.";
/// Bytes shown of what is not HTTP.
const SHOWN_BYTES: usize = 16;

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

/// What the bytes so far amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// More is to come.
    Partial,
    /// The final answer is complete.
    Complete(Answer),
    /// It is no answer that HTTP/1.1 allows.
    Invalid(Invalid),
}

/// A complete final answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status code, 200 to 999.
    pub status: u16,
    /// Length of the body in bytes, without framing.
    pub body_bytes: u64,
    /// Whether the connection may carry another request (RFC 9112 section 9.3).
    pub keep_alive: bool,
    /// Interim answers (1xx) that came before it.
    pub interim: u32,
    /// How many bytes of the last slice belong to it. What is left was not asked for.
    pub consumed: usize,
}

/// How far an answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No byte of it has come.
    BeforeHead,
    /// Its head is incomplete.
    InHead,
    /// Its body is incomplete.
    InBody,
}

/// Why bytes are no valid answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// It does not begin like HTTP/1: its first bytes, and how many.
    NotHttp([u8; SHOWN_BYTES], u8),
    /// Version or status line.
    StatusLine,
    /// Not a status from 100 to 999.
    Status,
    /// A field's name.
    FieldName,
    /// A field's value.
    FieldValue,
    /// A line's end.
    LineEnd,
    /// More than 256 fields.
    TooManyFields,
    /// More than 64 KiB of head.
    HeadTooLong,
    /// `Content-Length` is not a number.
    ContentLength,
    /// Several `Content-Length` that differ.
    ContentLengthConflict,
    /// 101 without having been asked for an upgrade.
    UpgradeUnasked,
    /// A chunk's size.
    ChunkSize,
    /// A chunk's size does not fit 64 bits.
    ChunkTooLarge,
    /// A chunk's extension.
    ChunkExtension,
    /// A chunk's size line does not end in CR LF.
    ChunkLineEnd,
    /// A chunk's data is longer than its size.
    ChunkDataEnd,
    /// A trailer field.
    Trailer,
}

/// What is kept of an answer, to be looked at when it is complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Its head.
    pub head: bool,
    /// So much of its body.
    pub body_bytes: usize,
}

impl Keep {
    /// The first bytes of the body alone.
    pub fn body(bytes: usize) -> Self {
        Self {
            head: false,
            body_bytes: bytes,
        }
    }
}

/// The value of the first field of this name in a head that [`Decoder::head`] gave, in one line, without the blanks
/// around it.
pub fn field<'h>(head: &'h [u8], name: &str) -> Option<Cow<'h, [u8]>> {
    head::field(head, name)
}

/// Decodes the answers of one connection, one after the other.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    expecting: Expecting,
    status: u16,
    keep_alive: bool,
    interim: u32,
    body_bytes: u64,
    keep: Keep,
    head: Vec<u8>,
    body: Vec<u8>,
    /// The part of a head that earlier slices brought.
    carry: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Length(u64),
    UntilClose,
    Chunked(Chunked),
    Over,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder before its first answer.
    pub fn new() -> Self {
        Self {
            state: State::Over,
            expecting: Expecting::Body,
            status: 0,
            keep_alive: false,
            interim: 0,
            body_bytes: 0,
            keep: Keep::default(),
            head: Vec::new(),
            body: Vec::new(),
            carry: Vec::new(),
        }
    }

    /// A request has been sent: its answer is next. What was kept of the one before is dropped.
    pub fn start(&mut self, expecting: Expecting, keep: Keep) {
        self.state = State::Head;
        self.expecting = expecting;
        self.interim = 0;
        self.body_bytes = 0;
        self.keep = keep;
        self.head.clear();
        self.body.clear();
        self.carry.clear();
    }

    /// Bytes have come; what is kept of them goes into `buffers`. After `Complete` or `Invalid`, [`Decoder::start`] is
    /// next.
    pub fn on_bytes(&mut self, bytes: &[u8], buffers: &mut Buffers) -> Decoded {
        let mut consumed = 0;
        match self.advance(bytes, &mut consumed, buffers) {
            Err(invalid) => {
                self.state = State::Over;
                Decoded::Invalid(invalid)
            }
            Ok(()) if self.state == State::Over => Decoded::Complete(self.answer(consumed)),
            Ok(()) => Decoded::Partial,
        }
    }

    /// The peer has closed: the end of a body that only this ends, else `Partial`, which stays so.
    pub fn on_close(&mut self) -> Decoded {
        match self.state {
            State::UntilClose => {
                self.state = State::Over;
                Decoded::Complete(self.answer(0))
            }
            // A head is looked at line by line; its last line may have had no end.
            State::Head if !self.carry.is_empty() => match head::parse(&self.carry, self.expecting)
            {
                Err(invalid) => Decoded::Invalid(invalid),
                Ok(_) => Decoded::Partial,
            },
            _ => Decoded::Partial,
        }
    }

    /// Gives back the buffers that hold what was kept.
    pub fn give_back(&mut self, buffers: &mut Buffers) {
        for kept in [&mut self.head, &mut self.body, &mut self.carry] {
            buffers.take_back(kept);
        }
    }

    /// The kept head of the final answer.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// The kept prefix of the body, without framing.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// How far the answer has come.
    pub fn phase(&self) -> Phase {
        match self.state {
            State::Head if self.carry.is_empty() && self.interim == 0 => Phase::BeforeHead,
            State::Head => Phase::InHead,
            _ => Phase::InBody,
        }
    }

    /// Interim answers so far.
    pub fn interim(&self) -> u32 {
        self.interim
    }

    fn answer(&self, consumed: usize) -> Answer {
        Answer {
            status: self.status,
            body_bytes: self.body_bytes,
            keep_alive: self.keep_alive,
            interim: self.interim,
            consumed,
        }
    }

    fn advance(
        &mut self,
        bytes: &[u8],
        consumed: &mut usize,
        buffers: &mut Buffers,
    ) -> Result<(), Invalid> {
        while self.state != State::Over {
            let rest = &bytes[*consumed..];
            if self.state == State::Length(0) {
                self.state = State::Over;
                break;
            }
            if rest.is_empty() {
                break;
            }
            *consumed += match self.state {
                State::Head => self.on_head(rest, buffers)?,
                State::Length(left) => {
                    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    self.state = State::Length(left - taken as u64);
                    self.take(&rest[..taken], buffers)
                }
                State::UntilClose => self.take(rest, buffers),
                State::Chunked(mut chunked) => {
                    let step = chunked.step(rest)?;
                    self.state = match chunked.is_over() {
                        true => State::Over,
                        false => State::Chunked(chunked),
                    };
                    if step.is_data {
                        self.take(&rest[..step.consumed], buffers);
                    }
                    step.consumed
                }
                State::Over => 0,
            };
        }
        Ok(())
    }

    fn take(&mut self, data: &[u8], buffers: &mut Buffers) -> usize {
        self.body_bytes += data.len() as u64;
        let room = self.keep.body_bytes.saturating_sub(self.body.len());
        if room > 0 {
            buffers.lend(&mut self.body);
            self.body.extend_from_slice(&data[..data.len().min(room)]);
        }
        data.len()
    }

    /// Takes bytes of a head; returns how many.
    fn on_head(&mut self, bytes: &[u8], buffers: &mut Buffers) -> Result<usize, Invalid> {
        if self.carry.is_empty() {
            check_preface(bytes)?;
            return match head::parse(bytes, self.expecting)? {
                Some(head) => {
                    if self.keep.head {
                        buffers.lend(&mut self.head);
                        keep(&bytes[..head.bytes], &mut self.head);
                    }
                    self.on_whole_head(&head).map(|()| head.bytes)
                }
                None => {
                    buffers.lend(&mut self.carry);
                    self.carry_over(bytes)
                }
            };
        }
        let before = self.carry.len();
        self.carry_over(bytes)?;
        check_preface(&self.carry)?;
        // Looked at once per line, so that a head that comes in single bytes costs lines times length, not its square.
        if !bytes.contains(&b'\n') {
            return Ok(bytes.len());
        }
        match head::parse(&self.carry, self.expecting)? {
            Some(head) => {
                if self.keep.head {
                    buffers.lend(&mut self.head);
                    keep(&self.carry[..head.bytes], &mut self.head);
                }
                self.on_whole_head(&head)?;
                buffers.take_back(&mut self.carry);
                Ok(head.bytes - before)
            }
            None => Ok(bytes.len()),
        }
    }

    fn carry_over(&mut self, bytes: &[u8]) -> Result<usize, Invalid> {
        self.carry.extend_from_slice(bytes);
        // A slice may hold the rest of the head and much of the body: only a head that is still open is too long.
        let open =
            self.carry.len() > HEAD_BYTES_MAX && self.carry.len() - bytes.len() > HEAD_BYTES_MAX;
        match open {
            true => Err(Invalid::HeadTooLong),
            false => Ok(bytes.len()),
        }
    }

    fn on_whole_head(&mut self, head: &head::Head) -> Result<(), Invalid> {
        match head.status {
            101 => return Err(Invalid::UpgradeUnasked),
            100..=199 => {
                self.interim = self.interim.saturating_add(1);
                return Ok(());
            }
            _ => {}
        }
        self.status = head.status;
        self.keep_alive = head.keep_alive;
        self.state = match head.framing {
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Chunked(Chunked::START),
            Framing::UntilClose => State::UntilClose,
        };
        Ok(())
    }
}

/// Replaces an interim answer's head, if one was kept.
fn keep(head: &[u8], kept: &mut Vec<u8>) {
    kept.clear();
    kept.extend_from_slice(head);
}

/// Refuses at the first byte what cannot become `HTTP/1.`: a TLS record, an SSH banner, an HTTP/2 frame.
fn check_preface(bytes: &[u8]) -> Result<(), Invalid> {
    let length = bytes.len().min(PREFACE.len());
    if bytes[..length] == PREFACE[..length] {
        return Ok(());
    }
    let mut shown = [0; SHOWN_BYTES];
    let count = bytes.len().min(SHOWN_BYTES);
    shown[..count].copy_from_slice(&bytes[..count]);
    Err(Invalid::NotHttp(shown, count as u8))
}

impl Invalid {
    pub(super) fn of(error: httparse::Error) -> Self {
        match error {
            httparse::Error::HeaderName => Self::FieldName,
            httparse::Error::HeaderValue | httparse::Error::Token => Self::FieldValue,
            httparse::Error::NewLine => Self::LineEnd,
            httparse::Error::Status => Self::Status,
            httparse::Error::TooManyHeaders => Self::TooManyFields,
            httparse::Error::Version => Self::StatusLine,
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::NotHttp(shown, count) => {
                let shown = &shown[..usize::from(*count)];
                let like = match shown {
                    [0x14..=0x17, 3, ..] => " (a TLS record: is this an https port?)",
                    [b'S', b'S', b'H', b'-', ..] => " (an SSH banner)",
                    [0, 0, _, 4, ..] => " (an HTTP/2 frame)",
                    _ => "",
                };
                return write!(f, "not HTTP/1: \"{}\"{like}", shown.escape_ascii());
            }
            Self::StatusLine => "the status line has no version HTTP/1.0 or HTTP/1.1",
            Self::Status => "the status is not a number from 100 to 999",
            Self::FieldName => "a field's name has a character that none may have",
            Self::FieldValue => "a field's value has a character that none may have",
            Self::LineEnd => "a line of the head does not end in CR LF",
            Self::TooManyFields => "the head has more than 256 fields",
            Self::HeadTooLong => "the head is longer than 64 KiB",
            Self::ContentLength => "Content-Length is not a number",
            Self::ContentLengthConflict => "several Content-Length fields contradict each other",
            Self::UpgradeUnasked => "101 Switching Protocols, though no upgrade was asked for",
            Self::ChunkSize => "a chunk's size is not hexadecimal",
            Self::ChunkTooLarge => "a chunk's size does not fit 64 bits",
            Self::ChunkExtension => "a chunk's extension is malformed or endless",
            Self::ChunkLineEnd => "a chunk's size line does not end in CR LF",
            Self::ChunkDataEnd => "a chunk is longer than its size says",
            Self::Trailer => "the trailer section is malformed or endless",
        };
        f.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes bytes that come in pieces, followed by the end of the stream.
    fn decode(pieces: &[&[u8]], expecting: Expecting) -> (Decoded, Vec<u8>) {
        let mut decoder = Decoder::new();
        decoder.start(expecting, Keep::body(64));
        let mut decoded = Decoded::Partial;
        for piece in pieces {
            decoded = decoder.on_bytes(piece, &mut Buffers::default());
            if decoded != Decoded::Partial {
                return (decoded, decoder.body().to_vec());
            }
        }
        if decoded == Decoded::Partial {
            decoded = decoder.on_close();
        }
        (decoded, decoder.body().to_vec())
    }

    /// Status, kept body, whether the connection may be used again; or what the reason begins with.
    type Expected<'e> = Result<(u16, &'e str, bool), &'e str>;

    fn check_for(expecting: Expecting, text: &str, expected: Expected<'_>) {
        let bytes = text.as_bytes();
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        let mut splits: Vec<Vec<&[u8]>> = (0..=bytes.len())
            .map(|at| vec![&bytes[..at], &bytes[at..]])
            .collect();
        splits.push(single);
        for split in splits {
            let (decoded, body) = decode(&split, expecting);
            match (decoded, expected) {
                (Decoded::Complete(answer), Ok((status, kept, reusable))) => {
                    assert_eq!(answer.status, status, "{text:?}");
                    assert_eq!(String::from_utf8_lossy(&body), kept, "{text:?}");
                    assert_eq!(answer.keep_alive, reusable, "{text:?}");
                }
                (Decoded::Invalid(invalid), Err(reason)) => {
                    assert!(
                        invalid.to_string().starts_with(reason),
                        "{text:?}: {invalid}"
                    );
                }
                (Decoded::Partial, Err("cut short")) => {}
                _ => panic!("{text:?}: {decoded:?} instead of {expected:?}"),
            }
        }
    }

    fn check(text: &str, expected: Expected<'_>) {
        check_for(Expecting::Body, text, expected);
    }

    #[test]
    fn the_length_field_tells_where_the_body_ends() {
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            Ok((200, "hello", true)),
        );
        check(
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            Ok((200, "", true)),
        );
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
            Ok((200, "ok", true)),
        );
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
            Err("cut short"),
        );
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
            Err("Content-Length is not"),
        );
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            Err("several"),
        );
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            Err("Content-Length"),
        );
    }

    #[test]
    fn ten_gibibytes_are_counted_and_not_kept() {
        let mut decoder = Decoder::new();
        decoder.start(Expecting::Body, Keep::body(8));
        let length = 10u64 << 30;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        assert_eq!(
            decoder.on_bytes(head.as_bytes(), &mut Buffers::default()),
            Decoded::Partial
        );
        let block = vec![b'x'; 1 << 20];
        let mut decoded = Decoded::Partial;
        for _ in 0..10 << 10 {
            assert_eq!(decoded, Decoded::Partial);
            decoded = decoder.on_bytes(&block, &mut Buffers::default());
        }
        match decoded {
            Decoded::Complete(answer) => assert_eq!(answer.body_bytes, length),
            other => panic!("{other:?}"),
        }
        assert_eq!(decoder.body(), b"xxxxxxxx");
    }

    #[test]
    fn chunks_are_joined_and_their_framing_is_left_out() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let check_body = |body: &str, expected| check(&format!("{head}{body}"), expected);
        check_body("5\r\nhello\r\n0\r\n\r\n", Ok((200, "hello", true)));
        check_body(
            "3;a=\"x;\\\"y\"\r\nhel\r\n02\r\nlo\r\n0\r\nX-Sum: 7\r\n\r\n",
            Ok((200, "hello", true)),
        );
        check_body("5\r\nhello\r\n0\r\n", Err("cut short"));
        check_body("5\r\nhello!\r\n0\r\n\r\n", Err("a chunk is longer"));
        check_body("x\r\n", Err("a chunk's size is not"));
        check_body("\r\n", Err("a chunk's size is not"));
        check_body("11111111111111111\r\n", Err("a chunk's size does not fit"));
        check_body("5\nhello", Err("a chunk's size is not"));
        check_body("0\r\nbad trailer\r\n\r\n", Err("the trailer"));
    }

    #[test]
    fn chunked_wins_over_a_length_but_the_connection_is_not_trusted() {
        let both = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
        check(both, Ok((200, "ok", false)));
        let old = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        check(old, Ok((200, "", false)));
    }

    #[test]
    fn without_framing_the_close_ends_the_body() {
        check(
            "HTTP/1.1 200 OK\r\n\r\nall of it",
            Ok((200, "all of it", false)),
        );
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxyz",
            Ok((200, "xyz", false)),
        );
    }

    #[test]
    fn some_answers_have_no_body_whatever_their_fields_say() {
        check(
            "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
            Ok((204, "", true)),
        );
        check(
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
            Ok((304, "", true)),
        );
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        check_for(Expecting::Head, head, Ok((200, "", true)));
        check_for(Expecting::Connect, head, Ok((200, "", false)));
    }

    #[test]
    fn keep_alive_follows_version_and_connection_field() {
        let check_fields = |line: &str, fields: &str, reusable| {
            let text = format!("{line}\r\n{fields}Content-Length: 0\r\n\r\n");
            check(&text, Ok((200, "", reusable)));
        };
        check_fields("HTTP/1.1 200 OK", "", true);
        check_fields("HTTP/1.1 200 OK", "Connection: foo, CLOSE\r\n", false);
        check_fields("HTTP/1.0 200 OK", "", false);
        check_fields("HTTP/1.0 200 OK", "Connection: Keep-Alive\r\n", true);
        check_fields(
            "HTTP/1.0 200 OK",
            "Connection: keep-alive\r\nConnection: close\r\n",
            false,
        );
    }

    #[test]
    fn interim_answers_are_counted_and_passed_over() {
        let mut decoder = Decoder::new();
        decoder.start(Expecting::Body, Keep::body(0));
        let mut text = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".repeat(1000);
        text += "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        let Decoded::Complete(answer) = decoder.on_bytes(text.as_bytes(), &mut Buffers::default())
        else {
            panic!("it is complete");
        };
        assert_eq!((answer.interim, answer.status), (1000, 200));
        check("HTTP/1.1 101 Switching Protocols\r\n\r\n", Err("101"));
    }

    #[test]
    fn folded_fields_are_accepted() {
        let folded = "HTTP/1.1 200 OK\r\nX-Long: one\r\n two\r\nContent-Length: 2\r\n\r\nok";
        check(folded, Ok((200, "ok", true)));
    }

    #[test]
    fn what_is_not_http_is_refused_at_the_first_byte_that_tells() {
        let mut decoder = Decoder::new();
        for (bytes, named) in [
            (&b"\x15\x03\x03\x00\x02\x02\x46"[..], "TLS"),
            (b"SSH-2.0-OpenSSH", "SSH"),
            (b"\x00\x00\x12\x04\x00\x00", "HTTP/2"),
            (b"HTTP/2 200\r\n", "not HTTP/1: \"HTTP/2 200"),
        ] {
            decoder.start(Expecting::Body, Keep::body(0));
            let Decoded::Invalid(invalid) = decoder.on_bytes(bytes, &mut Buffers::default()) else {
                panic!("{bytes:?} was accepted");
            };
            assert!(invalid.to_string().contains(named), "{invalid}");
        }
    }

    #[test]
    fn a_head_without_end_is_refused_at_its_bound() {
        let mut decoder = Decoder::new();
        decoder.start(Expecting::Body, Keep::body(0));
        assert_eq!(
            decoder.on_bytes(b"HTTP/1.1 200 OK\r\n", &mut Buffers::default()),
            Decoded::Partial
        );
        let field = b"X-Padding: 0123456789012345678901234567890123456789\r\n";
        let mut fed = 0;
        let invalid = loop {
            match decoder.on_bytes(field, &mut Buffers::default()) {
                Decoded::Partial => fed += field.len(),
                Decoded::Invalid(invalid) => break invalid,
                Decoded::Complete(_) => panic!("it has no end"),
            }
        };
        assert!(matches!(invalid, Invalid::TooManyFields), "{invalid}");
        decoder.start(Expecting::Body, Keep::body(0));
        let mut long = b"HTTP/1.1 200 OK\r\nX: ".to_vec();
        long.resize(HEAD_BYTES_MAX + 1000, b'x');
        assert_eq!(
            decoder.on_bytes(&long, &mut Buffers::default()),
            Decoded::Invalid(Invalid::HeadTooLong)
        );
        assert!(fed < HEAD_BYTES_MAX);
    }

    #[test]
    fn framing_without_end_is_refused_at_its_bound() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (begin, endless, expected) in [
            ("", "0", Invalid::ChunkTooLarge),
            ("1;", "x", Invalid::ChunkExtension),
            ("0\r\nA: ", "x", Invalid::Trailer),
            ("0\r\n", "A: b\r\n", Invalid::Trailer),
        ] {
            let mut decoder = Decoder::new();
            decoder.start(Expecting::Body, Keep::body(0));
            let text = [head, begin, &endless.repeat(HEAD_BYTES_MAX + 1)].concat();
            assert_eq!(
                decoder.on_bytes(text.as_bytes(), &mut Buffers::default()),
                Decoded::Invalid(expected)
            );
        }
    }

    #[test]
    fn a_head_may_have_64_kib_and_no_byte_more() {
        for (bytes, is_read) in [(HEAD_BYTES_MAX, true), (HEAD_BYTES_MAX + 1, false)] {
            let begin = "HTTP/1.1 204 No Content\r\nX: ";
            let padding = "x".repeat(bytes - begin.len() - 4);
            let head = format!("{begin}{padding}\r\n\r\n");
            let decoded = decode(&[head.as_bytes()], Expecting::Body).0;
            assert_eq!(matches!(decoded, Decoded::Complete(_)), is_read, "{bytes}");
        }
    }

    #[test]
    fn the_rest_of_a_head_may_come_with_a_body_of_any_length() {
        let body = "x".repeat(2 * HEAD_BYTES_MAX);
        let text = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        for at in [1, 17, 30] {
            let (begin, rest) = text.as_bytes().split_at(at);
            match decode(&[begin, rest], Expecting::Body).0 {
                Decoded::Complete(answer) => assert_eq!(answer.body_bytes, body.len() as u64),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_status_has_three_digits_and_those_without_a_body_are_few() {
        for status in [599, 205, 203, 305, 600, 999] {
            let text = format!("HTTP/1.1 {status} S\r\nContent-Length: 2\r\n\r\nok");
            check(&text, Ok((status, "ok", true)));
        }
        for status in ["099", "000"] {
            let text = format!("HTTP/1.1 {status} S\r\nContent-Length: 2\r\n\r\nok");
            check(&text, Err("the status is not a number"));
        }
        // Cut off before the end of the line that shows it.
        check("HTTP/1.1 2x0 OK", Err("the status is not a number"));
    }

    #[test]
    fn lists_are_read_to_their_end() {
        let check_fields = |fields: &str, rest: &str, expected| {
            check(
                &format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{rest}"),
                expected,
            );
        };
        let chunks = "2\r\nok\r\n0\r\n\r\n";
        let coding = "Transfer-Encoding: gzip, chunked";
        check_fields(coding, chunks, Ok((200, "ok", true)));
        let coding = "Transfer-Encoding: chunked, gzip";
        check_fields(coding, chunks, Ok((200, chunks, false)));
        for wrong in ["1:", "1/", "1;", "1a"] {
            let length = format!("Content-Length: {wrong}");
            check_fields(&length, "x", Err("Content-Length is not"));
        }
        let old = "HTTP/1.0 200 OK\r\nConnection: keep-alive, x\r\nContent-Length: 0\r\n\r\n";
        check(old, Ok((200, "", true)));
        let head = b"HTTP/1.1 200 OK\r\nA:  b \t\r\nA: c\r\n\r\n";
        assert_eq!(field(head, "a").as_deref(), Some(&b"b"[..]));
    }

    #[test]
    fn nothing_of_an_answer_is_left_for_the_next_one() {
        let mut decoder = Decoder::new();
        let keep = Keep {
            head: true,
            body_bytes: 8,
        };
        let first = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none";
        decoder.start(Expecting::Body, keep);
        assert!(matches!(
            decoder.on_bytes(first, &mut Buffers::default()),
            Decoded::Complete(_)
        ));
        assert_eq!(decoder.body(), b"one");
        assert_eq!(decoder.head().len(), first.len() - 25 - 3);
        decoder.start(Expecting::Body, Keep::body(8));
        assert_eq!(decoder.phase(), Phase::BeforeHead);
        let second = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nii";
        let Decoded::Complete(answer) = decoder.on_bytes(second, &mut Buffers::default()) else {
            panic!("it is complete");
        };
        assert_eq!((answer.interim, answer.body_bytes), (0, 2));
        assert_eq!((decoder.body(), decoder.head()), (&b"ii"[..], &b""[..]));
        // Given up in the middle of its head.
        decoder.start(Expecting::Body, keep);
        assert_eq!(
            decoder.on_bytes(&first[..9], &mut Buffers::default()),
            Decoded::Partial
        );
        decoder.start(Expecting::Body, keep);
        assert!(matches!(
            decoder.on_bytes(second, &mut Buffers::default()),
            Decoded::Complete(_)
        ));
    }

    #[test]
    fn bytes_behind_an_answer_are_left_to_the_caller() {
        let mut decoder = Decoder::new();
        decoder.start(Expecting::Body, Keep::body(8));
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1";
        let Decoded::Complete(answer) = decoder.on_bytes(text, &mut Buffers::default()) else {
            panic!("it is complete");
        };
        assert_eq!(answer.consumed, text.len() - 8);
    }

    #[test]
    fn the_phase_tells_how_far_an_answer_came() {
        let mut decoder = Decoder::new();
        decoder.start(Expecting::Body, Keep::body(8));
        assert_eq!(decoder.phase(), Phase::BeforeHead);
        decoder.on_bytes(b"HTTP/1.1 2", &mut Buffers::default());
        assert_eq!(decoder.phase(), Phase::InHead);
        decoder.on_bytes(
            b"00 OK\r\nContent-Length: 2\r\n\r\n",
            &mut Buffers::default(),
        );
        assert_eq!(decoder.phase(), Phase::InBody);
        decoder.start(Expecting::Body, Keep::body(8));
        decoder.on_bytes(b"HTTP/1.1 103 Early Hints\r\n\r\n", &mut Buffers::default());
        assert_eq!(decoder.phase(), Phase::InHead);
    }

    #[test]
    fn garbage_never_panics_and_every_split_says_the_same() {
        let samples = [
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nT: 1\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 3\r\nA: b\r\n c\r\n\r\nabc",
        ];
        let mut seed = 7u64;
        let mut roll = |below: usize| {
            seed = seed
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (seed >> 33) as usize % below
        };
        for _ in 0..3_000 {
            let mut bytes = samples[roll(2)].as_bytes().to_vec();
            for _ in 0..1 + roll(3) {
                let at = roll(bytes.len());
                bytes[at] = [b'\r', b'\n', b' ', b':', 0, 255, b'9', b';'][roll(8)];
            }
            let whole = verdict(decode(&[&bytes], Expecting::Body));
            let at = roll(bytes.len());
            let split = verdict(decode(&[&bytes[..at], &bytes[at..]], Expecting::Body));
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            let single = verdict(decode(&single, Expecting::Body));
            assert_eq!(whole, split, "{}", bytes.escape_ascii());
            assert_eq!(whole, single, "{}", bytes.escape_ascii());
        }
    }

    /// What must not depend on the split: the answer, or that there is none.
    fn verdict((decoded, body): (Decoded, Vec<u8>)) -> Option<(u16, u64, bool, Vec<u8>)> {
        match decoded {
            Decoded::Complete(a) => Some((a.status, a.body_bytes, a.keep_alive, body)),
            Decoded::Partial | Decoded::Invalid(_) => None,
        }
    }

    #[test]
    fn connections_whose_answers_come_one_after_the_other_share_one_buffer() {
        let mut buffers = Buffers::new(2, 65_536);
        let answer = [
            b"HTTP/1.1 200 OK\r\ncontent-length: 65536\r\n\r\n",
            &[b'x'; 65_536][..],
        ];
        let answer = answer.concat();
        let mut decoders: Vec<Decoder> = (0..100).map(|_| Decoder::new()).collect();
        let mut used = None;
        for decoder in &mut decoders {
            decoder.start(Expecting::Body, Keep::body(65_536));
            let decoded = decoder.on_bytes(&answer, &mut buffers);
            assert!(matches!(decoded, Decoded::Complete(_)));
            assert_eq!(decoder.body(), &answer[answer.len() - 65_536..]);
            assert_eq!(
                *used.get_or_insert(decoder.body().as_ptr()),
                decoder.body().as_ptr()
            );
            decoder.give_back(&mut buffers);
        }
        // Those that are in the middle of an answer keep theirs, and a head is given back when it is whole.
        let (head, body) = answer.split_at(20);
        for decoder in &mut decoders[..2] {
            decoder.start(Expecting::Body, Keep::body(65_536));
            decoder.on_bytes(head, &mut buffers);
            assert_eq!(
                decoder.on_bytes(&body[..100], &mut buffers),
                Decoded::Partial
            );
            assert!(decoder.carry.capacity() == 0 && decoder.body.capacity() > 0);
        }
        assert_ne!(decoders[0].body().as_ptr(), decoders[1].body().as_ptr());
        for decoder in &mut decoders {
            decoder.give_back(&mut buffers);
            let held = [&decoder.head, &decoder.body, &decoder.carry];
            assert!(held.iter().all(|kept| kept.capacity() == 0));
        }
    }
}
