//! Faults that a load generator must survive: the real binary, on io_uring and epoll, against faulty servers. Rows are
//! those of `../shared/faults.md`. Rows and cases that are not here are tested at:
//!
//! | row | where |
//! |---|---|
//! | 1 | also `commands.rs`: `a_server_that_goes_and_comes_back_costs_failures_and_nothing_else`; the schedule's times: `load/open.rs` |
//! | 2, 3, 5, 7, 8 | also `mock/faults.rs` (counts of a stand-in with faults), `src/http/` and `http/decoder_cases.rs` (bytes), `engine/simulation.rs` |
//! | 6 | refused from the start: `commands.rs`: `nobody_listening_is_said_within_five_seconds` |
//! | 9 | partial writes: `io/drivers.rs`: `a_megabyte_goes_out_and_comes_in_unharmed` |
//! | 12 | kernels without some opcode or flag: every test of `io/drivers.rs`; the texts: `src/io/probe.rs` |
//! | 13 | `io/drivers.rs` (reuse of slots and descriptors, queued operations after a close), `engine/simulation.rs` (all invariants) |
//! | 15 | the wall clock: `house.rs` keeps it out of the pure rooms, `src/io/clock.rs` is monotonic; no test sets this machine's clock |
//! | 17 | `commands.rs`: `wrong_use_is_refused_before_anything_is_sent` |
//! | 18 | SIGINT once and twice: `commands.rs`; the interval log after a SIGKILL: `report/interval_log.rs` |
//! | 19 | a missing folder: `commands.rs`; links and devices: `src/record/files.rs`; a disk that becomes full during the run: `report/interval_log.rs` |
//! | 20 | broken scenarios: `scenario/format.rs`, `scenarios.rs` |
//! | 21 | every command, and every encoding in which a server may repeat a secret: `secrets.rs` |
//! | 24 | a thread that cannot be started: `endings.rs`; panics: `engine/shard_death.rs` |
//! | 25, 31 | `endings.rs`; modes, links and planted names: `src/record/files.rs` |
//! | 30, 32, 33 | `endings.rs`; waiting for a FIN on both drivers: `io/drivers.rs`, `src/io/` |

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::support::binary::{Program, check_sums, opsurge, run, text, wait_until};
use crate::support::raw_server::{OK, Peer, RawServer, answer_ok};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use opsurge::record::schema::Record;
use socket2::{Domain, Socket, Type};

const MS: Duration = Duration::from_millis(1);

/// A run that repeats one request.
#[derive(Clone)]
struct Attack<'a> {
    url: String,
    method: &'a str,
    body: Option<&'a str>,
    users: u32,
    wait: &'a str,
    run_time: Duration,
    timeout: Duration,
    more: &'a [&'a str],
    /// The command that starts the binary, such as `taskset -c 0`.
    under: &'a [&'a str],
    /// Expected exit code.
    code: i32,
}

/// A finished run.
struct Ran {
    record: Record,
    printed: String,
    cpu: Duration,
    took: Duration,
}

impl Default for Attack<'_> {
    fn default() -> Self {
        Self {
            url: String::new(),
            method: "GET",
            body: None,
            users: 2,
            wait: "2ms",
            run_time: 500 * MS,
            // Longer than any delay on a busy machine. Tests of time limits set their own.
            timeout: 3_000 * MS,
            more: &[],
            under: &[],
            code: 0,
        }
    }
}

impl Attack<'_> {
    fn program(&self, io: &str, json: &Path) -> Program {
        let ms = |time: Duration| format!("{}ms", time.as_millis());
        under(self.under)
            .args(["run", "--url", &self.url, "-X", self.method, "--io", io])
            .args(["-u", &self.users.to_string(), "-r", "10000", "--seed", "1"])
            .args(["-t", &ms(self.run_time), "--timeout", &ms(self.timeout)])
            .args(["--wait", self.wait, "--headless", "--json"])
            .arg(json)
            .args(self.body.iter().flat_map(|body| ["--body", *body]))
            .args(self.more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
    }

    /// Runs on one driver, and makes the checks that hold for every run against any server.
    fn on(&self, io: &str) -> Ran {
        self.with(io, |_| {})
    }

    /// The same, while `meanwhile` acts on the process.
    fn with(&self, io: &str, meanwhile: impl FnOnce(Pid)) -> Ran {
        let folder = tempfile::tempdir().expect("a folder");
        let json = folder.path().join("r.json");
        let program = self.program(io, &json);
        let began = Instant::now();
        let child = program.spawn().expect("the binary starts");
        let id = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
        meanwhile(id);
        waitid(Id::Pid(id), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).expect("it ends");
        let took = began.elapsed();
        let cpu = cpu_time(id);
        let output = child.wait_with_output().expect("it has ended");
        let printed = text(&output);
        assert_eq!(output.status.code(), Some(self.code), "{printed}");
        let bound = self.run_time + self.timeout + Duration::from_secs(2);
        assert!(
            took < bound,
            "{io}: it took {took:?}, not {bound:?}\n{printed}"
        );
        let record = std::fs::read_to_string(&json).expect("the record was written");
        let record = Record::parse(&record).expect("it is a record");
        check_sums(&record);
        for step in &record.steps {
            let answered: u64 = step.statuses.values().sum();
            assert!(step.requests - step.failures <= answered, "{printed}");
        }
        let rss = record.generator.rss_max_bytes;
        assert!(rss < 100 << 20, "{rss} bytes: {printed}");
        Ran {
            record,
            printed,
            cpu,
            took,
        }
    }
}

/// The binary, started by a program that replaces itself with it.
fn under(starter: &[&str]) -> Program {
    let binary = env!("CARGO_BIN_EXE_opsurge");
    let mut words = starter.iter().chain([&binary]);
    let command = Command::new(words.next().expect("at least the binary"));
    Program::from(command).args(words)
}

/// Whether this machine lets that program start others; prints `SKIPPED` if not.
fn can_start(starter: &[&str]) -> bool {
    let tried = Command::new(starter[0])
        .args(&starter[1..])
        .arg("true")
        .output();
    let can = tried.as_ref().is_ok_and(|output| output.status.success());
    if !can {
        println!("SKIPPED: {starter:?} cannot be had here: {tried:?}");
    }
    can
}

/// User and system time of a process that has ended and is not reaped yet (proc(5), fields 14 and 15).
fn cpu_time(id: Pid) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("it is there");
    let (_, fields) = stat.rsplit_once(") ").expect("the name is in brackets");
    let ticks: u64 = fields
        .split(' ')
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().expect("a number"))
        .sum();
    Duration::from_millis(ticks * 10)
}

impl Ran {
    /// Failures by kind.
    fn kinds(&self) -> BTreeMap<&str, u64> {
        let mut kinds = BTreeMap::new();
        for error in &self.record.errors {
            *kinds.entry(error.kind.as_str()).or_default() += error.count;
        }
        kinds
    }

    /// All failures are of this kind, and there is at least one.
    fn check_all_are(&self, kind: &str) -> u64 {
        let failures = self.record.totals.failures;
        assert!(failures > 0, "{}", self.printed);
        assert_eq!(
            self.kinds(),
            BTreeMap::from([(kind, failures)]),
            "{}",
            self.printed
        );
        failures
    }

    fn status(&self, status: &str) -> u64 {
        let statuses = &self.record.steps[0].statuses;
        statuses.get(status).copied().unwrap_or_default()
    }

