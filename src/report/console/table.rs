//! Tables as wide as the page: fewer columns, or the rest of the columns below.
//!
//! The first column names the rows. A name that is too long for it stands on a line of its own, above its values.

use super::page::Page;
use crate::text::columns::{columns, shortened};
use crate::text::printable::in_one_line;

/// A name longer than this share of the page stands on a line of its own.
const NAME_SHARE: f64 = 0.5;
/// Blanks between columns, where they leave room for all columns up to the rank [`BASE`]; else ...
const GAP: usize = 2;
/// ... so many, and no column above that rank.
const GAP_TIGHT: usize = 1;
/// Columns up to this rank are those of a page of 80 columns.
const BASE: u8 = 9;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// A column with a cell for each row.
pub(super) struct Column {
    head: String,
    cells: Vec<String>,
    align: Align,
    /// In which order columns get room, 0 first and always.
    rank: u8,
    /// The same in more detail, with a rank of its own.
    in_detail: Option<(u8, Vec<String>)>,
}

impl Column {
    pub fn new(
        rank: u8,
        align: Align,
        head: impl Into<String>,
        cells: impl IntoIterator<Item = String>,
    ) -> Self {
        Self {
            head: head.into(),
            cells: cells.into_iter().map(|cell| in_one_line(&cell)).collect(),
            align,
            rank,
            in_detail: None,
        }
    }

    pub fn in_detail(mut self, rank: u8, cells: impl IntoIterator<Item = String>) -> Self {
        let cells = cells.into_iter().map(|cell| in_one_line(&cell)).collect();
        self.in_detail = Some((rank, cells));
        self
    }

    fn cells(&self, shown: Shown) -> &[String] {
        match (shown, &self.in_detail) {
            (Shown::InDetail, Some((_, cells))) => cells,
            _ => &self.cells,
        }
    }

    /// Columns of the page that it takes.
    fn width(&self, shown: Shown) -> usize {
        let cells = self.cells(shown).iter().map(|cell| columns(cell));
        cells.max().unwrap_or(0).max(columns(&self.head))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Not,
    Briefly,
    InDetail,
}

/// A table; its first column names the rows.
pub(super) struct Table {
    columns: Vec<Column>,
}

/// Columns as they are shown.
struct Layout {
    shown: Vec<Shown>,
    gap: usize,
    name_width: usize,
}

impl Table {
    pub fn new(columns: Vec<Column>) -> Self {
        Self { columns }
    }

    /// Shows the columns that there is room for, by their rank.
    pub fn show_what_fits(&self, page: &mut Page) {
        let roomy = self.layout(page.width(), GAP, u8::MAX);
        let mut columns = self.columns.iter().zip(&roomy.shown);
        let has_base = columns.all(|(column, shown)| column.rank > BASE || *shown != Shown::Not);
        match has_base {
            true => self.show(page, &roomy),
            false => self.show(page, &self.layout(page.width(), GAP_TIGHT, BASE)),
        }
    }

    /// Shows all columns, those that do not fit beside the others in tables below.
    pub fn show_all(&self, page: &mut Page) {
        let mut next = 1;
        while next < self.columns.len() {
            let mut layout = self.no_column(page.width(), GAP);
            let begin = next;
            while next < self.columns.len() {
                layout.shown[next] = Shown::Briefly;
                if self.width(&layout) > page.width() {
                    if next > begin {
                        layout.shown[next] = Shown::Not;
                        break;
                    }
                    layout.name_width = 0;
                }
                next += 1;
            }
            if begin > 1 {
                page.blank();
            }
            self.show(page, &layout);
        }
    }

    fn no_column(&self, width: usize, gap: usize) -> Layout {
        let mut shown = vec![Shown::Not; self.columns.len()];
        shown[0] = Shown::Briefly;
        let name_width_max = (width as f64 * NAME_SHARE) as usize;
        let names = self.columns[0].cells.iter().map(|name| columns(name));
        let names = names.filter(|width| *width <= name_width_max);
        let head = columns(&self.columns[0].head);
        Layout {
            shown,
            gap,
            name_width: names.max().unwrap_or(0).max(head),
        }
    }

    fn layout(&self, width: usize, gap: usize, rank_max: u8) -> Layout {
        let mut layout = self.no_column(width, gap);
        let mut steps: Vec<(u8, usize, Shown)> = Vec::new();
        for (index, column) in self.columns.iter().enumerate() {
            if index > 0 {
                steps.push((column.rank, index, Shown::Briefly));
            }
            if let Some((rank, _)) = column.in_detail {
                steps.push((rank, index, Shown::InDetail));
            }
        }
        steps.retain(|(rank, ..)| *rank <= rank_max);
        steps.sort_by_key(|(rank, ..)| *rank);
        for (rank, index, shown) in steps {
            let before = (layout.shown[index], layout.name_width);
            if shown == Shown::InDetail && before.0 == Shown::Not {
                continue;
            }
            layout.shown[index] = shown;
            if index == 0 {
                layout.name_width = self.columns[0].width(shown);
            }
            if rank == 0 && self.width(&layout) > width {
                // All names on lines of their own.
                layout.name_width = 0;
            } else if self.width(&layout) > width {
                (layout.shown[index], layout.name_width) = before;
            }
        }
        layout
    }

