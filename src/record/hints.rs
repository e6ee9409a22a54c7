//! The likely cause of an error, where it is known.

use crate::metrics::outcome::Failure;
use crate::scenario::model::{Credentials, MetricLabel};

/// What a user should look at first. The scenario's own hints on the step's statuses come first: they know the service.
pub fn hint(label: &MetricLabel, failure: Failure, status: u16) -> Option<String> {
    let of_status = label.hints.iter().find(|(known, _)| *known == status);
    match (failure, of_status) {
        (Failure::Status, Some((_, hint))) => Some(hint.clone()),
        (Failure::Status, None) => of_unexpected(label, status),
        _ => of_failure(failure).map(str::to_owned),
    }
}

fn of_unexpected(label: &MetricLabel, status: u16) -> Option<String> {
    let credentials = &label.carries.credentials;
    Some(match status {
        304 => "not modified: the step asks on a condition (If-None-Match, If-Modified-Since); leave that out, or expect 304".into(),
        300..=399 => "redirects are not followed: see with opsurge request where it leads (Location), and aim the step there; over https opsurge cannot go".into(),
        401 => match credentials {
            Credentials::ApiKey(variable) => format!(
                "the API key was refused: set {variable} (or name another variable with --api-key-env) to the server's key"
            ),
            Credentials::Field(name) => format!("the credentials were refused: look at {name}, which the step sends"),
            Credentials::Target => "the credentials in the path or query were refused".into(),
            Credentials::None => "the server asks for credentials, and the step sends none: give --header 'Authorization: ...', or headers in the scenario".into(),
        },
        403 => match credentials {
            Credentials::ApiKey(_) => "the API key is known but may not do this".into(),
            Credentials::Field(name) => format!("the server does not allow this with what {name} says"),
            Credentials::Target => "the server does not allow this with the credentials in the path or query".into(),
            Credentials::None => "the server does not allow this, and the step sends no credentials".into(),
        },
        404 => "the path is unknown to the server, or what it names does not exist".into(),
        405 => format!("the server knows the path, and not with {}", label.method),
        413 => "the body is longer than the server takes".into(),
        415 => match &label.carries.content_type {
            Some(sent) => format!("the server does not take this type of body: the step sends Content-Type: {sent}"),
            None => "the server does not take a body without a type: the step sends no Content-Type; set it in headers, or give the body as json or form".into(),
        },
        422 => "the server finds the body invalid: compare it with the API's description".into(),
        429 => "the server limits the rate: what is measured is its limiter".into(),
        500..=599 => "the server's own error: its log tells more".into(),
        600.. => "HTTP defines no such status (RFC 9110 section 15)".into(),
        _ => return None,
    })
}

fn of_failure(failure: Failure) -> Option<&'static str> {
    Some(match failure {
        Failure::ConnectRefused => {
            "nothing listened at the address: the server was down, or its backlog full"
        }
        Failure::ConnectTimeout => {
            "the server did not take the connection: its backlog is full, or packets are dropped"
        }
        Failure::Timeout => "no complete answer within --timeout",
        Failure::Unanswered => {
            "it was open when the load ended, and the wait for it (--drain) brought no answer: the server hung or is that slow"
        }
        Failure::WaitTimeout => "no connection became free within --timeout: raise --connections",
        Failure::ClientLimit => {
            "this machine's limit, not the server's: raise ulimit -n, give --source-address where ports run out, or use fewer connections"
        }
        Failure::InvalidResponse => "the bytes are no HTTP/1.1 answer: is this the right port?",
        Failure::ClosedBeforeHead => "the server closed the connection instead of answering",
        Failure::PipelineBroken => {
            "what ends a connection fails all requests on it (--pipeline): see the other errors, or the server's limit of requests per connection"
        }
        Failure::GaveUp => {
            "the last answer within the poll's give_up_after still meant \"not yet\": what it waits for takes longer, or never comes"
        }
        Failure::TaskTimeout => {
            "the task was not done within its time: see the slow steps, or give it more with within"
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
    fn the_scenarios_hint_on_a_status_comes_before_what_is_known_of_any_service() {
        let own = label(
            &[(404, "no such order")],
            Credentials::ApiKey("KEY".into()),
            None,
        );
        let status = Failure::Status;
        assert_eq!(hint(&own, status, 404).as_deref(), Some("no such order"));
        assert!(hint(&own, status, 401).is_some_and(|hint| hint.contains("set KEY")));
        // A failure without a status, or one of another kind, is none of its business.
        assert_eq!(hint(&own, Failure::Expectation, 404), None);
        let unregistered =
            hint(&label(&[], Credentials::None, None), status, 404).expect("404 is known");
        assert!(
            unregistered.starts_with("the path is unknown"),
            "{unregistered}"
        );
    }

    #[test]
    fn hints_speak_of_what_the_step_sends() {
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
            "look at Cookie",
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
        check(405, Credentials::None, None, "not with POST");
        check(777, Credentials::None, None, "no such status");
    }
}
