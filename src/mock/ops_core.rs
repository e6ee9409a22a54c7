//! Requests -> answers, as Ops-Core gives them: its routes, its checks in its order, its bodies.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::Write;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use serde_json::Value;
use uuid::Uuid;

use super::agents::{Agents, Found};
use super::bodies::{self, Definition, Unprocessable};
use super::compression::Compression;
use super::config::MockConfig;
use super::counts::{Answered, Counters};
use super::request::Request;
use super::routes::{Route, has_other_method, route};

/// The one workflow definition that the stand-in knows.
const KNOWN_WORKFLOW: &str = "sample_workflow_id";

/// The service of one thread.
pub(super) struct OpsCore {
    key: Vec<u8>,
    published_500: bool,
    compression: Option<Compression>,
    agents: Arc<Agents>,
    pub counters: Arc<Counters>,
    /// The value of the date field, and the second that it is for.
    date: RefCell<(u64, String)>,
}

/// A status and a JSON body.
struct Answer(u16, String);

impl OpsCore {
    pub fn new(config: &MockConfig, agents: Arc<Agents>, counters: Arc<Counters>) -> Self {
        Self {
            key: format!("Bearer {}", config.api_key).into_bytes(),
            published_500: config.published_500,
            compression: config.compression,
            agents,
            counters,
            date: RefCell::default(),
        }
    }

    /// Appends the answer to a request to `out`. The caller counts it when it is sent.
    pub fn answer(&self, request: &Request<'_>, began: Instant, out: &mut Vec<u8>) -> Answered {
        let (route, agent) = route(request.method, request.path);
        let answer = match route {
            Route::Notify => self.notify(request),
            Route::Health => Answer(200, "{\"status\":\"ok\"}".into()),
            Route::Other if has_other_method(request.path) => detail(405, "Method Not Allowed"),
            Route::Other => detail(404, "Not Found"),
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

    /// Like [`OpsCore::answer`], but the request has no effect and the answer is a 500.
    pub fn fail(&self, request: &Request<'_>, began: Instant, out: &mut Vec<u8>) -> Answered {
        let (route, _) = route(request.method, request.path);
        let (keep_alive, no_body) = (request.keep_alive, request.method == "HEAD");
        let answer = detail(500, "Internal Server Error");
        self.write(&answer, keep_alive, no_body, began, out);
        Answered { route, status: 500 }
    }

    /// Like [`OpsCore::answer`], for bytes that are no request.
    pub fn refuse(&self, status: u16, began: Instant, out: &mut Vec<u8>) -> Answered {
        let answer = detail(status, "Invalid HTTP request received.");
        self.write(&answer, false, false, began, out);
        Answered {
            route: Route::Other,
            status,
        }
    }

    fn notify(&self, request: &Request<'_>) -> Answer {
        let notify = match bodies::notify(request.body.bytes()) {
            Ok(notify) => notify,
            Err(error) => return error.into(),
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
        let update = match bodies::update(body) {
            Ok(update) => update,
            Err(error) => return error.into(),
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
        let definition = match bodies::workflow(body) {
            Ok(definition) => definition,
            Err(error) => return error.into(),
        };
        if !self.agents.is_registered(agent) {
            return detail(404, &format!("Agent not found: {agent}"));
        }
        let id = match definition {
            Definition::ById(id) if id != KNOWN_WORKFLOW => {
                return detail(404, &format!("Workflow definition not found: {id}"));
            }
            Definition::ById(id) | Definition::Inline(id) => id,
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

    /// Appends an answer, with head and body, to `out`.
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
        let (body, coding) = match self.compression {
            None => (Cow::Borrowed(body.as_bytes()), String::new()),
            Some(coding) => (
                Cow::Owned(coding.encode(body.as_bytes())),
                format!("content-encoding: {}\r\n", coding.name()),
            ),
        };
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
             content-type: application/json\r\nx-process-time: {took:.9}\r\n{coding}{close}\r\n"
        )
        .expect("writing to memory succeeds");
        if !no_body {
            out.extend_from_slice(&body);
        }
    }
}

impl From<Unprocessable> for Answer {
    fn from(error: Unprocessable) -> Self {
        Self(422, error.0)
    }
}

fn detail(status: u16, text: &str) -> Answer {
    Answer(status, format!("{{\"detail\":\"{}\"}}", escaped(text)))
}

/// A text as the inside of a JSON string.
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
