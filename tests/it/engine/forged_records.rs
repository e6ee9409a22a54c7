//! Records that no library would send, within an answer: in the simulation and on each real driver, the same outcome,
//! and the alert that tells the server why.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;

use opsurge::engine::plan::Plan;
use opsurge::engine::{Control, driver_config};
use opsurge::io::clock::Clock;
use opsurge::io::epoll::Epoll;
use opsurge::io::uring::{Features, Uring};
use opsurge::io::{ConnectionId, Driver, Sockets};
use opsurge::load::closed::Closed;
use opsurge::metrics::outcome::Failure;
use opsurge::sim::{Network, Reply, Service, Sim};
use opsurge::wire::{Tls, TlsClient, Version};
use opsurge_testbed::forger::{ALERT, Forger, HANDSHAKE, TEXT};
use opsurge_testbed::plans;
use rustls::{ServerConfig, ServerConnection};

use crate::support::each_driver::OLD_KERNEL;
use crate::support::sim_server::drive;
use crate::support::tls_service::both;

/// A part of what a server sends after a request.
#[derive(Clone)]
enum Part {
    Text(Vec<u8>),
    /// A record of this kind and content.
    Record(u8, Vec<u8>),
    /// As it is, not encrypted.
    Raw(Vec<u8>),
    /// A record of text whose last byte is changed.
    WrongMac,
    /// The first half of a record of text.
    Cut,
    /// A FIN.
    End,
}

/// What came of a request: its status and the length of its body, or why it failed.
type Came = Result<(u16, u64), Failure>;

struct Case {
    name: &'static str,
    versions: &'static [Version],
    parts: Vec<Part>,
    expected: Came,
    /// The first alert that the server gets. rustls sends none for some broken rules.
    alert: Option<u8>,
}

const BOTH: &[Version] = &[Version::Tls12, Version::Tls13];
const OLD: &[Version] = &[Version::Tls12];
const NEW: &[Version] = &[Version::Tls13];

// Names of alerts in RFC 8446 section 6 and RFC 5246 section 7.2.
const CLOSE_NOTIFY: u8 = 0;
const UNEXPECTED_MESSAGE: u8 = 10;
const BAD_RECORD_MAC: u8 = 20;
const RECORD_OVERFLOW: u8 = 22;
const INTERNAL_ERROR: u8 = 80;
const USER_CANCELED: u8 = 90;
const NO_RENEGOTIATION: u8 = 100;

const RECORD_TEXT_MAX: usize = 16_384;

/// An answer with these parts in the middle of its body.
fn within_a_body(parts: Vec<Part>) -> Vec<Part> {
    let begin = Part::Text(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n01234".to_vec());
    let rest = Part::Text(b"56789".to_vec());
    [vec![begin], parts, vec![rest]].concat()
}

/// An answer whose body is one record.
fn body_of_one_record(bytes: usize) -> Vec<Part> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n");
    vec![Part::Text(head.into_bytes()), Part::Text(vec![b'x'; bytes])]
}

/// A ticket of TLS 1.3 (RFC 8446 section 4.6.1).
fn ticket() -> Part {
    let lifetime_and_age = [0, 0, 14, 16, 1, 2, 3, 4];
    let nonce = [1, 0];
    let identity = [0, 3, 7, 7, 7];
    let extensions = [0, 0];
    let content = [&lifetime_and_age[..], &nonce, &identity, &extensions].concat();
    let header = [4, 0, 0, content.len() as u8];
    Part::Record(HANDSHAKE, [&header[..], &content].concat())
}

