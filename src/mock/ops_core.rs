//! Requests -> answers, as Ops-Core gives them: routes, checks in its order, bodies as it writes them.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::Write;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use uuid::Uuid;

use super::MockConfig;
use super::agents::{Agents, Found};
use super::counts::{Answered, Counters, Route};
use super::request::Request;

/// The one workflow definition that it knows.
const KNOWN_WORKFLOW: &str = "sample_workflow_id";
/// What every agent has to tell at its registration.
const AGENT_FIELDS: [&str; 5] = [
    "agentId",
    "agentName",
    "version",
    "capabilities",
    "contactEndpoint",
];

pub(super) struct OpsCore {
    key: Vec<u8>,
    published_500: bool,
    agents: Arc<Agents>,
    pub counters: Arc<Counters>,
    date: RefCell<(u64, String)>,
}

/// A status and a JSON body.
struct Answer(u16, String);

#[derive(Deserialize)]
struct Notify<'b> {
    #[serde(borrow)]
    event_type: Cow<'b, str>,
    agent_details: AgentDetails<'b>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    dead_code,
    reason = "present and of the right type is all that is asked"
)]
struct AgentDetails<'b> {
    #[serde(borrow)]
    agent_id: Cow<'b, str>,
    agent_name: Cow<'b, str>,
    version: Cow<'b, str>,
    capabilities: Vec<IgnoredAny>,
    contact_endpoint: Cow<'b, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Workflow<'b> {
    #[serde(borrow, default)]
    workflow_definition_id: Option<Cow<'b, str>>,
    #[serde(default)]
    workflow_definition: Option<Definition<'b>>,
}

#[derive(Deserialize)]
struct Definition<'b> {
    #[serde(borrow)]
    id: Cow<'b, str>,
}

impl OpsCore {
    pub fn new(config: &MockConfig, agents: Arc<Agents>, counters: Arc<Counters>) -> Self {
        Self {
            key: format!("Bearer {}", config.api_key).into_bytes(),
            published_500: config.published_500,
            agents,
            counters,
            date: RefCell::default(),
        }
    }

    /// Appends the answer to a request. It is the caller's to count, once it is on its way.
    pub fn answer(&self, request: &Request<'_>, began: Instant, out: &mut Vec<u8>) -> Answered {
        let (route, agent) = route(request.method, request.path);
        let answer = match route {
            Route::Notify => self.notify(request),
            Route::Health => Answer(200, "{\"status\":\"ok\"}".into()),
            Route::Other => unrouted(request.path),
            Route::State | Route::StateUpdate | Route::Workflow => match request.authorization {
                None => detail(401, "Authorization header missing"),
                Some(given) if given != self.key => {
                    detail(401, "Invalid authentication credentials")
                }
                Some(_) => match route {
                    Route::State => self.state(agent),
                    Route::StateUpdate => self.update(agent, request.body.bytes()),
                    _ => self.workflow(agent, request.body.bytes()),
                },
            },
        };
        let keep_alive = request.keep_alive;
        self.write(&answer, keep_alive, request.method == "HEAD", began, out);
        Answered {
            route,
            status: answer.0,
        }
    }

    /// Appends a 500 instead, with nothing done; likewise.
    pub fn fail(&self, request: &Request<'_>, began: Instant, out: &mut Vec<u8>) -> Answered {
        let (route, _) = route(request.method, request.path);
        let (keep_alive, no_body) = (request.keep_alive, request.method == "HEAD");
        let answer = detail(500, "Internal Server Error");
        self.write(&answer, keep_alive, no_body, began, out);
        Answered { route, status: 500 }
    }

    /// Appends the answer to what is no request; likewise.
    pub fn refuse(&self, status: u16, began: Instant, out: &mut Vec<u8>) -> Answered {
        let answer = detail(status, "Invalid HTTP request received.");
        self.write(&answer, false, false, began, out);
        Answered {
            route: Route::Other,
            status,
        }
    }

