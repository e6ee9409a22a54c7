//! The lines of a chart as SVG. The drawing has no text and no sizes of its own: the page stretches it to the width
//! that there is, and the labels beside it are HTML, so that they are readable at every width.
//!
//! Lines are drawn in made-up colours `#01SSCC`, which the style sheet replaces: `SS` is the [`Style`], `CC` the number
//! of the colour. An attribute loses against a style sheet, so one drawing serves light, dark and paper.

use plotters::prelude::*;

use super::axis::Axis;

/// Units of a drawing. plotters rounds to whole ones.
pub(super) const WIDTH: u32 = 3_600;
pub(super) const HEIGHT: u32 = 1_000;
/// Colours of lines that everyone can tell apart; a dash pattern tells twice as many.
pub(super) const COLOURS: usize = 8;

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Solid,
    Dashed,
    /// The area between two lines.
    Ribbon,
    /// A dot at each point.
    Dots,
    Dotted,
}

/// The made-up colour of a line.
fn colour(style: Style, colour: usize) -> RGBColor {
    RGBColor(1, style as u8, (colour % COLOURS) as u8)
}

/// The same as the attributes of SVG have it.
pub(super) fn colour_text(style: Style, number: usize) -> String {
    let RGBColor(red, green, blue) = colour(style, number);
    format!("#{red:02X}{green:02X}{blue:02X}")
}

/// A line: its points in the units of the axes.
#[derive(Clone, Debug)]
pub(super) struct Stroke {
    pub style: Style,
    /// Below [`COLOURS`].
    pub colour: usize,
    /// Points in the order of x; where there is no y, the line has a gap. A ribbon's upper edge comes first, then the
    /// lower one from right to left.
    pub points: Vec<(f64, Option<f64>)>,
}

/// The drawing's elements, without the `svg` element around them.
pub(super) fn elements(x: &Axis, y: &Axis, strokes: &[Stroke]) -> String {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .build_cartesian_2d(x.from..x.to, y.from..y.to)
            .expect("an area without margins has room");
        for stroke in strokes {
            let colour = colour(stroke.style, stroke.colour);
            for piece in pieces(stroke, x, y) {
                let drawn = match stroke.style {
                    Style::Ribbon => chart
                        .draw_series([Polygon::new(piece, colour.filled())])
                        .map(drop),
                    _ => chart.draw_series(LineSeries::new(piece, colour)).map(drop),
                };
                drawn.expect("a text takes every element");
            }
        }
        area.present().expect("a text takes every element");
    }
    let begin = svg.find('>').map_or(0, |at| at + 1);
    let end = svg.rfind("</svg>").unwrap_or(svg.len());
    svg[begin..end]
        .trim()
        .replace(" fill=\"none\" opacity=\"1\"", "")
}

/// The pieces of a line between its gaps. A single point becomes a piece of one unit, else it would not be seen.
fn pieces(stroke: &Stroke, x: &Axis, y: &Axis) -> Vec<Vec<(f64, f64)>> {
    let unit = (x.to - x.from) / f64::from(WIDTH);
    let inside = |(at, value): (f64, f64)| (at.clamp(x.from, x.to), value.clamp(y.from, y.to));
    let is_gap = |(_, value): &(f64, Option<f64>)| value.is_none_or(|value| !value.is_finite());
    let present = stroke
        .points
        .split(is_gap)
        .filter(|piece| !piece.is_empty());
    let piece = |piece: &[(f64, Option<f64>)]| -> Vec<(f64, f64)> {
        let points = piece
            .iter()
            .filter_map(|(at, value)| Some((*at, (*value)?)));
        points.map(inside).collect()
    };
    let dot = |(at, value): (f64, f64)| vec![(at - unit, value), (at + unit, value)];
    match stroke.style {
        Style::Dots => present.flat_map(piece).map(dot).collect(),
        _ => present
            .map(|points| match points {
                [(at, Some(value))] => dot(inside((*at, *value))),
                _ => piece(points),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(style: Style, points: &[(f64, Option<f64>)]) -> String {
        let axis = |to| Axis {
            from: 0.0,
            to,
            ticks: Vec::new(),
        };
        let stroke = Stroke {
            style,
            colour: 3,
            points: points.to_vec(),
        };
        elements(&axis(36.0), &axis(10.0), &[stroke])
    }

    #[test]
    fn a_line_has_a_gap_where_there_is_no_value() {
        let points = [
            (0.0, Some(0.0)),
            (9.0, Some(5.0)),
            (18.0, None),
            (27.0, Some(10.0)),
        ];
        let svg = drawn(Style::Solid, &points);
        assert_eq!(svg.matches("<polyline").count(), 2, "{svg}");
        assert!(svg.contains("stroke=\"#010003\""), "{svg}");
        assert!(svg.contains("0,999 899,500 "), "{svg}");
        assert!(svg.contains("2698,0 2700,0 "), "{svg}");
    }

    #[test]
    fn every_dot_is_a_stroke_and_a_ribbon_is_an_area() {
        let points = [(0.0, Some(1.0)), (9.0, Some(5.0)), (9.0, Some(4.0))];
        assert_eq!(drawn(Style::Dots, &points).matches("<polyline").count(), 3);
        let ribbon = drawn(Style::Ribbon, &points);
        assert!(ribbon.contains("<polygon"), "{ribbon}");
        assert!(ribbon.contains("fill=\"#010203\""), "{ribbon}");
    }
}
