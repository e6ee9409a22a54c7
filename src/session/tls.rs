//! HTTPS: the client that a target and the flags make, and a first handshake before the load.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustls::KeyLog;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use socket2::SockAddr;

use crate::engine::connection::tls_failure;
use crate::io::{Dialer, Sockets, TlsFailure, socket};
use crate::record::hints;
use crate::wire::session::{Agreed, CarryPool, Session, Sinks, State};
use crate::wire::{Refused, TlsClient, TlsSettings, Trust, Version, cipher_names};

use super::exit::cannot;
use super::target::{REACH_TIMEOUT, Target, shown};

/// Longest piece of a handshake that is read at once.
const READ_BYTES: usize = 16 * 1024;

/// What the flags say of TLS, each checked by itself.
pub struct TlsOptions {
    /// `--cacert`; the machine's roots without it.
    pub roots: Option<Vec<CertificateDer<'static>>>,
    /// `--cert` and `--key`.
    pub identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    /// `--insecure`: every certificate is accepted.
    pub is_insecure: bool,
    /// `--server-name`, instead of the target's host.
    pub server_name: Option<String>,
    /// `--tls-resume`.
    pub resumes: bool,
    /// `--tls-max`.
    pub version_max: Version,
    /// `--ciphers`; empty for all.
    pub ciphers: Vec<String>,
    /// `--keylog`.
    pub key_log: Option<Arc<dyn KeyLog>>,
    /// The first of these flags that was given.
    pub given: Option<&'static str>,
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self {
            roots: None,
            identity: None,
            is_insecure: false,
            server_name: None,
            resumes: true,
            version_max: Version::Tls13,
            ciphers: Vec::new(),
            key_log: None,
            given: None,
        }
    }
}

impl std::fmt::Debug for TlsOptions {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The identity is a secret.
        write!(out, "TlsOptions(given: {:?})", self.given)
    }
}

/// The client for a target; `None` for one in plain text.
///
/// # Errors
/// When the flags do not fit each other or the target, or the machine has no roots.
pub fn client(target: &Target, options: TlsOptions) -> Result<Option<TlsClient>> {
    if !target.is_https {
        return match options.given {
            None => Ok(None),
            Some(flag) => bail!(
                "{flag} is for https, and the target is {}; give an https:// URL, or leave {flag} out",
                target.url
            ),
        };
    }
    let trust = match (options.is_insecure, options.roots) {
        (true, _) => Trust::Anyone,
        (false, Some(roots)) => Trust::Roots(roots),
        (false, None) => Trust::Roots(roots_of_this_machine()?),
    };
    let is_named = options.server_name.is_some();
    let server_name = options.server_name.unwrap_or_else(|| target.host.clone());
    let settings = TlsSettings {
        server_name: server_name.clone(),
        trust,
        identity: options.identity,
        resumes: options.resumes,
        version_max: options.version_max,
        ciphers: options.ciphers,
        key_log: options.key_log,
    };
    let client = TlsClient::new(settings).map_err(|refused| match refused {
        Refused::Name if is_named => anyhow!(
            "--server-name {} is neither a DNS name nor an IP address",
            shown(&server_name)
        ),
        Refused::Name => anyhow!(
            "the host {} is no name for a certificate; give --server-name with the one that the server's certificate has",
            shown(&server_name)
        ),
        Refused::Cipher(name) => anyhow!(
            "--ciphers {}: there is no such cipher suite. There are: {}",
            shown(&name),
            cipher_names().join(", ")
        ),
        Refused::Suites(reason) => anyhow!(
            "--ciphers and --tls-max leave nothing to offer ({reason}); TLS_AES_... and TLS_CHACHA20_... are for TLS 1.3, the others for 1.2"
        ),
        Refused::Roots => anyhow!(
            "--cacert holds no certificate of an authority that can be trusted; give the root's own certificate in PEM"
        ),
        Refused::Identity(reason) => anyhow!(
            "--cert and --key cannot be used together: {reason}; give the key that belongs to the first certificate of --cert"
        ),
    });
    Ok(Some(client?))
}