    fn notify(&self, request: &Request<'_>) -> Answer {
        let body = request.body.bytes();
        let Ok(notify) = serde_json::from_slice::<Notify<'_>>(body) else {
            return explain(body, |body| {
                missing(body, &["body"], &["event_type", "agent_details"]).or_else(|| {
                    missing(
                        &body["agent_details"],
                        &["body", "agent_details"],
                        &AGENT_FIELDS,
                    )
                })
            });
        };
        if notify.event_type != "REGISTER" {
            return detail(400, &format!("Unknown event type: {}", notify.event_type));
        }
        let id = &notify.agent_details.agent_id;
        self.agents.register(id);
        let id = escaped(id);
        let message = format!(
            "{{\"status\":\"success\",\"message\":\"Agent {id} registered successfully.\"}}"
        );
        Answer(200, message)
    }

    fn state(&self, agent: &str) -> Answer {
        match self.agents.poll(agent) {
            Found::Nothing => detail(404, &format!("No state found for agent {agent}")),
            Found::Null => Answer(200, "null".into()),
            Found::State(update) => {
                let (state, details, timestamp) = update.unwrap_or_else(|| {
                    let now = humantime::format_rfc3339_micros(SystemTime::now());
                    let details = "{\"reason\":\"Initial registration\"}".into();
                    ("\"UNKNOWN\"".into(), details, format!("\"{now}\""))
                });
                let agent = escaped(agent);
                Answer(
                    200,
                    format!(
                        "{{\"agentId\":\"{agent}\",\"state\":{state},\"details\":{details},\"timestamp\":{timestamp}}}"
                    ),
                )
            }
        }
    }

    fn update(&self, agent: &str, body: &[u8]) -> Answer {
        let update = match serde_json::from_slice::<Value>(body) {
            Ok(update)
                if missing(&update, &["body"], &["agentId", "timestamp", "state"]).is_none() =>
            {
                update
            }
            _ => {
                return explain(body, |body| {
                    missing(body, &["body"], &["agentId", "timestamp", "state"])
                });
            }
        };
        if update["agentId"] != agent {
            return detail(400, "Agent ID in path does not match agent ID in payload");
        }
        let texts = ["state", "details", "timestamp"].map(|key| update[key].to_string());
        if !self.agents.update(agent, texts.into()) {
            return detail(404, &format!("Agent not found: {agent}"));
        }
        Answer(
            202,
            "{\"status\":\"success\",\"message\":\"State update accepted\"}".into(),
        )
    }

    fn workflow(&self, agent: &str, body: &[u8]) -> Answer {
        let Ok(workflow) = serde_json::from_slice::<Workflow<'_>>(body) else {
            return explain(body, |_| None);
        };
        let inline = workflow.workflow_definition.map(|definition| definition.id);
        let is_known = |id: &Cow<'_, str>| id == KNOWN_WORKFLOW;
        let id = match (inline, workflow.workflow_definition_id) {
            (None, None) => return neither_definition(body),
            _ if !self.agents.is_registered(agent) => {
                return detail(404, &format!("Agent not found: {agent}"));
            }
            (None, Some(id)) if !is_known(&id) => {
                return detail(404, &format!("Workflow definition not found: {id}"));
            }
            (Some(id), _) | (None, Some(id)) => id,
        };
        if self.published_500 {
            return detail(500, "Internal Server Error");
        }
        let session = Uuid::new_v4();
        let id = escaped(&id);
        Answer(
            202,
            format!(
                "{{\"sessionId\":\"{session}\",\"workflowId\":\"{id}\",\"message\":\"Workflow triggered successfully\"}}"
            ),
        )
    }

    fn write(
        &self,
        answer: &Answer,
        keep_alive: bool,
        no_body: bool,
        began: Instant,
        out: &mut Vec<u8>,
    ) {
        let Answer(status, body) = answer;
        let reason = match status {
            200 => "OK",
            202 => "Accepted",
            400 => "Bad Request",
            401 => "Unauthorized",
            404 => "Not Found",
            405 => "Method Not Allowed",
            413 => "Content Too Large",
            422 => "Unprocessable Entity",
            _ => "Internal Server Error",
        };
        let mut cached = self.date.borrow_mut();
        let now = SystemTime::now();
        let second = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        if cached.0 != second {
            *cached = (second, httpdate::fmt_http_date(now));
        }
        let (date, length) = (&cached.1, body.len());
        let close = if keep_alive {
            ""
        } else {
            "connection: close\r\n"
        };
        let took = began.elapsed().as_nanos() as f64 / 1e9;
        write!(
            out,
            "HTTP/1.1 {status} {reason}\r\ndate: {date}\r\nserver: opsurge-mock\r\ncontent-length: {length}\r\n\
             content-type: application/json\r\nx-process-time: {took:.9}\r\n{close}\r\n"
        )
        .expect("writing to memory succeeds");
        if !no_body {
            out.extend_from_slice(body.as_bytes());
        }
    }
}

/// The route of a path, and the agent that it names.
fn route<'p>(method: &str, path: &'p str) -> (Route, &'p str) {
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

/// A path that exists for another method, or none at all.
fn unrouted(path: &str) -> Answer {
    let exists = ["GET", "POST"]
        .iter()
        .any(|method| route(method, path).0 != Route::Other);
    match exists {
        true => detail(405, "Method Not Allowed"),
        false => detail(404, "Not Found"),
    }
}

fn detail(status: u16, text: &str) -> Answer {
    Answer(status, format!("{{\"detail\":\"{}\"}}", escaped(text)))
}

/// A text as it stands inside a JSON string.
fn escaped(text: &str) -> Cow<'_, str> {
    if text
        .bytes()
        .all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\')
    {
        return Cow::Borrowed(text);
    }
    let quoted = Value::from(text).to_string();
    Cow::Owned(quoted[1..quoted.len() - 1].to_owned())
}

/// 422 for a body that was not understood, in the words of FastAPI's validation.
fn explain(body: &[u8], find_missing: impl Fn(&Value) -> Option<Value>) -> Answer {
    let error = if body.is_empty() {
        json!({"type": "missing", "loc": ["body"], "msg": "Field required", "input": null})
    } else {
        match serde_json::from_slice::<Value>(body) {
            Err(error) => json!({"type": "json_invalid", "loc": ["body", error.column()], "msg": "JSON decode error",
                                 "input": {}, "ctx": {"error": error.to_string()}}),
            Ok(value) => find_missing(&value).unwrap_or_else(|| {
                json!({"type": "model_attributes_type", "loc": ["body"],
                       "msg": "Input should be a valid dictionary or object to extract fields from", "input": value})
            }),
        }
    };
    Answer(422, json!({ "detail": [error] }).to_string())
}

fn missing(object: &Value, at: &[&str], fields: &[&str]) -> Option<Value> {
    let field = fields.iter().find(|field| object.get(field).is_none())?;
    let place: Vec<&str> = at.iter().chain([field]).copied().collect();
    Some(json!({"type": "missing", "loc": place, "msg": "Field required", "input": object}))
}

fn neither_definition(body: &[u8]) -> Answer {
    let input: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = json!({"type": "value_error", "loc": ["body"],
        "msg": "Value error, Either workflowDefinitionId or workflowDefinition must be provided",
        "input": input, "ctx": {"error": {}}});
    Answer(422, json!({ "detail": [error] }).to_string())
}
