//! What the machine is, what it lets this process use, and what it did during a run. Linux only.
//!
//! - `identity`: processor and kernel.
//! - [`cpu`]: cores, pinning, CPU clocks; `quota` (the cores that a control group allows), `cgroup` (the control groups).
//! - `memory`: what is free, what this process has; `descriptors` (the limit of open descriptors).
//! - `governor` (what chooses the frequency), `sleeping` (clocks and sleeps), `network` (what the kernel allows TCP).
//! - `hindrances`: what kept the machine and this process from running, each second; `throttling` (by the quota).
//! - [`watched`]: what runs beside the load, each second.

mod cgroup;
pub mod cpu;
mod descriptors;
mod governor;
mod hindrances;
mod identity;
mod memory;
pub(crate) mod network;
mod quota;
pub(crate) mod sleeping;
mod throttling;
pub mod watched;

pub use governor::governors;
pub use hindrances::{Hindered, Hindrances};
pub use identity::Machine;
pub use memory::{free_bytes, locked_bytes_max};
pub use quota::cpu_quota_cores;
