//! `--watch`: what is found, what is measured of it, what is said when it is not there.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::signal::Signal;
use opsurge::record::schema::{Record, WatchedRecord};

use crate::support::binary::{Process, Program, opsurge, record_of, run, text};

/// A stand-in in a process of its own.
struct Service {
    process: Process,
    url: String,
}

impl Service {
    fn start() -> Self {
        Self::of(opsurge(&["mock", "--listen", "127.0.0.1:0", "-t", "60s"]))
    }

    fn of(program: Program) -> Self {
        Self::try_of(program).expect("it listens")
    }

    /// `None` when its port is taken.
    fn try_of(program: Program) -> Option<Self> {
        let mut process = program
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let stdout = process.stdout.as_mut().expect("piped");
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it speaks");
        let url = line.split(' ').find(|word| word.starts_with("http://"));
        let url = url?.trim().to_owned();
        Some(Self { process, url })
    }

    fn port(&self) -> &str {
        self.url.rsplit(':').next().expect("a port")
    }

    /// A run of 1.2 s against it.
    fn record(&self, flags: &[&str]) -> (Record, String) {
        let mut all = vec!["--host", &self.url, "-u", "2", "-t", "1200ms"];
        all.extend(["--wait", "0", "--pause", "0"]);
        all.extend(flags);
        record_of(&all, 0)
    }
}

fn named<'r>(record: &'r Record, name: &str) -> &'r WatchedRecord {
    let mut watched = record.watched.iter();
    let found = watched.find(|watched| watched.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {:?}", record.watched))
}

/// It is this process alone, and it worked.
fn check_worked(watched: &WatchedRecord, pid: u32) {
    assert_eq!(watched.pids, [pid], "{watched:?}");
    assert_eq!(
        (watched.processes_max, watched.came, watched.gone),
        (1, 0, 0)
    );
    assert!(watched.cpu_mean > Some(0.0), "{watched:?}");
    assert!(watched.cpu_max >= watched.cpu_mean, "{watched:?}");
    assert!(watched.rss_max_bytes > Some(1_000_000), "{watched:?}");
    assert!(watched.threads_max >= Some(1), "{watched:?}");
    // Its listening socket, and the connections of two users.
    assert!(watched.descriptors_max >= Some(3), "{watched:?}");
    let sample = &watched.samples[0];
    assert!(sample.context_switches_per_s > Some(0.0), "{sample:?}");
    assert_eq!((sample.received_bytes_per_s, &sample.redis), (None, &None));
    // A full second, and the rest.
    assert!((1..=3).contains(&watched.samples.len()), "{watched:?}");
    let length_s: f64 = watched.samples.iter().map(|it| it.length_s).sum();
    assert!(length_s > 0.9, "{watched:?}");
}

#[test]
fn what_listens_on_the_targets_port_is_watched_beside_the_generator() {
    let service = Service::start();
    let (record, printed) = service.record(&[]);
    let [own, target] = &record.watched[..] else {
        panic!("{:?}", record.watched);
    };
    assert_eq!(
        (own.name.as_str(), own.what.as_str()),
        ("opsurge", "generator")
    );
    assert!(own.cpu_mean > Some(0.0), "{own:?}");
    assert_eq!(target.what, format!("port {}", service.port()));
    check_worked(target, service.process.id());
    let line = format!("opsurge (port {}): CPU ", service.port());
    assert!(printed.contains(&line), "{printed}");
}

#[test]
fn processes_are_found_by_id_port_and_name_once_each() {
    let folder = tempfile::tempdir().expect("a folder");
    let name = format!("svc-{}", std::process::id());
    let link = folder.path().join(&name);
    symlink(env!("CARGO_BIN_EXE_opsurge"), &link).expect("linked");
    let program = Program::from(Command::new(&link));
    let service = Service::of(program.args(["mock", "--listen", "127.0.0.1:0", "-t", "60s"]));
    let pid = service.process.id();
    let by_pid = format!("by-id={pid}");
    let by_port = format!("by-port=port:{}", service.port());
    let (record, printed) = service.record(&[
        "--watch", &by_pid, "--watch", &by_port, "--watch", &name, "--report", "full",
    ]);
    for name in ["by-id", "by-port", &name] {
        check_worked(named(&record, name), pid);
    }
    // The target's port is watched already.
    assert_eq!(record.watched.len(), 4, "{:?}", record.watched);
    assert!(
        printed.contains("Beside the load") && printed.contains(&format!("by-id (process {pid})")),
        "{printed}"
    );
}

#[test]
fn children_are_summed_with_their_parent() {
    let program = env!("CARGO_BIN_EXE_opsurge");
    let script = format!(
        "'{program}' mock --listen 127.0.0.1:0 -t 20s & '{program}' mock --listen 127.0.0.1:0 -t 20s & wait"
    );
    let parent = Service::of(Program::from(Command::new("sh")).args(["-c", &script]));
    // The second one may still be starting: it comes within the run then.
    let (record, _) = parent.record(&["--watch", &format!("both={}", parent.process.id())]);
    let both = named(&record, "both");
    assert_eq!(both.processes_max, 3, "{both:?}");
    assert!(both.cpu_mean > Some(0.0), "{both:?}");
}

