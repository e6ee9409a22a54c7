//! A service of the simulation behind TLS, and a client that trusts it.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::sync::Arc;

use opsurge::io::ConnectionId;
use opsurge::sim::{Reply, Service};
use opsurge::wire::{TlsClient, TlsSettings, Trust, Version};
use opsurge_testbed::certificates::Authority;
use rustls::{ServerConfig, ServerConnection};

/// The name in the certificates.
pub const HOST: &str = "service.test";

/// A service whose connections are encrypted.
pub struct TlsService<S> {
    pub service: S,
    config: Arc<ServerConfig>,
    connections: HashMap<ConnectionId, ServerConnection>,
    /// The end of a connection is announced.
    pub announces_end: bool,
    /// The server changes its keys with every answer.
    pub changes_keys: bool,
    /// Changes of keys that are asked for while requests arrive: one whenever text comes. A client allows 32 without text
    /// of the server between them.
    pub changes_within_requests: usize,
}

impl<S> TlsService<S> {
    pub fn new(service: S, config: Arc<ServerConfig>) -> Self {
        Self {
            service,
            config,
            connections: HashMap::new(),
            announces_end: true,
            changes_keys: false,
            changes_within_requests: 0,
        }
    }
}

/// A server that speaks both versions, and a client that trusts it.
pub fn both(version_max: Version, resumes: bool) -> (Arc<ServerConfig>, TlsClient) {
    let authority = Authority::default();
    let versions = [&rustls::version::TLS13, &rustls::version::TLS12];
    let identity = authority.certify(&[HOST, "127.0.0.1"]);
    let server = authority.server(identity, &versions, &["http/1.1"], false);
    let client = TlsClient::new(TlsSettings {
        server_name: HOST.to_owned(),
        trust: Trust::Roots(vec![authority.root()]),
        identity: None,
        resumes,
        version_max,
        ciphers: Vec::new(),
        key_log: None,
    });
    (Arc::new(server), client.expect("a client"))
}

/// What a connection has to send.
fn records(tls: &mut ServerConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut bytes).expect("memory is writable");
    }
    bytes
}

impl<S: Service> Service for TlsService<S> {
    fn on_connect(&mut self, connection: ConnectionId, now_ns: u64) {
        let tls = ServerConnection::new(self.config.clone()).expect("a server");
        self.connections.insert(connection, tls);
        self.service.on_connect(connection, now_ns);
    }

    fn on_bytes(
        &mut self,
        connection: ConnectionId,
        mut bytes: &[u8],
        now_ns: u64,
        replies: &mut Vec<Reply>,
    ) {
        let Some(tls) = self.connections.get_mut(&connection) else {
            return;
        };
        let mut text = Vec::new();
        while !bytes.is_empty() {
            tls.read_tls(&mut bytes).expect("memory is readable");
            if tls.process_new_packets().is_err() {
                replies.push(Reply::Bytes(0, records(tls)));
                replies.push(Reply::Close(0));
                self.connections.remove(&connection);
                return;
            }
            // An error says that there is no more.
            let _ = tls.reader().read_to_end(&mut text);
        }
        if !text.is_empty() && self.changes_within_requests > 0 {
            self.changes_within_requests -= 1;
            tls.refresh_traffic_keys().expect("TLS 1.3");
        }
        let own = records(tls);
        if !own.is_empty() {
            replies.push(Reply::Bytes(0, own));
        }
        let mut plain = Vec::new();
        if !text.is_empty() {
            self.service.on_bytes(connection, &text, now_ns, &mut plain);
        }
        for reply in plain {
            let reply = match reply {
                Reply::Bytes(after_ns, bytes) => {
                    if self.changes_keys {
                        let _ = tls.refresh_traffic_keys();
                    }
                    let mut sealed = Vec::new();
                    for part in bytes.chunks(16_384) {
                        tls.writer().write_all(part).expect("room for a record");
                        sealed.extend(records(tls));
                    }
                    Reply::Bytes(after_ns, sealed)
                }
                Reply::Close(after_ns) => {
                    if self.announces_end {
                        tls.send_close_notify();
                        replies.push(Reply::Bytes(after_ns, records(tls)));
                    }
                    Reply::Close(after_ns)
                }
                reset => reset,
            };
            replies.push(reply);
        }
    }

    fn on_close(&mut self, connection: ConnectionId) {
        self.connections.remove(&connection);
        self.service.on_close(connection);
    }
}
