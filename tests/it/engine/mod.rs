//! The shard: whole runs in the simulation, in plain text and encrypted, pipelining, timestamps, and a shard that panics.

mod encrypted;
mod pipeline;
mod shard_death;
mod simulation;
mod stamps;
