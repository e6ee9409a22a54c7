//! Several users' requests on one connection: exactly, on a virtual clock, then over loopback.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::binary::{
    check_sums as check_record, record_of, run as run_binary, statuses, text,
};
use crate::support::raw_server::{OK, RawServer};
use crate::support::sim_server;
use opsurge::engine::driver_config;
use opsurge::engine::plan::{Connections, Lifetime, Plan};
use opsurge::engine::shard::Outcomes;
use opsurge::io::{ConnectionId, Sockets};
use opsurge::load::closed::Closed;
use opsurge::scenario::format::compile::Context;
use opsurge::scenario::wait::Wait;
use opsurge::sim::{Network, Reply, Service};
use opsurge_testbed::plans;

const SECOND_NS: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;

/// Users that send one request each, `GET /0`, `GET /1` and so on, over one connection.
fn plan(method: &str, users: u64, depth: usize) -> Plan {
    let text = format!(
        "name = \"x\"\nwait = \"0\"\n[variables]\nn = \"{{{{sequence}}}}\"\n[[task]]\nmethod = \"{method}\"\npath = \"/{{{{n}}}}\"\nname = \"one\""
    );
    let context = Context {
        wait: Some(Wait::parse("0").expect("a wait")),
        ..Context::plain()
    };
    Plan {
        timeout_ns: 2 * SECOND_NS,
        connections: Connections::Shared { count: 1, depth },
        ..plans::plan(
            plans::scenario_with(&text, &context),
            Closed::at_rate(users, 1e9).with_iterations(Some(users)),
        )
    }
}

/// A server's replies to a piece of received data, given its bytes, the methods and paths of its requests, and the number
/// of its connection.
type Script = Box<dyn FnMut(&[u8], &[String], u32) -> Vec<Reply>>;

/// A server that follows a script, and keeps the requests of each piece with the number of their connection.
struct Scripted {
    script: Script,
    pieces: Vec<(u32, Vec<String>)>,
}

impl Service for Scripted {
    fn on_connect(&mut self, _: ConnectionId, _: u64) {}

    fn on_bytes(&mut self, on: ConnectionId, bytes: &[u8], _: u64, replies: &mut Vec<Reply>) {
        let text = String::from_utf8_lossy(bytes);
        let lines = text
            .lines()
            .filter_map(|line| line.strip_suffix(" HTTP/1.1"));
        let lines: Vec<String> = lines.map(str::to_owned).collect();
        replies.extend((self.script)(bytes, &lines, on.generation));
        self.pieces.push((on.generation, lines));
    }

    fn on_close(&mut self, _: ConnectionId) {}
}

struct ScriptedRun {
    outcomes: Outcomes,
    pieces: Vec<(u32, Vec<String>)>,
}

impl ScriptedRun {
    fn new(plan: &Plan, mut script: impl FnMut(&[String], u32) -> Vec<Reply> + 'static) -> Self {
        Self::by(plan, Box::new(move |_, lines, on| script(lines, on)))
    }

    fn with_bytes(plan: &Plan, mut script: impl FnMut(&[u8]) -> Vec<Reply> + 'static) -> Self {
        Self::by(plan, Box::new(move |bytes, _, _| script(bytes)))
    }

    fn by(plan: &Plan, script: Script) -> Self {
        let config = driver_config(plan, &Sockets::default(), 0);
        let service = Scripted {
            script,
            pieces: Vec::new(),
        };
        let sim = opsurge::sim::Sim::new(&config, service, Network::calm(MS), 1);
        let no_observer = Box::new(|_, _: &mut _| {});
        let control = opsurge::engine::Control::default();
        let (outcomes, sim) = sim_server::drive(plan, 0, sim, &control, no_observer);
        assert_eq!(sim.buffers_out(), 0, "buffers are missing");
        sim_server::check_sums(&outcomes.recorder.counts.steps, 1);
        Self {
            outcomes,
            pieces: sim.service.pieces,
        }
    }

