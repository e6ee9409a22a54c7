//! The verdict on a machine that other programs use. A file of its own: it keeps every core busy, and would disturb
//! other tests.

#[path = "it/support/binary.rs"]
#[expect(dead_code, reason = "only a part of it is used here")]
mod binary;

use std::process::{Child, Command, Stdio};

/// One program per core that is never idle.
struct Crowd(Vec<Child>);

impl Crowd {
    fn new() -> Self {
        let cores = std::thread::available_parallelism().expect("known").get();
        let busy = |_| {
            Command::new("timeout")
                .args(["60", "sh", "-c", "while :; do :; done"])
                .stdin(Stdio::null())
                .spawn()
                .expect("a shell")
        };
        Self((0..cores).map(busy).collect())
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

#[test]
fn few_requests_beside_busy_programs_do_not_blame_the_generator() {
    let _crowd = Crowd::new();
    for _ in 0..3 {
        let load = "--mock --headless -u 10 -r 5 --wait 1s -t 3s";
        let (record, said) = binary::record_of(&load.split(' ').collect::<Vec<_>>(), 0);
        assert!(record.totals.requests < 100, "{said}");
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
