//! The state drawn into a frame of any size: what there is no room for is left out, the least important first. Pure.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph, Wrap};

use crate::metrics::seconds::Status;
use crate::metrics::tick::Tick;
use crate::text::duration;
use crate::text::units::{counted, grouped, level, shortened, time};

use super::charts;
use super::state::State;
use super::tables;

/// Least lines of the charts; with fewer they are left out.
const CHART_LINES_MIN: u16 = 5;
/// Columns from which the two charts stand side by side.
const BOTH_CHARTS_COLUMNS: u16 = 76;
/// Most lines of the failures while the charts want room.
const FAILURE_LINES: u16 = 5;

/// Least lines of both tables; with fewer there are the steps alone.
const TABLE_LINES_MIN: u16 = 6;

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, state: &State) {
    let area = frame.area();
    let width = usize::from(area.width);
    if area.height < 4 || area.width < 20 {
        frame.render_widget(Paragraph::new("the window is too small"), area);
        return;
    }
    let mut head = vec![title(state, width)];
    head.extend(figures(state, width));
    let head_lines = (head.len() as u16).min(area.height - 2);
    let (top, rest) = split_top(area, head_lines);
    frame.render_widget(Paragraph::new(head), top);
    let (rest, foot) = split_bottom(rest, 1);
    frame.render_widget(footer(state, width), foot);

    let rows = tables::steps_height(state) + tables::kinds_height(state);
    let steps_wanted = (rows as u16).saturating_add(1);
    let failures_wanted = (tables::failures_height(&state.shown) as u16).min(FAILURE_LINES);
    let left = rest.height.saturating_sub(steps_wanted + failures_wanted);
    let chart_lines = match left >= CHART_LINES_MIN {
        true => left,
        // Many steps leave half of the window to the charts, if that is enough for them.
        false => match rest.height / 2 {
            half if half >= CHART_LINES_MIN + 3 => half,
            // The figures alone.
            _ => left.min(1),
        },
    };
    let (chart_area, tables_area) = split_top(rest, chart_lines);
    draw_charts(frame, chart_area, state);
    draw_tables(frame, tables_area, state);
    if state.keys.is_help {
        draw_help(frame, area, state);
    }
}

fn draw_charts(frame: &mut Frame<'_>, area: Rect, state: &State) {
    if area.height == 0 {
        return;
    }
    if area.width < BOTH_CHARTS_COLUMNS {
        let half = area.height / 2;
        let (first, second) = match half >= CHART_LINES_MIN {
            true => split_top(area, half),
            false => split_top(area, area.height),
        };
        charts::response(frame, first, state);
        charts::rates(frame, second, state);
        return;
    }
    let left = area.width * 3 / 5;
    let response = Rect {
        width: left - 1,
        ..area
    };
    let rates = Rect {
        x: area.x + left + 1,
        width: area.width - left - 1,
        ..area
    };
    charts::response(frame, response, state);
    charts::rates(frame, rates, state);
}

/// The kinds of users, the steps, then the failures; with too little room for both the failures keep two lines, and with hardly any none.
fn draw_tables(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let width = usize::from(area.width);
    let (all_steps, all_failures) = (
        tables::steps_height(state) as u16,
        tables::failures_height(&state.shown) as u16,
    );
    let all_kinds = (tables::kinds_height(state) as u16).min(area.height / 3);
    let failure_lines = match area.height.saturating_sub(all_steps + all_kinds) {
        _ if all_failures == 0 || area.height < TABLE_LINES_MIN => 0,
        room => all_failures.min(room.max(2)),
    };
    let (area, failures_area) = split_bottom(area, failure_lines);
    // The steps keep half of what is left, or all their lines.
    let kind_lines = (tables::kinds_height(state) as u16)
        .min(area.height.saturating_sub(all_steps).max(area.height / 2));
    let kinds = tables::kinds(state, width, usize::from(kind_lines));
    let (kinds_area, steps_area) = split_top(area, kinds.len() as u16);
    frame.render_widget(Paragraph::new(kinds), kinds_area);
    let steps = tables::steps(state, width, usize::from(steps_area.height));
    frame.render_widget(Paragraph::new(steps), steps_area);
    let failures = tables::failures(&state.shown, width, usize::from(failure_lines));
    frame.render_widget(Paragraph::new(failures), failures_area);
}

