//! The places where a text is used in a request: the characters that each can have, and the encoding of values there.

use crate::http::request::Encoding;

use super::place::ScenarioError;
use super::toml::Item;

/// The place where a text is used: it decides which characters the text may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Site {
    Path,
    /// A value of a query or a form: every character that is not unreserved is percent-encoded.
    Form,
    Header,
    Json,
    Text,
}

/// The encoding of a text of the scenario's author. In a path its characters may have a meaning (`/`), and stay.
pub(super) fn encoding_of_own(site: Site) -> Encoding {
    match site {
        Site::Form => Encoding::Percent,
        Site::Json => Encoding::Json,
        Site::Path | Site::Header | Site::Text => Encoding::AsIs,
    }
}

/// The encoding of a text that is known only during the run.
pub(super) fn foreign(site: Site, bare: bool) -> Encoding {
    match site {
        Site::Path | Site::Form => Encoding::Percent,
        Site::Json if !bare => Encoding::Json,
        Site::Json | Site::Header | Site::Text => Encoding::AsIs,
    }
}

/// Checks that a value does not break the text around its hole. The error does not repeat the value, which may be a
/// secret.
pub(super) fn check_characters(
    item: &Item<'_>,
    name: &str,
    value: &str,
    site: Site,
) -> Result<(), ScenarioError> {
    let (wrong, cure) = match site {
        Site::Path => match not_for_a_path(value) {
            Some((wrong, encoded)) => {
                (wrong, format!("a path cannot have; write {encoded} for it"))
            }
            None => return Ok(()),
        },
        Site::Header => match value.chars().find(|&c| !is_header_character(c)) {
            Some(wrong) => (wrong, "a header cannot have".to_owned()),
            None => return Ok(()),
        },
        Site::Json | Site::Text | Site::Form => return Ok(()),
    };
    Err(item.error(format!(
        "{{{{{name}}}}} brings the character {wrong:?}, which {cure}"
    )))
}

/// The first character that a path cannot have, and its percent-encoding.
pub(super) fn not_for_a_path(text: &str) -> Option<(char, String)> {
    let is_hex = |at: usize| {
        let byte = text.as_bytes().get(at);
        byte.is_some_and(u8::is_ascii_hexdigit)
    };
    let mut characters = text.char_indices();
    let (_, wrong) = characters.find(|&(at, character)| match character {
        '%' => !is_hex(at + 1) || !is_hex(at + 2),
        _ => !is_path_character(character),
    })?;
    Some((wrong, Encoding::Percent.text(&wrong.to_string())))
}

/// A character of a request target (RFC 3986 sections 3.3 and 3.4).
fn is_path_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@/?%[]".contains(character)
}

/// Whether a text is the name of a cookie: servers use names that are no tokens (RFC 6265 section 5.2).
pub(super) fn is_cookie_name(name: &str) -> bool {
    let is_part = |c: char| c > ' ' && c != '\x7f' && c != '=' && c != ';';
    !name.is_empty() && name.chars().all(is_part)
}

/// A character of a field value (RFC 9110 section 5.5).
pub(super) fn is_header_character(character: char) -> bool {
    character == '\t' || (character >= ' ' && character != '\x7f')
}
