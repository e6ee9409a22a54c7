//! The chunked coding against a naive reader, and its bounds.

use super::*;

const MESSAGE: &[u8] =
    b"3\r\nabc\r\n0C \t;a=b;q=\"x\\\"y\"\r\n0123456789ab\r\n0;z\r\nSum: 7 8\r\nT:\r\n\r\n";

/// The data and the length of the message in bytes; `None` when the pieces end before the message does.
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

/// Reads the message whole and at every split in two; all results must be the same.
fn read_split(bytes: &[u8]) -> Read {
    let whole = read(&[bytes]);
    for at in 1..bytes.len() {
        let split = read(&[&bytes[..at], &bytes[at..]]);
        assert_eq!(split, whole, "{} at {at}", bytes.escape_ascii());
    }
    whole
}

/// A naive reader: a whole message, line by line (RFC 9112 section 7.1); blanks may follow a size.
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
        let is_name = |byte: &u8| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(byte);
        let is_value = |byte: &u8| !b"\0\r\n".contains(byte);
        let is_field = colon > 0 && field[..colon].iter().all(is_name);
        if !is_field || !field[colon..].iter().all(is_value) {
            return None;
        }
    }
}

/// Takes a line and its CR LF; returns the line.
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
    // Escaped characters inside quotes are skipped; the other quotes must come in pairs.
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
        // The colon and the line ends of the trailer section are 5 bytes.
        let trailer = "t".repeat(trailer as usize - 5);
        format!("1;{extension}\r\nx\r\n0;{extension}\r\n{trailer}:\r\n\r\n")
    };
    // The CR after an extension counts as a part of it.
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
