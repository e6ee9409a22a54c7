//! Sessions that later connections may resume: one store for each shard, so that no lock is ever waited for.
//!
//! A run has one server name. rustls's own store keeps 8 tickets for each name, which a thousand connections that are
//! opened again at once would use up; this one has room for as many as its shard has connections, up to
//! [`TICKETS_MAX`].

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

/// Most tickets of TLS 1.3 in a store. Each takes about a kilobyte, with the server's certificates behind it.
const TICKETS_MAX: usize = 1_024;

/// The sessions of one server.
pub(super) struct Tickets(Mutex<Stored>);

struct Stored {
    /// Groups for the key exchange that the server prefers.
    group: Option<NamedGroup>,
    /// A session of TLS 1.2 may be resumed many times.
    tls12: Option<Tls12ClientSessionValue>,
    /// Each of these may be used once (RFC 8446 appendix C.4). The newest is used first.
    tls13: Vec<Tls13ClientSessionValue>,
    tickets_max: usize,
}

impl Tickets {
    /// An empty store for a shard with this many connections.
    pub fn new(connections: usize) -> Self {
        let tickets_max = connections.clamp(8, TICKETS_MAX);
        Self(Mutex::new(Stored {
            group: None,
            tls12: None,
            tls13: Vec::with_capacity(tickets_max),
            tickets_max,
        }))
    }

    fn stored(&self) -> MutexGuard<'_, Stored> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tickets are secrets: their number alone is shown.
impl fmt::Debug for Tickets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Tickets({})", self.stored().tls13.len())
    }
}

impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, _server: ServerName<'static>, group: NamedGroup) {
        self.stored().group = Some(group);
    }

    fn kx_hint(&self, _server: &ServerName<'_>) -> Option<NamedGroup> {
        self.stored().group
    }

    fn set_tls12_session(&self, _server: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.stored().tls12 = Some(value);
    }

    fn tls12_session(&self, _server: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.stored().tls12.clone()
    }

    fn remove_tls12_session(&self, _server: &ServerName<'static>) {
        self.stored().tls12 = None;
    }

    fn insert_tls13_ticket(&self, _server: ServerName<'static>, value: Tls13ClientSessionValue) {
        let mut stored = self.stored();
        if stored.tls13.len() == stored.tickets_max {
            // The oldest is the first to expire. A full store moves its kilobytes of handles only then.
            stored.tls13.remove(0);
        }
        stored.tls13.push(value);
    }

    fn take_tls13_ticket(&self, _server: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.stored().tls13.pop()
    }
}
