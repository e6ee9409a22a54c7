//! What ran beside the load: a line for each in the short form, a table in the full one.

use super::page::{Colour, Page, Paint};
use super::table::{Align, Column, Table};
use crate::record::schema::{Record, RedisSampleRecord, WatchedRecord, WatchedSampleRecord};
use crate::text::units::{bytes, counted, grouped, moment, percent, three_digits};

/// The generator's own entry.
const GENERATOR: &str = "generator";

/// A line for each but the generator.
pub(super) fn lines(page: &mut Page, record: &Record) {
    for watched in others(record) {
        let full = full(watched);
        let text = format!("{}: {}{}", title(watched), summary(watched), full);
        let paint = match full.is_empty() {
            true => Paint::Nothing,
            false => Paint::Words(Colour::Yellow, "full"),
        };
        page.paragraph(paint, &text);
        changes(page, watched);
    }
}

/// How many lines [`lines`] has at least.
pub(super) fn count(record: &Record) -> usize {
    others(record).count()
}

/// All of them with every figure.
pub(super) fn table(page: &mut Page, record: &Record) {
    let all = &record.watched;
    if all.is_empty() {
        return;
    }
    let column = |head: &str, cell: &dyn Fn(&WatchedRecord) -> Option<String>| {
        let cells = all.iter().map(|watched| cell(watched).unwrap_or_default());
        Column::new(0, Align::Right, head, cells)
    };
    let mean = |watched: &WatchedRecord, of: fn(&WatchedSampleRecord) -> Option<f64>| {
        mean(&watched.samples, of).map(three_digits)
    };
    page.blank();
    page.plain(
        Paint::Nothing,
        "Beside the load: CPU in cores over the load, greatest memory, threads and descriptors",
    );
    let mut columns = vec![
        Column::new(0, Align::Left, "", all.iter().map(title)),
        column("CPU", &|watched| watched.cpu_mean.map(three_digits)),
        column("max", &|watched| watched.cpu_max.map(three_digits)),
        column("cores", &|watched| watched.cores.map(three_digits)),
        column("full s", &|watched| {
            watched.cores.map(|_| three_digits(watched.full_s))
        }),
        column("memory", &|watched| watched.rss_max_bytes.map(bytes)),
        column("threads", &|watched| watched.threads_max.map(grouped)),
        column("descriptors", &|watched| {
            watched.descriptors_max.map(grouped)
        }),
        column("switches/s", &|watched| {
            mean(watched, |sample| sample.context_switches_per_s)
        }),
    ];
    // Only what has a network namespace of its own can be told from the generator's traffic.
    let has_network = |sample: &WatchedSampleRecord| sample.received_bytes_per_s.is_some();
    if all
        .iter()
        .flat_map(|watched| &watched.samples)
        .any(has_network)
    {
        columns.push(column("received/s", &|watched| {
            mean_bytes(watched, |sample| sample.received_bytes_per_s)
        }));
        columns.push(column("sent/s", &|watched| {
            mean_bytes(watched, |sample| sample.sent_bytes_per_s)
        }));
    }
    Table::new(columns).show_all(page);
    for watched in all {
        if watched.samples.iter().any(|sample| sample.redis.is_some()) {
            page.paragraph(
                Paint::Nothing,
                &format!("{}: {}", title(watched), summary(watched)),
            );
        }
        changes(page, watched);
    }
}

pub(in crate::report) fn others(record: &Record) -> impl Iterator<Item = &WatchedRecord> {
    let watched = record.watched.iter();
    watched.filter(|watched| watched.what != GENERATOR)
}

/// `ops-core (port 8000, 4 processes)`; what its name says already is left out.
pub(in crate::report) fn title(watched: &WatchedRecord) -> String {
    let (name, what) = (watched.name.as_str(), watched.what.as_str());
    let what = what.strip_prefix(name).unwrap_or(what).trim_start();
    let is_said = name.contains(what) || what.strip_prefix("processes ") == Some(name);
    let what = Some(what).filter(|_| !is_said);
    let processes = (watched.processes_max > 1).then(|| counted_processes(watched.processes_max));
    let parts: Vec<String> = what
        .map(str::to_owned)
        .into_iter()
        .chain(processes)
        .collect();
    match parts.is_empty() {
        true => watched.name.clone(),
        false => format!("{} ({})", watched.name, parts.join(", ")),
    }
}

/// `CPU 1.83 cores (max 1.97), 412 MB, 96 descriptors`.
pub(in crate::report) fn summary(watched: &WatchedRecord) -> String {
    let mut parts = Vec::new();
    if let Some(redis) = redis(watched) {
        parts.push(format!(
            "{} operations/s",
            three_digits(redis.operations_per_s)
        ));
    }
    if let (Some(mean), Some(max)) = (watched.cpu_mean, watched.cpu_max) {
        parts.push(format!(
            "CPU {} cores (max {})",
            three_digits(mean),
            three_digits(max)
        ));
    }
    parts.extend(watched.rss_max_bytes.map(bytes));
    let descriptors = watched.descriptors_max;
    parts.extend(descriptors.map(|count| counted(count, "descriptor")));
    if let Some(redis) = redis(watched) {
        let lookups = redis.hits_per_s + redis.misses_per_s;
        parts.push(counted(redis.clients, "client"));
        parts.push(counted(redis.keys, "key"));
        if lookups > 0.0 {
            parts.push(format!(
                "{} of lookups hit",
                percent(redis.hits_per_s / lookups)
            ));
        }
    }
    match parts.is_empty() {
        true => "no sample".into(),
        false => parts.join(", "),
    }
}

