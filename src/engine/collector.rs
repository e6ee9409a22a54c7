//! Second by second: shards hand over their intervals, the calling thread adds them up. Nothing of it is on the hot path.
//!
//! Each shard owns two intervals and gets them back emptied, so that nothing is allocated; when both are out, it keeps
//! counting into the one it has and nothing is lost. A shard counts into them with each request, so that they are made
//! on its own thread: made one shard's after the other's, the end of one could share a cache line with the next.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::SystemTime;

use super::plan::Plan;
use crate::machine::cpu::CoreClock;
use crate::metrics::interval::Interval;
use crate::metrics::series::Series;

use super::handover::{Handover, OnInterval};

/// Intervals per shard beside the one it counts into.
pub(super) const SPARE_INTERVALS: usize = 2;

/// A second of the whole run, for those who watch.
pub struct Second<'i> {
    /// Its beginning, since the start.
    pub begin_ns: u64,
    /// Its end. The load's last one ends with the load, and the drain has seconds of its own.
    pub end_ns: u64,
    /// What happened in it, all shards. Whoever judges it writes [`Interval::judged`], which the series then keeps.
    pub interval: &'i mut Interval,
    /// When the load began, since the start: at once, but for the arrivals of an open load; `None` before that is known.
    pub load_from_ns: Option<u64>,
    /// This moment, since the start.
    pub now_ns: u64,
    /// Wall-clock time of the start.
    pub started_at: SystemTime,
}

/// Called for each second of the run, on the thread that called [`run`](super::run()).
pub type OnSecond<'o> = &'o mut dyn FnMut(&mut Second<'_>);

/// What a second is told with, and to whom.
pub(super) struct Watch<'w> {
    pub started_at: SystemTime,
    pub load_from_ns: &'w dyn Fn() -> Option<u64>,
    pub now_ns: &'w dyn Fn() -> u64,
    pub on_second: OnSecond<'w>,
}

impl Watch<'_> {
    fn tell(&mut self, begin_ns: u64, end_ns: u64, interval: &mut Interval) {
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

/// What a shard says.
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
    /// Nothing more will come.
    Over { shard: usize },
}

/// A second of the run, counted from 1, in the order in which they are told: the load's part of it before the drain's.
type Key = (u64, bool);
/// After all seconds.
const NEVER: Key = (u64::MAX, true);

/// What shards have handed over of a second.
struct Pending {
    end_ns: u64,
    interval: Interval,
}

/// Both ends of the intervals' circle.
pub(super) struct Collector {
    steps: usize,
    sender: SyncSender<Message>,
    receiver: Receiver<Message>,
    empties: Vec<Sender<Interval>>,
    /// The last second that each shard has handed over; [`NEVER`] when its thread has ended.
    seen: Vec<Key>,
    pending: BTreeMap<Key, Pending>,
    series: Series,
}

/// A shard's end of the circle.
pub(super) struct Port {
    shard: usize,
    steps: usize,
    sender: SyncSender<Message>,
    /// Those that have not been out yet.
    spare: Vec<Interval>,
    empty: Receiver<Interval>,
}

impl Collector {
    pub fn new(plan: &Plan) -> Self {
        // Room for everything that can be said before anybody listens.
        let (sender, receiver) = sync_channel(plan.shards * (SPARE_INTERVALS + 2));
        Self {
            steps: plan.scenario.metrics.len(),
            sender,
            receiver,
            empties: Vec::new(),
            seen: vec![(0, false); plan.shards],
            pending: BTreeMap::new(),
            series: Series::new(plan.scenario.metrics.len()),
        }
    }

    /// The ports of all shards, once, in order.
    pub fn open_port(&mut self, shard: usize) -> Port {
        let (send, empty) = channel();
        self.empties.push(send);
        Port {
            shard,
            steps: self.steps,
            sender: self.sender.clone(),
            spare: Vec::new(),
            empty,
        }
    }

    /// Adds up until every port has been dropped.
    pub fn collect(self, watch: &mut Watch<'_>) -> Series {
        let Self {
            steps,
            sender,
            receiver,
            empties,
            mut seen,
            mut pending,
            mut series,
        } = self;
        drop(sender);
        // Sums that have been told and are used again, so that a scenario of many steps costs no memory each second.
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
                    seen[shard] = second;
                    interval.clear();
                    // The shard may have ended meanwhile; then nobody needs it.
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
                // A shard may have noticed the end of the load in the second before this one.
                let end_ns = end_ns.max(series.end_ns());
                watch.tell(series.end_ns(), end_ns, &mut interval);
                series.push(end_ns, &interval);
                interval.clear();
                spare.push(interval);
            }
        }
        series
    }
}

impl Port {
    /// Makes the shard's intervals, on its thread.
    pub fn fill(&mut self) {
        let intervals = (0..SPARE_INTERVALS).map(|_| Interval::reserved(self.steps));
        self.spare = intervals.collect();
    }

    /// What the shard calls at each interval's end; `clock` is its thread's.
    pub fn into_on_interval(mut self, clock: &CoreClock) -> OnInterval<'_> {
        Box::new(move |handover: Handover, recorder| {
            let empty = match handover.is_last {
                // Nothing is counted after it.
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
                .unwrap_or_else(|_| unreachable!("there is room for every interval"));
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
