//! What tests share: the real binary, servers on loopback and in the simulation, drivers that check or vary drivers.
//!
//! Plans are made by `opsurge_testbed::plans::plan`, which benchmarks use too.

pub mod background;
pub mod binary;
pub mod checked_driver;
pub mod each_driver;
pub mod ops_core;
pub mod raw_server;
pub mod refused_address;
pub mod service_faults;
pub mod sim_server;
pub mod tls_server;
pub mod tls_service;
