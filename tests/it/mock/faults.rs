//! The faults of the stand-in: each does what its name says, is counted, and is classified correctly by a run.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::binary::{check_sums, opsurge, record_of, run, text};
use opsurge::mock::{Fault, FaultPlan, Mock, MockConfig, Recurring};
use opsurge::record::schema::Record;

const NOTIFY: &str = "/v1/opscore/internal/agent/notify";
const REGISTRATION: &str = r#"{"event_type":"REGISTER","agent_details":{"agentId":"{{uuid}}","agentName":"n","version":"1.0","capabilities":["a"],"contactEndpoint":"http://x/run"}}"#;

fn start(faults: FaultPlan) -> Mock {
    let config = MockConfig {
        faults,
        ..MockConfig::default()
    };
    Mock::start(&config).expect("loopback has a free port")
}

fn always(fault: Fault) -> FaultPlan {
    FaultPlan {
        shares: vec![(fault, 1.0)],
        delay: Duration::from_millis(30),
        ..FaultPlan::default()
    }
}

/// The bytes that answer a GET of /health, and how their stream ends.
fn stream_under(fault: Fault) -> (String, Result<usize, std::io::ErrorKind>) {
    let mock = start(always(fault));
    let mut stream = TcpStream::connect(mock.address()).expect("the stand-in listens");
    let wait = Some(Duration::from_millis(700));
    stream
        .set_read_timeout(wait)
        .expect("the timeout is above zero");
    stream
        .write_all(b"GET /health HTTP/1.1\r\n\r\n")
        .expect("the stand-in reads");
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes).map_err(|error| error.kind());
    drop(stream);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let counts = mock.stop();
    assert_eq!(counts.faults, BTreeMap::from([(fault.name(), 1)]));
    let whole = text.contains("\r\n\r\n{") && text.contains('}');
    assert_eq!(
        counts.answers.values().sum::<u64>(),
        u64::from(whole),
        "{text}"
    );
    (text, end)
}

#[test]
fn each_fault_does_to_a_stream_what_its_name_says() {
    for fault in Fault::ALL {
        let (text, end) = stream_under(fault);
        let name = fault.name();
        let how = match name.split_once('-') {
            Some(("reset", _)) => Err(std::io::ErrorKind::ConnectionReset),
            Some(("close", _)) => Ok(text.len()),
            _ if fault == Fault::Garbage => Ok(text.len()),
            _ => Err(std::io::ErrorKind::WouldBlock),
        };
        assert_eq!(end.map(|_| text.len()), how, "{name}: {text}");
        match name.split_once('-') {
            Some((_, "before-head" | "answer")) => assert_eq!(text, "", "{name}"),
            Some((_, "in-head")) => {
                assert!(text.starts_with("HTTP/1.1 200") && !text.contains("\r\n\r\n"));
            }
            Some((_, "in-body")) => assert!(text.ends_with("\r\n\r\n{\"statu"), "{text}"),
            Some((_, "500")) => assert!(text.starts_with("HTTP/1.1 500"), "{text}"),
            Some((_, "bytes")) => assert!(text.contains("\"ok\"}\0"), "{text}"),
            _ if fault == Fault::Garbage => assert!(!text.contains("HTTP/1.1"), "{text}"),
            _ => assert!(text.ends_with("{\"status\":\"ok\"}"), "{name}: {text}"),
        }
    }
}

/// Failures by kind.
fn kinds(record: &Record) -> BTreeMap<&str, u64> {
    let mut kinds = BTreeMap::new();
    for error in &record.errors {
        *kinds.entry(error.kind.as_str()).or_default() += error.count;
    }
    kinds
}

fn check_run(io: &str) {
    let seen_as = [
        (Fault::ResetBeforeHead, Some("reset-before-head")),
        (Fault::ResetInHead, Some("reset-in-head")),
        (Fault::ResetInBody, Some("reset-in-body")),
        (Fault::CloseBeforeHead, Some("closed-before-head")),
        (Fault::CloseInHead, Some("closed-in-head")),
        (Fault::CloseInBody, Some("incomplete")),
        (Fault::NoAnswer, Some("timeout")),
        (Fault::Garbage, Some("invalid-response")),
        (Fault::Status500, Some("status")),
        (Fault::ExtraBytes, None),
        (Fault::SlowByte, None),
        (Fault::Delay, None),
    ];
    let mock = start(FaultPlan {
        seed: 5,
        shares: seen_as.map(|(fault, _)| (fault, 0.02)).to_vec(),
        delay: Duration::from_millis(20),
        ..FaultPlan::default()
    });
    let host = format!("http://{}", mock.address());
    let arguments = [
        "--host",
        &host,
        "--url",
        NOTIFY,
        "--body",
        REGISTRATION,
        "-u",
        "40",
        "-r",
        "1000",
        "-t",
        "1500ms",
        "--timeout",
        "1s",
        "--io",
        io,
    ];
    let (record, printed) = record_of(&arguments, 1);
    let counts = mock.stop();
    check_sums(&record);
    assert_eq!(record.totals.retried, 0);
    let expected: BTreeMap<&str, u64> = seen_as
        .iter()
        .filter_map(|(fault, kind)| Some(((*kind)?, counts.faults[fault.name()])))
        .collect();
    let mut found = kinds(&record);
    // The run may end just before the time limit of a request that gets no answer.
    *found.entry("timeout").or_default() += record.totals.cut_off;
    assert_eq!(found, expected, "{printed}");
    for (status, count) in &record.steps[0].statuses {
        let status = status.parse().expect("the status is a number");
        assert_eq!(
            counts.answers[&("POST", NOTIFY, status)],
            *count,
            "{printed}"
        );
    }
    assert_eq!(counts.answers.len(), record.steps[0].statuses.len());
}