    /// Nothing failed, and every request was answered with 200.
    fn check_all_well(&self) {
        let totals = &self.record.totals;
        assert_eq!(
            (totals.failures, totals.cut_off),
            (0, 0),
            "{}",
            self.printed
        );
        assert!(totals.requests > 0, "{}", self.printed);
        assert_eq!(self.status("200"), totals.requests, "{}", self.printed);
    }

    /// No busy loop. A fifth of a core, beside the time to start, is the bound of the requirement. A quiet run takes a
    /// fiftieth; beside tests that fill both cores a debug build takes up to 17 %, for its caches are cold then.
    fn check_calm(&self) {
        let (cpu, took) = (self.cpu, self.took);
        assert!(
            cpu < took / 5 + 50 * MS,
            "{cpu:?} of processor time in {took:?}"
        );
    }
}

/// Runs on all drivers at the same time, each with its own server.
fn on_both(scene: impl Fn(&str) + Sync) {
    let mut drivers = vec!["epoll"];
    match run(&["request", "--io", "uring", "http://127.0.0.1:1"]) {
        output if text(&output).contains("io_uring") => {
            println!("SKIPPED on io_uring: {}", text(&output));
        }
        _ => drivers.push("uring"),
    }
    std::thread::scope(|scope| {
        for io in drivers {
            scope.spawn(|| scene(io));
        }
    });
}

/// One server and one run against it per driver.
fn check(
    attack: &Attack<'_>,
    script: impl Fn(&mut Peer) + Copy + Send + Sync + 'static,
    judge: impl Fn(&Ran, &RawServer) + Sync,
) {
    on_both(|io| {
        let server = RawServer::start(script);
        let attack = Attack {
            url: format!("{}{}", server.url(), attack.url),
            ..attack.clone()
        };
        judge(&attack.on(io), &server);
    });
}

// ---- 1 to 10: the server

#[test]
fn row_2_resets_are_told_apart_by_where_they_come() {
    let cut = |peer: &mut Peer| {
        if let Some(request) = peer.request() {
            let length = match request.number % 4 {
                0 => 0,
                1 => 20,
                2 => OK.len() - 1,
                _ => OK.len(),
            };
            peer.send(&OK[..length]);
            if length == OK.len() {
                peer.seen.answers.fetch_add(1, Ordering::Relaxed);
                // During the user's wait.
                peer.pause(5 * MS);
            }
            peer.reset_at_end();
        }
    };
    let attack = Attack {
        wait: "40ms",
        code: 1,
        ..Attack::default()
    };
    check(&attack, cut, |ran, server| {
        let quarter = server.requests() / 4;
        assert!(quarter > 2, "{}", ran.printed);
        for kind in ["reset-before-head", "reset-in-head", "reset-in-body"] {
            assert!(ran.kinds()[kind].abs_diff(quarter) <= 1, "{}", ran.printed);
        }
        assert_eq!(ran.kinds().len(), 3, "{}", ran.printed);
        assert_eq!(ran.status("200"), server.answers(), "{}", ran.printed);
    });
}

#[test]
fn row_2_a_body_that_is_cut_by_an_end_is_incomplete() {
    let cut = |peer: &mut Peer| {
        if peer.request().is_some() {
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
            peer.fin();
        }
    };
    let attack = Attack {
        code: 1,
        ..Attack::default()
    };
    check(&attack, cut, |ran, server| {
        assert_eq!(ran.check_all_are("incomplete"), server.requests());
        assert_eq!(ran.status("200"), 0);
    });
}

/// Each request that such a server cuts off takes one more attempt.
fn check_all_sent_again(server: fn(&mut Peer)) {
    check(&Attack::default(), server, |ran, server| {
        ran.check_all_well();
        let totals = &ran.record.totals;
        assert!(totals.retried > 0, "{}", ran.printed);
        assert_eq!(totals.requests, server.answers(), "{}", ran.printed);
        assert_eq!(totals.requests + totals.retried, server.requests());
    });
}

/// Answers the first request of a connection and ends the connection at the second.
fn end_at_second(peer: &mut Peer) {
    if peer.request().is_some() {
        peer.answer(OK);
        if peer.request().is_some() {
            peer.fin();
        }
    }
}

#[test]
fn row_3_an_end_on_a_reused_connection_is_retried_once_for_a_get() {
    check_all_sent_again(end_at_second);
}

#[test]
fn row_3_it_is_retried_also_when_the_time_of_the_run_is_over_meanwhile() {
    let end_late = |peer: &mut Peer| {
        if peer.request().is_some() {
            peer.answer(OK);
            if peer.request().is_some() {
                peer.pause(800 * MS);
                peer.fin();
            }
        }
    };
    let attack = Attack {
        users: 1,
        run_time: 400 * MS,
        ..Attack::default()
    };
    check(&attack, end_late, |ran, server| {
        ran.check_all_well();
        let totals = &ran.record.totals;
        assert_eq!((totals.requests, totals.retried), (2, 1), "{}", ran.printed);
        assert_eq!(server.requests(), 3);
    });
}

#[test]
fn row_3_an_end_on_a_reused_connection_fails_a_post_under_its_own_name() {
    let attack = Attack {
        method: "POST",
        body: Some("x"),
        code: 1,
        ..Attack::default()
    };
    check(&attack, end_at_second, |ran, server| {
        let failures = ran.check_all_are("closed-before-head");
        assert_eq!(ran.record.totals.retried, 0);
        assert_eq!(ran.status("200"), server.answers());
        assert_eq!(failures + server.answers(), server.requests());
    });
}

#[test]
fn row_3_a_server_that_ends_idle_connections_fails_nobody() {
    let end_when_idle = |peer: &mut Peer| {
        if peer.request().is_some() {
            peer.answer(OK);
        }
    };
    let attack = Attack {
        wait: "1ms",
        ..Attack::default()
    };
    check(&attack, end_when_idle, |ran, server| {
        ran.check_all_well();
        assert_eq!(ran.status("200"), server.answers(), "{}", ran.printed);
    });
}

#[test]
fn row_4_a_half_close_or_a_408_on_an_idle_connection_is_no_error() {
    let take_leave = |peer: &mut Peer| {
        let Some(request) = peer.request() else {
            return;
        };
        peer.answer(OK);
        if request.number % 2 == 0 {
            peer.pause(10 * MS);
            peer.send(TOO_LATE);
        }
        peer.fin();
        // The client has to end its side: another request would be counted.
        peer.request();
    };
    let attack = Attack {
        // Long after the server closed, on a busy machine too.
        wait: "150ms",
        users: 8,
        run_time: 700 * MS,
        ..Attack::default()
    };
    check(&attack, take_leave, |ran, server| {
        ran.check_all_well();
        assert_eq!(ran.status("200"), server.requests());
        assert_eq!(ran.record.totals.connections_opened, server.requests());
    });
}

const TOO_LATE: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Answers the first request of a connection, and the second with 408 as if it had not been read.
fn cross_second(peer: &mut Peer) {
    if peer.request().is_some() {
        peer.answer(OK);
        if peer.request().is_some() {
            peer.send(TOO_LATE);
            peer.fin();
            peer.wait_for_end();
        }
    }
}

#[test]
fn row_4_a_408_that_crosses_a_get_on_a_reused_connection_costs_one_more_attempt() {
    check_all_sent_again(cross_second);
}