    /// Answers by status, and failures by kind, as text.
    fn ends(&self) -> Vec<String> {
        let step = &self.outcomes.recorder.counts.steps[0];
        let statuses = step.statuses.iter().enumerate();
        let statuses = statuses.filter(|(_, count)| **count > 0);
        let mut ends: Vec<String> = statuses
            .map(|(status, count)| format!("{count} {status}"))
            .collect();
        let errors = step.errors.iter().filter(|error| error.status == 0);
        let mut errors: Vec<String> = errors
            .map(|error| format!("{} {}", error.count, error.failure.name()))
            .collect();
        errors.sort();
        ends.extend(errors);
        ends
    }

    fn check(&self, ends: &[&str], retried: u64, pieces: &[(u32, &[&str])]) {
        assert_eq!(self.ends(), ends);
        let step = &self.outcomes.recorder.counts.steps[0];
        assert_eq!(step.retried, retried);
        let came: Vec<(u32, Vec<&str>)> = self
            .pieces
            .iter()
            .map(|(on, lines)| (*on, lines.iter().map(String::as_str).collect()))
            .collect();
        let expected: Vec<(u32, Vec<&str>)> = pieces
            .iter()
            .map(|(on, lines)| (*on, lines.to_vec()))
            .collect();
        assert_eq!(came, expected);
    }
}

/// An answer whose body names its request.
fn answer(status: u16, line: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{line}",
        line.len()
    )
    .into_bytes()
}

/// The answers to all requests of a piece, joined.
fn answers(lines: &[String]) -> Vec<u8> {
    lines.iter().flat_map(|line| answer(200, line)).collect()
}

fn ok() -> Vec<u8> {
    answer(200, "ok")
}

const GETS: &[&str] = &["GET /0", "GET /1", "GET /2"];
const POSTS: &[&str] = &["POST /0", "POST /1", "POST /2"];

#[test]
fn a_batch_is_one_piece_and_its_answers_may_be_one_too() {
    let plan = plan("GET", 7, 3);
    let run = ScriptedRun::new(&plan, |lines, _| vec![Reply::Bytes(0, answers(lines))]);
    let pieces: [(u32, &[&str]); 3] = [
        (1, GETS),
        (1, &["GET /3", "GET /4", "GET /5"]),
        (1, &["GET /6"]),
    ];
    run.check(&["7 200"], 0, &pieces);
    assert_eq!(run.outcomes.recorder.counts.connects.count(), 1);
    // Two users waited while the connection was being opened, four while the batch before theirs was under way.
    let step = &run.outcomes.recorder.counts.steps[0];
    assert_eq!(run.outcomes.waited_in_line, 6);
    assert_eq!(step.service.max_us(), 2_000.0);
    assert!((7_999.9..=8_000.0).contains(&step.response.max_us()));
}

#[test]
fn a_request_that_says_close_is_the_last_on_its_connection_whatever_the_server_says() {
    let mut plan = plan("GET", 4, 3);
    let text = "name = \"x\"\nwait = \"0\"\n[variables]\nn = \"{{sequence}}\"\n[headers]\nConnection = \"close\"\n\
        [[task]]\nmethod = \"GET\"\npath = \"/{{n}}\"";
    plan.scenario = plans::scenario(text);
    // It keeps its side open; with the second script it closes in the same moment.
    for closes in [false, true] {
        let run = ScriptedRun::new(&plan, move |lines, _| {
            let mut replies = vec![Reply::Bytes(0, answers(lines))];
            replies.extend(closes.then_some(Reply::Close(0)));
            replies
        });
        let pieces: [(u32, &[&str]); 4] = [
            (1, &["GET /0"]),
            (2, &["GET /1"]),
            (3, &["GET /2"]),
            (4, &["GET /3"]),
        ];
        run.check(&["4 200"], 0, &pieces);
        assert_eq!(run.outcomes.recorder.counts.connects.count(), 4);
    }
}

