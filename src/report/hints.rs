//! The likely cause of an error, where it is known.

use crate::metrics::outcome::Failure;

/// What a user should look at first. `own` are the scenario's hints on the step's statuses; they know the service.
pub fn hint(own: &[(u16, String)], failure: Failure, status: u16) -> Option<&str> {
    let of_status = own.iter().find(|(known, _)| *known == status);
    if let (Failure::Status, Some((_, hint))) = (failure, of_status) {
        return Some(hint);
    }
    Some(match (failure, status) {
        (Failure::Status, 401) => {
            "the API key was refused: set OPSCORE_API_KEY (or the variable of --api-key-env) to the server's key"
        }
        (Failure::Status, 403) => "the API key is known but may not do this",
        (Failure::Status, 404) => {
            "the path is unknown to the server, or what it names does not exist"
        }
        (Failure::Status, 422) => {
            "the server finds the body invalid: compare it with the API's description"
        }
        (Failure::Status, 429) => "the server limits the rate: what is measured is its limiter",
        (Failure::Status, 500..=599) => "the server's own error: its log tells more",
        (Failure::ConnectRefused, _) => {
            "nobody listened at the address: the server was down, or its backlog full"
        }
        (Failure::ConnectTimeout, _) => {
            "the server did not take the connection: its backlog is full, or packets are dropped"
        }
        (Failure::Timeout, _) => "no complete answer within --timeout",
        (Failure::WaitTimeout, _) => {
            "no connection became free within --timeout: raise --connections"
        }
        (Failure::ClientLimit, _) => {
            "this machine's limit, not the server's: raise ulimit -n, give --source-address where ports run out, or use fewer connections"
        }
        (Failure::InvalidResponse, _) => {
            "the bytes are no HTTP/1.1 answer: is this the right port?"
        }
        (Failure::ClosedBeforeHead, _) => "the server closed the connection instead of answering",
        (Failure::PipelineBroken, _) => {
            "what ends a connection fails all requests on it (--pipeline): see the other errors, or the server's limit of requests per connection"
        }
        (Failure::GaveUp, _) => {
            "the last answer within the poll's give_up_after still meant \"not yet\": what it waits for takes longer, or never comes"
        }
        (Failure::TaskTimeout, _) => {
            "the task was not done within its time: see the slow steps, or give it more with within"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scenarios_hint_on_a_status_comes_before_what_is_known_of_any_service() {
        let own = [(404, "no such order".to_owned())];
        let status = Failure::Status;
        assert_eq!(hint(&own, status, 404), Some("no such order"));
        assert!(hint(&own, status, 401).is_some_and(|hint| hint.contains("API key")));
        // A failure without a status, or one of another kind, is none of its business.
        assert_ne!(hint(&own, Failure::Expectation, 404), Some("no such order"));
        let unregistered = hint(&[], status, 404).expect("404 is known");
        assert!(
            unregistered.starts_with("the path is unknown"),
            "{unregistered}"
        );
    }
}