#[test]
fn row_4_a_408_to_a_post_or_on_a_new_connection_or_one_that_stays_is_the_answer() {
    let attack = Attack {
        method: "POST",
        body: Some("x"),
        code: 1,
        ..Attack::default()
    };
    check(&attack, cross_second, |ran, server| {
        let failures = ran.check_all_are("status");
        assert_eq!(ran.record.totals.retried, 0);
        assert_eq!(ran.status("408"), failures);
        assert_eq!(ran.status("200"), server.answers());
        assert_eq!(failures + server.answers(), server.requests());
    });
    let at_once = |peer: &mut Peer| {
        if peer.request().is_some() {
            peer.send(TOO_LATE);
        }
    };
    let stays = |peer: &mut Peer| {
        while peer.request().is_some() {
            peer.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
        }
    };
    let attack = Attack {
        code: 1,
        ..Attack::default()
    };
    let none_again = |ran: &Ran, server: &RawServer| {
        assert_eq!(ran.check_all_are("status"), server.requests());
        assert_eq!(ran.status("408"), server.requests());
        assert_eq!(ran.record.totals.retried, 0);
    };
    check(&attack, at_once, none_again);
    check(&attack, stays, none_again);
}

#[test]
fn row_5_a_server_that_never_answers_costs_timeouts_and_no_processor() {
    let silent = |peer: &mut Peer| while peer.request().is_some() {};
    let attack = Attack {
        users: 20,
        run_time: 1_500 * MS,
        timeout: 300 * MS,
        code: 1,
        ..Attack::default()
    };
    check(&attack, silent, |ran, server| {
        let failures = ran.check_all_are("timeout");
        // On a busy machine the time of a request may be over before it is sent: it never arrives, and still counts.
        let sent = failures + ran.record.totals.cut_off;
        assert!((20..=sent).contains(&server.requests()), "{}", ran.printed);
        assert!(ran.record.errors[0].first_s < 1.0, "{}", ran.printed);
        assert!(ran.record.series[0].failures_per_s > 0.0, "{}", ran.printed);
        ran.check_calm();
    });
}

#[test]
fn row_5_the_time_limit_is_for_the_whole_request_however_the_bytes_drip() {
    let drip = |peer: &mut Peer| {
        if peer.request().is_some() {
            peer.send_in_pieces(OK, 1, 50 * MS);
        }
    };
    let attack = Attack {
        run_time: 1_000 * MS,
        timeout: 300 * MS,
        code: 1,
        ..Attack::default()
    };
    check(&attack, drip, |ran, _| {
        ran.check_all_are("timeout");
        assert!(ran.record.steps[0].failures_us.p50.expect("failures") < 600_000.0);
        ran.check_calm();
    });
}

#[test]
fn row_5_a_stall_below_the_limit_succeeds_and_an_answer_after_it_is_nobodys() {
    let stall = |peer: &mut Peer| {
        while let Some(request) = peer.request() {
            if request.number % 2 == 0 {
                peer.pause(100 * MS);
                peer.answer(OK);
            } else {
                // Far after the limit: a generator that the machine delays sees both at once.
                peer.pause(2_000 * MS);
                peer.send(b"HTTP/1.1 503 Late\r\nContent-Length: 0\r\n\r\n");
            }
        }
    };
    let attack = Attack {
        users: 4,
        run_time: 1_500 * MS,
        timeout: 600 * MS,
        code: 1,
        ..Attack::default()
    };
    check(&attack, stall, |ran, server| {
        ran.check_all_are("timeout");
        assert_eq!(ran.status("200"), server.answers(), "{}", ran.printed);
        assert_eq!(ran.record.steps[0].statuses.len(), 1, "{}", ran.printed);
        ran.check_calm();
    });
}

#[test]
fn row_7_heads_without_measure_are_refused() {
    let huge = |peer: &mut Peer| {
        while let Some(request) = peer.request() {
            let fields = match request.number % 2 {
                0 => format!("X: {}\r\n", "y".repeat(70 << 10)),
                _ => "X: y\r\n".repeat(257),
            };
            peer.send(format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\nok").as_bytes());
        }
    };
    let attack = Attack {
        code: 1,
        ..Attack::default()
    };
    check(&attack, huge, |ran, server| {
        assert_eq!(ran.check_all_are("invalid-response"), server.requests());
        assert!(
            ran.printed.contains("longer than 64 KiB")
                || ran.printed.contains("more than 256 fields")
        );
    });
}

#[test]
fn row_7_a_body_of_ten_gibibytes_is_streamed_and_dropped() {
    let endless = |peer: &mut Peer| {
        if peer.request().is_some() {
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n");
            let block = vec![b'x'; 1 << 18];
            while peer.send(&block) {}
        }
    };
    let attack = Attack {
        users: 1,
        run_time: 400 * MS,
        timeout: 500 * MS,
        code: 1,
        ..Attack::default()
    };
    check(&attack, endless, |ran, _| {
        ran.check_all_are("timeout");
        let rss = ran.record.generator.rss_max_bytes;
        assert!(rss < 48 << 20, "{rss} bytes");
    });
}

#[test]
fn row_7_chunks_without_end_and_extensions_without_measure() {
    let chunks = |peer: &mut Peer| {
        if let Some(request) = peer.request() {
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            let extension = "e".repeat(1_000);
            match request.number % 2 {
                0 => while peer.send(b"1\r\nx\r\n1\r\ny\r\n") {},
                _ => {
                    let chunk = format!("1;{extension}\r\nx\r\n").repeat(100);
                    peer.send(chunk.as_bytes());
                    peer.answer(b"0\r\n\r\n");
                }
            }
        }
    };
    let attack = Attack {
        users: 4,
        timeout: 600 * MS,
        code: 1,
        ..Attack::default()
    };
    check(&attack, chunks, |ran, server| {
        ran.check_all_are("timeout");
        assert!(ran.status("200") > 0, "{}", ran.printed);
        assert_eq!(ran.status("200"), server.answers(), "{}", ran.printed);
        let step = &ran.record.steps[0];
        assert_eq!(step.body_bytes, 100 * ran.status("200"));
    });
}

#[test]
fn row_7_a_thousand_interim_answers_come_before_the_final_one() {
    let early = |peer: &mut Peer| {
        while peer.request().is_some() {
            peer.send(
                "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                    .repeat(1_000)
                    .as_bytes(),
            );
            peer.answer(OK);
        }
    };
    check(&Attack::default(), early, |ran, server| {
        ran.check_all_well();
        assert_eq!(ran.status("200"), server.answers());
    });
}

#[test]
fn row_8_what_follows_an_answer_unasked_ends_the_connection_and_fails_nobody() {
    let garrulous = |peer: &mut Peer| {
        if let Some(request) = peer.request() {
            let more = match request.number % 2 {
                0 => &b"\x00\xffgarbage"[..],
                _ => b"HTTP/1.1 500 Unasked\r\nContent-Length: 0\r\n\r\n",
            };
            peer.answer(&[OK, more].concat());
            // No request follows on a connection that cannot be trusted: it would be counted.
            peer.request();
        }
    };
    check(&Attack::default(), garrulous, |ran, server| {
        ran.check_all_well();
        assert_eq!(ran.status("200"), server.answers());
        assert_eq!(ran.record.totals.connections_opened, server.requests());
    });
}

#[test]
fn row_8_one_request_tells_that_its_connection_is_of_no_more_use() {
    for (later, reusable) in [(&b""[..], true), (b"\x00garbage", false)] {
        on_both(|io| {
            let server = RawServer::start(move |peer| {
                if peer.request().is_some() {
                    peer.answer(OK);
                    peer.pause(10 * MS);
                    peer.send(later);
                    peer.wait_for_end();
                }
            });
            let output = run(&["request", "--json", "--io", io, &server.url()]);
            let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
            assert_eq!(
                (&report["outcome"], &report["status"]),
                (&"ok".into(), &200.into())
            );
            assert_eq!(report["reusable"], reusable, "{report}");
        });
    }
}

#[test]
fn row_8_a_body_where_none_may_be_ends_the_connection() {
    for (method, head, code) in [
        ("HEAD", "200 OK", 0),
        ("GET", "204 No Content", 0),
        ("GET", "304 Not Modified", 1),
    ] {
        on_both(|io| {
            let server = RawServer::start(move |peer| {
                if peer.request().is_some() {
                    peer.answer(
                        format!("HTTP/1.1 {head}\r\nContent-Length: 4\r\n\r\nbody").as_bytes(),
                    );
                    peer.wait_for_end();
                }
            });
            let attack = Attack {
                url: server.url(),
                method,
                run_time: 400 * MS,
                code,
                ..Attack::default()
            };
            let ran = attack.on(io);
            assert_eq!(ran.status(&head[..3]), server.answers(), "{}", ran.printed);
            assert_eq!(ran.record.totals.connections_opened, server.requests());
            assert_eq!(ran.record.steps[0].body_bytes, 0);
        });
    }
}

#[test]
fn row_8_what_is_no_http_is_refused_at_once_and_shown() {
    for (bytes, shown) in [
        (
            &b"\x15\x03\x01\x00\x02\x02\x46"[..],
            r#""\x15\x03\x01\x00\x02\x02F" (a TLS record"#,
        ),
        (
            b"SSH-2.0-OpenSSH_9.6\r\n",
            r#""SSH-2.0-OpenSSH_" (an SSH banner)"#,
        ),
        (
            b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
            r#""\x00\x00\x12\x04"#,
        ),
        (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            r#""PRI * HTTP/2.0\r\n"#,
        ),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
            "no upgrade was asked for",
        ),
    ] {
        on_both(|io| {
            let server = RawServer::start(move |peer| {
                if peer.request().is_some() {
                    peer.send(bytes);
                    // Without a refusal at once this would be a timeout.
                    peer.wait_for_end();
                }
            });
            let attack = Attack {
                url: server.url(),
                run_time: 400 * MS,
                code: 1,
                ..Attack::default()
            };
            let ran = attack.on(io);
            assert_eq!(ran.check_all_are("invalid-response"), server.requests());
            let detail = &ran.record.errors[0].detail;
            assert!(detail.contains(shown), "{detail}");
        });
    }
}

