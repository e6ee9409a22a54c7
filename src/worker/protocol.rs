//! What a worker answers its master, and when. Pure: messages, ticks and the time in; actions out, in order.
//!
//! 1. Connected: `client_ready` until the master's `ack`. Then a heartbeat each second and a report every 3 s.
//! 2. `spawn` says how many users of each class there shall be, in all. The first one begins a test.
//! 3. `stop` ends it: the rest of the figures, `client_stopped`, `client_ready`, in this order, so that the master
//!    merges the figures before it strikes the worker off.
//! 4. `quit`: open requests are cut off at once, for the master takes figures for half a second only.
//! 5. A connection that was lost is made again under the same identity, at once or not at all, and a heartbeat asks
//!    whether the master still knows it: then nothing has changed for either side.
//! 6. A master that is silent has forgotten this worker, or has gone: the worker comes back under a new identity. Users
//!    go on meanwhile; they end when the new connection brings no `spawn`, or when there is no master for a minute.

use std::sync::Arc;

use crate::metrics::tick::Tick;

use super::figures::Figures;
use super::message::{Incoming, Outgoing, Report, Row, Settings, Spawn, Users};

/// Time between two heartbeats.
const HEARTBEAT_MS: u64 = 1_000;
/// Time between two reports.
const REPORT_MS: u64 = 3_000;
/// Time until an unanswered `client_ready` is repeated.
const READY_MS: u64 = 5_000;
/// How often it is said on one connection.
const READY_TIMES_MAX: u32 = 6;
/// Time without a word from the master, after which the connection is given up. Locust's own workers wait for 60 s; the
/// master strikes a worker off, and starts its users elsewhere, 60 s after the last heartbeat.
const SILENCE_MS: u64 = 15_000;
/// Time for a connection under the same identity. What the master says meanwhile is lost, and a lost `stop` is not said
/// again: the less time, the safer. Under a new identity, it says anew what it wants.
const LOST_MS: u64 = 1_000;
/// After a connection under the same identity: time until a master that knows it has answered a heartbeat. It calls a
/// worker missing, and gives up its users, 4 s after the last one.
const RETURN_MS: u64 = 2_000;
/// Time without a master after which the users end: the master has started others in their place.
const ORPHAN_MS: u64 = 60_000;
/// Time without a master after which the worker gives up, as Locust's own does.
const GIVE_UP_MS: u64 = 300_000;
/// After a reconnection: time until a master that has a test running has said `spawn`.
const RESUME_MS: u64 = 5_000;
/// Longest time until `spawning_complete` is said with the users that there are.
const SPAWN_MS: u64 = 10_000;
/// After `quit`: open requests are cut off ...
const QUIT_CUT_MS: u64 = 200;
/// ... and the last figures sent, before the master stops listening at 500 ms.
const QUIT_MS: u64 = 420;
const _: () = assert!(QUIT_CUT_MS < QUIT_MS && QUIT_MS < 500);
/// Least time for open requests after `stop`, whatever the stop timeout: those of a fast service then have an outcome.
const STOP_CUT_MS: u64 = 250;

/// The present moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// On a clock that never goes back, in milliseconds.
    pub ms: u64,
    /// In seconds of the Unix epoch.
    pub epoch_s: f64,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A new connection, under a new identity.
    Connect,
    /// A new connection, under the same identity.
    Return,
    /// The identities of earlier connections take their leave over this one.
    CloseEarlier,
    Send(Outgoing),
    /// A session of a lane begins.
    Begin {
        lane: usize,
        /// The number of the test, from 1.
        test: u64,
        users: u64,
        settings: Settings,
    },
    /// So many users from now on.
    Users {
        lane: usize,
        users: u64,
    },
    /// The lane starts nothing more; open requests are waited for.
    End {
        lane: usize,
    },
    /// The lane's open requests are cut off.
    CutOff {
        lane: usize,
    },
    /// Said to the person who started the worker.
    Say(String),
    /// The worker ends.
    Leave(Left),
}

/// Why the worker ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// The master said `quit`.
    Quit,
    /// A signal came.
    Interrupted,
    /// There is no master.
    NoMaster,
}

/// Classes of the master's file, and the lanes that carry them out.
#[derive(Clone, Debug)]
pub enum Classes {
    /// One lane carries out the users of all classes.
    All,
    /// Class and lane.
    Named(Vec<(String, usize)>),
}