    fn width(&self, layout: &Layout) -> usize {
        let shown = self.columns.iter().zip(&layout.shown).skip(1);
        let shown = shown.filter(|(_, shown)| **shown != Shown::Not);
        let widths = shown.map(|(column, shown)| column.width(*shown) + layout.gap);
        layout.name_width + widths.sum::<usize>()
    }

    fn show(&self, page: &mut Page, layout: &Layout) {
        let gap = " ".repeat(layout.gap);
        let line = |name: &str, cell: &dyn Fn(&Column, Shown) -> String| {
            let mut line = padded(name, layout.name_width, self.columns[0].align);
            for (column, shown) in self.columns.iter().zip(&layout.shown).skip(1) {
                if *shown != Shown::Not {
                    line += &gap;
                    line += &padded(&cell(column, *shown), column.width(*shown), column.align);
                }
            }
            line
        };
        let fits = |name: &str| columns(name) <= layout.name_width;
        let head = &self.columns[0].head;
        page.row(&line(if fits(head) { head } else { "" }, &|column, _| {
            column.head.clone()
        }));
        for (row, name) in self.columns[0].cells(layout.shown[0]).iter().enumerate() {
            let cell = |column: &Column, shown: Shown| column.cells(shown)[row].clone();
            match fits(name) {
                true => page.row(&line(name, &cell)),
                false => {
                    page.row(&shortened(name, page.width()));
                    page.row(&line("", &cell));
                }
            }
        }
    }
}

fn padded(text: &str, width: usize, align: Align) -> String {
    let blanks = " ".repeat(width.saturating_sub(columns(text)));
    match align {
        Align::Left => format!("{text}{blanks}"),
        Align::Right => format!("{blanks}{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(rank: u8, head: &str, cells: [&str; 2]) -> Column {
        Column::new(rank, Align::Right, head, cells.map(str::to_owned))
    }

    fn table() -> Table {
        let names = ["POST …/orders/lines", "GET …/state"].map(str::to_owned);
        let names_whole = ["POST /v1/orders/lines", "GET /v1/state"].map(str::to_owned);
        Table::new(vec![
            Column::new(0, Align::Left, "endpoint", names).in_detail(12, names_whole),
            column(0, "requests", ["39", "1,450"]),
            column(3, "p50 ms", ["0.460", "1.2"]),
            column(1, "p99 ms", ["24.6", "79.7"]),
            column(11, "max ms", ["27.9", "127"]),
        ])
    }

    fn shown(width: usize, show: fn(&Table, &mut Page)) -> String {
        let mut page = Page::new(width, false);
        show(&table(), &mut page);
        page.finish()
    }

    #[test]
    fn a_wider_page_shows_more_columns_and_longer_names() {
        let heads = |width| {
            let text = shown(width, Table::show_what_fits);
            let head = text.lines().next().expect("a head").to_owned();
            head.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(heads(26), "endpoint requests");
        assert_eq!(heads(39), "endpoint requests p99 ms");
        assert_eq!(heads(50), "endpoint requests p50 ms p99 ms");
        assert_eq!(heads(60), "endpoint requests p50 ms p99 ms max ms");
        assert_eq!(
            shown(60, Table::show_what_fits),
            "\
endpoint               requests  p50 ms  p99 ms  max ms
POST /v1/orders/lines        39   0.460    24.6    27.9
GET /v1/state             1,450     1.2    79.7     127
"
        );
    }

    #[test]
    fn a_name_that_is_too_long_stands_above_its_values() {
        assert_eq!(
            shown(30, Table::show_what_fits),
            "\
endpoint    requests p99 ms
POST …/orders/lines
                  39   24.6
GET …/state    1,450   79.7
"
        );
    }

    #[test]
    fn columns_without_room_come_in_a_table_below() {
        let text = shown(40, Table::show_all);
        for head in ["requests", "p50 ms", "p99 ms", "max ms"] {
            assert_eq!(text.matches(head).count(), 1, "{text}");
        }
        assert_eq!(text.matches("POST …/orders/lines").count(), 2, "{text}");
        assert!(text.lines().all(|line| columns(line) <= 40), "{text}");
    }
}
