//! The live screen of the real binary, on a pseudo-terminal that is its controlling terminal: what it draws, what keys
//! do, and that every exit gives the terminal back.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;
use opsurge::record::schema::Record;

use crate::support::binary::{Process, Program, text, wait_until};

pub(super) const ENTER: &str = "\u{1b}[?1049h";
pub(super) const LEAVE: &str = "\u{1b}[?1049l";
const SHOW_CURSOR: &str = "\u{1b}[?25h";

/// A terminal with a program on it.
pub(super) struct OnTerminal {
    pub child: Process,
    keys: File,
    /// The end that the program has, kept open to read its modes.
    pub slave: OwnedFd,
    shown: Arc<Mutex<Vec<u8>>>,
    /// How often the screen may be entered until the end.
    pub enters_max: usize,
}

impl OnTerminal {
    /// Starts the binary as the leader of a session whose terminal is 100 x 30.
    pub fn start(arguments: &[&str], terminal: &str) -> Self {
        Self::start_with(arguments, terminal, 100)
    }

    /// The same in a terminal of so many columns.
    pub fn start_with(arguments: &[&str], terminal: &str, columns: u16) -> Self {
        let size = Winsize {
            ws_row: 30,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pty = openpty(&size, None).expect("a terminal");
        let end = || Stdio::from(pty.slave.try_clone().expect("a descriptor"));
        let mut setsid = Command::new("setsid");
        setsid.args(["--ctty", "--wait", env!("CARGO_BIN_EXE_opsurge")]);
        let child = Program::from(setsid)
            .args(arguments)
            .env("TERM", terminal)
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .expect("it starts");
        let keys = File::from(pty.master);
        let mut master = keys.try_clone().expect("a descriptor");
        let shown = Arc::new(Mutex::new(Vec::new()));
        let sink = shown.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            while let Ok(count @ 1..) = master.read(&mut bytes) {
                sink.lock().expect("no panic").extend(&bytes[..count]);
            }
        });
        Self {
            child,
            keys,
            slave: pty.slave,
            shown,
            enters_max: 1,
        }
    }

    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().expect("no panic")).into_owned()
    }

    pub fn wait_for(&self, part: &str) {
        wait_until(part, || self.shown().contains(part));
    }

    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("it is open");
    }

    pub fn echoes(&self) -> bool {
        let modes = tcgetattr(&self.slave).expect("a terminal");
        modes
            .local_flags
            .contains(LocalFlags::ECHO | LocalFlags::ICANON)
    }

    /// Sends a signal to the program.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("it runs");
    }

    /// The leader of the session is the child of `setsid`, or `setsid` itself, which hands no signal on.
    pub fn pid(&self) -> Pid {
        let id = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let children = children.expect("Linux");
        let first = children.split_whitespace().next();
        Pid::from_raw(first.map_or(id as i32, |pid| pid.parse().expect("a number")))
    }

    /// Waits for the end; the exit code, and what stands after the screen was left.
    pub fn end(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().expect("it ends").code();
        assert!(self.echoes(), "the modes of the terminal are as before");
        // The reader may still be behind.
        self.wait_for(LEAVE);
        let shown = self.shown();
        let (screen, after) = shown.rsplit_once(LEAVE).expect("it was left");
        let enters = screen.matches(ENTER).count();
        assert!((1..=self.enters_max).contains(&enters), "{screen:?}");
        assert!(screen.ends_with(SHOW_CURSOR), "the cursor is shown");
        (code, after.to_owned())
    }
}

/// A run of the stand-in with the screen, of which a second is over; `json` is where its record goes.
pub(super) fn run_with_screen(time: &str, json: &str) -> OnTerminal {
    let run = "run workflow --mock -u 20 -r 20 --wait 50ms --pause 0";
    let arguments: Vec<&str> = run.split(' ').chain(["-t", time, "--json", json]).collect();
    let terminal = OnTerminal::start(&arguments, "xterm-256color");
    terminal.wait_for(ENTER);
    // The whole footer is written at once, since it is dim as a whole.
    terminal.wait_for("q stop   + - 0-9 users");
    // Between words that stand on an empty screen the cursor jumps, so that only words can be looked for.
    terminal.wait_for("left");
    assert!(!terminal.echoes(), "keys are not shown");
    terminal
}