/// Where the worker is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Ready,
    Spawning {
        since_ms: u64,
    },
    Running,
    /// The test is being ended. `told`: by the master, who waits for an answer.
    Stopping {
        since_ms: u64,
        told: bool,
    },
    Quitting {
        since_ms: u64,
        left: Left,
    },
    Left,
}

/// The connection.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Link {
    Down,
    /// The connection was lost; the next one has the same identity.
    Lost {
        at_ms: u64,
    },
    /// It is there, and the master has not said yet that it knows this worker.
    Returning {
        at_ms: u64,
        heartbeat_ms: u64,
    },
    /// `client_ready` was said.
    Greeted {
        at_ms: u64,
        times: u32,
    },
    /// The master knows this worker.
    Known {
        heard_ms: u64,
        heartbeat_ms: u64,
        report_ms: u64,
    },
}

/// One scenario and its users.
#[derive(Default)]
struct Lane {
    wanted: u64,
    /// A session runs, or is about to.
    is_live: bool,
    was_cut: bool,
    figures: Figures,
    /// Of sessions of the same test that have ended; not reported yet.
    earlier: Vec<Figures>,
}

/// The worker's side of the protocol.
pub struct Protocol {
    classes: Classes,
    lanes: Vec<Lane>,
    phase: Phase,
    link: Link,
    /// Earlier connections had other identities, which the master may still list.
    has_earlier: bool,
    /// The last moment at which the master was known to be there.
    master_ms: u64,
    /// A test runs, and the master of a new connection has not said `spawn` yet, since then.
    resuming_ms: Option<u64>,
    test: u64,
    users: Users,
    settings: Settings,
    timestamp_s: f64,
    /// Came while the test before it was being ended.
    pending: Option<Spawn>,
    /// Named once for each test.
    unmapped: Vec<String>,
    actions: Vec<Action>,
}

impl Protocol {
    /// A worker that is about to connect.
    pub fn new(classes: Classes, now: Now) -> Self {
        let lanes = match &classes {
            Classes::All => 1,
            Classes::Named(named) => named.iter().map(|(_, lane)| lane + 1).max().unwrap_or(1),
        };
        Self {
            classes,
            lanes: (0..lanes).map(|_| Lane::default()).collect(),
            phase: Phase::Ready,
            link: Link::Down,
            has_earlier: false,
            master_ms: now.ms,
            resuming_ms: None,
            test: 0,
            users: Users::new(),
            settings: Settings::default(),
            timestamp_s: 0.0,
            pending: None,
            unmapped: Vec::new(),
            actions: vec![Action::Connect],
        }
    }

    /// What is to be done by now, in order.
    pub fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// The connection is there.
    pub fn on_connected(&mut self, now: Now) {
        match self.link {
            Link::Lost { .. } => {
                self.link = Link::Returning {
                    at_ms: now.ms,
                    heartbeat_ms: now.ms,
                }
            }
            _ => self.greet(1, now),
        }
    }

    /// The connection was lost.
    pub fn on_lost(&mut self, reason: &str, now: Now) {
        if matches!(self.link, Link::Down | Link::Lost { .. }) || self.is_leaving() {
            return;
        }
        self.say(format!(
            "connection to the master lost ({reason}); connecting again"
        ));
        match self.link {
            Link::Known { .. } => {
                self.link = Link::Lost { at_ms: now.ms };
                self.actions.push(Action::Return);
            }
            _ => self.reconnect(),
        }
    }

    /// A message of the master.
    pub fn on_message(&mut self, incoming: Incoming, now: Now) {
        if self.is_leaving() {
            return;
        }
        match &mut self.link {
            Link::Known { heard_ms, .. } => {
                *heard_ms = now.ms;
                self.master_ms = now.ms;
            }
            // A master answers the heartbeats of workers that it knows.
            Link::Returning { .. } if incoming == Incoming::Heartbeat => self.on_returned(now),
            _ => {}
        }
        match incoming {
            Incoming::Ack => self.on_ack(now),
            Incoming::Heartbeat | Incoming::SpawningComplete => {}
            Incoming::Spawn(spawn) => self.on_spawn(spawn, now),
            Incoming::Stop => self.on_stop(now),
            Incoming::Quit => self.leave(Left::Quit, now),
            Incoming::Reconnect => self.reconnect(),
            Incoming::Other(kind) => self.say(format!("a message of type {kind:?} is ignored")),
        }
    }

    /// A session has begun; its metrics have these methods and names.
    pub fn on_began(&mut self, lane: usize, names: Vec<(String, String)>) {
        let lane = &mut self.lanes[lane];
        let ended = std::mem::replace(&mut lane.figures, Figures::new(names));
        lane.earlier.push(ended);
    }