#[test]
fn the_processes_of_a_control_group_are_found() {
    let service = Service::start();
    let lists_it = |folder: &str| {
        let listed = std::fs::read_to_string(format!("{folder}/cgroup.procs"));
        let own = service.process.id().to_string();
        listed.is_ok_and(|pids| pids.lines().any(|pid| pid == own))
    };
    let groups = std::fs::read_to_string(format!("/proc/{}/cgroup", service.process.id()));
    let groups = groups.expect("it runs");
    let folders = groups.lines().flat_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let controllers = fields.next().unwrap_or_default();
        let path = fields.next().unwrap_or_default().trim_end_matches('/');
        [
            format!("/sys/fs/cgroup/{controllers}{path}"),
            format!("/sys/fs/cgroup{path}"),
        ]
    });
    let Some(folder) = folders.into_iter().find(|folder| lists_it(folder)) else {
        return println!("SKIPPED: no control group is mounted where it is looked for");
    };
    let (record, _) = service.record(&["--watch", &format!("group=cgroup:{folder}")]);
    let group = named(&record, "group");
    assert!(
        group.processes_max >= 1 && group.cpu_mean > Some(0.0),
        "{group:?}"
    );
}

#[test]
fn none_leaves_the_target_out_and_alone_everything() {
    let service = Service::start();
    let (record, _) = service.record(&["--watch", "none"]);
    assert_eq!(record.watched, []);
    let by_pid = format!("it={}", service.process.id());
    let (record, _) = service.record(&["--watch", "none", "--watch", &by_pid]);
    let names: Vec<&str> = record.watched.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["opsurge", "it"]);
}

#[test]
fn the_embedded_stand_in_is_not_watched_twice() {
    let (record, printed) = record_of(&["--mock", "-u", "1", "-t", "300ms", "--wait", "0"], 0);
    let whats: Vec<&str> = record.watched.iter().map(|it| it.what.as_str()).collect();
    assert_eq!(whats, ["generator"], "{printed}");
}

#[test]
fn a_restart_of_the_service_is_seen() {
    let first = Service::start();
    let address = first.url.trim_start_matches("http://").to_owned();
    let folder = tempfile::tempdir().expect("a folder");
    let json = folder.path().join("r.json");
    let json = json.to_str().expect("UTF-8");
    let mut running = opsurge(&[
        "run", "--host", &first.url, "-u", "2", "-t", "4s", "--wait", "100ms", "--pause", "0",
        "--json", json,
    ])
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .expect("the binary starts");
    // Its first line comes when everything was found.
    let mut line = String::new();
    let stderr = running.stderr.as_mut().expect("piped");
    BufReader::new(stderr)
        .read_line(&mut line)
        .expect("it speaks");
    assert!(line.starts_with("running scenario"), "{line}");
    let pid = first.process.id();
    first.process.signal(Signal::SIGKILL);
    drop(first);
    // Connections of the first one may hold its port for a moment.
    let again = || Service::try_of(opsurge(&["mock", "--listen", &address, "-t", "60s"]));
    let mut tries = (0..100).map(|_| again());
    let second = tries
        .find_map(|service| service)
        .expect("its port is free again");
    let output = running.wait_with_output().expect("it ends");
    let record = std::fs::read_to_string(json).expect("a record");
    let record = Record::parse(&record).expect("it is one");
    let target = &record.watched[1];
    assert_eq!((target.gone, target.came), (1, 1), "{target:?}");
    let mut pids = vec![pid, second.process.id()];
    pids.sort_unstable();
    assert_eq!(target.pids, pids);
    assert!(target.first_gone_s.is_some_and(|s| s < 4.5), "{target:?}");
    let printed = text(&output);
    assert!(
        printed.contains("1 process ended during the run, the first at "),
        "{printed}"
    );
}

#[test]
fn what_is_named_and_not_there_is_refused_before_anything_is_sent() {
    let service = Service::start();
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("bound").port();
    drop(free);
    let check = |what: &str, expected: &str| {
        let output = run(&[
            "run",
            "--host",
            &service.url,
            "-u",
            "1",
            "-t",
            "1s",
            "--watch",
            what,
        ]);
        let printed = text(&output);
        assert_eq!(output.status.code(), Some(3), "{printed}");
        assert!(
            printed.contains(expected) && !printed.contains("requests"),
            "{printed}"
        );
    };
    check(
        "2147483647",
        "--watch process 2147483647: there is no process 2147483647; pgrep -f",
    );
    check(&format!("port:{port}"), "listens on port");
    check("no-such-name", "no process is called no-such-name; ps -eo");
    check(
        "cgroup:/no/such",
        "/sys/fs/cgroup/no/such is no control group",
    );
    check(
        &format!("redis://:hush@127.0.0.1:{port}"),
        &format!("--watch redis 127.0.0.1:{port}: no connection: "),
    );
    // A service that is no Redis.
    check(
        &format!("redis://127.0.0.1:{}", service.port()),
        "does not speak RESP",
    );
    let printed = text(&run(&["run", "--host", &service.url, "--watch", "port:x"]));
    assert!(
        printed.contains("--watch port:x: a port is a number"),
        "{printed}"
    );
}

