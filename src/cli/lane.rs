//! A lane of `opsurge worker`: a thread that carries out the sessions of one scenario, one after the other, and the
//! orders to the one that runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::engine::{Control, Order, Wanted};
use crate::metrics::tick::{Found, Tick, Ticks};
use crate::session::exit::Exit;
use crate::session::output::note;
use crate::session::run::Session;
use crate::session::series::Series;
use crate::text::printable::in_one_line;
use crate::text::units::{counted, grouped};
use crate::worker::message::Settings;

use super::announce::say;
use super::display::{Display, Shown};
use super::read::worker::{LaneOptions, job};
use super::run::write_out;

/// A load takes 2,048 orders. After so many of them ...
const ORDERS_QUICK: u32 = 1_000;
const ORDERS_SLOW: u32 = 1_500;
/// ... they are given no oftener than this, so that a ramp of days fits.
const SLOW: Duration = Duration::from_secs(10);
const SLOWEST: Duration = Duration::from_secs(600);

/// What a lane says to the worker.
pub enum Said {
    /// A session begins: the way to it, its room for users, and method and name of its metrics.
    Began {
        id: u64,
        control: Arc<Control>,
        users_max: u64,
        names: Vec<(String, String)>,
    },
    /// A session could not be carried out.
    Failed(String),
}

/// Where a lane says it.
pub type Say = Box<dyn Fn(Said) + Send>;

/// A session that is to begin.
struct Begin {
    id: u64,
    /// Test, and session within it: `1`, `1.2`.
    number: String,
    users: u64,
    settings: Settings,
    ticks: Arc<Ticks>,
    is_ended: Arc<AtomicBool>,
}

/// The session that runs, or is being prepared.
struct Live {
    id: u64,
    ticks: Arc<Ticks>,
    /// Of the last tick that was read.
    tick: u64,
    /// Known when it begins.
    control: Option<Arc<Control>>,
    users_max: u64,
    wanted: u64,
    asked: u64,
    orders: u32,
    ordered_at: Instant,
    order: Order,
    is_ended: Arc<AtomicBool>,
}

/// A lane.
pub struct Lane {
    begins: Sender<Begin>,
    thread: JoinHandle<Exit>,
    live: Option<Live>,
    sessions: u64,
    /// Test, and sessions of it so far.
    test: (u64, u64),
}

impl Lane {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the machine gives none.
    pub fn start(options: LaneOptions, series: Series, say: Say) -> Result<Self> {
        let (begins, received) = channel();
        let body = move || carry_out_all(&options, series, &received, &say);
        let thread = std::thread::Builder::new()
            .name("lane".into())
            .spawn(body)
            .context("no thread for the worker's tests")?;
        Ok(Self {
            begins,
            thread,
            live: None,
            sessions: 0,
            test: (0, 0),
        })
    }

    /// Begins a session of a test.
    pub fn begin(&mut self, test: u64, users: u64, settings: Settings) {
        self.sessions += 1;
        self.test = match self.test {
            (same, sessions) if same == test => (test, sessions + 1),
            _ => (test, 1),
        };
        let ticks = Arc::new(Ticks::default());
        ticks.add_reader();
        let is_ended = Arc::new(AtomicBool::new(false));
        self.live = Some(Live {
            id: self.sessions,
            ticks: ticks.clone(),
            tick: 0,
            control: None,
            users_max: u64::MAX,
            wanted: users,
            asked: users,
            orders: 0,
            ordered_at: Instant::now(),
            order: Order::Run,
            is_ended: is_ended.clone(),
        });
        let begin = Begin {
            id: self.sessions,
            number: match self.test.1 {
                1 => test.to_string(),
                session => format!("{test}.{session}"),
            },
            users,
            settings,
            ticks,
            is_ended,
        };
        // The thread ends with this lane only.
        let _ = self.begins.send(begin);
    }

    /// The session has begun. Returns what is to be said of it.
    pub fn on_began(&mut self, id: u64, control: Arc<Control>, users_max: u64) {
        if let Some(live) = self.live.as_mut().filter(|live| live.id == id) {
            live.control = Some(control);
            live.users_max = users_max;
        }
    }

    /// So many users from now on.
    pub fn want(&mut self, users: u64) {
        if let Some(live) = &mut self.live {
            live.wanted = users;
        }
    }

