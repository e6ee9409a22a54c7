//! A server that stops answering: stretches of time in which requests were open and nothing came back.
//!
//! Seconds in a row without an answer are a silence when they last [`SILENCE_NS_MIN`] and ten times the 99th percentile
//! of the response times until then, and so long that at the rate until then `MISSED_MIN` answers would have come. A
//! service that was always so slow, or is asked so rarely, is not silent.

use crate::metrics::latencies::Latencies;

/// Shortest silence.
pub const SILENCE_NS_MIN: u64 = 5_000_000_000;
/// It lasts so many times the 99th percentile until then.
const P99_TIMES: u64 = 10;
/// So many answers are missed. By chance (Poisson), none comes where five were to be expected in 1 of 150 cases.
const MISSED_MIN: f64 = 5.0;

/// A stretch in which requests were open throughout and nothing came back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Silence {
    /// Its begin, since the start.
    pub from_ns: u64,
    /// Its end; `None` when it lasted to the end of the load.
    pub to_ns: Option<u64>,
    /// Requests that were open last.
    pub open: u64,
    /// Answers per second of the load until then; `None` when none had come.
    pub answers_per_s: Option<f64>,
    /// 99 % of the response times until then were no longer, in nanoseconds.
    pub p99_ns: u64,
}

/// Looks for them.
#[derive(Clone, Debug, Default)]
pub(super) struct Silences {
    /// When the load began, since the start.
    load_from_ns: Option<u64>,
    in_flight: u64,
    answers: u64,
    /// Of everything that came until now, silent stretches left out.
    responses: Latencies,
    /// Nothing has come since then: begin, end so far, requests open.
    current: Option<(u64, u64, u64)>,
    /// Nothing came in the drain until then.
    drained_to_ns: Option<u64>,
    /// An answer came in the drain.
    has_drained: bool,
    /// The longest one that has ended.
    ended: Option<Silence>,
}

