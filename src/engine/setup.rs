//! How a plan is carried out on this machine: which driver, which cores, what each shard's driver is built from.

use crate::io::{Backend, DriverConfig, Sockets};
use crate::wire::TlsClient;

use super::plan::Plan;

/// How a plan is carried out on this machine.
#[derive(Clone, Debug)]
pub struct Setup {
    /// [`Backend::Uring`] or [`Backend::Epoll`], as the probe chose.
    pub backend: Backend,
    /// The core of each shard; `None` leaves it to the kernel.
    pub cores: Vec<Option<usize>>,
    /// Options of each connection's socket.
    pub sockets: Sockets,
    /// How connections are encrypted; `None` for plain HTTP.
    pub tls: Option<TlsClient>,
    /// The same for each named target of the scenario, in order; empty for one target.
    pub named_tls: Vec<Option<TlsClient>>,
}

impl Setup {
    /// The clients of all targets, in their order; `None` when no connection is encrypted.
    pub fn clients(&self) -> Option<Vec<Option<TlsClient>>> {
        let all = std::iter::once(&self.tls).chain(&self.named_tls);
        let clients: Vec<Option<TlsClient>> = all.cloned().collect();
        clients.iter().any(Option::is_some).then_some(clients)
    }
}

/// What the driver of one of the plan's shards is built from.
pub fn driver_config(plan: &Plan, sockets: &Sockets, shard: usize) -> DriverConfig {
    DriverConfig {
        addresses: plan.addresses.clone(),
        sockets: sockets.clone(),
        slots: plan.slots_of_shard(shard),
        rendered_bytes_max: plan.batch_bytes_max(),
        shared: plan.scenario.shared(),
    }
}