/// `opsurge  workflow on http://127.0.0.1:8000            12 s of 1m, 48 s left`.
fn title(state: &State, width: usize) -> Line<'static> {
    let clock = clock(state);
    let name_width = width.saturating_sub(clock.chars().count() + 2);
    let name = format!("{} on {}", state.about.scenario, state.about.target);
    let name = shortened(&name, name_width);
    Line::from(vec![
        Span::styled(format!("{name:name_width$}"), bold()),
        Span::raw(format!("  {clock}")),
    ])
}

/// Time passed, and time left.
fn clock(state: &State) -> String {
    let Some(tick) = state.shown.last() else {
        return "starting".into();
    };
    let passed_s = tick.end_ns as f64 / 1e9;
    let load_s = |from_ns: u64| tick.end_ns.saturating_sub(from_ns) as f64 / 1e9;
    match (state.about.run_time_s, tick.load_from_ns) {
        _ if tick.second.is_drain => format!("{passed_s:.0} s, draining"),
        (Some(all_s), Some(from_ns)) => {
            let left_s = (all_s - load_s(from_ns)).max(0.0).ceil();
            format!("{passed_s:.0} s, {} left", shown_s(left_s))
        }
        (_, None) => format!("{passed_s:.0} s, preparing"),
        (None, Some(_)) => format!("{passed_s:.0} s"),
    }
}

/// Whole seconds: `48s`, `17m 12s`.
fn shown_s(s: f64) -> String {
    duration::show(Duration::from_secs(s as u64))
}

/// Users, rate, failures, open requests, level and verdicts, as many lines as the width needs.
fn figures(state: &State, width: usize) -> Vec<Line<'static>> {
    let Some(tick) = state.shown.last() else {
        return vec![Line::from("no second is over yet"), Line::default()];
    };
    let mut lines = flowed(&parts(state, tick), width);
    lines.push(verdicts(state, tick, width));
    lines
}

fn parts(state: &State, tick: &Tick) -> Vec<String> {
    let last = state.shown.last_second();
    let requests: u64 = tick.so_far.iter().map(|step| step.requests).sum();
    let failed: u64 = tick
        .failures
        .by_count()
        .iter()
        .map(|(_, count)| count)
        .sum();
    let second = &tick.second;
    let mut parts = Vec::new();
    parts.extend(tick.level.map(|at| format!("level {}", level(at))));
    parts.push(counted(second.users, "user"));
    parts.extend(last.map(|last| format!("{} req/s", tables::shown_rate(last.per_s))));
    parts.push(format!("{} requests", grouped(requests)));
    parts.push(match failed {
        0 => "no failures".into(),
        failed => format!(
            "{} ({})",
            counted(failed, "failure"),
            tables::share(failed, requests)
        ),
    });
    parts.push(match second.in_flight {
        0 => "0 open".into(),
        open => format!(
            "{} open, oldest {}",
            grouped(open),
            time(second.oldest_ns as f64 / 1e3)
        ),
    });
    let arrivals = second.arrivals;
    if arrivals.waiting + arrivals.dropped > 0 {
        parts.push(format!(
            "{} waiting, {} dropped",
            grouped(arrivals.waiting),
            grouped(arrivals.dropped)
        ));
    }
    parts
}

/// Joins parts with two spaces, and begins a new line where the next one does not fit.
fn flowed(parts: &[String], width: usize) -> Vec<Line<'static>> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        let part = shortened(part, width);
        match lines.last_mut() {
            Some(line) if line.chars().count() + 3 + part.chars().count() <= width => {
                *line += &format!("   {part}");
            }
            _ => lines.push(part),
        }
    }
    lines.into_iter().map(Line::from).collect()
}

