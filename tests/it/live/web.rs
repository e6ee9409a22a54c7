//! The live page of the real binary: events that resume, orders and who may give them, readers that never read, and
//! metrics that equal the record.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{ChildStderr, Stdio};

use nix::sys::signal::Signal;
use opsurge::record::schema::Record;
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::support::binary::{Process, opsurge, wait_until};

const DASHBOARD: &str = include_str!("../../../docs/grafana.json");

/// A run with its page.
struct Served {
    process: Process,
    lines: Lines<BufReader<ChildStderr>>,
    /// `127.0.0.1:PORT`.
    address: String,
    token: Option<String>,
    folder: TempDir,
}

/// An answer: status, head, body.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Served {
    /// Starts a run of the stand-in and waits for its page.
    fn start(arguments: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let run = "run workflow --mock --pause 0 --web 127.0.0.1:0 --watch none --headless";
        let mut process = opsurge(&run.split(' ').collect::<Vec<_>>())
            .args(arguments.split(' '))
            .arg("--json")
            .arg(folder.path().join("record.json"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let stderr = process.stderr.take().expect("it is piped");
        let mut served = Self {
            process,
            lines: BufReader::new(stderr).lines(),
            address: String::new(),
            token: None,
            folder,
        };
        let url = served.wait_for("live page: http://");
        let (address, fragment) = url.split_once('/').expect("a path");
        served.address = address.to_owned();
        served.token = fragment.strip_prefix("#token=").map(str::to_owned);
        served
    }

    /// The rest of the first line that begins so.
    fn wait_for(&mut self, begin: &str) -> String {
        let lines = self.lines.by_ref().map(|line| line.expect("UTF-8"));
        let mut rests = lines.filter_map(|line| line.strip_prefix(begin).map(str::to_owned));
        rests.next().unwrap_or_else(|| panic!("no line {begin}"))
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("record.json")
    }

    fn record(&self) -> Record {
        let text = std::fs::read_to_string(self.path()).expect("the record was written");
        Record::parse(&text).expect("it is a record")
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).expect("it listens")
    }

    /// Sends a request and reads its answer to the end.
    fn ask(&self, line: &str, fields: &str, body: &str) -> Answer {
        let mut stream = self.connect();
        let host = match fields.contains("Host:") {
            true => String::new(),
            false => format!("Host: {}\r\n", self.address),
        };
        let length = body.len();
        let head =
            format!("{line} HTTP/1.1\r\n{host}{fields}Content-Length: {length}\r\n\r\n{body}");
        stream.write_all(head.as_bytes()).expect("it takes it");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("UTF-8");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        Answer {
            status: status.expect("a status"),
            head: head.to_ascii_lowercase(),
            body: match head
                .to_ascii_lowercase()
                .contains("transfer-encoding: chunked")
            {
                true => unchunked(body),
                false => body.to_owned(),
            },
        }
    }

    fn get(&self, path: &str) -> String {
        let answer = self.ask(&format!("GET {path}"), "", "");
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    /// Gives an order with its token.
    fn order(&self, name: &str, body: &str) -> Answer {
        let token = self.token.as_ref().expect("orders are taken");
        let fields = format!("X-Opsurge-Token: {token}\r\n");
        self.ask(&format!("POST /control/{name}"), &fields, body)
    }

    fn so_far(&self) -> Record {
        Record::parse(&self.get("/record.json")).expect("the record so far is a record")
    }
}

/// RFC 9112 section 7.1.
fn unchunked(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a size");
        text += &rest[..size];
        body = &rest[size + 2..];
    }
    text
}