#[test]
fn a_batch_with_more_long_stretches_than_one_send_carries_goes_out_in_parts() {
    let mut plan = plan("POST", 5, 5);
    // Three shared stretches in each request, around values; seven fit into one send.
    let long = "x".repeat(40_000);
    let text = format!(
        "name = \"x\"\nwait = \"0\"\n[variables]\nn = \"{{{{sequence}}}}\"\n[[task]]\nmethod = \"POST\"\n\
         path = \"/{{{{n}}}}\"\ntext = \"{long}<{{{{n}}}}>{long}<{{{{n}}}}>{long}\""
    );
    plan.scenario = plans::scenario(&text);
    assert_eq!(plan.scenario.shared().len(), 3);
    let pieces = Arc::new(Mutex::new(Vec::new()));
    let seen = pieces.clone();
    let run = ScriptedRun::with_bytes(&plan, move |bytes| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let count = text.matches(" HTTP/1.1\r\n").count();
        seen.lock().expect("no panic").push(text);
        vec![Reply::Bytes(0, ok().repeat(count))]
    });
    assert_eq!(run.ends(), ["5 200"]);
    let pieces = pieces.lock().expect("no panic");
    let counts: Vec<usize> = pieces
        .iter()
        .map(|text| text.matches(" HTTP/1.1\r\n").count())
        .collect();
    assert_eq!(counts, [2, 2, 1]);
    let bodies: Vec<&str> = pieces
        .iter()
        .flat_map(|text| text.split("POST /").skip(1))
        .map(|request| request.split_once("\r\n\r\n").expect("a head").1)
        .collect();
    for (n, body) in bodies.into_iter().enumerate() {
        assert!(body == format!("{long}<{n}>{long}<{n}>{long}"), "body {n}");
    }
}

#[test]
fn answers_go_to_their_requests_in_order_each_with_its_own_times() {
    let mut plan = plan("GET", 3, 3);
    let text = r#"
        name = "x"
        wait = "0"
        [[task]]
        [[task.step]]
        method = "GET"
        path = "/first"
        expect = { json = { "/is" = "GET /first" } }
        [[task.step]]
        method = "HEAD"
        path = "/second"
        [[task.step]]
        method = "GET"
        path = "/third"
        expect = { json = { "/is" = "GET /third" } }
    "#;
    plan.scenario = plans::scenario(text);
    plan.load = Closed::at_rate(3, 1e9).with_iterations(Some(30)).into();
    let body = |line: &str| format!("{{\"is\":\"{line}\"}}");
    // The server takes 5 ms for each request, one after the other.
    let run = ScriptedRun::new(&plan, move |lines, _| {
        let replies = lines.iter().zip(1..).map(|(line, nth)| {
            let head = match line.as_str() {
                "HEAD /second" => b"HTTP/1.1 200 X\r\nContent-Length: 99\r\n\r\n".to_vec(),
                line => [b"HTTP/1.1 103 X\r\n\r\n", &answer(200, &body(line))[..]].concat(),
            };
            Reply::Bytes(nth * 5 * MS, head)
        });
        replies.collect()
    });
    for step in &run.outcomes.recorder.counts.steps {
        assert_eq!((step.requests, step.failures), (30, 0), "{step:?}");
        assert_eq!(step.service.min_us(), 7_000.0);
    }
    let longest = run.outcomes.recorder.counts.steps.iter();
    let longest = longest.map(|step| step.service.max_us());
    assert_eq!(longest.fold(0.0, f64::max), 17_000.0);
}

#[test]
fn three_answers_are_the_same_wherever_they_are_cut() {
    let chunked = b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n2;a\r\nok\r\n0\r\n\r\n";
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n";
    let stream = [
        &ok()[..],
        &chunked[..],
        &interim[..],
        b"HTTP/1.1 204 X\r\n\r\n",
    ]
    .concat();
    for at in 1..stream.len() {
        for both in [false, true] {
            let stream = stream.clone();
            let run = ScriptedRun::new(&plan("GET", 3, 3), move |_, _| {
                let (first, rest) = stream.split_at(at);
                let (second, third) = rest.split_at(if both { rest.len() / 2 } else { 0 });
                let pieces = [first, second, third].into_iter();
                let pieces = pieces.filter(|piece| !piece.is_empty());
                let pieces = pieces.zip(0..);
                pieces
                    .map(|(piece, nth)| Reply::Bytes(nth * MS, piece.to_vec()))
                    .collect()
            });
            run.check(&["2 200", "1 204"], 0, &[(1, GETS)]);
            let step = &run.outcomes.recorder.counts.steps[0];
            assert_eq!(step.bytes_received as usize, stream_len(), "cut at {at}");
        }
    }
    fn stream_len() -> usize {
        ok().len() + 60 + 25 + 18
    }
}

