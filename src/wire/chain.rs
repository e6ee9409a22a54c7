//! A certificate chain is verified once a second, not in every handshake.
//!
//! A server shows the same chain to each connection. Whether it leads to a trusted root depends on its bytes, the name and
//! the time alone, so that handshakes in the same second, rustls's unit of time, need not find it out again: that is a
//! quarter of what a full handshake costs (with a P-256 certificate 145 instead of 199 us of CPU). The server's signature,
//! which proves that it has the key, is verified in each of them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

/// A verifier that remembers the chain that it verified last. Each shard has one of its own: its lock is never waited for.
pub(super) struct RemembersChain {
    verifier: Arc<dyn ServerCertVerifier>,
    last: Mutex<Option<Verified>>,
}

/// Everything that a chain was verified by.
#[derive(PartialEq)]
struct Verified {
    end_entity: CertificateDer<'static>,
    intermediates: Vec<CertificateDer<'static>>,
    server_name: ServerName<'static>,
    ocsp_response: Vec<u8>,
    now: UnixTime,
}

impl RemembersChain {
    /// Verifies as this verifier does.
    pub fn new(verifier: Arc<dyn ServerCertVerifier>) -> Self {
        Self {
            verifier,
            last: Mutex::new(None),
        }
    }
}

impl fmt::Debug for RemembersChain {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.verifier.fmt(out)
    }
}

impl ServerCertVerifier for RemembersChain {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = last.as_ref().is_some_and(|it| {
            it.now == now
                && it.end_entity == *end_entity
                && it.intermediates == intermediates
                && it.server_name == *server_name
                && it.ocsp_response == ocsp_response
        });
        if is_known {
            return Ok(ServerCertVerified::assertion());
        }
        let verified = self.verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )?;
        let owned = |certificate: &CertificateDer<'_>| certificate.clone().into_owned();
        *last = Some(Verified {
            end_entity: owned(end_entity),
            intermediates: intermediates.iter().map(owned).collect(),
            server_name: server_name.to_owned(),
            ocsp_response: ocsp_response.to_vec(),
            now,
        });
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        self.verifier.root_hint_subjects()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use rustls::CertificateError;

    use super::*;

    /// Counts the chains that it is asked about, and refuses those that begin with 0.
    #[derive(Debug, Default)]
    struct Counts(AtomicUsize);

    impl ServerCertVerifier for Counts {
        fn verify_server_cert(
            &self,
            end_entity: &CertificateDer<'_>,
            _intermediates: &[CertificateDer<'_>],
            _server_name: &ServerName<'_>,
            _ocsp_response: &[u8],
            _now: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            self.0.fetch_add(1, Ordering::Relaxed);
            match end_entity.first() {
                Some(0) => Err(CertificateError::Revoked.into()),
                _ => Ok(ServerCertVerified::assertion()),
            }
        }

        fn verify_tls12_signature(
            &self,
            _message: &[u8],
            _cert: &CertificateDer<'_>,
            _signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Err(Error::DecryptError)
        }

        fn verify_tls13_signature(
            &self,
            _message: &[u8],
            _cert: &CertificateDer<'_>,
            _signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Err(Error::DecryptError)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            Vec::new()
        }
    }

    /// What a handshake shows: certificate, intermediates, name, OCSP response, second.
    type Shown<'s> = (&'s [u8], &'s [&'s [u8]], &'s str, &'s [u8], u64);

    const USUAL: Shown<'static> = (b"server", &[b"between"], "a.example", b"", 7);

    fn show(verifier: &RemembersChain, shown: Shown<'_>) -> bool {
        let (end_entity, intermediates, name, ocsp_response, second) = shown;
        let between: Vec<_> = intermediates
            .iter()
            .map(|bytes| CertificateDer::from(bytes.to_vec()))
            .collect();
        let verified = verifier.verify_server_cert(
            &CertificateDer::from(end_entity.to_vec()),
            &between,
            &ServerName::try_from(name.to_owned()).expect("a name"),
            ocsp_response,
            UnixTime::since_unix_epoch(Duration::from_secs(second)),
        );
        verified.is_ok()
    }

    #[test]
    fn a_chain_is_verified_again_when_anything_about_it_is_new() {
        let others: [Shown<'_>; 6] = [
            (b"other", USUAL.1, USUAL.2, USUAL.3, USUAL.4),
            (USUAL.0, &[], USUAL.2, USUAL.3, USUAL.4),
            (USUAL.0, &[b"beyond"], USUAL.2, USUAL.3, USUAL.4),
            (USUAL.0, USUAL.1, "b.example", USUAL.3, USUAL.4),
            (USUAL.0, USUAL.1, USUAL.2, b"good", USUAL.4),
            (USUAL.0, USUAL.1, USUAL.2, USUAL.3, 8),
        ];
        for other in others {
            let counts = Arc::new(Counts::default());
            let verifier = RemembersChain::new(counts.clone());
            let count = || counts.0.load(Ordering::Relaxed);
            assert!(show(&verifier, USUAL) && show(&verifier, USUAL));
            assert_eq!(count(), 1, "the same chain in the same second");
            assert!(show(&verifier, other) && show(&verifier, other));
            assert_eq!(count(), 2, "{other:?}");
        }
    }

    #[test]
    fn a_refusal_is_not_remembered_and_does_not_forget() {
        let counts = Arc::new(Counts::default());
        let verifier = RemembersChain::new(counts.clone());
        let refused: Shown<'_> = (b"\0", USUAL.1, USUAL.2, USUAL.3, USUAL.4);
        assert!(show(&verifier, USUAL));
        assert!(!show(&verifier, refused) && !show(&verifier, refused));
        assert_eq!(counts.0.load(Ordering::Relaxed), 3);
        assert!(show(&verifier, USUAL));
        assert_eq!(counts.0.load(Ordering::Relaxed), 3);
    }
}