impl Silences {
    pub fn on_second(
        &mut self,
        (begin_ns, end_ns): (u64, u64),
        in_flight: u64,
        answers: u64,
        responses: &Latencies,
    ) {
        self.load_from_ns.get_or_insert(begin_ns);
        let in_flight_before = std::mem::replace(&mut self.in_flight, in_flight);
        // Between a time limit and the next request a user waits: one moment in which nothing is open ends no silence.
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
            // Before the first answer it was a service that takes its time.
            if is_longest && silence.answers_per_s.is_some() {
                self.ended = Some(silence);
            }
        }
        self.current = None;
        self.answers += answers;
        self.responses += responses;
    }

    /// Takes a second of the drain: a silence of the load goes on in it, but none begins, since nothing more is asked.
    pub fn on_drain(&mut self, end_ns: u64, answers: u64) {
        self.has_drained |= answers > 0;
        if !self.has_drained {
            self.drained_to_ns = Some(end_ns);
        }
    }

    /// The present stretch, if it is a silence, as one that has ended at a moment; requests were begun in it until
    /// `asked_to_ns`.
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

    /// Nothing has come for long.
    pub fn is_silent(&self) -> bool {
        let end_ns = self.current.map_or(0, |(_, end_ns, _)| end_ns);
        self.current_until(end_ns, end_ns).is_some()
    }

    /// The one that lasted to the end of the load, else the longest one that `service_p99_ns` (of the whole run) does not
    /// explain.
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
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;
    const MS: u64 = 1_000_000;

    /// Feeds seconds of so many answers, each after so long, with so many requests open at the end of each.
    fn fed(seconds: &[(u64, u64, u64)]) -> Silences {
        let mut silences = Silences::default();
        for (index, &(answers, took_ns, open)) in seconds.iter().enumerate() {
            let mut responses = Latencies::default();
            (0..answers).for_each(|_| responses.record(took_ns));
            let begin_ns = index as u64 * S;
            silences.on_second((begin_ns, begin_ns + S), open, answers, &responses);
        }
        silences
    }

    fn worst(seconds: &[(u64, u64, u64)], service_p99_ns: u64) -> Option<Silence> {
        fed(seconds).worst(seconds.len() as u64 * S, service_p99_ns)
    }

    /// `quick` seconds of answers, then `silent` ones without.
    fn hung(quick: usize, took_ns: u64, silent: usize) -> Vec<(u64, u64, u64)> {
        let mut seconds = vec![(100, took_ns, 10); quick];
        seconds.extend(vec![(0, 0, 10); silent]);
        seconds
    }

    #[test]
    fn a_server_that_hangs_to_the_end_is_silent_from_then_on() {
        let silence = worst(&hung(4, 8 * MS, 16), 8 * MS).expect("sixteen seconds");
        assert_eq!((silence.from_ns, silence.to_ns), (4 * S, None));
        assert_eq!(silence.answers_per_s, Some(100.0));
        assert!((7 * MS..9 * MS).contains(&silence.p99_ns), "{silence:?}");
        assert_eq!(silence.open, 10);
    }

    #[test]
    fn four_seconds_are_none_and_five_are_one() {
        assert_eq!(worst(&hung(4, 8 * MS, 4), 8 * MS), None);
        assert!(worst(&hung(4, 8 * MS, 5), 8 * MS).is_some());
        assert!(!fed(&hung(4, 8 * MS, 4)).is_silent());
        assert!(fed(&hung(4, 8 * MS, 5)).is_silent());
    }

    #[test]
    fn a_service_that_is_slow_is_not_silent_before_ten_times_its_p99() {
        assert_eq!(worst(&hung(4, 700 * MS, 6), 700 * MS), None);
        assert!(worst(&hung(4, 700 * MS, 8), 700 * MS).is_some());
    }

    #[test]
    fn nothing_open_is_no_silence() {
        let mut seconds = hung(4, 8 * MS, 8);
        // At one moment: between time limits and the next requests.
        seconds[7].2 = 0;
        assert!(worst(&seconds, 8 * MS).is_some());
        // For a second.
        seconds[8].2 = 0;
        assert_eq!(worst(&seconds, 8 * MS), None);
    }

    #[test]
    fn few_answers_may_fail_to_come_by_chance() {
        // One answer in ten seconds: a silence of 16 s has missed less than two.
        let mut seconds = vec![(0, 0, 0); 20];
        (seconds[0], seconds[10]) = ((1, 8 * MS, 0), (1, 8 * MS, 1));
        seconds.extend([(0, 0, 1); 16]);
        seconds[11..20].fill((0, 0, 1));
        assert_eq!(worst(&seconds, 8 * MS), None);
    }

    #[test]
    fn a_server_that_never_answers_is_silent_from_the_start() {
        let silence = worst(&hung(0, 0, 6), 0).expect("six seconds");
        assert_eq!((silence.from_ns, silence.answers_per_s), (0, None));
    }

    #[test]
    fn a_first_answer_that_took_long_is_a_slow_service() {
        let seconds = [&[(0, 0, 10); 7][..], &[(10, 7 * S, 10); 3]].concat();
        assert_eq!(worst(&seconds, 7 * S), None);
    }

    #[test]
    fn one_that_ended_is_one_if_the_service_is_not_always_so_slow() {
        let seconds = [&hung(4, 8 * MS, 7)[..], &hung(9, 8 * MS, 0)].concat();
        let silence = worst(&seconds, 8 * MS).expect("seven seconds");
        assert_eq!((silence.from_ns, silence.to_ns), (4 * S, Some(11 * S)));
        // Answers that came after 7 s were those of a step that takes 7 s.
        assert_eq!(worst(&seconds, 7 * S), None);
    }

    #[test]
    fn seconds_after_the_load_do_not_begin_or_lengthen_it() {
        let silences = fed(&hung(4, 8 * MS, 6));
        assert_eq!(silences.worst(4 * S + 4_900 * MS, 8 * MS), None);
        assert!(silences.worst(9 * S, 8 * MS).is_some());
        let mut quick = fed(&hung(4, 8 * MS, 0));
        (5..12).for_each(|second| quick.on_drain(second * S, 0));
        assert_eq!(quick.worst(4 * S, 8 * MS), None);
    }

    #[test]
    fn one_of_the_load_goes_on_in_the_drain_until_an_answer() {
        let drained = |answers: [u64; 3]| {
            let mut silences = fed(&hung(4, 8 * MS, 3));
            for (second, answers) in (8..).zip(answers) {
                silences.on_drain(second * S, answers);
            }
            silences.worst(7 * S, 8 * MS)
        };
        let silence = drained([0, 0, 0]).expect("three seconds and three");
        assert_eq!((silence.from_ns, silence.to_ns), (4 * S, None));
        // Five seconds, and an answer in the sixth.
        assert!(drained([0, 0, 1]).is_some());
        assert_eq!(drained([0, 1, 0]), None);
        assert_eq!(drained([1, 0, 0]), None);
    }
}
