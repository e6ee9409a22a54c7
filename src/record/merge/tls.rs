//! The encryption of all parts: the first part's words, and the sums of the handshakes.

use crate::metrics::handshakes::Handshakes;
use crate::record::distribution::{add_packed, packed, times};
use crate::record::schema::{OpeningRecord, TlsHistograms, TlsRecord};

use super::error::MergeError;
use super::figures::Parts;

/// `None` when no part was encrypted.
///
/// # Errors
/// When a histogram cannot be read.
pub(super) fn tls(parts: &Parts<'_>) -> Result<Option<TlsRecord>, MergeError> {
    let found = || {
        parts
            .iter()
            .filter_map(|part| Some((part, part.record.tls.as_ref()?)))
    };
    let Some((_, first)) = found().next() else {
        return Ok(None);
    };
    let mut sum = Handshakes::default();
    for (part, tls) in found() {
        let unreadable = |reason: String| MergeError::unreadable(part.name, "tls", &reason);
        add_packed(&mut sum.full, &tls.histograms.full, &tls.full_us).map_err(unreadable)?;
        add_packed(&mut sum.resumed, &tls.histograms.resumed, &tls.resumed_us)
            .map_err(unreadable)?;
    }
    Ok(Some(TlsRecord {
        opening: found()
            .filter_map(|(_, tls)| tls.opening.clone())
            .reduce(together),
        insecure: found().any(|(_, tls)| tls.insecure),
        resume: found().any(|(_, tls)| tls.resume),
        full_us: times(&sum.full),
        resumed_us: times(&sum.resumed),
        histograms: TlsHistograms {
            full: packed(&sum.full),
            resumed: packed(&sum.resumed),
        },
        ..first.clone()
    }))
}

/// Parts open their connections at the same time: the slowest says how long that takes.
fn together(first: OpeningRecord, second: OpeningRecord) -> OpeningRecord {
    OpeningRecord {
        planned: first.planned + second.planned,
        connections: first.connections + second.connections,
        took_s: first.took_s.max(second.took_s),
        expected_s: first.expected_s.max(second.expected_s),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_part_says_how_long_the_opening_took() {
        let opening = |connections, took_s, expected_s| OpeningRecord {
            planned: 100,
            connections,
            took_s,
            expected_s,
        };
        let whole = together(opening(100, 1.5, 2.0), opening(90, 2.5, 1.0));
        let expected = OpeningRecord {
            planned: 200,
            connections: 190,
            took_s: 2.5,
            expected_s: 2.0,
        };
        assert_eq!(whole, expected);
    }
}
