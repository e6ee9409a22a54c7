//! A plan becomes samples: one thread per core, nothing shared, everything added up at the end.
//!
//! Reading order: [`plan`] and `setup` (what is run, and on what), [`run`](run()), `thread` with its `gate`, then [`shard`]
//! (the loop), then the pure parts that meet only there: [`user`], `arrivals`, `requests`, [`connection`], [`batch`],
//! [`pool`] with its `line`, [`timers`]. [`Control`] takes orders while the run lasts. `handover`, `collector`, `outcomes`,
//! `kinds` and `shard_use` are what comes out; [`example`] is off the hot path, and [`Footprint`] is computed before it.

mod arrivals;
pub mod batch;
mod collector;
pub mod connection;
mod control;
pub mod example;
mod footprint;
mod gate;
mod handover;
mod kinds;
mod line;
mod outcomes;
pub mod plan;
pub mod pool;
mod requests;
mod run;
mod setup;
pub mod shard;
mod shard_use;
mod thread;
pub mod timers;
pub mod user;

pub use arrivals::ArrivalCounts;
pub use collector::{OnSecond, Second};
pub(crate) use control::NOTICED_NS_MAX;
pub use control::{Control, Order, Wanted};
pub use footprint::{Footprint, Part};
pub use kinds::KindUse;
pub use outcomes::Ended;
pub use run::{Death, Run, run, run_on};
pub use setup::{Setup, driver_config};
pub use shard_use::ShardUse;
