//! The encryption of the responder's connections.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use opsurge_testbed::certificates::Authority;
use opsurge_testbed::encrypted::Encrypted;
use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, UnbufferedServerConnection};
use rustls::version::{TLS12, TLS13};

/// TLS 1.2 and 1.3 with a certificate of its own, for localhost and 127.0.0.1. The authority's certificate goes to a file.
///
/// # Errors
/// When the file cannot be written.
pub fn config(has_tickets: bool, root_file: &Path) -> Result<Arc<ServerConfig>> {
    let authority = Authority::default();
    fs::write(root_file, authority.root_pem()).context("--tls")?;
    let identity = authority.certify(&["localhost", "127.0.0.1"]);
    let mut config = authority.server(identity, &[&TLS13, &TLS12], &["http/1.1"], false);
    if !has_tickets {
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
    }
    Ok(Arc::new(config))
}

/// An encrypted connection.
pub struct EncryptedConnection {
    encrypted: Encrypted<UnbufferedServerConnection>,
    /// Records that wait for the send that is under way.
    waiting: Vec<u8>,
    /// Records that are being sent.
    sent: Vec<u8>,
}

impl EncryptedConnection {
    pub fn new(config: &Arc<ServerConfig>) -> Box<Self> {
        let server = UnbufferedServerConnection::new(config.clone());
        Box::new(Self {
            encrypted: Encrypted::new(server.expect("the configuration fits rustls")),
            waiting: Vec::new(),
            sent: Vec::new(),
        })
    }

    /// Takes received bytes; false when they are no TLS. After the end of its stream a client closes the connection.
    pub fn receive(&mut self, bytes: &mut [u8], on_text: impl FnMut(&[u8])) -> bool {
        let received = self.encrypted.receive(bytes, &mut self.waiting, on_text);
        received.is_ok()
    }

    /// Text to be sent.
    pub fn encrypt(&mut self, text: &[u8]) {
        // A session that can encrypt nothing any more is ended by its client.
        let _ = self.encrypted.encrypt(text, &mut self.waiting);
    }

    /// What is to be sent next. It stays as it is until this is called again, or the connection dropped.
    pub fn next_records(&mut self) -> &[u8] {
        std::mem::swap(&mut self.waiting, &mut self.sent);
        self.waiting.clear();
        &self.sent
    }
}
