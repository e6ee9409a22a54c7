//! What ran beside the load: processor and memory of the service's processes on the axis of the response times.

use maud::{Markup, html};

use super::axis::Axis;
use super::chart::Picture;
use super::columns::Column;
use super::drawing::{COLOURS, Style};
use super::over_time::{linear, values};
use super::run::Run;
use super::shell::{cell, heads, safe, section as framed, table};
use super::units::Unit;
use crate::record::schema::{Record, WatchedRecord, WatchedSampleRecord};
use crate::report::console::watched::{summary, title};
use crate::text::units::{bytes, grouped, three_digits};

/// The section; nothing where nothing was watched.
pub(super) fn section(record: &Record) -> Markup {
    if record.watched.is_empty() {
        return html! {};
    }
    let heads = heads([
        "What",
        "CPU, mean",
        "CPU, max",
        "Of cores",
        "Memory",
        "Threads",
        "Descriptors",
        "In words",
    ]);
    let rows: Vec<Vec<Markup>> = record.watched.iter().map(row).collect();
    let content = html! {
        (table("Beside the load", &heads, &rows))
        p.note { "CPU in cores over the load; the greatest memory, threads and descriptors. The charts have every second." }
    };
    framed("watched", "Beside the load", &content)
}

fn row(watched: &WatchedRecord) -> Vec<Markup> {
    let dash = || "–".to_owned();
    let mut words = summary(watched);
    if let Some(error) = &watched.error {
        words = format!(
            "{words}; no answer in {} seconds: {error}",
            grouped(watched.missed)
        );
    }
    if let Some(gone_s) = watched.first_gone_s {
        words = format!("{words}; a process was gone at {gone_s:.1} s");
    }
    vec![
        cell(safe(&title(watched))),
        cell(watched.cpu_mean.map_or_else(dash, three_digits)),
        cell(watched.cpu_max.map_or_else(dash, three_digits)),
        cell(watched.cores.map_or_else(dash, three_digits)),
        cell(watched.rss_max_bytes.map_or_else(dash, bytes)),
        cell(watched.threads_max.map_or_else(dash, grouped)),
        cell(watched.descriptors_max.map_or_else(dash, grouped)),
        cell(safe(&words)),
    ]
}

/// Processor and memory over time; nothing where nothing was watched.
pub(super) fn pictures(run: &Run<'_>) -> Vec<Picture> {
    if run.record.watched.is_empty() {
        return Vec::new();
    }
    let cpu = picture(run, Unit::Number, cpu_cores);
    let memory = picture(run, Unit::Bytes, memory_bytes);
    let mut pictures = vec![
        Picture {
            id: "cpu",
            title: "CPU beside the load, in cores",
            note: "Of the generator and of what was watched; each second's mean.".into(),
            ..cpu
        },
        Picture {
            id: "memory",
            title: "Memory beside the load",
            note: "Resident memory of processes, the allocator's of a Redis.".into(),
            ..memory
        },
    ];
    let has_redis = |watched: &WatchedRecord| {
        let mut samples = watched.samples.iter();
        samples.any(|sample| sample.redis.is_some())
    };
    if run.record.watched.iter().any(has_redis) {
        pictures.push(Picture {
            id: "redis",
            title: "Redis, commands per second",
            note: "As the Redis itself counts them, the one INFO of each second included.".into(),
            ..picture(run, Unit::Rate, redis_operations)
        });
    }
    pictures
}

/// A figure of the samples that lie in a column.
type Figure = fn(&[WatchedSampleRecord]) -> Option<f64>;

fn picture(run: &Run<'_>, unit: Unit, figure: Figure) -> Picture {
    let all = run.record.watched.iter().filter(|watched| {
        let mut samples = watched.samples.chunks(1);
        samples.any(|sample| figure(sample).is_some())
    });
    let all: Vec<&WatchedRecord> = all.take(COLOURS).collect();
    let lines: Vec<_> = all
        .iter()
        .enumerate()
        .map(|(colour, watched)| {
            let name = safe(&title(watched));
            run.line(name, (Style::Solid, colour), |column| {
                figure(within(watched, column))
            })
        })
        .collect();
    let names: Vec<String> = all.iter().map(|watched| safe(&title(watched))).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let table = run.table(&names, |column| {
        let values = all.iter().map(|watched| figure(within(watched, column)));
        values.map(|value| unit.show_or_dash(value)).collect()
    });
    Picture {
        y: Axis::from_zero(values(&lines), unit),
        ..linear(run, unit, lines, table)
    }
}

/// The samples whose middle lies in a column.
fn within<'r>(watched: &'r WatchedRecord, column: &Column) -> &'r [WatchedSampleRecord] {
    let before = |at_s: f64| {
        let samples = &watched.samples;
        samples.partition_point(|sample| sample.t_s - sample.length_s / 2.0 < at_s)
    };
    let (from, to) = (before(column.from_s), before(column.to_s));
    watched.samples.get(from..to).unwrap_or_default()
}

fn cpu_cores(samples: &[WatchedSampleRecord]) -> Option<f64> {
    let known = samples
        .iter()
        .filter_map(|sample| Some((sample.cpu_cores?, sample.length_s)));
    let (used_s, length_s) = known.fold((0.0, 0.0), |(used_s, sum_s), (cores, length_s)| {
        (used_s + cores * length_s, sum_s + length_s)
    });
    (length_s > 0.0).then(|| used_s / length_s)
}

fn redis_operations(samples: &[WatchedSampleRecord]) -> Option<f64> {
    let known = samples.iter().filter_map(|sample| {
        let redis = sample.redis.as_ref()?;
        Some((redis.operations_per_s * sample.length_s, sample.length_s))
    });
    let (count, length_s) = known.fold((0.0, 0.0), |(sum, sum_s), (count, length_s)| {
        (sum + count, sum_s + length_s)
    });
    (length_s > 0.0).then(|| count / length_s)
}

fn memory_bytes(samples: &[WatchedSampleRecord]) -> Option<f64> {
    let of = |sample: &WatchedSampleRecord| {
        let redis = sample.redis.as_ref().map(|redis| redis.memory_bytes);
        sample.rss_bytes.or(redis)
    };
    samples
        .iter()
        .filter_map(of)
        .max()
        .map(|bytes| bytes as f64)
}
