//! A chart: its drawing, axes, legend, the table behind it, and its values for the crosshair.

use maud::{Markup, PreEscaped, html};

use super::axis::Axis;
use super::drawing::{HEIGHT, Stroke, Style, WIDTH, colour_text, elements};
use super::units::Unit;

/// A chart as the page has it; the live page replaces one by the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chart {
    /// `id` of its `figure`; that of its values is `ID-values`.
    pub id: &'static str,
    /// The `figure` element, without its values.
    pub markup: String,
    /// JSON: the values of its lines, for the crosshair.
    pub values: String,
}

/// A line with a name.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub name: String,
    /// What stands before the name for those who hear it; for those who see it, the line before says it.
    pub hidden: Option<String>,
    pub style: Style,
    pub colour: usize,
    /// Name of its abscissae in the page's [`Abscissae`]; lines of different records have different ones.
    pub abscissae: &'static str,
    /// Points in the units of the horizontal axis and of the chart; `None` is a gap.
    pub points: Vec<(f64, Option<f64>)>,
}

/// The area between two curves: the interval of the line of the same colour.
#[derive(Clone, Debug)]
pub(super) struct Ribbon {
    pub colour: usize,
    /// x, low, high.
    pub points: Vec<(f64, f64, f64)>,
}

/// A stretch of the horizontal axis that is marked.
#[derive(Clone, Debug)]
pub(super) struct Band {
    pub from: f64,
    pub to: f64,
    /// Class of the style sheet.
    pub class: &'static str,
    /// What it is, for those who point at it.
    pub says: String,
}

/// An image in the place of lines.
#[derive(Clone, Debug)]
pub(super) struct Image {
    /// `data:` URI.
    pub uri: String,
    /// Where it ends, in the units of the horizontal axis.
    pub to: f64,
    /// JSON for the crosshair.
    pub values: String,
    pub legend: Markup,
}

/// The rows behind a chart.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub heads: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// What a row is.
    pub note: String,
}

/// A chart before it is drawn.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    pub id: &'static str,
    pub title: &'static str,
    /// What is drawn, in a sentence.
    pub note: String,
    /// Which crosshairs move together: `time`, `share` or `level`.
    pub axis: &'static str,
    pub x: Axis,
    pub y: Axis,
    /// The vertical axis has logarithms of the values.
    pub is_log: bool,
    pub unit: Unit,
    pub lines: Vec<Line>,
    pub ribbons: Vec<Ribbon>,
    pub bands: Vec<Band>,
    pub image: Option<Image>,
    pub table: Table,
}

impl Picture {
    /// Draws it.
    pub fn chart(&self) -> Chart {
        Chart {
            id: self.id,
            markup: self.figure().into_string(),
            values: self.values(),
        }
    }

    fn figure(&self) -> Markup {
        html! {
            figure id=(self.id) class="chart" {
                figcaption { h3 { (self.title) } p { (self.note) } }
                (self.legend())
                div.frame {
                    div.y aria-hidden="true" {
                        @for (at, label) in &self.y.ticks {
                            span style={ "bottom:" (self.y.percent(*at)) "%" } { (label) }
                        }
                    }
                    div.plot tabindex="0" role="application" aria-roledescription="chart"
                        aria-label={ (self.title) ". Arrow keys read its values; a table follows." } {
                        (self.marks())
                        @if let Some(image) = &self.image {
                            img.heat alt=(self.note) src=(image.uri)
                                style={ "width:" (width_percent(image.to, &self.x)) "%" };
                        }
                        (self.drawing())
                        i.cross hidden {}
                        i.level hidden {}
                    }
                    div.x aria-hidden="true" {
                        @for (at, label) in &self.x.ticks {
                            span class=(alignment(self.x.percent(*at))) style={ "left:" (self.x.percent(*at)) "%" } {
                                (label)
                            }
                        }
                    }
                }
                (self.table.details())
            }
        }
    }

    fn legend(&self) -> Markup {
        html! {
            div.legend {
                ul class=(if self.lines.iter().any(|line| line.hidden.is_some()) { "pairs" } else { "" }) {
                    @for line in &self.lines {
                        li {
                            (key(line.style, line.colour))
                            span { @if let Some(group) = &line.hidden { span.said { (group) ", " } } (line.name) }
                            b {}
                        }
                    }
                }
                @if let Some(image) = &self.image { (image.legend) }
                output {}
            }
        }
    }