    /// Ends the session, by an order that outranks the one before.
    pub fn end(&mut self, order: Order) {
        if let Some(live) = &mut self.live {
            live.order = live.order.max(order);
            live.is_ended.store(true, Ordering::Relaxed);
        }
    }

    /// Gives the orders whose time has come. Returns the users that there is no room for, when it is first found.
    pub fn give_orders(&mut self) -> Option<(u64, u64)> {
        let live = self.live.as_mut()?;
        let control = live.control.as_ref()?;
        control.give(live.order);
        let pause = match live.orders {
            ..ORDERS_QUICK => Duration::ZERO,
            ORDERS_QUICK..ORDERS_SLOW => SLOW,
            _ => SLOWEST,
        };
        if live.wanted == live.asked || live.ordered_at.elapsed() < pause {
            return None;
        }
        control.ask(Wanted {
            level: live.wanted as f64,
            by: "Locust master",
        });
        live.orders += 1;
        live.ordered_at = Instant::now();
        let had_room = live.asked <= live.users_max;
        live.asked = live.wanted;
        (had_room && live.wanted > live.users_max).then_some((live.wanted, live.users_max))
    }

    /// A new second of the session, or its end.
    pub fn look(&mut self) -> Found {
        let Some(live) = &mut self.live else {
            return Found::Nothing;
        };
        let found = live.ticks.find_after(live.tick);
        match &found {
            Found::Tick(tick) => live.tick = number(tick),
            Found::Nothing => {}
            Found::End => self.live = None,
        }
        found
    }

    /// Waits until the last session has written its results. Returns the gravest exit code of all.
    pub fn finish(self) -> Exit {
        drop(self.begins);
        self.thread.join().unwrap_or(Exit::CANNOT)
    }
}

fn number(tick: &Tick) -> u64 {
    tick.number
}

fn carry_out_all(
    options: &LaneOptions,
    mut series: Series,
    begins: &Receiver<Begin>,
    say: &Say,
) -> Exit {
    let mut exits = Vec::new();
    while let Ok(begin) = begins.recv() {
        let carried = carry_out(options, &begin, &mut series, say);
        begin.ticks.close();
        exits.push(carried.unwrap_or_else(|error| {
            let text = format!("test {}: {error:#}", begin.number);
            note(format_args!("error: {}", in_one_line(&text)));
            say(Said::Failed(text));
            Exit::CANNOT
        }));
        // Their number does not grow with the tests.
        exits = vec![Exit::gravest(exits)];
    }
    Exit::gravest(exits)
}

fn carry_out(
    options: &LaneOptions,
    begin: &Begin,
    series: &mut Series,
    say_to_worker: &Say,
) -> Result<Exit> {
    let job = job(options, &begin.number, begin.users, &begin.settings, None)?;
    let session = series.prepare(job)?;
    let is_quiet = session.outputs.quiet;
    if !is_quiet {
        announce(&session, begin);
    }
    let prepared = &session.prepared;
    let metrics = prepared.plan.scenario.metrics.iter();
    say_to_worker(Said::Began {
        id: begin.id,
        control: prepared.control.clone(),
        users_max: prepared.plan.load.users_max(),
        names: metrics
            .map(|label| (label.method.clone(), label.name.clone()))
            .collect(),
    });
    let shown = match options.label {
        None => Shown::of(session.outputs.live)?,
        // Lines of several lanes would replace each other.
        Some(_) => Shown::Nothing,
    };
    let display = Display::start(shown, prepared, begin.ticks.clone(), None);
    let finished = session.carry_out(&begin.ticks, &mut |notice| say(&notice, is_quiet));
    begin.ticks.close();
    display.end();
    let mut finished = finished?;
    let run = &mut finished.record.run;
    if begin.is_ended.load(Ordering::Relaxed) && run.ended_by == "criterion" {
        run.ended_by = "master".into();
    }
    let ending = finished.ending.clone();
    ending.exit(write_out(finished))
}

fn announce(session: &Session, begin: &Begin) {
    let prepared = &session.prepared;
    for text in &prepared.notes {
        note(format_args!("note: {text}"));
    }
    note(format_args!(
        "test {}: {} of {} at {}, room for {}, {}",
        begin.number,
        counted(begin.users, "user"),
        in_one_line(&prepared.plan.scenario.name),
        in_one_line(&prepared.target_shown()),
        grouped(prepared.plan.load.users_max()),
        counted(prepared.plan.shards as u64, "shard")
    ));
}
