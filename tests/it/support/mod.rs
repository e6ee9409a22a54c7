//! What the tests share: the real binary, servers on loopback and in the simulation, and drivers around drivers.

pub mod background;
pub mod binary;
pub mod checked_driver;
pub mod each_driver;
pub mod ops_core;
pub mod raw_server;
pub mod service_faults;
pub mod sim_server;
