//! The real binary: started, waited for until a deadline, its record read back.
//!
//! The deadline of a process is the sum of the run time in its arguments, the drain, 2 s, and slack for a busy machine.
//! A process that is still running then is killed, and its test fails with its output. A run with `--json` that ended
//! by itself must have left a record that
//! `docs/record.schema.json` describes.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use opsurge::record::schema::Record;
use opsurge::text::duration;

// By its path, for test crates that share this file alone.
#[path = "record_schema.rs"]
pub mod record_schema;

use record_schema::check_record;

/// Run time of a run whose arguments give none: something else bounds it.
const TIME_UNKNOWN: Duration = Duration::from_secs(60);
/// Drain of a run whose arguments give none, unless answers are slow.
const DRAIN: Duration = Duration::from_secs(5);
/// What a run may take beyond its run time and its drain.
const START_AND_END: Duration = Duration::from_secs(2);
/// For a machine on which many tests run at once.
const SLACK: Duration = Duration::from_secs(30);
/// Exit codes of a run that was carried out: its record has been written.
const CARRIED_OUT: [i32; 5] = [0, 1, 4, 5, 130];

/// A command line of the binary.
pub struct Program {
    command: Command,
    /// The record file can be read by this process.
    checks_record: bool,
}

pub fn opsurge(arguments: &[&str]) -> Program {
    Program::from(Command::new(env!("CARGO_BIN_EXE_opsurge"))).args(arguments)
}

pub fn run(arguments: &[&str]) -> Output {
    opsurge(arguments).output().expect("the binary starts")
}

impl From<Command> for Program {
    /// The binary, or a program that starts it.
    fn from(mut command: Command) -> Self {
        // A build server of GitHub sets the others for its own steps.
        for name in ["OPSCORE_API_KEY", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"] {
            command.env_remove(name);
        }
        command.stdin(Stdio::null());
        Self {
            command,
            checks_record: true,
        }
    }
}

impl Program {
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn current_dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    pub fn stdin(mut self, from: impl Into<Stdio>) -> Self {
        self.command.stdin(from);
        self
    }

    pub fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.command.stdout(to);
        self
    }

    pub fn stderr(mut self, to: impl Into<Stdio>) -> Self {
        self.command.stderr(to);
        self
    }

    /// For a process that writes its record where this one cannot read it.
    pub fn without_record_check(mut self) -> Self {
        self.checks_record = false;
        self
    }

    /// Runs it to its end, and returns its output.
    pub fn output(self) -> std::io::Result<Output> {
        let piped = self.stdout(Stdio::piped()).stderr(Stdio::piped());
        piped.spawn()?.wait_with_output()
    }

    pub fn spawn(mut self) -> std::io::Result<Process> {
        let arguments: Vec<OsString> = self.command.get_args().map(OsStr::to_owned).collect();
        let child = self.command.spawn()?;
        let state = Arc::new((Mutex::new(State::Running), Condvar::new()));
        let (pid, watched, limit) = (child.id(), state.clone(), limit_of(&arguments));
        std::thread::spawn(move || kill_late(pid, limit, &watched));
        Ok(Process {
            child: Some(child),
            arguments,
            checks_record: self.checks_record,
            state,
        })
    }
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Running,
    /// It was still running at its deadline.
    Killed,
    /// Its process id may belong to another process.
    Ended,
}

/// A started process with its deadline.
pub struct Process {
    child: Option<Child>,
    arguments: Vec<OsString>,
    checks_record: bool,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl Process {
    /// Waits for its end.
    pub fn wait(&mut self) -> std::io::Result<ExitStatus> {
        let status = self.deref_mut().wait()?;
        self.on_end(status, "(read by the test)");
        Ok(status)
    }

    /// Waits for its end, and returns its output.
    pub fn wait_with_output(mut self) -> std::io::Result<Output> {
        let child = self.child.take().expect("not waited for twice");
        let output = child.wait_with_output()?;
        self.on_end(output.status, &text(&output));
        Ok(output)
    }

    /// Sends a signal to it.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.id() as i32), signal).expect("it runs");
    }

