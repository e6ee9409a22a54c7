//! Orders of a person during a run: another number of users, or another rate, from now on. Any display gives them through
//! [`Control::ask`]; here they are carried out, once a second, and kept for the record.

use crate::engine::plan::{Connections, Plan};
use crate::engine::{Control, NOTICED_NS_MAX, Second, Wanted};
use crate::load::Load;
use crate::record::schema::OrderRecord;
use crate::scenario::model::Scenario;
use crate::scenario::value::Value;

use super::job::Traffic;
use super::limits::connections_allowed;

const SECOND_NS: u64 = 1_000_000_000;
/// From the order to its effect: every shard knows of it by then.
const AHEAD_NS: u64 = 2 * NOTICED_NS_MAX;
/// An order may ask for this many times the users of the plan ...
const USERS_TIMES_MAX: u64 = 2;
/// ... or for this many more, if that is more ...
const USERS_MORE_MIN: u64 = 100;
/// ... but never for more than this many more: the memory for them is reserved before the run.
const USERS_MORE_MAX: u64 = 10_000;
/// An order may ask for this many times the highest rate of the plan.
const RATE_TIMES_MAX: f64 = 10.0;

/// What orders may ask of a load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The load is open: orders change the rate, else the users.
    pub is_open: bool,
    /// Lowest level.
    pub min: f64,
    /// Highest level.
    pub max: f64,
}

/// Lets orders change a load, with room for more users than it begins with.
///
/// Sequence numbers, rows and the users that take the seats of others are numbered by the room: loads with any of these
/// get no more room than they have, so that a seed sends the same requests with a display and without one.
///
/// A part of a load that several processes make stays as it is: the parts are dealt by the users of all of them.
pub fn allow(traffic: &mut Traffic) {
    let load = &traffic.load.load;
    if !load.part().is_whole() {
        return;
    }
    let level_max = match load.arrivals() {
        Some(open) => open.rate_max * RATE_TIMES_MAX,
        None => users_max(traffic) as f64,
    };
    // Replaced by the same load.
    let nothing = Load::Closed(crate::load::closed::Closed::steered(0));
    let load = std::mem::replace(&mut traffic.load.load, nothing);
    traffic.load.load = load.replaceable(level_max);
}

/// Most users that orders may ask for.
fn users_max(traffic: &Traffic) -> u64 {
    let load = &traffic.load.load;
    let planned = load.users_planned();
    if load.users().may_shrink() || numbers_by_room(&traffic.scenario) {
        return planned;
    }
    let more = (planned * (USERS_TIMES_MAX - 1)).max(USERS_MORE_MIN);
    let wanted = planned + more.min(USERS_MORE_MAX);
    match traffic.limits.connections {
        Connections::Shared { .. } => wanted,
        Connections::PerUser => {
            let targets = 1 + traffic.scenario.targets.len();
            let each = (traffic.scenario.parts_max() * targets) as u64;
            let allowed = connections_allowed(wanted * each).unwrap_or(planned * each);
            let allowed = allowed.min(traffic.connecting.connections_max()) / each;
            wanted.min(allowed).max(planned)
        }
    }
}

/// A value of the scenario depends on how many users there is room for.
fn numbers_by_room(scenario: &Scenario) -> bool {
    let is_sequence = |value: &Value| value.is_sequence();
    let mut fresh = scenario.steps.iter().flat_map(|step| &step.fresh);
    let variables = &scenario.variables;
    let mut of_variables = variables
        .names()
        .filter_map(|name| variables.find(name))
        .flat_map(|index| variables.values(index));
    !scenario.feeder.is_empty()
        || fresh.any(|fresh| is_sequence(&fresh.value))
        || of_variables.any(is_sequence)
}

/// What orders may ask of a plan; `None` with the reason when they may ask for nothing.
///
/// # Errors
/// Why the load cannot be changed.
pub fn limits(plan: &Plan) -> Result<Limits, &'static str> {
    let load = &plan.load;
    if load.is_steered() {
        return Err("the search decides the load");
    }
    if load.users().iterations.is_some() {
        return Err("the number of iterations is fixed, and so is the load");
    }
    if !load.part().is_whole() {
        return Err("other processes make parts of this load, which have to agree");
    }
    if !load.takes_orders() {
        return Err("the load of this command is fixed");
    }
    Ok(Limits {
        is_open: load.is_open(),
        // A closed load without a user would be over, unless an order has replaced its rest: more users may come then.
        min: match load.is_open() || load.users().has_orders() {
            true => 0.0,
            false => 1.0,
        },
        max: match load.arrivals() {
            Some(open) => open.rate_limit(),
            None => load.users_max() as f64,
        },
    })
}

/// An order that was carried out, in times since the load began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// From when on the load changes.
    pub begin_ns: u64,
    /// How long it takes to reach the new level.
    pub ramp_ns: u64,
}

/// The orders of a run: carried out, and kept.
pub struct Orders<'p> {
    plan: &'p Plan,
    control: &'p Control,
    /// Users per second; `None`: a change takes a second.
    spawn_rate: Option<f64>,
    /// The last one took effect then, since the load began.
    begin_ns: u64,
    carried_out: Vec<OrderRecord>,
}

impl<'p> Orders<'p> {
    /// None yet.
    pub fn new(plan: &'p Plan, control: &'p Control, spawn_rate: Option<f64>) -> Self {
        Self {
            plan,
            control,
            spawn_rate,
            begin_ns: 0,
            carried_out: Vec::new(),
        }
    }

    /// Carries out what was asked for until the end of a second, and returns what was changed. Before an open load's
    /// first arrival it waits.
    pub fn on_second(&mut self, second: &Second<'_>) -> Option<Change> {
        let zero_ns = second.load_from_ns?;
        let now_ns = second.now_ns.max(second.end_ns);
        if second.interval.is_drain || now_ns < zero_ns {
            return None;
        }
        let wanted = self.control.take_asked()?;
        self.carry_out(wanted, zero_ns, now_ns - zero_ns)
    }

    fn carry_out(&mut self, wanted: Wanted, zero_ns: u64, now_ns: u64) -> Option<Change> {
        let limits = limits(self.plan).ok()?;
        let load = &self.plan.load;
        let begin_ns = (now_ns + AHEAD_NS).max(self.begin_ns + 1);
        let level = wanted.level.clamp(limits.min, limits.max);
        let ramp_ns = match (limits.is_open, self.spawn_rate) {
            (true, _) => 0,
            (false, None) => SECOND_NS,
            (false, Some(per_second)) => {
                let change = (level - load.level_at(begin_ns)).abs();
                (change / per_second * SECOND_NS as f64) as u64
            }
        };
        let level = self.control.replace_rest(load, begin_ns, ramp_ns, level)?;
        self.begin_ns = begin_ns;
        self.carried_out.push(OrderRecord {
            at_s: (zero_ns + begin_ns) as f64 / 1e9,
            users: (!limits.is_open).then_some(level as u64),
            rate: limits.is_open.then_some(level),
            by: wanted.by.into(),
        });
        Some(Change { begin_ns, ramp_ns })
    }

    /// Those that were carried out, in order.
    pub fn into_records(self) -> Vec<OrderRecord> {
        self.carried_out
    }
}
