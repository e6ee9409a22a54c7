//! A record with its series unpacked: what the charts over time are made of.

use anyhow::Result;

use super::axis::Axis;
use super::bands;
use super::chart::{Abscissae, Band, Line, Table};
use super::columns::{self, COLUMNS_MAX, Column, ROWS_MAX};
use super::drawing::Style;
use crate::record::schema::Record;
use crate::text::units::moment;

/// A record and its series.
pub(super) struct Run<'r> {
    pub record: &'r Record,
    /// At most [`COLUMNS_MAX`].
    pub columns: Vec<Column>,
    /// The same in at most [`ROWS_MAX`].
    pub rows: Vec<Column>,
    /// Stretches that charts over time mark.
    pub bands: Vec<Band>,
    /// Name of its abscissae.
    pub abscissae: &'static str,
}

impl<'r> Run<'r> {
    /// Unpacks the series.
    ///
    /// # Errors
    /// When a histogram of the record was damaged.
    pub fn new(record: &'r Record, abscissae: &'static str) -> Result<Self> {
        let columns = columns::of(record)?;
        Ok(Self {
            record,
            rows: columns::joined(&columns, ROWS_MAX)
                .into_iter()
                .filter(|row| !row.is_pause)
                .collect(),
            bands: bands::of(record, &columns),
            columns,
            abscissae,
        })
    }

    /// End of the series, in seconds since the start.
    pub fn end_s(&self) -> f64 {
        self.columns.last().map_or(0.0, |last| last.to_s)
    }

    /// Begin of the charts over time: 0, or that of a part of the run.
    pub fn begin_s(&self) -> f64 {
        let slice = self.record.slice.as_ref();
        let is_cut = slice.is_some_and(|slice| !slice.settled);
        let first = self.columns.first().filter(|_| is_cut);
        first.map_or(0.0, |first| first.from_s)
    }

    /// A chart's axis that has the whole run.
    pub fn time_axis(&self) -> Axis {
        Axis::moments(self.begin_s(), self.end_s())
    }

    /// Adds the edges of the columns.
    pub fn push_abscissae(&self, abscissae: &mut Abscissae) {
        let first = self.columns.first().map(|first| first.from_s);
        let ends = self.columns.iter().map(|column| column.to_s);
        abscissae.push_edges(self.abscissae, first.into_iter().chain(ends));
    }

    /// A line over time: each value lies in the middle of its column.
    pub fn line(
        &self,
        name: String,
        (style, colour): (Style, usize),
        value: impl Fn(&Column) -> Option<f64>,
    ) -> Line {
        let columns = self.columns.iter();
        Line {
            name,
            hidden: None,
            style,
            colour,
            abscissae: self.abscissae,
            points: columns
                .map(|column| (f64::midpoint(column.from_s, column.to_s), value(column)))
                .collect(),
        }
    }

    /// The rows behind a chart over time; the first cell is the stretch.
    pub fn table(&self, heads: &[&str], cells: impl Fn(&Column) -> Vec<String>) -> Table {
        let heads = ["from", "to"].iter().chain(heads);
        let row = |column: &Column| {
            let stretch = [moment(column.from_s), moment(column.to_s)];
            stretch.into_iter().chain(cells(column)).collect()
        };
        Table {
            heads: heads.map(|head| (*head).to_owned()).collect(),
            rows: self.rows.iter().map(row).collect(),
            note: match self.rows.len() < self.record.series.len() {
                true => {
                    "Several seconds are joined in a row; percentiles are of all their requests."
                        .into()
                }
                false => String::new(),
            },
        }
    }

    /// What a column of the charts over time is.
    pub fn resolution(&self) -> String {
        match self.record.series.len() > COLUMNS_MAX {
            true => format!(
                " A point is {} long, its percentiles are of all its requests.",
                moment(self.columns.first().map_or(0.0, Column::length_s))
            ),
            false => String::new(),
        }
    }
}
