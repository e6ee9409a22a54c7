//! `opsurge worker`: the protocol, the connection to the master and the lanes, in one loop.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, anyhow};

use crate::engine::Order;
use crate::machine::{Machine, cpu};
use crate::metrics::tick::Found;
use crate::session::exit::{Exit, cannot};
use crate::session::output::note;
use crate::session::series::Series;
use crate::text::printable::in_one_line;
use crate::text::units::grouped;
use crate::worker::link::{self, Link};
use crate::worker::message::{Outgoing, decode};
use crate::worker::protocol::{Action, Left, Now, Protocol};

use super::args::WorkerArgs;
use super::lane::{Lane, Said};
use super::read;

/// Longest time between two looks at ticks, time limits and signals.
const LOOK: Duration = Duration::from_millis(20);
/// Most identities of earlier connections that are kept.
const EARLIER_MAX: usize = 16;

/// What the loop waits for.
enum Event {
    Master(link::Event),
    Lane(usize, Said),
}

/// The worker and its surroundings.
struct Worker {
    protocol: Protocol,
    link: Link,
    lanes: Vec<Lane>,
    /// Name of this machine, for identities.
    host_name: String,
    identity: String,
    /// Identities of earlier connections that the master may still list.
    earlier: Vec<String>,
    /// Why the last attempt to connect failed.
    refused: String,
    began: Instant,
    is_quiet: bool,
}

/// Carries out the command.
pub fn worker(args: WorkerArgs) -> Result<Exit> {
    let options = read::worker::options(&args)?;
    let series = Series::listening().context("signals cannot be listened for");
    let series = cannot(series)?;
    let (events, received) = channel();
    let of_master = events.clone();
    let link = Link::start(options.address.clone(), move |event| {
        // The loop may have ended.
        let _ = of_master.send(Event::Master(event));
    });
    let mut lanes = Vec::new();
    for (index, lane) in options.lanes.into_iter().enumerate() {
        let events = events.clone();
        let say = Box::new(move |said| {
            let _ = events.send(Event::Lane(index, said));
        });
        lanes.push(cannot(Lane::start(lane, series.clone(), say))?);
    }
    if !options.is_quiet {
        note(format_args!(
            "looking for a Locust master at {}",
            options.address
        ));
    }
    let began = Instant::now();
    let mut worker = Worker {
        protocol: Protocol::new(options.classes, now(began)),
        link: cannot(link)?,
        lanes,
        // What stands before the first underscore is the machine, to the master.
        host_name: Machine::read().hostname.replace('_', "-"),
        identity: String::new(),
        earlier: Vec::new(),
        refused: String::new(),
        began,
        is_quiet: options.is_quiet,
    };
    let left = loop {
        match received.recv_timeout(LOOK) {
            Ok(event) => worker.on_event(event),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        // A session's begin comes before its first second.
        received.try_iter().for_each(|event| worker.on_event(event));
        if series.is_interrupted() {
            worker.protocol.on_interrupt(now(began));
        }
        worker.look_at_lanes();
        worker.protocol.on_time(&cpu::resident_bytes, now(began));
        if let Some(left) = worker.act() {
            break left;
        }
    };
    worker.link.close();
    let lanes = worker.lanes.into_iter().map(Lane::finish);
    let exit = Exit::gravest(lanes.collect::<Vec<_>>());
    match left {
        Left::Quit => Ok(exit),
        Left::Interrupted => Ok(Exit::INTERRUPTED),
        Left::NoMaster => cannot(Err(anyhow!(
            "no Locust master has answered at {} for five minutes; start one (locust --master), or name it by --master-host and --master-port",
            options.address
        ))),
    }
}

fn now(began: Instant) -> Now {
    let epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Now {
        ms: began.elapsed().as_millis() as u64,
        epoch_s: epoch.unwrap_or_default().as_secs_f64(),
    }
}

impl Worker {
    fn on_event(&mut self, event: Event) {
        let now = now(self.began);
        match event {
            Event::Master(link::Event::Connected) => self.protocol.on_connected(now),
            Event::Master(link::Event::Failed(reason)) => {
                // Each reason is said once.
                if self.refused != reason {
                    self.say(&format!("no connection to the master yet: {reason}"));
                    self.refused = reason;
                }
            }
            Event::Master(link::Event::Lost(reason)) => self.protocol.on_lost(&reason, now),
            Event::Master(link::Event::Message(bytes)) => match decode(&bytes) {
                Ok(message) => self.protocol.on_message(message, now),
                Err(reason) => self.say(&format!("a message of the master is ignored: {reason}")),
            },
            Event::Lane(_, Said::Failed(text)) => self.protocol.on_error(text),
            Event::Lane(
                lane,
                Said::Began {
                    id,
                    control,
                    users_max,
                    names,
                },
            ) => {
                self.lanes[lane].on_began(id, control, users_max);
                self.protocol.on_began(lane, names);
            }
        }
    }

    fn look_at_lanes(&mut self) {
        let now = now(self.began);
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            match lane.look() {
                Found::Tick(tick) => self.protocol.on_tick(index, &tick, now),
                Found::Nothing => {}
                Found::End => self.protocol.on_ended(index, now),
            }
        }
    }

    /// Does what the protocol says; why the worker ends, when it does.
    fn act(&mut self) -> Option<Left> {
        for action in self.protocol.take_actions() {
            match action {
                Action::Connect => {
                    let unique = uuid::Uuid::new_v4().simple();
                    let identity = format!("{}_{unique}", self.host_name);
                    let earlier = std::mem::replace(&mut self.identity, identity);
                    // The master drops a missing worker after a minute, in which there are no more connections.
                    if self.earlier.len() == EARLIER_MAX {
                        self.earlier.remove(0);
                    }
                    if !earlier.is_empty() {
                        self.earlier.push(earlier);
                    }
                    self.link.connect(self.identity.clone());
                }
                Action::CloseEarlier => {
                    for identity in self.earlier.drain(..) {
                        self.link.send(Outgoing::Quit.encode(&identity));
                    }
                }
                Action::Return => self.link.connect(self.identity.clone()),
                Action::Send(message) => self.link.send(message.encode(&self.identity)),
                Action::Begin {
                    lane,
                    test,
                    users,
                    settings,
                } => self.lanes[lane].begin(test, users, settings),
                Action::Users { lane, users } => self.lanes[lane].want(users),
                Action::End { lane } => self.lanes[lane].end(Order::Drain),
                Action::CutOff { lane } => self.lanes[lane].end(Order::StopNow),
                Action::Say(text) => self.say(&text),
                Action::Leave(left) => return Some(left),
            }
        }
        for lane in &mut self.lanes {
            if let Some((wanted, room)) = lane.give_orders() {
                let text = format!(
                    "{} users are wanted on this worker, and there is room for {}: give it more with --users {wanted}",
                    grouped(wanted),
                    grouped(room)
                );
                self.protocol.on_error(text.clone());
                note(format_args!("warning: {text}"));
            }
        }
        None
    }

    fn say(&self, text: &str) {
        if !self.is_quiet {
            note(in_one_line(text));
        }
    }
}
