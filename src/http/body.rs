//! Tells text from binary data, so that messages describe what no screen can show.

use std::fmt::Write;

use crate::text::units::counted;

/// First bytes of formats that are common in bodies (the formats' own specifications).
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
/// Bytes shown of a binary body.
const SHOWN_BYTES: usize = 8;
/// In a text at most one byte in this many is not valid UTF-8.
const STRAY_SHARE: usize = 10;

/// A description of a binary body, to be shown instead of it; `None` for text. `start` is the beginning of the body,
/// `bytes` its whole length, `encoding` its `Content-Encoding`, if known.
pub fn describe_binary(start: &[u8], bytes: u64, encoding: Option<&[u8]>) -> Option<String> {
    let magic = MAGIC.iter().find(|(magic, _)| start.starts_with(magic));
    let encoding = encoding.map(|name| String::from_utf8_lossy(name).to_ascii_lowercase());
    let encoding = encoding.filter(|name| !matches!(name.as_str(), "" | "identity"));
    if is_text(start) && magic.is_none_or(|(magic, _)| magic.is_ascii()) {
        return None;
    }
    let format = match (encoding, magic) {
        (Some(encoding), _) if encoding.chars().all(|c| c.is_ascii_graphic()) => {
            format!("{encoding} (Content-Encoding)")
        }
        (_, Some((_, name))) => (*name).to_owned(),
        (_, None) => "binary".to_owned(),
    };
    let length = counted(bytes, "byte");
    let mut text = format!("{length} of {format}, not shown; begins with");
    for byte in start.iter().take(SHOWN_BYTES) {
        let _ = write!(text, " {byte:02x}");
    }
    Some(text)
}

/// Text may contain stray bytes, from an older encoding or where it was cut. It contains no control characters except
/// those that move or colour text.
fn is_text(bytes: &[u8]) -> bool {
    let is_control = |byte: &u8| matches!(byte, 0..=6 | 14..=26 | 28..=31);
    let stray_bytes = bytes.utf8_chunks().map(|chunk| chunk.invalid().len());
    !bytes.iter().any(is_control)
        && stray_bytes.sum::<usize>() * STRAY_SHARE <= bytes.len().max(STRAY_SHARE * 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_data_is_named_and_its_first_bytes_are_shown() {
        let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03";
        let expected = "1,234 bytes of gzip, not shown; begins with 1f 8b 08 00 00 00 00 00";
        assert_eq!(
            describe_binary(gzip, 1_234, None).as_deref(),
            Some(expected)
        );
        let named = describe_binary(b"\x8b\x00\x80", 3, Some(b"br")).expect("it is binary");
        assert_eq!(
            named,
            "3 bytes of br (Content-Encoding), not shown; begins with 8b 00 80"
        );
        assert!(
            describe_binary(b"\0", 1, None)
                .is_some_and(|text| text.starts_with("1 byte of binary,"))
        );
        assert!(
            describe_binary(b"\xff\xfe\xfd\xfc\xfb", 1_000_000, None)
                .is_some_and(|text| text.starts_with("1,000,000 bytes of binary"))
        );
        assert!(
            describe_binary(b"\x89PNG\r\n\x1a\nrest", 900, None)
                .is_some_and(|text| text.contains("of PNG,"))
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
                describe_binary(text.as_bytes(), 9, Some(b"identity")),
                None,
                "{text}"
            );
        }
        assert_eq!(describe_binary(b"caf\xe9", 4, None), None);
        assert_eq!(
            describe_binary(&"\u{1f600}\u{1f600}".as_bytes()[..7], 8, None),
            None
        );
    }
}