/// Events as (name, id, data).
fn events(body: &str) -> Vec<(String, Option<u64>, Json)> {
    let events = body.split("\n\n").filter(|event| !event.is_empty());
    let event = |event: &str| {
        let field = |name: &str| {
            let mut lines = event.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let name = field("event").expect("a name").to_owned();
        let id = field("id").map(|id| id.parse().expect("a number"));
        let data = serde_json::from_str(field("data").expect("data")).expect("JSON");
        (name, id, data)
    };
    events.map(event).collect()
}

/// Samples by name and labels, after a check of the text format 0.0.4: each has its type before it, no sample comes twice,
/// buckets do not fall and end with the count.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut types = BTreeMap::new();
    let mut samples = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            assert!(
                types.insert(name.to_owned(), kind.to_owned()).is_none(),
                "{line}"
            );
            continue;
        }
        if line.starts_with("# HELP ") {
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').expect("a value");
        let name = sample.split('{').next().unwrap_or_default();
        let is_plain = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(name.chars().all(is_plain), "{line}");
        let suffixes = ["", "_bucket", "_sum", "_count"];
        let mut families = suffixes
            .iter()
            .filter_map(|suffix| name.strip_suffix(suffix));
        assert!(
            families.any(|family| types.contains_key(family)),
            "no type: {line}"
        );
        let value = value
            .parse()
            .unwrap_or_else(|_| panic!("no number: {line}"));
        assert!(
            samples.insert(sample.to_owned(), value).is_none(),
            "twice: {line}"
        );
    }
    let mut last: Option<(String, f64)> = None;
    for line in text.lines().filter(|line| line.contains("_bucket{")) {
        let (labels, value) = line.rsplit_once(' ').expect("a value");
        let (series, bound) = labels.split_once("le=").expect("a bound");
        let value: f64 = value.parse().expect("a number");
        if let Some((before, least)) = &last
            && before == series
        {
            assert!(value >= *least, "buckets fall: {line}");
        }
        if bound.starts_with("\"+Inf\"") {
            let labels = series.replace("_bucket{", "_count{");
            let count = format!("{}}}", labels.trim_end_matches(','));
            assert_eq!(samples[&count], value, "{line}");
        }
        last = Some((series.to_owned(), value));
    }
    samples
}

fn sum(samples: &BTreeMap<String, f64>, begin: &str) -> u64 {
    let all = samples.iter().filter(|(name, _)| name.starts_with(begin));
    all.map(|(_, value)| *value as u64).sum()
}

