//! The record inside the page, as a link that saves it.
//!
//! A short record is there as it is, a longer one gzipped. The histograms of a busy run's seconds are megabytes, which do
//! not compress again: then the copy has fewer and longer samples, and the page says so.

use std::io::Write;

use anyhow::{Result, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use maud::{Markup, html};

use super::shell::section as framed;
use crate::record::longer_samples::with_longer_samples;
use crate::record::schema::Record;
use crate::text::units::{bytes, counted};

/// Records up to this size are not compressed.
const PLAIN_BYTES_MAX: usize = 48_000;
/// Samples are joined until the copy fits, each time by so much more.
const GROWTH: f64 = 1.3;

/// A record in a page.
struct Copy {
    /// What the browser saves it as.
    name: &'static str,
    uri: String,
    /// Samples of the record in each of the copy.
    neighbours: usize,
}

/// The section; `side` stands before its id and the name of the file. The link takes no more than `bytes_max`, unless a record without its seconds is longer than that.
///
/// # Errors
/// When a histogram of the record was damaged.
pub(super) fn section(side: &str, record: &Record, bytes_max: usize) -> Result<Markup> {
    let copy = copy(record, bytes_max)?;
    let name = format!("{side}{}", copy.name);
    let content = html! {
        p {
            a.download download=(name) href=(copy.uri) { "Save " (name) }
            " (" (bytes(copy.uri.len() as u64 * 3 / 4)) ") – "
            code { "opsurge report " (name) } " makes every report again."
        }
        @if copy.neighbours > 1 {
            p.note {
                "To keep this page small, " (counted(copy.neighbours as u64, "sample"))
                " are joined into one in this copy; totals and distributions are whole. "
                "The file that " code { "--json" } " wrote has every second."
            }
        }
    };
    Ok(framed(&format!("{side}record"), "The record", &content))
}

fn copy(record: &Record, bytes_max: usize) -> Result<Copy> {
    let json = text(record);
    if json.len() <= PLAIN_BYTES_MAX {
        return Ok(Copy {
            name: "record.json",
            uri: format!("data:application/json;base64,{}", STANDARD.encode(json)),
            neighbours: 1,
        });
    }
    let series_bytes = series_bytes(record);
    // Packed histograms do not compress again; joined ones take less than the sum of theirs, so this is a first guess.
    let mut neighbours = (series_bytes / bytes_max.max(1)).max(1);
    loop {
        let uri = match neighbours {
            1 => gzipped(&json),
            _ => gzipped(&text(&shortened(record, neighbours)?)),
        };
        if uri.len() <= bytes_max || neighbours >= record.series.len() {
            return Ok(Copy {
                name: "record.json.gz",
                uri,
                neighbours,
            });
        }
        let excess = (uri.len() as f64 / bytes_max.max(1) as f64).clamp(GROWTH, 4.0);
        neighbours = (neighbours as f64 * excess).ceil() as usize;
    }
}

fn shortened(record: &Record, neighbours: usize) -> Result<Record> {
    with_longer_samples(record, neighbours)
        .map_err(|reason| anyhow!("the record's series: {reason}"))
}

fn text(record: &Record) -> String {
    serde_json::to_string(record).expect("all its keys are texts")
}

/// About how much of a record its histograms of seconds are.
fn series_bytes(record: &Record) -> usize {
    let steps = record.series.iter().flat_map(|sample| &sample.steps);
    let own: usize = steps
        .map(|step| step.response.len() + step.service.len())
        .sum();
    own + record.runs.iter().map(series_bytes).sum::<usize>()
}

fn gzipped(json: &str) -> String {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let bytes = encoder
        .write_all(json.as_bytes())
        .and_then(|()| encoder.finish())
        .expect("a vector takes everything");
    format!("data:application/gzip;base64,{}", STANDARD.encode(bytes))
}
