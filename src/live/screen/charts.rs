//! The running charts: response times on a logarithmic axis, and requests and failures per second. Pure.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Chart, Dataset, GraphType};

use crate::text::units::time;

use super::history::{Moment, SHORT_S};
use super::state::State;
use super::tables::shown_rate;

/// Least lines of a chart: title, two of lines, axis, labels. With fewer there is the title alone.
const LINES_MIN: u16 = 5;
/// Names, colours and, where colours are not wanted, marks of the percentiles. Cyan, yellow and magenta are told apart
/// with every common colour blindness.
const PERCENTILES: [(&str, Color, Marker); 3] = [
    ("p50", Color::Cyan, Marker::Braille),
    ("p95", Color::Yellow, Marker::Dot),
    ("p99", Color::Magenta, Marker::Block),
];

/// Points of a line: seconds since the start, and the height.
type Points = Vec<(f64, f64)>;

/// Draws the response times: p50, p95 and p99 of each second.
pub fn response(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let (from_s, to_s) = span(state);
    let mut lines: [Points; 3] = Default::default();
    for moment in moments(state) {
        if let Some(percentiles_us) = moment.percentiles_us {
            for (line, us) in lines.iter_mut().zip(percentiles_us) {
                line.push((moment.end_s, us.max(1.0).log10()));
            }
        }
    }
    let heights = || lines.iter().flatten().map(|(_, height)| *height);
    let low = round_down(10f64.powf(heights().fold(f64::INFINITY, f64::min)));
    let high = round_up(10f64.powf(heights().fold(0.0, f64::max)));
    let (low, high) = match low < high {
        true => (low, high),
        false => (100.0, 10_000.0),
    };
    let middle = (low * high).sqrt();
    let last = state.shown.last_second();
    let mut title = vec![Span::styled("response", bold())];
    for (index, (name, color, _)) in PERCENTILES.into_iter().enumerate() {
        let us = last.and_then(|last| last.percentiles_us);
        let text = us.map_or_else(|| "-".to_owned(), |us| time(us[index]));
        let style = coloured(state, color);
        title.push(Span::styled(format!("  {name} {text}"), style));
    }
    let lines = lines.iter().zip(PERCENTILES);
    let datasets = lines.map(|(points, (_, color, mark))| dataset(state, points, color, mark));
    let labels = [low, middle, high].map(time);
    let axis = (low.log10(), high.log10());
    draw(
        frame,
        area,
        Line::from(title),
        datasets.collect(),
        (from_s, to_s),
        (axis, labels),
    );
}

/// Draws requests and failures per second.
pub fn rates(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let (from_s, to_s) = span(state);
    let of = |figure: fn(&Moment) -> f64| -> Points {
        moments(state)
            .map(|moment| (moment.end_s, figure(moment)))
            .collect()
    };
    let requests = of(|moment| moment.per_s);
    let failures = of(|moment| moment.failures_per_s);
    let highest = requests.iter().map(|(_, height)| *height);
    let high = round_up(highest.fold(1.0, f64::max));
    let last = state.shown.last_second();
    let shown = |figure: fn(&Moment) -> f64| {
        last.map_or_else(|| "-".to_owned(), |last| shown_rate(figure(last)))
    };
    let of_requests = format!("{} req/s", shown(|moment| moment.per_s));
    let of_failures = format!("{} failed/s", shown(|moment| moment.failures_per_s));
    let title = Line::from(vec![
        Span::styled(of_requests, coloured(state, Color::Green).patch(bold())),
        Span::styled(format!("  {of_failures}"), coloured(state, Color::Red)),
    ]);
    let mut datasets = vec![dataset(state, &requests, Color::Green, Marker::Braille)];
    if failures.iter().any(|(_, height)| *height > 0.0) {
        datasets.push(dataset(state, &failures, Color::Red, Marker::Dot));
    }
    let labels = [0.0, high / 2.0, high].map(shown_rate);
    draw(
        frame,
        area,
        title,
        datasets,
        (from_s, to_s),
        ((0.0, high), labels),
    );
}

fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    title: Line<'_>,
    datasets: Vec<Dataset<'_>>,
    (from_s, to_s): (f64, f64),
    ((low, high), labels): ((f64, f64), [String; 3]),
) {
    if area.height == 0 {
        return;
    }
    frame.render_widget(title, Rect { height: 1, ..area });
    if area.height < LINES_MIN {
        return;
    }
    let body = Rect {
        y: area.y + 1,
        height: area.height - 1,
        ..area
    };
    let x_labels = [from_s, to_s].map(|s| format!("{s:.0} s"));
    let chart = Chart::new(datasets)
        .legend_position(None)
        .x_axis(Axis::default().bounds([from_s, to_s]).labels(x_labels))
        .y_axis(Axis::default().bounds([low, high]).labels(labels));
    frame.render_widget(chart, body);
}

fn dataset<'p>(state: &State, points: &'p [(f64, f64)], color: Color, mark: Marker) -> Dataset<'p> {
    let marker = match state.about.has_colour {
        true => Marker::Braille,
        false => mark,
    };
    Dataset::default()
        .marker(marker)
        .graph_type(GraphType::Line)
        .style(coloured(state, color))
        .data(points)
}

/// The stretch of time that the charts cover: the last minute, which at the start lies ahead, or the whole run.
fn span(state: &State) -> (f64, f64) {
    let now_s = state
        .shown
        .last()
        .map_or(0.0, |tick| tick.end_ns as f64 / 1e9);
    let to_s = now_s.max(SHORT_S as f64);
    match state.keys.is_long {
        true => (0.0, to_s),
        false => (to_s - SHORT_S as f64, to_s),
    }
}

fn moments(state: &State) -> Box<dyn Iterator<Item = &Moment> + '_> {
    let (from_s, _) = span(state);
    match state.keys.is_long {
        true => Box::new(state.shown.whole()),
        // After missed ticks some of them are older.
        false => Box::new(state.shown.recent().filter(move |it| it.end_s >= from_s)),
    }
}

/// The next of 1, 2, 5 times a power of ten.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.max(1e-3).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    let next = steps.into_iter().find(|step| *step >= value * 0.999_999);
    next.unwrap_or(10.0 * power)
}

/// The one of them before it.
fn round_down(value: f64) -> f64 {
    let power = 10f64.powf(value.max(1e-3).log10().floor());
    let steps = [5.0, 2.0, 1.0].map(|step| step * power);
    let before = steps.into_iter().find(|step| *step <= value * 1.000_001);
    before.unwrap_or(power)
}

fn coloured(state: &State, color: Color) -> Style {
    match state.about.has_colour {
        true => Style::new().fg(color),
        false => Style::new(),
    }
}

fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        for (value, down, up) in [
            (412.0, 200.0, 500.0),
            (1_000.0, 1_000.0, 1_000.0),
            (1.5, 1.0, 2.0),
            (99.0, 50.0, 100.0),
        ] {
            assert_eq!((round_down(value), round_up(value)), (down, up), "{value}");
        }
    }
}
