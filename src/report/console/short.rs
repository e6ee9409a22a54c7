//! The short form: everything that went wrong, and one table; 30 lines of 80 columns for three endpoints.

use super::failures::{self, Examples};
use super::page::Page;
use super::verdict::{self, is_valid};
use super::{
    endpoints, generator, goals, kinds, levels, load, once, parts, rules, slice, spread, stand_in,
    tls, totals, waits, watched,
};
use crate::record::schema::Record;

/// Lines of a report on three endpoints at [`COLUMNS`] columns. Each further endpoint or level has a line of its own, and
/// so has everything that is watched.
const LINES_MAX: usize = 30;
const COLUMNS: usize = 80;
const ENDPOINTS: usize = 3;
/// Entries of each list that are shown, most first: failures, findings of the verdict, rules that held, polls, spans.
/// With 0, one failure and one finding are left, and nothing that went well.
const LISTED: [usize; 7] = [20, 5, 4, 3, 2, 1, 0];
/// With fewer entries than this, a failure whose cause is known has no example.
const LISTED_WITH_EXAMPLES: usize = 5;

/// The report with the longest lists that leave it as short as it has to be.
pub(super) fn text(
    record: &Record,
    page: &dyn Fn() -> Page,
    is_quiet: bool,
    files: &[String],
) -> String {
    let further = record.steps.len().saturating_sub(ENDPOINTS);
    let levels = record
        .search
        .as_ref()
        .map_or(0, |search| search.levels.len());
    // A narrow page needs more lines for the same words.
    let narrowness = COLUMNS.div_ceil(page().width());
    let kinds = match record.kinds.len() {
        0 => 0,
        kinds => kinds + 2,
    };
    let beside = kinds + spread::lines(record) + watched::count(record) * narrowness;
    let lines_max = LINES_MAX * narrowness + further + levels + beside;
    let texts = LISTED.map(|listed| {
        let mut page = page();
        write(&mut page, record, listed, is_quiet, files);
        page.finish()
    });
    let is_short = |text: &&String| text.lines().count() <= lines_max;
    let [.., shortest] = &texts;
    texts.iter().find(is_short).unwrap_or(shortest).clone()
}

fn write(page: &mut Page, record: &Record, listed: usize, is_quiet: bool, files: &[String]) {
    failures::end_of_run(page, record);
    let (causes, others) = failures::by_cause(record);
    let failures_max = listed.max(1);
    let first = causes.len().min(failures_max);
    let second = others.len().min(failures_max - first);
    let examples = match listed >= LISTED_WITH_EXAMPLES {
        true => Examples::Always,
        false => Examples::WithoutHint,
    };
    failures::lines(page, record, &causes[..first], examples);
    if !is_valid(record) {
        verdict::paragraph(page, record, listed.max(1));
    }
    failures::lines(page, record, &others[..second], examples);
    failures::rest(page, causes[first..].iter().chain(&others[second..]));
    if is_quiet {
        if is_valid(record) {
            verdict::paragraph(page, record, 1);
        }
        levels::result(page, record);
        totals::line(page, record);
        slice::line(page, record);
        parts::lines(page, record);
        once::lines(page, record);
        load::arrivals(page, record);
        rules::lines(page, record, listed);
        goals::lines(page, record);
        stand_in::short(page, record);
        return files.iter().for_each(|file| page.unbroken(file));
    }
    page.blank();
    levels::result(page, record);
    page.blank();
    totals::line(page, record);
    totals::conditions(page, record);
    slice::line(page, record);
    parts::lines(page, record);
    once::lines(page, record);
    tls::short(page, record);
    generator::small_reserve(page, record);
    load::arrivals(page, record);
    page.blank();
    spread::section(page, record);
    page.blank();
    levels::table(page, record);
    page.blank();
    endpoints::table(page, record);
    kinds::table(page, record);
    if listed > 0 {
        page.blank();
    }
    waits::polls(page, record, listed);
    waits::spans(page, record, listed);
    watched::lines(page, record);
    rules::lines(page, record, listed);
    goals::lines(page, record);
    slice::warm_up(page, record);
    stand_in::short(page, record);
    files.iter().for_each(|file| page.unbroken(file));
}
