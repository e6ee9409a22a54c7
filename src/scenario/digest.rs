//! Functions of texts: encodings, SHA-256, HMAC (RFC 2104) and JSON Web Tokens (RFC 7519). They allocate nothing.
//!
//! SHA-256 comes from `ring`, which TLS brings anyway: no crate more to compile, and the processor's own instructions
//! where it has them.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::{digest, hmac};

/// `{"alg":"HS256","typ":"JWT"}` in base64url, and the dot after it.
const JWT_HEADER: &[u8] = b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.";
/// Bytes of a SHA-256 digest.
const SHA256_BYTES: usize = 32;
/// A SHA-256 digest in base64url, without padding.
const SIGNATURE_BYTES: usize = 43;
/// Names of the functions in holes.
pub const NAMES: [(&str, Function); 7] = [
    ("base64", Function::Base64),
    ("base64url", Function::Base64Url),
    ("hex", Function::Hex),
    ("sha256", Function::Sha256),
    ("hmac", Function::Hmac),
    ("hmac_base64", Function::HmacBase64),
    ("jwt", Function::Jwt),
];

/// A function of a text; those with a key take it first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Base64 with padding (RFC 4648 section 4).
    Base64,
    /// Base64 for URLs, without padding (RFC 4648 section 5).
    Base64Url,
    /// Two hexadecimal digits a byte, in lower case.
    Hex,
    /// SHA-256 in hexadecimal.
    Sha256,
    /// HMAC-SHA-256 in hexadecimal.
    Hmac,
    /// HMAC-SHA-256 in base64 with padding.
    HmacBase64,
    /// The text as claims of a token that is signed with HS256 (RFC 7518 section 3.2).
    Jwt,
}

impl Function {
    /// Its first text is a key.
    pub fn has_key(self) -> bool {
        matches!(self, Self::Hmac | Self::HmacBase64 | Self::Jwt)
    }

    /// Longest result for a text of so many bytes.
    pub fn bytes_max(self, text_bytes: usize) -> usize {
        let url_safe = |bytes: usize| (bytes * 4).div_ceil(3);
        match self {
            Self::Base64 => text_bytes.div_ceil(3) * 4,
            Self::Base64Url => url_safe(text_bytes),
            Self::Hex => 2 * text_bytes,
            Self::Sha256 | Self::Hmac => 2 * SHA256_BYTES,
            Self::HmacBase64 => SHA256_BYTES.div_ceil(3) * 4,
            Self::Jwt => JWT_HEADER.len() + url_safe(text_bytes) + 1 + SIGNATURE_BYTES,
        }
    }

    /// Writes the result to the start of `out`, which has room for [`Function::bytes_max`]; returns its length. A
    /// function without a key ignores `key`.
    pub fn write(self, key: &[u8], text: &[u8], out: &mut [u8]) -> usize {
        match self {
            Self::Base64 => encoded(&STANDARD, text, out),
            Self::Base64Url => encoded(&URL_SAFE_NO_PAD, text, out),
            Self::Hex => write_hex(text, out),
            Self::Sha256 => write_hex(digest::digest(&digest::SHA256, text).as_ref(), out),
            Self::Hmac => write_hex(signature(key, text).as_ref(), out),
            Self::HmacBase64 => encoded(&STANDARD, signature(key, text).as_ref(), out),
            Self::Jwt => {
                let mut at = JWT_HEADER.len();
                out[..at].copy_from_slice(JWT_HEADER);
                at += encoded(&URL_SAFE_NO_PAD, text, &mut out[at..]);
                let tag = signature(key, &out[..at]);
                out[at] = b'.';
                at += 1;
                at + encoded(&URL_SAFE_NO_PAD, tag.as_ref(), &mut out[at..])
            }
        }
    }
}

fn signature(key: &[u8], text: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text)
}

fn encoded(engine: &impl Engine, text: &[u8], out: &mut [u8]) -> usize {
    engine
        .encode_slice(text, out)
        .expect("there is room for bytes_max")
}

fn write_hex(bytes: &[u8], out: &mut [u8]) -> usize {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (byte, out) in bytes.iter().zip(out.chunks_exact_mut(2)) {
        out.copy_from_slice(&[byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]));
    }
    2 * bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(function: Function, key: &[u8], text: &[u8], expected: &str) {
        let mut out = vec![0; function.bytes_max(text.len())];
        let length = function.write(key, text, &mut out);
        assert_eq!(std::str::from_utf8(&out[..length]), Ok(expected));
    }

    #[test]
    fn the_vectors_of_the_standards_come_out() {
        // RFC 4648 section 10.
        check(Function::Base64, b"", b"foob", "Zm9vYg==");
        check(Function::Base64Url, b"", b"\xfb\xff", "-_8");
        check(Function::Hex, b"", b"\x00\xabz", "00ab7a");
        // FIPS 180-2 appendix B.1.
        check(
            Function::Sha256,
            b"",
            b"abc",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        );
        // RFC 4231 section 4.3.
        let (key, text) = (b"Jefe", b"what do ya want for nothing?");
        check(
            Function::Hmac,
            key,
            text,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        );
        check(
            Function::HmacBase64,
            key,
            text,
            "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=",
        );
        // The token that jwt.io shows.
        check(
            Function::Jwt,
            b"your-256-bit-secret",
            br#"{"sub":"1234567890","name":"John Doe","iat":1516239022}"#,
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
        );
    }
}
