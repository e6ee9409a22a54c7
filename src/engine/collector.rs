//! Second by second: shards hand over their intervals, the calling thread adds them up. Nothing of it is on the hot path.
//!
//! Each shard owns two intervals and gets them back emptied, so that nothing is allocated; when both are out, it keeps
//! counting into the one it has and nothing is lost. A shard counts into them with each request, so that they are made
//! on its own thread: made one shard's after the other's, the end of one could share a cache line with the next.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::SystemTime;

use crate::metrics::interval::Interval;
use crate::metrics::recorder::Counts;
use crate::metrics::series::Series;
use crate::metrics::summary::Summary;
use crate::plan::Plan;

use super::shard::OnInterval;

/// Intervals per shard beside the one it counts into.
pub(super) const SPARE_INTERVALS: usize = 2;
const SECOND_NS: u64 = 1_000_000_000;

/// A second of the whole run, for those who watch.
pub struct Second<'i> {
    /// Its beginning, since the start.
    pub begin_ns: u64,
    /// Its end. The last one of a run is longer by what came in after the end of the load.
    pub end_ns: u64,
    /// What happened in it, all shards.
    pub interval: &'i Interval,
    /// When the load began, since the start: at once, but for the arrivals of an open load; `None` before that is known.
    pub load_from_ns: Option<u64>,
    /// This moment, since the start.
    pub now_ns: u64,
    /// Wall-clock time of the start.
    pub started_at: SystemTime,
}

/// Who is told each second.
pub(super) struct Watch<'w> {
    pub started_at: SystemTime,
    pub load_from_ns: &'w dyn Fn() -> Option<u64>,
    pub now_ns: &'w dyn Fn() -> u64,
    pub on_second: &'w mut dyn FnMut(&Second<'_>),
}

impl Watch<'_> {
    fn tell(&mut self, begin_ns: u64, end_ns: u64, interval: &Interval) {
        (self.on_second)(&Second {
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
enum Message {
    /// An interval is full; its end is counted from the start.
    Full {
        shard: usize,
        end_ns: u64,
        interval: Interval,
    },
    /// Nothing more will come.
    Ended { shard: usize },
}

/// Both ends of the intervals' circle.
pub(super) struct Collector {
    steps: usize,
    sender: SyncSender<Message>,
    receiver: Receiver<Message>,
    empties: Vec<Sender<Interval>>,
    /// The last second that each shard has handed over; `u64::MAX` when its thread has ended.
    seen: Vec<u64>,
    pending: BTreeMap<u64, Interval>,
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
        let (sender, receiver) = sync_channel(plan.shards * (SPARE_INTERVALS + 1));
        Self {
            steps: plan.scenario.metrics.len(),
            sender,
            receiver,
            empties: Vec::new(),
            seen: vec![0; plan.shards],
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
    pub fn collect(self, watch: &mut Watch<'_>) -> Gathered {
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
                Message::Ended { shard } => seen[shard] = u64::MAX,
                Message::Full {
                    shard,
                    end_ns,
                    mut interval,
                } => {
                    let second = (end_ns + SECOND_NS / 2) / SECOND_NS;
                    let empty = || spare.pop().unwrap_or_else(|| Interval::new(steps));
                    *pending.entry(second).or_insert_with(empty) += &interval;
                    seen[shard] = second;
                    interval.clear();
                    // The shard may have ended meanwhile; then nobody needs it.
                    let _ = empties[shard].send(interval);
                }
            }
            // Seconds that all shards have passed are complete.
            let complete = seen.iter().copied().min().unwrap_or(0);
            while let Some(entry) = pending
                .first_entry()
                .filter(|entry| *entry.key() <= complete)
            {
                let (second, mut interval) = entry.remove_entry();
                let end_ns = second * SECOND_NS;
                watch.tell(series.end_ns(), end_ns, &interval);
                series.push(end_ns, &interval);
                interval.clear();
                spare.push(interval);
            }
        }
        Gathered { series, pending }
    }
}

/// The series, and seconds that not every shard has finished.
pub(super) struct Gathered {
    series: Series,
    pending: BTreeMap<u64, Interval>,
}

impl Gathered {
    /// Adds what the shards still had in hand when they ended.
    pub fn finish(
        mut self,
        counts: Counts,
        rest: &Interval,
        end_ns: u64,
        watch: &mut Watch<'_>,
    ) -> Summary {
        let series = &mut self.series;
        for (second, interval) in self.pending {
            watch.tell(series.end_ns(), second * SECOND_NS, &interval);
            series.push(second * SECOND_NS, &interval);
        }
        let is_empty = rest.steps.iter().all(|step| step.response.is_empty());
        if !is_empty || series.is_empty() {
            let end_ns = end_ns.max(series.end_ns());
            watch.tell(series.end_ns(), end_ns, rest);
            series.push(end_ns, rest);
        }
        Summary {
            counts,
            series: self.series,
        }
    }
}

impl Port {
    /// Makes the shard's intervals, on its thread.
    pub fn fill(&mut self) {
        let intervals = (0..SPARE_INTERVALS).map(|_| Interval::reserved(self.steps));
        self.spare = intervals.collect();
    }

    /// What the shard calls at each interval's end, with times counted from `start_ns`.
    pub fn into_on_interval(mut self, start_ns: u64) -> OnInterval<'static> {
        Box::new(move |now_ns, recorder| {
            let Some(empty) = self.spare.pop().or_else(|| self.empty.try_recv().ok()) else {
                return;
            };
            let full = Message::Full {
                shard: self.shard,
                end_ns: now_ns.saturating_sub(start_ns),
                interval: recorder.swap_interval(empty),
            };
            self.sender
                .try_send(full)
                .unwrap_or_else(|_| unreachable!("there is room for every interval"));
        })
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        let ended = Message::Ended { shard: self.shard };
        // Whoever listened may be gone after an error.
        let _ = self.sender.try_send(ended);
    }
}
