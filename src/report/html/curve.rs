//! The percentile curve: response and service time at every share of the requests, on an axis on which each nine is as
//! wide as the one before.

use anyhow::{Result, anyhow};

use super::axis::Axis;
use super::chart::{Abscissae, Line, Picture, Ribbon, Table};
use super::drawing::{COLOURS, Style};
use super::over_time::values;
use super::units::Unit;
use crate::metrics::latencies::Latencies;
use crate::record::distribution::add_packed;
use crate::record::schema::{Histograms, PERCENTS, Record, Times};
use crate::text::printable::in_one_line;

/// Name of the curves' abscissae.
const ABSCISSAE: &str = "share";
/// Points for each nine.
const POINTS_PER_NINE: usize = 20;
/// Steps that have a curve of their own, at most.
const STEPS_MAX: usize = COLOURS - 1;

/// The distributions of a step, or of all steps.
pub(super) struct Distribution {
    pub name: String,
    /// Failures included.
    pub response: Latencies,
    /// Without failures.
    pub service: Latencies,
}

impl Distribution {
    /// All steps of a record.
    ///
    /// # Errors
    /// When a histogram of the record was damaged.
    pub fn of_all(record: &Record, name: &str) -> Result<Self> {
        let totals = &record.totals;
        let times = [&totals.response_us, &totals.failures_us, &totals.service_us];
        Self::new(name.to_owned(), &totals.histograms, times)
    }

    fn new(name: String, histograms: &Histograms, times: [&Times; 3]) -> Result<Self> {
        let [response, failures, service] = times;
        let mut read = Self {
            name,
            response: Latencies::default(),
            service: Latencies::default(),
        };
        add_packed(&mut read.response, &histograms.response, response)
            .and_then(|()| add_packed(&mut read.response, &histograms.failures, failures))
            .and_then(|()| add_packed(&mut read.service, &histograms.service, service))
            .map_err(|reason| anyhow!("the record's histograms: {reason}"))?;
        Ok(read)
    }
}

/// The whole run and the steps with most requests.
fn distributions(record: &Record) -> Result<Vec<Distribution>> {
    let mut steps: Vec<_> = record
        .steps
        .iter()
        .filter(|step| step.requests > 0)
        .collect();
    steps.sort_by_key(|step| std::cmp::Reverse(step.requests));
    let mut found = vec![Distribution::of_all(record, "all requests")?];
    if steps.len() > 1 {
        for step in steps.into_iter().take(STEPS_MAX) {
            let name = in_one_line(&format!("{} {}", step.method, step.name));
            let times = [&step.response_us, &step.failures_us, &step.service_us];
            found.push(Distribution::new(name, &step.histograms, times)?);
        }
    }
    Ok(found)
}

/// The curves of a run.
///
/// # Errors
/// When a histogram of the record was damaged.
pub(super) fn picture(record: &Record, abscissae: &mut Abscissae) -> Result<Picture> {
    let curves = distributions(record)?;
    let left_out = record.steps.len().saturating_sub(STEPS_MAX);
    let rest = match left_out {
        0 => String::new(),
        _ => format!(" The {STEPS_MAX} steps with most requests; the table of steps has all."),
    };
    Ok(Picture {
        note: format!(
            "Response time with failures, from due to answered; service time (dashed), from sent to answered. \
             The shaded area is the 95 % interval.{rest}"
        ),
        ribbons: vec![interval(&record.totals.all_us)],
        ..of(&curves, abscissae)
    })
}

/// The curves of these distributions, a colour for each.
pub(super) fn of(curves: &[Distribution], abscissae: &mut Abscissae) -> Picture {
    let counts = curves.iter().map(|curve| curve.response.count());
    let x = Axis::shares(counts.max().unwrap_or(0));
    let points = (0..=(x.to * POINTS_PER_NINE as f64) as usize)
        .map(|nth| nth as f64 / POINTS_PER_NINE as f64);
    abscissae.push_points(ABSCISSAE, points.clone());
    let mut lines = Vec::new();
    for (colour, curve) in curves.iter().enumerate() {
        for (name, hidden, style, times) in [
            (curve.name.clone(), None, Style::Solid, &curve.response),
            (
                "service".to_owned(),
                Some(curve.name.clone()),
                Style::Dashed,
                &curve.service,
            ),
        ] {
            lines.push(Line {
                name,
                hidden,
                style,
                colour,
                abscissae: ABSCISSAE,
                points: points
                    .clone()
                    .map(|nines| (nines, at(times, nines)))
                    .collect(),
            });
        }
    }
    Picture {
        id: "curve",
        title: "Percentile curve",
        note: "Response time with failures, from due to answered; service time (dashed), from sent to answered.".into(),
        axis: "share",
        y: Axis::log_times(values(&lines)),
        x,
        is_log: true,
        unit: Unit::Time,
        lines,
        ribbons: Vec::new(),
        bands: Vec::new(),
        image: None,
        table: table(curves),
    }
}

/// The time at 1 - 10^-nines; `None` where fewer than one request lies beyond.
fn at(times: &Latencies, nines: f64) -> Option<f64> {
    let is_known = !times.is_empty() && 10_f64.powf(nines) <= times.count() as f64 * 1.000_001;
    is_known.then(|| times.percentile_us(100.0 * (1.0 - 10_f64.powf(-nines))))
}

/// The intervals of a distribution's percentiles, where both ends are known.
fn interval(times: &Times) -> Ribbon {
    let bounds = times.bounds.percentiles();
    let points = PERCENTS
        .iter()
        .zip(bounds)
        .filter_map(|(percent, (low, high))| {
            let nines = -(1.0 - percent / 100.0).log10();
            Some((nines, low?, high?))
        });
    Ribbon {
        colour: 0,
        points: points.collect(),
    }
}

fn table(curves: &[Distribution]) -> Table {
    let names = curves
        .iter()
        .flat_map(|curve| ["response", "service"].map(|what| format!("{}, {what}", curve.name)));
    let row = |percent: &f64| {
        let times = curves
            .iter()
            .flat_map(|curve| [&curve.response, &curve.service]);
        let cells = times.map(|times| {
            let value = (!times.is_empty()).then(|| times.percentile_us(*percent));
            Unit::Time.show_or_dash(value)
        });
        [format!("{percent} %")].into_iter().chain(cells).collect()
    };
    Table {
        heads: ["share".to_owned()].into_iter().chain(names).collect(),
        rows: PERCENTS.iter().chain(&[100.0]).map(row).collect(),
        note: String::new(),
    }
}
