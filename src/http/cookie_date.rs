//! Dates of cookies, as servers write them: RFC 6265 section 5.1.1.

use crate::text::calendar::days_since_1970;

/// Reads a date; in seconds since 1970 (UTC), negative before. `None` for a text without day, month, year and time.
pub fn parse_date(text: &[u8]) -> Option<i64> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    let tokens = text.split(|&byte| is_delimiter(byte));
    for token in tokens.filter(|token| !token.is_empty()) {
        if time.is_none() && token.contains(&b':') {
            time = read_time(token);
            if time.is_some() {
                continue;
            }
        }
        if let (None, Some(number)) = (day, number(token, 1..=2)) {
            day = Some(number);
        } else if let (None, Some(number)) = (month, read_month(token)) {
            month = Some(number);
        } else if let (None, Some(number)) = (year, number(token, 2..=4)) {
            year = Some(number);
        }
    }
    let year = match year? {
        year @ 70..=99 => year + 1900,
        year @ 0..=69 => year + 2000,
        year => year,
    };
    let ((hour, minute, second), day, month) = (time?, day?, month?);
    let is_valid = (1..=31).contains(&day)
        && year >= 1601
        && hour <= 23
        && minute <= 59
        && second <= 59
        && day <= days_of_month(year, month);
    is_valid
        .then(|| days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, 0x09 | 0x20..=0x2f | 0x3b..=0x40 | 0x5b..=0x60 | 0x7b..=0x7e)
}

/// The number at the start of a token, if it has so many digits and no other digit follows.
fn number(token: &[u8], digits: std::ops::RangeInclusive<usize>) -> Option<i64> {
    let count = token
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if !digits.contains(&count) {
        return None;
    }
    let digits = token[..count].iter();
    Some(digits.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
}

fn read_time(token: &[u8]) -> Option<(i64, i64, i64)> {
    let mut fields = token.splitn(3, |&byte| byte == b':');
    let (hour, minute, second) = (fields.next()?, fields.next()?, fields.next()?);
    let is_whole = |field: &[u8]| field.iter().all(u8::is_ascii_digit);
    if !is_whole(hour) || !is_whole(minute) {
        return None;
    }
    Some((
        number(hour, 1..=2)?,
        number(minute, 1..=2)?,
        number(second, 1..=2)?,
    ))
}

/// A month, from 1.
fn read_month(token: &[u8]) -> Option<i64> {
    let name = token.get(..3)?;
    let months = b"janfebmaraprmayjunjulaugsepoctnovdec".chunks(3);
    let found = months
        .zip(1..)
        .find(|(month, _)| name.eq_ignore_ascii_case(month));
    found.map(|(_, number)| number)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::parse_date;

    fn check(text: &str, expected: Option<i64>) {
        assert_eq!(parse_date(text.as_bytes()), expected, "{text}");
    }

    #[test]
    fn dates_are_read_in_every_notation_that_servers_use() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "6 november 1994 8:49:37",
            "08:49:37;Nov/06@94",
            "94xyz 06 nOV 08:49:37 1994",
        ] {
            // In the last one, 94 is no day of a month and is taken as it comes: first the day.
            let expected = match text.starts_with("94") {
                true => None,
                false => Some(784_111_777),
            };
            check(text, expected);
        }
        check("Thu, 01 Jan 1970 00:00:00 GMT", Some(0));
        check("Wed, 31 Dec 1969 23:59:59 GMT", Some(-1));
        check("Tue, 19 Jan 2038 03:14:08 GMT", Some(1 << 31));
        check("29 Feb 2000 00:00:00", Some(951_782_400));
        check("01 Jan 69 00:00:00", Some(3_124_224_000));
        check("01 Jan 70 00:00:00", Some(0));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "0",
            "tomorrow",
            "29 Feb 2001 00:00:00",
            "31 Apr 2001 00:00:00",
            "32 Jan 2001 00:00:00",
            "00 Jan 2001 00:00:00",
            "01 Jan 1600 00:00:00",
            "01 Jan 2001",
            "01 Jan 2001 24:00:00",
            "01 Jan 2001 00:60:00",
            "01 Jan 2001 00:00:60",
            "01 Jan 2001 0000:00:00",
            "01 Foo 2001 00:00:00",
            "Jan 2001 00:00:00",
            "01 Jan 00:00:00",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic() {
        let mut state = 1u64;
        for _ in 0..4_000 {
            let bytes: Vec<u8> = (0..40)
                .map(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    b"0123456789:: janFebDec-\xff\0"[(state >> 33) as usize % 25]
                })
                .collect();
            parse_date(&bytes);
        }
    }
}
