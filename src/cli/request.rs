//! `opsurge request`: one request through the engine's own driver, connection and decoder, shown in full.

use std::io::IsTerminal;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use serde::Serialize;
use socket2::SockAddr;

use crate::engine::connection::{Connection, Detail, Happening, State};
use crate::engine::example;
use crate::http::body::instead_of;
use crate::http::buffers::Buffers;
use crate::http::request::{Cuts, Shared, Values, is_secret_field};
use crate::http::response::{Expecting, Keep, field};
use crate::io::clock::Clock;
use crate::io::epoll::Epoll;
use crate::io::uring::{Features, Uring};
use crate::io::{
    Backend, ConnectionId, Dialer, Driver, DriverConfig, Event, Insert, Io, Sockets, probe,
};
use crate::metrics::outcome::Failure;
use crate::scenario::format::compile::{Context as Compile, compile};
use crate::scenario::secrets::Secrets;
use crate::text::duration;
use crate::text::printable::{in_lines, in_one_line};
use crate::text::units::{counted, grouped};

use super::args::RequestArgs;
use crate::session::exit::{Exit, cannot};
use crate::session::output::say;
use crate::session::sockets::Connecting;
use crate::session::source::{Source, parse_header};
use crate::session::target::Target;

/// Environment variable of `{{api_key}}`.
const API_KEY_ENV: &str = "OPSCORE_API_KEY";
/// Whose request is sent: that of the first user.
const USER: u64 = 0;
/// How long a connection is watched after its answer: with what comes then it would not be used again.
const WATCH_NS: u64 = 50_000_000;
/// Bytes of a body that are shown.
const SHOWN_BODY_BYTES: usize = 64 * 1024;
/// Bytes of the stream kept to show the interim heads (1xx) in it, and how many of those are shown.
const SHOWN_INTERIM_BYTES: usize = 64 * 1024;
const SHOWN_INTERIM_HEADS: usize = 8;
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
    /// The first bytes that came: the interim heads, if there were any.
    stream: Vec<u8>,
    /// The head of the final answer.
    head: Vec<u8>,
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
    /// What is made anew of each request: the head, and the body but for its long stretches.
    rendered: Vec<u8>,
    /// The long stretches, sent from where they lie, and their places.
    shared: Vec<Shared>,
    inserts: Vec<Insert>,
    expecting: Expecting,
    /// It says that it is the last one on its connection.
    closes: bool,
    secrets: Secrets,
}

impl Request {
    /// The request that `run --url` sends first: the same checks, fields and holes.
    fn from_args(args: &RequestArgs, target: &Target) -> Result<Self> {
        let method = args.method.as_deref();
        if let Some(method) = method {
            http::Method::from_bytes(method.as_bytes())
                .with_context(|| format!("-X {method} is not a method (RFC 9110 section 9.1)"))?;
        }
        let source = Source::of_url("the URL", method, &target.path, args.body.as_deref());
        let headers = args.headers.iter().map(|header| parse_header(header));
        let headers: Vec<(String, String)> = headers.collect::<Result<_>>()?;
        let context = Compile {
            headers: &headers,
            any_method: true,
            api_key: std::env::var(API_KEY_ENV)
                .ok()
                .filter(|key| !key.is_empty()),
            env: &|name| std::env::var(name).ok(),
            read: &|name| source.read(name),
            ..Compile::plain()
        };
        let scenario = compile(&source.origin, &source.text, &context)?.bind(&target.authority, "");
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let seed = uuid::Uuid::new_v4().as_u64_pair().0;
        let wall_ns = now.unwrap_or_default().as_nanos() as u64;
        let (user, fresh) = scenario.first_values(0, USER, seed, wall_ns);
        let step = &scenario.steps[0];
        let mut rendered = vec![0; step.template.bytes_max()];
        let mut cuts = Cuts::default();
        let values = Values {
            user: &user,
            fresh: &fresh,
        };
        let length = step.template.render(values, &mut rendered, &mut cuts);
        rendered.truncate(length);
        let shared = step.template.shared().to_vec();
        let inserts = cuts[..shared.len()].iter().enumerate();
        Ok(Self {
            rendered,
            inserts: inserts.map(|(shared, &at)| Insert { at, shared }).collect(),
            shared,
            expecting: step.expecting,
            closes: step.closes,
            secrets: scenario.secrets.clone(),
        })
    }