#[test]
fn a_run_on_io_uring_classifies_every_fault() {
    check_run("auto");
}

#[test]
fn a_run_on_epoll_classifies_every_fault() {
    check_run("epoll");
}

#[test]
fn the_embedded_stand_in_agrees_in_spite_of_faults() {
    let arguments = [
        "minimal",
        "--mock",
        "-u",
        "20",
        "-r",
        "1000",
        "--wait",
        "2ms",
        "-t",
        "1s",
        "--timeout",
        "1s",
        "--fault",
        "reset-in-body=3%",
        "--fault",
        "no-answer=1%",
        "--fault",
        "status-500=2%",
        "--fault-seed",
        "9",
    ];
    let (record, printed) = record_of(&arguments, 1);
    check_sums(&record);
    let stand_in = record.stand_in.as_ref().expect("the run had a stand-in");
    assert!(stand_in.agrees, "{printed}");
    let faults = &stand_in.faults;
    let kinds = kinds(&record);
    assert!(kinds["reset-in-body"] > 0, "{printed}");
    assert_eq!(faults["reset-in-body"], kinds["reset-in-body"], "{printed}");
    // A registration may be among them; its user gets 404 from then on.
    let answered = record.steps.iter().filter_map(|it| it.statuses.get("500"));
    assert_eq!(faults["status-500"], answered.sum::<u64>(), "{printed}");
    // The run may end just before the time limit of a request that gets no answer.
    let unanswered = kinds.get("timeout").copied().unwrap_or_default() + record.totals.cut_off;
    assert_eq!(faults["no-answer"], unanswered, "{printed}");
    let shown = format!(
        "faults on purpose: {} no-answer, {} reset-in-body, {} status-500",
        faults["no-answer"], faults["reset-in-body"], faults["status-500"]
    );
    assert!(printed.contains(&shown), "{printed}");
}

#[test]
fn a_run_without_faults_says_nothing_of_them() {
    let arguments = ["--mock", "--get", "/health", "-u", "2", "-t", "300ms"];
    let (record, printed) = record_of(&arguments, 0);
    assert_eq!(
        record.stand_in.expect("the run had a stand-in").faults,
        BTreeMap::new()
    );
    assert!(!printed.contains("on purpose"), "{printed}");
}

#[test]
fn a_fin_after_an_answer_is_no_failure_of_a_get() {
    let arguments = [
        "--mock",
        "--get",
        "/health",
        "-u",
        "5",
        "-t",
        "500ms",
        "--fault",
        "close-idle=20%",
    ];
    let (record, printed) = record_of(&arguments, 0);
    check_sums(&record);
    assert!(record.totals.connections_opened > 5, "{printed}");
}

#[test]
fn requests_that_arrive_in_a_stall_are_answered_at_its_end() {
    let mock = start(FaultPlan {
        stall: Some(Recurring {
            lasts: Duration::from_millis(300),
            every: Duration::from_millis(500),
        }),
        ..FaultPlan::default()
    });
    let mut stream = TcpStream::connect(mock.address()).expect("the stand-in listens");
    let mut longest = Duration::ZERO;
    let mut answer = [0; 4096];
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(1) {
        let sent = Instant::now();
        stream
            .write_all(b"GET /health HTTP/1.1\r\n\r\n")
            .expect("the stand-in reads");
        assert!(stream.read(&mut answer).expect("an answer arrives") > 0);
        longest = longest.max(sent.elapsed());
    }
    let (least, most) = (Duration::from_millis(290), Duration::from_millis(400));
    assert!(longest > least && longest < most, "{longest:?}");
    assert_eq!(mock.stop().faults["stall"], 2);
}

#[test]
fn a_refusal_begins_and_ends_at_its_times() {
    let mock = start(FaultPlan {
        refuse: Some(Recurring {
            lasts: Duration::from_millis(200),
            every: Duration::from_millis(400),
        }),
        ..FaultPlan::default()
    });
    let mut seen = vec![true];
    let began = Instant::now();
    while seen.len() < 5 {
        assert!(began.elapsed() < Duration::from_secs(5), "{seen:?}");
        let connects = TcpStream::connect(mock.address()).is_ok();
        if seen.last() != Some(&connects) {
            seen.push(connects);
        }
        // A try every millisecond is enough, and leaves the machine to other tests.
        std::thread::park_timeout(Duration::from_millis(1));
    }
    assert_eq!(mock.stop().faults["refuse"], 2);
}

#[test]
fn faults_are_checked_before_the_start_and_counted_at_the_end() {
    let output = run(&["run", "--mock", "--fault", "reset-in-bdy=1%"]);
    assert_eq!(output.status.code(), Some(2));
    let printed = text(&output);
    assert!(
        printed.contains("did you mean \"reset-in-body\"?"),
        "{printed}"
    );

    let mut server = opsurge(&["mock", "--listen", "127.0.0.1:0", "-t", "60s"])
        .args(["--fault", "status-500=100%"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut lines = BufReader::new(server.stdout.take().expect("piped")).lines();
    let mut line = || {
        lines
            .next()
            .expect("the stand-in prints a line")
            .expect("the line is UTF-8")
    };
    let first = line();
    let url = first.split(' ').find(|word| word.starts_with("http://"));
    let output = run(&[
        "request",
        &format!("{}/health", url.expect("the line has the address")),
    ]);
    assert!(text(&output).contains("HTTP/1.1 500"), "{}", text(&output));
    let id = nix::unistd::Pid::from_raw(i32::try_from(server.id()).expect("a process id fits"));
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGINT).expect("the stand-in runs");
    while line() != format!("{:>14}  fault status-500", 1) {}
    server.wait().expect("the stand-in ends");
}
