//! Shards hand over their intervals each second; the calling thread adds them up. None of it is on the hot path.
//!
//! Each shard owns two spare intervals and gets them back empty, so that nothing is allocated. When both are out, it
//! continues to count into the one it has, and nothing is lost. A shard writes to its intervals with each request, so they
//! are allocated on its own thread: allocated one shard's after the other's, two of them could share a cache line.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::SystemTime;

use super::plan::Plan;
use crate::machine::cpu::CoreClock;
use crate::metrics::interval::Interval;
use crate::metrics::series::Series;

use super::handover::{Handover, OnInterval};

/// Intervals of each shard beside the one it counts into.
pub(super) const SPARE_INTERVALS: usize = 2;

/// A second of the whole run, for its observers.
pub struct Second<'i> {
    /// Its beginning, in nanoseconds since the start.
    pub begin_ns: u64,
    /// Its end, in nanoseconds since the start. The load's last second ends with the load; the drain has its own seconds.
    pub end_ns: u64,
    /// The counts of all shards. An observer that judges the second writes [`Interval::judged`], which the series keeps.
    pub interval: &'i mut Interval,
    /// When the load began, in nanoseconds since the start: 0, or for an open load when the first arrival is due; `None`
    /// until that is known.
    pub load_from_ns: Option<u64>,
    /// The present moment, in nanoseconds since the start.
    pub now_ns: u64,
    /// Wall-clock time of the start.
    pub started_at: SystemTime,
}

/// Called for each second of the run, on the thread that called [`run`](super::run()).
pub type OnSecond<'o> = &'o mut dyn FnMut(&mut Second<'_>);

/// The observer of the seconds, and what every second carries beside its interval.
pub(super) struct Observer<'w> {
    pub started_at: SystemTime,
    pub load_from_ns: &'w dyn Fn() -> Option<u64>,
    pub now_ns: &'w dyn Fn() -> u64,
    pub on_second: OnSecond<'w>,
}

impl Observer<'_> {
    fn report(&mut self, begin_ns: u64, end_ns: u64, interval: &mut Interval) {
        (self.on_second)(&mut Second {
            begin_ns,
            end_ns,
            interval,
            load_from_ns: (self.load_from_ns)(),
            now_ns: (self.now_ns)(),
            started_at: self.started_at,
        });
    }
}

/// A message of a shard.
#[expect(
    clippy::large_enum_variant,
    reason = "one for each shard and second; in a box it would be allocated by the shard"
)]
enum Message {
    /// An interval has ended, at a time counted from the start.
    Ended {
        shard: usize,
        second: Key,
        end_ns: u64,
        interval: Interval,
    },
    /// The shard will send nothing more.
    Over { shard: usize },
}

/// A second of the run, counted from 1, and whether it is the drain's part of it. Ordered as the seconds are reported.
type Key = (u64, bool);
/// After all seconds.
const NEVER: Key = (u64::MAX, true);

/// What shards have handed over for a second so far.
struct Pending {
    end_ns: u64,
    interval: Interval,
}

/// The receiving end: takes full intervals, and returns them empty.
pub(super) struct Collector {
    steps: usize,
    spans: usize,
    kinds: usize,
    sender: SyncSender<Message>,
    receiver: Receiver<Message>,
    empties: Vec<Sender<Interval>>,
    /// The last second that each shard has handed over; [`NEVER`] once its thread has ended.
    seen: Vec<Key>,
    pending: BTreeMap<Key, Pending>,
    series: Series,
}

/// A shard's end: sends full intervals, and gets them back empty.
pub(super) struct Port {
    shard: usize,
    steps: usize,
    spans: usize,
    kinds: usize,
    sender: SyncSender<Message>,
    /// Spare intervals that were not used yet.
    spare: Vec<Interval>,
    empty: Receiver<Interval>,
}

