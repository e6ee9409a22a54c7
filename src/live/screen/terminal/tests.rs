use std::io::Read;
use std::sync::Arc;

use nix::pty::openpty;
use nix::sys::termios::{FlowArg, tcflow};

use super::*;

/// The modes that matter: echo, and lines.
fn is_raw(terminal: &OwnedFd) -> bool {
    let modes = tcgetattr(terminal).expect("a terminal");
    !modes
        .local_flags
        .intersects(LocalFlags::ECHO | LocalFlags::ICANON)
}

/// The screen belongs to the process, so that one test goes through everything.
#[test]
fn the_terminal_is_given_back_after_a_panic_and_while_it_takes_nothing() {
    let pty = openpty(None, None).expect("a terminal");
    let slave = Arc::new(pty.slave);
    let end = || slave.try_clone().expect("a descriptor");
    let mut master = File::from(pty.master);
    let mut read = |expected: &[&[u8]]| {
        let mut bytes = vec![0; expected.concat().len()];
        master.read_exact(&mut bytes).expect("it is open");
        assert_eq!(bytes, expected.concat(), "{}", bytes.escape_ascii());
    };

    take_from(end(), end()).expect("it takes");
    assert!(is_raw(&slave));
    assert!(write(b"a frame").expect("it is open"));
    crate::live::screen::thread::give_back_when_panicking();
    let panicked = std::thread::spawn(|| panic!("a defect")).join();
    assert!(panicked.is_err() && !is_raw(&slave));
    read(&[ENTER, b"a frame", LEAVE]);
    assert!(!write(b"another").expect("it is open"), "it is given back");
    give_back();

    // A terminal that takes nothing has its modes back at once, and its normal screen when it takes something.
    take_from(end(), end()).expect("it takes");
    tcflow(&slave, FlowArg::TCOOFF).expect("a terminal");
    let frame = std::thread::spawn(|| write(b"a frame"));
    let began = Instant::now();
    give_back();
    assert!(!is_raw(&slave));
    // Far longer than it may take, for a busy machine.
    assert!(began.elapsed() < Duration::from_secs(10));
    let at_last = std::thread::spawn(give_back_at_last);
    tcflow(&slave, FlowArg::TCOON).expect("a terminal");
    frame.join().expect("no panic").expect("it is open");
    at_last.join().expect("no panic");
    // The frame may come too late; what is left open is that alone.
    let mut bytes = [0; 64];
    let mut seen = Vec::new();
    while !seen.ends_with(LEAVE) {
        let count = master.read(&mut bytes).expect("it is open");
        seen.extend_from_slice(&bytes[..count]);
    }
    assert!(seen.starts_with(ENTER), "{}", seen.escape_ascii());
    give_back();
}
