//! A driver without a kernel: a virtual clock, a network with faults, and a service that a test supplies.
//!
//! 1. Everything that will happen is in one schedule, ordered by time, then by the order in which it was decided.
//! 2. `wait` takes from the schedule until something concerns the client or the deadline has come, and sets the clock
//!    to it.
//! 3. Bytes travel for half a round trip in each direction. They never overtake each other on a connection, and none
//!    arrive after its end.
//! 4. Every fault comes from one seeded stream: a seed replays the whole run, with the same [`Sim::digest`].
//!
//! Reading order: `service` (the server that a test writes), `driver` ([`Sim`]), `delivery` (what becomes of a reply on
//! its way), `schedule`, `network` (which faults there are, and how often each happens), `injector` (when they happen),
//! `dice`.

mod delivery;
mod dice;
mod driver;
mod injector;
mod network;
mod schedule;
mod service;

pub use dice::Dice;
pub use driver::Sim;
pub use injector::Faults;
pub use network::{Fault, Network};
pub use service::{Reply, Service};