#[test]
fn a_typed_number_and_a_plus_change_the_users_and_the_record_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("record.json");
    let mut terminal = run_with_screen("9s", path.to_str().expect("UTF-8"));
    // A tenth more than 32 is 35.
    terminal.press("32\r+");
    terminal.wait_for("users asked for");
    let (code, after) = terminal.end();
    assert_eq!(code, Some(0), "{after}");
    let json = std::fs::read_to_string(&path).expect("a record");
    let record = Record::parse(&json).expect("it is one");
    let orders = &record.run.load.orders;
    // Both are one order, unless a second ended between them.
    let last = orders.last().expect("an order");
    assert!(orders.len() <= 2, "{orders:?}");
    assert_eq!((last.users, last.by.as_str()), (Some(35), "screen"));
    assert_eq!((record.run.users, record.run.users_came), (35, 35));
    let users: Vec<u64> = record.series.iter().map(|second| second.users).collect();
    assert!(users.contains(&20) && users.contains(&35), "{users:?}");
    let words: Vec<&str> = after.split_whitespace().collect();
    let words = words.join(" ");
    assert!(
        words.contains("changed by the screen: ") && words.contains("35 users at"),
        "{after}"
    );
    let cost_s = record.generator.screen_cpu_s.expect("it was shown");
    assert!(
        cost_s > 0.0 && cost_s < record.totals.load_s / 10.0,
        "{cost_s}"
    );
}

#[test]
fn q_stops_the_run_with_a_report() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("record.json");
    let mut terminal = run_with_screen("60s", path.to_str().expect("UTF-8"));
    terminal.press("?");
    terminal.wait_for("Ctrl-C");
    terminal.press("xq");
    let (code, after) = terminal.end();
    assert_eq!(code, Some(130), "{after}");
    // What the signal says was kept until the screen was closed; then comes the report.
    assert!(after.contains("interrupted: waiting for"), "{after}");
    assert!(
        after.contains("requests,") && after.contains("Record: "),
        "{after}"
    );
    let json = std::fs::read_to_string(&path).expect("a record");
    let record = Record::parse(&json).expect("it is one");
    assert_eq!(record.run.ended_by, "signal");
}

#[test]
fn control_c_drains_and_q_then_cuts_what_is_never_answered() {
    // Connections are taken by the kernel, and no request is ever answered.
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", server.local_addr().expect("bound"));
    let arguments = [
        "run", "--get", &url, "-u", "2", "-t", "60s", "--drain", "30s",
    ];
    let mut terminal = OnTerminal::start(&arguments, "xterm-256color");
    terminal.wait_for("q stop");
    terminal.wait_for("oldest");
    // One is a signal of the kernel's, one a key of the screen's.
    for (key, expected) in [
        ("\u{3}", "interrupted: waiting for what is under way"),
        ("q", "stopping now"),
    ] {
        terminal.press(key);
        terminal.wait_for(expected);
    }
    let (code, after) = terminal.end();
    assert_eq!(code, Some(130), "{after}");
    assert!(after.contains("2 cut off"), "{after}");
}

#[test]
fn every_signal_gives_the_terminal_back() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("record.json");
        let terminal = run_with_screen("60s", path.to_str().expect("UTF-8"));
        terminal.signal(signal);
        let (code, after) = terminal.end();
        assert_eq!(code, Some(130), "{signal}: {after}");
        assert!(after.contains("requests,"), "{signal}: {after}");
    }
}

#[test]
fn a_dumb_terminal_and_headless_runs_have_no_screen() {
    let run = "run workflow --mock -u 2 -t 2s --wait 50ms --pause 0";
    for (more, terminal, has_line) in [
        ("", "dumb", true),
        ("--live line", "xterm", true),
        ("--headless", "xterm", false),
        ("--live none", "xterm", false),
        ("--quiet", "xterm", false),
    ] {
        let arguments: Vec<&str> = run.split(' ').chain(more.split_whitespace()).collect();
        let mut on = OnTerminal::start(&arguments, terminal);
        let code = on.child.wait().expect("it ends").code();
        assert_eq!(code, Some(0), "{more}: {}", on.shown());
        assert!(!on.shown().contains(ENTER), "{more}: {}", on.shown());
        assert_eq!(
            on.shown().contains("\r\u{1b}[K1 s  2 users"),
            has_line,
            "{more}"
        );
    }
}

#[test]
fn a_screen_without_a_terminal_is_refused_before_anything_is_sent() {
    let run = "run workflow --mock -u 2 -t 2s --live screen";
    let output = crate::support::binary::run(&run.split(' ').collect::<Vec<_>>());
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(
        text(&output).contains("--live screen: the screen needs a terminal"),
        "{}",
        text(&output)
    );
}
