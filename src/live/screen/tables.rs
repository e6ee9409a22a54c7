//! The table of steps and the list of failures, as lines of a given width. Pure.

use ratatui::style::{Modifier, Style};
use ratatui::text::Line;

use crate::metrics::interval::StepInterval;
use crate::text::units::{grouped, moment, percent, shortened, three_digits, time};

use super::history::History;
use super::keys::Span;
use super::state::State;

/// Columns of a fact about failures, with the space before it.
const FACT: usize = 10;
/// Least columns of a name; figures give way to it. A window of 60 columns has room for all figures of a step.
const NAME_MIN: usize = 16;

/// A column of the table of steps.
#[derive(Clone, Copy)]
struct Column {
    title: &'static str,
    /// Columns on the terminal, with the space before the figure.
    width: usize,
    /// Columns with a high rank are left out first in a narrow window.
    rank: usize,
    text: fn(&StepInterval, f64) -> String,
}

/// A rate to three digits; none is `0`.
pub fn shown_rate(per_s: f64) -> String {
    match per_s > 0.0 {
        true => three_digits(per_s),
        false => "0".into(),
    }
}

/// From left to right.
const COLUMNS: [Column; 5] = [
    Column {
        title: "req/s",
        width: 8,
        rank: 0,
        text: |step, length_s| match length_s > 0.0 {
            true => shown_rate(step.requests as f64 / length_s),
            false => "-".into(),
        },
    },
    Column {
        title: "failed",
        width: 11,
        rank: 1,
        text: |step, _| grouped(step.failures),
    },
    Column {
        title: "p50",
        width: 8,
        rank: 3,
        text: |step, _| percentile(step, 50.0),
    },
    Column {
        title: "p95",
        width: 8,
        rank: 4,
        text: |step, _| percentile(step, 95.0),
    },
    Column {
        title: "p99",
        width: 8,
        rank: 2,
        text: |step, _| percentile(step, 99.0),
    },
];

fn percentile(step: &StepInterval, percent: f64) -> String {
    match step.response.is_empty() {
        true => "-".into(),
        false => time(step.response.percentile_us(percent)),
    }
}

/// The table of steps, at most `rows` lines with its heading.
pub fn steps(state: &State, width: usize, rows: usize) -> Vec<Line<'static>> {
    let (steps, length_s) = match state.keys.span {
        Span::Window => state.shown.window(),
        Span::SoFar => state.shown.so_far(),
    };
    let title = match state.keys.span {
        Span::Window => "steps, last 10 s",
        Span::SoFar => "steps, so far",
    };
    let columns = fitting(width);
    let taken: usize = columns.iter().map(|column| column.width).sum();
    let name_width = width - taken.min(width);
    let heading = columns
        .iter()
        .map(|column| (column.title.to_owned(), column.width));
    let mut lines = vec![Line::styled(row(title, name_width, heading), bold())];
    let room = rows.saturating_sub(1);
    let (listed, left) = match state.about.steps.len() {
        all if all > room => (room.saturating_sub(1), all - room.saturating_sub(1)),
        all => (all, 0),
    };
    let nothing = StepInterval::default();
    for (index, name) in state.about.steps.iter().enumerate().take(listed) {
        let step = steps.get(index).unwrap_or(&nothing);
        let figures = columns
            .iter()
            .map(|column| ((column.text)(step, length_s), column.width));
        lines.push(Line::from(row(
            &fitted(name, name_width),
            name_width,
            figures,
        )));
    }
    if left > 0 && room > 0 {
        lines.push(Line::from(format!("and {left} more in a taller window")));
    }
    lines.truncate(rows);
    lines
}

/// Columns of the users of a kind, with the space before the figure.
const USERS: usize = 9;
/// Ranks of the columns of a kind: as for steps, without p50 and p95.
const KIND_RANKS: [usize; 3] = [0, 1, 2];

/// The kinds of users, at most `rows` lines with the heading; empty where there is only one kind, and with a single line.
pub fn kinds(state: &State, width: usize, rows: usize) -> Vec<Line<'static>> {
    let kinds = &state.about.kinds;
    if kinds.is_empty() || rows < 2 {
        return Vec::new();
    }
    let (steps, length_s) = match state.keys.span {
        Span::Window => state.shown.window(),
        Span::SoFar => state.shown.so_far(),
    };
    let columns = fitting(width.saturating_sub(USERS));
    let columns = columns
        .into_iter()
        .filter(|it| KIND_RANKS.contains(&it.rank));
    let columns: Vec<Column> = columns.collect();
    let taken: usize = columns.iter().map(|column| column.width).sum();
    let name_width = width - (taken + USERS).min(width);
    let users = ("users".to_owned(), USERS);
    let titles = columns.iter().map(|it| (it.title.to_owned(), it.width));
    let heading = std::iter::once(users).chain(titles);
    let title = match state.keys.span {
        Span::Window => "kinds, last 10 s",
        Span::SoFar => "kinds, so far",
    };
    let mut lines = vec![Line::styled(row(title, name_width, heading), bold())];
    let room = rows - 1;
    let (listed, left) = match kinds.len() {
        all if all > room => (room - 1, all - (room - 1)),
        all => (all, 0),
    };
    let present = state
        .shown
        .last()
        .map_or(&[][..], |it| &it.second.users_by_kind);
    for (at, (name, metrics)) in kinds.iter().enumerate().take(listed) {
        let mut sum = StepInterval::default();
        let own = steps.iter().take(metrics.end).skip(metrics.start);
        own.for_each(|step| sum += step);
        let users = (grouped(present.get(at).copied().unwrap_or(0)), USERS);
        let figures = columns
            .iter()
            .map(|it| ((it.text)(&sum, length_s), it.width));
        let figures = std::iter::once(users).chain(figures);
        lines.push(Line::from(row(name, name_width, figures)));
    }
    if left > 0 {
        lines.push(Line::from(format!("and {left} more in a taller window")));
    }
    lines
}

