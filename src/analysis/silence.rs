//! A server that stops answering: stretches of time in which requests were open and no answer came.
//!
//! Consecutive seconds without an answer are a silence when they last [`SILENCE_NS_MIN`], and ten times the 99th
//! percentile of the response times before them, and so long that `MISSED_MIN` answers would have come at the rate before
//! them. A service that was always so slow, or gets so few requests, is not silent.

use crate::metrics::latencies::Latencies;

/// Shortest silence.
pub const SILENCE_NS_MIN: u64 = 5_000_000_000;
/// Shortest silence as a multiple of the 99th percentile before it.
pub const P99_TIMES: u64 = 10;
/// Fewest missed answers. By chance (Poisson), none comes where five are expected in 1 of 150 cases.
pub const MISSED_MIN: f64 = 5.0;

/// A stretch in which requests were open throughout and no answer came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Silence {
    /// Its beginning, since the start.
    pub from_ns: u64,
    /// Its end, since the start; `None` when it lasted to the end of the load.
    pub to_ns: Option<u64>,
    /// Requests open at its end.
    pub open: u64,
    /// Answers per second of the load before it; `None` without any.
    pub answers_per_s: Option<f64>,
    /// 99th percentile of the response times before it.
    pub p99_ns: u64,
}

/// Finds the silences of a run, second by second.
#[derive(Clone, Debug, Default)]
pub(super) struct Silences {
    /// When the load began, since the start.
    load_from_ns: Option<u64>,
    in_flight: u64,
    answers: u64,
    /// Response times until now, without stretches in which no answer came.
    responses: Latencies,
    /// The present stretch without an answer: beginning, end so far, requests open.
    current: Option<(u64, u64, u64)>,
    /// How far into the drain no answer had come.
    drained_to_ns: Option<u64>,
    /// An answer came in the drain.
    has_drained: bool,
    /// The longest silence that has ended.
    ended: Option<Silence>,
}

impl Silences {
    /// Takes a second of the load.
    pub fn on_second(
        &mut self,
        (begin_ns, end_ns): (u64, u64),
        in_flight: u64,
        answers: u64,
        responses: &Latencies,
    ) {
        self.load_from_ns.get_or_insert(begin_ns);
        let in_flight_before = std::mem::replace(&mut self.in_flight, in_flight);
        // Between a timeout and its next request a user waits: one moment without an open request ends no silence.
        let was_open = in_flight > 0 || in_flight_before > 0;
        if answers == 0 && was_open {
            let (from_ns, ..) = self.current.unwrap_or((begin_ns, begin_ns, 0));
            self.current = Some((from_ns, end_ns, in_flight));
            return;
        }
        if let Some(silence) = self.current_until(begin_ns, begin_ns) {
            let length_ns = |silence: &Silence| silence.to_ns.unwrap_or(0) - silence.from_ns;
            let is_longest = self
                .ended
                .is_none_or(|known| length_ns(&known) < length_ns(&silence));
            // A stretch before the first answer was a slow service.
            if is_longest && silence.answers_per_s.is_some() {
                self.ended = Some(silence);
            }
        }
        self.current = None;
        self.answers += answers;
        self.responses += responses;
    }

    /// Takes a second of the drain: a silence of the load goes on in it, and none begins, since no request is sent.
    pub fn on_drain(&mut self, end_ns: u64, answers: u64) {
        self.has_drained |= answers > 0;
        if !self.has_drained {
            self.drained_to_ns = Some(end_ns);
        }
    }

    /// The present stretch as one that ended at `to_ns`, if it is a silence; requests were sent in it until `asked_to_ns`.
    fn current_until(&self, to_ns: u64, asked_to_ns: u64) -> Option<Silence> {
        let (from_ns, _, open) = self.current?;
        let load_ns = from_ns - self.load_from_ns?;
        let silence = Silence {
            from_ns,
            to_ns: Some(to_ns),
            open,
            answers_per_s: (self.answers > 0).then(|| self.answers as f64 * 1e9 / load_ns as f64),
            p99_ns: (self.responses.percentile_us(99.0) * 1e3) as u64,
        };
        let length_ns = to_ns.saturating_sub(from_ns);
        let missed = silence
            .answers_per_s
            .map(|rate| rate * asked_to_ns.saturating_sub(from_ns) as f64 / 1e9);
        let is_long = length_ns >= SILENCE_NS_MIN.max(P99_TIMES * silence.p99_ns);
        (is_long && missed.is_none_or(|missed| missed >= MISSED_MIN)).then_some(silence)
    }

    /// Whether the present stretch is a silence already.
    pub fn is_silent(&self) -> bool {
        let end_ns = self.current.map_or(0, |(_, end_ns, _)| end_ns);
        self.current_until(end_ns, end_ns).is_some()
    }

    /// The silence that lasted to the end of the load, else the longest one that the service time of the whole run
    /// (`service_p99_ns`) does not explain.
    pub fn worst(&self, load_end_ns: u64, service_p99_ns: u64) -> Option<Silence> {
        let last = self.current.and_then(|(_, end_ns, _)| {
            let asked_to_ns = end_ns.min(load_end_ns);
            let to_ns = self.drained_to_ns.unwrap_or(asked_to_ns);
            self.current_until(to_ns, asked_to_ns)
        });
        if let Some(last) = last {
            return Some(Silence {
                to_ns: None,
                ..last
            });
        }
        self.ended.filter(|ended| {
            let to_ns = ended.to_ns.unwrap_or(load_end_ns).min(load_end_ns);
            to_ns.saturating_sub(ended.from_ns) >= P99_TIMES * service_p99_ns
        })
    }
}

#[cfg(test)]
mod tests;
