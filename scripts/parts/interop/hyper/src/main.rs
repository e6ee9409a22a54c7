//! Ops-Core's contract (see ../README.md) on hyper.
//!
//! Run: cargo run --manifest-path scripts/parts/interop/hyper/Cargo.toml -- PORT

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{json, Value};
use tokio::net::TcpListener;

const KEY: &str = "Bearer test-api-key";

type Polls = Arc<Mutex<HashMap<String, u32>>>;
type Answer = Response<BoxBody<Bytes, Infallible>>;

fn bytes(status: u16, body: Vec<u8>) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)).boxed());
    *answer.status_mut() = status.try_into().expect("a status");
    answer
}

fn say(status: u16, content: Value) -> Answer {
    bytes(status, content.to_string().into_bytes())
}

fn chunked() -> Answer {
    let chunks = (0..100).map(|_| Ok(Frame::data(Bytes::from(vec![b'x'; 1000]))));
    Response::new(BodyExt::boxed(StreamBody::new(stream::iter(chunks))))
}

fn close() -> Answer {
    let mut answer = bytes(200, b"closing".to_vec());
    let close = "close".parse().expect("a header's value");
    answer.headers_mut().insert("connection", close);
    answer
}

fn of_agent(polls: &Polls, agent: &str, what: &str, body: &Value) -> Answer {
    let mut polls = polls.lock().expect("nobody panics");
    let Some(seen) = polls.get_mut(agent) else {
        return say(404, json!({"detail": "No state found"}));
    };
    if what == "workflow" {
        let id = &body["workflowDefinitionId"];
        return say(202, json!({"sessionId": "s", "workflowId": id, "message": "Workflow triggered"}));
    }
    *seen += 1;
    match *seen {
        1 => say(404, json!({"detail": "No state found"})),
        2 => say(200, Value::Null),
        _ => say(200, json!({"agentId": agent, "state": "UNKNOWN", "details": {}})),
    }
}

async fn serve(polls: Polls, request: Request<Incoming>) -> Result<Answer, hyper::Error> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    match path {
        "/health" => return Ok(say(200, json!({"status": "ok"}))),
        "/chunked" => return Ok(chunked()),
        "/large" => return Ok(bytes(200, vec![b'x'; 1_000_000])),
        "/close" => return Ok(close()),
        "/early" => return Ok(say(413, json!({"detail": "too large"}))),
        _ => {}
    }
    let body = body.collect().await?.to_bytes();
    if path == "/upload" {
        let status = if body.len() == 1_000_000 { 200 } else { 400 };
        return Ok(say(status, json!({"bytes": body.len()})));
    }
    let content: Value = serde_json::from_slice(&body).unwrap_or_default();
    let key = head.headers.get("authorization");
    if path == "/v1/opscore/internal/agent/notify" && head.method == Method::POST {
        if key.is_some() {
            return Ok(say(400, json!({"detail": "a registration carries no key"})));
        }
        let agent = content["agent_details"]["agentId"].as_str().unwrap_or_default();
        polls.lock().expect("nobody panics").entry(agent.to_owned()).or_insert(0);
        return Ok(say(200, json!({"status": "success", "message": "registered"})));
    }
    let parts: Vec<&str> = path.split('/').collect();
    Ok(match parts[..] {
        ["", "v1", "opscore", "agent", agent, what @ ("state" | "workflow")] => {
            match key.is_some_and(|key| key == KEY) {
                true => of_agent(&polls, agent, what, &content),
                false => say(401, json!({"detail": "Invalid authentication credentials"})),
            }
        }
        _ => say(404, json!({"detail": "Not Found"})),
    })
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).expect("the port is the only argument");
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    let polls = Polls::default();
    loop {
        let (stream, _) = listener.accept().await?;
        let polls = polls.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| serve(polls.clone(), request));
            let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // A client that closes its connection is not an error of the server.
            let _ = served.await;
        });
    }
}
