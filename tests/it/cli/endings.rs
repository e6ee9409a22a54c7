//! How the process ends: every end of a run leaves its report or an error, and no end hangs.

use std::fs;
use std::io::{BufRead, BufReader, PipeWriter, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::binary::{Process, Program, check_sums, opsurge, run, text, wait_until};
use crate::support::raw_server::{RawServer, answer_ok};
use nix::sys::signal::Signal;
use opsurge::record::schema::Record;

/// Capacity of a pipe in bytes (pipe(7)).
const PIPE_BYTES: usize = 65_536;
/// Longest time of an end that waits for nothing, on a busy machine too.
const AT_ONCE: Duration = Duration::from_secs(4);

fn answering() -> RawServer {
    RawServer::start(answer_ok)
}

fn record_at(path: &Path) -> Record {
    let json = fs::read_to_string(path).expect("the record was written");
    let record = Record::parse(&json).expect("it is a record");
    check_sums(&record);
    record
}

/// A pipe that is full and has no reader.
fn full_pipe() -> (std::io::PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    writer
        .write_all(&[b'x'; PIPE_BYTES])
        .expect("there is room");
    (reader, writer)
}

/// Whether the process has a handler for the signal.
fn catches(process: &Process, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let mask = line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal as u32 - 1) & 1 == 1)
}

#[test]
fn row_25_hangup_and_quit_drain_and_report_as_ctrl_c_does_and_terminate_stops() {
    let server = answering();
    for signal in [
        Signal::SIGHUP,
        Signal::SIGQUIT,
        Signal::SIGINT,
        Signal::SIGTERM,
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let json = folder.path().join("r.json");
        let mut child = opsurge(&["run", "--get", &server.url(), "--wait", "5ms", "--json"])
            .arg(&json)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut line = || lines.next().expect("it speaks").expect("UTF-8");
        while !line().starts_with("running") {}
        child.signal(signal);
        let printed = match signal {
            Signal::SIGTERM => "stopping now",
            _ => "interrupted: waiting",
        };
        while !line().starts_with(printed) {}
        let status = child.wait().expect("it ends");
        assert_eq!(status.code(), Some(130), "{signal}");
        assert_eq!(record_at(&json).run.ended_by, "signal", "{signal}");
    }
}

