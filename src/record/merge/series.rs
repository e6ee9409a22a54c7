//! The seconds of all parts on one time axis.
//!
//! 1. A sample is put where its end lies, to the nearest second: clocks that differ by a few milliseconds do not move it.
//! 2. A second ends a merged sample only where it ends a sample of every part that runs then: where a long run has joined
//!    its samples, the merged ones are as long.
//! 3. Samples of the drain belong to the load while another part still has its own.
//! 4. Counts, users and histograms are added, and percentiles computed from the sum.

use std::collections::{BTreeMap, BTreeSet};

use crate::analysis::seconds::judge_seconds;
use crate::metrics::latencies::Latencies;
use crate::metrics::seconds::{Seconds, Status};
use crate::record::distribution::times;
use crate::record::joining::{StepSum, by_verdict, worst_causes};
use crate::record::schema::SampleRecord;

use super::error::MergeError;
use super::figures::{Part, Parts, step_places};

/// Moments closer than this are the same second.
const NEAR_S: f64 = 0.5;

/// A sample of a part, on the common axis.
struct Piece<'r> {
    part: usize,
    sample: &'r SampleRecord,
    begin_s: f64,
    end_s: f64,
    is_drain: bool,
}

/// The series of the merged record.
///
/// # Errors
/// When a histogram cannot be read.
pub(super) fn series(parts: &Parts<'_>) -> Result<Vec<SampleRecord>, MergeError> {
    let places = step_places(parts);
    // By part and its step: the place in the merged record.
    let steps: Vec<Vec<usize>> = parts
        .records()
        .map(|record| {
            let steps = record.steps.iter();
            steps
                .map(|step| places[&(step.method.as_str(), step.name.as_str())])
                .collect()
        })
        .collect();
    let names: Vec<&str> = parts.iter().map(|part| part.name).collect();
    let bins = bins(parts);
    let mut series: Vec<SampleRecord> = Vec::new();
    for (at, (cut, is_drain, pieces)) in bins.iter().enumerate() {
        let (begin_s, end_s) = bounds(
            series.last().map_or(0.0, |sample| sample.t_s),
            *cut,
            pieces,
            bins.get(at + 1).filter(|next| next.1 == *is_drain),
        );
        let sums = Sums::of(pieces, &steps, places.len(), &names)?;
        series.push(sums.sample(pieces, begin_s, end_s, *is_drain));
    }
    Ok(series)
}

/// The samples that become one: the second at which it ends, whether it lies in the drain, its pieces.
type Bin<'r> = (i64, bool, Vec<Piece<'r>>);

fn bins<'r>(parts: &Parts<'r>) -> Vec<Bin<'r>> {
    let loads: Vec<(f64, f64)> = parts.iter().flat_map(loads_of).collect();
    let by_part: Vec<Vec<Piece<'_>>> = parts
        .iter()
        .enumerate()
        .map(|(at, part)| pieces_of(at, part, &loads))
        .collect();
    let cuts = cuts(by_part.iter().flatten());
    let mut bins: BTreeMap<(i64, bool), Vec<Piece<'_>>> = BTreeMap::new();
    for piece in by_part.into_iter().flatten() {
        let next = cuts.range(second(piece.end_s)..).next();
        let cut = *next.expect("the last end of all cuts every part");
        bins.entry((cut, piece.is_drain)).or_default().push(piece);
    }
    let bins = bins.into_iter();
    bins.map(|((cut, is_drain), pieces)| (cut, is_drain, pieces))
        .collect()
}

/// The second that a moment belongs to as an end; none ends at the start.
fn second(end_s: f64) -> i64 {
    ((end_s + 0.5).floor() as i64).max(1)
}

/// The stretches in which a part, or the parts of a merged record, had their load, its preparation included.
fn loads_of(part: &Part<'_>) -> Vec<(f64, f64)> {
    let run = &part.record.run;
    let own_to_s = run.load.from_s() + part.record.totals.load_s;
    match run.parts.is_empty() {
        true => vec![(part.offset_s, part.offset_s + own_to_s)],
        false => run
            .parts
            .iter()
            .map(|known| (known.offset_s + part.offset_s, known.to_s + part.offset_s))
            .collect(),
    }
}

fn pieces_of<'r>(at: usize, part: &Part<'r>, loads: &[(f64, f64)]) -> Vec<Piece<'r>> {
    let pieces = part.record.series.iter().map(|sample| {
        let end_s = sample.t_s + part.offset_s;
        let begin_s = end_s - sample.length_s;
        let middle_s = (begin_s + end_s) / 2.0;
        let in_load = |&(from_s, to_s): &(f64, f64)| from_s <= middle_s && middle_s < to_s;
        Piece {
            part: at,
            sample,
            begin_s,
            end_s,
            is_drain: sample.is_drain && !loads.iter().any(in_load),
        }
    });
    pieces.collect()
}

/// The seconds at which merged samples may end: the ends of samples that lie within no sample of any part.
fn cuts<'p, 'r: 'p>(pieces: impl Iterator<Item = &'p Piece<'r>> + Clone) -> BTreeSet<i64> {
    let mut cuts: BTreeSet<i64> = pieces.clone().map(|piece| second(piece.end_s)).collect();
    for piece in pieces {
        let (begin, end) = (piece.begin_s.round() as i64, second(piece.end_s));
        let within = begin.saturating_add(1)..end.max(begin.saturating_add(1));
        let within: Vec<i64> = cuts.range(within).copied().collect();
        for cut in &within {
            cuts.remove(cut);
        }
    }
    cuts
}

