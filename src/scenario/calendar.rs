//! Times as text: RFC 3339 in UTC, and days.

/// `2026-11-24T16:33:00.123456Z`.
pub const TIMESTAMP_BYTES: usize = 27;
/// `2026-11-24`.
pub const DATE_BYTES: usize = 10;

/// Writes a time as RFC 3339 in UTC, with microseconds. The calendar is Hinnant's ("chrono-compatible low-level date
/// algorithms", 2013): eras of 400 years, years that begin in March.
pub fn write_timestamp(wall_ns: u64, out: &mut [u8]) -> usize {
    let (seconds, micros) = (wall_ns / 1_000_000_000, wall_ns / 1_000 % 1_000_000);
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let second_of_day = seconds % 86_400;
    out[..TIMESTAMP_BYTES].copy_from_slice(b"0000-00-00T00:00:00.000000Z");
    for (number, end) in [
        (year, 4),
        (month, 7),
        (day, 10),
        (second_of_day / 3_600, 13),
        (second_of_day / 60 % 60, 16),
        (second_of_day % 60, 19),
        (micros, 26),
    ] {
        write_digits(number, &mut out[..end]);
    }
    TIMESTAMP_BYTES
}

/// Writes the day of a time in UTC, such as `2026-11-24`; returns its length.
pub fn write_date(wall_ns: u64, out: &mut [u8]) -> usize {
    let mut timestamp = [0; TIMESTAMP_BYTES];
    write_timestamp(wall_ns, &mut timestamp);
    out[..DATE_BYTES].copy_from_slice(&timestamp[..DATE_BYTES]);
    DATE_BYTES
}

/// Writes a number over the zeros at the end of `out`.
fn write_digits(mut number: u64, out: &mut [u8]) {
    for digit in out.iter_mut().rev() {
        if number == 0 {
            break;
        }
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}