    fn on_end(&self, status: ExitStatus, output: &str) {
        let (state, ended) = &*self.state;
        let before = std::mem::replace(&mut *state.lock().expect("no panic"), State::Ended);
        ended.notify_all();
        let arguments = &self.arguments;
        assert!(
            before != State::Killed,
            "opsurge {arguments:?} was still running after {:?}: {output}",
            limit_of(arguments)
        );
        let is_run = ["run", "search"]
            .iter()
            .any(|name| arguments.iter().any(|arg| arg == name));
        let json = value_of(arguments, &["--json"]).filter(|path| !path.starts_with("/dev"));
        if let Some(json) = json
            && self.checks_record
            && is_run
            && status
                .code()
                .is_some_and(|code| CARRIED_OUT.contains(&code))
        {
            let record = std::fs::read_to_string(json).expect("a run leaves a record");
            Record::parse(&record).expect("it is a record");
            check_record(&record);
        }
    }
}

impl Deref for Process {
    type Target = Child;

    fn deref(&self) -> &Child {
        self.child.as_ref().expect("not waited for")
    }
}

impl DerefMut for Process {
    fn deref_mut(&mut self) -> &mut Child {
        self.child.as_mut().expect("not waited for")
    }
}

impl Drop for Process {
    /// A test that failed leaves no process behind.
    fn drop(&mut self) {
        let (state, ended) = &*self.state;
        let mut state = state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(child) = self.child.as_mut().filter(|_| *state != State::Ended) {
            let _ = child.kill();
            let _ = child.wait();
        }
        *state = State::Ended;
        ended.notify_all();
    }
}

/// Kills a process that is still running after its time. A test that reads from it then sees the end of the stream.
fn kill_late(pid: u32, limit: Duration, (state, ended): &(Mutex<State>, Condvar)) {
    let running = state.lock().expect("no panic");
    let waited = ended.wait_timeout_while(running, limit, |state| *state == State::Running);
    let (mut state, waited) = waited.expect("no panic");
    if waited.timed_out() && *state == State::Running {
        *state = State::Killed;
        let _ = kill(Pid::from_raw(pid as i32), Signal::SIGKILL);
    }
}

/// Longest time that a process with these arguments may take.
fn limit_of(arguments: &[OsString]) -> Duration {
    let time_of = |names: &[&str]| duration::parse(value_of(arguments, names)?).ok();
    let time = time_of(&["-t", "--run-time"]).unwrap_or(TIME_UNKNOWN);
    let drain = time_of(&["--drain"]).unwrap_or(DRAIN);
    time + drain + START_AND_END + SLACK
}

fn value_of<'a>(arguments: &'a [OsString], names: &[&str]) -> Option<&'a str> {
    let at = arguments
        .iter()
        .position(|arg| names.iter().any(|name| arg == name))?;
    arguments.get(at + 1)?.to_str()
}

/// Polls until the condition holds, at most ten seconds: for states of a process that send no message.
pub fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(10), "never: {what}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// Standard output, then standard error.
pub fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// Runs with `--json`; returns the record and the output.
pub fn record_of(arguments: &[&str], code: i32) -> (Record, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("record.json");
    let path_text = path.to_str().expect("UTF-8").to_owned();
    let mut all = vec!["run"];
    all.extend(arguments);
    all.extend(["--json", &path_text]);
    let output = run(&all);
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(code), "{printed}");
    let json = std::fs::read_to_string(&path).expect("the record was written");
    (Record::parse(&json).expect("it is a record"), printed)
}

/// Answers by status, of each step by "METHOD name".
pub fn statuses(record: &Record) -> BTreeMap<String, BTreeMap<String, u64>> {
    let steps = record.steps.iter();
    steps
        .map(|step| {
            (
                format!("{} {}", step.method, step.name),
                step.statuses.clone(),
            )
        })
        .collect()
}

/// Checks that a record counts every request exactly once: in its totals, steps, seconds and kinds of failure.
pub fn check_sums(record: &Record) {
    assert_eq!(
        record.totals.sent,
        record.totals.requests + record.totals.cut_off
    );
    for step in &record.steps {
        assert_eq!(step.sent, step.requests + step.cut_off);
        assert_eq!(step.response_us.count, step.requests - step.failures);
    }
    let by_second: u64 = record
        .series
        .iter()
        .flat_map(|s| &s.steps)
        .map(|step| step.requests)
        .sum();
    assert_eq!(
        by_second, record.totals.requests,
        "the series has every request once"
    );
    let by_kind: u64 = record.errors.iter().map(|error| error.count).sum();
    assert_eq!(by_kind, record.totals.failures);
}