fn cases() -> Vec<Case> {
    let hello_request = || Part::Record(HANDSHAKE, vec![0, 0, 0, 0]);
    let empty = || Part::Record(TEXT, Vec::new());
    let alert = |level, alert| Part::Record(ALERT, vec![level, alert]);
    let whole = Ok((200, 10));
    let protocol = Err(Failure::TlsProtocol);
    let case = |name, versions, parts, expected, alert| Case {
        name,
        versions,
        parts,
        expected,
        alert,
    };
    let within = |name, versions, parts, expected, alert| {
        case(name, versions, within_a_body(parts), expected, alert)
    };
    let in_head = vec![
        Part::Text(b"HTTP/1.1 200 OK\r\n".to_vec()),
        alert(1, CLOSE_NOTIFY),
        Part::End,
    ];
    vec![
        within("nothing", BOTH, vec![], whole, None),
        within(
            "a renegotiation is declined",
            OLD,
            vec![hello_request()],
            whole,
            Some(NO_RENEGOTIATION),
        ),
        within(
            "a second one ends it",
            OLD,
            vec![hello_request(), hello_request()],
            protocol,
            Some(NO_RENEGOTIATION),
        ),
        within(
            "a renegotiation",
            NEW,
            vec![hello_request()],
            protocol,
            Some(UNEXPECTED_MESSAGE),
        ),
        within(
            "a client's hello",
            BOTH,
            vec![Part::Record(HANDSHAKE, vec![1, 0, 0, 0])],
            protocol,
            None,
        ),
        within("a ticket", NEW, vec![ticket(), ticket()], whole, None),
        within("a ticket", OLD, vec![ticket()], protocol, None),
        within("30 empty records", BOTH, vec![empty(); 30], whole, None),
        within(
            "100 empty records",
            BOTH,
            vec![empty(); 100],
            protocol,
            None,
        ),
        case(
            "16 KiB",
            BOTH,
            body_of_one_record(RECORD_TEXT_MAX),
            Ok((200, 16_384)),
            None,
        ),
        case(
            "16 KiB + 1",
            BOTH,
            body_of_one_record(RECORD_TEXT_MAX + 1),
            protocol,
            Some(RECORD_OVERFLOW),
        ),
        within(
            "garbage",
            BOTH,
            vec![Part::Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())],
            protocol,
            None,
        ),
        within(
            "a change of ciphers",
            BOTH,
            vec![Part::Raw(vec![20, 3, 3, 0, 1, 1])],
            protocol,
            None,
        ),
        within(
            "a wrong MAC",
            BOTH,
            vec![Part::WrongMac],
            protocol,
            Some(BAD_RECORD_MAC),
        ),
        within(
            "an unknown kind",
            BOTH,
            vec![Part::Record(99, vec![1])],
            protocol,
            None,
        ),
        within(
            "a fatal alert",
            BOTH,
            vec![alert(2, INTERNAL_ERROR)],
            Err(Failure::TlsAlert),
            None,
        ),
        within(
            "a warning that means nothing",
            BOTH,
            vec![alert(1, USER_CANCELED)],
            whole,
            None,
        ),
        within(
            "an end within a record",
            BOTH,
            vec![Part::Cut, Part::End],
            Err(Failure::Incomplete),
            None,
        ),
        within(
            "an end that is not announced",
            BOTH,
            vec![Part::End],
            Err(Failure::Incomplete),
            None,
        ),
        within(
            "an end that is announced",
            BOTH,
            vec![alert(1, CLOSE_NOTIFY), Part::End],
            Err(Failure::Incomplete),
            None,
        ),
        case(
            "an announced end within the head",
            BOTH,
            in_head,
            Err(Failure::ClosedInHead),
            None,
        ),
    ]
}

/// The server's end of one connection.
struct Peer {
    tls: Option<ServerConnection>,
    forger: Option<Forger>,
    /// Alerts of the client: their numbers.
    alerts: Vec<u8>,
}

impl Peer {
    fn new(config: &Arc<ServerConfig>) -> Self {
        Self {
            tls: Some(ServerConnection::new(config.clone()).expect("a server")),
            forger: None,
            alerts: Vec::new(),
        }
    }

    /// Takes bytes of the client. Returns bytes to send, and whether the connection ends then.
    fn on_bytes(&mut self, mut bytes: &[u8], parts: &[Part]) -> (Vec<u8>, bool) {
        if let Some(forger) = &mut self.forger {
            let opened = forger.open(bytes).into_iter();
            let alerts = opened.filter(|(kind, _)| *kind == ALERT);
            self.alerts.extend(alerts.map(|(_, content)| content[1]));
            return (Vec::new(), false);
        }
        let tls = self.tls.as_mut().expect("the keys are not taken yet");
        let mut text = Vec::new();
        while !bytes.is_empty() {
            tls.read_tls(&mut bytes).expect("memory is readable");
            tls.process_new_packets().expect("a client of TLS");
            // An error says that there is no more.
            let _ = tls.reader().read_to_end(&mut text);
        }
        let mut out = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut out).expect("memory is writable");
        }
        if text.is_empty() {
            return (out, false);
        }
        let mut forger = Forger::of(self.tls.take().expect("it was just used"));
        let mut ends = false;
        for part in parts {
            match part {
                Part::Text(text) => out.extend(forger.record(TEXT, text)),
                Part::Record(kind, content) => out.extend(forger.record(*kind, content)),
                Part::Raw(bytes) => out.extend_from_slice(bytes),
                Part::WrongMac => {
                    out.extend(forger.record(TEXT, b"56789"));
                    *out.last_mut().expect("a record") ^= 1;
                }
                Part::Cut => {
                    let record = forger.record(TEXT, b"56789");
                    out.extend_from_slice(&record[..record.len() / 2]);
                }
                Part::End => {
                    ends = true;
                    break;
                }
            }
        }
        self.forger = Some(forger);
        (out, ends)
    }
}

/// The server of the simulation, with one connection.
struct Forging<'c> {
    config: Arc<ServerConfig>,
    parts: &'c [Part],
    peer: Option<Peer>,
}

impl Service for Forging<'_> {
    fn on_connect(&mut self, _: ConnectionId, _: u64) {
        self.peer = Some(Peer::new(&self.config));
    }

    fn on_bytes(&mut self, _: ConnectionId, bytes: &[u8], _: u64, replies: &mut Vec<Reply>) {
        let peer = self.peer.as_mut().expect("it is connected");
        let (out, ends) = peer.on_bytes(bytes, self.parts);
        if !out.is_empty() {
            replies.push(Reply::Bytes(0, out));
        }
        if ends {
            replies.push(Reply::Close(0));
        }
    }

    fn on_close(&mut self, _: ConnectionId) {}
}

