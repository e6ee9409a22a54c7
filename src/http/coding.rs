//! Content codings by their names (RFC 9110 section 8.4.1), and why a coded body cannot be read.

use std::fmt;

/// Most bytes of a decoded body.
pub const DECODED_BYTES_MAX: usize = 1024 * 1024;

/// How the body of an answer is coded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coding {
    /// Not at all.
    #[default]
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 1950; some servers leave its frame out.
    Deflate,
    /// Brotli, RFC 7932.
    Br,
    /// RFC 8878.
    Zstd,
    /// Another coding, or several one after the other.
    Other,
}

/// Why a coded body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecodable {
    /// Decoded, it is longer than what is checked.
    TooLarge,
    /// The coded bytes are wrong.
    Corrupt(Coding),
    /// The coded bytes end too early.
    Unfinished(Coding),
    /// This build was made without the coding.
    NotBuilt(Coding),
    /// The coding is not known.
    Unknown,
}

/// Why decoding stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    TooLarge,
    Corrupt,
    Unfinished,
}

impl Coding {
    /// Codings that are known, by the names that a request asks for them with.
    pub const NAMES: [(&str, Self); 5] = [
        ("gzip", Self::Gzip),
        ("deflate", Self::Deflate),
        ("br", Self::Br),
        ("zstd", Self::Zstd),
        ("identity", Self::Identity),
    ];

    /// The coding after another field of a head: several codings together are not decoded.
    #[must_use]
    pub(super) fn and(self, value: &[u8]) -> Self {
        value
            .split(|&byte| byte == b',')
            .fold(self, |before, name| {
                let name = name.trim_ascii();
                let known = Self::NAMES.iter();
                let mut same =
                    known.filter(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
                match (before, same.next()) {
                    _ if name.is_empty() => before,
                    (_, Some((_, Self::Identity))) => before,
                    (Self::Identity, Some((_, coding))) => *coding,
                    // RFC 9110 section 8.4.1.3.
                    (Self::Identity, None) if name.eq_ignore_ascii_case(b"x-gzip") => Self::Gzip,
                    _ => Self::Other,
                }
            })
    }

    /// Whether this build decodes it.
    pub fn is_built(self) -> bool {
        match self {
            Self::Identity | Self::Gzip | Self::Deflate => true,
            Self::Br | Self::Zstd => cfg!(feature = "codings"),
            Self::Other => false,
        }
    }
}

impl fmt::Display for Coding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Self::NAMES.iter().find(|(_, coding)| coding == self);
        f.write_str(named.map_or("another coding", |(name, _)| name))
    }
}

/// The end of a sentence about a body.
impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("is longer than 1 MiB when it is decoded; no more is checked"),
            Self::Corrupt(coding) => write!(f, "is not the {coding} that Content-Encoding says"),
            Self::Unfinished(coding) => write!(f, "ends before its {coding} does"),
            Self::NotBuilt(coding) => write!(
                f,
                "is {coding}, and this build of opsurge has no decoder for it: cargo build --features codings"
            ),
            Self::Unknown => f.write_str(
                "has a Content-Encoding that opsurge does not decode; it decodes one of gzip, deflate, br and zstd",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coding_is_read_from_all_fields_of_a_head() {
        let check = |fields: &[&str], expected| {
            let coding = fields.iter().fold(Coding::Identity, |coding, value| {
                coding.and(value.as_bytes())
            });
            assert_eq!(coding, expected, "{fields:?}");
        };
        check(&[""], Coding::Identity);
        check(&["GZIP"], Coding::Gzip);
        check(&["x-gzip"], Coding::Gzip);
        check(&["identity, br ,"], Coding::Br);
        check(&["identity", "zstd"], Coding::Zstd);
        check(&["deflate, gzip"], Coding::Other);
        check(&["gzip", "gzip"], Coding::Other);
        check(&["compress"], Coding::Other);
    }
}
