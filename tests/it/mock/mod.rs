//! The stand-in for Ops-Core: its contract, its capacity, its faults, its encryption; the canned responder.

mod canned;
mod capacity;
mod contract;
mod faults;
mod tls;
