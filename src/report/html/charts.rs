//! The charts of a record, in the order of the page: of a whole run, or of a run so far.

use anyhow::Result;

use super::chart::{Abscissae, Chart};
use super::curve;
use super::heat;
use super::levels;
use super::over_time;
use super::run::Run;
use super::watched;
use crate::record::schema::Record;

/// The charts of a record, and what they share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charts {
    /// JSON: the places of the values on the horizontal axes; element `abscissae` of the page.
    pub abscissae: String,
    /// In the order of the page.
    pub charts: Vec<Chart>,
}

/// Draws all charts of a record. The page has each chart's markup, and its values as element `ID-values`; the live page
/// replaces both once a second.
///
/// # Errors
/// When the record was changed by hand and holds a histogram that cannot be read.
pub fn charts(record: &Record) -> Result<Charts> {
    let run = Run::new(record, "time")?;
    let mut abscissae = Abscissae::default();
    run.push_abscissae(&mut abscissae);
    let mut pictures = vec![
        over_time::rates(&run),
        over_time::times(&run),
        heat::picture(&run),
        curve::picture(record, &mut abscissae)?,
        over_time::users(&run),
        over_time::generator(&run),
    ];
    pictures.extend(watched::pictures(&run));
    if let Some(search) = &record.search {
        pictures.extend(levels::pictures(search, &mut abscissae));
    }
    Ok(Charts {
        abscissae: abscissae.json(),
        charts: pictures.iter().map(super::chart::Picture::chart).collect(),
    })
}
