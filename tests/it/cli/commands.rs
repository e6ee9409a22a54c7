//! Commands of the real binary over loopback: arguments, output, exit codes.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::binary::{check_sums, opsurge, record_of, run, statuses, text};
use crate::support::raw_server::RawServer;
use crate::support::refused_address::RefusedAddress;
use nix::sys::signal::Signal;
use opsurge::record::schema::Record;

#[test]
fn the_main_job_ends_with_a_verdict_and_counts_that_the_stand_in_confirms() {
    let arguments = [
        "--mock",
        "--users",
        "20",
        "--wait",
        "0",
        "--pause",
        "0",
        "-t",
        "4s",
        "--mock-ready-after",
        "2",
    ];
    let (record, printed) = record_of(&arguments, 0);
    check_sums(&record);
    assert!(printed.contains(" requests, "), "{printed}");
    let stand_in = record.stand_in.as_ref().expect("it had one");
    assert!(
        stand_in.agrees,
        "{:?} {:?}",
        stand_in.answers,
        statuses(&record)
    );
    let names: Vec<&str> = record.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "/v1/opscore/internal/agent/notify",
            "/v1/opscore/agent/[id]/state",
            "/v1/opscore/agent/[id]/workflow"
        ]
    );
    assert_eq!((record.totals.failures, record.totals.cut_off), (0, 0));
    assert_eq!(
        record.steps[1].statuses,
        BTreeMap::from([("200".into(), 40), ("404".into(), 20)])
    );
    assert!(record.steps[2].requests > 1_000);
    assert_eq!(record.polls[0].ready, 20);
    assert_eq!(record.run.ended_by, "time");
}

#[test]
fn an_agent_of_the_stand_in_is_ready_at_its_registration_as_in_the_real_service() {
    let quick = [
        "--mock", "-u", "30", "-r", "1000", "--pause", "0", "-t", "1s",
    ];
    for (scenario, step) in [("workflow", 1), ("state-updates", 1), ("mixed", 2)] {
        let arguments = [&[scenario, "--wait", "1ms..5ms"], &quick[..]].concat();
        let (record, printed) = record_of(&arguments, 0);
        let statuses = &record.steps[step].statuses;
        assert_eq!(record.steps[step].method, "GET");
        assert_eq!(
            statuses.keys().collect::<Vec<_>>(),
            ["200"],
            "{scenario}: {printed}"
        );
        assert!(statuses["200"] >= 30 || scenario == "mixed", "{statuses:?}");
    }
}

#[test]
fn counts_and_their_nouns_agree() {
    let one = [
        "--mock",
        "minimal",
        "-u",
        "1",
        "--iterations",
        "1",
        "--shards",
        "1",
        "--wait",
        "0",
        "--report",
        "full",
    ];
    let (_, printed) = record_of(&one, 0);
    for part in [
        "with 1 user on",
        "for 1 iteration,",
        "load: 1 user,",
        ", 1 shard, connections",
    ] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    assert!(!printed.contains("(s)"), "{printed}");
    let open = [
        "--mock", "minimal", "--rate", "20", "-u", "7", "-t", "300ms",
    ];
    let (_, printed) = record_of(&open, 0);
    assert!(
        printed.contains(" by 7 users on") && !printed.contains("7 to 7"),
        "{printed}"
    );
    let unknown = text(&run(&["run", "No Such!", "--mock"]));
    assert!(
        unknown.contains("there is no such scenario. Built in: "),
        "{unknown}"
    );
    let near = text(&run(&["run", "mixd", "--mock"]));
    assert!(
        near.contains("did you mean \"mixed\"? Built in: "),
        "{near}"
    );
}

#[test]
fn a_status_of_no_class_is_counted_and_shown() {
    let server = RawServer::start(|peer| {
        let answer = b"HTTP/1.1 799 Odd\r\nContent-Length: 2\r\n\r\nno";
        while peer.request().is_some() && peer.answer(answer) {}
    });
    let url = format!("{}/", server.url());
    let (record, printed) = record_of(&["--get", &url, "-u", "1", "--iterations", "5"], 1);
    assert_eq!(
        record.steps[0].statuses,
        BTreeMap::from([("799".into(), 5)])
    );
    assert_eq!((record.totals.failures, record.totals.retried), (5, 0));
    assert!(
        printed.contains("FAILED: 5 of 5 GET / answered 799"),
        "{printed}"
    );
    assert!(printed.contains("HTTP defines no such status"), "{printed}");
    let output = text(&run(&["request", &url]));
    assert!(output.contains("status 799, 2 bytes of body"), "{output}");
}

