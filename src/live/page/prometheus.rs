//! A tick as Prometheus reads it: text format 0.0.4, labels by step and never by URL. Pure.
//!
//! Counters and histograms are those of the whole run, made from its merged histograms when they are asked for.

use std::fmt::Error;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::prometheus_text::{CONTENT_TYPE, encode};
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::metrics::interval::StepInterval;
use crate::metrics::latencies::Latencies;
use crate::metrics::seconds::Status;
use crate::metrics::tick::Tick;

/// Type of the text.
pub const TYPE: &str = CONTENT_TYPE;

/// Upper bounds of the buckets, in microseconds: 250 us to 60 s.
const BUCKETS_US: [u64; 24] = [
    250, 500, 750, 1_000, 1_500, 2_000, 3_000, 5_000, 7_500, 10_000, 15_000, 25_000, 50_000,
    75_000, 100_000, 150_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000,
    30_000_000, 60_000_000,
];

/// The metrics of a run after a tick; `steps` are its steps' names, by metric. Without a tick there are none yet.
pub fn text(steps: &Arc<Vec<String>>, tick: &Arc<Tick>, verdict: &'static str) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Metrics {
        steps: steps.clone(),
        tick: tick.clone(),
        verdict,
    }));
    let mut text = String::new();
    encode(&mut text, &registry).expect("a string takes everything");
    text
}

#[derive(Debug)]
struct Metrics {
    steps: Arc<Vec<String>>,
    tick: Arc<Tick>,
    verdict: &'static str,
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        self.requests(&mut encoder)?;
        self.failures(&mut encoder)?;
        self.times(
            &mut encoder,
            (
                "opsurge_response_seconds",
                "Due to answered, failures included; requests cut off or never begun count at their age",
            ),
            |step| &step.response,
        )?;
        self.times(
            &mut encoder,
            (
                "opsurge_service_seconds",
                "Sent to answered, of requests that did not fail",
            ),
            |step| &step.service,
        )?;
        let second = &self.tick.second;
        gauge(
            &mut encoder,
            ("opsurge_users", "Users present"),
            second.users,
        )?;
        gauge(
            &mut encoder,
            ("opsurge_in_flight", "Requests under way"),
            second.in_flight,
        )?;
        self.shards(&mut encoder)?;
        self.verdicts(&mut encoder)
    }
}

impl Metrics {
    fn by_step(&self) -> impl Iterator<Item = (&str, &StepInterval)> {
        let names = self.steps.iter().map(String::as_str);
        names.zip(&self.tick.so_far)
    }

    /// By class of the answer's status; `none` where there was no answer.
    fn requests(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut family = encoder.encode_descriptor(
            "opsurge_requests",
            "Requests with an outcome, failures included, by class of their status; none: without an answer",
            None,
            MetricType::Counter,
        )?;
        for (step, counts) in self.by_step() {
            let unanswered = counts.requests - counts.answers;
            let classes = counts.classes.iter().enumerate();
            let classes = classes.map(|(class, count)| (format!("{class}xx"), *count));
            for (class, count) in classes.chain([("none".to_owned(), unanswered)]) {
                // A successful class is there from the start, so that rates of it are right from its first request on.
                if count == 0 && class != "2xx" {
                    continue;
                }
                let labels = [("step", step), ("class", class.as_str())];
                let mut metric = family.encode_family(&labels)?;
                metric.encode_counter::<NoLabelSet, u64, f64>(&count, None)?;
            }
        }
        Ok(())
    }

    fn failures(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut family = encoder.encode_descriptor(
            "opsurge_failures",
            "Requests that failed, by kind",
            None,
            MetricType::Counter,
        )?;
        for (step, counts) in self.by_step() {
            for (kind, count) in counts.kinds.by_count() {
                let labels = [("step", step), ("kind", kind.name())];
                let mut metric = family.encode_family(&labels)?;
                metric.encode_counter::<NoLabelSet, u64, f64>(&count, None)?;
            }
        }
        Ok(())
    }

    fn times(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        (name, help): (&str, &str),
        of: impl Fn(&StepInterval) -> &Latencies,
    ) -> Result<(), Error> {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (step, counts) in self.by_step() {
            let times = of(counts);
            let sum_s = times.exact_ns().0 as f64 / 1e9;
            let labels = [("step", step)];
            let mut metric = family.encode_family(&labels)?;
            metric.encode_histogram::<NoLabelSet>(sum_s, times.count(), &buckets(times), None)?;
        }
        Ok(())
    }

