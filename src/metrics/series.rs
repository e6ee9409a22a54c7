//! The run second by second, packed into memory that does not grow with its length.

use super::effort::{CoreWait, Effort};
use super::interval::Interval;
use super::seconds::Seconds;
use super::summary::{Sample, StepSample};

/// Most samples in a series: a day at one second would be 86,400 of them.
const SAMPLES_MAX: usize = 4096;
/// Memory for a series, taken before the run. A second of a busy step packs to 200 to 1,900 bytes: the mixed scenario
/// fills this in 40 minutes at 1,600 requests per second, in 18 at 23,000. From then on samples become longer.
const BYTES_MAX: usize = 4 << 20;
/// The same for each step, so that scenarios of hundreds of steps have some hundred samples too.
const STEP_BYTES_MAX: usize = 64 << 10;
/// Shortest sample: what a run has left over after its last full second is often a millisecond.
const SAMPLE_NS_MIN: u64 = 500_000_000;

/// Samples one after the other, in memory that does not grow with the length of the run.
///
/// They lie packed in one buffer, whose pages are touched when it is made: the resident memory of the first second is
/// that of the last. When it is full, the shortest neighbours are joined to make room for the next second: a few
/// milliseconds' work now and then, where halving the whole series at once would be a second of it in mid-run.
#[derive(Clone, Debug)]
pub struct Series {
    packed: Vec<u8>,
    samples: usize,
    samples_max: usize,
    bytes_max: usize,
    /// Where the last sample begins.
    last_at: usize,
    end_ns: u64,
}

impl Series {
    /// An empty one for so many metrics, with all the memory it will need.
    pub fn new(steps: usize) -> Self {
        Self::bounded(SAMPLES_MAX, Self::bytes(steps))
    }

    /// What one for so many metrics takes.
    pub fn bytes(steps: usize) -> usize {
        BYTES_MAX + steps * STEP_BYTES_MAX
    }

    fn bounded(samples_max: usize, bytes_max: usize) -> Self {
        // Not zeroes: those would be the kernel's one page of zeroes until they are written to.
        let mut packed = vec![0xff; bytes_max];
        packed.clear();
        Self {
            packed,
            samples: 0,
            samples_max,
            bytes_max,
            last_at: 0,
            end_ns: 0,
        }
    }

    /// Whether nothing was appended yet.
    pub fn is_empty(&self) -> bool {
        self.samples == 0
    }

    /// The samples, in order.
    pub fn samples(&self) -> Vec<Sample> {
        let mut rest = Reader(&self.packed);
        (0..self.samples).map(|_| Sample::read(&mut rest)).collect()
    }

    /// End of the last sample, since the start.
    pub fn end_ns(&self) -> u64 {
        self.end_ns
    }

    /// Appends what happened up to `end_ns`, before the load's end or in the drain after it. A rest too short for a rate
    /// of its own is joined to the sample before it; load and drain are never joined.
    pub fn push(&mut self, end_ns: u64, interval: &Interval) {
        let mut sample = Sample {
            end_ns,
            length_ns: end_ns.saturating_sub(self.end_ns),
            is_drain: interval.is_drain,
            users: interval.users,
            working_ns: interval.working_ns,
            effort: interval.effort,
            judged: interval.judged,
            steps: interval.steps.iter().map(StepSample::pack).collect(),
        };
        if sample.length_ns < SAMPLE_NS_MIN && !self.is_empty() {
            let last = Sample::read(&mut Reader(&self.packed[self.last_at..]));
            if last.is_drain == sample.is_drain {
                sample = last.join(&sample);
                self.packed.truncate(self.last_at);
                self.samples -= 1;
            }
        }
        let bytes = sample.to_bytes();
        // A single sample beyond the bound, which nothing can be joined to, is kept all the same.
        while !self.has_room(bytes.len()) && self.join_shortest_pair() {}
        self.last_at = self.packed.len();
        self.packed.extend_from_slice(&bytes);
        self.samples += 1;
        self.end_ns = end_ns;
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.samples < self.samples_max && self.packed.len() + bytes <= self.bytes_max
    }