/// Runs three users' requests on one connection. Its first piece is answered with `replies`, later ones correctly. Checks
/// how the requests ended, how many were sent again, and the further pieces.
fn check_broken(
    method: &str,
    replies: Vec<Reply>,
    ends: &[&str],
    retried: u64,
    more: &[(u32, &[&str])],
) {
    let mut replies = Some(replies);
    let run = ScriptedRun::new(&plan(method, 3, 3), move |lines, _| {
        let otherwise = || vec![Reply::Bytes(0, answers(lines))];
        replies.take().unwrap_or_else(otherwise)
    });
    let first = if method == "GET" { GETS } else { POSTS };
    let pieces = [&[(1, first)], more].concat();
    run.check(ends, retried, &pieces);
}

#[test]
fn a_request_that_is_not_idempotent_fails_with_its_connection_and_is_never_sent_again() {
    let reset = vec![Reply::Bytes(0, ok()), Reply::Reset(0)];
    let ends = ["1 200", "1 pipeline-broken", "1 reset-before-head"];
    check_broken("POST", reset, &ends, 0, &[]);
    let closed = vec![Reply::Bytes(0, ok()), Reply::Close(0)];
    let ends = ["1 200", "1 closed-before-head", "1 pipeline-broken"];
    check_broken("POST", closed, &ends, 0, &[]);
    let in_head = [&ok()[..], &ok()[..9]].concat();
    let in_head = vec![Reply::Bytes(0, in_head), Reply::Close(0)];
    let ends = ["1 200", "1 closed-in-head", "1 pipeline-broken"];
    check_broken("POST", in_head, &ends, 0, &[]);
}

#[test]
fn an_invalid_answer_fails_its_request_and_those_behind_it() {
    let invalid = [&ok()[..], b"garbage", &ok()[..]].concat();
    let ends = ["1 200", "1 invalid-response", "1 pipeline-broken"];
    for method in ["GET", "POST"] {
        let invalid = vec![Reply::Bytes(0, invalid.clone())];
        check_broken(method, invalid, &ends, 0, &[]);
    }
}

#[test]
fn bytes_after_the_last_answer_end_the_connection() {
    let surplus = [&ok()[..], &ok()[..], &ok()[..], &ok()[..]].concat();
    let mut plan = plan("GET", 6, 3);
    plan.load = plan.load.users().clone().with_iterations(Some(6)).into();
    let mut first = Some(surplus);
    let run = ScriptedRun::new(&plan, move |lines, _| {
        vec![Reply::Bytes(
            0,
            first.take().unwrap_or_else(|| answers(lines)),
        )]
    });
    run.check(
        &["6 200"],
        0,
        &[(1, GETS), (2, &["GET /3", "GET /4", "GET /5"])],
    );
}

#[test]
fn after_a_race_the_first_idempotent_request_goes_alone_and_then_the_others() {
    let more: [(u32, &[&str]); 2] = [(2, &["GET /1"]), (2, &["GET /2"])];
    for end in [Reply::Close(0), Reply::Reset(0)] {
        let replies = vec![Reply::Bytes(0, ok()), end];
        check_broken("GET", replies, &["3 200"], 2, &more);
    }
    // The close is announced in an answer: the server did not handle the requests behind it.
    let last = b"HTTP/1.1 200 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_vec();
    for replies in [
        vec![Reply::Bytes(0, last.clone())],
        vec![Reply::Bytes(0, last.clone()), Reply::Close(0)],
        vec![Reply::Bytes(0, last.clone()), Reply::Reset(0)],
    ] {
        check_broken("GET", replies.clone(), &["3 200"], 2, &more);
        check_broken("POST", replies, &["1 200", "2 pipeline-broken"], 0, &[]);
    }
}