#[test]
fn row_9_an_early_413_is_read_and_the_body_is_sent_no_further() {
    let refuse = |peer: &mut Peer| {
        if peer.head().is_some() {
            peer.answer(
                b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            );
            peer.fin();
            // The rest of the body stays unread: the connection ends with a reset.
        }
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("body");
    std::fs::write(&path, vec![b'x'; 1 << 20]).expect("written");
    let body = format!("@{}", path.display());
    let attack = Attack {
        method: "POST",
        body: Some(&body),
        users: 1,
        wait: "10ms",
        code: 1,
        ..Attack::default()
    };
    check(&attack, refuse, |ran, server| {
        assert_eq!(ran.status("413"), server.answers(), "{}", ran.printed);
        ran.check_all_are("status");
    });
    // More than the buffers on the way hold: part of it is not sent yet when the answer comes.
    std::fs::write(&path, vec![b'x'; 32 << 20]).expect("written");
    on_both(|io| {
        let server = RawServer::start(refuse);
        let output = run(&[
            "request",
            "--json",
            "--io",
            io,
            "--body",
            &body,
            &server.url(),
        ]);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(report["status"], 413, "{report}");
        assert_eq!(report["reusable"], false, "{report}");
    });
}

/// gunicorn's threads, the JDK's server and hyper do so: nothing in the answer announces the end of the connection.
#[test]
fn row_9_a_body_refused_without_a_word_about_the_connection_costs_no_other_request() {
    let refuse = |peer: &mut Peer| {
        if peer.head().is_some() {
            peer.answer(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
            peer.pause(2 * MS);
        }
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("body");
    std::fs::write(&path, vec![b'x'; 200_000]).expect("written");
    let body = format!("@{}", path.display());
    let attack = Attack {
        method: "POST",
        body: Some(&body),
        users: 2,
        wait: "0",
        run_time: 200 * MS,
        code: 1,
        ..Attack::default()
    };
    check(&attack, refuse, |ran, server| {
        assert_eq!(ran.status("413"), server.answers(), "{}", ran.printed);
        ran.check_all_are("status");
    });
}

#[test]
fn row_9_an_answer_in_one_byte_segments_is_the_same_answer() {
    let piecemeal = |peer: &mut Peer| {
        while peer.request().is_some() {
            peer.seen.answers.fetch_add(1, Ordering::Relaxed);
            peer.send_in_pieces(OK, 1, Duration::ZERO);
        }
    };
    check(&Attack::default(), piecemeal, |ran, server| {
        ran.check_all_well();
        assert_eq!(ran.status("200"), server.answers());
    });
}

#[test]
fn row_10_redirects_limits_and_errors_are_counted_and_never_followed_or_retried() {
    const STATUSES: [&str; 4] = ["301", "302", "429", "503"];
    let judge = |peer: &mut Peer| {
        while let Some(request) = peer.request() {
            let status = STATUSES[request.number % 4];
            let fields = "Location: /elsewhere\r\nRetry-After: 0\r\nContent-Length: 0\r\n";
            peer.answer(format!("HTTP/1.1 {status} X\r\n{fields}\r\n").as_bytes());
        }
    };
    let attack = Attack {
        code: 1,
        ..Attack::default()
    };
    check(&attack, judge, |ran, server| {
        assert_eq!(ran.check_all_are("status"), server.requests());
        for (index, status) in STATUSES.iter().enumerate() {
            let expected = (server.requests() + 3 - index as u64) / 4;
            assert_eq!(ran.status(status), expected, "{}", ran.printed);
        }
        assert_eq!(ran.record.totals.retried, 0);
        let lines = server.seen.lines.lock().expect("no panic");
        assert!(lines.iter().all(|line| line == "GET / HTTP/1.1"));
    });
}

#[test]
fn row_1_a_server_that_is_killed_and_restarted_has_traffic_again_within_a_second() {
    on_both(|io| {
        let server = RawServer::start(answer_ok);
        let (address, seen) = (server.address.to_string(), server.seen.clone());
        let attack = Attack {
            url: server.url(),
            users: 20,
            wait: "5ms",
            run_time: 2_000 * MS,
            // Longer than the longest pause between two attempts to connect.
            timeout: 1_000 * MS,
            code: 1,
            ..Attack::default()
        };
        let mut again = None;
        let ran = attack.with(io, |_| {
            while seen.requests.load(Ordering::Relaxed) < 200 {
                std::thread::park_timeout(MS);
            }
            server.kill();
            // Long enough for the pauses to grow to their bound.
            std::thread::sleep(700 * MS);
            let server = RawServer::on(&address, answer_ok).expect("the port is free again");
            again = Some((Instant::now(), server));
        });
        let (back_at, server) = again.expect("it was started again");
        let first = server.first_came().expect("somebody came");
        assert!(first - back_at < Duration::from_secs(1), "{}", ran.printed);
        assert!(server.answers() > 100, "{}", ran.printed);
        // Answers written just before the kill may be lost.
        let answers = server.answers() + seen.answers.load(Ordering::Relaxed) as u64;
        assert!(ran.status("200") <= answers && ran.status("200") + 20 >= answers);
        let known = ["connect-refused", "closed-before-head", "reset-before-head"];
        assert!(
            ran.kinds().keys().all(|kind| known.contains(kind)),
            "{}",
            ran.printed
        );
        // 20 users, 0.7 s, pauses of 10 ms doubling to half a second: some 8 refusals each.
        let refusals = ran.kinds()["connect-refused"];
        assert!((20..400).contains(&refusals), "{}", ran.printed);
    });
}

#[test]
fn row_1_pauses_between_attempts_to_connect_are_not_taken_for_a_lack_of_connections() {
    on_both(|io| {
        let server = RawServer::start(answer_ok);
        let seen = server.seen.clone();
        let attack = Attack {
            url: server.url(),
            users: 10,
            run_time: 1_500 * MS,
            timeout: 60 * MS,
            code: 1,
            ..Attack::default()
        };
        let ran = attack.with(io, |_| {
            while seen.requests.load(Ordering::Relaxed) < 50 {
                std::thread::park_timeout(MS);
            }
            server.kill();
        });
        assert!(ran.kinds()["connect-refused"] > 0, "{}", ran.printed);
        assert!(ran.kinds()["connect-failed"] > 0, "{}", ran.printed);
        assert!(!ran.kinds().contains_key("wait-timeout"), "{}", ran.printed);
        ran.check_calm();
    });
}

/// A port whose backlog has exactly `length` connections.
fn never_accepting(length: i32) -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    socket.bind(&any.into()).expect("a port");
    socket.listen(length).expect("it is bound");
    let address = socket.local_addr().expect("bound").as_socket();
    (socket, address.expect("IPv4"))
}

#[test]
fn row_6_a_full_backlog_is_a_timeout_of_connecting_and_no_busy_loop() {
    on_both(|io| {
        // Room for the trial connection and two users.
        let (_socket, address) = never_accepting(2);
        let attack = Attack {
            url: format!("http://{address}"),
            users: 8,
            run_time: 1_500 * MS,
            timeout: 300 * MS,
            code: 1,
            ..Attack::default()
        };
        let ran = attack.on(io);
        let kinds: Vec<&str> = ran.kinds().into_keys().collect();
        assert_eq!(kinds, ["connect-timeout", "timeout"], "{}", ran.printed);
        assert!(ran.kinds()["connect-timeout"] >= 5, "{}", ran.printed);
        assert_eq!(ran.record.steps[0].statuses.len(), 0);
        ran.check_calm();
    });
}

#[test]
fn row_6_a_black_hole_is_said_within_five_seconds() {
    let (_socket, address) = never_accepting(0);
    let _fills_it = TcpStream::connect(address).expect("there is room for one");
    let began = Instant::now();
    let output = run(&["run", "--get", &format!("http://{address}/"), "-t", "10s"]);
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(output.status.code(), Some(3));
    let printed = text(&output);
    assert!(
        printed.contains("nothing accepts connections at"),
        "{printed}"
    );
}

// ---- 11 to 16: the machine

#[test]
fn row_11_too_few_descriptors_are_refused_with_the_number_that_is_needed() {
    const HARD: [&str; 4] = ["sh", "-c", "ulimit -n 80; exec \"$@\"", "sh"];
    let output = under(&HARD)
        .args(["run", "--mock", "-u", "100", "-t", "1s"])
        .output()
        .expect("the binary starts");
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(3), "{printed}");
    assert!(
        printed.contains("100 connections need 564 open descriptors, and 80 are allowed"),
        "{printed}"
    );
    assert!(
        printed.contains("ulimit -n 564") && printed.contains("--connections 3"),
        "{printed}"
    );
}

#[test]
fn row_11_a_soft_limit_of_descriptors_is_raised_where_that_is_allowed() {
    let attack = Attack {
        users: 100,
        under: &["sh", "-c", "ulimit -Sn 50; exec \"$@\"", "sh"],
        ..Attack::default()
    };
    check(&attack, answer_ok, |ran, _| {
        ran.check_all_well();
        // More than the soft limit.
        assert!(ran.record.totals.connections_opened > 50, "{}", ran.printed);
    });
}

#[test]
fn row_11_exhausted_ports_are_this_machines_limit_and_never_the_servers() {
    // A private network with eleven ports that are not reserved. The stand-in takes one of them.
    const FEW_PORTS: [&str; 6] = [
        "unshare",
        "-n",
        "sh",
        "-c",
        "ip link set lo up && cd /proc/sys/net/ipv4 && echo 40000 40040 > ip_local_port_range && echo 40011-40040 > ip_local_reserved_ports && cd / && exec \"$@\"",
        "sh",
    ];
    if !can_start(&FEW_PORTS) {
        return;
    }
    on_both(|io| {
        let attack = Attack {
            url: "/health".into(),
            users: 30,
            wait: "20ms",
            more: &["--mock"],
            under: &FEW_PORTS,
            code: 1,
            ..Attack::default()
        };
        let ran = attack.on(io);
        ran.check_all_are("client-limit");
        assert!(ran.status("200") > 0, "{}", ran.printed);
        let verdict = &ran.record.generator.verdict;
        assert_ne!(verdict.status, "VALID");
        let reasons = verdict.reasons.join(" ");
        assert!(
            reasons.contains("by this machine's own limits"),
            "{reasons}"
        );
        ran.check_calm();
    });
}

/// Descriptors of a process's open sockets, lowest first. Other descriptors may be inherited, at any number.
fn sockets_of(id: Pid) -> Vec<u64> {
    let entries = std::fs::read_dir(format!("/proc/{id}/fd")).expect("it runs");
    // A descriptor that is closed during the search does not count.
    let entries = entries.filter_map(Result::ok);
    let sockets = entries.filter(|entry| {
        let target = std::fs::read_link(entry.path());
        target.is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
    });
    let mut numbers: Vec<u64> = sockets
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    numbers.sort_unstable();
    numbers
}

/// Prevents new descriptors from this number on; open ones stay.
fn limit_descriptors(id: Pid, soft: u64) {
    let limited = Command::new("prlimit")
        .args(["--pid", &id.to_string(), &format!("--nofile={soft}:")])
        .status();
    assert!(limited.is_ok_and(|status| status.success()), "limit {soft}");
}

/// A run whose descriptor limit falls below its open descriptors: a closed connection with a higher number cannot be
/// replaced. `ends_again` lifts the limit after a while.
fn check_descriptors_run_out(ends_again: bool) {
    if !can_start(&["prlimit", "--nofile=64:"]) {
        return;
    }
    const USERS: u32 = 40;
    // Open sockets whose descriptors are above the limit.
    const LOST: usize = 15;
    let few_each = |peer: &mut Peer| {
        for _ in 0..5 {
            if peer.request().is_none() {
                return;
            }
            peer.answer(OK);
        }
    };
    on_both(|io| {
        let server = RawServer::start(few_each);
        let answered_since = |before: u64, count: u64| server.answers() >= before + count;
        let attack = Attack {
            url: server.url(),
            users: USERS,
            wait: "20ms",
            run_time: 4_000 * MS,
            code: 1,
            ..Attack::default()
        };
        let mut lifted_s = None;
        let ran = attack.with(io, |id| {
            wait_until("a round of answers", || {
                answered_since(0, 3 * u64::from(USERS))
            });
            let open = sockets_of(id);
            let limit = open[open.len() - LOST];
            limit_descriptors(id, limit);
            let highest = || sockets_of(id).last().copied();
            wait_until("the high ones closed", || highest() < Some(limit));
            // Long enough for each user to try once.
            let before = server.answers();
            wait_until("the low ones in use", || answered_since(before, 300));
            if ends_again {
                limit_descriptors(id, 1_024);
                let first_came = server.first_came().expect("they did");
                lifted_s = Some(first_came.elapsed().as_secs_f64());
                wait_until("high ones again", || highest() >= Some(limit));
            }
        });
        let failures = ran.check_all_are("client-limit");
        let totals = &ran.record.totals;
        // With the limit in force, the run may end before the next attempt of a user to connect is due.
        assert!(totals.cut_off == 0 || !ends_again, "{}", ran.printed);
        assert_eq!(ran.status("200"), server.answers(), "{}", ran.printed);
        assert_eq!(totals.requests, failures + server.answers());
        let verdict = &ran.record.generator.verdict;
        assert_eq!(verdict.status, "GENERATOR-LIMITED", "{}", ran.printed);
        let failures = opsurge::text::units::counted(failures, "request");
        let reason = format!("{failures} failed by this machine's own limits (descriptors");
        assert!(
            verdict.reasons.iter().any(|r| r.starts_with(&reason)),
            "{}",
            ran.printed
        );
        assert!(
            ran.printed.contains("Too many open files"),
            "{}",
            ran.printed
        );
        assert!(ran.printed.contains("raise ulimit -n"), "{}", ran.printed);
        let last_s = ran.record.errors[0].last_s;
        match lifted_s {
            // A turn may be late on a busy machine.
            Some(lifted_s) => assert!(last_s < lifted_s + 0.3, "{last_s} {lifted_s}"),
            None => assert!(last_s > 3.0, "they end at {last_s}"),
        }
    });
}

#[test]
fn row_11_descriptors_that_run_out_in_mid_run_are_this_machines_limit() {
    check_descriptors_run_out(false);
}

#[test]
fn row_11_descriptors_that_come_back_in_mid_run_are_used_again() {
    check_descriptors_run_out(true);
}

/// A ring has 4 MiB of receive buffers per shard; these answers are several times as large and arrive together.
#[test]
fn row_11_more_at_once_than_there_are_receive_buffers_is_received_all_the_same() {
    const USERS: usize = 150;
    const ROUNDS: usize = 3;
    const BODY_BYTES: usize = 256 * 1024;
    let all_at_once = |peer: &mut Peer| {
        let body = "x".repeat(BODY_BYTES);
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY_BYTES}\r\n\r\n{body}");
        while let Some(request) = peer.request() {
            // Every user waits for its answer before its next request: this is one request of each.
            let round = request.number / USERS + 1;
            while peer.seen.requests.load(Ordering::Relaxed) < round * USERS {
                peer.pause(MS);
            }
            peer.answer(answer.as_bytes());
        }
    };
    let iterations = (USERS * ROUNDS).to_string();
    let attack = Attack {
        users: USERS as u32,
        run_time: 10_000 * MS,
        more: &["--iterations", &iterations],
        ..Attack::default()
    };
    check(&attack, all_at_once, |ran, server| {
        ran.check_all_well();
        let requests = (USERS * ROUNDS) as u64;
        assert_eq!(ran.record.totals.requests, requests, "{}", ran.printed);
        assert_eq!(server.answers(), requests);
        let bytes = requests * BODY_BYTES as u64;
        assert_eq!(ran.record.steps[0].body_bytes, bytes, "{}", ran.printed);
        assert_eq!(ran.record.totals.connections_opened, USERS as u64);
    });
}

