//! Samples -> the record.

use std::time::SystemTime;

use crate::record::schema::{FULL_SHARE, RedisSampleRecord, WatchedRecord, WatchedSampleRecord};

use super::samples::Sample;
use super::sampling::{Sampled, Series};

/// The run that was watched.
#[derive(Clone, Copy, Debug)]
pub struct RunSpan {
    pub started_at: SystemTime,
    /// Begin of the load, in seconds since the start.
    pub load_from_s: f64,
    /// End of the load, in seconds since the start.
    pub load_to_s: f64,
}

/// What was watched, on the time axis of the run.
pub fn records(sampled: &Sampled, run: RunSpan) -> Vec<WatchedRecord> {
    // The run begins some milliseconds after the sampling, so that a step of the wall clock in between is unlikely.
    let before_s = match run.started_at.duration_since(sampled.began) {
        Ok(before) => before.as_secs_f64(),
        Err(after) => -after.duration().as_secs_f64(),
    };
    let series = sampled.series.iter();
    series.map(|series| record(series, before_s, run)).collect()
}

fn record(series: &Series, before_s: f64, run: RunSpan) -> WatchedRecord {
    let samples = series.samples.all();
    let (mut cpu_s, mut known_s, mut full_s) = (0.0, 0.0, 0.0);
    for sample in samples {
        let end_s = sample.end_s - before_s;
        let begin_s = end_s - sample.length_s;
        let in_load_s = (end_s.min(run.load_to_s) - begin_s.max(run.load_from_s)).max(0.0);
        if let Some(cores) = sample.reading.cpu_cores {
            cpu_s += cores * in_load_s;
            known_s += in_load_s;
            let is_full = |most: f64| cores >= FULL_SHARE * most;
            full_s += match sample.reading.cores.is_some_and(is_full) {
                true => in_load_s,
                false => 0.0,
            };
        }
    }
    let max = |of: fn(&Sample) -> Option<f64>| samples.iter().filter_map(of).reduce(f64::max);
    let count = |value: Option<f64>| value.map(|value| value.round() as u64);
    WatchedRecord {
        name: series.name.clone(),
        what: series.what.clone(),
        pids: series.pids.iter().map(|pid| *pid as u32).collect(),
        processes_max: count(max(|sample| Some(sample.reading.processes))).unwrap_or(0),
        came: series.came,
        gone: series.gone,
        first_gone_s: series.first_gone_s.map(|s| s - before_s),
        missed: series.missed,
        error: series.last_error.clone(),
        cores: max(|sample| sample.reading.cores),
        full_s,
        cpu_mean: (known_s > 0.0).then(|| cpu_s / known_s),
        cpu_max: max(|sample| sample.reading.cpu_cores),
        rss_max_bytes: count(max(|sample| sample.reading.rss_bytes)),
        threads_max: count(max(|sample| sample.reading.threads)),
        descriptors_max: count(max(|sample| sample.reading.descriptors)),
        samples: samples
            .iter()
            .map(|sample| sample_record(sample, before_s))
            .collect(),
    }
}

fn sample_record(sample: &Sample, before_s: f64) -> WatchedSampleRecord {
    let reading = &sample.reading;
    let count = |value: f64| value.round() as u64;
    WatchedSampleRecord {
        t_s: thousandths(sample.end_s - before_s),
        length_s: thousandths(sample.length_s),
        processes: count(reading.processes),
        cpu_cores: reading.cpu_cores.map(thousandths),
        rss_bytes: reading.rss_bytes.map(count),
        threads: reading.threads.map(count),
        descriptors: reading.descriptors.map(count),
        context_switches_per_s: reading.context_switches_per_s.map(thousandths),
        received_bytes_per_s: reading.received_bytes_per_s.map(thousandths),
        sent_bytes_per_s: reading.sent_bytes_per_s.map(thousandths),
        redis: reading.redis.map(|redis| RedisSampleRecord {
            operations_per_s: thousandths(redis.operations_per_s),
            clients: count(redis.clients),
            memory_bytes: count(redis.memory_bytes),
            hits_per_s: thousandths(redis.hits_per_s),
            misses_per_s: thousandths(redis.misses_per_s),
            keys: count(redis.keys),
        }),
    }
}

/// More digits would be longer in the record than what they are worth.
fn thousandths(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::machine::watched::reading::Reading;
    use crate::session::watched::samples::Samples;

    #[test]
    fn means_are_those_of_the_load_and_peaks_those_of_the_whole_run() {
        let mut samples = Samples::default();
        // The load lasts from 1 s to 3 s of the run, which began 0.5 s after the sampling.
        for (end_s, cpu_cores) in [(1.5, 8.0), (2.5, 1.0), (3.5, 3.0), (4.5, 0.0)] {
            samples.push(Sample {
                end_s,
                length_s: 1.0,
                reading: Reading {
                    processes: 2.0,
                    cpu_cores: Some(cpu_cores),
                    cores: Some(3.0),
                    ..Reading::default()
                },
            });
        }
        let began = SystemTime::UNIX_EPOCH;
        let sampled = Sampled {
            began,
            series: vec![Series {
                name: "ops-core".into(),
                samples,
                first_gone_s: Some(2.5),
                ..Series::default()
            }],
        };
        let run = RunSpan {
            started_at: began + Duration::from_millis(500),
            load_from_s: 1.0,
            load_to_s: 3.0,
        };
        let records = records(&sampled, run);
        let record = &records[0];
        assert_eq!((record.cpu_mean, record.cpu_max), (Some(2.0), Some(8.0)));
        assert_eq!((record.full_s, record.cores), (1.0, Some(3.0)));
        assert_eq!(record.first_gone_s, Some(2.0));
        let times: Vec<f64> = record.samples.iter().map(|sample| sample.t_s).collect();
        assert_eq!(times, [1.0, 2.0, 3.0, 4.0]);
        assert_eq!((record.rss_max_bytes, record.processes_max), (None, 2));
    }
}
