//! The target's URL -> addresses that accept connections.

use std::time::Duration;

use anyhow::{Context, Result};
use socket2::SockAddr;

use crate::io::socket;
pub use crate::scenario::target::Target;
pub(crate) use crate::scenario::target::shown;

use super::resolved::{Resolved, addresses_of};

/// Time that the trial connections may take before a run is called off.
pub(crate) const REACH_TIMEOUT: Duration = Duration::from_secs(4);

impl Target {
    /// Its addresses: those given for it, or the resolver's.
    ///
    /// # Errors
    /// When the name is unknown.
    pub fn addresses(&self, resolved: &[Resolved]) -> Result<Vec<SockAddr>> {
        self.addresses_of(resolved, "--host")
    }

    fn addresses_of(&self, resolved: &[Resolved], place: &str) -> Result<Vec<SockAddr>> {
        let given = addresses_of(resolved, &self.host, self.port);
        if !given.is_empty() {
            return Ok(given);
        }
        socket::resolve(&self.host, self.port).with_context(|| {
            format!(
                "the name {} cannot be resolved; check the spelling of {place}",
                self.host
            )
        })
    }

    /// The addresses that accept a connection now. Nothing is sent on it.
    ///
    /// # Errors
    /// When the name is unknown or no connection is accepted, with what to check. It takes at most 4 s.
    pub fn reach(&self, resolved: &[Resolved]) -> Result<Vec<SockAddr>> {
        self.reach_as(resolved, "--host")
    }

    /// The same for a target whose URL stands at `place`, as an error says it.
    ///
    /// # Errors
    /// As [`Target::reach`].
    pub fn reach_as(&self, resolved: &[Resolved], place: &str) -> Result<Vec<SockAddr>> {
        let addresses = self.addresses_of(resolved, place)?;
        socket::reachable(&addresses, REACH_TIMEOUT).with_context(|| {
            let tried: Vec<String> = addresses.iter().map(socket::shown).collect();
            format!(
                "nothing accepts connections at {} (tried {}); is the service running, and is {place} right?",
                self.url,
                tried.join(", ")
            )
        })
    }
}
