//! Records that a command reads again.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use flate2::read::MultiGzDecoder;

use crate::record::schema::Record;

/// The first bytes of a gzipped file (RFC 1952, section 2.3.1). A report's page saves a long record so.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads a record, gzipped or not.
///
/// # Errors
/// When there is no such file, or it is not a record.
pub fn record(path: &Path) -> Result<Record> {
    let shown = path.display();
    let bytes = std::fs::read(path).with_context(|| shown.to_string())?;
    let mut text = String::new();
    let read = match bytes.starts_with(&GZIP) {
        true => MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text),
        false => (&bytes[..]).read_to_string(&mut text),
    };
    read.with_context(|| shown.to_string())?;
    Record::parse(&text).map_err(|reason| {
        anyhow!("{shown} is not a record: {reason}; opsurge run --json FILE writes one")
    })
}