#[test]
fn a_run_under_nohup_goes_on_when_its_terminal_hangs_up() {
    let server = answering();
    let mut command = Command::new("nohup");
    command.arg(env!("CARGO_BIN_EXE_opsurge"));
    let url = server.url();
    let mut child = Program::from(command)
        .args(["run", "--get", &url, "--wait", "5ms", "-t", "1s"])
        .args(["--report", "full"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("nohup is everywhere");
    wait_until("a handler", || catches(&child, Signal::SIGINT));
    child.signal(Signal::SIGHUP);
    let mut printed = String::new();
    let stdout = child.stdout.as_mut().expect("piped");
    stdout.read_to_string(&mut printed).expect("UTF-8");
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "{printed}");
    assert!(printed.contains("ended by time"), "{printed}");
}

#[test]
fn row_25_a_signal_ends_a_process_that_is_stuck_in_its_report() {
    let server = answering();
    for signal in [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let json = folder.path().join("r.json");
        let (_reader, writer) = full_pipe();
        let mut child = opsurge(&["run", "--get", &server.url(), "-t", "300ms", "--json"])
            .arg(&json)
            .stdout(writer)
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        // The console report is written after the record.
        wait_until("the record", || json.exists());
        let began = Instant::now();
        child.signal(signal);
        let status = child.wait().expect("it ends");
        assert!(began.elapsed() < AT_ONCE, "{signal}: {:?}", began.elapsed());
        assert_eq!(status.code(), Some(130), "{signal}");
        assert_eq!(record_at(&json).run.ended_by, "time", "{signal}");
    }
}

#[test]
fn row_25_a_third_signal_ends_a_process_that_cannot_speak_either() {
    let server = answering();
    let (_reader, writer) = full_pipe();
    let mut child = opsurge(&["run", "--get", &server.url()])
        .stdout(Stdio::null())
        .stderr(writer)
        .spawn()
        .expect("the binary starts");
    // Standard error is full: the first line of the run cannot be written.
    wait_until("a handler", || catches(&child, Signal::SIGHUP));
    let began = Instant::now();
    // Signals of one kind that arrive together count as one. Which ones the process handled is not visible from
    // outside.
    let status = loop {
        child.signal(Signal::SIGINT);
        std::thread::park_timeout(Duration::from_millis(100));
        if let Some(status) = child.try_wait().expect("it is ours") {
            break status;
        }
        assert!(began.elapsed() < AT_ONCE, "it goes on");
    };
    assert_eq!(status.code(), Some(130));
    child.wait().expect("it has ended");
}

#[test]
fn row_31_standard_output_on_a_full_disk_is_an_error_of_every_command() {
    let server = answering();
    let url = server.url();
    let folder = tempfile::tempdir().expect("a folder");
    let json = folder.path().join("r.json");
    let json_text = json.to_str().expect("UTF-8");
    let search = "search --mock --from 1 --to 1 --every 2s --settle 0s --wait 50ms --quiet";
    let search: Vec<&str> = search.split(' ').collect();
    for arguments in [
        &["run", "--get", &url, "-t", "300ms", "--json", json_text][..],
        &["request", &url],
        &["request", "--json", &url],
        &["scenarios", "list"],
        &["scenarios", "show", "workflow"],
        &["scenarios", "check", "workflow"],
        &["mock", "--listen", "127.0.0.1:0", "-t", "100ms"],
        &search,
        &["--help"],
        &["--version"],
    ] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full");
        let mut child = opsurge(arguments)
            .stdout(full.expect("Linux"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut printed = String::new();
        let stderr = child.stderr.as_mut().expect("piped");
        stderr.read_to_string(&mut printed).expect("UTF-8");
        let status = child.wait().expect("it ends");
        assert_eq!(status.code(), Some(3), "{arguments:?}: {printed}");
        let error = "error: standard output could not be written: No space left on device";
        assert!(printed.contains(error), "{arguments:?}: {printed}");
    }
    let record = record_at(&json);
    assert_eq!(record.run.ended_by, "time");
    assert_eq!((record.passed, record.exit_code), (false, 3));
    let reason = "standard output could not be written";
    let is_said = record
        .reasons
        .iter()
        .any(|printed| printed.contains(reason));
    assert!(is_said, "{:?}", record.reasons);
}

#[test]
fn errors_are_told_by_the_exit_code_when_standard_error_is_full() {
    for arguments in [&["run", "no-such-scenario"][..], &["run", "--no-such-flag"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full");
        let mut child = opsurge(arguments)
            .stdout(Stdio::null())
            .stderr(full.expect("Linux"))
            .spawn()
            .expect("the binary starts");
        assert_eq!(
            child.wait().expect("it ends").code(),
            Some(2),
            "{arguments:?}"
        );
    }
}

/// The binary with a limit on the size of each file that it writes, in blocks of 512 or 1,024 bytes.
fn with_file_limit(blocks: &str) -> Program {
    let script = format!("ulimit -f {blocks} && exec \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_opsurge")]);
    Program::from(command)
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error_and_leaves_no_half_of_one() {
    let server = answering();
    let url = server.url();
    for (flag, name) in [("--json", "r.json"), ("--csv", "r"), ("--hdr", "r.hlog")] {
        let folder = tempfile::tempdir().expect("a folder");
        let older = folder.path().join("r.json");
        fs::write(&older, "an older report").expect("written");
        // A record has several kilobytes, the history a line of 100 bytes a second, a second of the log about 200.
        let (blocks, time) = match flag {
            "--json" => ("2", "300ms"),
            _ => ("0", "1100ms"),
        };
        let output = with_file_limit(blocks)
            .args(["run", "--get", &url, "--wait", "5ms", "-t", time, flag])
            .arg(folder.path().join(name))
            .output()
            .expect("sh is everywhere");
        let printed = text(&output);
        assert_eq!(output.status.code(), Some(3), "{flag}: {printed}");
        assert!(printed.contains("File too large"), "{flag}: {printed}");
        assert!(
            printed.contains("endpoint "),
            "the report is shown: {printed}"
        );
        assert_eq!(fs::read(&older).expect("it is there"), b"an older report");
        let left = fs::read_dir(folder.path()).expect("a folder");
        let left = left.map(|entry| entry.expect("readable").file_name());
        assert!(
            left.into_iter()
                .all(|name| name == "r.json" || name == "r.hlog"),
            "{flag}"
        );
    }
    // The limit applies to standard output too.
    let folder = tempfile::tempdir().expect("a folder");
    let out = fs::File::create(folder.path().join("out")).expect("a file");
    let mut child = with_file_limit("0")
        .args(["scenarios", "list"])
        .stdout(out)
        .stderr(Stdio::null())
        .spawn()
        .expect("sh is everywhere");
    assert_eq!(child.wait().expect("it ends").code(), Some(3));
}

#[test]
fn two_outputs_on_one_path_are_refused_before_anything_is_sent() {
    let server = answering();
    let url = server.url();
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| {
        let path = folder.path().join(name);
        path.to_str().expect("UTF-8").to_owned()
    };
    let (one, prefix, stats) = (at("one"), at("c"), at("c_stats.csv"));
    for outputs in [
        [("--json", &one), ("--hdr", &one)],
        [("--json", &stats), ("--csv", &prefix)],
    ] {
        let outputs = outputs.map(|(flag, path)| [flag, path]);
        let output = run(&[
            &["run", "--get", &url, "-t", "300ms"],
            outputs.as_flattened(),
        ]
        .concat());
        let printed = text(&output);
        assert_eq!(output.status.code(), Some(2), "{printed}");
        assert!(printed.contains("are the same file"), "{printed}");
    }
    // A report must not go to the file that standard output goes to.
    let out = fs::File::create(&one).expect("a file");
    let mut child = opsurge(&["run", "--get", &url, "-t", "300ms", "--json", &one])
        .stdout(out)
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut printed = String::new();
    let stderr = child.stderr.as_mut().expect("piped");
    stderr.read_to_string(&mut printed).expect("UTF-8");
    assert_eq!(child.wait().expect("it ends").code(), Some(2), "{printed}");
    assert!(
        printed.contains("is the file that standard output goes to"),
        "{printed}"
    );
    let requests = server
        .seen
        .requests
        .load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(requests, 0, "nothing was sent");
}

/// The user whose limit on threads is set. It owns no other process of this machine.
fn lonely_user() -> u32 {
    100_000 + std::process::id()
}

#[test]
fn row_24_a_thread_that_cannot_be_started_is_an_error_and_hangs_nothing() {
    let server = answering();
    let url = server.url();
    // The main thread and the signal thread are two, so four of eight shards can start.
    let limited = |limit: &str| {
        let mut command = Command::new("prlimit");
        command.arg(format!("--nproc={limit}"));
        command.arg(env!("CARGO_BIN_EXE_opsurge"));
        command.uid(lonely_user()).gid(lonely_user());
        Program::from(command)
    };
    let can_start = limited("6").arg("--version").output();
    if !can_start.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: this user may not start a process of another one");
        return;
    }
    let began = Instant::now();
    let output = limited("6")
        .args(["run", "--get", &url, "-u", "8", "--shards", "8", "-t", "1s"])
        .output()
        .expect("it starts");
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(3), "{printed}");
    assert!(
        printed.contains("error: no thread could be started for shard ")
            && printed.contains(" of 8 ("),
        "{printed}"
    );
    assert!(printed.contains("ulimit -u"), "{printed}");
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    let enough = limited("12")
        .args([
            "run", "--get", &url, "-u", "8", "--shards", "8", "-t", "300ms",
        ])
        .output()
        .expect("it starts");
    assert_eq!(enough.status.code(), Some(0), "{}", text(&enough));
}