/// The names of metrics in the queries of the dashboard.
fn names_in_dashboard() -> Vec<String> {
    let mut names: Vec<String> = DASHBOARD
        .split(|c: char| !c.is_ascii_lowercase() && c != '_')
        .filter(|word| word.starts_with("opsurge_"))
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn the_last_figures_stay_equal_the_record_and_a_signal_ends_them_with_the_code_of_the_run() {
    let mut served = Served::start("-u 5 --wait 20ms -t 2s --web-linger 10m");
    served.wait_for("serving the last figures on ");
    let record = served.record();
    let text = std::fs::read_to_string(served.path()).expect("written");
    assert_eq!(served.get("/record.json"), text, "the final record");

    let metrics = served.get("/metrics");
    let samples = samples(&metrics);
    assert_eq!(
        sum(&samples, "opsurge_requests_total{"),
        record.totals.requests
    );
    assert_eq!(
        sum(&samples, "opsurge_failures_total{"),
        record.totals.failures
    );
    for step in &record.steps {
        let label = format!("{{step=\"{} {}\"", step.method, step.name);
        let of_step = |name: &str| sum(&samples, &format!("{name}{label}"));
        assert_eq!(of_step("opsurge_requests_total"), step.requests);
        assert_eq!(of_step("opsurge_response_seconds_count"), step.all_us.count);
        assert_eq!(
            of_step("opsurge_service_seconds_count"),
            step.service_us.count
        );
    }
    let verdict = format!(
        "opsurge_verdict{{status=\"{}\"}}",
        record.generator.verdict.status
    );
    assert_eq!(samples[&verdict], 1.0);
    assert_eq!(sum(&samples, "opsurge_verdict{"), 1);
    let names = names_in_dashboard();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        let is_it = |line: &str| {
            let rest = line.trim_start_matches("# TYPE ").strip_prefix(&name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
        };
        assert!(
            metrics.lines().any(is_it),
            "the dashboard shows {name}, which is not served"
        );
    }

    let all = events(&served.get("/events"));
    let (name, last, seconds) = &all[0];
    assert_eq!(name, "seconds");
    let last = last.expect("an id");
    assert!(last >= 2, "two seconds: {last}");
    // A page that the machine let wait may have missed a second; the sums above have it.
    let missed = |seconds: &Json, after: u64| {
        let numbers = seconds.as_array().expect("an array").iter();
        let numbers = numbers.map(|second| second["number"].as_u64().expect("a number"));
        numbers
            .filter(|number| *number > after)
            .collect::<Vec<u64>>()
    };
    assert_eq!(missed(seconds, 0).last(), Some(&last));
    let kinds: Vec<&str> = all.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(kinds, ["seconds", "charts", "end"]);
    let drawn = &all[1].2;
    let parts = drawn["parts"].to_string();
    assert!(
        parts.contains("Passed: ") && !parts.contains("Running: "),
        "the final verdict"
    );
    assert!(
        drawn["charts"]
            .as_array()
            .is_some_and(|charts| charts.len() >= 5)
    );
    let resumed = served.ask("GET /events", "Last-Event-ID: 1\r\n", "");
    let resumed = events(&resumed.body);
    assert_eq!(
        missed(&resumed[0].2, 0),
        missed(seconds, 1),
        "only what was missed"
    );
    assert_eq!(resumed[0].1, Some(last));
    let nothing = served.ask("GET /events", &format!("Last-Event-ID: {last}\r\n"), "");
    assert_eq!(events(&nothing.body)[0].0, "charts");

    served.process.signal(Signal::SIGINT);
    let code = served.process.wait().expect("it ends").code();
    assert_eq!(code, Some(i32::from(record.exit_code)));
    assert_eq!(code, Some(0));
}

#[test]
fn orders_need_their_token_and_our_name_and_are_recorded() {
    let mut served = Served::start("-u 5 --wait 20ms -t 50s --web-control --web-linger 0");
    wait_until("a second is over", || !served.so_far().series.is_empty());
    let so_far = served.so_far();
    assert_eq!(so_far.run.ended_by, "running");
    assert_eq!(
        so_far.totals.sent,
        so_far.totals.requests + so_far.series.last().and_then(|s| s.in_flight).unwrap_or(0)
    );

    let page = served.ask("GET /", "", "");
    assert!(
        page.head
            .contains("content-security-policy: default-src 'none'"),
        "{}",
        page.head
    );
    assert!(page.head.contains("frame-ancestors 'none'"));
    assert!(
        !page.head.contains("access-control"),
        "no other site may read it"
    );
    let token = served.token.clone().expect("printed");
    assert!(
        !page.body.contains(&token),
        "the page does not hold the token"
    );
    assert!(page.body.contains("id=\"control\""));

    let refused = |line: &str, fields: &str, body: &str, status: u16| {
        let answer = served.ask(line, fields, body);
        assert_eq!(answer.status, status, "{line} {fields}: {}", answer.body);
    };
    refused("POST /control/users", "", "9", 403);
    refused("POST /control/drain", "X-Opsurge-Token: 0\r\n", "", 403);
    let with_token = format!("X-Opsurge-Token: {token}\r\n");
    let foreign = format!("Host: evil.example\r\n{with_token}");
    refused("POST /control/drain", &foreign, "", 403);
    refused("GET /record.json", "Host: evil.example\r\n", "", 403);
    refused("GET /control/drain", &with_token, "", 405);
    refused("POST /metrics", "", "", 405);
    refused("POST /control/users", &with_token, "many", 422);
    refused("POST /control/users", &with_token, &"9".repeat(65), 400);
    refused("POST /control/rate", &with_token, "9", 409);
    refused("GET /secret", "", "", 404);

    assert_eq!(served.order("users", "9").status, 202);
    wait_until("nine users", || {
        served
            .so_far()
            .series
            .iter()
            .any(|sample| sample.users == 9)
    });
    assert_eq!(served.order("drain", "").status, 202);
    assert_eq!(served.process.wait().expect("it ends").code(), Some(130));
    let record = served.record();
    assert_eq!(record.run.ended_by, "signal");
    let orders: Vec<_> = record.run.load.orders.iter().collect();
    assert_eq!(
        orders.len(),
        1,
        "refused orders are not carried out: {orders:?}"
    );
    assert_eq!((orders[0].by.as_str(), orders[0].users), ("web", Some(9)));
}

#[test]
fn two_hundred_readers_that_never_read_take_nothing_from_the_run() {
    let mut served = Served::start("-u 10 --wait 10ms --iterations 1000 --web-linger 0");
    let readers: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = served.connect();
            let head = format!("GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", served.address);
            stream.write_all(head.as_bytes()).expect("it takes it");
            stream
        })
        .collect();
    assert_eq!(
        served.ask("POST /control/drain", "", "").status,
        404,
        "orders are not taken"
    );
    assert!(!served.get("/").contains("id=\"control\""));
    assert_eq!(served.process.wait().expect("it ends").code(), Some(0));
    let record = served.record();
    assert_eq!(record.run.ended_by, "iterations");
    let work = record
        .steps
        .iter()
        .find(|step| step.name.contains("/workflow"));
    assert_eq!(
        work.map(|step| (step.sent, step.failures)),
        Some((1_000, 0))
    );
    let by_second = record.series.iter().flat_map(|sample| &sample.steps);
    let by_second: u64 = by_second.map(|step| step.requests).sum();
    assert_eq!(by_second, record.totals.requests, "no second is missing");
    drop(readers);
}
