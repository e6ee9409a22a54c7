//! The chunked transfer coding (RFC 9112 section 7.1), one byte of framing at a time, data in bulk.

use super::response::Invalid;

/// Longest chunk extension, in bytes: it means nothing to us, and a server that sends more is not to be fed on.
const EXTENSION_BYTES_MAX: u32 = 16 * 1024;
/// Longest trailer section in bytes.
const TRAILER_BYTES_MAX: u32 = 64 * 1024;

/// Where in the coding the stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunked {
    at: At,
    /// Of the size line: its value; of the data: what is left of it.
    left: u64,
    /// Digits of the size, or bytes of the extension or of the trailers.
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

/// A piece of the stream, taken apart.
pub(super) struct Step {
    /// Bytes used up.
    pub consumed: usize,
    /// Whether they are data rather than framing.
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

    /// Takes the next piece of `bytes`, which is not empty.
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
        // A count of digits alone would refuse harmless leading zeros; a run of those is bounded like an extension.
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
mod tests {
    use super::*;

    const MESSAGE: &[u8] =
        b"3\r\nabc\r\n0C \t;a=b;q=\"x\\\"y\"\r\n0123456789ab\r\n0;z\r\nSum: 7 8\r\nT:\r\n\r\n";

    /// The data, and how many bytes the message has; nothing when it is not over by the end of the pieces.
    type Read = Result<Option<(Vec<u8>, usize)>, Invalid>;

    fn read(pieces: &[&[u8]]) -> Read {
        let mut chunked = Chunked::START;
        let (mut data, mut consumed) = (Vec::new(), 0);
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() && !chunked.is_over() {
                let step = chunked.step(rest)?;
                if step.is_data {
                    data.extend_from_slice(&rest[..step.consumed]);
                }
                consumed += step.consumed;
                rest = &rest[step.consumed..];
            }
        }
        Ok(chunked.is_over().then_some((data, consumed)))
    }

    /// The same from every split in two, which has to make no difference.
    fn read_split(bytes: &[u8]) -> Read {
        let whole = read(&[bytes]);
        for at in 1..bytes.len() {
            let split = read(&[&bytes[..at], &bytes[at..]]);
            assert_eq!(split, whole, "{} at {at}", bytes.escape_ascii());
        }
        whole
    }

    /// Reads a whole message line by line, as RFC 9112 section 7.1 has it; blanks may follow a size.
    fn naive(message: &[u8]) -> Option<(Vec<u8>, usize)> {
        let mut rest = message;
        let mut data = Vec::new();
        loop {
            let digits_and_more = line(&mut rest)?;
            let digits = digits_and_more
                .iter()
                .take_while(|byte| byte.is_ascii_hexdigit());
            let (digits, more) = digits_and_more.split_at(digits.count());
            let size = usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
            let blanks = more.iter().take_while(|byte| b" \t".contains(byte));
            let more = &more[blanks.count()..];
            if !more.is_empty() && !is_extension(more) {
                return None;
            }
            if size == 0 {
                break;
            }
            data.extend_from_slice(rest.get(..size)?);
            rest = rest[size..].strip_prefix(b"\r\n")?;
        }
        loop {
            let field = line(&mut rest)?;
            if field.is_empty() {
                return Some((data, message.len() - rest.len()));
            }
            let colon = field.iter().position(|byte| *byte == b':')?;
            let is_name =
                |byte: &u8| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(byte);
            let is_value = |byte: &u8| !b"\0\r\n".contains(byte);
            let is_field = colon > 0 && field[..colon].iter().all(is_name);
            if !is_field || !field[colon..].iter().all(is_value) {
                return None;
            }
        }
    }