/// A control group for one test, removed when dropped.
struct CpuGroup(PathBuf);

impl CpuGroup {
    /// With the quota of one core, by version 1 or 2 of control groups, if this machine lets the test create one.
    fn of_one_core() -> Option<Self> {
        let name = format!("opsurge-test-{}", std::process::id());
        let groups = [
            ("cpu", "cpu.cfs_quota_us", "100000"),
            ("", "cpu.max", "100000 100000"),
        ];
        groups.into_iter().find_map(|(mount, file, quota)| {
            let group = Self(Path::new("/sys/fs/cgroup").join(mount).join(&name));
            fs::create_dir(&group.0).ok()?;
            fs::write(group.0.join(file), quota).ok().map(|()| group)
        })
    }
}

impl Drop for CpuGroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn row_30_there_are_as_many_shards_as_the_cpu_quota_has_cores() {
    let cores = std::thread::available_parallelism().expect("known").get();
    let Some(group) = CpuGroup::of_one_core().filter(|_| cores > 1) else {
        println!("SKIPPED: no control group can be made here, or there is one core");
        return;
    };
    let server = answering();
    let url = server.url();
    for (wanted, shards) in [(&[][..], 1), (&["--shards", "2"], 2)] {
        let folder = tempfile::tempdir().expect("a folder");
        let json = folder.path().join("r.json");
        let mut command = Command::new("sh");
        let script = "echo $$ > \"$1/cgroup.procs\" && shift && exec \"$@\"";
        command.args(["-c", script, "sh"]).arg(&group.0);
        command.arg(env!("CARGO_BIN_EXE_opsurge"));
        let output = Program::from(command)
            .args(["run", "--get", &url, "-u", "4", "-t", "300ms"])
            .args(wanted)
            .arg("--json")
            .arg(&json)
            .output()
            .expect("sh is everywhere");
        let printed = text(&output);
        assert_eq!(output.status.code(), Some(0), "{printed}");
        assert_eq!(record_at(&json).run.shards, shards, "{printed}");
        let note = format!("note: the CPU quota is 1.00 cores, so 1 of {cores} cores are used");
        assert_eq!(printed.contains(&note), shards == 1, "{printed}");
    }
}