    fn bytes(&self) -> usize {
        let shared = self.shared.iter().map(|shared| shared.len());
        self.rendered.len() + shared.sum::<usize>()
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
        rendered_bytes_max: request.rendered.len(),
        shared: request.shared.clone(),
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
    let mut buffers = Buffers::default();
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
            let room = SHOWN_INTERIM_BYTES.saturating_sub(stream.len());
            stream.extend_from_slice(&bytes[..bytes.len().min(room)]);
            let sending = driver.is_sending(event.connection);
            let happening = connection.on(event.io, bytes, sending, &mut buffers);
            if let Some(received) = received {
                driver.release(received);
            }
            match happening {
                Happening::StillReading => {}
                Happening::Opened => {
                    let rendered = request.rendered.len();
                    let keep = Keep {
                        head: true,
                        body_bytes: SHOWN_BODY_BYTES,
                    };
                    connection.on_submitted(1, request.bytes());
                    connection.await_answer(request.expecting, keep);
                    driver.send_buffer()[..rendered].copy_from_slice(&request.rendered);
                    let id = id_of(&connection);
                    match &request.inserts[..] {
                        [] => driver.submit_send(id, rendered),
                        inserts => driver.submit_send_around(id, rendered, inserts),
                    }
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
    report.reusable = report.reusable
        && !request.closes
        && !followed
        && stays_quiet(&mut driver, id_of(&connection), reaped_ns);
    Exchange {
        report,
        stream,
        head: connection.decoder.head().to_vec(),
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
    let secrets = &request.secrets;
    for line in head_lines(&request.rendered, secrets) {
        say(format_args!("> {line}"));
    }
    say("");
    if report.status.is_some() {
        let interim = heads(&exchange.stream).take(report.interim as usize);
        for head in interim.take(SHOWN_INTERIM_HEADS) {
            head_lines(head, secrets)
                .iter()
                .for_each(|line| say(format_args!("< {line}")));
            say("<");
        }
        let more = u64::from(report.interim).saturating_sub(SHOWN_INTERIM_HEADS as u64);
        if more > 0 {
            say(format_args!(
                "… and {} more interim answers (1xx)",
                grouped(more)
            ));
        }
        for line in head_lines(&exchange.head, secrets) {
            say(format_args!("< {line}"));
        }
        say("");
        let encoding = field(&exchange.head, "content-encoding");
        let for_terminal = std::io::stdout().is_terminal();
        if !exchange.body.is_empty() {
            let body = shown_body(
                &exchange.body,
                report.body_bytes,
                encoding.as_deref(),
                secrets,
            );
            say(if for_terminal { in_lines(&body) } else { body });
        }
        let is_shown_in_part = report.body_bytes > exchange.body.len() as u64;
        if is_shown_in_part {
            say(format_args!(
                "… {} bytes in all",
                grouped(report.body_bytes)
            ));
        }
    }
    let elapsed_ms = report.elapsed_us / 1_000.0;
    match (&report.detail, report.status) {
        (Some(detail), _) => say(format_args!(
            "{}: {detail} (after {elapsed_ms:.3} ms)",
            report.outcome
        )),
        (None, status) => say(format_args!(
            "status {}, {} of body, {elapsed_ms:.3} ms with connect, connection {}",
            status.unwrap_or_default(),
            counted(report.body_bytes, "byte"),
            if report.reusable {
                "reusable"
            } else {
                "not reusable"
            },
        )),
    }
}

/// A body as it is shown: what is no text is only named. A server may repeat what it was sent.
fn shown_body(body: &[u8], bytes: u64, encoding: Option<&[u8]>, secrets: &Secrets) -> String {
    if let Some(said) = instead_of(body, bytes, encoding) {
        return said;
    }
    let text = String::from_utf8_lossy(body);
    match bytes == body.len() as u64 {
        true => secrets.mask(&text),
        false => secrets.mask_cut(&text),
    }
}

/// The whole heads that a stream begins with, one after the other.
fn heads(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = stream;
    std::iter::from_fn(move || {
        // A line may end in LF alone (RFC 9112 section 2.2).
        let ends = [&b"\n\r\n"[..], b"\n\n"];
        let end = |end: &&[u8]| {
            rest.windows(end.len())
                .position(|it| it == *end)
                .map(|at| at + end.len())
        };
        let (head, after) = rest.split_at(ends.iter().filter_map(end).min()?);
        rest = after;
        Some(head)
    })
}

/// The lines of a head up to the empty one: secrets masked, what a terminal would obey escaped.
fn head_lines(bytes: &[u8], secrets: &Secrets) -> Vec<String> {
    let head = heads(bytes).next().unwrap_or(bytes);
    let text = String::from_utf8_lossy(head);
    text.lines()
        .take_while(|line| !line.is_empty())
        .map(|line| match line.split_once(':') {
            Some((name, _)) if is_secret_field(name) => format!("{}: ***", secrets.mask(name)),
            // A server may repeat a secret anywhere, and a long head is cut anywhere.
            _ => secrets.mask_cut(line),
        })
        .map(|line| in_one_line(&line))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_cut_where_they_end() {
        let stream = b"HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 100 C\n\nHTTP/1.1 200 OK\r\nA: b\r\n\r\nbody\n\nx";
        let found: Vec<&[u8]> = heads(stream).take(3).collect();
        assert!(found[0].ends_with(b"Link: a\r\n\r\n") && found[1] == b"HTTP/1.1 100 C\n\n");
        let lines = head_lines(found[2], &Secrets::default());
        assert_eq!(lines, ["HTTP/1.1 200 OK", "A: b"]);
        assert_eq!(heads(b"HTTP/1.1 200").count(), 0);
    }

    #[test]
    fn nothing_of_a_head_is_obeyed_by_a_terminal() {
        let lines = head_lines(
            b"HTTP/1.1 200 \x1b[2J\r\nX: \xc2\x9b31m\x08\r\n\r\n",
            &Secrets::default(),
        );
        assert_eq!(lines, [r"HTTP/1.1 200 \u{1b}[2J", r"X: \u{9b}31m\u{8}"]);
    }
}
