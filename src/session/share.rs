//! A process's share of a load that several make, and its clock, as the record holds them.

use std::time::SystemTime;

use crate::engine::plan::{Connections, Plan};
use crate::io::{WallClock, wall_clock};
use crate::record::schema::{ClockRecord, ClockStateRecord, PartRecord, StartAtRecord};

/// The part; `None` for a whole load.
pub fn part(plan: &Plan) -> Option<PartRecord> {
    let part = plan.load.part();
    (!part.is_whole()).then(|| PartRecord {
        index: part.number(),
        of: part.of(),
    })
}

/// Share of the users, and so of a rate, 0 to 1.
pub fn of_users(plan: &Plan) -> f64 {
    let users = plan.load.users_max();
    match plan.load.part().is_whole() || users == 0 {
        true => 1.0,
        false => plan.deal().share_of(users) as f64 / users as f64,
    }
}

/// Iterations of the users of this process.
pub fn iterations(plan: &Plan) -> Option<u64> {
    let load = plan.load.users();
    let all = load.iterations?;
    let deal = plan.deal();
    // The first users do one more when the iterations do not divide evenly.
    Some(match load.users {
        0 => 0,
        users => all / users * deal.share_of(users) + deal.share_of(all % users),
    })
}

/// The connections of this process. Those of a whole load are as given: users bound how many are opened.
pub fn connections(plan: &Plan) -> Connections {
    match plan.connections {
        Connections::Shared { depth, .. } if !plan.load.part().is_whole() => Connections::Shared {
            count: plan.slots_before_shard(plan.shards) / plan.targets(),
            depth,
        },
        as_given => as_given,
    }
}

/// The moment asked for, and how late the run was.
pub fn start_at(asked: Option<SystemTime>, started: SystemTime) -> Option<StartAtRecord> {
    let at = asked?;
    let late = started.duration_since(at).unwrap_or_default();
    Some(StartAtRecord {
        at: humantime::format_rfc3339_millis(at).to_string(),
        late_s: late.as_secs_f64(),
    })
}

/// How exact the wall clock was, from its state at the start to the present one.
pub fn clock(at_start: Option<WallClock>) -> Option<ClockRecord> {
    let state = |clock: WallClock| ClockStateRecord {
        is_synchronised: clock.is_synchronised,
        error_us_max: clock.error_us_max,
    };
    Some(ClockRecord {
        start: state(at_start?),
        end: state(wall_clock()?),
    })
}