/// Begin and end of a merged sample in seconds; `next` follows it and is load or drain as it is.
fn bounds(before_s: f64, cut: i64, pieces: &[Piece<'_>], next: Option<&Bin<'_>>) -> (f64, f64) {
    let begin_of = |pieces: &[Piece<'_>]| {
        let begins = pieces.iter().map(|piece| piece.begin_s);
        begins.fold(f64::INFINITY, f64::min)
    };
    // A part that is in its drain does not lengthen the load of another.
    let own = |piece: &&Piece<'_>| piece.is_drain == piece.sample.is_drain;
    let last = |ends: &mut dyn Iterator<Item = f64>| ends.fold(0.0, f64::max);
    let end_s = match last(&mut pieces.iter().filter(own).map(|piece| piece.end_s)) {
        0.0 => last(&mut pieces.iter().map(|piece| piece.end_s)),
        end_s => end_s,
    };
    let begin_s = match begin_of(pieces) {
        begin_s if begin_s - before_s < NEAR_S => before_s,
        begin_s => begin_s.round(),
    };
    let is_followed = next.is_some_and(|next| begin_of(&next.2) < end_s + NEAR_S);
    let end_s = if is_followed { cut as f64 } else { end_s };
    (begin_s, end_s.max(begin_s))
}

/// What the pieces of a merged sample add up to.
struct Sums {
    steps: Vec<StepSum>,
    all: Latencies,
    requests: u64,
    failures: u64,
    users: u64,
    /// `None` when a part does not have it.
    in_flight: Option<u64>,
    busy: f64,
    /// Numbers of seconds that are of a status or of a graver one.
    judged: Seconds,
}

impl Sums {
    /// `steps` has the place of each part's steps, of which there are `count` in all.
    fn of(
        pieces: &[Piece<'_>],
        steps: &[Vec<usize>],
        count: usize,
        names: &[&str],
    ) -> Result<Self, MergeError> {
        let mut sums = Self {
            steps: (0..count).map(|_| StepSum::default()).collect(),
            all: Latencies::default(),
            requests: 0,
            failures: 0,
            users: 0,
            in_flight: Some(0),
            busy: 0.0,
            judged: Seconds::default(),
        };
        for piece in pieces {
            for (step, place) in piece.sample.steps.iter().zip(&steps[piece.part]) {
                sums.steps[*place].add(step).map_err(|reason| {
                    let place = format!("of the second {}", piece.sample.t_s);
                    MergeError::unreadable(names[piece.part], &place, &reason)
                })?;
            }
        }
        for step in &sums.steps {
            sums.all += &step.response;
            sums.requests += step.requests;
            sums.failures += step.failures;
        }
        for part in 0..steps.len() {
            let own = || pieces.iter().filter(|piece| piece.part == part);
            sums.add_part(own);
        }
        Ok(sums)
    }

    /// Adds what a part as a whole contributes: its users at the end; its busiest shard, if that is the busiest of all. A
    /// second of several parts has the gravest of their verdicts.
    fn add_part<'p, 'r: 'p, I: Iterator<Item = &'p Piece<'r>>>(&mut self, own: impl Fn() -> I) {
        let last = own().max_by(|one, other| one.end_s.total_cmp(&other.end_s));
        self.users += last.map_or(0, |piece| piece.sample.users);
        let in_flight = last.map_or(Some(0), |piece| piece.sample.in_flight);
        self.in_flight = self.in_flight.zip(in_flight).map(|(sum, more)| sum + more);
        let length_s: f64 = own().map(|piece| piece.sample.length_s).sum();
        let worked_s: f64 = own()
            .map(|piece| piece.sample.busy * piece.sample.length_s)
            .sum();
        if length_s > 0.0 {
            self.busy = self.busy.max(worked_s / length_s);
        }
        let mut this_or_graver = 0;
        for status in Status::ALL {
            let seconds = own().filter_map(|piece| piece.sample.seconds.get(status.name()));
            this_or_graver += seconds.sum::<u64>();
            self.judged[status] = self.judged[status].max(this_or_graver);
        }
    }

    /// The seconds by the status of each.
    fn seconds(&self) -> Seconds {
        let mut graver = 0;
        let mut seconds = Seconds::default();
        for status in Status::ALL {
            seconds[status] = self.judged[status] - graver;
            graver = self.judged[status];
        }
        seconds
    }

    fn sample(
        &self,
        pieces: &[Piece<'_>],
        begin_s: f64,
        end_s: f64,
        is_drain: bool,
    ) -> SampleRecord {
        let length_s = end_s - begin_s;
        let per_second = |count: u64| match length_s > 0.0 {
            true => count as f64 / length_s,
            false => 0.0,
        };
        let most = |of: fn(&SampleRecord) -> f64| {
            let values = pieces.iter().map(|piece| of(piece.sample));
            values.fold(0.0, f64::max)
        };
        let response = times(&self.all);
        let judged = self.seconds();
        SampleRecord {
            t_s: end_s,
            length_s,
            is_drain,
            is_settling: pieces.iter().all(|piece| piece.sample.is_settling),
            users: self.users,
            in_flight: self.in_flight,
            rps: per_second(self.requests),
            failures_per_s: per_second(self.failures),
            p50_us: response.p50,
            p95_us: response.p95,
            p99_us: response.p99,
            max_us: response.max,
            busy: self.busy,
            core_waited: most(|sample| sample.core_waited),
            turn_us_max: most(|sample| sample.turn_us_max),
            stopped_us_max: most(|sample| sample.stopped_us_max),
            late: pieces.iter().map(|piece| piece.sample.late).sum(),
            verdict: judge_seconds(&judged).name().into(),
            seconds: by_verdict(&judged),
            causes: worst_causes(pieces.iter().map(|piece| piece.sample)),
            steps: self.steps.iter().map(StepSum::record).collect(),
        }
    }
}
