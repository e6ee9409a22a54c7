//! The shard: whole runs in the simulation, pipelining, timestamps, and a shard that panics.

mod pipeline;
mod shard_death;
mod simulation;
mod stamps;
