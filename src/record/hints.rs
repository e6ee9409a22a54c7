//! The likely cause of a failure, where one is known.

use crate::metrics::outcome::Failure;
use crate::scenario::model::{Credentials, MetricLabel};

/// The likely cause and what to do. The scenario's own hints on the step's statuses come first: they know the service.
pub fn hint(label: &MetricLabel, failure: Failure, status: u16) -> Option<String> {
    let of_status = label.hints.iter().find(|(known, _)| *known == status);
    match (failure, of_status) {
        (Failure::Status, Some((_, hint))) => Some(hint.clone()),
        (Failure::Status, None) => of_unexpected(label, status),
        _ => cure(failure).map(str::to_owned),
    }
}

fn of_unexpected(label: &MetricLabel, status: u16) -> Option<String> {
    let credentials = &label.carries.credentials;
    Some(match status {
        304 => "not modified: the step sends a condition (If-None-Match, If-Modified-Since); leave that out, or expect 304".into(),
        300..=399 => "redirects are not followed: opsurge request shows where it leads (Location); send the step there".into(),
        401 => match credentials {
            Credentials::ApiKey(variable) => format!(
                "the API key was refused: set {variable} (or name another variable with --api-key-env) to the server's key"
            ),
            Credentials::Field(name) => format!("the credentials were refused: check {name}, which the step sends"),
            Credentials::Target => "the credentials in the path or query were refused".into(),
            Credentials::None => "the server asks for credentials, and the step sends none: give --header 'Authorization: ...', or headers in the scenario".into(),
        },
        403 => match credentials {
            Credentials::ApiKey(_) => "the API key is known but may not do this".into(),
            Credentials::Field(name) => format!("the server does not allow this with the credentials in {name}"),
            Credentials::Target => "the server does not allow this with the credentials in the path or query".into(),
            Credentials::None => "the server does not allow this, and the step sends no credentials".into(),
        },
        404 => "the path is unknown to the server, or the thing that it names does not exist".into(),
        405 => format!("the server knows the path, but not the method {}", label.method),
        413 => "the body is longer than the server accepts".into(),
        415 => match &label.carries.content_type {
            Some(sent) => format!("the server does not accept this type of body: the step sends Content-Type: {sent}"),
            None => "the server does not accept a body without a type: the step sends no Content-Type; set it in headers, or give the body as json or form".into(),
        },
        422 => "the server finds the body invalid: compare it with the API's description".into(),
        429 => "the server limits the rate: this run measures its limiter".into(),
        500..=599 => "an error of the server: see its log".into(),
        600.. => "HTTP defines no such status (RFC 9110 section 15)".into(),
        _ => return None,
    })
}

