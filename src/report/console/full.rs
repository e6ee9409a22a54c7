//! The full form: all figures of the record, in tables that go on below where they are wider than the page.

use super::failures::{self, Examples};
use super::page::Page;
use super::verdict::{self, is_valid};
use super::{
    details, generator, goals, kinds, levels, load, once, parts, rules, slice, spread, stand_in,
    tls, totals, waits, watched,
};
use crate::record::schema::Record;

/// Lists are shown whole.
const ALL: usize = usize::MAX;

pub(super) fn text(record: &Record, mut page: Page, is_quiet: bool, files: &[String]) -> String {
    if !is_quiet {
        totals::header(&mut page, record);
        page.blank();
    }
    failures::end_of_run(&mut page, record);
    let (causes, others) = failures::by_cause(record);
    failures::lines(&mut page, record, &causes, Examples::Never);
    if !is_valid(record) {
        verdict::paragraph(&mut page, record, ALL);
    }
    failures::lines(&mut page, record, &others, Examples::Never);
    if is_valid(record) {
        verdict::paragraph(&mut page, record, ALL);
    }
    generator::doubtful(&mut page, record);
    page.blank();
    totals::line(&mut page, record);
    slice::line(&mut page, record);
    parts::lines(&mut page, record);
    once::lines(&mut page, record);
    tls::full(&mut page, record);
    generator::calibration(&mut page, record);
    load::arrivals(&mut page, record);
    rules::lines(&mut page, record, ALL);
    goals::lines(&mut page, record);
    slice::warm_up(&mut page, record);
    page.blank();
    spread::section(&mut page, record);
    page.blank();
    levels::result(&mut page, record);
    levels::table(&mut page, record);
    if !is_quiet {
        details::requests(&mut page, record);
        kinds::table(&mut page, record);
        details::response_times(&mut page, record);
        details::clocks(&mut page, record);
        page.blank();
        waits::polls(&mut page, record, ALL);
        waits::spans_table(&mut page, record);
        watched::table(&mut page, record);
    }
    page.blank();
    details::errors(&mut page, record);
    page.blank();
    stand_in::full(&mut page, record);
    files.iter().for_each(|file| page.unbroken(file));
    page.finish()
}
