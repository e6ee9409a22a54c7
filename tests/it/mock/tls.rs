//! The stand-in over HTTPS: in one command with the run, and with faults of its handshakes.

use std::process::Output;

use opsurge::record::schema::Record;

use crate::support::binary::{check_sums, opsurge, text};

/// A run against the stand-in over HTTPS: its output and its record.
fn run(more: &[&str]) -> (Output, Record) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("run.json");
    let output = opsurge(&["run", "--mock", "--tls", "--headless", "--watch", "none"])
        .args(["-u", "4", "--wait", "1ms", "--pause", "0"])
        .args(more)
        .arg("--json")
        .arg(&path)
        .output()
        .expect("the binary was built");
    let record = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{}", text(&output)));
    let record = Record::parse(&record).expect("it is a record");
    check_sums(&record);
    (output, record)
}

fn agrees(record: &Record) -> bool {
    record.stand_in.as_ref().is_some_and(|it| it.agrees)
}

#[test]
fn a_run_against_an_encrypted_stand_in_is_one_command() {
    for io in ["uring", "epoll"] {
        for more in [
            &[][..],
            &["--mock-workers", "4", "--mock-service-time", "1ms"],
        ] {
            let (output, record) = run(&[&["--iterations", "100", "--io", io], more].concat());
            assert_eq!(output.status.code(), Some(0), "{io}: {}", text(&output));
            assert!(agrees(&record), "{io} {more:?}: {}", text(&output));
            assert!(record.run.host.starts_with("https://127.0.0.1:"));
            let tls = record.tls.expect("it was encrypted");
            assert!(!tls.insecure && tls.full_us.count > 0);
        }
    }
}

#[test]
fn an_impaired_stand_in_spoils_encrypted_answers() {
    let (output, record) = run(&["-t", "2s", "--fault", "close-in-body=20%"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let kinds: Vec<&str> = record.errors.iter().map(|it| it.kind.as_str()).collect();
    assert!(kinds.contains(&"incomplete"), "{kinds:?}");
}

/// A reset of the encrypted connection itself, not an announced end.
#[test]
fn resets_are_played_on_encrypted_connections() {
    for io in ["uring", "epoll"] {
        let faults = ["reset-before-head", "reset-in-head", "reset-in-body"];
        let flags = faults.map(|fault| format!("--fault={fault}=15%"));
        let load = ["--iterations", "120", "--io", io];
        let flags = flags.iter().map(String::as_str).chain(load);
        let (output, record) = run(&flags.collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        let kinds: Vec<&str> = record.errors.iter().map(|it| it.kind.as_str()).collect();
        for fault in faults {
            assert!(kinds.contains(&fault), "{io}: {fault} is not in {kinds:?}");
        }
        let all_reset = kinds.iter().all(|kind| kind.starts_with("reset-"));
        assert!(all_reset, "{io}: {kinds:?}");
        let stand_in = record.stand_in.expect("there is one");
        for fault in faults {
            assert!(stand_in.faults[fault] > 2, "{:?}", stand_in.faults);
        }
    }
}

#[test]
fn faults_of_handshakes_have_their_kinds() {
    // A connection for each request, so that handshakes go on for as long as the run.
    let per_request = ["--header", "Connection: close", "-t", "2s"];
    for (fault, kind) in [
        ("alert=30%", "tls-alert"),
        ("cut-handshake=30%", "tls-closed"),
    ] {
        let flags = [&per_request[..], &["--tls-fault", fault]].concat();
        // The handshake before the load may meet it too: then there is no run.
        let (output, record) = run(&flags);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        let found = record.errors.iter().find(|error| error.kind == kind);
        let found = found.unwrap_or_else(|| panic!("{fault}: {:?}", record.errors));
        assert!(found.hint.is_some(), "{found:?}");
        let stand_in = record.stand_in.expect("there is one");
        assert!(stand_in.faults.values().sum::<u64>() > 0);
    }
    let slow = [
        "-t",
        "2s",
        "--timeout",
        "500ms",
        "--tls-fault",
        "slow-handshake=40%",
    ];
    let (_, record) = run(&slow);
    let kinds: Vec<&str> = record.errors.iter().map(|it| it.kind.as_str()).collect();
    assert!(kinds.contains(&"tls-timeout"), "{kinds:?}");
}

#[test]
fn tickets_that_are_refused_cost_full_handshakes() {
    let close = ["--header", "Connection: close", "--iterations", "40"];
    let resumed = |record: Record| record.tls.expect("it was encrypted").resumed_us.count;
    let (output, record) = run(&close);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(resumed(record) > 20);
    let (output, record) = run(&[&close[..], &["--tls-fault", "no-resume"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!(resumed(record), 0);
}

#[test]
fn an_expired_certificate_is_said_before_the_load() {
    let output = opsurge(&[
        "run",
        "--mock",
        "--tls",
        "--tls-fault",
        "expired",
        "-t",
        "1s",
    ])
    .output()
    .expect("the binary was built");
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(text(&output).contains("has expired"), "{}", text(&output));
}

#[test]
fn a_client_elsewhere_trusts_the_saved_certificate() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let saved = folder.path().join("mock.pem");
    let path = saved.to_str().expect("UTF-8");
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("loopback has a free port")
        .port();
    let listen = format!("127.0.0.1:{port}");
    let mut mock = opsurge(&["mock", "--tls", "--tls-save", path, "--listen", &listen])
        .args(["--threads", "1", "-t", "30s"])
        .spawn()
        .expect("the binary was built");
    crate::support::binary::wait_until("the certificate is there", || saved.exists());
    let output = opsurge(&[
        "request",
        &format!("https://{listen}/health"),
        "--cacert",
        path,
    ])
    .output()
    .expect("the binary was built");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    mock.signal(nix::sys::signal::Signal::SIGINT);
    mock.wait().expect("it ends");
}
