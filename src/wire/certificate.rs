//! The one thing that is read of a server's certificate beside its verification: when it expires.

use std::num::NonZeroU8;

use crate::text::calendar::days_since_1970;

/// Tags of DER (X.690 section 8) that are on the way.
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// The end of a certificate's validity (RFC 5280 section 4.1.2.5), in seconds since 1970; `None` when it cannot be read.
pub(super) fn not_after_s(der: &[u8]) -> Option<i64> {
    let (certificate, _) = expect(der, SEQUENCE)?;
    let (mut fields, _) = expect(certificate, SEQUENCE)?;
    // Version, serial number, algorithm and issuer stand before it.
    if let Some((_, rest)) = expect(fields, VERSION) {
        fields = rest;
    }
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        fields = expect(fields, tag)?.1;
    }
    let (validity, _) = expect(fields, SEQUENCE)?;
    let (_, _, rest) = element(validity)?;
    let (tag, text, _) = element(rest)?;
    time(tag, text)
}

/// The content of the first element, if it has this tag, and what follows it.
fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(bytes)?;
    (found == tag).then_some((content, rest))
}

/// Tag and content of the first element, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if let Some(digits) = NonZeroU8::new(first & 0x7f).filter(|_| first & 0x80 != 0) {
        let (digits, after) = rest.split_at_checked(usize::from(digits.get()).min(8))?;
        length = digits.iter().try_fold(0usize, |sum, &digit| {
            sum.checked_mul(256)?.checked_add(usize::from(digit))
        })?;
        rest = after;
    }
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDHHMMSSZ` of the years 1950 to 2049, or `YYYYMMDDHHMMSSZ`.
fn time(tag: u8, text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match tag {
        UTC_TIME => text.split_at_checked(2)?,
        GENERALIZED_TIME => text.split_at_checked(4)?,
        _ => return None,
    };
    let mut year: i64 = year.parse().ok()?;
    if tag == UTC_TIME {
        year += if year < 50 { 2000 } else { 1900 };
    }
    let number = |at: usize| rest.get(at..at + 2)?.parse::<i64>().ok();
    let day = days_since_1970(year, number(0)?, number(2)?);
    Some(((day * 24 + number(4)?) * 60 + number(6)?) * 60 + number(8)?)
}

#[cfg(test)]
mod tests {
    use opsurge_testbed::certificates::Authority;

    use super::*;

    #[test]
    fn the_end_is_read_in_both_forms_of_time() {
        let authority = Authority::default();
        // In seconds, by `date -u -d YEAR-01-01 +%s`.
        for (year, expected) in [
            (1972, 63_072_000),
            (2000, 946_684_800),
            (2049, 2_493_072_000),
            (2050, 2_524_608_000),
            (4000, 64_060_588_800),
        ] {
            let identity = authority.certify_for_years(&["a.test"], 1971, year);
            assert_eq!(not_after_s(&identity.certificate), Some(expected), "{year}");
        }
        assert_eq!(time(UTC_TIME, b"700301000001Z"), Some(59 * 86_400 + 1));
        assert_eq!(time(UTC_TIME, b"7003010000Z"), None);
    }

    #[test]
    fn bytes_that_are_no_certificate_have_no_end() {
        let authority = Authority::default();
        let whole = authority.certify(&["a.test"]).certificate;
        for end in 0..whole.len() {
            // Any prefix and any damage: no panic.
            assert_eq!(not_after_s(&whole[..end]), None);
            let mut damaged = whole.to_vec();
            damaged[end] ^= 0xff;
            not_after_s(&damaged);
        }
    }
}