/// The likely cause of a failure whatever the step, and what to do.
pub fn cure(failure: Failure) -> Option<&'static str> {
    Some(match failure {
        Failure::ConnectRefused => {
            "connection refused: the server was down, or its backlog was full"
        }
        Failure::ConnectTimeout => {
            "the server did not accept the connection in time: its backlog is full, or packets are dropped"
        }
        Failure::CertificateExpired => {
            "renew the server's certificate, or check this machine's clock; --insecure accepts it"
        }
        Failure::CertificateName => {
            "give --server-name with a name in the certificate, or a --host that is one; --insecure accepts any"
        }
        Failure::CertificateIssuer => {
            "give --cacert with the root that issued the certificate; has the server sent the certificates between? --insecure accepts any"
        }
        Failure::Certificate => {
            "openssl s_client -connect HOST:PORT shows what the server sends; --insecure accepts it"
        }
        Failure::TlsAlert => {
            "the server's log says why it refused; certificate_required: give --cert and --key"
        }
        Failure::TlsProtocol => {
            "is this the https port? A server with none but old versions (before TLS 1.2) or ciphers is not spoken to"
        }
        Failure::TlsTimeout => {
            "the server accepted the connection and did not finish the handshake in time: its cores are busy with handshakes, or the port expects plain HTTP"
        }
        Failure::TlsClosed => {
            "the server ended the connection before the handshake was done: see its log, and its limits on handshakes"
        }
        Failure::Timeout => "no complete answer within --timeout",
        Failure::Unanswered => {
            "no answer until the load's end, nor in the drain after it (--drain): the server hung, or is that slow"
        }
        Failure::WaitTimeout => "no connection became free within --timeout: raise --connections",
        Failure::ClientLimit => {
            "this machine's limit, not the server's: raise ulimit -n, give --source-address where ports run out, or use fewer connections"
        }
        Failure::InvalidResponse => "the answer is not HTTP/1.1: is this the right port?",
        Failure::Undecodable => {
            "the body is not what Content-Encoding says, or this build has no decoder for it: the example says which"
        }
        Failure::BodyTooLarge => {
            "a decoded body of more than 1 MiB is not checked; ask for less, or check status and headers alone"
        }
        Failure::ClosedBeforeHead => "the server closed the connection instead of answering",
        Failure::PipelineBroken => {
            "when a connection ends, all requests on it fail (--pipeline): see the other errors, or the server's limit of requests per connection"
        }
        Failure::GaveUp => {
            "the last answer within the poll's give_up_after was still \"not yet\": the work takes longer, or never ends"
        }
        Failure::TaskTimeout => {
            "the task was not done within its time: see its slow steps, or set a longer within"
        }
        Failure::NoRow => {
            "every row of a CSV file was used: give it more rows, or at_end = \"again\" to use them again"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::model::Carries;

    fn label(
        hints: &[(u16, &str)],
        credentials: Credentials,
        content_type: Option<&str>,
    ) -> MetricLabel {
        MetricLabel {
            method: "POST".into(),
            name: "/x".into(),
            target: None,
            is_poll: false,
            hints: hints
                .iter()
                .map(|(status, hint)| (*status, (*hint).to_owned()))
                .collect(),
            carries: Carries {
                credentials,
                content_type: content_type.map(str::to_owned),
            },
        }
    }

    #[test]
    fn the_scenarios_hint_on_a_status_comes_before_the_general_one() {
        let own = label(
            &[(404, "no such order")],
            Credentials::ApiKey("KEY".into()),
            None,
        );
        let status = Failure::Status;
        assert_eq!(hint(&own, status, 404).as_deref(), Some("no such order"));
        assert!(hint(&own, status, 401).is_some_and(|hint| hint.contains("set KEY")));
        // It says nothing about failures of another kind.
        assert_eq!(hint(&own, Failure::Expectation, 404), None);
        let unregistered =
            hint(&label(&[], Credentials::None, None), status, 404).expect("404 is known");
        assert!(
            unregistered.starts_with("the path is unknown"),
            "{unregistered}"
        );
    }

    #[test]
    fn hints_name_the_credentials_and_the_type_that_the_step_sends() {
        let check = |status, credentials, content_type, part: &str| {
            let hint = hint(
                &label(&[], credentials, content_type),
                Failure::Status,
                status,
            );
            let hint = hint.expect("a hint");
            assert!(hint.contains(part) && !hint.contains("OPSCORE"), "{hint}");
        };
        check(401, Credentials::None, None, "the step sends none");
        check(
            401,
            Credentials::Field("Cookie".into()),
            None,
            "check Cookie",
        );
        check(401, Credentials::Target, None, "in the path or query");
        check(403, Credentials::None, None, "sends no credentials");
        check(302, Credentials::None, None, "redirects are not followed");
        check(304, Credentials::None, None, "not modified");
        check(
            415,
            Credentials::None,
            Some("text/x"),
            "Content-Type: text/x",
        );
        check(415, Credentials::None, None, "sends no Content-Type");
        check(405, Credentials::None, None, "not the method POST");
        check(777, Credentials::None, None, "no such status");
    }
}