fn plan() -> Plan {
    let text =
        "name = \"x\"\nwait = \"0\"\n[[task]]\nname = \"one\"\nmethod = \"POST\"\npath = \"/\"";
    let load = Closed::at_rate(1, 1e9).with_iterations(Some(1));
    Plan {
        timeout_ns: 20_000_000_000,
        ..plans::plan(plans::scenario(text), load)
    }
}

/// Runs the one request over a driver.
fn run(plan: &Plan, driver: impl Driver) -> Came {
    let ignore_intervals = Box::new(|_, _: &mut _| {});
    let (outcomes, _) = drive(plan, 0, driver, &Control::default(), ignore_intervals);
    let step = &outcomes.recorder.counts.steps[0];
    assert_eq!((step.sent, step.requests), (1, 1));
    match step.errors.first() {
        Some(error) => Err(error.failure),
        None => {
            let status = step.statuses.iter().position(|&count| count > 0);
            Ok((status.expect("an answer") as u16, step.body_bytes))
        }
    }
}

fn in_the_simulation(case: &Case, config: &Arc<ServerConfig>, client: &TlsClient) -> Came {
    let plan = plan();
    let service = Forging {
        config: config.clone(),
        parts: &case.parts,
        peer: None,
    };
    let network = Network {
        split_reads: 0.8,
        jitter_ns: 1_000,
        ..Network::calm(1_000)
    };
    let build = |below: &_| Ok(Sim::new(below, service, network, 3));
    let below = driver_config(&plan, &Sockets::default(), 0);
    run(
        &plan,
        Tls::over(&below, client, build).expect("a simulation is always there"),
    )
}

/// Serves one connection until the client ends it. Returns the client's alerts.
fn serve(mut stream: TcpStream, config: &Arc<ServerConfig>, parts: &[Part]) -> Vec<u8> {
    let mut peer = Peer::new(config);
    let mut buffer = [0; 4096];
    loop {
        let bytes = match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return peer.alerts,
            Ok(bytes) => bytes,
        };
        let (out, ends) = peer.on_bytes(&buffer[..bytes], parts);
        // The client may be gone already.
        let sent = stream.write_all(&out);
        if ends && sent.is_ok() {
            let _ = stream.shutdown(Shutdown::Write);
        }
    }
}

/// Runs a case over loopback. Returns what came, and the alerts that the server got.
fn over_loopback<D: Driver>(
    case: &Case,
    config: &Arc<ServerConfig>,
    client: &TlsClient,
    build: impl FnOnce(&opsurge::io::DriverConfig) -> std::io::Result<D>,
) -> std::io::Result<(Came, Vec<u8>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let plan = Plan {
        addresses: vec![listener.local_addr()?.into()],
        ..plan()
    };
    let below = driver_config(&plan, &Sockets::default(), 0);
    let driver = Tls::over(&below, client, build)?;
    std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            let (stream, _) = listener.accept().expect("the client connects");
            serve(stream, config, &case.parts)
        });
        let came = run(&plan, driver);
        Ok((came, server.join().expect("the server ends")))
    })
}

fn check(is_checked: impl Fn(&Case, &Arc<ServerConfig>, &TlsClient, &str)) {
    for version in [Version::Tls12, Version::Tls13] {
        let (config, client) = both(version, true);
        let mut config = ServerConfig::clone(&config);
        config.enable_secret_extraction = true;
        let config = Arc::new(config);
        for case in cases()
            .iter()
            .filter(|case| case.versions.contains(&version))
        {
            is_checked(
                case,
                &config,
                &client,
                &format!("{version:?}, {}", case.name),
            );
        }
    }
}

#[test]
fn records_within_an_answer_have_the_outcome_that_the_rfc_asks_for() {
    check(|case, config, client, name| {
        assert_eq!(
            in_the_simulation(case, config, client),
            case.expected,
            "{name}"
        );
    });
}

fn check_over_loopback<D: Driver>(
    build: impl Fn(&opsurge::io::DriverConfig) -> std::io::Result<D>,
) {
    check(|case, config, client, name| {
        let ran = over_loopback(case, config, client, &build);
        let (came, alerts) = match ran {
            Ok(ran) => ran,
            Err(error) => return println!("SKIPPED: {error}"),
        };
        assert_eq!(came, case.expected, "{name}");
        // After a whole answer, the client announces the end of the connection.
        let expected = case.alert.or(came.is_ok().then_some(CLOSE_NOTIFY));
        if let Some(alert) = expected {
            assert_eq!(alerts.first(), Some(&alert), "{name}: {alerts:?}");
        }
    });
}

#[test]
fn they_have_the_same_over_epoll_and_the_server_learns_why() {
    check_over_loopback(|below| Epoll::new(below, Clock::start()));
}

#[test]
fn they_have_the_same_over_io_uring_and_the_server_learns_why() {
    check_over_loopback(|below| Uring::new(below, Clock::start(), Features::ALL));
    check_over_loopback(|below| Uring::new(below, Clock::start(), OLD_KERNEL));
}
