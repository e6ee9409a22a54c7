//! Why an encrypted connection failed, for a driver that encrypts above another one.

use std::fmt;

/// Why an encrypted connection failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFailure {
    /// The server's certificate is past its end.
    CertificateExpired,
    /// The server's certificate is not valid yet.
    CertificateNotYetValid,
    /// The server's certificate is for other names.
    CertificateName,
    /// No trusted root has issued the server's certificate.
    CertificateIssuer,
    /// The server's certificate is wrong in another way.
    Certificate,
    /// The server ended the connection with this alert (RFC 8446 section 6).
    Alert(u8),
    /// The server speaks no HTTP/1.1 (ALPN, RFC 7301).
    NoHttp1,
    /// What came is not TLS.
    NotTls,
    /// The two sides share no version, cipher or key exchange.
    NothingInCommon,
    /// A record was changed on its way, or encrypted with another key.
    WrongMac,
    /// A message that the protocol forbids here.
    Misbehaved,
    /// A connection has used up its keys (TLS 1.2: 2^24 records with AES-GCM).
    KeysUsedUp,
    /// The connection ended within the handshake: errno of a reset, 0 for a FIN.
    CutInHandshake(i32),
}

impl TlsFailure {
    /// Every kind, once, with any value in it.
    pub const ALL: [Self; 13] = [
        Self::CertificateExpired,
        Self::CertificateNotYetValid,
        Self::CertificateName,
        Self::CertificateIssuer,
        Self::Certificate,
        Self::Alert(40),
        Self::NoHttp1,
        Self::NotTls,
        Self::NothingInCommon,
        Self::WrongMac,
        Self::Misbehaved,
        Self::KeysUsedUp,
        Self::CutInHandshake(0),
    ];
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match *self {
            Self::CertificateExpired => "the server's certificate has expired",
            Self::CertificateNotYetValid => "the server's certificate is not valid yet",
            Self::CertificateName => "the server's certificate is for another name",
            Self::CertificateIssuer => "no trusted root has issued the server's certificate",
            Self::Certificate => "the server's certificate is not accepted",
            Self::Alert(alert) => return write!(out, "the server sent {}", Alert(alert)),
            Self::NoHttp1 => "the server offers no HTTP/1.1 (ALPN): it may speak HTTP/2 alone",
            Self::NotTls => "what the server sent is not TLS",
            Self::NothingInCommon => "the server shares no version, cipher or key exchange",
            Self::WrongMac => "a record was damaged, or encrypted with another key",
            Self::Misbehaved => "the server broke the rules of TLS",
            Self::KeysUsedUp => "the connection's keys were used up",
            Self::CutInHandshake(0) => "the server closed the connection in the handshake",
            Self::CutInHandshake(_) => "the connection was reset in the handshake",
        };
        out.write_str(text)
    }
}

/// An alert's number, shown with its name (RFC 8446 section 6, RFC 5246 section 7.2).
struct Alert(u8);

impl fmt::Display for Alert {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            0 => "close_notify",
            10 => "unexpected_message",
            20 => "bad_record_mac",
            22 => "record_overflow",
            40 => "handshake_failure",
            42 => "bad_certificate",
            43 => "unsupported_certificate",
            44 => "certificate_revoked",
            45 => "certificate_expired",
            46 => "certificate_unknown",
            47 => "illegal_parameter",
            48 => "unknown_ca",
            49 => "access_denied",
            50 => "decode_error",
            51 => "decrypt_error",
            70 => "protocol_version",
            71 => "insufficient_security",
            80 => "internal_error",
            86 => "inappropriate_fallback",
            90 => "user_canceled",
            100 => "no_renegotiation",
            109 => "missing_extension",
            110 => "unsupported_extension",
            112 => "unrecognized_name",
            113 => "bad_certificate_status_response",
            115 => "unknown_psk_identity",
            116 => "certificate_required",
            120 => "no_application_protocol",
            other => return write!(out, "the alert {other}"),
        };
        write!(out, "the alert {name} ({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_says_something_of_its_own() {
        let mut texts: Vec<String> = TlsFailure::ALL.iter().map(ToString::to_string).collect();
        assert!(texts.contains(&"the server sent the alert handshake_failure (40)".to_owned()));
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), TlsFailure::ALL.len());
        let unknown = TlsFailure::Alert(200).to_string();
        assert_eq!(unknown, "the server sent the alert 200");
    }
}