/// Lines that the table of kinds would take with all of them.
pub fn kinds_height(state: &State) -> usize {
    match state.about.kinds.len() {
        0 => 0,
        kinds => 1 + kinds,
    }
}

/// The columns that there is room for beside a name, from left to right.
fn fitting(width: usize) -> Vec<Column> {
    let room = width.saturating_sub(NAME_MIN);
    let taken = |ranks: usize| -> usize {
        let shown = COLUMNS.iter().filter(|column| column.rank < ranks);
        shown.map(|column| column.width).sum()
    };
    let ranks = (0..=COLUMNS.len())
        .rev()
        .find(|&ranks| taken(ranks) <= room);
    let columns = COLUMNS.into_iter();
    columns
        .filter(|column| column.rank < ranks.unwrap_or(0))
        .collect()
}

/// Lines that the table of steps would take with all of them.
pub fn steps_height(state: &State) -> usize {
    1 + state.about.steps.len()
}

/// A step's name in so many columns: the method and the end, where steps differ.
fn fitted(name: &str, width: usize) -> String {
    let length = name.chars().count();
    match name.split_once(' ') {
        Some((method, path)) if length > width && width > method.chars().count() + 4 => {
            let room = width - method.chars().count() - 3;
            let skipped = path.chars().count() - room.min(path.chars().count());
            let end: String = path.chars().skip(skipped).collect();
            // From the beginning of a part of the path, if that leaves enough.
            let part = end.find('/').filter(|at| *at < end.len() / 2);
            format!("{method} …{}", &end[part.unwrap_or(0)..])
        }
        _ => shortened(name, width),
    }
}

/// A name, and figures with their widths.
fn row(name: &str, name_width: usize, figures: impl Iterator<Item = (String, usize)>) -> String {
    let mut text = format!("{:name_width$}", shortened(name, name_width));
    figures.for_each(|(figure, width)| text += &format!("{figure:>width$}"));
    text
}

/// A column of the list of failures.
#[derive(Clone, Copy)]
enum Fact {
    Count,
    Recent,
    First,
    Last,
}

/// From left to right: title, rank, content. Columns of a high rank are left out first in a narrow window.
const FACTS: [(&str, usize, Fact); 4] = [
    ("count", 0, Fact::Count),
    ("last 10 s", 1, Fact::Recent),
    ("first", 3, Fact::First),
    ("last", 2, Fact::Last),
];

/// The failures by kind, at most `rows` lines with the heading; empty without a failure.
pub fn failures(history: &History, width: usize, rows: usize) -> Vec<Line<'static>> {
    let Some(tick) = history.last() else {
        return Vec::new();
    };
    let kinds = tick.failures.by_count();
    if kinds.is_empty() || rows < 2 {
        return Vec::new();
    }
    let recent = history.failures_in_window();
    let shown = width.saturating_sub(NAME_MIN) / FACT;
    let facts = FACTS.into_iter().filter(|(_, rank, _)| *rank < shown);
    let facts: Vec<(&str, usize, Fact)> = facts.collect();
    let name_width = width - (FACT * facts.len()).min(width);
    let heading = facts.iter().map(|(title, ..)| ((*title).to_owned(), FACT));
    let mut lines = vec![Line::styled(row("failures", name_width, heading), bold())];
    for (kind, count) in kinds.into_iter().take(rows - 1) {
        let seen = history.seen(kind);
        let at = |s: Option<f64>| s.map_or_else(|| "-".to_owned(), moment);
        let figure = |fact: Fact| match fact {
            Fact::Count => grouped(count),
            Fact::Recent => grouped(recent[kind]),
            Fact::First => at(seen.map(|seen| seen.first_s)),
            Fact::Last => at(seen.map(|seen| seen.last_s)),
        };
        let figures = facts.iter().map(|(_, _, fact)| (figure(*fact), FACT));
        lines.push(Line::from(row(kind.name(), name_width, figures)));
    }
    lines
}

/// Lines that the list of failures would take with all kinds.
pub fn failures_height(history: &History) -> usize {
    match history
        .last()
        .map_or(0, |tick| tick.failures.by_count().len())
    {
        0 => 0,
        kinds => 1 + kinds,
    }
}

fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

/// `0.12 %` of the requests.
pub fn share(part: u64, whole: u64) -> String {
    percent(part as f64 / whole.max(1) as f64)
}
