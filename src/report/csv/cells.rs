//! Single values of a CSV row.

use crate::record::schema::{PERCENTS, Times};

/// Heads of the cells of [`percentiles`].
pub(super) const PERCENTILES: &str = "50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%";

/// All percentiles and the maximum in milliseconds, `N/A` where there are none.
pub(super) fn percentiles(times: &Times) -> String {
    let mut cells: Vec<String> = times
        .percentiles()
        .iter()
        .map(|value| value.map_or("N/A".to_owned(), ms))
        .collect();
    cells.push(times.max.map_or("N/A".to_owned(), ms));
    debug_assert_eq!(cells.len(), PERCENTS.len() + 1);
    cells.join(",")
}

/// Microseconds in milliseconds, or 0 for none, as Locust has it.
pub(super) fn ms_or_0(us: Option<f64>) -> String {
    ms(us.unwrap_or(0.0))
}

fn ms(us: f64) -> String {
    format!("{:.3}", us / 1e3)
}

/// A mean; 0 for none.
pub(super) fn per(sum: u64, count: u64) -> String {
    (sum as f64 / count.max(1) as f64).to_string()
}

/// A rate per second.
pub(super) fn rate(count: u64, duration_s: f64) -> String {
    six_decimals(count as f64 / duration_s.max(1e-9))
}

pub(super) fn six_decimals(number: f64) -> String {
    format!("{number:.6}")
}

/// Quoted where RFC 4180 section 2 asks for it.
pub(super) fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}
