//! How the stand-in behaves.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use socket2::SockAddr;

use super::capacity::Capacity;
use super::compression::Compression;
use super::faults::FaultPlan;
use super::tls::TlsConfig;

/// How the stand-in behaves.
#[derive(Clone, Debug)]
pub struct MockConfig {
    /// Address to listen on; port 0 takes any free one. A Unix socket is always served by tokio.
    pub listen: SockAddr,
    /// A thread for each, pinned to the core; `None`: the kernel places it.
    pub cores: Vec<Option<usize>>,
    /// The key that requests must carry.
    pub api_key: String,
    /// When a registered agent has a state.
    pub ready: Ready,
    /// Answer 500 to every workflow request, as the published Ops-Core does.
    pub published_500: bool,
    /// What serves the connections. With a capacity or faults it is always tokio.
    pub runtime: Runtime,
    /// A known capacity; `None` for all that the machine can do.
    pub capacity: Option<Capacity>,
    /// Faults on purpose.
    pub faults: FaultPlan,
    /// Bodies are sent in this coding, whatever a request accepts; `None` for as they are.
    pub compression: Option<Compression>,
    /// Connections are encrypted, with a certificate that is made when the stand-in starts.
    pub tls: Option<TlsConfig>,
}

impl Default for MockConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into(),
            cores: vec![None],
            api_key: "test-api-key".into(),
            ready: Ready::AfterPolls(0),
            published_500: false,
            runtime: Runtime::Auto,
            capacity: None,
            faults: FaultPlan::default(),
            compression: None,
            tls: None,
        }
    }
}

/// When a registered agent has a state. Until then polls get 404, and just before it 200 with `null`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// After this many polls without a state; the last of them gets `null`.
    AfterPolls(u32),
    /// This long after the registration; polls get `null` in the second half of it.
    AfterDelay(Duration),
}

/// What serves the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// tokio-uring where io_uring is available, otherwise tokio.
    Auto,
    /// tokio-uring.
    Uring,
    /// tokio.
    Tokio,
}
