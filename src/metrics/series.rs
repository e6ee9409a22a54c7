//! The run over time, packed into memory that does not grow with its length.

use super::effort::{CoreWait, Effort};
use super::interval::Interval;
use super::sample::{Sample, StepSample};
use super::seconds::{Cause, Causes, Seconds};

/// Most samples in a series: a day at one second would be 86,400 of them.
const SAMPLES_MAX: usize = 4096;
/// Memory for a series, taken before the run. A second of a busy step packs to 400 to 3,600 bytes, response and service
/// times: the mixed scenario fills this in 20 minutes at 1,600 requests per second, in 9 at 23,000. From then on samples
/// become longer.
const BYTES_MAX: usize = 4 << 20;
/// Further memory for each step, so that a scenario of hundreds of steps has some hundred samples too.
const STEP_BYTES_MAX: usize = 64 << 10;
/// Shortest sample. The rest of a run after its last full second is often a millisecond, too short for a rate.
const SAMPLE_NS_MIN: u64 = 500_000_000;

/// Consecutive samples, in memory that does not grow with the length of the run.
///
/// They lie packed in one buffer. Its pages are touched when it is made, so that the resident memory is the same from
/// the first second to the last. When the buffer is full, the shortest neighbours are joined to make room for the next
/// second: a few milliseconds of work now and then. Halving the whole series at once would take a second in mid-run.
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
    /// An empty one for so many metrics, with all the memory that it will need.
    pub fn new(steps: usize) -> Self {
        Self::bounded(SAMPLES_MAX, Self::bytes(steps))
    }

    /// Memory of a series for so many metrics, in bytes.
    pub fn bytes(steps: usize) -> usize {
        BYTES_MAX + steps * STEP_BYTES_MAX
    }

    /// An empty one with bounds of its own: samples, and bytes that are taken now.
    pub fn bounded(samples_max: usize, bytes_max: usize) -> Self {
        // Not zeroes: until they are written to, those would all be the kernel's one page of zeroes.
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

    /// Whether it has no sample.
    pub fn is_empty(&self) -> bool {
        self.samples == 0
    }

    /// The samples in order of time.
    pub fn samples(&self) -> Vec<Sample> {
        let mut rest = Reader(&self.packed);
        (0..self.samples).map(|_| Sample::read(&mut rest)).collect()
    }

    /// End of the last sample, since the start; 0 without one.
    pub fn end_ns(&self) -> u64 {
        self.end_ns
    }

    /// Appends an interval that ended at `end_ns`. One too short for a rate of its own is joined to the sample before
    /// it; load and drain are never joined.
    pub fn push(&mut self, end_ns: u64, interval: &Interval) {
        let mut sample = Sample {
            end_ns,
            length_ns: end_ns.saturating_sub(self.end_ns),
            is_drain: interval.is_drain,
            users: interval.users,
            in_flight: interval.in_flight,
            working_ns: interval.working_ns,
            effort: interval.effort,
            judged: interval.judged,
            causes: interval.causes,
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
        // A single sample beyond the bound, without a neighbour to join, is kept all the same.
        while !self.has_room(bytes.len()) && self.join_shortest_pair() {}
        self.last_at = self.packed.len();
        self.packed.extend_from_slice(&bytes);
        self.samples += 1;
        self.end_ns = end_ns;
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.samples < self.samples_max && self.packed.len() + bytes <= self.bytes_max
    }

    /// Joins the two neighbours that are shortest together, the earliest of several such pairs, so that all samples
    /// stay of about the same length. `false` when there is no pair to join.
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

/// A sample's place in the buffer, and its length.
struct Head {
    at: usize,
    end: usize,
    length_ns: u64,
    is_drain: bool,
}

/// Reads a sample's fields from the buffer, in the order in which [`Sample::to_bytes`] wrote them.
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

    /// A packed histogram, as [`append_times`] wrote it: exact sum, least and greatest, and its bytes.
    fn times(&mut self) -> ((u128, u64, u64), Vec<u8>) {
        let sum_ns = self.u128();
        let [min_ns, max_ns, size] = [(); 3].map(|()| self.u64());
        ((sum_ns, min_ns, max_ns), self.take(size as usize).to_vec())
    }

    fn u128(&mut self) -> u128 {
        u128::from_le_bytes(self.take(16).try_into().expect("sixteen bytes"))
    }
}

/// Writes a packed histogram: its exact sum, least and greatest, its size, and its bytes.
fn append_times(bytes: &mut Vec<u8>, (sum_ns, min_ns, max_ns): (u128, u64, u64), packed: &[u8]) {
    bytes.extend_from_slice(&sum_ns.to_le_bytes());
    for field in [min_ns, max_ns, packed.len() as u64] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    bytes.extend_from_slice(packed);
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
    /// The sample packed: its size in bytes first, then the fields.
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; 8];
        let is_drain = u64::from(self.is_drain);
        let head = [
            self.end_ns,
            self.length_ns,
            is_drain,
            self.users,
            self.in_flight,
            self.working_ns,
        ];
        let effort = self.effort.fields();
        let head = head.into_iter().chain(effort).chain(self.judged.0);
        // Most seconds have no cause of doubt: the number of causes, then each with its figure.
        let causes: Vec<(Cause, f64)> = self.causes.found().collect();
        let found = causes
            .iter()
            .flat_map(|(cause, figure)| [*cause as u64, figure.to_bits()]);
        let head = head.chain([causes.len() as u64]).chain(found);
        for field in head.chain([self.steps.len() as u64]) {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        for step in &self.steps {
            let counts = [step.requests, step.failures, step.answers, step.body_bytes];
            for field in counts {
                bytes.extend_from_slice(&field.to_le_bytes());
            }
            append_times(&mut bytes, step.exact_ns, &step.response_v2);
            append_times(&mut bytes, step.service_exact_ns, &step.service_v2);
        }
        let size = bytes.len() as u64;
        bytes[..8].copy_from_slice(&size.to_le_bytes());
        bytes
    }

    fn read(reader: &mut Reader<'_>) -> Self {
        let _size = reader.u64();
        let [end_ns, length_ns, is_drain, users, in_flight, working_ns] =
            [(); 6].map(|()| reader.u64());
        let effort = Effort::from_fields([(); Effort::FIELDS].map(|()| reader.u64()));
        let judged = Seconds(Seconds::default().0.map(|_| reader.u64()));
        let mut causes = Causes::default();
        for _ in 0..reader.u64() {
            let cause = Cause::ALL[reader.u64() as usize];
            causes.add(cause, f64::from_bits(reader.u64()));
        }
        let steps = reader.u64();
        let steps = (0..steps).map(|_| {
            let [requests, failures, answers, body_bytes] = [(); 4].map(|()| reader.u64());
            let (exact_ns, response_v2) = reader.times();
            let (service_exact_ns, service_v2) = reader.times();
            StepSample {
                requests,
                failures,
                answers,
                body_bytes,
                response_v2,
                exact_ns,
                service_v2,
                service_exact_ns,
            }
        });
        Self {
            end_ns,
            length_ns,
            is_drain: is_drain != 0,
            users,
            in_flight,
            working_ns,
            effort,
            judged,
            causes,
            steps: steps.collect(),
        }
    }
}

#[cfg(test)]
mod tests;
