//! The one line of progress.

use crate::metrics::interval::Interval;

use crate::text::units::{counted, grouped, time};

/// `12 s  50 users  84,213 req/s  p50 412 us  p99 1.23 ms  0 failures  48 open, oldest 2.10 ms`, at most `width`
/// characters. After the load's end: `draining` in the place of the rate.
pub fn line(
    end_s: f64,
    length_s: f64,
    interval: &Interval,
    failures_so_far: u64,
    width: usize,
) -> String {
    let all = interval.all();
    let rate = grouped((all.requests as f64 / length_s.max(1e-9)).round() as u64);
    let latencies = match all.response.is_empty() {
        true => "no answers".to_owned(),
        false => format!(
            "p50 {}  p99 {}",
            time(all.response.percentile_us(50.0)),
            time(all.response.percentile_us(99.0))
        ),
    };
    let open = match interval.in_flight {
        0 => "0 open".to_owned(),
        open => format!(
            "{} open, oldest {}",
            grouped(open),
            time(interval.oldest_ns as f64 / 1e3)
        ),
    };
    let rate = match interval.is_drain {
        true => "draining".to_owned(),
        false => format!("{rate} req/s"),
    };
    let text = format!(
        "{end_s:.0} s  {}  {rate}  {latencies}  {}  {open}",
        counted(interval.users, "user"),
        counted(failures_so_far, "failure")
    );
    text.chars().take(width).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_what_happens_now_and_fits() {
        let mut interval = Interval::new(1);
        interval.users = 50;
        assert_eq!(
            line(2.0, 1.0, &interval, 0, 80),
            "2 s  50 users  0 req/s  no answers  0 failures  0 open"
        );
        interval.steps[0].requests = 84_213;
        interval.steps[0].response.record(412_000);
        let text = line(12.0, 1.0, &interval, 3, 80);
        assert_eq!(
            text,
            "12 s  50 users  84,213 req/s  p50 412 us  p99 412 us  3 failures  0 open"
        );
        (interval.users, interval.in_flight) = (1, 1);
        (interval.oldest_ns, interval.is_drain) = (4_200_000_000, true);
        let text = line(12.0, 1.0, &interval, 1, 80);
        assert_eq!(
            text,
            "12 s  1 user  draining  p50 412 us  p99 412 us  1 failure  1 open, oldest 4.20 s"
        );
        assert_eq!(line(12.0, 1.0, &interval, 3, 10).chars().count(), 10);
    }
}