const PASSWORD: &str = "hush-4711";

/// A Redis as far as AUTH and INFO go. Each INFO counts 500 commands; from the INFO with number `silent_from` on it does
/// not answer.
struct FakeRedis {
    address: SocketAddr,
    infos: Arc<AtomicU64>,
}

impl FakeRedis {
    fn start(silent_from: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let infos = Arc::new(AtomicU64::new(0));
        let counted = infos.clone();
        // Both threads end with the test process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counted = counted.clone();
                std::thread::spawn(move || serve(stream, &counted, silent_from));
            }
        });
        Self { address, infos }
    }
}

fn serve(stream: std::net::TcpStream, infos: &AtomicU64, silent_from: u64) {
    let mut answers = stream.try_clone().expect("a descriptor is left");
    let mut commands = BufReader::new(stream);
    let mut is_known = false;
    while let Some(words) = command(&mut commands) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let answer = match words[..] {
            ["AUTH", "ops", PASSWORD] => {
                is_known = true;
                "+OK\r\n".to_owned()
            }
            ["INFO"] if is_known => {
                let number = infos.fetch_add(1, Ordering::SeqCst);
                if number >= silent_from {
                    continue;
                }
                let info = format!(
                    "# Stats\r\ntotal_commands_processed:{}\r\nkeyspace_hits:{}\r\nkeyspace_misses:0\r\n\
                     connected_clients:7\r\nused_memory:1000000\r\nused_memory_rss:2000000\r\ndb0:keys=12,expires=0\r\n",
                    number * 500,
                    number * 10,
                );
                format!("${}\r\n{info}\r\n", info.len())
            }
            ["AUTH", ..] => format!(
                "-WRONGPASS invalid pair, with args: `{}`\r\n",
                words[words.len() - 1]
            ),
            _ => "-NOAUTH Authentication required.\r\n".to_owned(),
        };
        if answers.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// The words of a command: `*N`, then `$LENGTH` and the bytes for each.
fn command(from: &mut impl BufRead) -> Option<Vec<String>> {
    let mut size = |sign: char| {
        let mut line = String::new();
        from.read_line(&mut line).ok()?;
        line.trim_end().strip_prefix(sign)?.parse::<usize>().ok()
    };
    let count = size('*')?;
    let mut words = Vec::new();
    for _ in 0..count {
        let mut line = String::new();
        from.read_line(&mut line).ok()?;
        let length: usize = line.trim_end().strip_prefix('$')?.parse().ok()?;
        let mut word = vec![0; length + 2];
        from.read_exact(&mut word).ok()?;
        words.push(String::from_utf8_lossy(&word[..length]).into_owned());
    }
    Some(words)
}

#[test]
fn a_redis_is_asked_each_second_and_its_password_is_never_shown() {
    let redis = FakeRedis::start(u64::MAX);
    let service = Service::start();
    let url = format!("cache=redis://ops:{PASSWORD}@{}/0", redis.address);
    let (record, printed) = service.record(&["--watch", &url]);
    let cache = named(&record, "cache");
    assert_eq!(cache.what, format!("redis {}", redis.address));
    assert_eq!((cache.missed, cache.rss_max_bytes), (0, Some(2_000_000)));
    let sample = cache.samples[0].redis.as_ref().expect("a Redis");
    // 500 commands in about a second: as many per second as it is long.
    let commands = sample.operations_per_s * cache.samples[0].length_s;
    assert!((450.0..550.0).contains(&commands), "{cache:?}");
    assert_eq!(
        (sample.clients, sample.memory_bytes, sample.keys),
        (7, 1_000_000, 12)
    );
    assert!(printed.contains("100 % of lookups hit"), "{printed}");
    assert!(!printed.contains(PASSWORD) && !record.to_json().contains(PASSWORD));
    let wrong = format!("redis://{PASSWORD}@{}", redis.address);
    let output = run(&["run", "--host", &service.url, "-t", "1s", "--watch", &wrong]);
    let printed = text(&output);
    assert!(
        printed.contains("it refuses AUTH: WRONGPASS") && !printed.contains(PASSWORD),
        "{printed}"
    );
    let unknown = format!("redis://{}", redis.address);
    let printed = text(&run(&[
        "run",
        "--host",
        &service.url,
        "-t",
        "1s",
        "--watch",
        &unknown,
    ]));
    assert!(printed.contains("NOAUTH"), "{printed}");
}

#[test]
fn a_redis_that_stops_answering_delays_nothing_and_is_told() {
    // It answers once, before the run.
    let redis = FakeRedis::start(1);
    let service = Service::start();
    let url = format!("redis://ops:{PASSWORD}@{}", redis.address);
    let (record, printed) = service.record(&["--watch", &url]);
    let cache = named(&record, "redis");
    assert_eq!(cache.samples, []);
    assert!(redis.infos.load(Ordering::SeqCst) >= 2);
    // The others have all of their samples.
    check_worked(&record.watched[2], service.process.id());
    assert!(printed.contains("redis (127.0.0.1:"), "{printed}");
}