    /// Joins those two neighbours that are shortest together, of several the earliest: all samples stay of about the
    /// same length. Whether there were two.
    fn join_shortest_pair(&mut self) -> bool {
        let heads = self.heads();
        let pairs = heads
            .windows(2)
            .filter(|pair| pair[0].is_drain == pair[1].is_drain);
        let Some(pair) = pairs.min_by_key(|pair| pair[0].length_ns + pair[1].length_ns) else {
            return false;
        };
        let mut reader = Reader(&self.packed[pair[0].at..pair[1].end]);
        let joined = Sample::read(&mut reader).join(&Sample::read(&mut reader));
        self.packed
            .splice(pair[0].at..pair[1].end, joined.to_bytes());
        self.samples -= 1;
        true
    }

    fn heads(&self) -> Vec<Head> {
        let mut heads = Vec::with_capacity(self.samples);
        let mut at = 0;
        while at < self.packed.len() {
            let mut reader = Reader(&self.packed[at..]);
            let end = at + reader.u64() as usize;
            let _end_ns = reader.u64();
            let length_ns = reader.u64();
            let is_drain = reader.u64() != 0;
            heads.push(Head {
                at,
                end,
                length_ns,
                is_drain,
            });
            at = end;
        }
        heads
    }
}

/// Where a sample lies in the buffer, and how long it is.
struct Head {
    at: usize,
    end: usize,
    length_ns: u64,
    is_drain: bool,
}

/// Takes a sample's fields from the buffer in the order in which [`Sample::to_bytes`] has put them there.
struct Reader<'b>(&'b [u8]);

impl Reader<'_> {
    fn take(&mut self, bytes: usize) -> &[u8] {
        let (taken, rest) = self.0.split_at(bytes);
        self.0 = rest;
        taken
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take(8).try_into().expect("eight bytes"))
    }

    fn u128(&mut self) -> u128 {
        u128::from_le_bytes(self.take(16).try_into().expect("sixteen bytes"))
    }
}

impl Effort {
    const FIELDS: usize = 8;

    fn fields(&self) -> [u64; Self::FIELDS] {
        let Self {
            turn_ns_max,
            stopped_ns_max,
            core,
            spun_ns,
            late,
            waited_in_line,
            slow_connects,
        } = *self;
        [
            turn_ns_max,
            stopped_ns_max,
            core.waited_ns,
            core.wanted_ns,
            spun_ns,
            late,
            waited_in_line,
            slow_connects,
        ]
    }

    fn from_fields(fields: [u64; Self::FIELDS]) -> Self {
        let [
            turn_ns_max,
            stopped_ns_max,
            waited_ns,
            wanted_ns,
            spun_ns,
            late,
            waited_in_line,
            slow_connects,
        ] = fields;
        Self {
            turn_ns_max,
            stopped_ns_max,
            core: CoreWait {
                waited_ns,
                wanted_ns,
            },
            spun_ns,
            late,
            waited_in_line,
            slow_connects,
        }
    }
}

