//! The likely cause of an error, where it is known.

use crate::metrics::outcome::Failure;

/// What a user should look at first. `name` is the step's.
pub fn hint(name: &str, failure: Failure, status: u16) -> Option<&'static str> {
    let is_ops_core = name.contains("/opscore/");
    Some(match (failure, status) {
        (Failure::Status, 401) => {
            "the API key was refused: set OPSCORE_API_KEY (or the variable of --api-key-env) to the server's key"
        }
        (Failure::Status, 403) => "the API key is known but may not do this",
        (Failure::Status, 404) if is_ops_core => {
            "the agent is not registered (did its registration fail?), or the workflow definition is unknown"
        }
        (Failure::Status, 404) => {
            "the path is unknown to the server, or what it names does not exist"
        }
        (Failure::Status, 422) => {
            "the server finds the body invalid: compare it with the API's description"
        }
        (Failure::Status, 429) => "the server limits the rate: what is measured is its limiter",
        (Failure::Status, 500) if is_ops_core && name.ends_with("/workflow") => {
            "Ops-Core as published answers 500 to every workflow request (its storage of definitions is broken): the server's doing, not the load test's"
        }
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
        _ => return None,
    })
}
