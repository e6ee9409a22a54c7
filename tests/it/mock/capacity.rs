//! The known capacity of the stand-in is exact, serves first come first served, and keeps the order of each
//! connection's answers.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::binary::{check_sums, record_of, run, text};
use opsurge::mock::{Capacity, Mock, MockConfig};

const WORKERS: usize = 4;
const SERVICE_TIME: Duration = Duration::from_millis(5);

fn start(threads: usize) -> Mock {
    let config = MockConfig {
        cores: vec![Some(0); threads],
        capacity: Some(Capacity {
            workers: WORKERS,
            service_time: SERVICE_TIME,
        }),
        ..MockConfig::default()
    };
    Mock::start(&config).expect("loopback has a free port")
}

/// The statuses of all answers until the end of the stream, in order.
fn statuses_until_end(stream: &mut TcpStream) -> Vec<String> {
    let mut text = String::new();
    stream
        .read_to_string(&mut text)
        .expect("the stand-in closes");
    let heads = text.split("HTTP/1.1 ").skip(1);
    heads.map(|head| head[..3].to_owned()).collect()
}

#[test]
fn a_burst_takes_exactly_the_time_that_the_workers_need() {
    const CONNECTIONS: usize = 20;
    const EACH: usize = 25;
    for threads in [1, 3] {
        let mock = start(threads);
        let mut streams: Vec<TcpStream> = (0..CONNECTIONS)
            .map(|_| TcpStream::connect(mock.address()).expect("the stand-in listens"))
            .collect();
        let burst = "GET /nowhere HTTP/1.1\r\n\r\n".repeat(EACH - 1)
            + "GET /nowhere HTTP/1.1\r\nConnection: close\r\n\r\n";
        let began = Instant::now();
        for stream in &mut streams {
            stream
                .write_all(burst.as_bytes())
                .expect("the stand-in reads");
        }
        for stream in &mut streams {
            assert_eq!(statuses_until_end(stream), vec!["404"; EACH]);
        }
        let took = began.elapsed();
        let least = SERVICE_TIME * (CONNECTIONS * EACH / WORKERS) as u32;
        assert!(took >= least, "{took:?} is less than {least:?}");
        // 1 % for the network, and 150 ms for a busy test machine to wake the threads.
        let most = least + least / 100 + Duration::from_millis(150);
        assert!(took < most, "{took:?} is much more than {least:?}");
        assert_eq!(mock.stop().requests("*", "other"), 500);
    }
}

#[test]
fn answers_keep_the_order_of_their_requests_and_health_takes_no_worker() {
    let mock = start(2);
    let mut busy = TcpStream::connect(mock.address()).expect("the stand-in listens");
    let mixed =
        "GET /nowhere HTTP/1.1\r\n\r\nGET /health HTTP/1.1\r\n\r\nDELETE /health HTTP/1.1\r\n\r\n";
    let all = mixed.repeat(200) + "GET /health HTTP/1.1\r\nConnection: close\r\n\r\n";
    busy.write_all(all.as_bytes()).expect("the stand-in reads");
    // The first answer shows that all requests have been read; the workers have 0.5 s of work ahead.
    busy.peek(&mut [0]).expect("an answer arrives");
    let began = Instant::now();
    let mut other = TcpStream::connect(mock.address()).expect("the stand-in listens");
    other
        .write_all(b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n")
        .expect("the stand-in reads");
    assert_eq!(statuses_until_end(&mut other), ["200"]);
    assert!(began.elapsed() < Duration::from_millis(400));
    let mut expected = ["404", "200", "405"].repeat(200);
    expected.push("200");
    assert_eq!(statuses_until_end(&mut busy), expected);
}

#[test]
fn answers_to_a_client_that_has_left_are_not_counted_and_stopping_waits_for_no_worker() {
    let mock = start(1);
    let mut stream = TcpStream::connect(mock.address()).expect("the stand-in listens");
    let all = "GET /nowhere HTTP/1.1\r\n\r\n".repeat(400);
    stream
        .write_all(all.as_bytes())
        .expect("the stand-in reads");
    stream.peek(&mut [0]).expect("an answer arrives");
    drop(stream);
    let mut stream = TcpStream::connect(mock.address()).expect("the stand-in listens");
    stream
        .write_all(all.as_bytes())
        .expect("the stand-in reads");
    let mut end = TcpStream::connect(mock.address()).expect("the stand-in listens");
    end.write_all(b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n")
        .expect("the stand-in reads");
    assert_eq!(statuses_until_end(&mut end), ["200"]);
    let began = Instant::now();
    let answered = mock.stop().requests("*", "other");
    assert!(began.elapsed() < Duration::from_millis(400));
    assert!((1..100).contains(&answered), "{answered}");
}

#[test]
fn a_run_gets_the_capacity_and_no_more() {
    let arguments = [
        "--mock",
        "--mock-workers",
        "4",
        "--mock-service-time",
        "5ms",
        "--get",
        "/nowhere",
        "-u",
        "20",
        "-r",
        "10000",
        "-t",
        "2s",
    ];
    let (record, printed) = record_of(&arguments, 1);
    check_sums(&record);
    // It is never more. How much less it is depends on the load of this machine; on an idle one it is none.
    let share = record.totals.rps / 800.0;
    assert!((0.5..1.005).contains(&share), "{printed}");
    // By Little's law 20 users at 800 requests per second wait for 25 ms.
    let mean_us = record.steps[0].failures_us.mean.expect("there are answers");
    assert!(mean_us > 24_000.0, "{mean_us}");
    let stand_in = record.stand_in.expect("the run had a stand-in");
    assert_eq!(stand_in.answers["* other 404"], record.totals.requests);
}

#[test]
fn half_a_capacity_and_no_capacity_are_refused_with_the_cure() {
    let check = |arguments: &[&str], part: &str| {
        for command in [&["mock", "--listen", "127.0.0.1:0"][..], &["run", "--mock"]] {
            let output = run(&[command, arguments].concat());
            let printed = text(&output);
            assert_eq!(output.status.code(), Some(2), "{printed}");
            assert!(printed.contains(part), "{printed}");
        }
    };
    check(
        &["--mock-workers", "8"],
        "add for example --mock-service-time 10ms",
    );
    check(
        &["--mock-service-time", "9ms"],
        "add for example --mock-workers 8",
    );
    for workers in ["0", "-1", "many"] {
        let arguments = ["--mock-workers", workers, "--mock-service-time", "1ms"];
        check(
            &arguments,
            &format!("--mock-workers {workers}: give a whole number from 1"),
        );
    }
    for (time, part) in [("0", "above 0"), ("-1s", "negative"), ("5parsecs", "unit")] {
        check(&["--mock-workers", "1", "--mock-service-time", time], part);
    }
}