#[test]
fn both_drivers_and_any_number_of_shards_give_the_same_counts_for_a_seed() {
    let arguments = |io| {
        [
            "--mock",
            "-u",
            "10",
            "--wait",
            "0..20ms",
            "--pause",
            "0",
            "--iterations",
            "100",
            "--seed",
            "7",
            "--io",
            io,
        ]
    };
    let (uring, _) = record_of(&arguments("auto"), 0);
    let (epoll, _) = record_of(&arguments("epoll"), 0);
    let three: Vec<&str> = [&arguments("auto")[..], &["--shards", "3"]].concat();
    let (three, _) = record_of(&three, 0);
    let pooled: Vec<&str> = [&arguments("epoll")[..], &["--connections", "2"]].concat();
    let (pooled, _) = record_of(&pooled, 0);
    assert_eq!(epoll.run.backend, "epoll");
    for record in [&uring, &epoll, &three, &pooled] {
        check_sums(record);
        assert_eq!(statuses(record), statuses(&uring));
        assert_eq!(record.run.ended_by, "iterations");
    }
    assert_eq!(uring.steps[2].statuses["202"], 100);
    assert!((1..=2).contains(&pooled.totals.connections_opened));
}

#[test]
fn published_500s_cannot_be_missed() {
    let arguments = [
        "--mock",
        "--mock-published-500",
        "--mock-ready-after",
        "0",
        "-u",
        "5",
        "--wait",
        "10ms",
        "--pause",
        "0",
        "-t",
        "1s",
    ];
    let (record, printed) = record_of(&arguments, 1);
    check_sums(&record);
    let work = &record.steps[2];
    assert!(work.requests > 0 && work.failures == work.requests);
    assert!(printed.contains("answered 500 (100 %)"), "{printed}");
    assert!(
        printed.contains("Ops-Core as published answers 500"),
        "{printed}"
    );
    assert!(record.errors[0].detail.contains("Internal Server Error"));
    assert_eq!(work.failures_us.count, work.failures);
}

#[test]
fn a_wrong_key_is_named_as_the_cause_and_never_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let json = folder.path().join("r.json");
    let output = opsurge(&[
        "run",
        "--mock",
        "-u",
        "3",
        "--wait",
        "50ms",
        "--pause",
        "0",
        "-t",
        "1s",
        "--log-level",
        "trace",
        "--json",
    ])
    .arg(&json)
    .env("OPSCORE_API_KEY", "canary-5ecret")
    .output()
    .expect("the binary starts");
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(
        printed.contains("answered 401") && printed.contains("the API key was refused"),
        "{printed}"
    );
    let record = std::fs::read_to_string(&json).expect("the record was written");
    assert!(!printed.contains("canary-5ecret") && !record.contains("canary-5ecret"));
}

#[test]
fn nobody_listening_is_said_within_five_seconds() {
    let refused = RefusedAddress::new();
    let began = Instant::now();
    let output = run(&["run", "--host", &refused.url(), "-t", "10s"]);
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(output.status.code(), Some(3));
    assert!(
        text(&output).contains("nothing accepts connections at"),
        "{}",
        text(&output)
    );
}

#[test]
fn wrong_use_is_refused_before_anything_is_sent() {
    let check = |arguments: &[&str], part: &str| {
        let output = run(arguments);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {}",
            text(&output)
        );
        assert!(
            text(&output).contains(part),
            "{arguments:?}: {}",
            text(&output)
        );
    };
    check(&["run"], "--host http://localhost:8000");
    check(
        &["run", "--mock", "-u", "0"],
        "--users 0: give a whole number from 1",
    );
    check(&["run", "--mock", "-r", "-1"], "--spawn-rate");
    check(&["run", "--mock", "-r", "1e12"], "--spawn-rate 1e12");
    check(&["run", "--mock", "-t", "0"], "--run-time 0");
    check(&["run", "--mock", "-t", "5parsecs"], "no unit");
    check(&["run", "--mock", "--wait", "2s..1s"], "--wait");
    check(
        &["run", "--mock", "--connections", "many"],
        "--connections many",
    );
    check(&["run", "wrokflow", "--mock"], "did you mean \"workflow\"?");
    check(
        &["run", "--mock", "--json", "/nowhere/at/all.json"],
        "there is no folder /nowhere/at",
    );
    check(&["run", "--mock", "--usres", "5"], "--users");
    check(
        &["scenarios", "show", "workfow"],
        "did you mean \"workflow\"?",
    );
    check(
        &["request", "http://localhost", "--header", "no colon"],
        "NAME: VALUE",
    );
    check(&["mock", "--listen", "nowhere"], "--listen nowhere");
}

