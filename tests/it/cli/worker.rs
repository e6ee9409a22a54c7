//! `opsurge worker` with a master that is the test: a ZeroMQ ROUTER that says what Locust's says.

use std::time::Duration;

use nix::sys::signal::Signal;
use opsurge::record::schema::Record;
use rmpv::Value;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use zeromq::{RouterSocket, Socket, SocketRecv, SocketSend, ZmqMessage};

use crate::support::binary::record_schema::check_record;
use crate::support::binary::{Process, opsurge, text};

/// Longest time that a message is waited for, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

struct Master {
    runtime: Runtime,
    socket: RouterSocket,
    port: u16,
    /// Of the worker that was heard last.
    identity: Vec<u8>,
    /// The identity that the last message was about; another than the sender's in the `quit` of an earlier one.
    about: Vec<u8>,
    /// Of workers that have said `client_ready`.
    known: Vec<Vec<u8>>,
}

impl Master {
    fn bind(port: u16) -> Self {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().expect("a runtime");
        let mut socket = RouterSocket::new();
        let bound = runtime.block_on(socket.bind(&format!("tcp://127.0.0.1:{port}")));
        let bound = bound.expect("a port").to_string();
        let (_, port) = bound.rsplit_once(':').expect("an address");
        Self {
            runtime,
            socket,
            port: port.parse().expect("a port"),
            identity: Vec::new(),
            about: Vec::new(),
            known: Vec::new(),
        }
    }

    /// The data of the next message of this type; others are passed over, and kept in `seen`.
    fn hear(&mut self, kind: &str, seen: &mut Vec<(String, Value)>) -> Value {
        loop {
            let received = async { timeout(PATIENCE, self.socket.recv()).await };
            let received = self.runtime.block_on(received);
            let received = received.unwrap_or_else(|_| panic!("no {kind} after {seen:?}"));
            let parts = received.expect("a message").into_vec();
            let [identity, body] = &parts[..] else {
                panic!("{} parts", parts.len());
            };
            self.identity = identity.to_vec();
            let message = rmpv::decode::read_value(&mut &body[..]).expect("MessagePack");
            self.about = message[2].as_str().expect("a text").as_bytes().to_vec();
            let found = message[0].as_str().expect("a type").to_owned();
            assert!(self.about == identity[..] || found == "quit");
            if found == "heartbeat" {
                // Without it, the master of Locust would be deaf from now on.
                assert!(message[1]["current_cpu_usage"].is_f64());
                if self.known.contains(&self.identity) {
                    self.say("heartbeat", Value::Nil);
                }
            }
            if found == "client_ready" {
                self.known.push(self.identity.clone());
            }
            let data = message[1].clone();
            seen.push((found.clone(), data.clone()));
            if found == kind {
                return data;
            }
        }
    }

    fn say(&mut self, kind: &str, data: Value) {
        let message = Value::Array(vec![kind.into(), data, "master".into()]);
        let mut body = Vec::new();
        rmpv::encode::write_value(&mut body, &message).expect("it is encoded");
        let mut parts = ZmqMessage::from(self.identity.clone());
        parts.push_back(body.into());
        let sent = self.runtime.block_on(self.socket.send(parts));
        sent.expect("the worker is connected");
    }

    fn spawn(&mut self, timestamp: f64, users: u64) {
        let users = Value::Map(vec![("Opsurge".into(), users.into())]);
        self.say(
            "spawn",
            Value::Map(vec![
                ("timestamp".into(), timestamp.into()),
                ("user_classes_count".into(), users),
                ("host".into(), Value::Nil),
                ("stop_timeout".into(), 1.into()),
                ("parsed_options".into(), Value::Map(Vec::new())),
            ]),
        );
    }
}

fn worker(master: &Master, more: &[&str]) -> Process {
    let port = master.port.to_string();
    let always = [
        "worker",
        "--master-port",
        &port,
        "--mock",
        "--wait",
        "20ms",
        "--pause",
        "0",
    ];
    let quiet = ["--headless", "--watch", "none", "--quiet"];
    let program = opsurge(&always).args(quiet).args(more);
    let piped = program
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    piped.spawn().expect("it starts")
}

/// Requests of all reports.
fn requests(seen: &[(String, Value)]) -> u64 {
    let reports = seen.iter().filter(|(kind, _)| kind == "stats");
    let counts = reports.map(|(_, data)| data["stats_total"]["num_requests"].as_u64());
    counts.map(|count| count.expect("a number")).sum()
}

#[test]
fn the_reports_to_a_master_add_up_to_the_record_to_the_last_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let json = folder.path().join("worker.json");
    let mut master = Master::bind(0);
    let worker = worker(&master, &["--json", json.to_str().expect("UTF-8")]);
    let mut seen = Vec::new();
    assert_eq!(master.hear("client_ready", &mut seen), Value::from(-1));
    master.say("ack", Value::Map(vec![("index".into(), 0.into())]));
    master.hear("stats", &mut seen);
    master.spawn(1.0, 3);
    master.hear("spawning", &mut seen);
    let complete = master.hear("spawning_complete", &mut seen);
    assert_eq!(complete["user_classes_count"]["Opsurge"], Value::from(3));
    master.say("quit", Value::Nil);
    let before = seen.len();
    master.hear("quit", &mut seen);
    assert!(seen[before..].iter().any(|(kind, _)| kind == "stats"));
    let output = worker.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let record = std::fs::read_to_string(folder.path().join("worker-1.json"));
    let record = record.expect("a record");
    check_record(&record);
    let record = Record::parse(&record).expect("it is a record");
    assert_eq!(record.run.ended_by, "master");
    assert!(record.totals.requests > 50, "{}", record.totals.requests);
    assert_eq!(requests(&seen), record.totals.requests);
    assert_eq!(record.totals.failures, 0);
}

#[test]
fn a_worker_comes_back_to_another_master_under_a_new_identity_and_ends_with_a_signal() {
    let mut master = Master::bind(0);
    let mut seen = Vec::new();
    let worker = worker(&master, &[]);
    master.hear("client_ready", &mut seen);
    master.say("ack", Value::Nil);
    master.hear("heartbeat", &mut seen);
    let (port, first) = (master.port, master.identity.clone());
    drop(master);
    let mut master = Master::bind(port);
    master.hear("client_ready", &mut seen);
    assert_ne!(master.identity, first);
    // The part before the underscore is the machine.
    let machine = |identity: &[u8]| {
        identity
            .split(|byte| *byte == b'_')
            .next()
            .map(<[u8]>::to_vec)
    };
    assert_eq!(machine(&master.identity), machine(&first));
    master.say("ack", Value::Nil);
    master.say("stop", Value::Nil);
    master.hear("quit", &mut seen);
    assert_eq!(
        master.about, first,
        "a missing worker keeps a test from ending"
    );
    master.hear("client_stopped", &mut seen);
    master.hear("client_ready", &mut seen);
    master.say("ack", Value::Nil);
    master.hear("heartbeat", &mut seen);
    worker.signal(Signal::SIGINT);
    master.hear("quit", &mut seen);
    assert_eq!(master.about, master.identity);
    let output = worker.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", text(&output));
}
