//! The shard: whole runs in the simulation, parts of runs, pipelining, timestamps, and a shard that panics.

mod parts;
mod pipeline;
mod shard_death;
mod simulation;
mod stamps;
