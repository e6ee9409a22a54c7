//! The kinds of users: a row each.

use super::figures::{Figures, Which, number_cell, time_columns, unit_of};
use super::page::Page;
use super::table::{Align, Column, Table};
use crate::record::schema::{KindRecord, Record};
use crate::text::units::grouped;

const TIMES: [(u8, &str, Which); 4] = [
    (4, "p50", Which::Percentile(50.0)),
    (5, "p95", Which::Percentile(95.0)),
    (3, "p99", Which::Percentile(99.0)),
    (6, "max", Which::Max),
];

/// Nothing where there is only one kind.
pub(super) fn table(page: &mut Page, record: &Record) {
    let kinds = &record.kinds;
    if kinds.is_empty() {
        return;
    }
    let column = |rank: u8, head: &str, cell: &dyn Fn(&KindRecord) -> String| {
        Column::new(rank, Align::Right, head, kinds.iter().map(cell))
    };
    let names = kinds.iter().map(|kind| kind.name.clone());
    let mut columns = vec![Column::new(0, Align::Left, "users", names)];
    // A slice does not know them.
    if kinds.iter().all(|kind| kind.users.is_some()) {
        let whole = |number: Option<u64>| number.map(grouped).unwrap_or_default();
        columns.push(column(0, "came", &|kind| whole(kind.users)));
        columns.push(column(1, "iterations", &|kind| whole(kind.iterations)));
    }
    columns.extend([
        column(0, "requests", &|kind| grouped(kind.requests)),
        column(0, "failed", &|kind| grouped(kind.failures)),
        column(2, "req/s", &|kind| number_cell(kind.rps)),
    ]);
    let times: Vec<Figures<'_>> = kinds.iter().map(Figures::kind).collect();
    columns.extend(time_columns(&times, &TIMES, unit_of(&times, &TIMES)));
    page.blank();
    Table::new(columns).show_what_fits(page);
}
