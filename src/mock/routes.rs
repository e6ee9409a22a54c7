//! The routes of Ops-Core.

/// A route, by which answers are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Notify,
    State,
    StateUpdate,
    Workflow,
    Health,
    Other,
}

/// Each route with the method and the path that its answers are counted under.
pub(super) const ROUTES: [(Route, &str, &str); 6] = [
    (Route::Notify, "POST", "/v1/opscore/internal/agent/notify"),
    (Route::State, "GET", "/v1/opscore/agent/[id]/state"),
    (Route::StateUpdate, "POST", "/v1/opscore/agent/[id]/state"),
    (Route::Workflow, "POST", "/v1/opscore/agent/[id]/workflow"),
    (Route::Health, "GET", "/health"),
    (Route::Other, "*", "other"),
];

/// The route of a request, and the agent that its path names, if any.
pub(super) fn route<'p>(method: &str, path: &'p str) -> (Route, &'p str) {
    let path = path.split('?').next().unwrap_or_default();
    if let Some(rest) = path.strip_prefix("/v1/opscore/agent/") {
        let (agent, what) = rest.split_once('/').unwrap_or((rest, ""));
        let route = match (method, what) {
            ("GET" | "HEAD", "state") => Route::State,
            ("POST", "state") => Route::StateUpdate,
            ("POST", "workflow") => Route::Workflow,
            _ => Route::Other,
        };
        return (route, agent);
    }
    match (method, path) {
        ("POST", "/v1/opscore/internal/agent/notify") => (Route::Notify, ""),
        ("GET" | "HEAD", "/health") => (Route::Health, ""),
        _ => (Route::Other, ""),
    }
}

/// Whether the path has a route for another method.
pub(super) fn has_other_method(path: &str) -> bool {
    ["GET", "POST"]
        .iter()
        .any(|method| route(method, path).0 != Route::Other)
}