/// The roots that this machine trusts.
fn roots_of_this_machine() -> Result<Vec<CertificateDer<'static>>> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let reason = found.errors.first().map(|error| format!(" ({error})"));
        return cannot(Err(anyhow!(
            "this machine has no trusted root certificates{}; install ca-certificates, or give --cacert FILE",
            reason.unwrap_or_default()
        )));
    }
    Ok(found.certs)
}

/// Does one handshake with the first of the addresses, and ends the connection. No request is sent.
///
/// # Errors
/// When the handshake fails, with the reason and the cure.
pub fn try_handshake(
    target: &Target,
    client: &TlsClient,
    addresses: &[SockAddr],
    sockets: &Sockets,
) -> Result<Agreed> {
    cannot(match shake_once(client, addresses, sockets) {
        Ok(Ok((agreed, _))) => Ok(agreed),
        Ok(Err(failure)) => {
            let cure = hints::cure(tls_failure(failure)).unwrap_or_default();
            Err(anyhow!("{}: {failure}; {cure}", target.url))
        }
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Err(anyhow!(
                "{}: the server accepted the connection and did not do its handshake within {} s; is this the https port?",
                target.url,
                REACH_TIMEOUT.as_secs()
            ))
        }
        Err(error) => {
            Err(error).with_context(|| format!("the handshake with {} failed", target.url))
        }
    })
}

/// Does one handshake, and ends the connection. Returns what was agreed, and how long it took from the open connection
/// on; or why the handshake failed.
///
/// # Errors
/// Those of the connection, and a time limit for each read and write.
pub(super) fn shake_once(
    client: &TlsClient,
    addresses: &[SockAddr],
    sockets: &Sockets,
) -> std::io::Result<Result<(Agreed, Duration), TlsFailure>> {
    let dialer = Dialer::new(addresses, sockets);
    let mut stream = socket::open_route(&dialer, 0, REACH_TIMEOUT)?;
    stream.set_read_timeout(Some(REACH_TIMEOUT))?;
    stream.set_write_timeout(Some(REACH_TIMEOUT))?;
    let began = Instant::now();
    let agreed = shake_hands(client, &mut stream)?;
    Ok(agreed.map(|agreed| (agreed, began.elapsed())))
}

/// Does a handshake over a stream that blocks, and ends the connection.
fn shake_hands(
    client: &TlsClient,
    stream: &mut (impl Read + Write),
) -> std::io::Result<Result<Agreed, TlsFailure>> {
    let mut session = match open_session(client, stream)? {
        Ok(session) => session,
        Err(failure) => return Ok(Err(failure)),
    };
    end(&mut session, stream);
    Ok(Ok(session.agreed()))
}

/// Tells the server that this is the end. One that has ended the connection already needs no goodbye.
pub(super) fn end(session: &mut Session, stream: &mut impl Write) {
    let mut record = [0; 64];
    let length = session.close(&mut record);
    let _ = stream.write_all(&record[..length]);
}

/// Does a handshake over a stream that blocks. The session is open, or its peer has announced the end.
pub(super) fn open_session(
    client: &TlsClient,
    stream: &mut (impl Read + Write),
) -> std::io::Result<Result<Session, TlsFailure>> {
    let mut session = match Session::new(client) {
        Ok(session) => session,
        Err(failure) => return Ok(Err(failure)),
    };
    let (mut pool, mut plain, mut records) = (CarryPool::default(), Vec::new(), Vec::new());
    let mut buffer = vec![0; READ_BYTES];
    let mut received = 0;
    loop {
        let mut sinks = Sinks {
            plain: &mut plain,
            records: &mut records,
        };
        session.on_received(&mut buffer[..received], &mut pool, &mut sinks);
        stream.write_all(&records)?;
        records.clear();
        match session.state() {
            State::InHandshake => {}
            State::Failed(failure) => return Ok(Err(failure)),
            State::Open | State::PeerClosed => return Ok(Ok(session)),
        }
        received = match stream.read(&mut buffer) {
            Ok(0) => return Ok(Err(TlsFailure::CutInHandshake(0))),
            Ok(bytes) => bytes,
            // A read with a time limit is not taken up again after a signal (signal(7)).
            Err(error) if error.kind() == ErrorKind::Interrupted => 0,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                return Ok(Err(TlsFailure::CutInHandshake(libc::ECONNRESET)));
            }
            Err(error) => return Err(error),
        };
    }
}