    /// Bands and lines of the grid.
    fn marks(&self) -> Markup {
        html! {
            @for band in &self.bands {
                i class={ "band " (band.class) } title=(band.says) style={
                    "left:" (self.x.percent(band.from)) "%;right:"
                    (hundredths(100.0 - self.x.percent(band.to))) "%"
                } {}
            }
            @for (at, _) in &self.y.ticks { i.grid style={ "bottom:" (self.y.percent(*at)) "%" } {} }
            @for (at, _) in &self.x.ticks { i.rule style={ "left:" (self.x.percent(*at)) "%" } {} }
        }
    }

    fn drawing(&self) -> Markup {
        let height = |value: f64| match self.is_log {
            true => value.max(1.0).log10(),
            false => value,
        };
        let ribbons = self.ribbons.iter().map(|ribbon| {
            let upper = ribbon
                .points
                .iter()
                .map(|(x, _, high)| (*x, Some(height(*high))));
            let lower = ribbon.points.iter().rev();
            let lower = lower.map(|(x, low, _)| (*x, Some(height(*low))));
            Stroke {
                style: Style::Ribbon,
                colour: ribbon.colour,
                points: upper.chain(lower).collect(),
            }
        });
        let lines = self.lines.iter().map(|line| {
            let points = line.points.iter();
            Stroke {
                style: line.style,
                colour: line.colour,
                points: points.map(|(x, value)| (*x, value.map(height))).collect(),
            }
        });
        // The first line is the one that matters: it lies above the others.
        let strokes: Vec<Stroke> = ribbons.chain(lines.rev()).collect();
        html! {
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" aria-hidden="true" {
                (PreEscaped(elements(&self.x, &self.y, &strokes)))
            }
        }
    }

    fn values(&self) -> String {
        let lines = self.lines.iter().map(|line| {
            let values = line
                .points
                .iter()
                .map(|(_, value)| self.unit.number(*value));
            let values: Vec<String> = values.collect();
            format!(
                "{{\"x\":\"{}\",\"v\":[{}]}}",
                line.abscissae,
                values.join(",")
            )
        });
        let lines: Vec<String> = lines.collect();
        let image = self.image.as_ref().map_or("null", |image| &image.values);
        format!(
            "{{\"axis\":\"{}\",\"from\":{},\"to\":{},\"unit\":\"{}\",\"lines\":[{}],\"image\":{image}}}",
            self.axis,
            self.x.from,
            self.x.to,
            self.unit.word(),
            lines.join(",")
        )
    }
}

impl Table {
    fn details(&self) -> Markup {
        html! {
            details {
                summary { "Table" }
                @if !self.note.is_empty() { p { (self.note) } }
                div.scroll tabindex="0" {
                    table {
                        thead { tr { @for head in &self.heads { th scope="col" { (head) } } } }
                        tbody {
                            @for row in &self.rows {
                                tr { @for cell in row { td { (cell) } } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Labels at the ends of an axis stay within it.
fn alignment(percent: f64) -> &'static str {
    match percent {
        ..3.0 => "first",
        97.0.. => "last",
        _ => "",
    }
}

/// The sample of a line in a legend.
pub(super) fn key(style: Style, colour: usize) -> Markup {
    let points = match style {
        Style::Dots => "12,5 14,5",
        _ => "2,5 24,5",
    };
    html! {
        svg.key viewBox="0 0 26 10" aria-hidden="true" {
            polyline stroke=(colour_text(style, colour)) points=(points) {}
        }
    }
}

/// An image may end beyond the axis: its last column is whole.
fn width_percent(to: f64, x: &Axis) -> f64 {
    hundredths((to - x.from) / (x.to - x.from) * 100.0)
}

fn hundredths(percent: f64) -> f64 {
    (percent * 100.0).round() / 100.0
}

/// The places on horizontal axes at which lines have values, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Abscissae(Vec<(&'static str, String)>);

impl Abscissae {
    /// Stretches of time: so many values, each from one edge to the next.
    pub fn push_edges(&mut self, name: &'static str, edges: impl Iterator<Item = f64>) {
        self.push(name, "edges", edges);
    }

    /// Points.
    pub fn push_points(&mut self, name: &'static str, points: impl Iterator<Item = f64>) {
        self.push(name, "points", points);
    }

    fn push(&mut self, name: &'static str, kind: &str, places: impl Iterator<Item = f64>) {
        let places = places.map(|place| ((place * 1e3).round() / 1e3).to_string());
        let places: Vec<String> = places.collect();
        let text = format!("{{\"{kind}\":[{}]}}", places.join(","));
        self.0.push((name, text));
    }

    /// As JSON, by name.
    pub fn json(&self) -> String {
        let parts = self
            .0
            .iter()
            .map(|(name, text)| format!("\"{name}\":{text}"));
        format!("{{{}}}", parts.collect::<Vec<_>>().join(","))
    }
}
