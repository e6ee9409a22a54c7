//! Why bytes are no valid answer.

use std::fmt;

/// Bytes shown of a stream that is not HTTP.
const SHOWN_BYTES: usize = 16;

/// Why bytes are no valid answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// The stream does not begin with `HTTP/1.`: its first bytes, and how many of the array they fill.
    NotHttp([u8; SHOWN_BYTES], u8),
    /// The version is neither HTTP/1.0 nor HTTP/1.1.
    StatusLine,
    /// The status is not a number from 100 to 999.
    Status,
    /// A field name contains a forbidden character.
    FieldName,
    /// A field value contains a forbidden character.
    FieldValue,
    /// A line of the head does not end in CR LF.
    LineEnd,
    /// The head has more than 256 fields.
    TooManyFields,
    /// The head is longer than 64 KiB.
    HeadTooLong,
    /// `Content-Length` is not a number.
    ContentLength,
    /// Several `Content-Length` values differ.
    ContentLengthConflict,
    /// 101, though the request asked for no upgrade.
    UpgradeUnasked,
    /// A chunk size is not hexadecimal.
    ChunkSize,
    /// A chunk size does not fit 64 bits, or has more than 16,384 digits.
    ChunkTooLarge,
    /// A chunk extension is malformed or longer than 16 KiB.
    ChunkExtension,
    /// The line with a chunk size does not end in CR LF.
    ChunkLineEnd,
    /// Chunk data is longer than the chunk size.
    ChunkDataEnd,
    /// The trailer section is malformed or longer than 64 KiB.
    Trailer,
}

impl Invalid {
    /// A stream that begins with these bytes, of which the first 16 are kept to be shown.
    pub(super) fn not_http(bytes: &[u8]) -> Self {
        let mut shown = [0; SHOWN_BYTES];
        let count = bytes.len().min(SHOWN_BYTES);
        shown[..count].copy_from_slice(&bytes[..count]);
        Self::NotHttp(shown, count as u8)
    }
}

impl From<httparse::Error> for Invalid {
    fn from(error: httparse::Error) -> Self {
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
                let guess = match shown {
                    [0x14..=0x17, 3, ..] => " (a TLS record: is this an https port?)",
                    [b'S', b'S', b'H', b'-', ..] => " (an SSH banner)",
                    [0, 0, _, 4, ..] => " (an HTTP/2 frame)",
                    _ => "",
                };
                return write!(f, "not HTTP/1: \"{}\"{guess}", shown.escape_ascii());
            }
            Self::StatusLine => "the version in the status line is not HTTP/1.0 or HTTP/1.1",
            Self::Status => "the status is not a number from 100 to 999",
            Self::FieldName => "a field name contains a forbidden character",
            Self::FieldValue => "a field value contains a forbidden character",
            Self::LineEnd => "a line of the head does not end in CR LF",
            Self::TooManyFields => "the head has more than 256 fields",
            Self::HeadTooLong => "the head is longer than 64 KiB",
            Self::ContentLength => "Content-Length is not a number",
            Self::ContentLengthConflict => "several Content-Length values contradict each other",
            Self::UpgradeUnasked => "101 Switching Protocols, though no upgrade was asked for",
            Self::ChunkSize => "a chunk size is not hexadecimal",
            Self::ChunkTooLarge => "a chunk size does not fit 64 bits",
            Self::ChunkExtension => "a chunk extension is malformed or longer than 16 KiB",
            Self::ChunkLineEnd => "the line with a chunk size does not end in CR LF",
            Self::ChunkDataEnd => "chunk data is longer than the chunk size",
            Self::Trailer => "the trailer section is malformed or longer than 64 KiB",
        };
        f.write_str(text)
    }
}
