//! The encryption of all parts: the first part's words, and the sums of the handshakes.

use crate::metrics::handshakes::Handshakes;
use crate::record::distribution::{add_packed, packed, times};
use crate::record::schema::{TlsHistograms, TlsRecord};

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