/// Makes `io_uring_setup` (425 on every architecture) fail with an errno, and replaces itself with another program.
const WITHOUT_URING: &str = r#"
import ctypes, os, struct, sys
errno, program = int(sys.argv[1]), sys.argv[2:]
instruction = lambda code, yes, no, k: struct.pack("HBBI", code, yes, no, k)
number, equal, result = 0x20, 0x15, 0x06
rules = (instruction(number, 0, 0, 0) + instruction(equal, 0, 1, 425)
         + instruction(result, 0, 0, 0x00050000 | errno) + instruction(result, 0, 0, 0x7fff0000))
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("rules", ctypes.c_char_p)]
libc = ctypes.CDLL(None, use_errno=True)
filter = Program(len(rules) // 8, rules)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.byref(filter), 0, 0) == 0
os.execvp(program[0], program)
"#;

#[test]
fn row_12_where_io_uring_is_forbidden_epoll_is_used_and_the_cure_is_named() {
    for (errno, cause, cure) in [
        ("1", "a seccomp rule", "--security-opt"),
        ("38", "this kernel has no io_uring", "Linux 5.11"),
    ] {
        let starter = ["python3", "-c", WITHOUT_URING, errno];
        if !can_start(&starter) {
            return;
        }
        let server = RawServer::start(answer_ok);
        let attack = Attack {
            url: server.url(),
            run_time: 400 * MS,
            under: &starter,
            ..Attack::default()
        };
        let ran = attack.on("auto");
        ran.check_all_well();
        assert_eq!(ran.record.run.backend, "epoll");
        let mut lines = ran
            .printed
            .lines()
            .filter(|line| line.contains("using epoll"));
        let note = lines.next().expect("it says so");
        assert!(note.contains(cause) && note.contains(cure), "{note}");
        assert_eq!(lines.next(), None, "one line is enough");

        let output = under(&starter)
            .args(["run", "--get", &server.url(), "--io", "uring", "-t", "1s"])
            .output()
            .expect("the binary starts");
        assert_eq!(output.status.code(), Some(3));
        assert!(text(&output).contains(cause), "{}", text(&output));
    }
}

#[test]
fn row_12_a_low_limit_of_locked_memory_stops_nobody() {
    let server = RawServer::start(answer_ok);
    let attack = Attack {
        url: server.url(),
        under: &["sh", "-c", "ulimit -l 0; exec \"$@\"", "sh"],
        ..Attack::default()
    };
    attack.on("auto").check_all_well();
}

#[test]
fn row_14_there_are_as_many_shards_as_allowed_cores() {
    const ONE_CORE: [&str; 3] = ["taskset", "-c", "0"];
    if !can_start(&ONE_CORE) {
        return;
    }
    let attack = Attack {
        users: 8,
        under: &ONE_CORE,
        ..Attack::default()
    };
    check(&attack, answer_ok, |ran, _| {
        ran.check_all_well();
        assert_eq!(ran.record.run.shards, 1, "{}", ran.printed);
        assert_eq!(ran.record.run.machine.cores, 1, "{}", ran.printed);
    });
}

/// A control group with the quota of half a core; removed when dropped.
struct HalfACore(PathBuf);

impl HalfACore {
    fn new() -> Option<Self> {
        let id = std::process::id();
        let version_1 = PathBuf::from(format!("/sys/fs/cgroup/cpu/opsurge-test-{id}"));
        let version_2 = PathBuf::from(format!("/sys/fs/cgroup/opsurge-test-{id}"));
        let made = [
            (version_1, "cpu.cfs_quota_us", "10000", "cpu.cfs_period_us"),
            (version_2, "cpu.max", "10000 20000", ""),
        ];
        for (folder, quota_file, quota, period_file) in made {
            if std::fs::create_dir(&folder).is_err() {
                continue;
            }
            let group = Self(folder);
            let period_is_set = period_file.is_empty()
                || std::fs::write(group.0.join(period_file), "20000").is_ok();
            if period_is_set && std::fs::write(group.0.join(quota_file), quota).is_ok() {
                return Some(group);
            }
        }
        None
    }
}

impl Drop for HalfACore {
    fn drop(&mut self) {
        // The group is empty. A folder that stays is a nuisance, not an error.
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[test]
fn row_14_half_a_core_is_survived() {
    let Some(group) = HalfACore::new() else {
        println!("SKIPPED: no control group for processor time can be made here");
        return;
    };
    let enter = format!(
        "echo $$ > {}/cgroup.procs && exec \"$@\"",
        group.0.display()
    );
    let starter = ["sh", "-c", &enter, "sh"];
    if !can_start(&starter) {
        return;
    }
    let server = RawServer::start(answer_ok);
    let attack = Attack {
        url: server.url(),
        users: 20,
        wait: "0",
        under: &starter,
        ..Attack::default()
    };
    let ran = attack.on("auto");
    assert_eq!(ran.record.totals.failures, 0, "{}", ran.printed);
    assert_eq!(ran.status("200"), server.answers(), "{}", ran.printed);
    let reasons = ran.record.generator.verdict.reasons.join(" ");
    // If other programs leave it less than half a core anyway, the verdict names them.
    let is_said = [
        "control group stopped it",
        "other programs had a shard's core",
    ];
    let is_said = is_said.iter().any(|reason| reasons.contains(reason));
    assert!(is_said, "{reasons}");
}

#[test]
fn row_15_a_generator_that_is_paused_counts_the_time_says_so_and_blames_nobody() {
    on_both(|io| {
        // Nearly always some requests are open: their answers arrive while the generator is stopped.
        let server = RawServer::start(|peer| {
            while peer.request().is_some() {
                peer.pause(50 * MS);
                peer.answer(OK);
            }
        });
        let seen = server.seen.clone();
        let attack = Attack {
            url: server.url(),
            users: 20,
            wait: "50ms",
            run_time: 3_000 * MS,
            // At least half of the pause.
            timeout: 1_000 * MS,
            ..Attack::default()
        };
        let ran = attack.with(io, |id| {
            while seen.requests.load(Ordering::Relaxed) < 50 {
                std::thread::park_timeout(MS);
            }
            kill(id, Signal::SIGSTOP).expect("it runs");
            std::thread::sleep(2_000 * MS);
            kill(id, Signal::SIGCONT).expect("it is there");
        });
        ran.check_all_well();
        let step = &ran.record.steps[0];
        let slowest_us = step.response_us.max.expect("answers");
        assert!(slowest_us > 1_800_000.0, "{}", ran.printed);
        let reasons = ran.record.generator.verdict.reasons.join(" ");
        assert!(
            reasons.contains("the generator did not run for"),
            "{reasons}"
        );
        // The verdict on a debug build names the build first. The stop is not the generator's own work.
        let own = ["a shard worked", "the generator's own work"];
        assert!(!own.iter().any(|own| reasons.contains(own)), "{reasons}");
        let stopped = ran
            .record
            .series
            .iter()
            .filter(|s| s.stopped_us_max > 1_000_000.0);
        let seconds: Vec<_> = stopped.map(|sample| &sample.seconds).collect();
        let disturbed = |seconds: &&BTreeMap<String, u64>| seconds["MACHINE-DISTURBED"] >= 2;
        assert!(seconds.iter().any(disturbed), "{seconds:?}");
    });
}

#[test]
fn row_16_shards_users_and_connections_may_be_few_or_too_many() {
    for (users, more) in [
        (1, &["--shards", "4"][..]),
        (3, &["--shards", "2", "--connections", "9"]),
        (8, &["--shards", "1", "--connections", "1"]),
        (8, &["--shards", "4", "--connections", "1"]),
    ] {
        let attack = Attack {
            users,
            more,
            run_time: 400 * MS,
            ..Attack::default()
        };
        check(&attack, answer_ok, |ran, server| {
            // A user that waits for a connection when the time is over is cut off.
            assert_eq!(ran.record.totals.failures, 0, "{}", ran.printed);
            assert_eq!(ran.status("200"), server.answers(), "{}", ran.printed);
            assert!(ran.record.totals.requests >= u64::from(users));
        });
    }
}

// ---- 18 to 22: the operator

#[test]
fn row_18_sigterm_stops_at_once_with_a_valid_record_and_sigkill_leaves_no_half_of_one() {
    on_both(|io| {
        let silent = |peer: &mut Peer| while peer.request().is_some() {};
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            let server = RawServer::start(silent);
            let folder = tempfile::tempdir().expect("a folder");
            let json = folder.path().join("r.json");
            let attack = Attack {
                url: server.url(),
                run_time: 60_000 * MS,
                timeout: 60_000 * MS,
                ..Attack::default()
            };
            let child = attack
                .program(io, &json)
                .spawn()
                .expect("the binary starts");
            let id = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
            while server.requests() < 2 {
                std::thread::park_timeout(MS);
            }
            let began = Instant::now();
            kill(id, signal).expect("it runs");
            let output = child.wait_with_output().expect("it ends");
            assert!(began.elapsed() < Duration::from_secs(2));
            if signal == Signal::SIGKILL {
                assert_eq!(
                    std::fs::read_dir(folder.path())
                        .expect("it is there")
                        .count(),
                    0
                );
                continue;
            }
            assert_eq!(output.status.code(), Some(130), "{}", text(&output));
            let record = std::fs::read_to_string(&json).expect("the record was written");
            let record = Record::parse(&record).expect("it is a record");
            check_sums(&record);
            assert_eq!((record.totals.sent, record.totals.cut_off), (2, 2));
            assert_eq!(record.run.ended_by, "signal");
        }
    });
}

/// A private file system, mounted over /mnt, that only the started process sees.
fn mounted(options: &str, before: &str) -> [String; 6] {
    let script = format!("mount -t tmpfs -o {options} none /mnt && {before} exec \"$@\"");
    ["unshare", "-m", "sh", "-c", &script, "sh"].map(str::to_owned)
}

#[test]
fn row_19_a_report_that_cannot_be_written_is_refused_before_the_load() {
    let server = RawServer::start(answer_ok);
    let check = |starter: &[&str], flag: &str, path: &str, reason: &str| {
        let output = under(starter)
            .args(["run", "--get", &server.url(), "-t", "1s", flag, path])
            .output()
            .expect("the binary starts");
        let printed = text(&output);
        assert_eq!(output.status.code(), Some(2), "{printed}");
        assert!(
            printed.contains(path) && printed.contains(reason),
            "{printed}"
        );
        assert_eq!(server.requests(), 0, "nothing was sent");
    };
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().to_str().expect("UTF-8");
    check(&[], "--json", folder, "is a folder");
    check(
        &[],
        "--json",
        &format!("{folder}/none/r.json"),
        "there is no folder",
    );
    check(
        &[],
        "--csv",
        &format!("{folder}/none/r"),
        "there is no folder",
    );
    let read_only = mounted("ro", "");
    let read_only: Vec<&str> = read_only.iter().map(String::as_str).collect();
    if can_start(&read_only) {
        check(&read_only, "--json", "/mnt/r.json", "Read-only file system");
    }
}

#[test]
fn row_19_a_disk_that_is_full_at_the_end_leaves_the_older_report_whole() {
    let full = mounted(
        "size=16k",
        "echo old > /mnt/r.json && head -c 8k /dev/zero > /mnt/full &&",
    );
    let full: Vec<&str> = full.iter().map(String::as_str).collect();
    if !can_start(&full) {
        return;
    }
    let server = RawServer::start(answer_ok);
    let url = server.url();
    // A shell stays to list the files that are left: the file system ends with it.
    let look = "\"$@\"; echo code $?; cat /mnt/r.json; ls /mnt";
    let starter: Vec<&str> = full
        .iter()
        .copied()
        .chain(["sh", "-c", look, "sh"])
        .collect();
    let output = under(&starter)
        .without_record_check()
        .args([
            "run",
            "--get",
            &url,
            "-t",
            "200ms",
            "--wait",
            "1ms",
            "--json",
            "/mnt/r.json",
        ])
        .output()
        .expect("the shell starts");
    let printed = text(&output);
    assert!(printed.contains("code 3\nold\nfull\nr.json\n"), "{printed}");
    assert!(
        printed.contains("/mnt/r.json could not be written: No space left"),
        "{printed}"
    );
    assert!(
        printed.contains("endpoint "),
        "the report is shown all the same: {printed}"
    );
}

#[test]
fn row_20_a_reader_who_leaves_causes_no_panic_and_the_files_are_written() {
    let server = RawServer::start(answer_ok);
    let folder = tempfile::tempdir().expect("a folder");
    let json = folder.path().join("r.json");
    let mut child = opsurge(&[
        "run",
        "--get",
        &server.url(),
        "-t",
        "300ms",
        "--wait",
        "5ms",
        "--json",
    ])
    .arg(&json)
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .expect("the binary starts");
    drop(child.stdout.take());
    // The first line is read, then standard error has no reader either.
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    stderr.read_line(&mut String::new()).expect("it speaks");
    drop(stderr);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    let record = std::fs::read_to_string(&json).expect("the record was written");
    check_sums(&Record::parse(&record).expect("it is a record"));
    for arguments in [
        &["scenarios", "list"][..],
        &["run", "--help"],
        &["--version"],
    ] {
        let mut child = opsurge(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        drop(child.stdout.take());
        let mut printed = String::new();
        let stderr = child.stderr.as_mut().expect("piped");
        stderr.read_to_string(&mut printed).expect("UTF-8");
        child.wait().expect("it ends");
        assert!(!printed.contains("panicked"), "{arguments:?}: {printed}");
    }
}

#[test]
fn row_21_secrets_are_shown_nowhere_even_when_the_server_repeats_them() {
    let echo = |peer: &mut Peer| {
        while let Some(request) = peer.request() {
            let body = request.text;
            let length = body.len();
            let fields = "Set-Cookie: session=canary-7\r\n";
            let head = format!("HTTP/1.1 500 X\r\n{fields}Content-Length: {length}\r\n\r\n");
            peer.answer(format!("{head}{body}").as_bytes());
        }
    };
    let server = RawServer::start(echo);
    let url = server.url();
    let folder = tempfile::tempdir().expect("a folder");
    let csv = folder.path().join("c");
    let csv = csv.to_str().expect("UTF-8");
    let json = folder.path().join("r.json");
    let check = |printed: &str| {
        let mut files = String::new();
        for entry in std::fs::read_dir(folder.path()).expect("it is there") {
            let path = entry.expect("it can be read").path();
            files += &std::fs::read_to_string(path).expect("text");
        }
        for text in [printed, &files] {
            let found = text
                .find("canary")
                .map(|at| &text[at.saturating_sub(80)..at + 9]);
            assert_eq!(found, None);
        }
        assert!(printed.contains("***"), "{printed}");
    };
    let secrets = [
        "--header",
        "Authorization: Bearer canary-1",
        "--header",
        "Cookie: a=canary-2; b=canary-3",
        "--header",
        "X-Api-Key: canary-4",
    ];
    let reports = [
        "-t",
        "200ms",
        "--wait",
        "10ms",
        "--log-level",
        "trace",
        "--report",
        "full",
        "--csv",
        csv,
        "--json",
    ];
    let output = opsurge(&["run", "--get", &url])
        .args(secrets)
        .args(reports)
        .arg(&json)
        .output()
        .expect("the binary starts");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    check(&text(&output));

    let output = opsurge(&["run", "mixed", "--host", &url, "-u", "5", "-r", "1000"])
        .env("OPSCORE_API_KEY", "canary-5")
        .args(reports)
        .arg(&json)
        .output()
        .expect("the binary starts");
    check(&text(&output));

    let output = opsurge(&["request", "--log-level", "trace", &url])
        .args(secrets)
        .output()
        .expect("the binary starts");
    check(&text(&output));

    let with_password = url.replace("http://", "http://me:canary-6@");
    for command in [&["run", "--host"][..], &["run", "--get"], &["request"]] {
        let output = opsurge(&[command, &[&with_password]].concat())
            .output()
            .expect("the binary starts");
        assert_eq!(output.status.code(), Some(2));
        assert!(!text(&output).contains("canary"), "{}", text(&output));
    }
}

#[test]
fn row_22_an_ipv6_literal_is_an_address() {
    on_both(|io| {
        let Ok(server) = RawServer::on("[::1]:0", answer_ok) else {
            println!("SKIPPED: this machine has no IPv6");
            return;
        };
        let attack = Attack {
            url: server.url(),
            ..Attack::default()
        };
        let ran = attack.on(io);
        ran.check_all_well();
        assert_eq!(ran.record.run.addresses, [server.address.to_string()]);
    });
}

#[test]
fn row_22_a_dead_address_of_several_fails_nobody_and_the_record_has_those_in_use() {
    on_both(|io| {
        let (first, second) = two_servers_at_one_port(answer_ok);
        let folder = tempfile::tempdir().expect("a folder");
        let hosts = folder.path().join("hosts");
        std::fs::write(&hosts, "127.0.0.3 many\n127.0.0.1 many\n127.0.0.2 many\n")
            .expect("written");
        let script = format!("mount --bind {} /etc/hosts && exec \"$@\"", hosts.display());
        let starter = ["unshare", "-m", "sh", "-c", &script, "sh"];
        if !can_start(&starter) {
            return;
        }
        let attack = Attack {
            url: format!("http://many:{}", first.address.port()),
            users: 6,
            under: &starter,
            ..Attack::default()
        };
        let ran = attack.on(io);
        ran.check_all_well();
        let in_use = [&first, &second].map(|server| server.address.to_string());
        assert_eq!(ran.record.run.addresses, in_use, "{}", ran.printed);
        for server in [&first, &second] {
            assert!(server.answers() > 0, "{}", ran.printed);
        }
        assert_eq!(first.answers() + second.answers(), ran.status("200"));
    });
}

fn two_servers_at_one_port(
    script: impl Fn(&mut Peer) + Copy + Send + Sync + 'static,
) -> (RawServer, RawServer) {
    loop {
        let first = RawServer::start(script);
        let port = first.address.port();
        // Another program may have that port there.
        if let Ok(second) = RawServer::on(&format!("127.0.0.2:{port}"), script) {
            return (first, second);
        }
    }
}

#[test]
fn row_22_proxies_of_the_environment_are_ignored_and_that_is_said() {
    let server = RawServer::start(answer_ok);
    let output = opsurge(&[
        "run",
        "--get",
        &server.url(),
        "-t",
        "200ms",
        "--wait",
        "5ms",
    ])
    .env("http_proxy", "http://127.0.0.1:1")
    .output()
    .expect("the binary starts");
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(
        printed.contains("proxy variables of the environment are ignored"),
        "{printed}"
    );
    let lines = server.seen.lines.lock().expect("no panic");
    assert!(
        lines.iter().all(|line| line == "GET / HTTP/1.1"),
        "{lines:?}"
    );
}
