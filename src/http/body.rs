//! What a body is, for a person who is to see it: text, or bytes that no screen shows.

use std::fmt::Write;

/// First bytes of what is often found in bodies (the formats' own specifications).
const MAGIC: [(&[u8], &str); 9] = [
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"PK\x03\x04", "ZIP"),
    (b"%PDF-", "PDF"),
    (b"\x7fELF", "ELF"),
    (b"BZh", "bzip2"),
];
/// First bytes that are shown of what is not text.
const SHOWN_BYTES: usize = 8;
/// In a text at most one byte of so many belongs to no character.
const STRAY_SHARE: usize = 10;

/// What to say instead of a body of `bytes` bytes that begins with `start`; `None` for text. `encoding` is its
/// `Content-Encoding`, if that is known.
pub fn instead_of(start: &[u8], bytes: u64, encoding: Option<&[u8]>) -> Option<String> {
    let magic = MAGIC.iter().find(|(magic, _)| start.starts_with(magic));
    let encoding = encoding.map(|name| String::from_utf8_lossy(name).to_ascii_lowercase());
    let encoding = encoding.filter(|name| !matches!(name.as_str(), "" | "identity"));
    if is_text(start) && magic.is_none_or(|(magic, _)| magic.is_ascii()) {
        return None;
    }
    let name = match (encoding, magic) {
        (Some(encoding), _) if encoding.chars().all(|c| c.is_ascii_graphic()) => {
            format!("{encoding} (Content-Encoding)")
        }
        (_, Some((_, name))) => (*name).to_owned(),
        (_, None) => "binary".to_owned(),
    };
    let mut said = format!("{} of {name}, not shown; begins with", counted(bytes));
    for byte in start.iter().take(SHOWN_BYTES) {
        let _ = write!(said, " {byte:02x}");
    }
    Some(said)
}

/// Text may have a stray byte, as in an older encoding or at a cut; it has no control characters but those that move
/// or colour a text.
fn is_text(bytes: &[u8]) -> bool {
    let is_odd = |byte: &u8| matches!(byte, 0..=6 | 14..=26 | 28..=31);
    let chunks = bytes.utf8_chunks().map(|chunk| chunk.invalid().len());
    !bytes.iter().any(is_odd)
        && chunks.sum::<usize>() * STRAY_SHARE <= bytes.len().max(STRAY_SHARE * 3)
}

fn counted(bytes: u64) -> String {
    let digits = bytes.to_string();
    let mut grouped = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match bytes {
        1 => "1 byte".to_owned(),
        _ => format!("{grouped} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_named_and_its_first_bytes_are_shown() {
        let said = |start, bytes, encoding| instead_of(start, bytes, encoding);
        let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03";
        let expected = "1,234 bytes of gzip, not shown; begins with 1f 8b 08 00 00 00 00 00";
        assert_eq!(said(gzip, 1_234, None).as_deref(), Some(expected));
        let named = said(b"\x8b\x00\x80", 3, Some(b"br")).expect("no text");
        assert_eq!(
            named,
            "3 bytes of br (Content-Encoding), not shown; begins with 8b 00 80"
        );
        assert!(said(b"\0", 1, None).is_some_and(|said| said.starts_with("1 byte of binary,")));
        assert!(
            said(b"\xff\xfe\xfd\xfc\xfb", 1_000_000, None)
                .is_some_and(|said| said.starts_with("1,000,000 bytes of binary"))
        );
        assert!(
            said(b"\x89PNG\r\n\x1a\nrest", 900, None).is_some_and(|said| said.contains("of PNG,"))
        );
    }

    #[test]
    fn text_is_text_in_any_language_and_where_it_was_cut() {
        for text in [
            "",
            "{\"a\": 1}",
            "caf\u{e9} \u{1f600} \u{4e16}",
            "a\tb\r\n\x1b[1mc",
            "a\x0c",
        ] {
            assert_eq!(
                instead_of(text.as_bytes(), 9, Some(b"identity")),
                None,
                "{text}"
            );
        }
        assert_eq!(instead_of(b"caf\xe9", 4, None), None);
        assert_eq!(
            instead_of(&"\u{1f600}\u{1f600}".as_bytes()[..7], 8, None),
            None
        );
    }
}