#[test]
fn a_connection_that_never_worked_is_no_race() {
    let ends = ["1 closed-before-head", "2 pipeline-broken"];
    check_broken("GET", vec![Reply::Close(0)], &ends, 0, &[]);
}

#[test]
fn nothing_is_sent_a_third_time() {
    // Each connection answers one request, and closes before another answer.
    let run = ScriptedRun::new(&plan("GET", 4, 4), |_, _| {
        vec![Reply::Bytes(0, ok()), Reply::Close(5 * MS)]
    });
    let pieces: [(u32, &[&str]); 3] = [
        (1, &["GET /0", "GET /1", "GET /2", "GET /3"]),
        (2, &["GET /1"]),
        (2, &["GET /2", "GET /3"]),
    ];
    // The third request was sent for the second time when the second connection closed behind its answer.
    run.check(
        &["2 200", "1 closed-before-head", "1 pipeline-broken"],
        3,
        &pieces,
    );
}

#[test]
fn a_time_limit_is_each_requests_own_and_ends_the_connection() {
    let silent_after = |answered: usize| {
        let replies = vec![Reply::Bytes(0, ok()); answered];
        ScriptedRun::new(&plan("GET", 3, 3), move |_, _| replies.clone())
    };
    let run = silent_after(1);
    // They were begun a nanosecond apart: the last one had not reached its time limit.
    run.check(
        &["1 200", "1 pipeline-broken", "1 timeout"],
        0,
        &[(1, GETS)],
    );
    assert_eq!(run.outcomes.last_done_ns, 2 * SECOND_NS + 1);

    let mut plan = plan("GET", 2, 3);
    let text = r#"
        name = "x"
        wait = "0"
        [[task]]
        [[task.step]]
        name = "patient"
        method = "GET"
        path = "/patient"
        [[task.step]]
        name = "hasty"
        method = "GET"
        path = "/hasty"
        timeout = "300ms"
    "#;
    plan.scenario = plans::scenario(text);
    plan.load = Closed::at_rate(2, 1.0).with_iterations(Some(2)).into();
    plan.timeout_ns = 10 * SECOND_NS;
    // The first user's second step and the second user's first are on the way together.
    let run = ScriptedRun::new(&plan, |lines, _| match lines {
        [one] if one == "GET /patient" => vec![Reply::Bytes(998 * MS, ok())],
        _ => Vec::new(),
    });
    let steps = &run.outcomes.recorder.counts.steps;
    let kinds: Vec<Vec<&str>> = steps
        .iter()
        .map(|step| step.errors.iter().map(|e| e.failure.name()).collect())
        .collect();
    let both_ways = run.pieces.iter().any(|(_, lines)| lines.len() == 2);
    assert!(both_ways, "{:?}", run.pieces);
    assert_eq!(kinds, [vec!["pipeline-broken"], vec!["timeout"]]);
    // It was due 2 ms before it was begun: the connection was not open when its user came.
    assert_eq!(steps[1].failed.max_us(), 302_000.0);
}

#[test]
fn a_connection_that_opens_too_late_fails_only_those_whose_time_is_over() {
    let mut plan = plan("GET", 3, 3);
    plan.timeout_ns = 300 * MS;
    let slow = Network {
        black_hole: 1.0,
        ..Network::calm(MS)
    };
    let server = sim_server::Server::new(|_: &sim_server::Seen| sim_server::Answer::new(200, ""));
    let (outcomes, _) = sim_server::run(&plan, 0, server, slow, 1);
    let step = &outcomes.recorder.counts.steps[0];
    sim_server::check_sums(&outcomes.recorder.counts.steps, 1);
    assert_eq!((step.requests, step.failures), (3, 3));
    assert_eq!(step.errors[0].failure.name(), "connect-timeout");
}

