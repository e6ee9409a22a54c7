//! The chunked transfer coding (RFC 9112 section 7.1): framing byte by byte, data in bulk.

use super::invalid::Invalid;

/// Longest chunk extension in bytes, and most digits of a chunk size. Extensions are ignored; the bound stops a server
/// that sends one without end.
const EXTENSION_BYTES_MAX: u32 = 16 * 1024;
/// Longest trailer section in bytes.
const TRAILER_BYTES_MAX: u32 = 64 * 1024;

/// Position of the stream in the coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunked {
    at: At,
    /// In the size line: the size read so far. In the data: bytes still to come.
    left: u64,
    /// Digits of the size, or bytes of the extension or the trailer section, read so far.
    count: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Size,
    SpaceAfterSize,
    Extension,
    ExtensionQuoted,
    ExtensionEscaped,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    End,
}

/// What the next bytes of the stream are.
pub(super) struct Step {
    /// How many bytes were taken.
    pub consumed: usize,
    /// Whether they are data; otherwise framing.
    pub is_data: bool,
}

impl Chunked {
    pub const START: Self = Self {
        at: At::Size,
        left: 0,
        count: 0,
    };

    pub fn is_over(self) -> bool {
        self.at == At::End
    }

    /// Takes data, or one byte of framing, from the start of `bytes`, which must not be empty.
    pub fn step(&mut self, bytes: &[u8]) -> Result<Step, Invalid> {
        if self.at == At::Data {
            let consumed = usize::try_from(self.left)
                .unwrap_or(usize::MAX)
                .min(bytes.len());
            self.left -= consumed as u64;
            if self.left == 0 {
                self.at = At::DataCr;
            }
            return Ok(Step {
                consumed,
                is_data: true,
            });
        }
        self.at = self.on_framing(bytes[0])?;
        Ok(Step {
            consumed: 1,
            is_data: false,
        })
    }

    fn on_framing(&mut self, byte: u8) -> Result<At, Invalid> {
        match (self.at, byte) {
            (At::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => self.on_size_digit(byte),
            (At::Size | At::SpaceAfterSize, _) if self.count == 0 => Err(Invalid::ChunkSize),
            (At::Size | At::SpaceAfterSize, b'\r') => Ok(At::SizeLf),
            (At::Size | At::SpaceAfterSize, b';') => {
                self.count = 0;
                Ok(At::Extension)
            }
            (At::Size | At::SpaceAfterSize, b' ' | b'\t') => Ok(At::SpaceAfterSize),
            (At::Size | At::SpaceAfterSize, _) => Err(Invalid::ChunkSize),
            (At::Extension | At::ExtensionQuoted | At::ExtensionEscaped, _) => {
                self.on_extension(byte)
            }
            (At::SizeLf, b'\n') if self.left == 0 => {
                self.count = 0;
                Ok(At::TrailerStart)
            }
            (At::SizeLf, b'\n') => Ok(At::Data),
            (At::DataCr, b'\r') => Ok(At::DataLf),
            (At::DataLf, b'\n') => {
                self.count = 0;
                Ok(At::Size)
            }
            (At::SizeLf, _) => Err(Invalid::ChunkLineEnd),
            (At::DataCr | At::DataLf, _) => Err(Invalid::ChunkDataEnd),
            _ => self.on_trailer(byte),
        }
    }

    fn on_size_digit(&mut self, byte: u8) -> Result<At, Invalid> {
        let digit = (byte as char).to_digit(16).unwrap_or_default();
        if self.count == 0 {
            self.left = 0;
        }
        self.count = self.count.saturating_add(1);
        // A bound of 16 digits would refuse harmless leading zeros, so digits are bounded like an extension.
        if self.left >> 60 != 0 || self.count > EXTENSION_BYTES_MAX {
            return Err(Invalid::ChunkTooLarge);
        }
        self.left = self.left << 4 | u64::from(digit);
        Ok(At::Size)
    }

    fn on_extension(&mut self, byte: u8) -> Result<At, Invalid> {
        self.count += 1;
        if self.count > EXTENSION_BYTES_MAX {
            return Err(Invalid::ChunkExtension);
        }
        match (self.at, byte) {
            (At::Extension, b'\r') => Ok(At::SizeLf),
            (At::Extension, b'"') => Ok(At::ExtensionQuoted),
            (At::ExtensionQuoted, b'"') => Ok(At::Extension),
            (At::ExtensionQuoted, b'\\') => Ok(At::ExtensionEscaped),
            (_, 0..=8 | 10..=31 | 127) => Err(Invalid::ChunkExtension),
            (At::ExtensionEscaped, _) => Ok(At::ExtensionQuoted),
            (at, _) => Ok(at),
        }
    }

    fn on_trailer(&mut self, byte: u8) -> Result<At, Invalid> {
        self.count += 1;
        if self.count > TRAILER_BYTES_MAX {
            return Err(Invalid::Trailer);
        }
        match (self.at, byte) {
            (At::TrailerStart, b'\r') => Ok(At::EndLf),
            (At::EndLf, b'\n') => Ok(At::End),
            (At::TrailerName, b':') => Ok(At::TrailerValue),
            (At::TrailerStart | At::TrailerName, _) if is_token(byte) => Ok(At::TrailerName),
            (At::TrailerValue, b'\r') => Ok(At::TrailerLf),
            (At::TrailerValue, 0 | b'\n') => Err(Invalid::Trailer),
            (At::TrailerValue, _) => Ok(At::TrailerValue),
            (At::TrailerLf, b'\n') => Ok(At::TrailerStart),
            _ => Err(Invalid::Trailer),
        }
    }
}

/// A character of a field name (RFC 9110 section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
