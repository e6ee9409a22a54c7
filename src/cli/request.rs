//! `opsurge request`: one request through the engine's own driver, connection and decoder, shown in full.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http::{HeaderName, HeaderValue, Method};
use serde::Serialize;
use socket2::SockAddr;

use crate::engine::connection::{Connection, Detail, Happening, State};
use crate::engine::example;
use crate::http::request::is_secret_field;
use crate::http::response::{Expecting, Keep};
use crate::io::clock::Clock;
use crate::io::epoll::Epoll;
use crate::io::uring::{Features, Uring};
use crate::io::{
    Backend, ConnectionId, Dialer, Driver, DriverConfig, Event, Insert, Io, Sockets, probe,
};
use crate::metrics::outcome::Failure;
use crate::plan::duration;
use crate::plan::secrets::{SEARCHED_BYTES_MAX, Secrets};

use super::args::RequestArgs;
use super::sockets::Connecting;
use super::target::Target;
use super::{Exit, cannot, say};

/// How long a connection is watched after its answer: with what comes then it would not be used again.
const WATCH_NS: u64 = 50_000_000;
/// Bytes of a body that are shown.
const SHOWN_BODY_BYTES: usize = 64 * 1024;
/// Bytes of the stream kept to show its head.
const SHOWN_HEAD_BYTES: usize = 64 * 1024;
/// What `--json` prints. `outcome` is `ok` for any complete answer, else the kind of failure.
#[derive(Debug, Serialize)]
struct Report {
    outcome: &'static str,
    status: Option<u16>,
    body_bytes: u64,
    interim: u32,
    reusable: bool,
    elapsed_us: f64,
    detail: Option<String>,
}

/// A finished exchange, with the bytes to be shown.
struct Exchange {
    report: Report,
    stream: Vec<u8>,
    body: Vec<u8>,
}

/// Carries out the command.
pub fn request(args: &RequestArgs) -> Result<Exit> {
    let target = Target::parse(&args.url, "the URL")?;
    let timeout = duration::parse(&args.timeout).context("--timeout")?;
    let request = Request::from_args(args, &target)?;
    let connecting = Connecting::from_args(&args.sockets)?;
    let addresses = addresses_of(&target, &connecting)?;
    let sockets = connecting.sockets;
    let exchange = cannot(exchange_on(
        args.io.into(),
        &request,
        addresses,
        sockets,
        timeout,
    ))?;
    if args.json {
        say(format_args!("{}", serde_json::to_string(&exchange.report)?));
    } else {
        show(&request, &exchange);
    }
    let complete = exchange.report.outcome == "ok";
    Ok(if complete { Exit::OK } else { Exit::FAILED })
}

/// Where to. One connection is tried on TCP too, by the request itself.
fn addresses_of(target: &Target, connecting: &Connecting) -> Result<Vec<SockAddr>> {
    if connecting.unix_address()?.is_some() {
        return connecting.reach(target);
    }
    let addresses = crate::io::socket::resolve(&target.host, target.port)
        .with_context(|| format!("the name {} cannot be resolved", target.host));
    let addresses = cannot(addresses)?;
    connecting.prove(&addresses)?;
    Ok(addresses)
}

/// A request as bytes, and what the decoder has to know of it.
struct Request {
    head: Vec<u8>,
    /// Sent from where it lies: it may be large.
    body: Arc<Vec<u8>>,
    expecting: Expecting,
    secrets: Secrets,
}

