//! Records of drawn runs, for the tests.

use crate::metrics::interval::Interval;
use crate::metrics::outcome::Failure;
use crate::metrics::recorder::{Counts, ErrorCount, Example};
use crate::metrics::seconds::Status;
use crate::metrics::series::Series;
use crate::metrics::summary::Summary;
use crate::record::build;
use crate::record::build::RunTime;
use crate::record::schema::{
    Generator, GeneratorHistograms, LoadInfo, MachineInfo, PartRecord, Record, RunInfo, Times,
    VerdictRecord,
};
use crate::scenario::model::{Carries, MetricLabel};

const SECOND_NS: u64 = 1_000_000_000;
const STEPS: [&str; 3] = ["/a", "/b", "/c"];

/// Numbers by splitmix64 (Steele, Lea and Flood 2014).
pub struct Draws(u64);

impl Draws {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// A request of a drawn run.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    second: u64,
    step: usize,
    took_ns: u64,
    status: u16,
}

/// The requests of a load of so many seconds and of a drain of one.
pub fn requests(seed: u64, seconds: u64) -> Vec<Request> {
    let mut draws = Draws::new(seed);
    let mut all = Vec::new();
    for second in 0..=seconds {
        let slow = 1 + draws.below(5);
        // Every part has a request of every step in each second.
        for nth in 0..60 + draws.below(60) {
            all.push(Request {
                second,
                step: (nth / 8 % 3) as usize,
                took_ns: slow * (1_000 + draws.below(2_000_000)) + draws.below(999),
                status: if draws.below(20) == 0 { 503 } else { 202 },
            });
        }
    }
    all
}

/// The record of a run of these requests. The load lasts to the last second, which is the drain.
pub fn built(requests: &[Request]) -> Record {
    coarse(requests, 1)
}

/// The same with so many seconds of the load joined to a sample, as a long run has them.
pub fn coarse(requests: &[Request], joined: u64) -> Record {
    let seconds = requests.iter().map(|request| request.second).max();
    let seconds = seconds.unwrap_or(0);
    let mut counts = Counts::new(STEPS.len(), 1);
    let mut series = Series::new(STEPS.len());
    let mut interval = Interval::new(STEPS.len());
    for second in 0..=seconds {
        interval.is_drain = second == seconds;
        interval.users = 5;
        interval.judged[Status::Valid] += 1;
        let own = requests.iter().filter(|request| request.second == second);
        own.for_each(|request| count(&mut counts, &mut interval, request));
        let end = second + 1;
        if end % joined == 0 || end >= seconds {
            series.push(end * SECOND_NS, &interval);
            interval = Interval::new(STEPS.len());
        }
    }
    let labels = STEPS.map(|name| MetricLabel {
        method: "GET".into(),
        name: name.into(),
        target: None,
        is_poll: name == "/c",
        hints: Vec::new(),
        carries: Carries::default(),
    });
    let time = RunTime {
        load_ns: seconds * SECOND_NS,
        drain_ns: SECOND_NS,
        open_at_load_end: 0,
    };
    let summary = Summary { counts, series };
    build::record(
        run_info(),
        &labels,
        &["whole".into()],
        &summary,
        time,
        generator(),
    )
}

fn count(counts: &mut Counts, interval: &mut Interval, request: &Request) {
    let Request {
        step,
        took_ns,
        status,
        second,
    } = *request;
    let has_failed = status == 503;
    let failures = u64::from(has_failed);
    let sum = &mut counts.steps[step];
    sum.sent += 1;
    sum.requests += 1;
    sum.failures += failures;
    sum.statuses[usize::from(status)] += 1;
    sum.body_bytes += 7;
    sum.bytes_sent += 11;
    sum.bytes_received += 13;
    if !interval.is_drain {
        sum.in_load.requests += 1;
        sum.in_load.failures += failures;
    }
    if has_failed {
        sum.failed.record(took_ns);
        fail(&mut sum.errors, second * SECOND_NS, status);
    } else {
        sum.service.record(took_ns);
        sum.response.record(took_ns + 500);
        sum.client.record(500);
        sum.ready.record(3 * took_ns);
        counts.spans[0].begun += 1;
        counts.spans[0].times.record(2 * took_ns);
    }
    let second = &mut interval.steps[step];
    second.requests += 1;
    second.failures += failures;
    second.body_bytes += 7;
    let response_ns = if has_failed { took_ns } else { took_ns + 500 };
    second.response.record(response_ns);
}

fn fail(errors: &mut Vec<ErrorCount>, at_ns: u64, status: u16) {
    match errors.first_mut() {
        Some(error) => {
            error.count += 1;
            error.last_ns = at_ns;
        }
        None => errors.push(ErrorCount {
            failure: Failure::Status,
            status,
            count: 1,
            first_ns: at_ns,
            last_ns: at_ns,
            example: Example::from("503".to_owned()),
        }),
    }
}

/// A generator that can be believed.
pub fn generator() -> Generator {
    Generator {
        cpu_user_s: 1.0,
        cpu_system_s: 2.0,
        rss_max_bytes: 3,
        turn_us: Times::default(),
        connect_us: Times::default(),
        screen_cpu_s: None,
        histograms: GeneratorHistograms::default(),
        shards: Vec::new(),
        verdict: VerdictRecord {
            status: "VALID".into(),
            reasons: Vec::new(),
        },
        calibration: None,
    }
}

/// A closed load of five users and ten iterations.
pub fn run_info() -> RunInfo {
    RunInfo {
        command: Vec::new(),
        version: "0".into(),
        scenario: "drawn".into(),
        host: "http://localhost".into(),
        addresses: Vec::new(),
        targets: Vec::new(),
        source_addresses: Vec::new(),
        tcp: Vec::new(),
        users: 5,
        users_came: 5,
        spawn_rate: None,
        run_time_s: None,
        load: LoadInfo {
            model: "closed".into(),
            stages: Vec::new(),
            open: None,
            wait: "0s".into(),
            iterations: Some(10),
            orders: Vec::new(),
        },
        seed: 7,
        shards: 1,
        backend: "epoll".into(),
        connections: "per-user".into(),
        connection_lifetime: None,
        pipeline: 1,
        timeout_s: 30.0,
        started_at: "2026-11-24T12:00:00.000Z".into(),
        ended_by: "time".into(),
        error: None,
        machine: MachineInfo {
            cores: 2,
            cpu: "a processor".into(),
            kernel: "6.18".into(),
            hostname: String::new(),
            boot_id: String::new(),
            clock: None,
        },
        part: None,
        start_at: None,
        parts: Vec::new(),
        all_running: None,
    }
}

/// The parts with their shares in their records.
pub fn named(mut parts: Vec<(String, Record)>) -> Vec<(String, Record)> {
    let of = parts.len() as u64;
    for (at, (_, record)) in parts.iter_mut().enumerate() {
        let index = at as u64 + 1;
        record.run.part = Some(PartRecord { index, of });
    }
    parts
}

/// An RFC 3339 time so many seconds later.
pub fn shifted(time: &str, by_s: u64) -> String {
    let at = humantime::parse_rfc3339(time).expect("a time");
    let later = at + std::time::Duration::from_secs(by_s);
    humantime::format_rfc3339_millis(later).to_string()
}
