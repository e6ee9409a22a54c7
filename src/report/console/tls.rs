//! Encryption: whether the server was verified, what the two sides agreed on, and the handshakes, full and resumed apart.

use super::page::{Colour, Page, Paint};
use crate::record::schema::{OpeningRecord, Record, Times, TlsRecord};
use crate::text::units::{counted, grouped, time};

/// The warning of a run that accepted any certificate.
pub(in crate::report) const NOT_VERIFIED: &str = "NOT VERIFIED: --insecure accepted any certificate; another server than the one meant may have answered";

/// A warning when no certificate was verified, then one line.
pub(super) fn short(page: &mut Page, record: &Record) {
    let Some(tls) = &record.tls else {
        return;
    };
    warning(page, tls);
    page.paragraph(Paint::Nothing, &format!("TLS: {}", handshakes(tls)));
}

/// The same, with what the two sides agreed on.
pub(super) fn full(page: &mut Page, record: &Record) {
    let Some(tls) = &record.tls else {
        return;
    };
    warning(page, tls);
    page.paragraph(Paint::Nothing, &format!("TLS: {}", agreed(tls)));
    page.remark(&handshakes(tls));
}

/// `TLS 1.3, TLS13_AES_256_GCM_SHA384, server name localhost, sessions not resumed`.
pub(in crate::report) fn agreed(tls: &TlsRecord) -> String {
    format!(
        "{}, {}{}, server name {}, sessions {}",
        tls.version,
        tls.cipher,
        // Others are rare.
        if tls.provider == "aws-lc-rs" {
            " of AWS-LC"
        } else {
            ""
        },
        tls.server_name,
        if tls.resume { "resumed" } else { "not resumed" }
    )
}

fn warning(page: &mut Page, tls: &TlsRecord) {
    if tls.insecure {
        page.paragraph(Paint::Words(Colour::Yellow, "NOT VERIFIED:"), NOT_VERIFIED);
    }
}

/// `64 full handshakes, p50 1.20 ms, p99 3.00 ms; 1,020 resumed, p50 0.50 ms, p99 0.90 ms`.
pub(in crate::report) fn handshakes(tls: &TlsRecord) -> String {
    let full = counted(tls.full_us.count, "full handshake");
    let resumed = format!("{} resumed", grouped(tls.resumed_us.count));
    let counts = match (tls.full_us.count, tls.resumed_us.count) {
        (0, 0) => "no handshake was done".into(),
        (_, 0) => format!("{full}{}, none resumed", took(&tls.full_us)),
        (0, _) => format!("no full handshake, {resumed}{}", took(&tls.resumed_us)),
        _ => format!(
            "{full}{}; {resumed}{}",
            took(&tls.full_us),
            took(&tls.resumed_us)
        ),
    };
    counts + &tls.opening.as_ref().map_or(String::new(), opening)
}

/// `; 8,000 connections shook hands in 3.10 s, 2.90 s were expected`.
fn opening(opening: &OpeningRecord) -> String {
    let seconds = |value: f64| time(value * 1e6);
    let planned = counted(opening.planned, "connection");
    let all = match opening.connections < opening.planned {
        true => format!("{} of {planned}", grouped(opening.connections)),
        false => planned,
    };
    format!(
        "; {all} shook hands in {}, {} were expected",
        seconds(opening.took_s),
        seconds(opening.expected_s)
    )
}

fn took(times: &Times) -> String {
    match (times.p50, times.p99) {
        (Some(p50), Some(p99)) => format!(", p50 {}, p99 {}", time(p50), time(p99)),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(count: u64) -> Times {
        Times {
            count,
            p50: Some(1_200.0),
            p99: Some(3_000.0),
            ..Times::default()
        }
    }

    #[test]
    fn full_and_resumed_handshakes_are_counted_apart() {
        let check = |full, resumed, expected: &str| {
            let tls = TlsRecord {
                full_us: if full > 0 {
                    times(full)
                } else {
                    Times::default()
                },
                resumed_us: if resumed > 0 {
                    times(resumed)
                } else {
                    Times::default()
                },
                ..TlsRecord::default()
            };
            assert_eq!(handshakes(&tls), expected);
        };
        check(0, 0, "no handshake was done");
        check(
            1,
            0,
            "1 full handshake, p50 1.20 ms, p99 3.00 ms, none resumed",
        );
        check(
            0,
            2_000,
            "no full handshake, 2,000 resumed, p50 1.20 ms, p99 3.00 ms",
        );
        check(
            64,
            9,
            "64 full handshakes, p50 1.20 ms, p99 3.00 ms; 9 resumed, p50 1.20 ms, p99 3.00 ms",
        );
    }

    #[test]
    fn the_time_of_the_first_opening_stands_beside_the_expected_one() {
        let check = |connections, expected: &str| {
            let tls = TlsRecord {
                full_us: times(connections),
                opening: Some(OpeningRecord {
                    planned: 8_000,
                    connections,
                    took_s: 3.1,
                    expected_s: 2.9,
                }),
                ..TlsRecord::default()
            };
            let shown = handshakes(&tls);
            assert!(shown.ends_with(expected), "{shown}");
        };
        check(
            8_000,
            "; 8,000 connections shook hands in 3.10 s, 2.90 s were expected",
        );
        check(
            7_990,
            "; 7,990 of 8,000 connections shook hands in 3.10 s, 2.90 s were expected",
        );
    }

    #[test]
    fn a_run_that_verified_nothing_says_so_first() {
        let mut page = Page::new(80, false);
        warning(
            &mut page,
            &TlsRecord {
                insecure: true,
                ..TlsRecord::default()
            },
        );
        assert!(page.finish().starts_with("NOT VERIFIED: --insecure"));
    }
}
