//! The threads that sample: one for all processes, one for each Redis, so that a slow Redis delays nothing else.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::machine::watched::processes::Processes;
use crate::machine::watched::reading::Reading;
use crate::machine::watched::redis::Redis;

use super::found::{Found, Kind, Source};
use super::samples::{Sample, Samples};

/// Time between two samples.
const SECOND: Duration = Duration::from_secs(1);
/// Shortest last sample: CPU time is counted in hundredths of a second.
const LAST_MIN: Duration = Duration::from_millis(200);
/// Longest wait for the last samples. A thread that hangs is left behind; what it sampled until then is kept.
const LAST_WAIT: Duration = Duration::from_millis(500);
/// Most ids that are kept of the processes behind one name.
const PIDS_MAX: usize = 64;

/// Sampling under way.
pub struct Sampling {
    series: Vec<Shared>,
    began: (Instant, SystemTime),
    /// Dropped to end the threads.
    stop: Vec<Sender<()>>,
    /// Ends when all threads have.
    ended: Receiver<()>,
}

/// What was sampled.
#[derive(Debug)]
pub struct Sampled {
    /// When the sampling began.
    pub began: SystemTime,
    /// In the order of the sources.
    pub series: Vec<Series>,
}

/// What was sampled of one source.
#[derive(Debug, Default)]
pub struct Series {
    pub name: String,
    pub what: String,
    pub samples: Samples,
    /// Ids of the first processes that were seen.
    pub pids: BTreeSet<i32>,
    /// Processes that came after the start.
    pub came: u64,
    /// Processes that ended.
    pub gone: u64,
    /// When the first one was missed, in seconds since the sampling began.
    pub first_gone_s: Option<f64>,
    /// Seconds without an answer.
    pub missed: u64,
    /// The reason of the last of them.
    pub last_error: Option<String>,
}

type Shared = Arc<Mutex<Series>>;

impl Found {
    /// Starts the threads. What was used until now is not counted.
    pub fn start(self) -> Sampling {
        let (ending, ended) = channel();
        let mut sampling = Sampling {
            series: Vec::new(),
            began: (Instant::now(), SystemTime::now()),
            stop: Vec::new(),
            ended,
        };
        let mut processes = Vec::new();
        for source in self.sources {
            let Source { name, what, kind } = source;
            let mut series = Series {
                name,
                what,
                ..Series::default()
            };
            if let Kind::Processes(found) = &kind {
                series.pids.extend(found.pids().take(PIDS_MAX));
            }
            let shared = Arc::new(Mutex::new(series));
            sampling.series.push(shared.clone());
            match kind {
                Kind::Processes(mut found) => {
                    found.restart();
                    processes.push((found, shared));
                }
                Kind::Redis(mut redis) => {
                    sampling.spawn(ending.clone(), move |clock| {
                        redis.restart();
                        each_second(clock, |begin_s, end_s| {
                            on_redis(&mut redis, &shared, begin_s, end_s);
                        });
                    });
                }
            }
        }
        if !processes.is_empty() {
            sampling.spawn(ending, move |clock| {
                each_second(clock, |begin_s, end_s| {
                    for (found, shared) in &mut processes {
                        on_processes(found, shared, begin_s, end_s);
                    }
                });
            });
        }
        sampling
    }
}

/// What a thread needs: the moment that counts as 0, and the word to end.
struct Clock {
    began: Instant,
    stop: Receiver<()>,
}

impl Sampling {
    /// Without a thread, where the system has none left, there are no samples; the run goes on.
    fn spawn(&mut self, ending: Sender<()>, work: impl FnOnce(Clock) + Send + 'static) {
        let (stop, stopped) = channel();
        let clock = Clock {
            began: self.began.0,
            stop: stopped,
        };
        let named = thread::Builder::new().name("watch".into());
        let spawned = named.spawn(move || {
            work(clock);
            drop(ending);
        });
        if spawned.is_ok() {
            self.stop.push(stop);
        }
    }

    /// Takes the last samples and ends.
    pub fn stop(self) -> Sampled {
        drop(self.stop);
        // Nothing is ever sent: the wait ends when the last thread drops its end, or after its time.
        let _ = self.ended.recv_timeout(LAST_WAIT);
        let taken = self
            .series
            .iter()
            .map(|shared| std::mem::take(&mut *lock(shared)));
        Sampled {
            began: self.began.1,
            series: taken.collect(),
        }
    }
}

/// Calls `sample` with begin and end of each second, and of the rest when the word comes.
fn each_second(clock: Clock, mut sample: impl FnMut(f64, f64)) {
    let Clock { began, stop } = clock;
    let mut begin = Duration::ZERO;
    loop {
        let since = began.elapsed();
        // After a pause that took several seconds, the next sample is at the next full second.
        let full = SECOND * (since.as_secs() as u32 + 1);
        let word = stop.recv_timeout(full.saturating_sub(since));
        let is_over = word != Err(RecvTimeoutError::Timeout);
        let end = began.elapsed();
        if !is_over || end.saturating_sub(begin) >= LAST_MIN {
            sample(begin.as_secs_f64(), end.as_secs_f64());
            begin = end;
        }
        if is_over {
            return;
        }
    }
}

fn on_processes(found: &mut Processes, shared: &Shared, begin_s: f64, end_s: f64) {
    let reading = found.read();
    let mut series = lock(shared);
    let room = PIDS_MAX.saturating_sub(series.pids.len());
    let new = found.pids().filter(|pid| !series.pids.contains(pid));
    let new: Vec<i32> = new.take(room).collect();
    series.pids.extend(new);
    (series.came, series.gone) = (found.came, found.gone);
    if found.gone > 0 && series.first_gone_s.is_none() {
        series.first_gone_s = Some(end_s);
    }
    series.push(begin_s, end_s, reading);
}

fn on_redis(redis: &mut Redis, shared: &Shared, begin_s: f64, end_s: f64) {
    let read = redis.read();
    let mut series = lock(shared);
    match read {
        Ok(reading) => series.push(begin_s, end_s, reading),
        Err(reason) => {
            series.missed += 1;
            series.last_error = Some(reason);
        }
    }
}

impl Series {
    fn push(&mut self, begin_s: f64, end_s: f64, reading: Reading) {
        self.samples.push(Sample {
            end_s,
            length_s: end_s - begin_s,
            reading,
        });
    }
}

/// A panic of a sampling thread loses no sample.
fn lock(shared: &Shared) -> MutexGuard<'_, Series> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