/// `; full (0.95 of its 2.00 cores) for 12.0 s`; empty when it never was.
pub(in crate::report) fn full(watched: &WatchedRecord) -> String {
    match watched.cores {
        Some(cores) if watched.full_s > 0.0 => format!(
            "; full for {} (it may use {} cores)",
            moment(watched.full_s),
            three_digits(cores)
        ),
        _ => String::new(),
    }
}

/// Processes that ended or came, answers that were missed.
fn changes(page: &mut Page, watched: &WatchedRecord) {
    if let Some(first_s) = watched.first_gone_s {
        let came = match watched.came {
            0 => "none came".into(),
            count => format!("{} came", grouped(count)),
        };
        page.remark(&format!(
            "{} ended during the run, the first at {}; {came}",
            counted_processes(watched.gone),
            moment(first_s)
        ));
    }
    if watched.missed > 0 {
        let reason = watched.error.as_deref().unwrap_or_default();
        page.remark(&format!(
            "no answer in {}: {reason}",
            counted(watched.missed, "second")
        ));
    }
}

fn counted_processes(count: u64) -> String {
    match count {
        1 => "1 process".into(),
        count => format!("{} processes", grouped(count)),
    }
}

/// Means of its rates, and the last levels.
fn redis(watched: &WatchedRecord) -> Option<RedisSampleRecord> {
    let last = watched
        .samples
        .iter()
        .rev()
        .find_map(|it| it.redis.clone())?;
    let mean = |of: fn(&RedisSampleRecord) -> f64| {
        let samples = watched.samples.iter();
        let known = samples.filter_map(|it| Some((it.length_s, of(it.redis.as_ref()?))));
        let (length_s, sum) = known.fold((0.0, 0.0), |(length_s, sum), (s, value)| {
            (length_s + s, sum + s * value)
        });
        sum / f64::max(length_s, 1e-9)
    };
    Some(RedisSampleRecord {
        operations_per_s: mean(|redis| redis.operations_per_s),
        hits_per_s: mean(|redis| redis.hits_per_s),
        misses_per_s: mean(|redis| redis.misses_per_s),
        ..last
    })
}

fn mean_bytes(
    watched: &WatchedRecord,
    of: fn(&WatchedSampleRecord) -> Option<f64>,
) -> Option<String> {
    mean(&watched.samples, of).map(|mean| bytes(mean.round() as u64))
}

/// The mean over the samples that know it.
fn mean(
    samples: &[WatchedSampleRecord],
    of: fn(&WatchedSampleRecord) -> Option<f64>,
) -> Option<f64> {
    let known = samples
        .iter()
        .filter_map(|sample| Some((sample.length_s, of(sample)?)));
    let (length_s, sum) = known.fold((0.0, 0.0), |(length_s, sum), (s, value)| {
        (length_s + s, sum + s * value)
    });
    (length_s > 0.0).then(|| sum / length_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> WatchedRecord {
        WatchedRecord {
            name: "ops-core".into(),
            what: "port 8000".into(),
            processes_max: 4,
            cores: Some(2.0),
            cpu_mean: Some(1.83),
            cpu_max: Some(1.97),
            rss_max_bytes: Some(412_000_000),
            descriptors_max: Some(96),
            ..WatchedRecord::default()
        }
    }

    fn shown(watched: &WatchedRecord) -> String {
        format!("{}: {}{}", title(watched), summary(watched), full(watched))
    }

    #[test]
    fn a_line_says_what_was_watched_and_whether_it_was_full() {
        let mut service = service();
        assert_eq!(
            shown(&service),
            "ops-core (port 8000, 4 processes): CPU 1.83 cores (max 1.97), 412 MB, 96 descriptors"
        );
        service.full_s = 12.0;
        assert!(shown(&service).ends_with("; full for 12.0 s (it may use 2.00 cores)"));
    }

    #[test]
    fn a_title_says_nothing_twice() {
        let title = |name: &str, what: &str| {
            title(&WatchedRecord {
                name: name.into(),
                what: what.into(),
                ..WatchedRecord::default()
            })
        };
        assert_eq!(title("nginx", "processes nginx"), "nginx");
        assert_eq!(title("redis", "redis h:6379"), "redis (h:6379)");
        assert_eq!(title("opsurge (port 7)", "port 7"), "opsurge (port 7)");
    }

    #[test]
    fn a_redis_is_summed_over_its_seconds_weighted_by_their_length() {
        let sample = |length_s: f64, operations_per_s: f64| WatchedSampleRecord {
            length_s,
            redis: Some(RedisSampleRecord {
                operations_per_s,
                clients: 3,
                hits_per_s: 1.0,
                misses_per_s: 3.0,
                keys: 5,
                ..RedisSampleRecord::default()
            }),
            ..WatchedSampleRecord::default()
        };
        let redis = WatchedRecord {
            samples: vec![sample(1.0, 100.0), sample(3.0, 500.0)],
            ..WatchedRecord::default()
        };
        assert_eq!(
            summary(&redis),
            "400 operations/s, 3 clients, 5 keys, 25 % of lookups hit"
        );
    }
}
