//! The live screen where something else happens to its process or its terminal: signals in a row, a stop from outside, a
//! terminal that takes nothing, several runs, a narrow window.

use std::net::TcpListener;

use nix::sys::signal::Signal;
use nix::sys::termios::{FlowArg, SetArg, tcflow, tcgetattr, tcsetattr};
use opsurge::record::schema::Record;

use super::screen::{ENTER, LEAVE, OnTerminal, run_with_screen};
use crate::support::binary::wait_until;

const QUICK: &str = "run workflow --mock -u 2 --wait 50ms --pause 0";

#[test]
fn a_third_signal_ends_the_process_and_gives_the_terminal_back() {
    // Connections are taken by the kernel, and no request is ever answered.
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", server.local_addr().expect("bound"));
    let run = "-u 2 -t 60s --drain 30s";
    let arguments: Vec<&str> = ["run", "--get", &url]
        .into_iter()
        .chain(run.split(' '))
        .collect();
    let mut terminal = OnTerminal::start(&arguments, "xterm-256color");
    // When it continues, it takes the terminal again, unless it has ended before.
    terminal.enters_max = 2;
    terminal.wait_for("oldest");
    terminal.signal(Signal::SIGINT);
    terminal.wait_for("interrupted: waiting for what is under way");
    // Together: the process does not come to its end between them.
    terminal.signal(Signal::SIGSTOP);
    for signal in [Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT] {
        terminal.signal(signal);
    }
    terminal.signal(Signal::SIGCONT);
    let (code, after) = terminal.end();
    assert_eq!(code, Some(130), "{after}");
}

#[test]
fn a_stopped_process_takes_the_terminal_again_when_it_continues() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("record.json");
    let mut terminal = run_with_screen("60s", path.to_str().expect("UTF-8"));
    let stat = format!("/proc/{}/stat", terminal.pid());
    terminal.signal(Signal::SIGSTOP);
    wait_until("it is stopped", || {
        let stat = std::fs::read_to_string(&stat).expect("it runs");
        stat.contains(") T ")
    });
    // As a shell does for its prompt.
    let mut modes = tcgetattr(&terminal.slave).expect("a terminal");
    modes.local_flags |= nix::sys::termios::LocalFlags::ECHO;
    modes.local_flags |= nix::sys::termios::LocalFlags::ICANON;
    tcsetattr(&terminal.slave, SetArg::TCSANOW, &modes).expect("a terminal");
    assert!(terminal.echoes());
    terminal.signal(Signal::SIGCONT);
    wait_until("it takes the terminal", || !terminal.echoes());
    wait_until("it draws", || terminal.shown().matches(ENTER).count() == 2);
    terminal.press("q");
    terminal.enters_max = 2;
    let (code, after) = terminal.end();
    assert_eq!(code, Some(130), "{after}");
}

#[test]
fn a_terminal_that_takes_nothing_does_not_keep_the_record_from_being_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("record.json");
    let path_text = path.to_str().expect("UTF-8");
    let rest = ["-t", "1s", "--json", path_text];
    let arguments: Vec<&str> = QUICK.split(' ').chain(rest).collect();
    let terminal = OnTerminal::start(&arguments, "xterm-256color");
    terminal.wait_for(ENTER);
    tcflow(&terminal.slave, FlowArg::TCOOFF).expect("a terminal");
    let read = || Record::parse(&std::fs::read_to_string(&path).unwrap_or_default());
    wait_until("a record", || read().is_ok());
    let record = read().expect("it was waited for");
    assert_eq!(record.run.ended_by, "time");
    assert!(!terminal.shown().contains(LEAVE), "nothing is taken");
    tcflow(&terminal.slave, FlowArg::TCOON).expect("a terminal");
    let (code, after) = terminal.end();
    assert_eq!(code, Some(0), "{after}");
    // Nothing that follows the screen is lost with it.
    assert!(
        after.contains("requests,") && after.contains("Record: "),
        "{after}"
    );
}

#[test]
fn each_run_of_a_series_has_a_screen_and_its_line_is_readable_after_it() {
    let rest = "-t 1s --repeat 2 --repeat-pause 0";
    let arguments: Vec<&str> = QUICK.split(' ').chain(rest.split(' ')).collect();
    let mut terminal = OnTerminal::start(&arguments, "xterm-256color");
    let code = terminal.child.wait().expect("it ends").code();
    assert_eq!(code, Some(0), "{}", terminal.shown());
    wait_until("the report", || {
        terminal.shown().matches(LEAVE).count() == 2
    });
    let shown = terminal.shown();
    let outside: Vec<&str> = shown
        .split(ENTER)
        .flat_map(|part| part.rsplit(LEAVE).next())
        .collect();
    for (at, line) in [(1, "run 1 of 2"), (2, "run 2 of 2")] {
        assert!(outside[at].contains(line), "{line}: {outside:?}");
    }
    assert!(terminal.echoes());
}

#[test]
fn what_is_printed_before_a_run_breaks_between_words() {
    for columns in [60, 80, 120] {
        let rest = "-t 1s --live none";
        let arguments: Vec<&str> = QUICK.split(' ').chain(rest.split(' ')).collect();
        let mut terminal = OnTerminal::start_with(&arguments, "xterm", columns);
        let code = terminal.child.wait().expect("it ends").code();
        terminal.wait_for("requests,");
        let shown = terminal.shown();
        assert_eq!(code, Some(0), "{shown}");
        // The report has colours; a test of its own holds it to the width.
        let before = shown.split("VERDICT").next().unwrap_or_default();
        let lines: Vec<&str> = before.lines().collect();
        let is_wide = |line: &&str| line.chars().count() > usize::from(columns);
        assert!(!lines.iter().any(is_wide), "{columns}: {shown}");
        let words: Vec<&str> = before.split_whitespace().collect();
        let text = words.join(" ");
        assert!(
            text.contains("running scenario workflow with 2 users on http://"),
            "{text}"
        );
        assert!(
            text.contains("memory: about ") && text.contains("if all wait at once"),
            "{text}"
        );
    }
}