#[test]
fn both_drivers_agree_with_the_stand_in() {
    let arguments = |io| {
        [
            "--mock",
            "-u",
            "40",
            "--wait",
            "0..5ms",
            "--pause",
            "0",
            "--iterations",
            "2000",
            "--seed",
            "7",
            "--report",
            "full",
            "--pipeline",
            "8",
            "--io",
            io,
        ]
    };
    let (uring, output) = record_of(&arguments("auto"), 0);
    let (epoll, _) = record_of(&arguments("epoll"), 0);
    for record in [&uring, &epoll] {
        check_record(record);
        assert!(record.stand_in.as_ref().expect("a stand-in").agrees);
        assert_eq!(statuses(record), statuses(&uring));
        assert_eq!((record.run.pipeline, &record.run.connections[..]), (8, "5"));
        assert_eq!(record.totals.failures, 0);
        assert!(record.totals.connections_opened <= 5);
    }
    assert!(output.contains("connections 5, pipeline 8,"), "{output}");
}

#[test]
fn a_batch_comes_in_one_piece_and_answers_may_come_in_many() {
    for io in ["auto", "epoll"] {
        let pieces: Arc<Mutex<Vec<usize>>> = Arc::default();
        let seen = pieces.clone();
        let server = RawServer::start(move |peer| {
            let mut buffer = [0; 64 * 1024];
            while let Ok(count @ 1..) = peer.stream.read(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..count]);
                assert!(text.ends_with("\r\n\r\n"), "a piece of a batch");
                let requests = text.matches(" HTTP/1.1\r\n").count();
                seen.lock().expect("no panic").push(requests);
                let bytes = OK.repeat(requests);
                for piece in bytes.chunks(17) {
                    if peer.stream.write_all(piece).is_err() {
                        return;
                    }
                    std::thread::sleep(Duration::from_micros(50));
                }
            }
        });
        let url = server.url();
        let arguments = [
            "--get",
            &url,
            "-u",
            "8",
            "-r",
            "1000000",
            "--iterations",
            "80",
            "--pipeline",
            "8",
            "--io",
            io,
        ];
        let (record, _) = record_of(&arguments, 0);
        check_record(&record);
        assert_eq!((record.totals.requests, record.totals.failures), (80, 0));
        let pieces = pieces.lock().expect("no panic");
        assert_eq!(pieces.iter().sum::<usize>(), 80);
        assert!(pieces.contains(&8), "{pieces:?}");
    }
}

#[test]
fn a_wrong_pipeline_is_refused_with_a_remedy() {
    let check = |arguments: &[&str], error: &str| {
        let all = [&["run", "--mock"], arguments].concat();
        let output = run_binary(&all);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output).contains(error), "{}", text(&output));
    };
    for wrong in ["0", "65", "x", "-3"] {
        let error = format!("--pipeline {wrong}: give a whole number from 1 to 64");
        check(&["--pipeline", wrong], &error);
    }
    check(
        &["--pipeline", "4", "--connections", "per-user"],
        "leave that out, or give a number",
    );
    let url = ["run", "--url", "http://127.0.0.1:1/", "--pipeline", "64"];
    // Too short to be shared between requests.
    let body = ["--body", &"x".repeat(30_000)];
    let output = run_binary(&[&url[..], &body].concat());
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(
        text(&output).contains("give --pipeline 34"),
        "{}",
        text(&output)
    );
}

/// Two users share a connection that is replaced after five answers; batches of four are not broken by it.
#[test]
fn a_connection_is_replaced_after_its_answers_and_no_batch_is_lost() {
    for depth in [1, 4] {
        let plan = Plan {
            lifetime: Lifetime {
                answers: 5,
                ..Lifetime::default()
            },
            ..plan("POST", 40, depth)
        };
        let answers = |_: &sim_server::Seen| sim_server::Answer::new(200, "");
        let server = sim_server::Server::new(answers);
        let (outcomes, _) = sim_server::run(&plan, 0, server, Network::calm(1_000), 1);
        let step = &outcomes.recorder.counts.steps[0];
        assert_eq!((step.requests, step.failures, step.retried), (40, 0, 0));
        let opened = outcomes.recorder.counts.connects.count();
        match depth {
            1 => assert_eq!(opened, 8),
            // A batch that is under way is waited for: a connection brings eight answers then.
            _ => assert_eq!(opened, 5),
        }
    }
}
