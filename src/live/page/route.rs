//! A request -> an answer: who asks, what for, by which method.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};

use crate::report::html::LIVE_POLICY;

use super::board::Board;
use super::control::{BODY_BYTES_MAX, Controls};
use super::events::{Answer, Events};
use super::hosts::is_ours;
use super::prometheus;

/// Longest time for the body of an order.
const BODY_TIME: Duration = Duration::from_secs(5);
const TOKEN: &str = "x-opsurge-token";
const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// All that requests are answered from.
pub struct Site {
    pub board: Arc<Board>,
    /// The page.
    pub page: Bytes,
    /// Orders; `None` when they are not taken.
    pub controls: Option<Controls>,
    pub listens_on: SocketAddr,
    /// Name of the machine.
    pub machine: String,
}

/// Answers a request.
pub async fn answer(site: &Site, request: Request<Incoming>) -> Response<Answer> {
    let host = request.headers().get(HOST);
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !is_ours(host, site.listens_on, &site.machine) {
        let said = format!(
            "the Host field has to name {}, or a loopback address",
            site.listens_on
        );
        return said_with(StatusCode::FORBIDDEN, said);
    }
    let path = request.uri().path().to_owned();
    if let Some(order) = path.strip_prefix("/control/") {
        return on_order(site, order, request).await;
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return not_allowed("GET, HEAD");
    }
    match path.as_str() {
        "/" => whole(HTML, site.page.clone()),
        "/events" => events(site, &request),
        "/record.json" => whole("application/json", site.board.record_json()),
        "/metrics" => whole(prometheus::TYPE, site.board.metrics()),
        _ => {
            let said = "there are /, /events, /record.json and /metrics";
            said_with(StatusCode::NOT_FOUND, said.into())
        }
    }
}

async fn on_order(site: &Site, order: &str, request: Request<Incoming>) -> Response<Answer> {
    let Some(controls) = &site.controls else {
        let said = "orders are not taken: give --web-control";
        return said_with(StatusCode::NOT_FOUND, said.into());
    };
    if request.method() != Method::POST {
        return not_allowed("POST");
    }
    let (head, body) = request.into_parts();
    let token = head.headers.get(TOKEN).map(|token| token.as_bytes());
    let read = tokio::time::timeout(BODY_TIME, read(body)).await;
    let Ok(Some(body)) = read else {
        let said = "the body of an order is a number";
        return said_with(StatusCode::BAD_REQUEST, said.into());
    };
    let (status, said) = controls.on_order(order, token, &body);
    let status = StatusCode::from_u16(status).expect("statuses of this program");
    said_with(status, said)
}

/// The whole body; `None` when it is too long or cannot be read.
async fn read(mut body: Incoming) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let data = frame.ok()?.into_data().ok()?;
        bytes.extend_from_slice(&data);
        if bytes.len() > BODY_BYTES_MAX {
            return None;
        }
    }
    Some(bytes)
}

fn events(site: &Site, request: &Request<Incoming>) -> Response<Answer> {
    let last = request.headers().get("last-event-id");
    let last = last.and_then(|id| id.to_str().ok()?.parse().ok());
    if request.method() == Method::HEAD {
        return whole("text/event-stream", Bytes::new());
    }
    let events = Events::after(site.board.clone(), last.unwrap_or(0));
    answered("text/event-stream", Answer::Events(Box::new(events)))
}

fn whole(kind: &'static str, bytes: Bytes) -> Response<Answer> {
    answered(kind, Answer::Whole(Some(bytes)))
}

fn said_with(status: StatusCode, said: String) -> Response<Answer> {
    let mut response = whole(TEXT, Bytes::from(said + "\n"));
    *response.status_mut() = status;
    response
}

fn not_allowed(methods: &'static str) -> Response<Answer> {
    let mut response = said_with(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("this place takes {methods}"),
    );
    let methods = hyper::header::HeaderValue::from_static(methods);
    response.headers_mut().insert(ALLOW, methods);
    response
}

/// Every answer with the same fields: nothing is kept, framed, guessed, or told to others.
fn answered(kind: &'static str, body: Answer) -> Response<Answer> {
    Response::builder()
        .header(CONTENT_TYPE, kind)
        .header(CACHE_CONTROL, "no-store")
        .header(
            CONTENT_SECURITY_POLICY,
            format!("{LIVE_POLICY}; frame-ancestors 'none'"),
        )
        .header(X_FRAME_OPTIONS, "DENY")
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(REFERRER_POLICY, "no-referrer")
        .body(body)
        .expect("fields of this program")
}
