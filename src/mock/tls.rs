//! The stand-in's encryption: its certificate, made when it starts, and faults of its handshakes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::{NoServerSessionStorage, StoresServerSessions};

/// Names in the certificate.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// How the stand-in encrypts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TlsConfig {
    /// The certificate has expired.
    pub is_expired: bool,
    /// Sessions are never resumed, though tickets are given out.
    pub refuses_tickets: bool,
    /// Share of the connections that meet each fault, from 0 to 1; together at most 1.
    pub shares: Vec<(HandshakeFault, f64)>,
}

/// A fault of a handshake. A connection meets one at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeFault {
    /// It is held back for a second.
    Slow,
    /// A fatal alert, internal_error, instead of an answer.
    Alert,
    /// The end of the connection instead of an answer.
    Cut,
}

impl HandshakeFault {
    /// All faults, in order.
    pub const ALL: [Self; 3] = [Self::Slow, Self::Alert, Self::Cut];

    /// The name that it is requested and counted by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Slow => "slow-handshake",
            Self::Alert => "alert",
            Self::Cut => "cut-handshake",
        }
    }
}

/// The certificate that clients have to trust.
#[derive(Clone, Debug)]
pub struct ServedCertificate {
    /// As clients in this process take it.
    pub der: CertificateDer<'static>,
    /// As a file for other clients.
    pub pem: String,
}

/// The encryption of all connections.
pub(super) struct TlsServer {
    pub config: Arc<ServerConfig>,
    shares: Vec<(HandshakeFault, f64)>,
    connections: AtomicU64,
    faults: [AtomicU64; HandshakeFault::ALL.len()],
}

/// Takes sessions and never finds one.
#[derive(Debug)]
struct Forgets(NoServerSessionStorage);

impl StoresServerSessions for Forgets {
    fn put(&self, _key: Vec<u8>, _value: Vec<u8>) -> bool {
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.take(key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

impl TlsServer {
    /// Makes a certificate, and the server that shows it.
    ///
    /// # Errors
    /// When no random bytes are to be had for its key.
    pub fn new(config: &TlsConfig) -> io::Result<(Self, ServedCertificate)> {
        let mut params =
            CertificateParams::new(NAMES.map(String::from)).map_err(io::Error::other)?;
        if config.is_expired {
            params.not_before = date_time_ymd(2000, 1, 1);
            params.not_after = date_time_ymd(2001, 1, 1);
        }
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = params.self_signed(&key).map_err(io::Error::other)?;
        let served = ServedCertificate {
            der: certificate.der().clone(),
            pem: certificate.pem(),
        };
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let mut server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![served.der.clone()], key)
            .map_err(io::Error::other)?;
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        if config.refuses_tickets {
            server.session_storage = Arc::new(Forgets(NoServerSessionStorage {}));
        }
        let server = Self {
            config: Arc::new(server),
            shares: config.shares.clone(),
            connections: AtomicU64::new(0),
            faults: Default::default(),
        };
        Ok((server, served))
    }

    /// The fault of the next connection: of every hundred, as many as its share says, spread evenly.
    pub fn next_fault(&self) -> Option<HandshakeFault> {
        if self.shares.is_empty() {
            return None;
        }
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        let fault = fault_of(&self.shares, number)?;
        self.faults[fault as usize].fetch_add(1, Ordering::Relaxed);
        Some(fault)
    }

    /// How often each fault was played.
    pub fn faults(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self
            .faults
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        let named = HandshakeFault::ALL.into_iter().zip(counts);
        named
            .filter(|(_, count)| *count > 0)
            .map(|(fault, count)| (fault.name(), count))
    }
}

/// The fault of a connection by its number, from 0. The shares stand one after the other on a line from 0 to 1, on which
/// the numbers go round by the golden ratio: any stretch of them meets each fault in its share.
fn fault_of(shares: &[(HandshakeFault, f64)], number: u64) -> Option<HandshakeFault> {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let at = number.wrapping_add(1).wrapping_mul(STEP) as f64 / u64::MAX as f64;
    let mut end = 0.0;
    shares.iter().find_map(|&(fault, share)| {
        end += share;
        (at < end).then_some(fault)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_met_by_its_share_of_the_connections() {
        let shares = [(HandshakeFault::Alert, 0.1), (HandshakeFault::Cut, 0.25)];
        let count = |wanted| {
            let faults = (0..1_000).filter_map(|number| fault_of(&shares, number));
            faults.filter(|&fault| fault == wanted).count()
        };
        assert!((95..=105).contains(&count(HandshakeFault::Alert)));
        assert!((245..=255).contains(&count(HandshakeFault::Cut)));
        assert_eq!(count(HandshakeFault::Slow), 0);
        let always = [(HandshakeFault::Slow, 1.0)];
        assert!((0..100).all(|number| fault_of(&always, number).is_some()));
    }
}