    /// A second of a session.
    pub fn on_tick(&mut self, lane: usize, tick: &Arc<Tick>, now: Now) {
        self.lanes[lane].figures.on_tick(tick, now.epoch_s);
        self.complete_spawn(now);
    }

    /// A session has no more figures.
    pub fn on_ended(&mut self, lane: usize, now: Now) {
        self.lanes[lane].is_live = false;
        self.finish(now);
    }

    /// A session could not be carried out, or has something to say.
    pub fn on_error(&mut self, text: String) {
        if matches!(self.link, Link::Known { .. }) && !self.is_leaving() {
            self.send(Outgoing::Exception {
                text,
                place: "opsurge worker\n".into(),
            });
        }
    }

    /// A signal: the worker leaves.
    pub fn on_interrupt(&mut self, now: Now) {
        if !self.is_leaving() {
            self.leave(Left::Interrupted, now);
        }
    }

    /// Time has passed. Called at least every 50 ms.
    pub fn on_time(&mut self, memory_bytes: &dyn Fn() -> u64, now: Now) {
        self.check_master(now);
        self.complete_spawn(now);
        self.cut_off(now);
        self.finish(now);
        if self.is_leaving() {
            return;
        }
        if let Link::Returning { heartbeat_ms, .. } = &mut self.link
            && now.ms >= *heartbeat_ms
        {
            *heartbeat_ms = now.ms + HEARTBEAT_MS;
            let heartbeat = self.heartbeat(memory_bytes());
            self.send(heartbeat);
        }
        let Link::Known {
            heard_ms,
            mut heartbeat_ms,
            mut report_ms,
        } = self.link
        else {
            return;
        };
        if now.ms >= heartbeat_ms {
            heartbeat_ms = now.ms + HEARTBEAT_MS;
            let heartbeat = self.heartbeat(memory_bytes());
            self.send(heartbeat);
        }
        if now.ms >= report_ms && self.resuming_ms.is_none() {
            report_ms = now.ms + REPORT_MS;
            self.report(now);
        }
        self.link = Link::Known {
            heard_ms,
            heartbeat_ms,
            report_ms,
        };
    }

    fn on_ack(&mut self, now: Now) {
        if let Link::Greeted { .. } = self.link {
            self.link = Link::Known {
                heard_ms: now.ms,
                heartbeat_ms: now.ms,
                report_ms: now.ms,
            };
            self.master_ms = now.ms;
            let has_test = matches!(self.phase, Phase::Spawning { .. } | Phase::Running);
            self.resuming_ms = has_test.then_some(now.ms);
            self.say(match has_test {
                false => "ready: the master knows this worker".into(),
                true => "the master knows this worker again".into(),
            });
        }
    }

    /// The master knows this worker under the identity that it had before.
    fn on_returned(&mut self, now: Now) {
        self.link = Link::Known {
            heard_ms: now.ms,
            heartbeat_ms: now.ms + HEARTBEAT_MS,
            report_ms: now.ms,
        };
        self.master_ms = now.ms;
        self.say("the master knows this worker again".into());
    }

    fn on_spawn(&mut self, spawn: Spawn, now: Now) {
        if spawn.timestamp_s <= self.timestamp_s {
            return;
        }
        if matches!(self.phase, Phase::Stopping { .. }) {
            self.pending = Some(spawn);
            return;
        }
        self.timestamp_s = spawn.timestamp_s;
        self.resuming_ms = None;
        self.send(Outgoing::Spawning);
        if self.phase == Phase::Ready {
            self.test += 1;
            self.unmapped.clear();
            for lane in &mut self.lanes {
                *lane = Lane::default();
            }
        }
        self.phase = Phase::Spawning { since_ms: now.ms };
        self.users = spawn.users;
        self.settings = spawn.settings;
        for (lane, wanted) in self.wanted().into_iter().enumerate() {
            self.want(lane, wanted);
        }
        self.complete_spawn(now);
    }

    fn want(&mut self, index: usize, wanted: u64) {
        let lane = &mut self.lanes[index];
        if lane.wanted == wanted {
            return;
        }
        lane.wanted = wanted;
        let is_new = !lane.is_live;
        if is_new && wanted == 0 {
            return;
        }
        lane.is_live = true;
        lane.was_cut = false;
        self.actions.push(match is_new {
            false => Action::Users {
                lane: index,
                users: wanted,
            },
            true => Action::Begin {
                lane: index,
                test: self.test,
                users: wanted,
                settings: self.settings.clone(),
            },
        });
    }