#[test]
fn row_33_a_resolver_that_does_not_answer_is_given_up_after_five_seconds_and_named() {
    // A name server that never answers. Its address is unusual, so that port 53 is free there on any machine.
    let [high, low] = (std::process::id() as u16).to_be_bytes();
    let address = format!("127.77.{high}.{low}");
    let silent = std::net::UdpSocket::bind((address.as_str(), 53));
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("resolv.conf");
    fs::write(
        &config,
        format!("nameserver {address}\noptions timeout:30\n"),
    )
    .expect("written");
    let with_it = |program: &str| {
        let script = "mount --bind \"$1\" /etc/resolv.conf && shift && exec \"$@\"";
        let mut command = Command::new("unshare");
        command
            .args(["-m", "sh", "-c", script, "sh"])
            .arg(&config)
            .arg(program);
        Program::from(command)
    };
    let can_mount = with_it("true").output();
    if silent.is_err() || !can_mount.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: no port 53 or no private mount is available here");
        return;
    }
    let name = "http://no-such-host.example:8000/";
    for arguments in [&["run", "--get", name][..], &["request", name]] {
        let began = Instant::now();
        let output = with_it(env!("CARGO_BIN_EXE_opsurge"))
            .args(arguments)
            .output();
        let output = output.expect("it starts");
        let printed = text(&output);
        assert_eq!(output.status.code(), Some(3), "{printed}");
        assert!(
            printed.contains("the name no-such-host.example cannot be resolved"),
            "{printed}"
        );
        assert!(
            printed.contains("no answer from the resolver within 5 s"),
            "{printed}"
        );
        assert!(
            began.elapsed() < Duration::from_secs(5) + AT_ONCE,
            "{printed}"
        );
    }
}

/// Announces the end of the connection, and ends it a moment later.
fn closing() -> RawServer {
    RawServer::start(|peer| {
        let answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
        if peer.request().is_some() && peer.answer(answer) {
            std::thread::park_timeout(Duration::from_millis(3));
        }
    })
}

