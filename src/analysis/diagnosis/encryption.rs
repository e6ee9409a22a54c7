//! Findings on a target's TLS: the handshake, and the end of its certificate.

use super::facts::{Encryption, Shaken};
use super::finding::{Check, Finding, State};
use crate::text::units::{counted, time};

/// A certificate that expires within so many days is worth a note: authorities renew earlier.
const DAYS_MIN: i64 = 14;

pub(super) fn handshake(encryption: &Encryption) -> Finding {
    match &encryption.shaken {
        Shaken::Done {
            version,
            cipher,
            protocol,
            took_us,
        } => Finding::new(
            Check::Tls,
            State::Ok,
            format!(
                "{version}, {cipher}, {}; a full handshake with {} took {}",
                match protocol {
                    Some(protocol) => format!("ALPN {protocol}"),
                    None => "no ALPN".to_owned(),
                },
                encryption.target,
                time(*took_us as f64)
            ),
            "a full handshake takes 0.1 to 0.2 ms of CPU of this machine, and more of the server's; a run reports full and resumed ones apart",
            "--tls-max and --ciphers choose what is offered, --tls-resume off makes every handshake a full one",
        ),
        Shaken::Failed { reason, cure } => Finding::new(
            Check::Tls,
            State::Limits,
            format!("the handshake with {} failed: {reason}", encryption.target),
            "a run ends before its first request",
            cure.as_str(),
        ),
    }
}

/// `None` when no certificate was seen.
pub(super) fn certificate(encryption: &Encryption) -> Option<Finding> {
    let days = encryption.days_left?;
    let left = counted(days.unsigned_abs(), "day");
    let (state, found) = match days {
        ..0 => (State::Limits, format!("it expired {left} ago")),
        0..DAYS_MIN => (State::Note, format!("it expires in {left}")),
        _ => (State::Ok, format!("it expires in {left}")),
    };
    let effect = "from then on every handshake fails, also in a run that is under way";
    let cure = match state {
        State::Ok => "renew it in time",
        _ => "renew the server's certificate; --insecure accepts any for a test",
    };
    Some(Finding::new(Check::Certificate, state, found, effect, cure))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encryption(days_left: Option<i64>) -> Encryption {
        Encryption {
            target: "https://a.test".into(),
            shaken: Shaken::Done {
                version: "TLS 1.3".into(),
                cipher: "TLS_AES_256_GCM_SHA384".into(),
                protocol: None,
                took_us: 1_500,
            },
            days_left,
        }
    }

    #[test]
    fn a_handshake_is_shown_with_what_was_agreed_and_a_failure_with_its_cure() {
        let mut encryption = encryption(None);
        let found = handshake(&encryption);
        assert_eq!(
            (found.state, found.found.as_str()),
            (
                State::Ok,
                "TLS 1.3, TLS_AES_256_GCM_SHA384, no ALPN; a full handshake with https://a.test took 1.50 ms"
            )
        );
        encryption.shaken = Shaken::Failed {
            reason: "the server sent no TLS".into(),
            cure: "check the port".into(),
        };
        let found = handshake(&encryption);
        assert_eq!(found.state, State::Limits);
        assert!(found.found.ends_with("failed: the server sent no TLS"));
        assert_eq!(found.cure, "check the port");
    }

    #[test]
    fn a_certificate_is_judged_by_the_days_that_it_has_left() {
        for (days, state, text) in [
            (-1, State::Limits, "it expired 1 day ago"),
            (0, State::Note, "it expires in 0 days"),
            (13, State::Note, "it expires in 13 days"),
            (14, State::Ok, "it expires in 14 days"),
        ] {
            let found = certificate(&encryption(Some(days))).expect("days are known");
            assert_eq!((found.state, found.found.as_str()), (state, text));
        }
        assert_eq!(certificate(&encryption(None)), None);
    }
}