#[test]
fn ctrl_c_drains_and_reports() {
    let folder = tempfile::tempdir().expect("a folder");
    let json = folder.path().join("r.json");
    let mut child = opsurge(&[
        "run", "--mock", "-u", "5", "--wait", "1ms", "--pause", "0", "--json",
    ])
    .arg(&json)
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .expect("the binary starts");
    // The binary handles signals before it prints this line. Without a time limit only a signal ends the run.
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let first = lines.next().expect("it speaks").expect("UTF-8");
    assert!(first.starts_with("running scenario workflow"), "{first}");
    child.signal(Signal::SIGINT);
    let mut printed = String::new();
    child
        .stdout
        .take()
        .expect("piped")
        .read_to_string(&mut printed)
        .expect("UTF-8");
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(130), "{printed}");
    assert!(printed.contains("ended by a signal"), "{printed}");
    let record = std::fs::read_to_string(&json).expect("the record was written");
    let record = Record::parse(&record).expect("it is a record");
    check_sums(&record);
    assert_eq!(record.run.ended_by, "signal");
}

#[test]
fn csv_files_have_exactly_locusts_columns() {
    let folder = tempfile::tempdir().expect("a folder");
    let prefix = folder.path().join("out");
    let output = opsurge(&[
        "run",
        "--mock",
        "--headless",
        "--users",
        "5",
        "--spawn-rate",
        "50",
        "--wait",
        "5ms",
        "--pause",
        "0",
        "-t",
        "3s",
        "--mock-ready-after",
        "0",
        "--csv-full-history",
        "--csv",
    ])
    .arg(&prefix)
    .output()
    .expect("the binary starts");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let read = |ending: &str| {
        let path = folder.path().join(format!("out{ending}"));
        std::fs::read_to_string(path).expect("it was written")
    };
    let percents = "50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%";
    let stats = read("_stats.csv");
    let expected = format!(
        "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,{percents}"
    );
    assert_eq!(stats.lines().next(), Some(expected.as_str()));
    let rows: Vec<Vec<&str>> = stats
        .lines()
        .skip(1)
        .map(|row| row.split(',').collect())
        .collect();
    assert_eq!(rows.len(), 4);
    let count = |row: &[&str]| row[2].parse::<u64>().expect("a count");
    assert_eq!(rows[3][..2], ["", "Aggregated"]);
    assert_eq!(
        count(&rows[3]),
        rows[..3].iter().map(|row| count(row)).sum::<u64>()
    );
    let history = read("_stats_history.csv");
    let expected = format!(
        "Timestamp,User Count,Type,Name,Requests/s,Failures/s,{percents},Total Request Count,Total Failure Count,Total Median Response Time,Total Average Response Time,Total Min Response Time,Total Max Response Time,Total Average Content Size"
    );
    assert_eq!(history.lines().next(), Some(expected.as_str()));
    for row in history.lines() {
        assert_eq!(row.split(',').count(), 24, "{row}");
    }
    let last: Vec<&str> = history.lines().last().expect("rows").split(',').collect();
    assert_eq!((last[3], last[17]), ("Aggregated", rows[3][2]));
    assert_eq!(
        read("_failures.csv"),
        "Method,Name,Error,Occurrences,First Seen,Last Seen\n"
    );
    assert_eq!(read("_exceptions.csv"), "Count,Message,Traceback,Nodes\n");
}