impl Request {
    fn from_args(args: &RequestArgs, target: &Target) -> Result<Self> {
        let body = args.body.as_deref().map(read_body).transpose()?;
        let method = match (&args.method, &body) {
            (Some(method), _) => method.clone(),
            (None, Some(_)) => "POST".into(),
            (None, None) => "GET".into(),
        };
        let method = Method::from_bytes(method.as_bytes())
            .with_context(|| format!("-X {method} is not a method (RFC 9110 section 9.1)"))?;
        let mut fields: Vec<(HeaderName, HeaderValue)> = Vec::new();
        for header in &args.headers {
            fields.push(parse_header(header)?);
        }
        let has = |name: &str| fields.iter().any(|(given, _)| given == name);
        let mut head = format!("{method} {} HTTP/1.1\r\n", target.path);
        if !has("host") {
            head += &format!("Host: {}\r\n", target.authority);
        }
        if !has("user-agent") {
            head += concat!("User-Agent: opsurge/", env!("CARGO_PKG_VERSION"), "\r\n");
        }
        let mut bytes = head.into_bytes();
        for (name, value) in &fields {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        let length = body.as_ref().map_or(0, Vec::len);
        let sends_body = body.is_some() || method == Method::POST || method == Method::PUT;
        if sends_body && !has("content-length") {
            bytes.extend_from_slice(format!("Content-Length: {length}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        let expecting = match method {
            Method::HEAD => Expecting::Head,
            Method::CONNECT => Expecting::Connect,
            _ => Expecting::Body,
        };
        let mut secrets = Secrets::default();
        for (name, value) in &fields {
            secrets.add_field(name.as_str(), &String::from_utf8_lossy(value.as_bytes()));
        }
        for text in [&bytes, body.as_ref().unwrap_or(&Vec::new())] {
            let start = &text[..text.len().min(SEARCHED_BYTES_MAX)];
            secrets.add_members(&String::from_utf8_lossy(start));
        }
        Ok(Self {
            head: bytes,
            body: Arc::new(body.unwrap_or_default()),
            expecting,
            secrets,
        })
    }
}

/// `NAME: VALUE` -> a field, checked (RFC 9110 section 5).
///
/// # Errors
/// With the reason; the value is not repeated, it may be a secret.
pub(super) fn parse_header(text: &str) -> Result<(HeaderName, HeaderValue)> {
    let Some((name, value)) = text.split_once(':') else {
        bail!("--header takes 'NAME: VALUE', with a colon between the two");
    };
    let name = HeaderName::from_bytes(name.trim().as_bytes()).context(
        "--header takes 'NAME: VALUE', and what stands before the colon is not a field name",
    )?;
    let value = HeaderValue::from_str(value.trim()).with_context(|| {
        format!("--header {name}: the value has a character that no field may have")
    })?;
    Ok((name, value))
}

fn read_body(text: &str) -> Result<Vec<u8>> {
    match text.strip_prefix('@') {
        None => Ok(text.as_bytes().to_vec()),
        Some(path) => std::fs::read(path).with_context(|| format!("--body @{path} cannot be read")),
    }
}

fn exchange_on(
    wanted: Backend,
    request: &Request,
    addresses: Vec<SockAddr>,
    sockets: Sockets,
    timeout: Duration,
) -> Result<Exchange> {
    let config = DriverConfig {
        addresses,
        sockets,
        slots: 1,
        rendered_bytes_max: request.head.len(),
        shared: vec![Arc::clone(&request.body)],
    };
    let choice = probe::choose(wanted, &config).map_err(anyhow::Error::msg)?;
    let clock = Clock::start();
    if choice.backend == Backend::Epoll {
        let driver = Epoll::new(&config, clock).context("epoll cannot be had")?;
        return Ok(exchange(driver, request, &config, timeout));
    }
    let driver = Uring::new(&config, clock, Features::ALL).context("io_uring cannot be had")?;
    Ok(exchange(driver, request, &config, timeout))
}

/// Opens a connection (on each route in turn until one comes about), sends, and reads to the end of the final answer.
fn exchange<D: Driver>(
    mut driver: D,
    request: &Request,
    config: &DriverConfig,
    timeout: Duration,
) -> Exchange {
    let begun_ns = driver.now_ns();
    let deadline_ns = begun_ns.saturating_add(timeout.as_nanos() as u64);
    let mut connection = Connection::default();
    let mut stream = Vec::new();
    let routes = Dialer::new(&config.addresses, &config.sockets).routes();
    let mut route = 0;
    let mut events: Vec<Event> = Vec::new();
    connection.on_opening(begun_ns);
    driver.submit_connect(id_of(&connection), route);
    let (end, reaped_ns, followed) = 'exchange: loop {
        let turn = driver.wait(deadline_ns, &mut events);
        let mut batch = events.drain(..);
        while let Some(event) = batch.next() {
            let received = match event.io {
                Io::Received(received) => Some(received),
                _ => None,
            };
            let bytes = received.map_or(&[][..], |received| driver.received(received));
            if event.connection != id_of(&connection) {
                if let Some(received) = received {
                    driver.release(received);
                }
                continue;
            }
            let room = SHOWN_HEAD_BYTES.saturating_sub(stream.len());
            stream.extend_from_slice(&bytes[..bytes.len().min(room)]);
            let sending = driver.is_sending(event.connection);
            let happening = connection.on(event.io, bytes, sending);
            if let Some(received) = received {
                driver.release(received);
            }
            match happening {
                Happening::StillReading => {}
                Happening::Opened => {
                    let head_bytes = request.head.len();
                    connection.on_submitted(1, head_bytes + request.body.len());
                    connection.await_answer(request.expecting, Keep::body(SHOWN_BODY_BYTES));
                    driver.send_buffer()[..head_bytes].copy_from_slice(&request.head);
                    let body = Insert {
                        at: head_bytes,
                        shared: 0,
                    };
                    driver.submit_send_around(id_of(&connection), head_bytes, &[body]);
                }
                Happening::Failed(..)
                    if connection.state == State::Connecting && route + 1 < routes =>
                {
                    driver.close(id_of(&connection));
                    route += 1;
                    connection.on_opening(begun_ns);
                    driver.submit_connect(id_of(&connection), route);
                }
                ended => {
                    let id = id_of(&connection);
                    let followed = batch.any(|event| event.connection == id);
                    break 'exchange (ended, turn.reaped_ns, followed);
                }
            }
        }
        drop(batch);
        if turn.reaped_ns >= deadline_ns {
            let (failure, detail) = match connection.state {
                State::Connecting => (Failure::ConnectTimeout, Detail::None),
                _ => (Failure::Timeout, Detail::Phase(connection.decoder.phase())),
            };
            break (Happening::Failed(failure, detail), turn.reaped_ns, true);
        }
    };
    let mut report = report(end, &connection, reaped_ns - begun_ns, &request.secrets);
    report.reusable =
        report.reusable && !followed && stays_quiet(&mut driver, id_of(&connection), reaped_ns);
    Exchange {
        report,
        stream,
        body: connection.decoder.body().to_vec(),
    }
}

/// Whether nothing more comes on a connection for a while: no bytes that nobody asked for, and no end.
fn stays_quiet<D: Driver>(driver: &mut D, connection: ConnectionId, since_ns: u64) -> bool {
    let mut events: Vec<Event> = Vec::new();
    let mut quiet = true;
    let mut now_ns = since_ns;
    while quiet && now_ns < since_ns + WATCH_NS {
        now_ns = driver.wait(since_ns + WATCH_NS, &mut events).reaped_ns;
        for event in events.drain(..) {
            quiet &= event.connection != connection;
            if let Io::Received(received) = event.io {
                driver.release(received);
            }
        }
    }
    quiet
}

fn id_of(connection: &Connection) -> ConnectionId {
    ConnectionId {
        slot: 0,
        generation: connection.generation,
    }
}

fn report(end: Happening, connection: &Connection, elapsed_ns: u64, secrets: &Secrets) -> Report {
    let mut report = Report {
        outcome: "ok",
        status: None,
        body_bytes: 0,
        interim: connection.decoder.interim(),
        reusable: false,
        elapsed_us: elapsed_ns as f64 / 1_000.0,
        detail: None,
    };
    match end {
        Happening::Answered {
            status,
            body_bytes,
            reusable,
            ..
        } => {
            report.status = Some(status);
            report.body_bytes = body_bytes;
            report.reusable = reusable;
        }
        Happening::Failed(failure, detail) => {
            report.outcome = failure.name();
            report.detail = Some(example::of_detail(failure, detail, secrets));
        }
        Happening::StillReading | Happening::Opened | Happening::Dropped => {
            unreachable!("the exchange goes on after these")
        }
    }
    report
}

fn show(request: &Request, exchange: &Exchange) {
    let report = &exchange.report;
    for line in head_lines(&request.head, &request.secrets) {
        say(format_args!("> {line}"));
    }
    say("");
    if report.status.is_some() {
        for line in head_lines(&exchange.stream, &request.secrets) {
            say(format_args!("< {line}"));
        }
        say("");
        if !exchange.body.is_empty() {
            // A server may repeat what it was sent.
            let body = String::from_utf8_lossy(&exchange.body);
            let is_whole = report.body_bytes == exchange.body.len() as u64;
            say(match is_whole {
                true => request.secrets.mask(&body),
                false => request.secrets.mask_cut(&body),
            });
        }
        if report.body_bytes > exchange.body.len() as u64 {
            say(format_args!("… {} bytes in all", report.body_bytes));
        }
    }
    let elapsed_ms = report.elapsed_us / 1_000.0;
    match (&report.detail, report.status) {
        (Some(detail), _) => say(format_args!(
            "{}: {detail} (after {elapsed_ms:.3} ms)",
            report.outcome
        )),
        (None, status) => say(format_args!(
            "status {}, {} bytes of body, {elapsed_ms:.3} ms with connect, connection {}",
            status.unwrap_or_default(),
            report.body_bytes,
            if report.reusable {
                "reusable"
            } else {
                "not reusable"
            },
        )),
    }
}

/// The lines of a head up to the empty one, secrets masked.
fn head_lines(bytes: &[u8], secrets: &Secrets) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    text.split("\r\n")
        .take_while(|line| !line.is_empty())
        .map(|line| match line.split_once(':') {
            Some((name, _)) if is_secret_field(name) => format!("{}: ***", secrets.mask(name)),
            // A server may repeat a secret anywhere, and a long head is cut anywhere.
            _ => secrets.mask_cut(line),
        })
        .collect()
}
