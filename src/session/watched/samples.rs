//! The samples of one name, in memory that does not grow with the length of the run.

use crate::machine::watched::reading::{Reading, RedisReading};

/// Most samples: half an hour of seconds. From then on the shortest neighbours are joined.
const SAMPLES_MAX: usize = 2_048;

/// A stretch of time, as a rule a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Its end, in seconds since the watching began.
    pub end_s: f64,
    /// Its length in seconds.
    pub length_s: f64,
    pub reading: Reading,
}

/// The samples in order of time.
#[derive(Debug)]
pub struct Samples {
    all: Vec<Sample>,
    max: usize,
}

impl Default for Samples {
    fn default() -> Self {
        Self::bounded(SAMPLES_MAX)
    }
}

impl Samples {
    fn bounded(max: usize) -> Self {
        Self {
            all: Vec::with_capacity(max + 1),
            max,
        }
    }

    pub fn all(&self) -> &[Sample] {
        &self.all
    }

    /// Appends one; where there are too many, the two neighbours that are shortest together become one.
    pub fn push(&mut self, sample: Sample) {
        self.all.push(sample);
        if self.all.len() <= self.max {
            return;
        }
        let lengths = self
            .all
            .windows(2)
            .map(|pair| pair[0].length_s + pair[1].length_s);
        let shortest = lengths.enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((at, _)) = shortest {
            self.all[at] = self.all[at].joined(&self.all[at + 1]);
            self.all.remove(at + 1);
        }
    }
}

impl Sample {
    /// Rates are means over both lengths, levels the greater of the two.
    fn joined(&self, next: &Self) -> Self {
        let length_s = self.length_s + next.length_s;
        let mean = |a: f64, b: f64| (a * self.length_s + b * next.length_s) / length_s.max(1e-9);
        let (a, b) = (&self.reading, &next.reading);
        let rate = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => Some(mean(a, b)),
            (known, None) | (None, known) => known,
        };
        let level = |a: Option<f64>, b: Option<f64>| a.into_iter().chain(b).reduce(f64::max);
        Self {
            end_s: next.end_s,
            length_s,
            reading: Reading {
                processes: a.processes.max(b.processes),
                cpu_cores: rate(a.cpu_cores, b.cpu_cores),
                rss_bytes: level(a.rss_bytes, b.rss_bytes),
                threads: level(a.threads, b.threads),
                descriptors: level(a.descriptors, b.descriptors),
                context_switches_per_s: rate(a.context_switches_per_s, b.context_switches_per_s),
                received_bytes_per_s: rate(a.received_bytes_per_s, b.received_bytes_per_s),
                sent_bytes_per_s: rate(a.sent_bytes_per_s, b.sent_bytes_per_s),
                cores: level(a.cores, b.cores),
                redis: match (a.redis, b.redis) {
                    (Some(a), Some(b)) => Some(RedisReading {
                        operations_per_s: mean(a.operations_per_s, b.operations_per_s),
                        clients: a.clients.max(b.clients),
                        memory_bytes: a.memory_bytes.max(b.memory_bytes),
                        hits_per_s: mean(a.hits_per_s, b.hits_per_s),
                        misses_per_s: mean(a.misses_per_s, b.misses_per_s),
                        keys: a.keys.max(b.keys),
                    }),
                    (known, None) | (None, known) => known,
                },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_series_is_joined_and_keeps_its_time_its_work_and_its_peaks() {
        let mut samples = Samples::bounded(8);
        for second in 1..=100_u32 {
            let cpu = if second % 2 == 0 { 2.0 } else { 1.0 };
            samples.push(Sample {
                end_s: f64::from(second),
                length_s: 1.0,
                reading: Reading {
                    cpu_cores: Some(cpu),
                    rss_bytes: Some(f64::from(second)),
                    // Seconds without an answer do not count as 0.
                    context_switches_per_s: (second % 2 == 0).then_some(4.0),
                    ..Reading::default()
                },
            });
        }
        let all = samples.all();
        assert_eq!(all.len(), 8);
        let sum = |of: &dyn Fn(&Sample) -> f64| all.iter().map(of).sum::<f64>();
        assert_eq!(sum(&|sample| sample.length_s), 100.0);
        let work = sum(&|sample| sample.length_s * sample.reading.cpu_cores.expect("known"));
        assert!((work - 150.0).abs() < 1e-9, "{work}");
        assert_eq!(all[7].end_s, 100.0);
        assert_eq!(all[7].reading.rss_bytes, Some(100.0));
        let switches = all
            .iter()
            .filter_map(|sample| sample.reading.context_switches_per_s);
        assert!(switches.clone().count() > 0 && switches.clone().all(|rate| rate == 4.0));
        // All of them are of about the same length.
        assert!(all.iter().all(|sample| sample.length_s <= 26.0), "{all:?}");
    }
}