#[test]
fn a_request_is_shown_whole_and_its_key_is_not() {
    let mut server = opsurge(&["mock", "--listen", "127.0.0.1:0", "-t", "60s"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut lines = BufReader::new(server.stdout.take().expect("piped")).lines();
    let first = lines.next().expect("it speaks").expect("UTF-8");
    let url = first
        .split(' ')
        .find(|word| word.starts_with("http://"))
        .expect("its address")
        .to_owned();
    let output = run(&[
        "request",
        &format!("{url}/v1/opscore/agent/x/state"),
        "--header",
        "Authorization: Bearer test-api-key",
    ]);
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(
        printed.contains("No state found for agent x") && printed.contains("< HTTP/1.1 404"),
        "{printed}"
    );
    assert!(
        printed.contains("***") && !printed.contains("test-api-key"),
        "{printed}"
    );
    for io in ["auto", "epoll"] {
        let output = run(&["request", "--json", "--io", io, &format!("{url}/health")]);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(
            (&report["outcome"], &report["status"], &report["body_bytes"]),
            (&"ok".into(), &200.into(), &15.into())
        );
        assert_eq!(report["reusable"], true);
    }
    server.signal(Signal::SIGINT);
    let status = server.wait().expect("it ends");
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_request_without_an_answer_says_what_happened() {
    let server = RawServer::start(|peer| {
        let answers = [
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
            "SSH-2.0-OpenSSH_9\r\n",
        ];
        let request = peer.request().expect("a request");
        peer.answer(answers[request.number].as_bytes());
    });
    let url = format!("{}/", server.url());
    for outcome in ["incomplete", "invalid-response"] {
        let output = run(&["request", "--json", &url]);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(report["outcome"], outcome, "{report}");
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn a_second_ctrl_c_stops_at_once_and_what_was_under_way_is_cut_off() {
    // The kernel accepts connections; no request is answered.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let folder = tempfile::tempdir().expect("a folder");
    let json = folder.path().join("r.json");
    let mut child = opsurge(&["run", "--host", &url, "-u", "3", "-r", "1000", "--json"])
        .arg(&json)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let mut line = || lines.next().expect("it speaks").expect("UTF-8");
    while !line().starts_with("running") {}
    // The trial connection, then one per user with its request.
    let _trial = listener.accept().expect("it connects");
    let users: Vec<_> = (0..3)
        .map(|_| listener.accept().expect("it connects").0)
        .collect();
    for mut user in &users {
        user.read_exact(&mut [0; 64]).expect("it sends");
    }
    let began = Instant::now();
    child.signal(Signal::SIGINT);
    while !line().starts_with("interrupted") {}
    child.signal(Signal::SIGINT);
    let status = child.wait().expect("it ends");
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "the drain would last 5 s"
    );
    assert_eq!(status.code(), Some(130));
    let record = std::fs::read_to_string(&json).expect("the record was written");
    let record = Record::parse(&record).expect("it is a record");
    check_sums(&record);
    assert_eq!((record.totals.sent, record.totals.cut_off), (3, 3));
}

#[test]
fn a_server_that_goes_and_comes_back_costs_failures_and_nothing_else() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let folder = tempfile::tempdir().expect("a folder");
    let scenario = folder.path().join("get.toml");
    std::fs::write(
        &scenario,
        "name = \"get\"\n[[task]]\nmethod = \"GET\"\npath = \"/\"\n",
    )
    .expect("written");
    let serve = |listener: &TcpListener, answers: usize| {
        let mut served = 0;
        while served < answers {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut buffer = [0; 1024];
            while served < answers && stream.read(&mut buffer).is_ok_and(|count| count > 0) {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                std::io::Write::write_all(&mut stream, answer).expect("it reads");
                served += 1;
            }
        }
    };
    let server = std::thread::spawn(move || {
        serve(&listener, 50);
        drop(listener);
        let again = loop {
            match TcpListener::bind(address) {
                Ok(listener) => break listener,
                Err(_) => std::thread::yield_now(),
            }
        };
        serve(&again, 50);
    });
    let scenario = scenario.to_str().expect("UTF-8");
    let host = format!("http://{address}");
    let arguments = [
        scenario, "--host", &host, "-u", "1", "--wait", "1ms", "-t", "2s",
    ];
    let (record, printed) = record_of(&arguments, 1);
    server.join().expect("it served both times");
    check_sums(&record);
    assert_eq!(record.steps[0].statuses["200"], 100, "{printed}");
    for error in &record.errors {
        let known = ["connect-refused", "closed-before-head", "reset-before-head"];
        assert!(known.contains(&error.kind.as_str()), "{printed}");
    }
    // The pause between attempts grows to half a second: some refusals in three seconds, not thousands.
    assert!(record.totals.failures < 60, "{printed}");
}
