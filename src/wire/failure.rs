//! An error of rustls -> the kind that is counted.

use rustls::{AlertDescription, CertificateError, Error};

use crate::io::TlsFailure;

/// The kind of an error. Its text stays behind: the kinds are few, and a run counts thousands of errors.
pub(super) fn failure_of(error: &Error) -> TlsFailure {
    match error {
        Error::InvalidCertificate(reason) => of_certificate(reason),
        Error::NoCertificatesPresented | Error::UnsupportedNameType => TlsFailure::Certificate,
        Error::AlertReceived(AlertDescription::NoApplicationProtocol)
        | Error::NoApplicationProtocol => TlsFailure::NoHttp1,
        Error::AlertReceived(alert) => TlsFailure::Alert((*alert).into()),
        Error::InvalidMessage(_) => TlsFailure::NotTls,
        Error::PeerIncompatible(_) => TlsFailure::NothingInCommon,
        Error::DecryptError => TlsFailure::WrongMac,
        _ => TlsFailure::Misbehaved,
    }
}

fn of_certificate(reason: &CertificateError) -> TlsFailure {
    match reason {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            TlsFailure::CertificateExpired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsFailure::CertificateNotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsFailure::CertificateName
        }
        // A root of the same name with another key: an authority that was made anew.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            TlsFailure::CertificateIssuer
        }
        _ => TlsFailure::Certificate,
    }
}