impl Sample {
    /// Its own size in bytes first, then the fields.
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; 8];
        let is_drain = u64::from(self.is_drain);
        let head = [
            self.end_ns,
            self.length_ns,
            is_drain,
            self.users,
            self.working_ns,
        ];
        let effort = self.effort.fields();
        let head = head.into_iter().chain(effort).chain(self.judged.0);
        for field in head.chain([self.steps.len() as u64]) {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        for step in &self.steps {
            let (sum_ns, min_ns, max_ns) = step.exact_ns;
            bytes.extend_from_slice(&sum_ns.to_le_bytes());
            let counts = [step.requests, step.failures, step.answers, step.body_bytes];
            let rest = [min_ns, max_ns, step.response_v2.len() as u64];
            for field in counts.into_iter().chain(rest) {
                bytes.extend_from_slice(&field.to_le_bytes());
            }
            bytes.extend_from_slice(&step.response_v2);
        }
        let size = bytes.len() as u64;
        bytes[..8].copy_from_slice(&size.to_le_bytes());
        bytes
    }

    fn read(reader: &mut Reader<'_>) -> Self {
        let _size = reader.u64();
        let [end_ns, length_ns, is_drain, users, working_ns] = [(); 5].map(|()| reader.u64());
        let effort = Effort::from_fields([(); Effort::FIELDS].map(|()| reader.u64()));
        let judged = Seconds(Seconds::default().0.map(|_| reader.u64()));
        let steps = reader.u64();
        let steps = (0..steps).map(|_| {
            let sum_ns = reader.u128();
            let [
                requests,
                failures,
                answers,
                body_bytes,
                min_ns,
                max_ns,
                size,
            ] = [(); 7].map(|()| reader.u64());
            StepSample {
                requests,
                failures,
                answers,
                body_bytes,
                response_v2: reader.take(size as usize).to_vec(),
                exact_ns: (sum_ns, min_ns, max_ns),
            }
        });
        Self {
            end_ns,
            length_ns,
            is_drain: is_drain != 0,
            users,
            working_ns,
            effort,
            judged,
            steps: steps.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::interval::StepInterval;

    #[test]
    fn a_rest_too_short_for_a_rate_joins_the_sample_before_it() {
        let mut series = Series::new(1);
        let mut interval = Interval::new(1);
        interval.steps[0].requests = 10;
        for end_ns in [1_000_000_000, 2_000_000_000, 2_000_400_000] {
            series.push(end_ns, &interval);
        }
        let [_, last] = &series.samples()[..] else {
            panic!("two samples");
        };
        assert_eq!(
            (last.end_ns, last.length_ns),
            (2_000_400_000, 1_000_400_000)
        );
        assert_eq!(last.all().requests, 20);
    }

    /// Pushes so many seconds of growing counts of two steps; what comes back holds each of them exactly once.
    fn check_bounded(mut series: Series, seconds: u64) -> Vec<Sample> {
        let (capacity, samples_max) = (series.packed.capacity(), series.samples_max);
        let (mut requests, mut times) = (0, 0);
        for second in 1..=seconds {
            let mut interval = Interval::new(2);
            interval.users = second;
            interval.steps[1].requests = second;
            for time in 0..second % 50 {
                let ns = (second * 7919 + time * 104_729) % 1_000 * 100_000;
                interval.steps[(time % 2) as usize].response.record(ns);
                times += 1;
            }
            requests += second;
            series.push(second * 1_000_000_000, &interval);
        }
        assert_eq!(series.packed.capacity(), capacity, "the buffer has grown");
        let samples = series.samples();
        assert!(samples.len() <= samples_max, "{} samples", samples.len());
        let all: Vec<StepInterval> = samples.iter().map(Sample::all).collect();
        assert_eq!(all.iter().map(|all| all.requests).sum::<u64>(), requests);
        assert_eq!(
            all.iter().map(|all| all.response.count()).sum::<u64>(),
            times
        );
        let mut end_ns = 0;
        for sample in &samples {
            end_ns += sample.length_ns;
            assert_eq!(sample.end_ns, end_ns);
            assert_eq!(
                sample.users,
                end_ns / 1_000_000_000,
                "those at its last second"
            );
        }
        assert_eq!(end_ns, seconds * 1_000_000_000);
        samples
    }

    #[test]
    fn a_full_series_becomes_coarser_and_loses_no_count() {
        check_bounded(Series::bounded(8, 1 << 20), 37);
    }

    #[test]
    fn a_long_run_needs_no_more_memory_than_a_short_one() {
        let samples = check_bounded(Series::bounded(SAMPLES_MAX, 32 << 10), 1_000);
        assert!(samples.len() > 20, "{} samples", samples.len());
        let lengths = || samples.iter().map(|sample| sample.length_ns);
        let (least, most) = (lengths().min(), lengths().max());
        assert!(
            most <= least.map(|ns| ns * 128),
            "samples from {least:?} to {most:?}"
        );
    }

    #[test]
    fn load_and_drain_are_never_joined() {
        let mut series = Series::bounded(3, 1 << 20);
        let mut interval = Interval::new(1);
        for end_ns in [1_000_000_000, 2_000_000_000, 2_400_000_000] {
            series.push(end_ns, &interval);
        }
        interval.is_drain = true;
        for end_ns in [2_500_000_000, 3_500_000_000, 4_500_000_000] {
            series.push(end_ns, &interval);
        }
        let samples = series.samples();
        let told = samples.iter().map(|one| (one.end_ns, one.is_drain));
        let told: Vec<_> = told.collect();
        let drain = [(3_500_000_000, true), (4_500_000_000, true)];
        assert_eq!(told, [&[(2_400_000_000, false)], &drain[..]].concat());
    }

    #[test]
    fn a_sample_beyond_the_bound_is_kept() {
        let mut series = Series::bounded(8, 16);
        for second in 1..=5 {
            series.push(second * 1_000_000_000, &Interval::new(1));
        }
        let lengths = series.samples().into_iter().map(|sample| sample.length_ns);
        assert_eq!(lengths.sum::<u64>(), 5_000_000_000);
    }
}