    /// Users that each lane shall have.
    fn wanted(&mut self) -> Vec<u64> {
        let mut wanted = vec![0; self.lanes.len()];
        let mut unmapped = Vec::new();
        for (class, users) in &self.users {
            match self.classes.lane(class) {
                Some(lane) => wanted[lane] += users,
                None if *users == 0 || self.unmapped.contains(class) => {}
                None => unmapped.push(class.clone()),
            }
        }
        for class in unmapped {
            self.on_error(format!(
                "no scenario for the user class {class}: its users are not started on this worker; add --class \
                 {class}=SCENARIO to it"
            ));
            self.unmapped.push(class);
        }
        wanted
    }

    fn on_stop(&mut self, now: Now) {
        self.resuming_ms = None;
        // A master does not call a test stopped while it lists a missing worker, which takes up to a minute. Before the
        // stop they stay: when it drops one itself, it deals the users out again, and for a `quit` it may not.
        if std::mem::take(&mut self.has_earlier) {
            self.actions.push(Action::CloseEarlier);
        }
        self.end_test(true, now);
    }

    fn end_test(&mut self, told: bool, now: Now) {
        self.phase = Phase::Stopping {
            since_ms: now.ms,
            told,
        };
        self.end_lanes();
        self.finish(now);
    }

    fn end_lanes(&mut self) {
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            lane.wanted = 0;
            if lane.is_live {
                self.actions.push(Action::End { lane: index });
            }
        }
    }

    fn leave(&mut self, left: Left, now: Now) {
        self.phase = Phase::Quitting {
            since_ms: now.ms,
            left,
        };
        self.end_lanes();
        self.finish(now);
    }

    /// Cuts off the requests that are open beyond their time.
    fn cut_off(&mut self, now: Now) {
        let stop_ms = (self.settings.stop_timeout_s * 1e3) as u64;
        let due_ms = match self.phase {
            Phase::Stopping { since_ms, .. } => since_ms.saturating_add(stop_ms.max(STOP_CUT_MS)),
            Phase::Quitting { since_ms, .. } => since_ms + QUIT_CUT_MS,
            _ => return,
        };
        if now.ms < due_ms {
            return;
        }
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            if lane.is_live && !lane.was_cut {
                lane.was_cut = true;
                self.actions.push(Action::CutOff { lane: index });
            }
        }
    }

    /// Ends what is being ended, once every session has no more figures.
    fn finish(&mut self, now: Now) {
        let are_over = self.lanes.iter().all(|lane| !lane.is_live);
        match self.phase {
            Phase::Stopping { told, .. } if are_over => self.finish_test(told, now),
            Phase::Quitting { since_ms, left } if are_over || now.ms >= since_ms + QUIT_MS => {
                if matches!(self.link, Link::Known { .. }) {
                    self.report(now);
                    self.send(Outgoing::Quit);
                }
                self.phase = Phase::Left;
                self.actions.push(Action::Leave(left));
            }
            _ => {}
        }
    }

    fn finish_test(&mut self, told: bool, now: Now) {
        self.users.iter_mut().for_each(|(_, users)| *users = 0);
        self.phase = Phase::Ready;
        let is_known = matches!(self.link, Link::Known { .. });
        if is_known {
            self.report(now);
        }
        if is_known && told {
            self.send(Outgoing::ClientStopped);
            self.greet(1, now);
        }
        if let Some(spawn) = self.pending.take() {
            self.on_spawn(spawn, now);
        }
    }

    /// Says `spawning_complete` when all users are there, or the time for it is over.
    fn complete_spawn(&mut self, now: Now) {
        let Phase::Spawning { since_ms } = self.phase else {
            return;
        };
        let mut lanes = self.lanes.iter();
        let are_there = lanes.all(|lane| match lane.is_live {
            true => lane.figures.users() == lane.wanted,
            false => lane.wanted == 0,
        });
        if self.resuming_ms.is_none() && (are_there || now.ms >= since_ms + SPAWN_MS) {
            self.phase = Phase::Running;
            self.send(Outgoing::SpawningComplete(self.present()));
        }
    }

    /// Looks whether there is a master that knows this worker.
    fn check_master(&mut self, now: Now) {
        if self.is_leaving() {
            return;
        }
        let away_ms = now.ms.saturating_sub(self.master_ms);
        match self.link {
            Link::Known { heard_ms, .. } if now.ms >= heard_ms + SILENCE_MS => {
                self.say(format!(
                    "the master has said nothing for {} s; connecting again",
                    SILENCE_MS / 1_000
                ));
                self.reconnect();
            }
            Link::Lost { at_ms } if now.ms >= at_ms + LOST_MS => self.reconnect(),
            // It was started anew, or it still has the old connection and ignores this one.
            Link::Returning { at_ms, .. } if now.ms >= at_ms + RETURN_MS => self.reconnect(),
            Link::Greeted { at_ms, times } if now.ms >= at_ms + READY_MS => match times {
                // A connection that the master does not answer may be half open.
                READY_TIMES_MAX => self.reconnect(),
                _ => self.greet(times + 1, now),
            },
            _ => {}
        }
        let has_test = matches!(self.phase, Phase::Spawning { .. } | Phase::Running);
        let is_unwanted = self
            .resuming_ms
            .is_some_and(|since_ms| now.ms >= since_ms + RESUME_MS);
        if has_test && (is_unwanted || away_ms >= ORPHAN_MS) {
            self.resuming_ms = None;
            self.say("the users end: no master has a test for them".into());
            self.end_test(false, now);
        }
        if away_ms >= GIVE_UP_MS {
            self.leave(Left::NoMaster, now);
        }
    }

    fn greet(&mut self, times: u32, now: Now) {
        self.link = Link::Greeted {
            at_ms: now.ms,
            times,
        };
        self.send(Outgoing::ClientReady);
    }

    fn reconnect(&mut self) {
        self.link = Link::Down;
        self.has_earlier = true;
        // A master that was restarted may have another clock.
        self.timestamp_s = 0.0;
        self.resuming_ms = None;
        self.actions.push(Action::Connect);
    }

    fn heartbeat(&self, memory_bytes: u64) -> Outgoing {
        let cpu = self.lanes.iter().filter(|lane| lane.is_live);
        let cpu = cpu.map(|lane| lane.figures.cpu_percent());
        Outgoing::Heartbeat {
            state: match self.phase {
                // The master of a new connection has not said yet that it wants the users.
                _ if self.resuming_ms.is_some() => "ready",
                // A `spawn` of another master is carried out as soon as the old users are gone.
                Phase::Ready | Phase::Left | Phase::Stopping { told: false, .. } => "ready",
                Phase::Spawning { .. } => "spawning",
                Phase::Running => "running",
                Phase::Stopping { .. } | Phase::Quitting { .. } => "stopping",
            },
            cpu_percent: cpu.fold(0.0, f64::max),
            memory_bytes,
        }
    }

    fn report(&mut self, now: Now) {
        let mut report = Report {
            total: Row::total(now.epoch_s),
            users: self.present(),
            ..Report::default()
        };
        for lane in &mut self.lanes {
            for mut ended in std::mem::take(&mut lane.earlier) {
                ended.report_into(&mut report);
            }
            lane.figures.report_into(&mut report);
        }
        self.send(Outgoing::Stats(Box::new(report)));
    }

    /// Users that are there, by class: a lane's users in the proportion in which its classes are wanted.
    fn present(&self) -> Users {
        let mut left: Vec<(u64, u64)> = self
            .lanes
            .iter()
            .map(|lane| match lane.is_live {
                true => (lane.figures.users(), lane.wanted),
                false => (0, lane.wanted),
            })
            .collect();
        let by_class = self.users.iter().map(|(class, wanted)| {
            let here = self.classes.lane(class).map_or(0, |lane| {
                let (users, all) = &mut left[lane];
                let here = match *all {
                    0 => *users,
                    all => (u128::from(*users) * u128::from(*wanted) / u128::from(all)) as u64,
                };
                *users -= here.min(*users);
                *all = all.saturating_sub(*wanted);
                here
            });
            (class.clone(), here)
        });
        by_class.collect()
    }

    fn is_leaving(&self) -> bool {
        matches!(self.phase, Phase::Quitting { .. } | Phase::Left)
    }

    fn send(&mut self, message: Outgoing) {
        self.actions.push(Action::Send(message));
    }

    fn say(&mut self, text: String) {
        self.actions.push(Action::Say(text));
    }
}

impl Classes {
    /// The lane of a class; `None` when it has none.
    fn lane(&self, class: &str) -> Option<usize> {
        match self {
            Self::All => Some(0),
            Self::Named(named) => {
                let mut named = named.iter();
                named.find(|(name, _)| name == class).map(|(_, lane)| *lane)
            }
        }
    }
}

#[cfg(test)]
mod tests;
