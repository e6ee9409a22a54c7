//! The stand-in for Ops-Core: its contract, its capacity, its faults.

mod capacity;
mod contract;
mod faults;
