//! What was asked for -> what every connection's handshake is made of.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, KeyLog, RootCertStore, SignatureScheme,
    SupportedCipherSuite,
};

use super::chain::RemembersChain;
use super::provider::default_provider;
use super::tickets::Tickets;

/// The protocol that is offered (RFC 7301).
const HTTP1: &[u8] = b"http/1.1";

/// What a client's connections are made of, all of it checked.
#[derive(Clone)]
pub struct TlsClient {
    config: Arc<ClientConfig>,
    verifier: Arc<dyn ServerCertVerifier>,
    name: ServerName<'static>,
    resumes: bool,
    is_insecure: bool,
}

/// What was asked for.
pub struct TlsSettings {
    /// Name in the server's certificate, and in the handshake (SNI, RFC 6066 section 3); an IP address is not sent.
    pub server_name: String,
    /// Roots that are trusted.
    pub trust: Trust,
    /// Certificates and key of the client, for servers that ask for them.
    pub identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    /// Sessions are resumed.
    pub resumes: bool,
    /// The newest version that is offered.
    pub version_max: Version,
    /// Names of the cipher suites that are offered, in order; empty for all.
    pub ciphers: Vec<String>,
    /// Takes the secrets of every connection.
    pub key_log: Option<Arc<dyn KeyLog>>,
}

/// Whom a client trusts.
pub enum Trust {
    /// Servers whose certificate one of these has issued, directly or not.
    Roots(Vec<CertificateDer<'static>>),
    /// Every server, whatever its certificate says.
    Anyone,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// Why settings make no client.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// The server's name is neither a DNS name nor an IP address.
    Name,
    /// No such cipher suite: the name.
    Cipher(String),
    /// The suites do not fit the versions: the reason.
    Suites(String),
    /// None of the roots is a certificate that can be trusted.
    Roots,
    /// The client's certificate and key do not fit each other, or the key's kind is unknown: the reason.
    Identity(String),
}

impl fmt::Debug for TlsClient {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "TlsClient({:?})", self.name)
    }
}

/// The names of all cipher suites, those preferred first.
pub fn cipher_names() -> Vec<String> {
    let suites = default_provider().cipher_suites;
    suites.iter().map(name_of).collect()
}

/// The name of a suite in RFC 8446 and RFC 5289.
pub(super) fn name_of(suite: &SupportedCipherSuite) -> String {
    // rustls writes TLS13_ before the suites of TLS 1.3, whose registered names begin with TLS_.
    let name = format!("{:?}", suite.suite());
    name.replace("TLS13_", "TLS_")
}

impl TlsClient {
    /// Checks settings and makes a client of them.
    ///
    /// # Errors
    /// What does not fit.
    pub fn new(settings: TlsSettings) -> Result<Self, Refused> {
        let name = ServerName::try_from(settings.server_name).map_err(|_| Refused::Name)?;
        let provider = Arc::new(provider(&settings.ciphers)?);
        let versions = match settings.version_max {
            Version::Tls12 => &[&TLS12][..],
            Version::Tls13 => &[&TLS13, &TLS12][..],
        };
        // A version without a suite cannot be offered.
        let has_suites = |version: &&&rustls::SupportedProtocolVersion| {
            let mut suites = provider.cipher_suites.iter();
            suites.any(|suite| suite.version().version == version.version)
        };
        let versions: Vec<_> = versions.iter().filter(has_suites).copied().collect();
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&versions)
            .map_err(|error| Refused::Suites(error.to_string()))?;
        let is_insecure = matches!(settings.trust, Trust::Anyone);
        let verifier: Arc<dyn ServerCertVerifier> = match settings.trust {
            Trust::Anyone => Arc::new(AcceptsAnyone(provider)),
            Trust::Roots(certificates) => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(certificates);
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
                    .build()
                    .map_err(|_| Refused::Roots)?
            }
        };
        let builder = builder
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone());
        let mut config = match settings.identity {
            None => builder.with_no_client_auth(),
            Some((certificates, key)) => builder
                .with_client_auth_cert(certificates, key)
                .map_err(|error| Refused::Identity(error.to_string()))?,
        };
        config.alpn_protocols = vec![HTTP1.to_vec()];
        config.resumption = Resumption::disabled();
        if let Some(key_log) = settings.key_log {
            config.key_log = key_log;
        }
        Ok(Self {
            config: Arc::new(config),
            verifier,
            name,
            resumes: settings.resumes,
            is_insecure,
        })
    }

    /// The same client with a memory of its own for the server's certificates, and a store for the sessions of this many
    /// connections.
    pub fn for_connections(&self, connections: usize) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        let verifier = RemembersChain::new(self.verifier.clone());
        config
            .dangerous()
            .set_certificate_verifier(Arc::new(verifier));
        if self.resumes {
            config.resumption = Resumption::store(Arc::new(Tickets::new(connections)));
        }
        Self {
            config: Arc::new(config),
            ..self.clone()
        }
    }

    /// The same client for a server of another name.
    ///
    /// # Errors
    /// [`Refused::Name`].
    pub fn for_host(&self, host: &str) -> Result<Self, Refused> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| Refused::Name)?;
        Ok(Self {
            name,
            ..self.clone()
        })
    }

    /// The same client, which resumes no session.
    pub fn without_resumption(self) -> Self {
        Self {
            resumes: false,
            ..self
        }
    }

    /// What every connection is made of.
    pub fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }

    /// The name that the server's certificate must have.
    pub fn name(&self) -> &ServerName<'static> {
        &self.name
    }

    /// Any certificate is accepted.
    pub fn is_insecure(&self) -> bool {
        self.is_insecure
    }

    /// Sessions are resumed.
    pub fn resumes(&self) -> bool {
        self.resumes
    }
}

/// The algorithms of the provider, with these suites alone.
fn provider(ciphers: &[String]) -> Result<CryptoProvider, Refused> {
    let mut provider = default_provider();
    if ciphers.is_empty() {
        return Ok(provider);
    }
    let known = std::mem::take(&mut provider.cipher_suites);
    for wanted in ciphers {
        let found = known.iter().find(|suite| name_of(suite) == *wanted);
        let found = found.ok_or_else(|| Refused::Cipher(wanted.clone()))?;
        provider.cipher_suites.push(*found);
    }
    Ok(provider)
}

/// Accepts every certificate. Signatures of the handshake are verified all the same, so that the cost of a handshake
/// stays comparable, and a server that lost its key is found out.
#[derive(Debug)]
struct AcceptsAnyone(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptsAnyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
