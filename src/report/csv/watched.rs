//! `_watched.csv`: a row for each second of each thing that was watched.

use super::cells::quoted;
use crate::record::schema::{Record, WatchedRecord, WatchedSampleRecord};

const HEAD: &str = "Name,What,Time s,Length s,Processes,CPU cores,Resident bytes,Threads,Descriptors,Context switches/s,Received bytes/s,Sent bytes/s,Redis operations/s,Redis clients,Redis memory bytes,Redis hits/s,Redis misses/s,Redis keys";

/// The whole file. What is not known is empty.
pub(super) fn table(record: &Record) -> String {
    let mut text = format!("{HEAD}\n");
    for watched in &record.watched {
        for sample in &watched.samples {
            text += &(row(watched, sample).join(",") + "\n");
        }
    }
    text
}

fn row(watched: &WatchedRecord, sample: &WatchedSampleRecord) -> [String; 18] {
    let redis = sample.redis.as_ref();
    [
        quoted(&watched.name),
        quoted(&watched.what),
        sample.t_s.to_string(),
        sample.length_s.to_string(),
        sample.processes.to_string(),
        cell(sample.cpu_cores),
        cell(sample.rss_bytes),
        cell(sample.threads),
        cell(sample.descriptors),
        cell(sample.context_switches_per_s),
        cell(sample.received_bytes_per_s),
        cell(sample.sent_bytes_per_s),
        cell(redis.map(|redis| redis.operations_per_s)),
        cell(redis.map(|redis| redis.clients)),
        cell(redis.map(|redis| redis.memory_bytes)),
        cell(redis.map(|redis| redis.hits_per_s)),
        cell(redis.map(|redis| redis.misses_per_s)),
        cell(redis.map(|redis| redis.keys)),
    ]
}

fn cell(value: Option<impl ToString>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}
