//! The bodies of requests. A body that does not fit is refused in the words of FastAPI's validation.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

/// The fields that a registration must have for each agent.
const AGENT_FIELDS: [&str; 5] = [
    "agentId",
    "agentName",
    "version",
    "capabilities",
    "contactEndpoint",
];
/// The fields that an update must have.
const UPDATE_FIELDS: [&str; 3] = ["agentId", "timestamp", "state"];

/// The JSON body of a 422.
pub(super) struct Unprocessable(pub String);

/// A registration.
#[derive(Deserialize)]
pub(super) struct Notify<'b> {
    #[serde(borrow)]
    pub event_type: Cow<'b, str>,
    pub agent_details: AgentDetails<'b>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    dead_code,
    reason = "most fields only have to be present and of the right type"
)]
pub(super) struct AgentDetails<'b> {
    #[serde(borrow)]
    pub agent_id: Cow<'b, str>,
    agent_name: Cow<'b, str>,
    version: Cow<'b, str>,
    capabilities: Vec<IgnoredAny>,
    contact_endpoint: Cow<'b, str>,
}

/// The workflow definition that a request names.
pub(super) enum Definition<'b> {
    /// The request contains a definition with this id.
    Inline(Cow<'b, str>),
    /// The server must know a definition with this id.
    ById(Cow<'b, str>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Workflow<'b> {
    #[serde(borrow, default)]
    workflow_definition_id: Option<Cow<'b, str>>,
    #[serde(default)]
    workflow_definition: Option<InlineDefinition<'b>>,
}

#[derive(Deserialize)]
struct InlineDefinition<'b> {
    #[serde(borrow)]
    id: Cow<'b, str>,
}

/// Reads the body of a registration.
pub(super) fn notify(body: &[u8]) -> Result<Notify<'_>, Unprocessable> {
    serde_json::from_slice(body).map_err(|_| {
        explain(body, |body| {
            missing(body, &["body"], &["event_type", "agent_details"]).or_else(|| {
                let details = &body["agent_details"];
                missing(details, &["body", "agent_details"], &AGENT_FIELDS)
            })
        })
    })
}

/// Reads the body of a state update.
pub(super) fn update(body: &[u8]) -> Result<Value, Unprocessable> {
    let find_missing = |update: &Value| missing(update, &["body"], &UPDATE_FIELDS);
    match serde_json::from_slice(body) {
        Ok(update) if find_missing(&update).is_none() => Ok(update),
        _ => Err(explain(body, find_missing)),
    }
}

/// Reads the body of a workflow request.
pub(super) fn workflow(body: &[u8]) -> Result<Definition<'_>, Unprocessable> {
    let Ok(workflow) = serde_json::from_slice::<Workflow<'_>>(body) else {
        return Err(explain(body, |_| None));
    };
    match (
        workflow.workflow_definition,
        workflow.workflow_definition_id,
    ) {
        (Some(inline), _) => Ok(Definition::Inline(inline.id)),
        (None, Some(id)) => Ok(Definition::ById(id)),
        (None, None) => {
            let input: Value = serde_json::from_slice(body).unwrap_or_default();
            Err(unprocessable(
                json!({"type": "value_error", "loc": ["body"],
                "msg": "Value error, Either workflowDefinitionId or workflowDefinition must be provided",
                "input": input, "ctx": {"error": {}}}),
            ))
        }
    }
}

/// Why a body could not be read; `find_missing` finds a field that valid JSON lacks.
fn explain(body: &[u8], find_missing: impl Fn(&Value) -> Option<Value>) -> Unprocessable {
    if body.is_empty() {
        let error =
            json!({"type": "missing", "loc": ["body"], "msg": "Field required", "input": null});
        return unprocessable(error);
    }
    unprocessable(match serde_json::from_slice::<Value>(body) {
        Err(error) => json!({"type": "json_invalid", "loc": ["body", error.column()], "msg": "JSON decode error",
                             "input": {}, "ctx": {"error": error.to_string()}}),
        Ok(value) => find_missing(&value).unwrap_or_else(|| {
            json!({"type": "model_attributes_type", "loc": ["body"],
                   "msg": "Input should be a valid dictionary or object to extract fields from", "input": value})
        }),
    })
}

fn missing(object: &Value, at: &[&str], fields: &[&str]) -> Option<Value> {
    let field = fields.iter().find(|field| object.get(field).is_none())?;
    let place: Vec<&str> = at.iter().chain([field]).copied().collect();
    Some(json!({"type": "missing", "loc": place, "msg": "Field required", "input": object}))
}

fn unprocessable(error: Value) -> Unprocessable {
    Unprocessable(json!({ "detail": [error] }).to_string())
}
