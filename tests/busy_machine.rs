//! The verdict on a machine that other programs use, or whose quota is used up. A file of its own: it keeps cores busy,
//! and would disturb other tests.
//!
//! Here stands what holds on any machine: a disturbed second is told so, and the generator is not blamed. That no *other*
//! second is marked holds on a quiet machine alone: `scripts/measure verdicts`.

#[path = "it/support/binary.rs"]
#[expect(dead_code, reason = "only a part of it is used here")]
mod binary;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use opsurge::record::schema::{Record, SampleRecord};

/// One test at a time: each disturbs the machine.
static MACHINE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Programs that are never idle.
struct Crowd(Vec<Child>);

impl Crowd {
    /// One for each core.
    fn everywhere() -> Self {
        let cores = std::thread::available_parallelism().expect("known").get();
        Self((0..cores).map(|_| Self::busy(&[])).collect())
    }

    /// So many on one core.
    fn on(core: usize, count: usize) -> Self {
        let pinned = ["taskset", "-c", &core.to_string()].map(str::to_owned);
        Self((0..count).map(|_| Self::busy(&pinned)).collect())
    }

    fn busy(before: &[String]) -> Child {
        Command::new("timeout")
            .arg("60")
            .args(before)
            .args(["sh", "-c", "while :; do :; done"])
            .stdin(Stdio::null())
            .spawn()
            .expect("a shell")
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // `timeout` passes the signal on to its shell.
            let id = nix::unistd::Pid::from_raw(child.id().cast_signed());
            let _ = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM);
            let _ = child.wait();
        }
    }
}

/// A stand-in in a process of its own, and its URL.
struct StandIn(Child, String);