    fn shards(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut family = encoder.encode_descriptor(
            "opsurge_shard_busy_ratio",
            "Share of the last second in which a shard worked, 0 to 1",
            None,
            MetricType::Gauge,
        )?;
        let length_ns = (self.tick.end_ns - self.tick.begin_ns).max(1) as f64;
        for (shard, working_ns) in self.tick.second.shards_working_ns.iter().enumerate() {
            let busy = (*working_ns as f64 / length_ns).min(1.0);
            let labels = [("shard", shard as u64)];
            family.encode_family(&labels)?.encode_gauge(&busy)?;
        }
        Ok(())
    }

    fn verdicts(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut family = encoder.encode_descriptor(
            "opsurge_verdict",
            "Whether the figures can be believed: 1 for the verdict so far, 0 for the others",
            None,
            MetricType::Gauge,
        )?;
        for status in Status::ALL {
            let labels = [("status", status.name())];
            let is_it = i64::from(status.name() == self.verdict);
            family.encode_family(&labels)?.encode_gauge(&is_it)?;
        }
        Ok(())
    }
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    value: u64,
) -> Result<(), Error> {
    encoder
        .encode_descriptor(name, help, None, MetricType::Gauge)?
        .encode_gauge(&value)
}

/// Times in each bucket, with its upper bound in seconds. A time is counted as the greatest that its count may stand for:
/// at most 0.1 % more than it was.
fn buckets(times: &Latencies) -> [(f64, u64); BUCKETS_US.len()] {
    let mut buckets = BUCKETS_US.map(|us| (us as f64 / 1e6, 0));
    for (us, count) in times.counts_us() {
        let at = BUCKETS_US.partition_point(|bound| *bound < us);
        if let Some((_, sum)) = buckets.get_mut(at) {
            *sum += count;
        }
    }
    buckets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::interval::Interval;
    use crate::metrics::outcome::{Failure, Failures};

    fn tick() -> Tick {
        let mut second = Interval::new(1);
        second.users = 7;
        second.in_flight = 3;
        second.shards_working_ns = vec![250_000_000, 0];
        let step = &mut second.steps[0];
        (step.requests, step.answers, step.failures) = (5, 4, 2);
        step.classes[2] = 3;
        step.classes[5] = 1;
        step.kinds[Failure::Timeout] = 1;
        step.kinds[Failure::Status] = 1;
        for us in [250, 251, 1_000, 60_000_000, 61_000_000] {
            step.response.record(us * 1_000);
        }
        Tick {
            number: 1,
            begin_ns: 0,
            end_ns: 1_000_000_000,
            load_from_ns: Some(0),
            so_far: second.steps.clone(),
            second,
            failures: Failures::default(),
            level: None,
            verdict: Status::Valid,
        }
    }

    #[test]
    fn counts_are_by_step_and_buckets_are_cumulative() {
        let steps = Arc::new(vec!["GET a\"b\\c\n".to_owned()]);
        let text = text(&steps, &Arc::new(tick()), "VALID");
        let step = r#"step="GET a\"b\\c\n""#;
        for line in [
            format!("opsurge_requests_total{{{step},class=\"2xx\"}} 3"),
            format!("opsurge_requests_total{{{step},class=\"5xx\"}} 1"),
            format!("opsurge_requests_total{{{step},class=\"none\"}} 1"),
            format!("opsurge_failures_total{{{step},kind=\"timeout\"}} 1"),
            format!("opsurge_response_seconds_bucket{{{step},le=\"0.00025\"}} 1"),
            format!("opsurge_response_seconds_bucket{{{step},le=\"0.0005\"}} 2"),
            format!("opsurge_response_seconds_bucket{{{step},le=\"+Inf\"}} 5"),
            format!("opsurge_response_seconds_count{{{step}}} 5"),
            "opsurge_users 7".to_owned(),
            "opsurge_in_flight 3".to_owned(),
            "opsurge_shard_busy_ratio{shard=\"0\"} 0.25".to_owned(),
            "opsurge_verdict{status=\"VALID\"} 1".to_owned(),
            "opsurge_verdict{status=\"GENERATOR-LIMITED\"} 0".to_owned(),
        ] {
            assert!(text.lines().any(|it| it == line), "{line} in {text}");
        }
        assert!(!text.contains("3xx"), "{text}");
    }
}