/// The verdicts on the last ten seconds and on the run so far; `paused` while the display stands still.
fn verdicts(state: &State, tick: &Tick, width: usize) -> Line<'static> {
    let recent = state.shown.window_verdict();
    let mut spans = vec![
        Span::raw("last 10 s "),
        verdict(state, recent),
        Span::raw("   so far "),
        verdict(state, tick.verdict),
    ];
    if state.keys.is_paused {
        let paused = Style::new().add_modifier(Modifier::REVERSED);
        spans.push(Span::raw("   "));
        spans.push(Span::styled("display paused", paused));
    }
    let line = Line::from(spans);
    match line.width() <= width {
        true => line,
        // Both long names, in a narrow window: the one so far counts.
        false => Line::from(vec![Span::raw("so far "), verdict(state, tick.verdict)]),
    }
}

fn verdict(state: &State, status: Status) -> Span<'static> {
    let style = match (state.about.has_colour, status) {
        (true, Status::Valid) => Style::new().fg(Color::Green),
        (true, _) => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        (false, Status::Valid) => Style::new(),
        (false, _) => bold(),
    };
    Span::styled(status.name(), style)
}

/// The number that is typed, else the message of the moment, else the keys.
fn footer(state: &State, width: usize) -> Line<'static> {
    let noun = state.keys.changes().map_or("", |changes| changes.noun());
    if let Some(typed) = &state.keys.typed {
        return Line::styled(
            format!("{noun}: {typed}_   Enter sets, Esc cancels"),
            bold(),
        );
    }
    if let Some(message) = state.message() {
        return Line::styled(shortened(message, width), bold());
    }
    let change = format!("+ - 0-9 {noun}");
    let mut keys = vec!["q stop"];
    if !noun.is_empty() {
        keys.push(&change);
    }
    keys.extend(["space pause", "w 10 s or all", "z 1 min or all", "? help"]);
    while keys.join("   ").chars().count() > width && keys.len() > 2 {
        // The help names those that are left out here.
        keys.remove(keys.len() - 2);
    }
    let text = shortened(&keys.join("   "), width);
    Line::styled(text, Style::new().add_modifier(Modifier::DIM))
}

/// The help, over everything else.
fn draw_help(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let change = match state.keys.changes() {
        Ok(changes) => format!(
            "+ -          a tenth more, less {noun}\nPgUp PgDn    twice, half the {noun}\n0-9 Enter    that many {noun}: {} to {}",
            level(changes.min),
            level(changes.max),
            noun = changes.noun()
        ),
        Err(reason) => format!("+ -          nothing: {reason}"),
    };
    // The token on a line of its own: together they are wider than a small terminal.
    let page = state.about.page.as_ref().map_or(String::new(), |page| {
        format!("\npage         {}", page.replace('#', "\n             #"))
    });
    let text = format!(
        "q d Ctrl-C   stop, wait for open requests, report\n             twice: stop now; a third time: end\n{change}\nspace        pause the display, not the run\nw            steps: last 10 s, or so far\nz            charts: 1 minute, or the whole run{page}\nany key      closes this"
    );
    let lines = (text.lines().count() as u16 + 1).min(area.height);
    let columns = text.lines().map(|line| line.chars().count()).max();
    // A column of space at each side.
    let columns = (columns.unwrap_or(0) as u16 + 2).min(area.width);
    let over = Rect {
        x: area.x + (area.width - columns) / 2,
        y: area.y + (area.height - lines) / 2,
        width: columns,
        height: lines,
    };
    frame.render_widget(Clear, over);
    let title = Line::styled(
        "keys",
        Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED),
    );
    let title = title.alignment(Alignment::Center);
    let (head, body) = split_top(over, 1);
    frame.render_widget(Paragraph::new(title), head);
    let body = Rect {
        x: body.x + 1,
        width: body.width.saturating_sub(2),
        ..body
    };
    frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: false }), body);
}

fn split_top(area: Rect, lines: u16) -> (Rect, Rect) {
    let lines = lines.min(area.height);
    let top = Rect {
        height: lines,
        ..area
    };
    let rest = Rect {
        y: area.y + lines,
        height: area.height - lines,
        ..area
    };
    (top, rest)
}

fn split_bottom(area: Rect, lines: u16) -> (Rect, Rect) {
    split_top(area, area.height - lines.min(area.height))
}

fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

#[cfg(test)]
mod tests;
