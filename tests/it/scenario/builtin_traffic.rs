//! The traffic of the five built-in scenarios: a relay between the real binary and the stand-in keeps every byte, one
//! connection per agent, and the bytes are compared with `../shared/opscore`.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::binary::record_of;
use opsurge::mock::{Mock, MockConfig, Ready};
use serde_json::Value;

const USERS: usize = 12;
/// The agent of the recorded exchanges.
const RECORDED_AGENT: &str = "workflow-agent-0f5e4f0e-2a53-4a0e-9d0f-6d2b8c9a1e77";

/// The bytes that each connection sent.
type Journal = Arc<Mutex<Vec<Arc<Mutex<Vec<u8>>>>>>;

/// Listens, and passes every byte on to `target` and back.
fn relay(target: SocketAddr) -> (SocketAddr, Journal) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    let journal = Journal::default();
    let kept = journal.clone();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(target) else {
                return;
            };
            let sent = Arc::default();
            kept.lock().expect("whole").push(Arc::clone(&sent));
            let ends = [client.try_clone(), server.try_clone()].map(|end| end.expect("a socket"));
            let [client_again, server_again] = ends;
            thread::spawn(move || pass_on(client, server, &sent));
            thread::spawn(move || pass_on(server_again, client_again, &Mutex::default()));
        }
    });
    (address, journal)
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, kept: &Mutex<Vec<u8>>) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        kept.lock().expect("whole").extend(&bytes[..count]);
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// A request, parsed by the test itself.
#[derive(Clone, Debug)]
struct Request {
    line: String,
    fields: Vec<String>,
    body: String,
}

impl Request {
    fn field(&self, name: &str) -> Option<&str> {
        let named = |field: &String| field.to_ascii_lowercase().starts_with(&format!("{name}: "));
        let field = self.fields.iter().find(|field| named(field))?;
        Some(&field[name.len() + 2..])
    }

    /// The body without the values that differ between moments and scenarios.
    fn comparable(&self) -> Value {
        let mut body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        for pointer in ["/timestamp", "/state", "/agent_details/capabilities"] {
            if let Some(place) = body.pointer_mut(pointer) {
                *place = "some".into();
            }
        }
        if let Some(place) = body.pointer_mut("/agent_details/metadata/scenario") {
            *place = 2.into();
        }
        body
    }
}

fn requests(bytes: &[u8]) -> Vec<Request> {
    let mut text = std::str::from_utf8(bytes).expect("UTF-8");
    let mut requests = Vec::new();
    while let Some((head, rest)) = text.split_once("\r\n\r\n") {
        let mut lines = head.split("\r\n").map(str::to_owned);
        let mut request = Request {
            line: lines.next().expect("a line"),
            fields: lines.collect(),
            body: String::new(),
        };
        let length = request.field("content-length");
        let length: usize = length.map_or(0, |length| length.parse().expect("a number"));
        // The end of the run may cut a request off.
        let Some(body) = rest.get(..length) else {
            break;
        };
        request.body = body.to_owned();
        text = &rest[length..];
        requests.push(request);
    }
    requests
}

/// The kind of a request, by its line.
fn kind_of(request: &Request, id: &str) -> &'static str {
    let known = [
        (
            "POST /v1/opscore/internal/agent/notify HTTP/1.1".into(),
            "register",
        ),
        (format!("GET /v1/opscore/agent/{id}/state HTTP/1.1"), "read"),
        (
            format!("POST /v1/opscore/agent/{id}/state HTTP/1.1"),
            "update",
        ),
        (
            format!("POST /v1/opscore/agent/{id}/workflow HTTP/1.1"),
            "workflow",
        ),
    ];
    let found = known.iter().find(|(line, _)| *line == request.line);
    found.unwrap_or_else(|| panic!("{}", request.line)).1
}

/// A recorded request with another agent's id; `None` without the records.
fn recorded(name: &str, id: &str) -> Option<Request> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/opscore/recorded");
    let Ok(text) = std::fs::read_to_string(folder.join(format!("{name}.request"))) else {
        static SAID: std::sync::Once = std::sync::Once::new();
        SAID.call_once(|| println!("SKIPPED: {} is not there", folder.display()));
        return None;
    };
    let (head, body) = text.split_once("\r\n\r\n").or(text.split_once("\n\n"))?;
    Some(Request {
        line: head.lines().next()?.replace(RECORDED_AGENT, id),
        fields: Vec::new(),
        body: body.trim().replace(RECORDED_AGENT, id),
    })
}

