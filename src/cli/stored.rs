//! Records that a command reads again.

use std::path::Path;

use anyhow::{Context, Result, anyhow};

use crate::record::schema::Record;

/// Reads a record.
///
/// # Errors
/// When there is no such file, or it is not a record.
pub fn record(path: &Path) -> Result<Record> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| shown.to_string())?;
    Record::parse(&text).map_err(|reason| {
        anyhow!("{shown} is not a record: {reason}; opsurge run --json FILE writes one")
    })
}
