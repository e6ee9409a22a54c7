//! The heat map of response times: how many requests took how long, over time.
//!
//! A palette image with one pixel per column and band of time: cells drawn as SVG would be a megabyte. A pixel's index is
//! the binary logarithm of the count, and the script reads it back from the pixel's colour.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::html;

use super::axis::Axis;
use super::chart::{Image, Picture, Table};
use super::over_time::linear;
use super::run::Run;
use super::units::Unit;
use crate::text::units::{grouped, moment};

/// Bands of time, from top to bottom.
const BANDS: usize = 64;
/// Colours of few, more, and most requests; all of them differ from both papers.
const STOPS: [[u8; 3]; 5] = [
    [0x4b, 0x55, 0x9b],
    [0x2a, 0x78, 0x8e],
    [0x22, 0xa8, 0x84],
    [0x7a, 0xd1, 0x51],
    [0xfd, 0xe7, 0x25],
];

/// The heat map of a run.
pub(super) fn picture(run: &Run<'_>) -> Picture {
    let times = run.columns.iter().map(|column| &column.times);
    let times = times.filter(|times| !times.is_empty());
    let y = Axis::log_times(times.flat_map(|times| [times.min_us(), times.max_us()]));
    let grid = Grid::of(run, &y);
    let colours = palette(grid.counts.iter().copied().max().unwrap_or(0));
    let uri = format!(
        "data:image/png;base64,{}",
        STANDARD.encode(grid.png(&colours))
    );
    let shown: Vec<String> = colours.iter().map(|colour| hex(*colour)).collect();
    let most = 1_u64 << (colours.len().max(1) - 1);
    let legend = html! {
        p.scale {
            "1 " span aria-hidden="true" {
                @for colour in &shown { i style={ "background:" (colour) } {} }
            }
            " " (grouped(most)) " and more requests, in " (BANDS) " bands of time"
        }
    };
    let values = format!(
        "{{\"start\":{},\"step\":{},\"columns\":{},\"rows\":{BANDS},\"from\":{},\"to\":{},\"colours\":{shown:?}}}",
        run.begin_s(),
        grid.step_s,
        grid.columns,
        y.from,
        y.to
    );
    let table = run.table(&["p10", "p25", "p50", "p75", "p90"], |column| {
        let percents = [10.0, 25.0, 50.0, 75.0, 90.0];
        let cells = percents.map(|percent| Unit::Time.show_or_dash(column.percentile_us(percent)));
        cells.into()
    });
    Picture {
        id: "heat",
        title: "Heat map of response times",
        note: format!(
            "Each column is {}; its colours say how many requests took how long.",
            moment(grid.step_s)
        ),
        y,
        is_log: true,
        unit: Unit::Time,
        image: Some(Image {
            uri,
            to: run.begin_s() + grid.step_s * grid.columns as f64,
            values,
            legend,
        }),
        table: Table {
            note: "The distribution of each stretch.".into(),
            ..table.clone()
        },
        ..linear(run, Unit::Time, Vec::new(), table)
    }
}

/// Counts by band and column.
struct Grid {
    /// Length of a column in seconds: that of the longest of the run.
    step_s: f64,
    columns: usize,
    /// Row by row, from the longest times to the shortest.
    counts: Vec<u64>,
}

impl Grid {
    fn of(run: &Run<'_>, y: &Axis) -> Self {
        let runs = run.columns.iter().filter(|column| !column.is_pause);
        let lengths = runs.map(super::columns::Column::length_s);
        let step_s = lengths.fold(0.0, f64::max).max(1e-3);
        let begin_s = run.begin_s();
        let columns = (((run.end_s() - begin_s) / step_s).ceil().max(1.0) as usize)
            .min(2 * super::columns::COLUMNS_MAX);
        let mut counts = vec![0; BANDS * columns];
        for column in &run.columns {
            let middle_s = f64::midpoint(column.from_s, column.to_s);
            let at = (((middle_s - begin_s) / step_s) as usize).min(columns - 1);
            for (us, count) in column.times.counts_us() {
                let share = ((us.max(1) as f64).log10() - y.from) / (y.to - y.from);
                let band = ((share * BANDS as f64) as usize).min(BANDS - 1);
                counts[(BANDS - 1 - band) * columns + at] += count;
            }
        }
        Self {
            step_s,
            columns,
            counts,
        }
    }

    /// Index 0 is transparent: no request.
    fn png(&self, colours: &[[u8; 3]]) -> Vec<u8> {
        let pixels: Vec<u8> = self.counts.iter().map(|count| index(*count)).collect();
        let transparent = [[0; 3]];
        let palette = transparent.iter().chain(colours).flatten();
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.columns as u32, BANDS as u32);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::High);
        encoder.set_palette(palette.copied().collect::<Vec<u8>>());
        encoder.set_trns(vec![0]);
        let written = encoder
            .write_header()
            .and_then(|mut writer| writer.write_image_data(&pixels));
        written.expect("a vector takes an image of its size");
        bytes
    }
}

/// 0 for none, else one more than the binary logarithm.
fn index(count: u64) -> u8 {
    match count {
        0 => 0,
        count => count.ilog2() as u8 + 1,
    }
}

/// A colour for each power of two up to the greatest count.
fn palette(greatest: u64) -> Vec<[u8; 3]> {
    let colours = usize::from(index(greatest));
    let colour = |nth: usize| {
        let place = nth as f64 / (colours.max(2) - 1) as f64 * (STOPS.len() - 1) as f64;
        let stop = (place as usize).min(STOPS.len() - 2);
        let share = place - stop as f64;
        let mix = |low: u8, high: u8| f64::from(low) + (f64::from(high) - f64::from(low)) * share;
        [0, 1, 2].map(|part| mix(STOPS[stop][part], STOPS[stop + 1][part]).round() as u8)
    };
    (0..colours).map(colour).collect()
}

fn hex([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_power_of_two_has_a_colour_of_its_own() {
        assert_eq!([0, 1, 2, 3, 4, 1_023].map(index), [0, 1, 2, 2, 3, 10]);
        let mut colours = palette(u64::MAX);
        assert_eq!(colours.len(), 64);
        colours.dedup();
        assert_eq!(colours.len(), 64, "the script tells counts by colour");
        assert!(palette(0).is_empty());
        assert_eq!(palette(1), [STOPS[0]]);
    }
}
