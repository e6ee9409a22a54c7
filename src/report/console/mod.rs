//! What a person sees at the end of a run: what failed, whether to believe the rest, the figures.
//!
//! Reading order: `short` and `full`, the two forms; their parts in the order of the page: `failures`,
//! `verdict`, `slice` (what the figures are of), `totals`, `parts` (of a merged record), `once` (setup and teardown), `tls`, `generator`, `load`, `levels`
//! (of a search), `endpoints`, `kinds` (of users), `details`, `waits`, `watched`, `rules`, `goals`, `stand_in`; [`spread`], several runs of one
//! job; [`compare`], the page of two runs. Under them: `page` (lines), `table`, `figures` (times), `names`.

pub mod compare;
mod details;
mod endpoints;
pub(super) mod failures;
pub(super) mod figures;
mod full;
pub(super) mod generator;
pub(super) mod goals;
mod kinds;
mod levels;
pub(super) mod load;
pub(super) mod names;
mod once;
mod page;
pub(super) mod parts;
mod rules;
mod short;
pub(super) mod slice;
pub mod spread;
mod stand_in;
mod table;
pub(super) mod tls;
pub(super) mod totals;
mod verdict;
mod waits;
pub(super) mod watched;

use anyhow::Result;

use super::output::{Output, Report};
use crate::record::schema::Record;

/// Width of a report that does not go to a terminal, in columns.
pub const WIDTH: usize = 80;

/// How much is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// What went wrong and one table: a screen.
    #[default]
    Short,
    /// Everything that the record has in figures.
    Full,
}

/// The report for a person at a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console {
    /// How much is shown.
    pub form: Form,
    /// Columns. No line is longer, but for those of `files`.
    pub width: usize,
    /// With ANSI colours, which never say anything that the words do not.
    pub colour: bool,
    /// Only what went wrong: failures, verdict, rules, errors.
    pub quiet: bool,
    /// Lines that say where other reports of the run were written.
    pub files: Vec<String>,
}

impl Default for Console {
    /// As it is printed to a file.
    fn default() -> Self {
        Self {
            form: Form::Short,
            width: WIDTH,
            colour: false,
            quiet: false,
            files: Vec::new(),
        }
    }
}

impl Console {
    /// The whole text, with a newline at its end.
    pub fn text(&self, record: &Record) -> String {
        let page = || page::Page::new(self.width, self.colour);
        match self.form {
            Form::Short => short::text(record, &page, self.quiet, &self.files),
            Form::Full => full::text(record, page(), self.quiet, &self.files),
        }
    }
}

impl Report for Console {
    fn outputs(&self, record: &Record) -> Result<Vec<Output>> {
        Ok(vec![Output {
            suffix: "",
            bytes: self.text(record).into_bytes(),
        }])
    }
}

#[cfg(test)]
mod tests;