/// Runs a scenario with a fixed seed and number of iterations, against agents that are ready after `polls`; returns what
/// each agent sent, in order.
fn run(number: &str, iterations: usize, polls: u32) -> Vec<(String, Vec<Request>)> {
    let config = MockConfig {
        ready: Ready::AfterPolls(polls),
        ..MockConfig::default()
    };
    let mock = Mock::start(&config).expect("loopback has a free port");
    let (address, journal) = relay(mock.address());
    let (users, iterations) = (USERS.to_string(), iterations.to_string());
    let host = format!("http://{address}");
    let arguments = [
        number,
        "--host",
        &host,
        "-u",
        &users,
        "-r",
        "1000",
        "--wait",
        "1ms..5ms",
        "--pause",
        "100ms",
        "--iterations",
        &iterations,
        "--seed",
        "42",
    ];
    let (record, _) = record_of(&arguments, 0);
    let journal = journal.lock().expect("whole");
    let agents = journal
        .iter()
        .map(|sent| requests(&sent.lock().expect("whole")));
    // The trial connection before the run sends nothing.
    let agents = agents
        .filter(|requests| !requests.is_empty())
        .map(|requests| {
            let registered: Value = serde_json::from_str(&requests[0].body).expect("JSON");
            let id = registered["agent_details"]["agentId"].as_str();
            (id.expect("an id").to_owned(), requests)
        });
    let agents: Vec<_> = agents.collect();
    assert_eq!(agents.len(), USERS, "one connection for each");
    let sent: usize = agents.iter().map(|(_, requests)| requests.len()).sum();
    assert_eq!(sent as u64, record.totals.sent);
    agents
}

fn check_agent(number: &str, id: &str, sent: &[Request], inline: &str) {
    let prefix = if number == "2" {
        "workflow-agent-"
    } else {
        "loadtest-agent-"
    };
    let uuid = id.strip_prefix(prefix).unwrap_or_else(|| panic!("{id}"));
    assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"), "{id}");
    for (nth, request) in sent.iter().enumerate() {
        let kind = kind_of(request, id);
        assert_eq!(kind == "register", nth == 0, "registered once, and first");
        let key = request.field("authorization");
        assert_eq!(
            key,
            (kind != "register").then_some("Bearer test-api-key"),
            "{kind}"
        );
        let json = request.field("content-type");
        assert_eq!(
            json,
            (kind != "read").then_some("application/json"),
            "{kind}"
        );
        let name = match kind {
            "register" => "register-ok",
            "read" => "state-ok",
            "update" => "state-update-accepted",
            _ => inline,
        };
        if let Some(known) = recorded(name, id) {
            assert_eq!(request.line, known.line);
            assert_eq!(request.comparable(), known.comparable(), "{kind}");
        }
        let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
        if kind == "register" {
            let scenario = &body["agent_details"]["metadata"]["scenario"];
            assert_eq!(scenario.to_string(), number);
            let capabilities = match number {
                "0" | "1" => "[\"state_reporting\"]",
                "2" => "[\"workflow_execution\"]",
                _ => "[\"state_reporting\",\"test_capability\",\"another_capability\"]",
            };
            assert_eq!(
                body["agent_details"]["capabilities"].to_string(),
                capabilities
            );
        }
        if kind == "update" {
            let state = body["state"].as_str().expect("a state");
            assert!(
                ["idle", "active", "error", "finished"].contains(&state),
                "{state}"
            );
            let time = body["timestamp"].as_str().expect("a time");
            let time = humantime::parse_rfc3339(time).expect(time);
            let age = time.elapsed().expect("not in the future");
            assert!(age.as_secs() < 600, "{age:?}");
        }
    }
}

#[test]
fn scenarios_0_to_2_register_become_ready_and_work_in_this_order() {
    for (number, polls, work) in [("0", 0, "update"), ("1", 3, "update"), ("2", 3, "workflow")] {
        for (id, sent) in run(number, 20 * USERS, 2) {
            check_agent(number, &id, &sent, "workflow-accepted");
            let kinds: Vec<&str> = sent.iter().map(|request| kind_of(request, &id)).collect();
            let mut expected = vec!["register"];
            expected.extend(vec!["read"; polls]);
            expected.extend(vec![work; 20]);
            assert_eq!(kinds, expected, "{number}");
        }
    }
}

#[test]
fn scenarios_3_and_4_mix_updates_reads_and_workflows_80_to_15_to_5() {
    for number in ["3", "4"] {
        let mut counts = [0.0f64; 3];
        for (id, sent) in run(number, 150 * USERS, 0) {
            check_agent(number, &id, &sent, "workflow-inline-accepted");
            for request in &sent[1..] {
                counts[match kind_of(request, &id) {
                    "update" => 0,
                    "read" => 1,
                    _ => 2,
                }] += 1.0;
            }
        }
        assert_eq!(counts.iter().sum::<f64>(), 150.0 * USERS as f64);
        // Pearson's chi-square with two degrees of freedom exceeds 13.8 once in 1,000 times; the seed is fixed.
        let expected = [0.80, 0.15, 0.05].map(|share| share * 150.0 * USERS as f64);
        let parts = counts.iter().zip(expected);
        let chi: f64 = parts.map(|(n, e)| (n - e).powi(2) / e).sum();
        assert!(chi < 13.8, "{counts:?}: {chi}");
    }
}