impl StandIn {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_opsurge"))
            .args(["mock", "--listen", "127.0.0.1:0", "-t", "60s"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let printed = BufReader::new(child.stdout.take().expect("piped"));
        let url = printed.lines().map_while(Result::ok).find_map(|line| {
            let url = &line[line.find("http://")?..];
            Some(url.split_whitespace().next()?.to_owned())
        });
        Self(child, url.expect("it says where it listens"))
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A control group of ours with a CPU quota; version 1 or 2, whichever can be written.
struct Group {
    folder: PathBuf,
    is_v2: bool,
}

impl Group {
    fn new() -> Option<Self> {
        let name = format!("opsurge-test-{}", std::process::id());
        let places = [("/sys/fs/cgroup/cpu", false), ("/sys/fs/cgroup", true)];
        places.into_iter().find_map(|(root, is_v2)| {
            let folder = PathBuf::from(root).join(&name);
            fs::create_dir(&folder).ok()?;
            let group = Self { folder, is_v2 };
            // A folder that is no control group, or one without CPU control, has no such file.
            group.set_quota(None).then_some(group)
        })
    }

    /// Microseconds of CPU time in 100 ms; `None` for all that it wants.
    fn set_quota(&self, us: Option<u64>) -> bool {
        let us = us.map(|us| us.to_string());
        let (file, text) = match self.is_v2 {
            true => {
                let us = us.unwrap_or_else(|| "max".into());
                ("cpu.max", format!("{us} 100000"))
            }
            false => ("cpu.cfs_quota_us", us.unwrap_or_else(|| "-1".into())),
        };
        fs::write(self.folder.join(file), text).is_ok()
    }

    /// A program that starts the binary in the group.
    fn program(&self) -> Command {
        let script = format!(
            "echo $$ >{}/cgroup.procs && exec \"$0\" \"$@\"",
            self.folder.display()
        );
        let mut command = Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_opsurge")]);
        command
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Runs a program of `opsurge`, disturbs it from second 3 to second 6, and returns its record with the seconds, counted
/// from the run's start, in which it was disturbed.
fn disturbed(
    command: Command,
    arguments: &[&str],
    begin: impl FnOnce(),
    end: impl FnOnce(),
) -> (Record, (f64, f64)) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("record.json");
    let run = binary::Program::from(command)
        .args(["run", "--headless", "-t", "8s", "--json"])
        .arg(&path)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    std::thread::sleep(Duration::from_secs(3));
    begin();
    let from = SystemTime::now();
    std::thread::sleep(Duration::from_secs(3));
    let to = SystemTime::now();
    end();
    let output = run.wait_with_output().expect("it ends");
    let printed = binary::text(&output);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    let record = Record::parse(&fs::read_to_string(&path).expect("written")).expect("a record");
    let started = humantime::parse_rfc3339(&record.run.started_at).expect("a time");
    let at = |moment: SystemTime| {
        let since = moment.duration_since(started).expect("later");
        since.as_secs_f64()
    };
    let seconds = (at(from), at(to));
    (record, seconds)
}

/// The samples that lie wholly in a stretch of time.
fn within(record: &Record, (from_s, to_s): (f64, f64)) -> Vec<&SampleRecord> {
    let samples = record.series.iter();
    let is_within =
        |sample: &&SampleRecord| sample.t_s - sample.length_s >= from_s && sample.t_s <= to_s;
    let found: Vec<_> = samples.filter(is_within).collect();
    assert!(
        !found.is_empty(),
        "a whole second between {from_s} and {to_s}"
    );
    found
}

/// Every second of a stretch has a cause of doubt, and none lies in the generator.
fn check(record: &Record, seconds: (f64, f64), cause: &str) {
    for sample in within(record, seconds) {
        assert_eq!(sample.verdict, "MACHINE-DISTURBED", "{sample:?}");
        assert!(sample.causes.contains_key(cause), "{cause}: {sample:?}");
    }
    let reasons = record.generator.verdict.reasons.join(" ");
    for own in ["a shard worked", "own work"] {
        assert!(!reasons.contains(own), "{reasons}");
    }
}

#[test]
fn seconds_in_which_others_had_the_core_are_told_so() {
    let _alone = alone();
    let server = StandIn::start(&[]);
    let core = opsurge::machine::cpu::allowed_cores().expect("known")[0];
    let mut crowd = None;
    let crowd_of = &mut crowd;
    let load = [
        "--host", &server.1, "-u", "10", "--wait", "0", "--pause", "0",
    ];
    let mut pinned = Command::new("taskset");
    pinned.args(["-c", &core.to_string(), env!("CARGO_BIN_EXE_opsurge")]);
    let (record, seconds) = disturbed(
        pinned,
        &load,
        || *crowd_of = Some(Crowd::on(core, 4)),
        || (),
    );
    drop(crowd);
    check(&record, seconds, "core_waited");
}

#[test]
fn seconds_in_which_the_quota_was_used_up_are_told_so() {
    let _alone = alone();
    let Some(group) = Group::new() else {
        println!("SKIPPED: no control group with CPU control can be made here");
        return;
    };
    let server = StandIn::start(&[]);
    let load = [
        "--host", &server.1, "-u", "10", "--wait", "0", "--pause", "0", "--shards", "1",
    ];
    // A fiftieth of a core: a generator that gets little of a crowded machine uses that up too.
    let (record, seconds) = disturbed(
        group.program(),
        &load,
        || assert!(group.set_quota(Some(2_000))),
        || assert!(group.set_quota(None)),
    );
    check(&record, seconds, "throttled_us");
}

#[test]
fn few_requests_beside_busy_programs_do_not_blame_the_generator() {
    let _alone = alone();
    let _crowd = Crowd::everywhere();
    for _ in 0..3 {
        let load = "--mock --headless -u 10 -r 5 --wait 1s -t 3s";
        let (record, printed) = binary::record_of(&load.split(' ').collect::<Vec<_>>(), 0);
        assert!(record.totals.requests < 100, "{printed}");
        let reasons = record.generator.verdict.reasons.join(" ");
        // A debug build is named in the verdict; no other cause may lie in the generator.
        for own in ["a shard worked", "own work"] {
            assert!(!reasons.contains(own), "{reasons}");
        }
        for sample in &record.series {
            assert_ne!(sample.verdict, "GENERATOR-LIMITED", "{sample:?}");
        }
    }
}

#[test]
fn a_slow_server_and_a_short_pool_are_not_the_generators_doing() {
    let _alone = alone();
    // 100 ms for each request, 20 users: 200 requests per second at most.
    let slow = "--mock --headless --wait 0 --pause 0 -t 3s --mock-workers 100 --mock-service-time 100ms -u 20";
    let run = |more: &[&str]| {
        let arguments: Vec<&str> = slow.split(' ').chain(more.iter().copied()).collect();
        binary::record_of(&arguments, 0).0
    };
    let record = run(&[]);
    for sample in &record.series {
        // Another program may have disturbed the machine; nothing else is doubtful.
        let found = sample.verdict.as_str();
        assert!(matches!(found, "VALID" | "MACHINE-DISTURBED"), "{sample:?}");
    }
    assert!(record.totals.service_us.p50 > Some(99e3));
    // Two connections for 20 users: they wait for a connection, and that is said for each second.
    let record = run(&["--connections", "2"]);
    let load = record.series.iter().filter(|sample| !sample.is_drain);
    for sample in load {
        assert_eq!(sample.verdict, "CONNECTIONS-LIMITED", "{sample:?}");
        assert!(sample.causes["waited_in_line"] > 0.5, "{sample:?}");
    }
    let reasons = record.generator.verdict.reasons.join(" ");
    assert!(reasons.contains("give more --connections"), "{reasons}");
}
