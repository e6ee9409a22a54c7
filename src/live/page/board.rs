//! What all connections of the page share: what is known of the run, the newest drawing, and the answers made of them.
//! A slow reader misses what was newest meanwhile; nothing is kept for single readers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::body::Bytes;
use tokio::sync::watch;

use crate::metrics::seconds::Status;
use crate::metrics::tick::Tick;
use crate::record::schema::Record;
use crate::record::so_far::Begun;
use crate::report::html::{LiveRun, live_parts};

use super::history::History;
use super::prometheus;

/// The newest of all, for connections that wait for it.
#[derive(Clone, Debug, Default)]
pub struct Newest {
    /// Number of the last second.
    pub second: u64,
    /// The last drawing as an event, and its number; empty before the first one.
    pub charts: Bytes,
    pub drawing: u64,
    /// The run is over, and the drawing is that of its final record.
    pub is_over: bool,
}

/// What is known.
pub struct Board {
    begun: Begun,
    /// `METHOD name`, by metric.
    steps: Arc<Vec<String>>,
    known: Mutex<Known>,
    newest: watch::Sender<Newest>,
}

#[derive(Default)]
struct Known {
    history: History,
    /// Text of the final record and its verdict.
    last: Option<(Bytes, &'static str)>,
    /// `/record.json` and `/metrics`, with the number of the second that they were made of.
    record: Option<(u64, Bytes)>,
    metrics: Option<(u64, Bytes)>,
}

impl Board {
    pub fn new(begun: Begun) -> Self {
        let labels = begun.labels.iter();
        let steps = labels.map(|label| format!("{} {}", label.method, label.name));
        Self {
            steps: Arc::new(steps.collect()),
            begun,
            known: Mutex::default(),
            newest: watch::Sender::new(Newest::default()),
        }
    }

    /// For a connection that waits.
    pub fn subscribe(&self) -> watch::Receiver<Newest> {
        self.newest.subscribe()
    }

    /// Connections that wait.
    pub fn readers(&self) -> usize {
        self.newest.receiver_count()
    }

    /// Takes the next tick.
    pub fn push(&self, tick: Arc<Tick>) {
        let number = tick.number;
        self.known().history.push(tick);
        self.newest.send_modify(|newest| newest.second = number);
    }

    /// The seconds after a number as JSON, with the number of the last one.
    pub fn seconds_after(&self, number: u64) -> Option<(u64, String)> {
        self.known().history.seconds_after(number)
    }

    /// The record of the run so far.
    pub fn record_so_far(&self) -> Record {
        self.known().history.record(&self.begun)
    }

    /// Draws a record and hands the drawing to all who wait. Returns its size in bytes.
    pub fn draw(&self, record: &Record, run: LiveRun) -> usize {
        let Ok(parts) = live_parts(record, run) else {
            return 0;
        };
        let event = Bytes::from(format!("event: charts\ndata: {parts}\n\n"));
        let size = event.len();
        self.newest.send_modify(|newest| {
            // A drawing that was begun before the end comes too late.
            if newest.is_over {
                return;
            }
            newest.charts = event;
            newest.drawing += 1;
            newest.is_over = run == LiveRun::Over;
        });
        size
    }

    /// The run is over with this record.
    pub fn finish(&self, record: &Record) {
        let status = record.generator.verdict.status.as_str();
        let mut names = Status::ALL.into_iter().map(Status::name);
        let name = names.find(|name| *name == status).unwrap_or_default();
        self.known().last = Some((Bytes::from(record.to_json()), name));
        if self.draw(record, LiveRun::Over) == 0 {
            self.newest.send_modify(|newest| newest.is_over = true);
        }
    }

    /// `/record.json`: of the run so far, or the final one. Made once a second, however many ask.
    pub fn record_json(&self) -> Bytes {
        let number = {
            let known = self.known();
            if let Some((json, _)) = &known.last {
                return json.clone();
            }
            let number = known.history.last().map_or(0, |tick| tick.number);
            if let Some((_, json)) = known.record.as_ref().filter(|(of, _)| *of == number) {
                return json.clone();
            }
            number
        };
        let json = Bytes::from(self.record_so_far().to_json());
        self.known().record = Some((number, json.clone()));
        json
    }

    /// `/metrics`. Made once a second, however many ask.
    pub fn metrics(&self) -> Bytes {
        let (tick, verdict) = {
            let known = self.known();
            let Some(tick) = known.history.last().cloned() else {
                return Bytes::new();
            };
            let last = known.last.as_ref().map(|(_, verdict)| *verdict);
            let made = known.metrics.as_ref();
            if let Some((_, text)) = made.filter(|(of, _)| *of == tick.number && last.is_none()) {
                return text.clone();
            }
            let verdict = last.unwrap_or(tick.verdict.name());
            (tick, verdict)
        };
        let text = Bytes::from(prometheus::text(&self.steps, &tick, verdict));
        self.known().metrics = Some((tick.number, text.clone()));
        text
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