/// Ports in TIME_WAIT of connections to a server on this machine, on the clients' and on the server's side.
fn in_time_wait(server: u16) -> (usize, usize) {
    const TIME_WAIT: &str = "06";
    let table = fs::read_to_string("/proc/net/tcp").expect("Linux");
    let (mut of_clients, mut of_server) = (0, 0);
    for line in table.lines().skip(1) {
        let mut fields = line.split_whitespace().skip(1);
        let mut port = || {
            let (_, port) = fields
                .next()
                .and_then(|at| at.split_once(':'))
                .expect("an address");
            u16::from_str_radix(port, 16).expect("hexadecimal")
        };
        let (local, remote) = (port(), port());
        if fields.next() == Some(TIME_WAIT) {
            of_clients += usize::from(remote == server);
            of_server += usize::from(local == server);
        }
    }
    (of_clients, of_server)
}

#[test]
fn row_32_a_server_that_closes_after_each_answer_keeps_the_ports_in_time_wait() {
    for io in ["uring", "epoll"] {
        let server = closing();
        let folder = tempfile::tempdir().expect("a folder");
        let json = folder.path().join("r.json");
        let output = opsurge(&["run", "--get", &server.url(), "-u", "4", "--io", io])
            .args(["--iterations", "200", "--wait", "20ms", "--json"])
            .arg(&json)
            .output()
            .expect("the binary starts");
        let printed = text(&output);
        if printed.contains("io_uring") && output.status.code() == Some(3) {
            println!("SKIPPED on io_uring: {printed}");
            continue;
        }
        assert_eq!(output.status.code(), Some(0), "{printed}");
        let opened = record_at(&json).totals.connections_opened as usize;
        assert_eq!(opened, 200, "one for each request");
        let (ours, theirs) = in_time_wait(server.address.port());
        // Two belong to the client: the trial connection before the run, and one that a busy machine delayed by 100 ms.
        assert!(
            ours <= 20 && theirs >= 180,
            "{io}: {ours} ours, {theirs} the server's"
        );
    }
}

#[test]
fn row_30_the_number_of_descriptors_that_is_asked_for_is_enough_when_the_server_closes_often() {
    let server = closing();
    let url = server.url();
    let folder = tempfile::tempdir().expect("a folder");
    // The binary runs as another user: the limit does not apply to root.
    let everybody = fs::Permissions::from_mode(0o777);
    fs::set_permissions(folder.path(), everybody).expect("it is ours");
    for io in ["uring", "epoll"] {
        let json = folder.path().join(format!("{io}.json"));
        let run = |limit: &str, time: &str| {
            let mut command = Command::new("prlimit");
            command.arg(format!("--nofile={limit}:{limit}"));
            command.arg(env!("CARGO_BIN_EXE_opsurge"));
            command.uid(lonely_user() + 1).gid(lonely_user() + 1);
            let program = Program::from(command).args(["run", "--get", &url, "--io", io]);
            let program = program.args(["-u", "200", "-r", "1000", "--shards", "1"]);
            program
                .args(["--wait", "0", "-t", time, "--json"])
                .arg(&json)
                .output()
        };
        let Ok(refused) = run("80", "1s") else {
            println!("SKIPPED: this user may not start a process of another one");
            return;
        };
        let printed = text(&refused);
        if printed.contains("Permission denied") || printed.contains("io_uring is") {
            println!("SKIPPED: {printed}");
            continue;
        }
        assert_eq!(refused.status.code(), Some(3), "{printed}");
        let (_, needed) = printed
            .split_once("200 connections need ")
            .expect("it says so");
        let (needed, _) = needed.split_once(' ').expect("a number");
        let output = run(needed, "2s").expect("it started before");
        let printed = text(&output);
        let record = record_at(&json);
        assert!(record.totals.connections_opened > 400, "{printed}");
        let limits = record
            .errors
            .iter()
            .filter(|error| error.kind == "client-limit");
        assert_eq!(limits.count(), 0, "{io}: {printed}");
    }
}