    /// Up to the first CR LF, which is taken as well.
    fn line<'m>(rest: &mut &'m [u8]) -> Option<&'m [u8]> {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let line = &rest[..end];
        *rest = &rest[end + 2..];
        Some(line)
    }

    fn is_extension(text: &[u8]) -> bool {
        let has_controls = text
            .iter()
            .any(|byte| byte.is_ascii_control() && *byte != b'\t');
        // What is escaped inside quotes counts for nothing; then the quotes have to be in pairs.
        let text = String::from_utf8_lossy(text).into_owned();
        let mut quotes = 0;
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match character {
                '"' => quotes += 1,
                '\\' if quotes % 2 == 1 => drop(characters.next()),
                _ => {}
            }
        }
        text.starts_with(';') && !has_controls && quotes % 2 == 0
    }

    #[test]
    fn a_size_has_64_bits_and_as_many_zeros_before_it_as_an_extension_may_have_bytes() {
        assert_eq!(read(&[b"FFFFffffFFFFffff\r\nabc"]), Ok(None));
        let too_large = read(&[b"10000000000000000\r\nabc"]);
        assert_eq!(too_large, Err(Invalid::ChunkTooLarge));
        for (zeros, expected) in [
            (EXTENSION_BYTES_MAX - 1, Ok(Some((b"x".to_vec(), 6)))),
            (EXTENSION_BYTES_MAX, Err(Invalid::ChunkTooLarge)),
        ] {
            let zeros = "0".repeat(zeros as usize);
            let size = [zeros.as_bytes(), b"1\r\nx\r\n"].concat();
            let expected = expected.map(|read: Option<(Vec<u8>, usize)>| {
                read.map(|(data, bytes)| (data, zeros.len() + bytes + 5))
            });
            assert_eq!(read(&[&size, b"0\r\n\r\n"]), expected);
        }
    }

    #[test]
    fn extensions_and_trailers_have_bounds_of_their_own() {
        let message = |extension: u32, trailer: u32| {
            let extension = "e".repeat(extension as usize);
            // With its colon and three line ends it is as long as asked for.
            let trailer = "t".repeat(trailer as usize - 5);
            format!("1;{extension}\r\nx\r\n0;{extension}\r\n{trailer}:\r\n\r\n")
        };
        // The CR behind an extension is counted with it.
        let (extension, trailer) = (EXTENSION_BYTES_MAX - 1, TRAILER_BYTES_MAX);
        let longest = message(extension, trailer);
        let expected = Ok(Some((b"x".to_vec(), longest.len())));
        assert_eq!(read(&[longest.as_bytes()]), expected);
        let extended = message(extension + 1, trailer);
        let refused = Err(Invalid::ChunkExtension);
        assert_eq!(read(&[extended.as_bytes()]), refused);
        let trailed = message(extension, trailer + 1);
        assert_eq!(read(&[trailed.as_bytes()]), Err(Invalid::Trailer));
    }

    #[test]
    fn every_cr_and_every_lf_is_exactly_that() {
        let line_ends = (0..MESSAGE.len()).filter(|at| b"\r\n".contains(&MESSAGE[*at]));
        assert_eq!(line_ends.clone().count(), 16);
        for at in line_ends {
            let mut message = MESSAGE.to_vec();
            for byte in (0..=u8::MAX).filter(|byte| *byte != MESSAGE[at]) {
                message[at] = byte;
                let read = read_split(&message);
                assert!(read.is_err(), "byte {at} is {byte}: {read:?}");
            }
        }
    }

    #[test]
    fn a_message_with_any_one_byte_replaced_is_read_as_a_naive_reader_does() {
        assert_eq!(
            naive(MESSAGE),
            Some((b"abc0123456789ab".to_vec(), MESSAGE.len()))
        );
        for at in 0..MESSAGE.len() {
            let mut message = MESSAGE.to_vec();
            for byte in 0..=u8::MAX {
                message[at] = byte;
                let read = read_split(&message).ok().flatten();
                assert_eq!(read, naive(&message), "byte {at} is {byte}");
            }
        }
    }

    #[test]
    fn a_message_with_any_one_byte_left_out_or_doubled_is_read_as_a_naive_reader_does() {
        for at in 0..MESSAGE.len() {
            for message in [
                [&MESSAGE[..at], &MESSAGE[at + 1..]].concat(),
                [&MESSAGE[..=at], &MESSAGE[at..]].concat(),
            ] {
                let read = read_split(&message).ok().flatten();
                assert_eq!(read, naive(&message), "{}", message.escape_ascii());
            }
        }
    }
}