impl Collector {
    pub fn new(plan: &Plan) -> Self {
        // Room for everything that shards can send before the first message is received.
        let (sender, receiver) = sync_channel(plan.shards * (SPARE_INTERVALS + 2));
        Self {
            steps: plan.scenario.metrics.len(),
            spans: plan.scenario.spans.len(),
            kinds: plan.scenario.kinds_counted(),
            sender,
            receiver,
            empties: Vec::new(),
            seen: vec![(0, false); plan.shards],
            pending: BTreeMap::new(),
            series: Series::new(plan.scenario.metrics.len()),
        }
    }

    /// Opens the port of a shard. Called once for each shard, in order.
    pub fn open_port(&mut self, shard: usize) -> Port {
        let (send, empty) = channel();
        self.empties.push(send);
        Port {
            shard,
            steps: self.steps,
            spans: self.spans,
            kinds: self.kinds,
            sender: self.sender.clone(),
            spare: Vec::new(),
            empty,
        }
    }

    /// Adds up and reports seconds until every port was dropped.
    pub fn collect(self, observer: &mut Observer<'_>) -> Series {
        let Self {
            steps,
            sender,
            receiver,
            empties,
            mut seen,
            mut pending,
            mut series,
            ..
        } = self;
        drop(sender);
        // Reported sums are used again, so that a scenario of many steps allocates nothing each second.
        let mut spare: Vec<Interval> = Vec::new();
        while let Ok(message) = receiver.recv() {
            match message {
                Message::Over { shard } => seen[shard] = NEVER,
                Message::Ended {
                    shard,
                    second,
                    end_ns,
                    mut interval,
                } => {
                    let sum = pending.entry(second).or_insert_with(|| Pending {
                        end_ns: 0,
                        interval: spare.pop().unwrap_or_else(|| Interval::new(steps)),
                    });
                    sum.end_ns = sum.end_ns.max(end_ns);
                    sum.interval += &interval;
                    sum.interval.shards_working_ns.resize(seen.len(), 0);
                    sum.interval.shards_working_ns[shard] += interval.working_ns;
                    seen[shard] = second;
                    interval.clear();
                    // Fails only if the shard has ended meanwhile, and needs no interval any more.
                    let _ = empties[shard].send(interval);
                }
            }
            // Seconds that all shards have passed are complete.
            let complete = seen.iter().copied().min().unwrap_or(NEVER);
            while let Some(entry) = pending
                .first_entry()
                .filter(|entry| *entry.key() <= complete)
            {
                let Pending {
                    end_ns,
                    mut interval,
                } = entry.remove();
                // A shard may have noticed the load's end in the second before this one.
                let end_ns = end_ns.max(series.end_ns());
                observer.report(series.end_ns(), end_ns, &mut interval);
                series.push(end_ns, &interval);
                interval.clear();
                spare.push(interval);
            }
        }
        series
    }
}

impl Port {
    /// Allocates the shard's spare intervals, on its own thread.
    pub fn fill(&mut self) {
        let interval = |_| Interval::reserved(self.steps, self.spans).with_kinds(self.kinds);
        let intervals = (0..SPARE_INTERVALS).map(interval);
        self.spare = intervals.collect();
    }

    /// The function that the shard calls at each interval's end. `clock` is that of its thread.
    pub fn into_on_interval(mut self, clock: &CoreClock) -> OnInterval<'_> {
        Box::new(move |handover: Handover, recorder| {
            let empty = match handover.is_last {
                // Nothing is counted after the last one.
                true => Some(Interval::new(0)),
                false => self.spare.pop().or_else(|| self.empty.try_recv().ok()),
            };
            let Some(empty) = empty else {
                return;
            };
            if let Some(time) = clock.elapsed() {
                recorder.on_core_time(time.ran_ns, time.waited_ns);
            }
            let ended = Message::Ended {
                shard: self.shard,
                second: (handover.second, handover.is_drain),
                end_ns: handover.end_ns,
                interval: recorder.swap_interval(empty),
            };
            self.sender
                .try_send(ended)
                .unwrap_or_else(|_| unreachable!("the channel has room for every interval"));
        })
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        let over = Message::Over { shard: self.shard };
        // After an error, the receiver may be gone.
        let _ = self.sender.try_send(over);
    }
}
